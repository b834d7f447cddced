//! Approximate search against the exact scan, from writer to reader.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::path::Path;
use std::sync::Arc;

use indago_core::ports::{Encoder, RetrieveError};
use indago_core::{Cancel, Filters, Hit, Query};
use indago_retriever::{Approximation, Corpus, CorpusWriter, IndexError};
use support::{WordHasher, index, options};

/// `n` documents of words that hash to scattered vectors.
fn documents(from: usize, n: usize) -> Vec<(String, String)> {
    let word = |i: usize| format!("w{}", i.wrapping_mul(2_654_435_761) % 997);
    (from..from + n)
        .map(|i| {
            let words: Vec<String> = (0..6).map(|j| word(7 * i + 13 * j + i * j)).collect();
            (format!("d{i:05}"), words.join(" "))
        })
        .collect()
}

fn link(dir: &Path, wanted: bool) -> Option<Approximation> {
    let mut writer = CorpusWriter::open(dir, &options()).unwrap();
    let encoder = WordHasher::new();
    writer
        .embed_missing(&encoder, |_| {}, &Cancel::new())
        .unwrap();
    writer
        .link_vectors(encoder.fingerprint(), wanted, &Cancel::new())
        .unwrap()
}

fn search(dir: &Path, name: &str, query: &Query) -> Vec<Hit> {
    let corpus = Corpus::open(dir).unwrap().unwrap();
    let encoder: Arc<dyn Encoder> = Arc::new(WordHasher::new());
    let retriever = corpus.retriever(name, Some(encoder)).unwrap();
    retriever.search(query, 10, &Cancel::new()).unwrap()
}

/// Part of the exact hits' scores that the approximate ones reach, over some queries.
fn recall(dir: &Path, texts: &[(String, String)]) -> f64 {
    let (mut found, mut of) = (0, 0);
    for (_, text) in texts.iter().step_by(29) {
        let query = Query::new(text.clone());
        let (near, exact) = (search(dir, "ann", &query), search(dir, "dense", &query));
        let worst = exact.last().unwrap().score;
        found += near.iter().filter(|hit| hit.score >= worst).count();
        of += exact.len();
    }
    found as f64 / of as f64
}

#[test]
fn a_graph_finds_what_the_scan_finds_and_follows_additions_and_deletions() {
    let dir = tempfile::tempdir().unwrap();
    let mut files = documents(0, 1200);
    index(dir.path(), &files);
    assert_eq!(link(dir.path(), false), None);
    let first = link(dir.path(), true).unwrap();
    assert!(first.recall > 0.95, "{first:?}");
    assert!(recall(dir.path(), &files) > 0.95);

    // A third goes, some come: the graph is out of date until it is brought up to date.
    files.drain(200..600);
    files.extend(documents(5000, 300));
    index(dir.path(), &files);
    let stats = |dir: &Path| {
        let corpus = Corpus::open(dir).unwrap().unwrap();
        corpus.approximation(WordHasher::new().fingerprint())
    };
    assert_eq!(stats(dir.path()), None);
    assert!(recall(dir.path(), &files) > 0.999, "scans meanwhile");
    let second = link(dir.path(), false).unwrap();
    assert_eq!(stats(dir.path()), Some(second));
    assert!(second.recall > 0.95, "{second:?}");
    assert!(recall(dir.path(), &files) > 0.95);
    let newest = Query::new(documents(5299, 1)[0].1.clone());
    let best = |name| search(dir.path(), name, &newest)[0].score;
    assert_eq!(best("ann"), best("dense"));
    assert_eq!(link(dir.path(), true).unwrap(), second, "nothing to do");
}

#[test]
fn filters_stay_exact() {
    let dir = tempfile::tempdir().unwrap();
    let files = documents(0, 900);
    index(dir.path(), &files);
    link(dir.path(), true).unwrap();
    for glob in ["d0000*", "d00[1-4]*", "nothing"] {
        for (_, text) in files.iter().step_by(101) {
            let mut query = Query::new(text.clone());
            query.filters = Filters {
                paths: vec![glob.to_owned()],
                ..Filters::default()
            };
            let ids = |name| -> Vec<_> {
                let hits = search(dir.path(), name, &query);
                hits.iter()
                    .map(|hit| (hit.passage, hit.score.to_bits()))
                    .collect()
            };
            assert_eq!(ids("ann"), ids("dense"), "{glob}");
        }
    }
}

#[test]
fn any_flipped_byte_of_a_graph_is_named_and_the_graph_is_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let files = documents(0, 300);
    index(dir.path(), &files);
    let before = link(dir.path(), true).unwrap();
    let folder = dir.path().join("vectors");
    let path = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.to_string_lossy().ends_with(".links.bin"))
        .unwrap();
    let whole = std::fs::read(&path).unwrap();
    for at in (0..whole.len()).step_by(whole.len() / 97) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x20;
        std::fs::write(&path, &bytes).unwrap();
        let error = Corpus::open(dir.path()).unwrap_err();
        let named = match &error {
            RetrieveError::Corrupt { path, .. } | RetrieveError::FormatVersion { path, .. } => path,
            other => panic!("{other}"),
        };
        assert_eq!(*named, path);
    }
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    assert!(Corpus::open(dir.path()).is_err());
    // Indexing goes past the damaged graph and makes another one.
    index(dir.path(), &files);
    assert_eq!(link(dir.path(), false).unwrap(), before);
    assert!(
        Corpus::open(dir.path())
            .unwrap()
            .unwrap()
            .health()
            .is_empty()
    );
}

#[test]
fn a_cancelled_graph_leaves_the_corpus_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    index(dir.path(), &documents(0, 200));
    assert!(link(dir.path(), false).is_none());
    let mut writer = CorpusWriter::open(dir.path(), &options()).unwrap();
    let cancel = Cancel::new();
    cancel.cancel();
    let encoder = WordHasher::new();
    let error = writer
        .link_vectors(encoder.fingerprint(), true, &cancel)
        .unwrap_err();
    assert!(
        matches!(error, IndexError::Cancelled(_) | IndexError::Read(_)),
        "{error}"
    );
    drop(writer);
    assert!(!search(dir.path(), "ann", &Query::new("w1")).is_empty());
}
