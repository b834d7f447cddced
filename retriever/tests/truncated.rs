//! Vectors of fewer dimensions, cut from those that are stored.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use indago_core::ports::{EncodeError, Encoder, Matrix, Role};
use indago_core::{Cancel, Query};
use indago_retriever::{Corpus, CorpusWriter, IndexError, VectorsBuilt, verify};
use support::{DIM, WordHasher, files, index, options};

/// The first values of word hashes, scaled to length 1.
struct FirstValues<const N: usize>(WordHasher, String);

impl<const N: usize> FirstValues<N> {
    fn new() -> Self {
        let whole = WordHasher::new();
        let fingerprint = format!("{}:{N}", whole.fingerprint);
        Self(whole, fingerprint)
    }
}

impl<const N: usize> Encoder for FirstValues<N> {
    fn name(&self) -> &'static str {
        "first-values"
    }

    fn fingerprint(&self) -> &str {
        &self.1
    }

    fn dim(&self) -> usize {
        N
    }

    fn encode(&self, texts: &[&str], role: Role, cancel: &Cancel) -> Result<Matrix, EncodeError> {
        let whole = self.0.encode(texts, role, cancel)?;
        let mut out = Matrix::zeros(texts.len(), N);
        for (i, row) in out.data.chunks_exact_mut(N).enumerate() {
            row.copy_from_slice(&whole.row(i)[..N]);
            let length = row.iter().map(|x| x * x).sum::<f32>().sqrt().max(1e-9);
            for x in row {
                *x /= length;
            }
        }
        Ok(out)
    }

    fn truncation_of(&self) -> Option<&dyn Encoder> {
        Some(&self.0)
    }
}

const N: usize = 12;

fn embed_from(dir: &Path, encoder: &dyn Encoder, lenders: &[&Path]) -> VectorsBuilt {
    let lenders: Vec<PathBuf> = lenders.iter().map(|path| path.to_path_buf()).collect();
    let writer = CorpusWriter::open(dir, &options()).unwrap();
    let mut writer = writer.borrowing_from(lenders);
    writer
        .embed_missing(encoder, |_| (), &Cancel::new())
        .unwrap()
}

fn embed(dir: &Path, encoder: &dyn Encoder) -> VectorsBuilt {
    embed_from(dir, encoder, &[])
}

/// Where vectors came from: encoded, borrowed, cut.
fn sources(built: VectorsBuilt) -> (u64, u64, u64) {
    assert_eq!(built.coverage.missing(), 0, "{built:?}");
    (built.encoded, built.borrowed, built.cut)
}

/// The first hits of truncated vectors, with their scores' bits.
fn hits(dir: &Path, text: &str) -> Vec<(String, u32)> {
    let corpus = Corpus::open(dir).unwrap().unwrap();
    let encoder: Arc<dyn Encoder> = Arc::new(FirstValues::<N>::new());
    let dense = corpus.retriever("dense", Some(encoder)).unwrap();
    let hits = dense.search(&Query::new(text), 10, &Cancel::new()).unwrap();
    let hits = hits.iter();
    hits.map(|hit| (hit.passage.to_string(), hit.score.to_bits()))
        .collect()
}

fn texts(range: std::ops::Range<usize>) -> Vec<(String, String)> {
    let word = |i: usize| format!("w{}", i.wrapping_mul(2_654_435_761) % 499);
    let text = |i: usize| (0..9).map(|j| word(7 * i + j * (i % 13) + j)).collect();
    range
        .map(|i| {
            let words: Vec<String> = text(i);
            (format!("d{i:04}"), words.join(" "))
        })
        .collect()
}

#[test]
fn an_index_of_cut_vectors_is_the_one_that_is_encoded() {
    let (cut, encoded) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let files = texts(0..400);
    for dir in [&cut, &encoded] {
        index(dir.path(), &files);
    }
    embed(cut.path(), &WordHasher::new());
    let short = FirstValues::<N>::new();
    assert_eq!(sources(embed(cut.path(), &short)), (0, 0, 400));
    assert_eq!(short.0.count(), 0);
    assert_eq!(sources(embed(encoded.path(), &short)), (400, 0, 0));
    for (_, text) in files.iter().step_by(17) {
        let found = hits(cut.path(), text);
        assert_eq!(found.len(), 10);
        assert_eq!(found, hits(encoded.path(), text), "{text}");
    }
    assert!(verify(cut.path()).unwrap().is_empty());
    // Nothing is left to do.
    assert_eq!(sources(embed(cut.path(), &short)), (0, 0, 0));
}

#[test]
fn what_has_no_whole_vector_is_encoded_and_whole_ones_are_never_made_of_cut_ones() {
    let dir = tempfile::tempdir().unwrap();
    let short = FirstValues::<N>::new();
    index(dir.path(), &texts(0..20));
    embed(dir.path(), &short);
    let whole = embed(dir.path(), &WordHasher::new());
    assert_eq!(sources(whole), (20, 0, 0));
    // Of a longer truncation neither: it is another encoder.
    let longer = FirstValues::<{ N + 4 }>::new();
    assert_eq!(sources(embed(dir.path(), &longer)), (0, 0, 20));
    // Passages that came.
    index(dir.path(), &texts(0..25));
    assert_eq!(sources(embed(dir.path(), &short)), (5, 0, 0));
    // A whole vector that is damaged is as good as absent.
    embed(dir.path(), &WordHasher::new());
    let mut logs: Vec<PathBuf> = std::fs::read_dir(dir.path().join("vectors"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "log"))
        .collect();
    logs.sort_by_key(|path| std::fs::metadata(path).unwrap().len());
    let log = logs.last().unwrap();
    let mut bytes = std::fs::read(log).unwrap();
    bytes[64 + 20] ^= 1;
    std::fs::write(log, &bytes).unwrap();
    let third = FirstValues::<{ N - 4 }>::new();
    assert_eq!(sources(embed(dir.path(), &third)), (1, 0, 24));
}

#[test]
fn a_second_corpus_copies_what_is_cut_already_and_cuts_what_is_whole() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let short = FirstValues::<N>::new();
    index(first.path(), &files(&[("a", "old stone tower")]));
    embed(first.path(), &short);
    index(
        first.path(),
        &files(&[("a", "old stone tower"), ("b", "river")]),
    );
    embed(first.path(), &WordHasher::new());
    let all = files(&[("a", "old stone tower"), ("b", "river"), ("c", "boats")]);
    index(second.path(), &all);
    let built = embed_from(second.path(), &short, &[second.path(), first.path()]);
    assert_eq!(sources(built), (1, 1, 1));
}

/// Says that it truncates an encoder of fewer dimensions.
struct Mistaken(WordHasher, FirstValues<N>);

impl Encoder for Mistaken {
    fn name(&self) -> &'static str {
        "mistaken"
    }

    fn fingerprint(&self) -> &'static str {
        "mistaken"
    }

    fn dim(&self) -> usize {
        DIM
    }

    fn encode(&self, texts: &[&str], role: Role, cancel: &Cancel) -> Result<Matrix, EncodeError> {
        self.0.encode(texts, role, cancel)
    }

    fn truncation_of(&self) -> Option<&dyn Encoder> {
        Some(&self.1)
    }
}

#[test]
fn shorter_vectors_are_not_cut_from_and_a_cancelled_cut_is_gone_on_with() {
    let dir = tempfile::tempdir().unwrap();
    index(dir.path(), &texts(0..30));
    let short = FirstValues::<N>::new();
    embed(dir.path(), &WordHasher::new());
    let cancel = Cancel::new();
    cancel.cancel();
    let mut writer = CorpusWriter::open(dir.path(), &options()).unwrap();
    let stopped = writer.embed_missing(&short, |_| (), &cancel);
    assert!(matches!(stopped, Err(IndexError::Cancelled(_))));
    drop(writer);
    assert_eq!(sources(embed(dir.path(), &short)), (0, 0, 30));
    let mistaken = Mistaken(WordHasher::new(), FirstValues::new());
    assert_eq!(sources(embed(dir.path(), &mistaken)), (30, 0, 0));
}
