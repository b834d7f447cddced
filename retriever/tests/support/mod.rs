//! Small corpora and an encoder without weights.
#![allow(dead_code, reason = "each test binary uses a part")]
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use indago_core::ports::{
    EncodeError, Encoder, Matrix, Role, SparseEncoder, SparseVector, TokenEncoder,
};
use indago_core::{
    Cancel, ContentHash, Document, DocumentId, DocumentKind, Location, Passage, PassageId,
};
use indago_retriever::{CorpusWriter, FileState, Stage, WriterOptions, prepare};

/// Hashes words into a vector: equal words, equal directions. Counts what it encodes.
#[derive(Debug, Default)]
pub(crate) struct WordHasher {
    pub(crate) fingerprint: String,
    pub(crate) encoded: AtomicUsize,
    /// Fails after this many texts, when not 0.
    pub(crate) fails_after: usize,
}

pub(crate) const DIM: usize = 32;

impl WordHasher {
    pub(crate) fn new() -> Self {
        Self {
            fingerprint: "word-hasher/1".into(),
            ..Self::default()
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.encoded.load(Ordering::SeqCst)
    }
}

impl Encoder for WordHasher {
    fn name(&self) -> &'static str {
        "word-hasher"
    }

    fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    fn dim(&self) -> usize {
        DIM
    }

    fn encode(&self, texts: &[&str], _: Role, cancel: &Cancel) -> Result<Matrix, EncodeError> {
        cancel.check()?;
        let before = self.encoded.fetch_add(texts.len(), Ordering::SeqCst);
        if self.fails_after > 0 && before + texts.len() > self.fails_after {
            return Err(EncodeError::Model {
                model: "test".into(),
                reason: "told to fail".into(),
            });
        }
        let mut matrix = Matrix::zeros(texts.len(), DIM);
        for (i, text) in texts.iter().enumerate() {
            let row = &mut matrix.data[i * DIM..(i + 1) * DIM];
            indago_text::for_each_term(text, |term, _| {
                let hash = ContentHash::of(term.as_bytes()).0;
                row[hash[0] as usize % DIM] += 1.0;
                row[hash[1] as usize % DIM] -= 0.5;
            });
            let norm = row.iter().map(|x| x * x).sum::<f32>().sqrt();
            if norm > 0.0 {
                for x in row.iter_mut() {
                    *x /= norm;
                }
            }
        }
        Ok(matrix)
    }
}

/// The number of each letter. Counts what it encodes.
#[derive(Default)]
pub(crate) struct Letters(pub(crate) AtomicUsize);

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

/// Gives each word its own vector.
pub(crate) struct Words(pub(crate) WordHasher);

impl Encoder for Words {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn fingerprint(&self) -> &str {
        self.0.fingerprint()
    }

    fn dim(&self) -> usize {
        DIM
    }

    fn encode(&self, texts: &[&str], role: Role, cancel: &Cancel) -> Result<Matrix, EncodeError> {
        self.0.encode(texts, role, cancel)
    }

    fn tokens(&self) -> Option<&dyn TokenEncoder> {
        Some(self)
    }
}

impl TokenEncoder for Words {
    fn fingerprint(&self) -> &str {
        self.0.fingerprint()
    }

    fn dim(&self) -> usize {
        DIM
    }

    fn encode_tokens(
        &self,
        texts: &[&str],
        role: Role,
        cancel: &Cancel,
    ) -> Result<Vec<Matrix>, EncodeError> {
        texts
            .iter()
            .map(|text| {
                let words: Vec<&str> = text.split_whitespace().collect();
                self.0.encode(&words, role, cancel)
            })
            .collect()
    }
}

/// The same without vectors of whole texts.
pub(crate) struct WordsAlone(pub(crate) Words);

impl Encoder for WordsAlone {
    fn name(&self) -> &'static str {
        "words-alone"
    }

    fn fingerprint(&self) -> &'static str {
        "words-alone/1"
    }

    fn dim(&self) -> usize {
        0
    }

    fn encode(&self, _: &[&str], _: Role, _: &Cancel) -> Result<Matrix, EncodeError> {
        Err(EncodeError::Model {
            model: self.name().into(),
            reason: "it was asked for vectors of whole texts".into(),
        })
    }

    fn tokens(&self) -> Option<&dyn TokenEncoder> {
        Some(&self.0)
    }
}

/// A document of one passage per paragraph.
pub(crate) fn document(id: &str, title: &str, text: &str) -> (Document, Vec<Passage>) {
    document_with(id, title, text, None, &[])
}

pub(crate) fn document_with(
    id: &str,
    title: &str,
    text: &str,
    date: Option<&str>,
    metadata: &[(&str, &str)],
) -> (Document, Vec<Passage>) {
    let metadata: BTreeMap<String, String> = metadata
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect();
    let date = date.map(|date| date.parse().unwrap());
    let document = Document {
        id: DocumentId::new(id),
        path: id.to_owned(),
        title: title.to_owned(),
        text: Arc::from(text),
        kind: DocumentKind::Text,
        date,
        metadata: metadata.clone(),
        pages: Vec::new(),
        hash: ContentHash::of(format!("{title}\0{text}").as_bytes()),
    };
    let mut passages = Vec::new();
    let mut start = 0;
    for paragraph in text.split("\n\n") {
        let span = start as u64..(start + paragraph.len()) as u64;
        if !paragraph.is_empty() {
            passages.push(Passage {
                id: PassageId::of(&document.id, span.start, span.end, paragraph),
                document: document.id.clone(),
                title: title.to_owned(),
                span,
                text: paragraph.to_owned(),
                ordinal: passages.len() as u32,
                location: Location::default(),
                date,
                metadata: metadata.clone(),
            });
        }
        start += paragraph.len() + 2;
    }
    (document, passages)
}

/// A file whose content is `text`, changed whenever `text` is.
pub(crate) fn state(path: &str, text: &str) -> FileState {
    FileState {
        path: path.to_owned(),
        bytes: text.len() as u64,
        modified_ns: 1,
        hash: Some(ContentHash::of(text.as_bytes())),
    }
}

pub(crate) fn options() -> WriterOptions {
    WriterOptions {
        settings: "test".into(),
        threads: 1,
        language: None,
    }
}

/// Brings the corpus in `dir` to hold exactly `files` (path, text), one document each; titles are
/// the paths. Returns how many files were read.
pub(crate) fn index(dir: &Path, files: &[(String, String)]) -> usize {
    let mut writer = CorpusWriter::open(dir, &options()).unwrap();
    index_with(&mut writer, files, |_| Ok(())).unwrap()
}

pub(crate) fn index_with(
    writer: &mut CorpusWriter,
    files: &[(String, String)],
    on_stage: impl FnMut(Stage) -> Result<(), indago_core::Cancelled>,
) -> Result<usize, indago_retriever::IndexError> {
    let states: Vec<FileState> = files.iter().map(|(path, text)| state(path, text)).collect();
    let plan = writer.plan(&states);
    let mut read = 0;
    let mut next = writer.build(&plan.unchanged)?;
    for file in plan.to_read() {
        let (path, text) = files.iter().find(|(path, _)| *path == file.path).unwrap();
        next.file(file.clone());
        let (document, passages) = document(path, path, text);
        next.add(&prepare(
            document,
            passages,
            indago_text::Language::English,
        )?)?;
        read += 1;
    }
    next.commit(true, on_stage)?;
    Ok(read)
}

pub(crate) fn files(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
        .collect()
}
