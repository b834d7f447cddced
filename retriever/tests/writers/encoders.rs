//! What encoders give is made once, checked, and refused by name.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indago_core::ports::{EncodeError, Encoder, Matrix, Role};
use indago_core::{Cancel, Query};
use indago_retriever::{Corpus, CorpusWriter, verify};

use crate::all_files;
use crate::support::{WordHasher, files, index, options};

#[test]
fn a_second_corpus_makes_no_vector_that_the_first_one_has() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let made = |dir: &Path, lenders: Vec<PathBuf>| {
        let encoder = WordHasher::new();
        let mut writer = CorpusWriter::open(dir, &options())
            .unwrap()
            .borrowing_from(lenders);
        writer
            .embed_missing(&encoder, |_| (), &Cancel::new())
            .unwrap();
        encoder.encoded.into_inner()
    };
    index(
        first.path(),
        &files(&[("a", "old stone tower"), ("b", "river")]),
    );
    assert_eq!(made(first.path(), vec![second.path().to_owned()]), 2);
    index(second.path(), &files(&[("b", "river"), ("c", "boats")]));
    let lenders = vec![
        second.path().to_owned(),
        second.path().join("nothing"),
        first.path().to_owned(),
    ];
    assert_eq!(made(second.path(), lenders), 1, "only `boats` is new");
    assert!(verify(second.path()).unwrap().is_empty());
    // A damaged vector is not copied.
    let third = tempfile::tempdir().unwrap();
    let log = all_files(&first.path().join("vectors"))
        .into_iter()
        .find(|path| path.extension().is_some_and(|end| end == "log"))
        .unwrap();
    let mut bytes = fs::read(&log).unwrap();
    let n = bytes.len();
    bytes[n - 1] ^= 1;
    bytes[64 + 20] ^= 1;
    fs::write(&log, &bytes).unwrap();
    index(
        third.path(),
        &files(&[("a", "old stone tower"), ("b", "river")]),
    );
    assert_eq!(made(third.path(), vec![first.path().to_owned()]), 2);
}

/// What a broken encoder gives.
#[derive(Clone, Copy, Debug)]
enum Broken {
    NotANumber,
    Longer,
    Fewer,
}

/// An encoder that breaks for the texts that hold `bad`.
struct Breaking(WordHasher, Broken);

impl Encoder for Breaking {
    fn name(&self) -> &'static str {
        "breaking"
    }

    fn fingerprint(&self) -> &str {
        self.0.fingerprint()
    }

    fn dim(&self) -> usize {
        self.0.dim()
    }

    fn encode(&self, texts: &[&str], role: Role, cancel: &Cancel) -> Result<Matrix, EncodeError> {
        let mut matrix = self.0.encode(texts, role, cancel)?;
        if texts.iter().any(|text| text.contains("bad")) {
            match self.1 {
                Broken::NotANumber => matrix.data[3] = f32::NAN,
                Broken::Longer => {
                    matrix.dim += 1;
                    matrix.data.resize(matrix.rows * matrix.dim, 0.0);
                }
                Broken::Fewer => matrix = Matrix::zeros(0, self.dim()),
            }
        }
        Ok(matrix)
    }
}

#[test]
fn vectors_of_another_length_or_without_numbers_are_refused_by_name() {
    for broken in [Broken::NotANumber, Broken::Longer, Broken::Fewer] {
        let dir = tempfile::tempdir().unwrap();
        let mut documents = files(&[("a", "old stone tower"), ("b", "river bridge")]);
        index(dir.path(), &documents);
        let encoder = Arc::new(Breaking(WordHasher::new(), broken));
        let fill = || {
            let mut writer = CorpusWriter::open(dir.path(), &options()).unwrap();
            writer.embed_missing(encoder.as_ref(), |_| (), &Cancel::new())
        };
        fill().unwrap();
        documents.extend(files(&[("c", "a bad day")]));
        index(dir.path(), &documents);
        let error = fill().unwrap_err().to_string();
        assert!(error.contains("breaking"), "{broken:?}: {error}");
        let corpus = Corpus::open(dir.path()).unwrap().unwrap();
        let dense = corpus.retriever("dense", Some(encoder.clone())).unwrap();
        let search = |text: &str| dense.search(&Query::new(text), 5, &Cancel::new());
        assert_eq!(search("tower").unwrap().len(), 2, "what was made stays");
        let error = search("bad tower").unwrap_err().to_string();
        assert!(error.contains("breaking"), "{broken:?}: {error}");
        // BM25 goes on without vectors.
        let lexical = corpus.retriever("bm25", None).unwrap();
        assert_eq!(
            lexical
                .search(&Query::new("bad"), 5, &Cancel::new())
                .unwrap()
                .len(),
            1
        );
    }
}
