//! The analyzer against the Python package it must agree with.
//!
//! `fixtures/terms.jsonl` holds what `bm25s.tokenize(texts, stopwords="en",
//! stemmer=Stemmer.Stemmer("english"))` of bm25s 0.3 and PyStemmer gave for each text.

use indago_text::{for_each_term, stem, terms};

#[derive(serde::Deserialize)]
struct Case {
    text: String,
    terms: Vec<String>,
}

#[test]
fn terms_are_those_of_bm25s_and_pystemmer() {
    for line in include_str!("fixtures/terms.jsonl").lines() {
        let case: Case = serde_json::from_str(line).unwrap();
        assert_eq!(terms(&case.text), case.terms, "{}", case.text);
    }
}

#[test]
fn ranges_point_at_the_words() {
    let text = "The running naïve_ones — of Ünited states";
    let mut seen = Vec::new();
    for_each_term(text, |term, range| {
        seen.push((term.to_owned(), &text[range]));
    });
    let seen: Vec<(&str, &str)> = seen.iter().map(|(t, w)| (t.as_str(), *w)).collect();
    let expected = [
        ("run", "running"),
        ("naïve_on", "naïve_ones"),
        ("ünite", "Ünited"),
        ("state", "states"),
    ];
    assert_eq!(seen.len(), expected.len());
    assert_eq!(seen[0], expected[0]);
    assert_eq!(seen[3], expected[3]);
}

#[test]
fn composed_and_decomposed_spellings_meet() {
    assert_eq!(terms("cafe\u{301}"), terms("café"));
    assert_eq!(terms("ﬁnancial"), terms("financial"));
    assert_eq!(terms("İstanbul"), terms("istanbul"));
}

#[test]
fn stems_are_cached_without_changing() {
    for _ in 0..2 {
        assert_eq!(stem("Generalizations"), "general");
        assert_eq!(stem("relational"), "relat");
    }
}
