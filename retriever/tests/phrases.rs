//! The stored graph of passages and phrases against the one that is made in memory.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::path::Path;
use std::sync::Arc;

use indago_core::ports::{ExtractError, FactExtractor, Facts, Triple};
use indago_core::{Cancel, Hit, Query};
use indago_retriever::{Corpus, CorpusWriter, PhrasesBuilt};
use proptest::prelude::*;
use support::{WordHasher, files, index, index_with, options};

const QUERIES: [&str; 3] = [
    "Who founded the Skerry Lighthouse?",
    "Where was Ines Falk born?",
    "Which museum is near Lunda Harbour?",
];

fn writer(dir: &Path) -> CorpusWriter {
    CorpusWriter::open(dir, &options()).unwrap()
}

fn build(dir: &Path, wanted: bool) -> Option<PhrasesBuilt> {
    let built = writer(dir).build_phrases(wanted, |_, _| {}, &Cancel::new());
    built.unwrap()
}

fn open(dir: &Path) -> Corpus {
    Corpus::open(dir).unwrap().unwrap()
}

fn hits(dir: &Path) -> Vec<Vec<Hit>> {
    let encoder = Arc::new(WordHasher::new());
    let ppr = open(dir).retriever("ppr", Some(encoder)).unwrap();
    let search = |query: &&str| ppr.search(&Query::new(*query), 20, &Cancel::new()).unwrap();
    QUERIES.iter().map(search).collect()
}

/// The graph's file, as it is.
fn stored(dir: &Path) -> Vec<u8> {
    let entries = std::fs::read_dir(dir.join("phrases")).unwrap().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
    assert_eq!(paths.len(), 1, "{paths:?}");
    std::fs::read(paths.remove(0)).unwrap()
}

/// Says of every text that has a lamp that its first word lights it.
struct Lamps;

impl FactExtractor for Lamps {
    fn name(&self) -> &'static str {
        "lamps"
    }

    fn fingerprint(&self) -> &'static str {
        "lamps/1"
    }

    fn extract(&self, title: &str, text: &str, cancel: &Cancel) -> Result<Facts, ExtractError> {
        cancel.check()?;
        let first = text.split(' ').next().unwrap_or_default();
        Ok(Facts {
            names: vec![title.to_owned(), first.to_owned()],
            triples: vec![Triple {
                subject: first.to_owned(),
                relation: "lights".to_owned(),
                object: "Skerry Lighthouse".to_owned(),
            }],
        })
    }
}

fn text() -> impl Strategy<Value = String> {
    let name = || {
        prop::sample::select(vec![
            "Ines Falk",
            "Skerry Lighthouse",
            "Lunda Harbour",
            "Maritime Museum",
            "Trondheim",
            "Skagen",
        ])
    };
    let sentence = (name(), name()).prop_map(|(a, b)| format!("{a} is near {b} and old. "));
    prop::collection::vec(prop::collection::vec(sentence, 0..4), 1..4).prop_map(|parts| {
        parts
            .iter()
            .map(|s| s.concat())
            .collect::<Vec<_>>()
            .join("\n\n")
    })
}

#[derive(Clone, Debug)]
enum Step {
    Put(u8, String),
    Remove(u8),
    Build,
    Facts(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (0u8..7, text()).prop_map(|(which, text)| Step::Put(which, text)),
        2 => (0u8..7).prop_map(Step::Remove),
        2 => Just(Step::Build),
        1 => any::<bool>().prop_map(Step::Facts),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn whatever_came_and_went_the_graph_is_the_one_made_anew(
        steps in prop::collection::vec(step(), 1..9),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let mut texts = files(&[("Ines Falk", "Ines Falk built the Skerry Lighthouse near Skagen.")]);
        index(dir, &texts);
        build(dir, true).unwrap();
        for step in steps {
            match step {
                Step::Put(which, text) => {
                    texts.retain(|(path, _)| *path != format!("Number {which}"));
                    texts.push((format!("Number {which}"), text));
                }
                Step::Remove(which) => texts.retain(|(path, _)| *path != format!("Number {which}")),
                Step::Build => {
                    build(dir, false).unwrap();
                    prop_assert!(open(dir).phrase_graph().unwrap().is_current);
                }
                Step::Facts(true) => {
                    writer(dir).extract_facts(&Lamps, 1, |_, _| {}, &Cancel::new()).unwrap();
                }
                Step::Facts(false) => writer(dir).forget_facts().unwrap(),
            }
            index(dir, &texts);
        }
        // What is out of date is not used.
        let before = hits(dir);
        build(dir, false).unwrap();
        prop_assert!(open(dir).health().is_empty());
        prop_assert!(open(dir).phrase_graph().unwrap().is_current);
        let followed = (hits(dir), stored(dir));
        prop_assert_eq!(&followed.0, &before);
        writer(dir).forget_phrases().unwrap();
        prop_assert_eq!(&hits(dir), &before, "made in memory");
        build(dir, true).unwrap();
        prop_assert_eq!(&hits(dir), &before, "made anew");
        prop_assert!(stored(dir) == followed.1, "another file");
    }
}

#[test]
fn unchanged_texts_are_not_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let mut texts = files(&[
        (
            "a",
            "Ines Falk was born in Skagen.\n\nShe built the Skerry Lighthouse.",
        ),
        ("b", "The Maritime Museum is near Lunda Harbour."),
    ]);
    index(dir, &texts);
    assert_eq!(build(dir, false), None, "nobody asked for it");
    let first = build(dir, true).unwrap();
    assert_eq!((first.passages, first.read), (3, 3));
    assert_eq!(build(dir, false).unwrap().read, 0);
    texts.push(("c".into(), "Trondheim has a Maritime Museum.".into()));
    texts.remove(0);
    index(dir, &texts);
    assert!(!open(dir).phrase_graph().unwrap().is_current);
    let second = build(dir, false).unwrap();
    assert_eq!((second.passages, second.read), (2, 1));
    let graph = String::from_utf8_lossy(&stored(dir)).into_owned();
    assert!(!graph.contains("falk"), "what went has disappeared");
    writer(dir).forget_phrases().unwrap();
    assert_eq!(open(dir).phrase_graph(), None);
    assert_eq!(std::fs::read_dir(dir.join("phrases")).unwrap().count(), 0);
}

#[test]
fn a_stopped_build_does_not_read_again_what_it_read() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let paragraphs: Vec<String> = (0..700)
        .map(|i| format!("Ines Falk met Number {i} in Skagen."))
        .collect();
    index(dir, &files(&[("a", &paragraphs.join("\n\n"))]));
    let cancel = Cancel::new();
    let stop = |_, of| {
        assert_eq!(of, 700);
        cancel.cancel();
    };
    assert!(writer(dir).build_phrases(true, stop, &cancel).is_err());
    assert_eq!(open(dir).phrase_graph(), None);
    assert_eq!(build(dir, true).unwrap().read, 700 - 256);
    assert!(open(dir).phrase_graph().unwrap().is_current);
}

#[test]
fn damage_is_named_and_repaired_on_request() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let texts = files(&[
        ("a", "Ines Falk was born in Skagen."),
        ("b", "Lunda Harbour."),
    ]);
    index(dir, &texts);
    build(dir, true).unwrap();
    let expected = hits(dir);
    let entries = std::fs::read_dir(dir.join("phrases")).unwrap().flatten();
    let path = entries.map(|entry| entry.path()).next().unwrap();
    let whole = std::fs::read(&path).unwrap();
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x20;
        std::fs::write(&path, damaged).unwrap();
        let problems = indago_retriever::verify(dir).unwrap();
        assert!(problems[0].to_string().contains("phrases"), "byte {at}");
        if at.is_multiple_of(11)
            && let Ok(Some(corpus)) = Corpus::open(dir)
        {
            let ppr = corpus.retriever("ppr", None).unwrap();
            let search = ppr.search(&Query::new(QUERIES[1]), 5, &Cancel::new());
            assert!(
                search.unwrap_err().to_string().contains("phrases"),
                "byte {at}"
            );
        }
    }
    for length in [0, 1, 63, 64, whole.len() - 1] {
        std::fs::write(&path, &whole[..length]).unwrap();
        assert!(!indago_retriever::verify(dir).unwrap().is_empty());
    }
    let mut anew = CorpusWriter::open_anew(dir, &options()).unwrap();
    index_with(&mut anew, &texts, |_| Ok(())).unwrap();
    assert_eq!(
        anew.build_phrases(false, |_, _| {}, &Cancel::new())
            .unwrap()
            .unwrap()
            .read,
        2
    );
    drop(anew);
    assert!(indago_retriever::verify(dir).unwrap().is_empty());
    assert_eq!(hits(dir), expected);
}
