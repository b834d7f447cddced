//! A library that is not there: what a replay works with, which must never need one.

use indago_core::ports::{BoxFuture, Library, NameHit, RetrieveError};
use indago_core::{Hit, IndexCoverage, Passage, PassageId, Query, Quote};

/// Fails whatever it is asked.
pub(crate) struct AbsentLibrary;

fn absent<T: Send + 'static>() -> BoxFuture<'static, Result<T, RetrieveError>> {
    Box::pin(std::future::ready(Err(RetrieveError::Engine {
        engine: "corpus",
        reason: "none is open: this process only replays what is recorded".into(),
    })))
}

impl Library for AbsentLibrary {
    fn search(
        &self,
        _queries: Vec<Query>,
        _k: usize,
    ) -> BoxFuture<'_, Result<Vec<Vec<Hit>>, RetrieveError>> {
        absent()
    }

    fn passages(&self, _ids: Vec<PassageId>) -> BoxFuture<'_, Result<Vec<Passage>, RetrieveError>> {
        absent()
    }

    fn defining(
        &self,
        _names: Vec<String>,
        _k: usize,
    ) -> BoxFuture<'_, Result<Vec<Vec<NameHit>>, RetrieveError>> {
        absent()
    }

    fn frequencies(&self, _terms: Vec<String>) -> BoxFuture<'_, Result<Vec<u64>, RetrieveError>> {
        absent()
    }

    fn similarity(
        &self,
        _query: String,
        _texts: Vec<String>,
    ) -> BoxFuture<'_, Result<Vec<f32>, RetrieveError>> {
        absent()
    }

    fn reread(&self, _quote: Quote) -> BoxFuture<'_, Result<Option<String>, RetrieveError>> {
        absent()
    }

    fn coverage(&self) -> IndexCoverage {
        IndexCoverage::default()
    }
}
