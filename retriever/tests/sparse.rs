//! Sparse indexes over a corpus on disk, as it changes.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use indago_core::ports::{EncodeError, Role, SparseEncoder, SparseVector};
use indago_core::{Cancel, Query};
use indago_retriever::{Corpus, CorpusWriter, SparseBuilt};
use proptest::prelude::*;
use support::{Letters, files, index, options};

fn build(dir: &Path, encoder: Option<&dyn SparseEncoder>) -> SparseBuilt {
    let mut writer = CorpusWriter::open(dir, &options()).unwrap();
    writer
        .build_sparse(encoder, &Cancel::new())
        .unwrap()
        .unwrap()
}

fn open(dir: &Path) -> Corpus {
    Corpus::open(dir).unwrap().unwrap()
}

fn texts(n: usize) -> Vec<(String, String)> {
    let text = |i: usize| {
        format!(
            "Harbour {} has {} boats and a lighthouse {}.",
            i,
            i * 3,
            i % 7
        )
    };
    (0..n).map(|i| (format!("f{i}"), text(i))).collect()
}

#[test]
fn lists_of_weights_of_bm25_find_what_bm25_finds() {
    let dir = tempfile::tempdir().unwrap();
    index(dir.path(), &texts(200));
    let built = build(dir.path(), None);
    assert_eq!((built.passages, built.encoded), (200, 200));
    assert!(built.recall > 0.9, "{built:?}");
    let corpus = open(dir.path());
    assert_eq!(
        corpus.sparse_indexes(),
        [("bm25".to_owned(), 200, built.recall)]
    );
    assert!(corpus.health().is_empty());
    let search = |name: &str, text: &str| {
        let retriever = corpus.retriever(name, None).unwrap();
        retriever
            .search(&Query::new(text), 5, &Cancel::new())
            .unwrap()
    };
    for text in [
        "harbour 17",
        "123 boats",
        "lighthouse harbour 8",
        "nothing known",
    ] {
        let (sparse, bm25) = (search("sparse", text), search("bm25", text));
        assert_eq!(sparse.len(), bm25.len(), "{text}");
        for (a, b) in sparse.iter().zip(&bm25) {
            assert!(
                (a.score - b.score).abs() < 1e-3 * b.score,
                "{text}: {a:?} {b:?}"
            );
        }
    }
}

#[test]
fn vectors_that_were_made_are_taken_over_and_what_is_missing_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let mut all = texts(20);
    index(dir.path(), &all);
    let letters = Arc::new(Letters::default());
    let missing = open(dir.path()).sparse_retriever(Some(letters.clone()));
    let error = missing.err().unwrap().to_string();
    assert!(error.contains("index --sparse letters"), "{error}");
    assert_eq!(build(dir.path(), Some(letters.as_ref())).encoded, 20);
    assert_eq!(build(dir.path(), Some(letters.as_ref())).encoded, 0);

    all.push(("new".to_owned(), "zzzz zzz".to_owned()));
    all.remove(3);
    index(dir.path(), &all);
    let behind = open(dir.path());
    assert_eq!(behind.sparse_indexes()[0].1, 19);
    let sparse = behind.sparse_retriever(Some(letters.clone())).unwrap();
    let hits = sparse
        .search(&Query::new("harbour"), 50, &Cancel::new())
        .unwrap();
    assert_eq!(hits.len(), 19, "what is gone is not found");

    assert_eq!(build(dir.path(), Some(letters.as_ref())).encoded, 1);
    assert_eq!(
        letters.0.load(Ordering::SeqCst),
        22,
        "20, one that came, one query"
    );
    let corpus = open(dir.path());
    let sparse = corpus.sparse_retriever(Some(letters)).unwrap();
    let hits = sparse.search(&Query::new("zz"), 3, &Cancel::new()).unwrap();
    assert_eq!(
        corpus.source_of(hits[0].passage).unwrap().unwrap().path,
        "new"
    );
    let kept = std::fs::read_dir(dir.path().join("vectors"))
        .unwrap()
        .count();
    assert_eq!(kept, 2, "the large file and the small one");
}

#[test]
fn a_damaged_sparse_index_is_named() {
    let dir = tempfile::tempdir().unwrap();
    index(
        dir.path(),
        &files(&[("a", "some words here"), ("b", "other words there")]),
    );
    build(dir.path(), None);
    let file = std::fs::read_dir(dir.path().join("vectors"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    let mut bytes = std::fs::read(file.path()).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(file.path(), bytes).unwrap();
    let error = Corpus::open(dir.path()).unwrap_err().to_string();
    assert!(error.contains("sparse-"), "{error}");
}

/// Scores by text, for an encoder and for words, of all that is found.
fn view(dir: &Path) -> Vec<Vec<String>> {
    let corpus = open(dir);
    assert!(corpus.health().is_empty());
    let mut views = Vec::new();
    for encoder in [
        None,
        Some(Arc::new(Letters::default()) as Arc<dyn SparseEncoder>),
    ] {
        let sparse = corpus.sparse_retriever(encoder).unwrap();
        for text in ["harbour bridge", "old stone tower town", "zeal", "Alston"] {
            // More than there are, so that nothing is left out by approximation.
            let hits = sparse.search(&Query::new(text), 1000, &Cancel::new());
            let show = |hit: &indago_core::Hit| format!("{} {}", hit.score, hit.passage);
            views.push(hits.unwrap().iter().map(show).collect());
        }
    }
    views
}

fn some_files() -> impl Strategy<Value = Vec<(String, String)>> {
    let word = prop::sample::select(vec![
        "harbour", "river", "bridge", "old", "stone", "tower", "town", "boats", "market", "Alston",
    ]);
    let text = prop::collection::vec(word, 1..12).prop_map(|words| words.join(" "));
    let file = prop::collection::vec(text, 0..4).prop_map(|paragraphs| paragraphs.join("\n\n"));
    prop::collection::btree_map("[a-h]", file, 1..8).prop_map(|files| files.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Whatever came, went or changed, a search finds what it finds in an index built anew.
    #[test]
    fn an_index_that_followed_its_corpus_is_one_built_anew(
        steps in prop::collection::vec((some_files(), any::<bool>()), 1..6),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let letters = Letters::default();
        let mut encoded = std::collections::BTreeSet::new();
        let last = steps.len() - 1;
        for (i, (files, builds)) in steps.iter().enumerate() {
            index(dir.path(), files);
            if i == 0 {
                build(dir.path(), None);
            }
            if *builds || i == last {
                build(dir.path(), Some(&letters));
                encoded.extend(
                    files.iter().flat_map(|(path, text)| {
                        let texts = text.split("\n\n").filter(|text| !text.is_empty());
                        texts.map(move |text| (path.clone(), text.to_owned()))
                    }),
                );
            }
        }
        let anew = tempfile::tempdir().unwrap();
        index(anew.path(), &steps[last].0);
        build(anew.path(), None);
        build(anew.path(), Some(&Letters::default()));
        prop_assert_eq!(view(dir.path()), view(anew.path()));
        let all = open(dir.path()).summary().passages;
        prop_assert!(open(dir.path()).sparse_indexes().iter().all(|set| set.1 == all));
        // A text that stayed is not encoded again; one that went and came back may be.
        if steps.len() == 1 {
            prop_assert_eq!(letters.0.load(Ordering::SeqCst), encoded.len());
        }
    }
}

/// Fails or is cancelled from some text on.
struct Failing<'a>(&'a Letters, usize);

impl SparseEncoder for Failing<'_> {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn fingerprint(&self) -> &str {
        self.0.fingerprint()
    }

    fn vocabulary(&self) -> usize {
        self.0.vocabulary()
    }

    fn encode(
        &self,
        texts: &[&str],
        role: Role,
        cancel: &Cancel,
    ) -> Result<Vec<SparseVector>, EncodeError> {
        if self.0.0.load(Ordering::SeqCst) >= self.1 {
            return Err(indago_core::Cancelled.into());
        }
        self.0.encode(texts, role, cancel)
    }
}

#[test]
fn what_an_interrupted_build_encoded_is_not_encoded_again() {
    let dir = tempfile::tempdir().unwrap();
    index(dir.path(), &texts(200));
    let letters = Letters::default();
    let mut writer = CorpusWriter::open(dir.path(), &options()).unwrap();
    let stopped = writer.build_sparse(Some(&Failing(&letters, 128)), &Cancel::new());
    assert!(stopped.is_err());
    drop(writer);
    assert!(open(dir.path()).sparse_indexes().is_empty());
    assert_eq!(build(dir.path(), Some(&letters)).encoded, 72);
    assert_eq!(letters.0.load(Ordering::SeqCst), 200);
}

#[test]
fn what_came_stands_in_a_small_file_until_there_is_much_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut all = texts(20);
    index(dir.path(), &all);
    build(dir.path(), None);
    let files = || {
        let mut names: Vec<String> = std::fs::read_dir(dir.path().join("vectors"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    let first = files();
    assert_eq!(first.len(), 1);
    all.extend((20..25).map(|i| (format!("f{i}"), format!("A new harbour {i}."))));
    index(dir.path(), &all);
    assert!(
        files().contains(&first[0]) && files().len() == 2,
        "{:?}",
        files()
    );
    // Most of the large file is gone: both become one.
    all.drain(..15);
    index(dir.path(), &all);
    assert!(
        !files().contains(&first[0]) && files().len() == 1,
        "{:?}",
        files()
    );
}

/// Gives what it is told to, whatever is asked.
struct Odd(Vec<SparseVector>);

impl SparseEncoder for Odd {
    fn name(&self) -> &'static str {
        "odd"
    }

    fn fingerprint(&self) -> &'static str {
        "odd/1"
    }

    fn vocabulary(&self) -> usize {
        26
    }

    fn encode(&self, _: &[&str], _: Role, _: &Cancel) -> Result<Vec<SparseVector>, EncodeError> {
        Ok(self.0.clone())
    }
}

#[test]
fn vectors_that_are_none_are_refused_by_the_encoders_name() {
    let odd = [
        vec![],
        vec![vec![(1, 1.0)], vec![(1, 1.0)]],
        vec![vec![(1, f32::NAN)]],
        vec![vec![(1, f32::INFINITY)]],
        vec![vec![(1, -1.0)]],
        vec![vec![(26, 1.0)]],
        vec![vec![(2, 1.0), (1, 1.0)]],
        vec![vec![(1, 1.0), (1, 1.0)]],
    ];
    for vectors in odd {
        let dir = tempfile::tempdir().unwrap();
        index(dir.path(), &files(&[("a", "some words here")]));
        let mut writer = CorpusWriter::open(dir.path(), &options()).unwrap();
        let refused = writer.build_sparse(Some(&Odd(vectors.clone())), &Cancel::new());
        let error = refused.unwrap_err().to_string();
        assert!(error.contains("`odd`"), "{vectors:?}: {error}");
        drop(writer);
        // Nothing of it stays, and a query is checked as well.
        build(dir.path(), Some(&Odd(vec![vec![(1, 1.0)]])));
        let sparse = open(dir.path())
            .sparse_retriever(Some(Arc::new(Odd(vectors))))
            .unwrap();
        assert!(
            sparse
                .search(&Query::new("words"), 3, &Cancel::new())
                .is_err()
        );
    }
}
