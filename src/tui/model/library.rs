//! Corpora, their documents and passages, and one query against each retriever.

use serde::{Deserialize, Serialize};

use super::editor::Editor;
use super::report::OpenDocument;

/// Longest query, in bytes.
const MAX_QUERY_BYTES: usize = 2_000;

/// A corpus as lists show it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CorpusRow {
    /// Its name.
    pub(crate) name: String,
    /// Documents in it.
    pub(crate) documents: u64,
    /// Passages in it.
    pub(crate) passages: u64,
    /// Passages with a vector.
    pub(crate) embedded: u64,
    /// False when an interrupted run has indexed only part of the files.
    pub(crate) is_complete: bool,
    /// Why it cannot be read, if so.
    pub(crate) problem: Option<String>,
}

impl CorpusRow {
    /// How it is, in a few words.
    pub(crate) fn health(&self) -> String {
        if let Some(problem) = &self.problem {
            return format!("unreadable: {problem}");
        }
        if !self.is_complete {
            return "partly indexed".to_owned();
        }
        if self.embedded < self.passages {
            return format!("vectors {}%", 100 * self.embedded / self.passages.max(1));
        }
        "ready".to_owned()
    }
}

/// A document as lists show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DocumentRow {
    /// Its id.
    pub(crate) id: String,
    /// Its title, cleaned; its file when it has none.
    pub(crate) title: String,
    /// Its passages.
    pub(crate) passages: usize,
}

/// A passage as lists show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PassageRow {
    /// Where it stands, cleaned.
    pub(crate) place: String,
    /// Its text, cleaned.
    pub(crate) text: String,
    /// Its bytes in the document.
    pub(crate) span: (u64, u64),
}

/// A hit of one retriever.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct HitRow {
    /// Its document.
    pub(crate) document: String,
    /// Title and place, cleaned.
    pub(crate) source: String,
    /// Its text, cleaned.
    pub(crate) text: String,
    /// Score and ranks, in words.
    pub(crate) why: String,
    /// Its bytes in the document.
    pub(crate) span: (u64, u64),
}

/// What one retriever found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct HitList {
    /// Its registered name.
    pub(crate) retriever: String,
    /// Best first, or why it could not search.
    pub(crate) hits: Result<Vec<HitRow>, String>,
    /// Milliseconds it took.
    pub(crate) took_ms: u64,
}

/// The panes of the library screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Pane {
    /// Corpora.
    #[default]
    Corpora,
    /// Documents of the selected corpus.
    Documents,
    /// Passages of the selected document, or hits of the query.
    Passages,
}

/// The library and the reader's place in it.
#[derive(Clone, Debug)]
pub(crate) struct Library {
    /// Documents of the selected corpus.
    pub(crate) documents: Vec<DocumentRow>,
    /// Documents that are not listed because there are too many.
    pub(crate) more_documents: usize,
    /// Passages of the selected document.
    pub(crate) passages: Vec<PassageRow>,
    /// What the query found, one list for each retriever; empty while nothing is asked.
    pub(crate) lists: Vec<HitList>,
    /// The query that was asked.
    pub(crate) query: String,
    /// The field for the query.
    pub(crate) field: Editor,
    /// Whether keys go to the field.
    pub(crate) is_typing: bool,
    /// The selected rows: document, passage; column and row among the hits.
    pub(crate) document: usize,
    /// See `document`.
    pub(crate) passage: usize,
    /// See `document`.
    pub(crate) column: usize,
    /// See `document`.
    pub(crate) hit: usize,
    /// The pane with the focus.
    pub(crate) pane: Pane,
    /// The open document.
    pub(crate) open: Option<OpenDocument>,
    /// The corpus whose documents are shown.
    pub(crate) shown: Option<String>,
}

impl Library {
    pub(crate) fn new() -> Self {
        Self {
            documents: Vec::new(),
            more_documents: 0,
            passages: Vec::new(),
            lists: Vec::new(),
            query: String::new(),
            field: Editor::new(MAX_QUERY_BYTES),
            is_typing: false,
            document: 0,
            passage: 0,
            column: 0,
            hit: 0,
            pane: Pane::Corpora,
            open: None,
            shown: None,
        }
    }

    /// The selected hit.
    pub(crate) fn selected_hit(&self) -> Option<&HitRow> {
        let list = self.lists.get(self.column)?;
        list.hits.as_ref().ok()?.get(self.hit)
    }
}
