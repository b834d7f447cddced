//! The static encoder against its teacher.

use indago_core::Cancel;
use indago_core::ports::{Encoder, PairScorer, Role};
use indago_kernels::dot_f32;
use indago_models::{MiniLm, StaticEncoder};

/// Sentences in groups of three that say nearly the same; no two groups share their subject.
const SENTENCES: &[&str] = &[
    "The cat slept on the warm carpet.",
    "A kitten was sleeping on a rug.",
    "Cats often nap on soft carpets.",
    "The central bank raised interest rates by a quarter point.",
    "Monetary policy was tightened when the bank increased its rate.",
    "Higher interest rates were announced by the federal reserve.",
    "The volcano erupted and covered the village in ash.",
    "Ash from the eruption buried several towns near the mountain.",
    "Lava flowed down the slopes of the active volcano.",
    "She won the gold medal in the hundred metres sprint.",
    "The sprinter finished first in the Olympic race.",
    "An athlete took gold in the running competition.",
    "The compiler reports an error when a variable is used after it was moved.",
    "Using a moved value is rejected by the borrow checker of the language.",
    "A program that reads a variable after moving it does not compile.",
    "The novel was published in 1851 and tells of a whaling ship.",
    "Its author wrote the book about a captain who hunts a white whale.",
    "The story of the whale and the captain is a classic of literature.",
    "Vaccines train the immune system to recognise a virus.",
    "Immunisation protects people against infection by viruses.",
    "After the injection the body produces antibodies to the disease.",
    "The railway line connects the capital with the northern port.",
    "Trains run from the harbour to the main city every hour.",
    "A new station was opened on the railroad to the coast.",
];

fn ranks(values: &[f32]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    for (rank, &i) in order.iter().enumerate() {
        ranks[i] = rank as f64;
    }
    ranks
}

fn spearman(a: &[f32], b: &[f32]) -> f64 {
    let (a, b) = (ranks(a), ranks(b));
    let middle = (a.len() as f64 - 1.0) / 2.0;
    let together: f64 = a
        .iter()
        .zip(&b)
        .map(|(a, b)| (a - middle) * (b - middle))
        .sum();
    let alone: f64 = a.iter().map(|a| (a - middle) * (a - middle)).sum();
    together / alone
}

fn similarities(encoder: &dyn Encoder) -> Vec<f32> {
    let rows = encoder
        .encode(SENTENCES, Role::Passage, &Cancel::new())
        .expect("encodes");
    let pairs = (0..rows.rows).flat_map(|i| (0..i).map(move |j| (i, j)));
    pairs
        .map(|(i, j)| dot_f32(rows.row(i), rows.row(j)))
        .collect()
}

#[test]
fn pairs_of_sentences_rank_as_with_the_teacher() {
    let teacher = similarities(&MiniLm::embedded().unwrap());
    let table = similarities(&StaticEncoder::embedded().unwrap());
    let correlation = spearman(&teacher, &table);
    println!(
        "rank correlation over {} pairs: {correlation:.3}",
        table.len()
    );
    // Over unrelated pairs alone the order is mostly noise, so this is far below what sentence
    // similarity sets show; a broken table is near 0.
    assert!(correlation > 0.5, "{correlation}");
}

#[test]
fn the_nearest_sentence_is_mostly_of_the_same_group() {
    let encoder = StaticEncoder::embedded().unwrap();
    let mut right = 0;
    for (i, sentence) in SENTENCES.iter().enumerate() {
        let scores = encoder.score(sentence, SENTENCES, &Cancel::new()).unwrap();
        assert!((scores[i] - 1.0).abs() < 1e-5);
        let nearest = (0..SENTENCES.len())
            .filter(|&j| j != i)
            .max_by(|&a, &b| scores[a].total_cmp(&scores[b]));
        right += usize::from(nearest.map(|j| j / 3) == Some(i / 3));
    }
    println!(
        "{right} of {} nearest neighbours share the subject",
        SENTENCES.len()
    );
    assert!(right * 4 >= SENTENCES.len() * 3, "{right}");
}

#[test]
fn word_order_and_unknown_words_do_not_matter_and_no_words_give_zeros() {
    let encoder = StaticEncoder::embedded().unwrap();
    let texts = [
        "red green blue",
        "blue red green",
        "red \u{1F9FF} green blue",
        "",
        "\u{1F9FF}",
    ];
    let rows = encoder.encode(&texts, Role::Query, &Cancel::new()).unwrap();
    assert!((dot_f32(rows.row(0), rows.row(1)) - 1.0).abs() < 1e-6);
    assert!((dot_f32(rows.row(0), rows.row(2)) - 1.0).abs() < 1e-6);
    for empty in [3, 4] {
        assert!(rows.row(empty).iter().all(|&x| x == 0.0));
    }
}
