//! The embedded reader against what was trained, in torch and 32 bits: `reader/make_reference.py` made
//! the figures.

use std::path::Path;

use indago_core::Cancel;
use indago_core::ports::{EncodeError, SpanReader, SpanScores};
use indago_models::Reader;

#[derive(serde::Deserialize)]
struct Reference {
    items: Vec<Item>,
}

#[derive(serde::Deserialize)]
struct Item {
    question: String,
    title: String,
    text: String,
    /// First byte, end, and the two scores of each token.
    tokens: Vec<(usize, usize, f32, f32)>,
}

fn reference() -> Vec<Item> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reader/reference.json");
    let text = std::fs::read_to_string(path).expect("the fixture is in the repository");
    serde_json::from_str::<Reference>(&text)
        .expect("the fixture is valid")
        .items
}

fn read(reader: &Reader, item: &Item) -> SpanScores {
    let passage = [(item.title.as_str(), item.text.as_str())];
    let mut scores = reader
        .read(&item.question, &passage, &Cancel::new())
        .expect("passages are read");
    scores.remove(0)
}

/// How far a score may be off that is rounded to 8 bits a weight: logits go from about -13 to 6, and
/// the furthest off, by 0.81, is of a token that is no answer.
const CLOSE: f32 = 0.9;

#[test]
fn scores_are_those_of_the_trained_weights() {
    let reader = Reader::embedded().unwrap();
    for item in reference() {
        let scores = read(&reader, &item);
        assert_eq!(scores.tokens.len(), item.tokens.len(), "{}", item.question);
        for (token, &(first, end, starts, ends)) in scores.tokens.iter().zip(&item.tokens) {
            // Pieces of a word stand where the word does.
            let word = token.range.clone();
            assert!(
                word.start <= first && end <= word.end,
                "{word:?} {first}..{end}"
            );
            let (start, stop) = (token.start - starts, token.end - ends);
            assert!(
                start.abs() <= CLOSE && stop.abs() <= CLOSE,
                "{}: {:?} is off by {start} and {stop}",
                item.question,
                &item.text[word]
            );
        }
    }
}

#[test]
fn what_a_passage_says_is_read_alone_as_in_company() {
    let reader = Reader::embedded().unwrap();
    let items = reference();
    let item = &items[0];
    let alone = read(&reader, item);
    let others: Vec<(&str, &str)> = items
        .iter()
        .map(|i| (i.title.as_str(), i.text.as_str()))
        .collect();
    let together = reader
        .read(&item.question, &others, &Cancel::new())
        .unwrap();
    assert_eq!(together[0], alone);
    assert_eq!(together.len(), items.len());
}

#[test]
fn odd_texts_are_read_and_a_cancel_is_heard() {
    let reader = Reader::embedded().unwrap();
    let long = "word ".repeat(5000);
    let odd = [
        ("", ""),
        ("", "\u{0}"),
        (long.as_str(), "Ada Quill led it."),
        ("", long.as_str()),
    ];
    let scores = reader
        .read(&long, &odd, &Cancel::new())
        .expect("nothing is too long");
    assert!(scores[0].tokens.is_empty() && scores[1].tokens.is_empty());
    assert_eq!(scores[2].tokens.last().unwrap().range, 16..17);
    assert_eq!(scores[3].tokens.len(), 5000);
    let finite = |s: &SpanScores| {
        s.tokens
            .iter()
            .all(|t| t.start.is_finite() && t.end.is_finite())
    };
    assert!(scores.iter().all(finite));
    assert!(reader.read("Who?", &[], &Cancel::new()).unwrap().is_empty());

    let cancel = Cancel::new();
    cancel.cancel();
    let stopped = reader.read("Who led it?", &odd, &cancel);
    assert!(
        matches!(stopped, Err(EncodeError::Cancelled(_))),
        "{stopped:?}"
    );
}
