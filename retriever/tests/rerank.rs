//! Second stages over a corpus on disk.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::path::Path;
use std::sync::Arc;

use indago_core::ports::{EncodeError, PairScorer, Retriever, Role, TokenEncoder as _};
use indago_core::{Cancel, Query};
use indago_retriever::Corpus;
use indago_retriever::rerank::{ByPairs, MaxSim, Reranked};
use support::{WordHasher, Words, files, index};

/// The longer a text, the better; or what it was told to say.
struct ByLength {
    says: Option<Vec<f32>>,
}

impl PairScorer for ByLength {
    fn name(&self) -> &'static str {
        "length"
    }

    fn score(&self, _: &str, texts: &[&str], cancel: &Cancel) -> Result<Vec<f32>, EncodeError> {
        cancel.check()?;
        let lengths = || texts.iter().map(|text| text.len() as f32).collect();
        Ok(self.says.clone().unwrap_or_else(lengths))
    }
}

fn corpus(dir: &Path) -> Corpus {
    let texts = [
        ("a", "harbour harbour harbour"),
        ("b", "harbour harbour and a good deal more than that"),
        (
            "c",
            "the harbour is mentioned here once, among many other words that go on",
        ),
        ("d", "bread"),
    ];
    index(dir, &files(&texts));
    Corpus::open(dir).unwrap().unwrap()
}

fn order(corpus: &Corpus, retriever: &dyn Retriever, k: usize) -> Vec<String> {
    let hits = retriever
        .search(&Query::new("harbour"), k, &Cancel::new())
        .unwrap();
    assert!(hits.is_sorted_by(|a, b| a.score >= b.score));
    let path = |hit: &indago_core::Hit| corpus.source_of(hit.passage).unwrap().unwrap().path;
    hits.iter().map(path).collect()
}

fn reranked(corpus: &Corpus, says: Option<Vec<f32>>, depth: usize) -> Reranked {
    let first = corpus.retriever("bm25", None).unwrap();
    let second = Arc::new(ByPairs::new(Arc::new(ByLength { says })));
    Reranked::new(corpus, first, second, depth)
}

#[test]
fn the_first_hits_get_a_new_order_and_the_rest_stays_behind() {
    let dir = tempfile::tempdir().unwrap();
    let corpus = corpus(dir.path());
    let first = corpus.retriever("bm25", None).unwrap();
    assert_eq!(order(&corpus, first.as_ref(), 10), ["a", "b", "c"]);
    assert_eq!(
        order(&corpus, &reranked(&corpus, None, 50), 10),
        ["c", "b", "a"]
    );
    assert_eq!(
        order(&corpus, &reranked(&corpus, None, 2), 10),
        ["b", "a", "c"]
    );
    // Reranked before cut: what is wanted may come from further down.
    assert_eq!(order(&corpus, &reranked(&corpus, None, 50), 1), ["c"]);
    assert_eq!(
        order(&corpus, &reranked(&corpus, None, 0), 10),
        ["a", "b", "c"]
    );
    let equal = Some(vec![0.5; 3]);
    assert_eq!(
        order(&corpus, &reranked(&corpus, equal, 50), 10),
        ["a", "b", "c"]
    );
}

#[test]
fn a_scorer_that_gives_nonsense_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let corpus = corpus(dir.path());
    for says in [vec![], vec![1.0], vec![1.0, f32::NAN, 2.0], vec![1.0; 9]] {
        let result =
            reranked(&corpus, Some(says), 50).search(&Query::new("harbour"), 10, &Cancel::new());
        let error = result.unwrap_err().to_string();
        assert!(error.contains("`length` gave"), "{error}");
    }
    let cancel = Cancel::new();
    cancel.cancel();
    let search = reranked(&corpus, None, 50).search(&Query::new("harbour"), 10, &cancel);
    assert!(search.is_err());
}

fn by_words() -> MaxSim {
    MaxSim::new(Arc::new(Words(WordHasher::new()))).unwrap()
}

#[test]
fn maxsim_adds_up_the_best_answer_to_each_token_of_the_query() {
    let query = "lamp keeper winter";
    let some = [
        "the keeper of the lamp",
        "ferry timetable winter harbour",
        "",
        "keeper lamp winter",
    ];
    // More texts than are encoded at once.
    let texts: Vec<&str> = some.into_iter().cycle().take(150).collect();
    let scores = by_words().score(query, &texts, &Cancel::new()).unwrap();

    let encoder = Words(WordHasher::new());
    let tokens = |text: &str, role| {
        let matrices = encoder.encode_tokens(&[text], role, &Cancel::new());
        matrices.unwrap().remove(0)
    };
    let asked = tokens(query, Role::Query);
    for (text, score) in texts.iter().zip(&scores) {
        let answers = tokens(text, Role::Passage);
        let best = |q: usize| {
            let dot = |p: usize| -> f32 {
                let pairs = asked.row(q).iter().zip(answers.row(p));
                pairs.map(|(a, b)| a * b).sum()
            };
            (0..answers.rows).map(dot).fold(f32::MIN, f32::max)
        };
        let expected: f32 = if text.is_empty() {
            -4.0
        } else {
            (0..asked.rows).map(best).sum()
        };
        assert!(
            (score - expected).abs() < 1e-4,
            "{text}: {score} {expected}"
        );
    }
    assert!((scores[3] - 3.0).abs() < 1e-4, "every word stands there");
    assert!(scores[3] > scores[0] && scores[0] > scores[2]);
}

#[test]
fn maxsim_puts_texts_without_tokens_last_and_stops_when_told_to() {
    let scorer = by_words();
    let score = |query: &str, texts: &[&str]| scorer.score(query, texts, &Cancel::new()).unwrap();
    assert_eq!(score("", &["word", ""]), [0.0, -1.0]);
    assert!(score("word", &[]).is_empty());
    let cancel = Cancel::new();
    cancel.cancel();
    let stopped = scorer.score("word", &["word"], &cancel).unwrap_err();
    assert!(matches!(stopped, EncodeError::Cancelled(_)), "{stopped}");

    let without = MaxSim::new(Arc::new(WordHasher::new()))
        .unwrap_err()
        .to_string();
    assert!(without.contains("word-hasher"), "{without}");
    assert!(without.contains("no vectors of tokens"), "{without}");
}

#[test]
fn maxsim_is_a_second_stage() {
    let dir = tempfile::tempdir().unwrap();
    let corpus = corpus(dir.path());
    let first = corpus.retriever("bm25", None).unwrap();
    let second = Arc::new(ByPairs::new(Arc::new(by_words())));
    let reranked = Reranked::new(&corpus, first, second, 50);
    let query = Query::new("harbour among words");
    let hits = reranked.search(&query, 10, &Cancel::new()).unwrap();
    let best = corpus.source_of(hits[0].passage).unwrap().unwrap();
    assert_eq!(best.path, "c");
    let why = hits[0].why.last().unwrap();
    assert_eq!(why.retriever, "maxsim@word-hasher");
}
