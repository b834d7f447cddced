//! Sparse indexes over a corpus on disk, as it changes.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use indago_core::ports::{EncodeError, Role, SparseEncoder, SparseVector};
use indago_core::{Cancel, Query};
use indago_retriever::{Corpus, CorpusWriter, SparseBuilt};
use support::{files, index, options};

/// The number of each letter. Counts what it encodes.
#[derive(Default)]
struct Letters(AtomicUsize);

impl SparseEncoder for Letters {
    fn name(&self) -> &'static str {
        "letters"
    }

    fn fingerprint(&self) -> &'static str {
        "letters/1"
    }

    fn vocabulary(&self) -> usize {
        26
    }

    fn encode(
        &self,
        texts: &[&str],
        _: Role,
        cancel: &Cancel,
    ) -> Result<Vec<SparseVector>, EncodeError> {
        cancel.check()?;
        self.0.fetch_add(texts.len(), Ordering::SeqCst);
        let vector = |text: &&str| {
            let count = |letter: u8| text.bytes().filter(|b| *b == letter).count() as f32;
            let all = (b'a'..=b'z').map(|letter| (u32::from(letter - b'a'), count(letter)));
            all.filter(|(_, n)| *n > 0.0).collect()
        };
        Ok(texts.iter().map(vector).collect())
    }
}

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
fn blocks_over_weights_of_bm25_find_what_bm25_finds() {
    let dir = tempfile::tempdir().unwrap();
    index(dir.path(), &texts(200));
    let built = build(dir.path(), None);
    assert_eq!((built.passages, built.encoded), (200, 200));
    assert!(built.recall > 0.9, "{built:?}");
    let corpus = open(dir.path());
    assert_eq!(
        corpus.sparse_indexes(),
        [("bm25".to_owned(), true, built.recall)]
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
fn vectors_that_were_made_are_taken_over_and_old_indexes_are_not_searched() {
    let dir = tempfile::tempdir().unwrap();
    let mut all = texts(20);
    index(dir.path(), &all);
    let letters = Arc::new(Letters::default());
    assert!(
        open(dir.path())
            .sparse_retriever(Some(letters.clone()))
            .is_err()
    );
    assert_eq!(build(dir.path(), Some(letters.as_ref())).encoded, 20);
    assert_eq!(build(dir.path(), Some(letters.as_ref())).encoded, 0);

    all.push(("new".to_owned(), "zzzz zzz".to_owned()));
    all.remove(3);
    index(dir.path(), &all);
    let stale = open(dir.path());
    assert!(!stale.sparse_indexes()[0].1);
    let error = stale
        .sparse_retriever(Some(letters.clone()))
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains("index --sparse letters"), "{error}");

    assert_eq!(build(dir.path(), Some(letters.as_ref())).encoded, 1);
    assert_eq!(letters.0.load(Ordering::SeqCst), 21);
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
    assert_eq!(kept, 1, "old files are removed");
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
