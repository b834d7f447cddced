//! A library without documents: what a planner sees of the corpus.

use indago_core::ports::{BoxFuture, Library, NameHit, RetrieveError};
use indago_core::{Hit, IndexCoverage, Passage, PassageId, Query, Quote};

/// Finds nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Nothing;

fn ready<T: Send + 'static>(value: T) -> BoxFuture<'static, Result<T, RetrieveError>> {
    Box::pin(async move { Ok(value) })
}

impl Library for Nothing {
    fn search(
        &self,
        queries: Vec<Query>,
        _k: usize,
    ) -> BoxFuture<'_, Result<Vec<Vec<Hit>>, RetrieveError>> {
        ready(vec![Vec::new(); queries.len()])
    }

    fn passages(&self, _ids: Vec<PassageId>) -> BoxFuture<'_, Result<Vec<Passage>, RetrieveError>> {
        ready(Vec::new())
    }

    fn defining(
        &self,
        names: Vec<String>,
        _k: usize,
    ) -> BoxFuture<'_, Result<Vec<Vec<NameHit>>, RetrieveError>> {
        ready(vec![Vec::new(); names.len()])
    }

    fn frequencies(&self, terms: Vec<String>) -> BoxFuture<'_, Result<Vec<u64>, RetrieveError>> {
        ready(vec![0; terms.len()])
    }

    fn similarity(
        &self,
        _query: String,
        texts: Vec<String>,
    ) -> BoxFuture<'_, Result<Vec<f32>, RetrieveError>> {
        ready(vec![0.0; texts.len()])
    }

    fn reread(&self, _quote: Quote) -> BoxFuture<'_, Result<Option<String>, RetrieveError>> {
        ready(None)
    }

    fn coverage(&self) -> IndexCoverage {
        IndexCoverage::default()
    }
}
