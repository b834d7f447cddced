//! A corpus with every index, made once and copied for each test.

use std::fs;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use indago_core::ports::{
    EncodeError, Encoder, ExtractError, FactExtractor, Facts, Matrix, Role, TokenEncoder, Triple,
};
use indago_core::{
    Cancel, ContentHash, Document, DocumentId, DocumentKind, Location, PageStart, Passage,
    PassageId,
};
use indago_text::Language;

use crate::{CorpusWriter, FileState, WriterOptions, prepare};

/// Documents of a small corpus, and of one whose graph of vectors is walked instead of scanned.
pub(super) const SMALL: usize = 5;
pub(super) const LARGE: usize = 35;
const PASSAGES: usize = 13;
const DIM: usize = 8;

/// Hashes words into vectors.
#[derive(Debug)]
pub(super) struct Hasher;

fn vector_of(text: &str) -> Vec<f32> {
    let mut row = vec![0.1; DIM];
    for word in text.split_whitespace() {
        let hash = ContentHash::of(word.as_bytes()).0;
        for (x, byte) in row.iter_mut().zip(hash) {
            *x += f32::from(byte) / 128.0 - 1.0;
        }
    }
    indago_kernels::l2_normalize(&mut row);
    row
}

impl Encoder for Hasher {
    fn name(&self) -> &'static str {
        "hasher"
    }

    fn fingerprint(&self) -> &'static str {
        "hasher/1"
    }

    fn dim(&self) -> usize {
        DIM
    }

    fn encode(&self, texts: &[&str], _: Role, _: &Cancel) -> Result<Matrix, EncodeError> {
        let data = texts.iter().flat_map(|text| vector_of(text)).collect();
        Ok(Matrix {
            rows: texts.len(),
            dim: DIM,
            data,
        })
    }

    fn tokens(&self) -> Option<&dyn TokenEncoder> {
        Some(self)
    }
}

impl TokenEncoder for Hasher {
    fn fingerprint(&self) -> &'static str {
        "hasher/1"
    }

    fn dim(&self) -> usize {
        DIM
    }

    fn encode_tokens(
        &self,
        texts: &[&str],
        _: Role,
        _: &Cancel,
    ) -> Result<Vec<Matrix>, EncodeError> {
        let matrix = |text: &&str| {
            let data: Vec<f32> = text.split_whitespace().flat_map(vector_of).collect();
            Matrix {
                rows: data.len() / DIM,
                dim: DIM,
                data,
            }
        };
        Ok(texts.iter().map(matrix).collect())
    }
}

struct Extractor;

impl FactExtractor for Extractor {
    fn name(&self) -> &'static str {
        "extractor"
    }

    fn fingerprint(&self) -> &'static str {
        "extractor/1"
    }

    fn extract(&self, title: &str, text: &str, _: &Cancel) -> Result<Facts, ExtractError> {
        let object = text.split_whitespace().next_back().unwrap_or_default();
        if title.ends_with('3') {
            return Err(ExtractError::Passage {
                reason: "read by rules".to_owned(),
            });
        }
        Ok(Facts {
            names: vec![title.to_owned()],
            triples: vec![Triple {
                subject: title.to_owned(),
                relation: "is near".to_owned(),
                object: object.to_owned(),
            }],
        })
    }
}

fn options() -> WriterOptions {
    WriterOptions {
        settings: "forged".to_owned(),
        threads: 1,
        language: None,
    }
}

fn state(path: &str, text: &str) -> FileState {
    FileState {
        path: path.to_owned(),
        bytes: text.len() as u64,
        modified_ns: 1,
        hash: Some(ContentHash::of(text.as_bytes())),
    }
}

/// The text of a document: a passage a line.
fn text_of(number: usize) -> String {
    let line = |i: usize| {
        let x = number * PASSAGES + i;
        let (north, other) = (x % 7, (x * 5) % SMALL);
        format!("Lighthouse Keeper {other} met Captain Bell{north} on pier p{x}.\n")
    };
    (0..PASSAGES).map(line).collect()
}

fn document(number: usize) -> (Document, Vec<Passage>) {
    let (title, text) = (format!("Lighthouse {number}"), text_of(number));
    let id = DocumentId::new(format!("d{number}"));
    let date = format!("20{:02}-0{}-11", number % 30, 1 + number % 9)
        .parse()
        .ok();
    let document = Document {
        id: id.clone(),
        path: format!("d{number}"),
        title: title.clone(),
        text: Arc::from(text.as_str()),
        kind: DocumentKind::Text,
        date,
        metadata: [("half".to_owned(), (number % 2).to_string())].into(),
        pages: vec![PageStart { page: 1, start: 0 }],
        hash: ContentHash::of(text.as_bytes()),
    };
    let mut passages = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let span = start..start + line.len() as u64;
        start = span.end;
        passages.push(Passage {
            id: PassageId::of(&id, span.start, span.end, line),
            document: id.clone(),
            title: title.clone(),
            span,
            text: line.to_owned(),
            ordinal: passages.len() as u32,
            location: Location {
                headings: vec![format!("Pier {}", passages.len())],
                ..Location::default()
            },
            date,
            metadata: document.metadata.clone(),
        });
    }
    (document, passages)
}

/// Brings the corpus in `dir` to hold these documents with every index, as the program does.
///
/// # Errors
/// What the writer says.
pub(super) fn bring_up_to_date(
    dir: &Path,
    numbers: std::ops::Range<usize>,
    anew: bool,
) -> Result<(), crate::IndexError> {
    let cancel = Cancel::new();
    let mut writer = if anew {
        CorpusWriter::open_anew(dir, &options())?
    } else {
        CorpusWriter::open(dir, &options())?
    };
    let states: Vec<FileState> = numbers
        .map(|number| state(&format!("d{number}"), &text_of(number)))
        .collect();
    let plan = writer.plan(&states);
    let mut next = writer.build(&plan.unchanged)?;
    for file in plan.to_read() {
        next.file(file.clone());
        let number = file.path[1..].parse().unwrap();
        let (document, passages) = document(number);
        next.add(&prepare(document, passages, Language::English)?)?;
    }
    next.commit(true, |_| Ok(()))?;
    writer.embed_missing(&Hasher, |_| {}, &cancel)?;
    writer.link_vectors(Encoder::fingerprint(&Hasher), true, &cancel)?;
    writer.embed_tokens(&Hasher, true, |_| {}, &cancel)?;
    writer.build_sparse(None, &cancel)?;
    writer.build_substrings(true, |_, _| {}, &cancel)?;
    writer.extract_facts(&Extractor, 1, |_, _| {}, &cancel)?;
    writer.build_phrases(true, |_, _| {}, &cancel)?;
    Ok(())
}

/// A copy of the corpus of so many documents, [`SMALL`] or [`LARGE`].
pub(super) fn copy(documents: usize) -> tempfile::TempDir {
    static WHOLE: [OnceLock<tempfile::TempDir>; 2] = [OnceLock::new(), OnceLock::new()];
    let whole = WHOLE[usize::from(documents > SMALL)].get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        bring_up_to_date(dir.path(), 0..documents, false).unwrap();
        dir
    });
    let dir = tempfile::tempdir().unwrap();
    copy_all(whole.path(), dir.path());
    dir
}

fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_all(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
