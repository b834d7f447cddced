//! The index of substrings against reading every document, as documents come and go.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::ops::Range;
use std::path::Path;

use indago_core::{Cancel, DocumentId, Filters, Query};
use indago_retriever::{Corpus, CorpusWriter, SubstringsBuilt};
use proptest::prelude::*;
use support::{files, index, index_with, options};

type Places = Vec<(DocumentId, Range<usize>)>;

fn build(dir: &Path, wanted: bool) -> Option<SubstringsBuilt> {
    let mut writer = CorpusWriter::open(dir, &options()).unwrap();
    writer
        .build_substrings(wanted, |_, _| {}, &Cancel::new())
        .unwrap()
}

fn open(dir: &Path) -> Corpus {
    Corpus::open(dir).unwrap().unwrap()
}

fn find(corpus: &Corpus, quote: &str) -> Places {
    let mut found = corpus.find(quote, &Cancel::new()).unwrap();
    found.sort_by(|a, b| (&a.0, a.1.start).cmp(&(&b.0, b.1.start)));
    found
}

/// A text without regard to letter case and runs of white space.
fn loosely(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if !c.is_whitespace() {
            out.extend(c.to_lowercase());
        } else if !out.ends_with(' ') {
            out.push(' ');
        }
    }
    out
}

/// Every place where a quote stands, found by comparing it with every piece of every text.
fn by_comparing(texts: &[(String, String)], quote: &str) -> Places {
    let equal = |same: &dyn Fn(&str) -> bool| {
        let mut found = Vec::new();
        for (path, text) in texts {
            let mut after = 0;
            let ends: Vec<usize> = text
                .char_indices()
                .map(|(at, c)| at + c.len_utf8())
                .collect();
            for (start, c) in text.char_indices() {
                if start < after || c.is_whitespace() {
                    continue;
                }
                let end = ends
                    .iter()
                    .find(|end| **end > start && same(&text[start..**end]));
                if let Some(end) = end {
                    found.push((DocumentId::new(path.as_str()), start..*end));
                    after = *end;
                }
            }
        }
        found
            .sort_by(|a: &(DocumentId, Range<usize>), b| (&a.0, a.1.start).cmp(&(&b.0, b.1.start)));
        found
    };
    let quote = quote.trim();
    if quote.is_empty() {
        return Vec::new();
    }
    let as_written = equal(&|piece| piece == quote);
    if !as_written.is_empty() {
        return as_written;
    }
    let wanted = loosely(quote);
    equal(&|piece| loosely(piece) == wanted)
}

/// Texts of few words, so that quotes stand in several, overlap, and end documents.
fn text() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "ana",
        "banana",
        "Ana",
        "aNa",
        "caf\u{e9}",
        "CAF\u{c9}",
        "\u{130}zmir",
        "light",
        "house",
        "  ",
        "\u{3000}",
        "\n",
        "\u{1f980}",
        "1888",
    ]);
    let gap = prop::sample::select(vec!["", " ", "  ", "\t"]);
    prop::collection::vec((word, gap), 0..9).prop_map(|parts| {
        let text: String = parts.into_iter().flat_map(|(a, b)| [a, b]).collect();
        // The tests' documents are cut at empty lines.
        text.replace("\n\n", "\n")
    })
}

#[derive(Clone, Debug)]
enum Step {
    Put(u8, String),
    Remove(u8),
    Build,
    Rebuild,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (0u8..8, text()).prop_map(|(which, text)| Step::Put(which, text)),
        2 => (0u8..8).prop_map(Step::Remove),
        2 => Just(Step::Build),
        1 => Just(Step::Rebuild),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(14))]
    #[test]
    fn whatever_came_and_went_all_ways_find_the_same(
        steps in prop::collection::vec(step(), 1..9),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 12),
        strange in "[aAn \u{130}i\u{307}]{1,3}",
    ) {
        let (with, without) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut texts: Vec<(String, String)> = files(&[("d0", "banana ana")]);
        index(with.path(), &texts);
        build(with.path(), true).unwrap();
        for step in &steps {
            match step {
                Step::Put(which, text) => {
                    texts.retain(|(path, _)| *path != format!("d{which}"));
                    texts.push((format!("d{which}"), text.clone()));
                }
                Step::Remove(which) => texts.retain(|(path, _)| *path != format!("d{which}")),
                Step::Build => {
                    build(with.path(), false).unwrap();
                    continue;
                }
                Step::Rebuild => {
                    let mut writer = CorpusWriter::open_anew(with.path(), &options()).unwrap();
                    index_with(&mut writer, &texts, |_| Ok(())).unwrap();
                    continue;
                }
            }
            index(with.path(), &texts);
        }
        index(with.path(), &texts);
        index(without.path(), &texts);
        let corpora = [open(with.path()), open(without.path())];
        prop_assert!(corpora[0].substring_index().is_some());
        prop_assert!(corpora[0].health().is_empty());
        let whole: String = texts.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>().join("");
        let ends: Vec<usize> = (0..=whole.len()).filter(|i| whole.is_char_boundary(*i)).collect();
        let mut quotes: Vec<String> = vec![strange];
        for (i, (a, b)) in cuts.iter().enumerate() {
            let from = a.index(ends.len());
            let to = (from + 1 + b.index(12)).min(ends.len() - 1);
            let quote = &whole[ends[from.min(to)]..ends[to]];
            quotes.push(match i % 3 {
                0 => quote.to_owned(),
                1 => quote.to_uppercase(),
                _ => quote.split_whitespace().collect::<Vec<_>>().join("\n "),
            });
        }
        for quote in &quotes {
            let expected = by_comparing(&texts, quote);
            prop_assert_eq!(find(&corpora[1], quote), expected.clone(), "reading {:?}", quote);
            prop_assert_eq!(find(&corpora[0], quote), expected, "some indexed {:?}", quote);
        }
        build(with.path(), false).unwrap();
        let corpus = open(with.path());
        prop_assert_eq!(corpus.substring_index().unwrap().documents, texts.len() as u64);
        for quote in &quotes {
            prop_assert_eq!(find(&corpus, quote), by_comparing(&texts, quote), "{:?}", quote);
            let query = |corpus: &Corpus| {
                let exact = corpus.retriever("exact", None).unwrap();
                let filters = Filters { paths: vec!["d[0-4]".into()], ..Filters::default() };
                let query = Query { filters, ..Query::new(quote) };
                exact.search(&query, 5, &Cancel::new()).unwrap()
            };
            prop_assert_eq!(query(&corpus), query(&corpora[1]));
        }
    }
}

#[test]
fn what_is_unchanged_is_not_sorted_again() {
    let dir = tempfile::tempdir().unwrap();
    let long = "a sentence about nothing much ".repeat(40);
    let mut texts = files(&[
        ("a", &long),
        ("b", "the second one"),
        ("c", "the second one"),
    ]);
    index(dir.path(), &texts);
    assert_eq!(build(dir.path(), false), None, "nobody asked for it");
    let first = build(dir.path(), true).unwrap();
    assert_eq!((first.documents, first.of, first.segments), (3, 3, 1));
    // A text that two documents have is there once.
    assert_eq!(first.sorted_bytes, long.len() as u64 + 14);
    texts.push(("d".into(), "a third".into()));
    index(dir.path(), &texts);
    assert_eq!(open(dir.path()).substring_index().unwrap().documents, 3);
    let second = build(dir.path(), false).unwrap();
    assert_eq!(
        (second.documents, second.sorted_bytes, second.segments),
        (4, 7, 2)
    );
    // Small ones are taken up by what comes; what went is left out without sorting.
    texts.retain(|(path, _)| path != "a");
    texts.push(("e".into(), "a fourth".into()));
    index(dir.path(), &texts);
    let third = build(dir.path(), false).unwrap();
    assert_eq!(
        (third.documents, third.sorted_bytes, third.segments),
        (4, 29, 1)
    );
    assert_eq!(build(dir.path(), false).unwrap().sorted_bytes, 0);
    let files = std::fs::read_dir(dir.path().join("substrings"))
        .unwrap()
        .count();
    assert_eq!(files, 2, "nothing is left behind");

    let mut writer = CorpusWriter::open(dir.path(), &options()).unwrap();
    writer.forget_substrings().unwrap();
    drop(writer);
    assert_eq!(open(dir.path()).substring_index(), None);
    assert_eq!(
        std::fs::read_dir(dir.path().join("substrings"))
            .unwrap()
            .count(),
        0
    );
}

#[test]
fn a_stopped_build_leaves_what_was_and_the_next_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    // More than one batch.
    let texts: Vec<(String, String)> = (0..3)
        .map(|i| {
            (
                format!("d{i}"),
                format!("number {i} goes on ").repeat(500_000),
            )
        })
        .collect();
    index(dir.path(), &texts);
    let mut writer = CorpusWriter::open(dir.path(), &options()).unwrap();
    let cancel = Cancel::new();
    let stopped = writer.build_substrings(true, |_, _| cancel.cancel(), &cancel);
    assert!(stopped.is_err());
    drop(writer);
    let corpus = open(dir.path());
    let kept = corpus.substring_index().unwrap();
    assert!((1..3).contains(&kept.documents), "{kept:?}");
    // Readers use what is there and read the rest.
    assert_eq!(find(&corpus, "number 0 goes").len(), 10_000);
    assert_eq!(find(&corpus, "mber 2 goes").len(), 10_000);
    let done = build(dir.path(), false).unwrap();
    assert_eq!(done.documents, 3);
    let all: u64 = texts.iter().map(|(_, text)| text.len() as u64).sum();
    assert_eq!(done.sorted_bytes, all - kept.text_bytes);
    // The corpus that was open still answers.
    assert_eq!(find(&corpus, "mber 1 goes").len(), 10_000);
}

#[test]
fn damage_is_named_and_repaired_on_request() {
    let dir = tempfile::tempdir().unwrap();
    let texts = files(&[("a", "the old lighthouse"), ("b", "was built in 1888")]);
    index(dir.path(), &texts);
    build(dir.path(), true).unwrap();
    let folder = dir.path().join("substrings");
    let entries = std::fs::read_dir(&folder).unwrap().flatten();
    let paths: Vec<_> = entries.map(|entry| entry.path()).collect();
    assert_eq!(paths.len(), 2);
    for path in &paths {
        let whole = std::fs::read(path).unwrap();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x10;
            std::fs::write(path, damaged).unwrap();
            let problems = indago_retriever::verify(dir.path()).unwrap();
            assert!(!problems.is_empty(), "byte {at} of {name}");
            assert!(problems[0].to_string().contains(&name), "{problems:?}");
            // Whoever searches is told as well, or finds what is true.
            if at.is_multiple_of(7)
                && let Ok(Some(corpus)) = Corpus::open(dir.path())
                && let Ok(found) = corpus.find("ght", &Cancel::new())
            {
                assert_eq!(found.len(), 1, "byte {at} of {name}");
            }
        }
        let mut damaged = whole.clone();
        damaged[whole.len() / 2] ^= 1;
        std::fs::write(path, damaged).unwrap();
        let mut writer = CorpusWriter::open_anew(dir.path(), &options()).unwrap();
        index_with(&mut writer, &texts, |_| Ok(())).unwrap();
        writer
            .build_substrings(false, |_, _| {}, &Cancel::new())
            .unwrap();
        drop(writer);
        assert!(indago_retriever::verify(dir.path()).unwrap().is_empty());
        assert_eq!(find(&open(dir.path()), "ght").len(), 1);
        let left: Vec<_> = std::fs::read_dir(&folder).unwrap().flatten().collect();
        assert_eq!(left.len(), 2);
        if !path.exists() {
            break;
        }
    }
}

#[test]
fn quotes_at_the_edges_of_documents_and_long_ones_are_found() {
    let dir = tempfile::tempdir().unwrap();
    let long = "x y ".repeat(5000);
    let texts = files(&[
        ("a", "begins and ends"),
        ("b", "begins"),
        ("c", ""),
        ("d", &long),
    ]);
    index(dir.path(), &texts);
    let read = open(dir.path());
    build(dir.path(), true).unwrap();
    let corpus = open(dir.path());
    for quote in [
        "begins and ends",
        "ends",
        "begins",
        "ENDS",
        "sbegins",
        "nds begins",
    ] {
        let expected = by_comparing(&texts[..3], quote);
        assert_eq!(find(&corpus, quote), expected, "{quote}");
    }
    // A quote longer than 8192 bytes is cut off.
    for quote in [long.clone(), long.to_uppercase()] {
        let found = find(&corpus, &quote);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].1, 0..8192);
        assert_eq!(found, find(&read, &quote));
    }
    let cancel = Cancel::new();
    cancel.cancel();
    assert!(corpus.find("begins", &cancel).is_err());
}
