//! Opening what was indexed.

use std::ops::Range;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{Document, DocumentId, Passage, PassageId};

/// The document store failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Bytes do not match their checksum or layout.
    #[error("corrupt document store `{}`: {reason}", path.display())]
    Corrupt {
        /// Which file.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },
    /// The operating system refused.
    #[error("cannot read `{}`", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Its answer.
        source: std::io::Error,
    },
    /// The database underneath failed.
    #[error("document store: {0}")]
    Engine(String),
}

/// Opens documents and passages as they were when the reader was opened.
pub trait DocumentStore: Send + Sync {
    /// The whole document; `None` when the corpus has none of that id.
    fn document(&self, id: &DocumentId) -> Result<Option<Document>, StoreError>;

    /// The passages with these ids, in their order; unknown ids are left out.
    fn passages(&self, ids: &[PassageId]) -> Result<Vec<Passage>, StoreError>;

    /// The bytes `span` of a document's decoded text; `None` when the document is unknown or the
    /// span is not on its character boundaries.
    fn span(&self, id: &DocumentId, span: Range<u64>) -> Result<Option<String>, StoreError>;
}

/// Frequencies, for retrieval decisions and term weights.
pub trait CorpusStats: Send + Sync {
    /// Passages in the corpus.
    fn n_passages(&self) -> u64;

    /// Passages that contain `term` (lower-cased word) or a form of it.
    fn document_frequency(&self, term: &str) -> u64;
}

/// A passage that is about a name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NameHit {
    /// The passage that defines or describes the name.
    pub passage: PassageId,
    /// 1 for an exact match with a title or defined name, less for looser forms.
    pub score: f32,
    /// The name as the passage has it.
    pub name: String,
}

/// From a name to the passages that are about it: titles, and names that a passage introduces
/// itself ("Carsten Olsen was a ..."), so that links do not depend on titles alone.
pub trait NameIndex: Send + Sync {
    /// Up to `k` passages, best first, ties by passage id. An unknown name gives none.
    fn defining(&self, name: &str, k: usize) -> Vec<NameHit>;
}
