//! The ports of a corpus beside retrieval: documents, statistics and names.

use std::ops::Range;

use indago_core::ports::{
    CorpusStats, DocumentStore, NameHit, NameIndex, RetrieveError, StoreError,
};
use indago_core::{Document, DocumentId, Passage, PassageId};

use super::Corpus;

/// A retrieval error as the document store's.
fn store_error(error: RetrieveError) -> StoreError {
    match error {
        RetrieveError::Corrupt { path, reason } => StoreError::Corrupt { path, reason },
        RetrieveError::Io { path, source } => StoreError::Io { path, source },
        RetrieveError::Store(error) => error,
        other => StoreError::Engine(other.to_string()),
    }
}

impl DocumentStore for Corpus {
    fn document(&self, id: &DocumentId) -> Result<Option<Document>, StoreError> {
        let store = &self.0.store;
        let row = store.document_of(id).map_err(store_error)?;
        row.map(|row| store.document(row))
            .transpose()
            .map_err(store_error)
    }

    fn passages(&self, ids: &[PassageId]) -> Result<Vec<Passage>, StoreError> {
        let store = &self.0.store;
        let rows = ids.iter().filter_map(|id| store.row_of(*id));
        rows.map(|row| store.passage(row))
            .collect::<Result<_, _>>()
            .map_err(store_error)
    }

    fn span(&self, id: &DocumentId, span: Range<u64>) -> Result<Option<String>, StoreError> {
        let store = &self.0.store;
        let Some(row) = store.document_of(id).map_err(store_error)? else {
            return Ok(None);
        };
        let slice = store
            .slice(row, span.start, span.end)
            .map_err(store_error)?;
        Ok(slice.map(str::to_owned))
    }
}

impl CorpusStats for Corpus {
    fn n_passages(&self) -> u64 {
        self.0.manifest.passages
    }

    /// A stop word is not indexed; it counts as being in every passage. In a corpus of several
    /// languages a word is as frequent as in the one where it is most.
    fn document_frequency(&self, term: &str) -> u64 {
        let lexical = &self.0.lexical;
        let in_language = |language| {
            let mut frequency = None;
            indago_text::for_each_term_in(language, term, |term, _| {
                let n = lexical.document_frequency(term).unwrap_or_else(|error| {
                    tracing::warn!(%error, term, "no document frequency");
                    0
                });
                // A word that the analyzer splits is as frequent as its rarest part.
                frequency = Some(frequency.map_or(n, |m: u64| m.min(n)));
            });
            frequency
        };
        match lexical.languages().iter().filter_map(in_language).max() {
            Some(n) => n,
            None if term.chars().any(char::is_alphanumeric) => self.n_passages(),
            None => 0,
        }
    }
}

impl NameIndex for Corpus {
    fn defining(&self, name: &str, k: usize) -> Vec<NameHit> {
        self.0.names.defining(name, k)
    }
}
