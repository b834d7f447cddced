//! The tools of a corpus as one search may use them: within the restrictions of its run.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use indago_core::ports::{
    BoxFuture, Library, NameHit, RetrieveError, ToolError, ToolScope, Toolbox,
};
use indago_core::{
    Cancel, DocumentId, Filters, Hit, IndexCoverage, Observation, Passage, PassageId, Query, Quote,
    ToolCall, ToolSpec,
};

use crate::{Desk, Grant, Registry, corpus};

/// Search, open, find and read around in one corpus.
pub struct CorpusTools {
    library: Arc<dyn Library>,
    specs: Vec<ToolSpec>,
}

impl std::fmt::Debug for CorpusTools {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.specs.iter().map(|spec| spec.name.as_str()).collect();
        write!(f, "CorpusTools({names:?})")
    }
}

impl CorpusTools {
    /// The tools over `library`.
    ///
    /// # Errors
    /// As [`corpus::register`].
    pub fn new(library: Arc<dyn Library>) -> Result<Self, crate::RegistryError> {
        let specs = desk(&library)?.specs();
        Ok(Self { library, specs })
    }
}

fn desk(library: &Arc<dyn Library>) -> Result<Desk, crate::RegistryError> {
    let mut registry = Registry::default();
    corpus::register(&mut registry, library)?;
    Ok(Desk::new(Arc::new(registry), Grant::corpus()))
}

impl Toolbox for CorpusTools {
    fn specs(&self) -> Vec<ToolSpec> {
        self.specs.clone()
    }

    fn call<'a>(
        &'a self,
        call: &'a ToolCall,
        scope: &'a ToolScope,
        cancel: Cancel,
    ) -> BoxFuture<'a, Result<Observation, ToolError>> {
        Box::pin(async move {
            let library: Arc<dyn Library> = if scope.filters.is_empty() {
                Arc::clone(&self.library)
            } else {
                Arc::new(Scoped {
                    inner: Arc::clone(&self.library),
                    filters: scope.filters.clone(),
                    reachable: Mutex::new(scope.documents.iter().cloned().collect()),
                    found: Mutex::default(),
                })
            };
            let desk = desk(&library).map_err(|error| ToolError {
                say: "No tool can be used at the moment. Go on without.".to_owned(),
                cause: error.to_string(),
                transient: false,
            })?;
            desk.call(call, &cancel).await
        })
    }
}

/// A library of which only the documents that pass the filters can be reached.
struct Scoped {
    inner: Arc<dyn Library>,
    filters: Filters,
    reachable: Mutex<BTreeSet<DocumentId>>,
    /// Passages that a filtered search gave.
    found: Mutex<BTreeSet<PassageId>>,
}

impl Scoped {
    fn may_read(&self, document: &DocumentId) -> bool {
        let reachable = self.reachable.lock();
        let reachable = reachable.unwrap_or_else(PoisonError::into_inner);
        reachable.contains(document) && !self.filters.except.contains(document)
    }
}

/// Both restrictions. Of two lists of paths the run's holds: patterns cannot be intersected.
fn both(run: &Filters, asked: Filters) -> Filters {
    let mut metadata = run.metadata.clone();
    let more = asked.metadata.into_iter();
    metadata.extend(more.filter(|(key, _)| run.metadata.iter().all(|(known, _)| known != key)));
    Filters {
        paths: if run.paths.is_empty() {
            asked.paths
        } else {
            run.paths.clone()
        },
        after: run.after.max(asked.after),
        before: match (run.before, asked.before) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        },
        metadata,
        except: run.except.iter().cloned().chain(asked.except).collect(),
    }
}

impl Library for Scoped {
    fn search(
        &self,
        queries: Vec<Query>,
        k: usize,
    ) -> BoxFuture<'_, Result<Vec<Vec<Hit>>, RetrieveError>> {
        Box::pin(async move {
            let within = queries.into_iter().map(|query| Query {
                filters: both(&self.filters, query.filters.clone()),
                ..query
            });
            let lists = self.inner.search(within.collect(), k).await?;
            let ids = lists.iter().flatten().map(|hit| hit.passage);
            let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
            found.extend(ids);
            drop(found);
            Ok(lists)
        })
    }

    fn passages(&self, ids: Vec<PassageId>) -> BoxFuture<'_, Result<Vec<Passage>, RetrieveError>> {
        Box::pin(async move {
            let mut passages = self.inner.passages(ids).await?;
            let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
            passages.retain(|p| found.contains(&p.id) || self.may_read(&p.document));
            Ok(passages)
        })
    }

    fn defining(
        &self,
        names: Vec<String>,
        k: usize,
    ) -> BoxFuture<'_, Result<Vec<Vec<NameHit>>, RetrieveError>> {
        self.inner.defining(names, k)
    }

    fn frequencies(&self, terms: Vec<String>) -> BoxFuture<'_, Result<Vec<u64>, RetrieveError>> {
        self.inner.frequencies(terms)
    }

    fn similarity(
        &self,
        query: String,
        texts: Vec<String>,
    ) -> BoxFuture<'_, Result<Vec<f32>, RetrieveError>> {
        self.inner.similarity(query, texts)
    }

    fn reread(&self, quote: Quote) -> BoxFuture<'_, Result<Option<String>, RetrieveError>> {
        Box::pin(async move {
            if !self.may_read(&quote.document) {
                return Ok(None);
            }
            self.inner.reread(quote).await
        })
    }

    fn coverage(&self) -> IndexCoverage {
        self.inner.coverage()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_narrows_the_run_and_never_widens_it() {
        let day = |text: &str| Some(text.parse().unwrap());
        let run = Filters {
            paths: vec!["a/**".into()],
            after: day("2020-01-01"),
            before: None,
            metadata: vec![("lang".into(), "en".into())],
            except: vec![DocumentId::new("a/secret.md")],
        };
        let asked = Filters {
            paths: vec!["**".into()],
            after: day("2010-01-01"),
            before: day("2022-01-01"),
            metadata: vec![("lang".into(), "de".into()), ("kind".into(), "memo".into())],
            except: Vec::new(),
        };
        let within = both(&run, asked);
        assert_eq!(within.paths, ["a/**"]);
        assert_eq!(within.except, run.except);
        assert_eq!(within.after, day("2020-01-01"));
        assert_eq!(within.before, day("2022-01-01"));
        assert_eq!(
            within.metadata,
            [
                ("lang".to_owned(), "en".to_owned()),
                ("kind".to_owned(), "memo".to_owned())
            ]
        );
    }
}
