//! Searching a published generation.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indago_core::ports::RetrieveError;
use indago_core::{Cancel, PassageId};
use tantivy::directory::MmapDirectory;
use tantivy::query::{Bm25StatisticsProvider, BooleanQuery, BoostQuery, Occur, Query, TermQuery};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{Index, IndexReader, ReloadPolicy, Searcher, Term};

use super::collect::BestPassages;
use super::directory::ReadOnly;
use super::{Fields, MAX_QUERY_TERMS, schema};
use crate::error::{corrupt, engine};
use crate::filter::Allowed;

/// The index, open for reading.
pub(crate) struct Lexical {
    fields: Fields,
    searcher: Searcher,
    n_passages: u64,
    n_terms: u64,
    // Keeps the files open.
    _reader: IndexReader,
    path: PathBuf,
}

impl std::fmt::Debug for Lexical {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lexical")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl Lexical {
    /// Opens the index in `dir`, whose passages and terms were counted by the document store.
    pub(crate) fn open(dir: &Path, n_passages: u64, n_terms: u64) -> Result<Self, RetrieveError> {
        let (schema, fields) = schema();
        let directory = MmapDirectory::open(dir).map_err(|e| corrupt(dir, e.to_string()))?;
        let index = Index::open(ReadOnly(directory)).map_err(|e| unreadable(dir, e))?;
        if index.schema() != schema {
            return Err(corrupt(
                dir,
                "the index has other fields than this build writes",
            ));
        }
        let reader = index
            .reader_builder()
            .reload_policy(ReloadPolicy::Manual)
            .try_into()
            .map_err(|e| unreadable(dir, e))?;
        let reader: IndexReader = reader;
        let searcher = reader.searcher();
        if searcher.num_docs() != n_passages {
            let reason = format!(
                "{} passages, the store has {n_passages}",
                searcher.num_docs()
            );
            return Err(corrupt(dir, reason));
        }
        Ok(Self {
            fields,
            searcher,
            n_passages,
            n_terms,
            _reader: reader,
            path: dir.to_owned(),
        })
    }

    fn term(&self, text: &str) -> Term {
        Term::from_field_text(self.fields.text, text)
    }

    /// Passages that hold an index term.
    pub(crate) fn document_frequency(&self, term: &str) -> Result<u64, RetrieveError> {
        self.searcher.doc_freq(&self.term(term)).map_err(engine)
    }

    /// The best `k` passages by BM25 (k1 1.2, b 0.75), best first.
    pub(crate) fn search(
        &self,
        text: &str,
        k: usize,
        allowed: Option<Arc<Allowed>>,
        cancel: &Cancel,
    ) -> Result<Vec<(PassageId, f32)>, RetrieveError> {
        let terms = self.weighted_terms(text)?;
        if terms.is_empty() || k == 0 || self.n_passages == 0 {
            return Ok(Vec::new());
        }
        let clauses = terms.into_iter().map(|(term, times)| {
            let query: Box<dyn Query> = Box::new(TermQuery::new(
                self.term(&term),
                IndexRecordOption::WithFreqs,
            ));
            let query = if times > 1 {
                Box::new(BoostQuery::new(query, times as f32))
            } else {
                query
            };
            (Occur::Should, query)
        });
        let query = BooleanQuery::new(clauses.collect());
        let k = k.min(self.n_passages as usize);
        let collector = BestPassages {
            k,
            allowed,
            cancel: cancel.clone(),
        };
        let best = self
            .searcher
            .search_with_statistics_provider(&query, &collector, self)
            .map_err(engine)?;
        cancel.check()?;
        Ok(best
            .into_iter()
            .map(|scored| (scored.id, scored.score))
            .collect())
    }

    /// The query's terms with how often it has them: those found in the corpus, at most
    /// [`MAX_QUERY_TERMS`], rarest first.
    fn weighted_terms(&self, text: &str) -> Result<Vec<(String, u32)>, RetrieveError> {
        let mut times: HashMap<String, u32> = HashMap::new();
        indago_text::for_each_term(text, |term, _| match times.get_mut(term) {
            Some(n) => *n += 1,
            None => {
                times.insert(term.to_owned(), 1);
            }
        });
        let mut terms = Vec::with_capacity(times.len());
        for (term, times) in times {
            let frequency = self.document_frequency(&term)?;
            if frequency > 0 {
                terms.push((frequency, term, times));
            }
        }
        terms.sort_unstable();
        terms.truncate(MAX_QUERY_TERMS);
        Ok(terms
            .into_iter()
            .map(|(_, term, times)| (term, times))
            .collect())
    }
}

impl Bm25StatisticsProvider for Lexical {
    fn total_num_tokens(&self, _: Field) -> tantivy::Result<u64> {
        Ok(self.n_terms)
    }

    fn total_num_docs(&self) -> tantivy::Result<u64> {
        Ok(self.n_passages)
    }

    fn doc_freq(&self, term: &Term) -> tantivy::Result<u64> {
        // tantivy panics on a frequency above the number of documents.
        self.searcher.doc_freq(term).map(|n| n.min(self.n_passages))
    }
}

fn unreadable(dir: &Path, error: tantivy::TantivyError) -> RetrieveError {
    use tantivy::TantivyError::{DataCorruption, IncompatibleIndex, OpenReadError};
    match error {
        DataCorruption(_) | IncompatibleIndex(_) | OpenReadError(_) => {
            corrupt(dir, error.to_string())
        }
        other => engine(other),
    }
}
