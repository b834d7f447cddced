//! Exact search against reading every passage.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use indago_core::{Cancel, DocumentId, Query};
use indago_retriever::Corpus;
use proptest::prelude::*;
use support::index;

const TEXTS: [&str; 4] = [
    "The old lighthouse of Brennick was built in 1888.\n\nTo be or not to be, it was.",
    "It was built in 1888, they say; it  was Built IN 1889.\n\nna\u{ef}ve caf\u{e9} \u{130}zmir",
    "aaaa aaaa aaaa\n\nbuilt in 18 days",
    "The\nold\tlighthouse of Brennick",
];

fn corpus(dir: &std::path::Path) -> Corpus {
    let named = TEXTS.iter().enumerate();
    let files: Vec<_> = named
        .map(|(i, text)| (format!("d{i}"), (*text).to_owned()))
        .collect();
    index(dir, &files);
    Corpus::open(dir).unwrap().unwrap()
}

/// Every place where `quote` stands as written.
fn by_reading(quote: &str) -> Vec<(DocumentId, std::ops::Range<usize>)> {
    let mut found = Vec::new();
    for (i, text) in TEXTS.iter().enumerate() {
        let mut from = 0;
        while let Some(at) = text[from..].find(quote) {
            let start = from + at;
            found.push((DocumentId::new(format!("d{i}")), start..start + quote.len()));
            from = start + quote.len();
        }
    }
    found
}

#[test]
fn a_quote_is_found_where_it_stands() {
    let dir = tempfile::tempdir().unwrap();
    let corpus = corpus(dir.path());
    let found = corpus.find("was built in 1888", &Cancel::new()).unwrap();
    assert_eq!(found, by_reading("was built in 1888"));
    assert_eq!(found.len(), 2);
    // As written stands before regardless of case: only the former is reported.
    assert_eq!(
        corpus.find("Built IN 1889", &Cancel::new()).unwrap().len(),
        1
    );
    let loose = corpus.find("the OLD lighthouse", &Cancel::new()).unwrap();
    assert_eq!(loose.len(), 2);
    assert_eq!(&TEXTS[3][loose[1].1.clone()], "The\nold\tlighthouse");
    assert!(
        corpus
            .find("was built in 1890", &Cancel::new())
            .unwrap()
            .is_empty()
    );
    assert!(corpus.find(" \n", &Cancel::new()).unwrap().is_empty());
}

#[test]
fn hits_are_the_passages_that_have_it() {
    let dir = tempfile::tempdir().unwrap();
    let corpus = corpus(dir.path());
    let exact = corpus.retriever("exact", None).unwrap();
    let hits = exact
        .search(&Query::new("was built in 18"), 10, &Cancel::new())
        .unwrap();
    assert_eq!(hits.len(), 2);
    let text = |i: usize| corpus.passage(hits[i].passage).unwrap().unwrap().text;
    assert!((0..2).all(|i| text(i).contains("was built in 18")));
    let many = exact.search(&Query::new("aa"), 1, &Cancel::new()).unwrap();
    assert_eq!(many[0].score, 6.0);
    let cancel = Cancel::new();
    cancel.cancel();
    assert!(exact.search(&Query::new("aa"), 1, &cancel).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn every_piece_of_a_text_is_found_as_reading_finds_it(
        which in 0usize..4,
        a in any::<prop::sample::Index>(),
        b in any::<prop::sample::Index>(),
    ) {
        thread_local! {
            static CORPUS: Corpus = {
                let dir = tempfile::tempdir().unwrap().keep();
                corpus(&dir)
            };
        }
        let text = TEXTS[which];
        let cuts: Vec<usize> = (0..=text.len()).filter(|i| text.is_char_boundary(*i)).collect();
        let (a, b) = (cuts[a.index(cuts.len())], cuts[b.index(cuts.len())]);
        let quote = text[a.min(b)..a.max(b)].trim();
        prop_assume!(!quote.is_empty());
        let mut found = CORPUS.with(|corpus| corpus.find(quote, &Cancel::new())).unwrap();
        found.sort_by(|a, b| (&a.0, a.1.start).cmp(&(&b.0, b.1.start)));
        prop_assert_eq!(found, by_reading(quote), "{:?}", quote);
    }
}
