//! A document before it has its identity: what every loader fills in.

use std::collections::BTreeMap;

use indago_core::{ContentHash, Date, Document, DocumentId, DocumentKind, PageStart};

use super::{Loaded, Parsed, empty};
use crate::ingest::{FoundFile, Outline, Skipped, Warning, date};

/// Bytes of one metadata value that are kept: metadata is for filters and is stored with every
/// passage.
pub(super) const METADATA_VALUE_BYTES: usize = 1024;
/// Metadata keys of one document that are kept.
pub(super) const METADATA_KEYS: usize = 64;

#[derive(Debug)]
pub(super) struct Draft {
    pub(super) title: String,
    pub(super) text: String,
    pub(super) kind: DocumentKind,
    /// As stated by the document.
    pub(super) date: Option<Date>,
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) pages: Vec<PageStart>,
    pub(super) outline: Outline,
    /// What was changed, in words.
    pub(super) notes: Vec<String>,
}

impl Draft {
    pub(super) fn new(kind: DocumentKind, text: String) -> Self {
        Self {
            title: String::new(),
            text,
            kind,
            date: None,
            metadata: BTreeMap::new(),
            pages: Vec::new(),
            outline: Outline::default(),
            notes: Vec::new(),
        }
    }

    /// Keeps a property. A value that is too long, or one too many, is left out and noted.
    pub(super) fn set(&mut self, key: &str, value: &str) {
        let value = value.trim();
        if value.is_empty() || key.is_empty() {
            return;
        }
        if value.len() > METADATA_VALUE_BYTES || key.len() > METADATA_VALUE_BYTES {
            self.notes.push(format!(
                "metadata `{}` is over {METADATA_VALUE_BYTES} bytes and was left out",
                shorten(key, 40)
            ));
        } else if self.metadata.len() >= METADATA_KEYS && !self.metadata.contains_key(key) {
            self.notes.push(format!(
                "metadata `{key}` was left out: only {METADATA_KEYS} are kept of a document"
            ));
        } else {
            self.metadata.insert(key.to_owned(), value.to_owned());
        }
    }

    /// The finished document.
    pub(super) fn finish(self, file: &FoundFile, id: DocumentId) -> Parsed {
        let date = self.date.or_else(|| file.modified.and_then(date::of_time));
        let hash = hash(&self.title, &self.text, date, &self.metadata);
        let document = Document {
            id,
            path: file.relative.clone(),
            title: self.title,
            text: self.text.into(),
            kind: self.kind,
            date,
            metadata: self.metadata,
            pages: self.pages,
            hash,
        };
        Parsed {
            document,
            outline: self.outline,
        }
    }

    /// The file's only document, or [`SkipReason::Empty`](crate::ingest::SkipReason::Empty).
    pub(super) fn alone(mut self, file: &FoundFile) -> Result<Loaded, Skipped> {
        if self.text.trim().is_empty() {
            return Err(empty(file));
        }
        let warnings = std::mem::take(&mut self.notes)
            .into_iter()
            .map(|detail| Warning {
                path: file.relative.clone(),
                detail,
            })
            .collect();
        let id = DocumentId::new(file.relative.as_str());
        Ok(Loaded::one(self.finish(file, id), warnings))
    }
}

/// Hash of what indexing depends on, each part preceded by its length.
fn hash(
    title: &str,
    text: &str,
    date: Option<Date>,
    metadata: &BTreeMap<String, String>,
) -> ContentHash {
    let mut hasher = blake3::Hasher::new();
    let mut part = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    part(title.as_bytes());
    part(text.as_bytes());
    part(
        date.map(|date| date.to_string())
            .unwrap_or_default()
            .as_bytes(),
    );
    for (key, value) in metadata {
        part(key.as_bytes());
        part(value.as_bytes());
    }
    ContentHash(*hasher.finalize().as_bytes())
}

/// The beginning of `text`, at most `max` bytes.
pub(super) fn shorten(text: &str, max: usize) -> &str {
    &text[..text.floor_char_boundary(max)]
}

/// White space runs as single spaces, none at the edges.
pub(super) fn collapse(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}
