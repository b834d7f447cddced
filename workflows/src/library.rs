//! Synchronous engines behind the asynchronous `Library`, on a pool of CPU threads.
//!
//! Agents await; retrieval, reading and encoding are arithmetic and disk. Each call becomes a job
//! on a pool of its own, so that the async runtime never stands still behind one. A call whose
//! future is dropped (its step was cancelled) cancels its job.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use indago_core::ports::{
    BoxFuture, CorpusStats, DocumentStore, Encoder, Library, NameHit, NameIndex, PairScorer,
    RetrieveError, Retriever, Role, SpanReader, SpanScores,
};
use indago_core::{Cancel, Hit, IndexCoverage, Passage, PassageId, Query, Quote};
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};
use tokio::sync::oneshot;

/// What compares sentences with a query.
#[derive(Clone)]
pub enum Similarity {
    /// Dot products of its row-normalised vectors.
    Encoder(Arc<dyn Encoder>),
    /// Its scores, which must be cosines.
    Scorer(Arc<dyn PairScorer>),
}

impl fmt::Debug for Similarity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Encoder(encoder) => encoder.name(),
            Self::Scorer(scorer) => scorer.name(),
        })
    }
}

/// The engines of one corpus.
#[derive(Clone)]
pub struct CpuLibraryParts {
    /// Finds passages.
    pub retriever: Arc<dyn Retriever>,
    /// Opens documents and passages.
    pub store: Arc<dyn DocumentStore>,
    /// Knows how frequent words are.
    pub stats: Arc<dyn CorpusStats>,
    /// Knows which passages are about a name.
    pub names: Arc<dyn NameIndex>,
    /// Compares sentences with a query.
    pub similarity: Similarity,
    /// Says where in a passage an answer may stand; none for a library that does not.
    pub reader: Option<Arc<dyn SpanReader>>,
    /// How far the vectors are.
    pub coverage: IndexCoverage,
}

impl fmt::Debug for CpuLibraryParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CpuLibraryParts")
            .field("retriever", &self.retriever.name())
            .field("similarity", &self.similarity)
            .field("coverage", &self.coverage)
            .finish_non_exhaustive()
    }
}

/// A [`Library`] over synchronous engines. Clones share the pool.
#[derive(Clone)]
pub struct CpuLibrary {
    parts: Arc<CpuLibraryParts>,
    pool: Arc<rayon::ThreadPool>,
}

impl fmt::Debug for CpuLibrary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "CpuLibrary({:?}, {} threads)",
            self.parts,
            self.pool.current_num_threads()
        )
    }
}

/// The threads of the pool could not be started.
#[derive(Debug, thiserror::Error)]
#[error("cannot start {threads} threads for retrieval")]
pub struct PoolError {
    threads: usize,
    #[source]
    source: rayon::ThreadPoolBuildError,
}

impl CpuLibrary {
    /// A library whose engines run on `threads` threads (0: one per core).
    pub fn new(parts: CpuLibraryParts, threads: usize) -> Result<Self, PoolError> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|i| format!("indago-cpu-{i}"))
            .build()
            .map_err(|source| PoolError { threads, source })?;
        Ok(Self {
            parts: Arc::new(parts),
            pool: Arc::new(pool),
        })
    }

    /// Runs `job` on the pool.
    fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&CpuLibraryParts, &Cancel) -> Result<T, RetrieveError> + Send + 'static,
    ) -> BoxFuture<'static, Result<T, RetrieveError>> {
        let cancel = Cancel::new();
        let guard = CancelOnDrop(cancel.clone());
        let parts = Arc::clone(&self.parts);
        let (reply, answer) = oneshot::channel();
        self.pool.spawn(move || {
            if cancel.is_cancelled() {
                return;
            }
            // A panic on a pool thread would end the process. What unwinds is dropped whole.
            let result = catch_unwind(AssertUnwindSafe(|| job(&parts, &cancel)))
                .unwrap_or_else(|_panic| Err(failed("it panicked; this is a bug in indago")));
            // Nobody waits for a cancelled call.
            let _gone = reply.send(result);
        });
        Box::pin(async move {
            let result = answer
                .await
                .unwrap_or_else(|_dropped| Err(failed("the call was lost")));
            drop(guard);
            result
        })
    }
}

fn failed(reason: &str) -> RetrieveError {
    RetrieveError::Engine {
        engine: "retrieval pool",
        reason: reason.to_owned(),
    }
}

/// Cancels a job when its future goes away.
struct CancelOnDrop(Cancel);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

impl Library for CpuLibrary {
    fn search(
        &self,
        queries: Vec<Query>,
        k: usize,
    ) -> BoxFuture<'_, Result<Vec<Vec<Hit>>, RetrieveError>> {
        self.run(move |parts, cancel| {
            let search = |query: &Query| parts.retriever.search(query, k, cancel);
            match queries.as_slice() {
                [one] => Ok(vec![search(one)?]),
                many => many.into_par_iter().map(search).collect(),
            }
        })
    }

    fn passages(&self, ids: Vec<PassageId>) -> BoxFuture<'_, Result<Vec<Passage>, RetrieveError>> {
        self.run(move |parts, _cancel| Ok(parts.store.passages(&ids)?))
    }

    fn defining(
        &self,
        names: Vec<String>,
        k: usize,
    ) -> BoxFuture<'_, Result<Vec<Vec<NameHit>>, RetrieveError>> {
        self.run(move |parts, cancel| {
            names
                .iter()
                .map(|name| {
                    cancel.check()?;
                    Ok(parts.names.defining(name, k))
                })
                .collect()
        })
    }

    fn frequencies(&self, terms: Vec<String>) -> BoxFuture<'_, Result<Vec<u64>, RetrieveError>> {
        self.run(move |parts, cancel| {
            terms
                .iter()
                .map(|term| {
                    cancel.check()?;
                    Ok(parts.stats.document_frequency(term))
                })
                .collect()
        })
    }

    fn similarity(
        &self,
        query: String,
        texts: Vec<String>,
    ) -> BoxFuture<'_, Result<Vec<f32>, RetrieveError>> {
        self.run(move |parts, cancel| {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            if texts.is_empty() {
                return Ok(Vec::new());
            }
            match &parts.similarity {
                Similarity::Scorer(scorer) => Ok(scorer.score(&query, &texts, cancel)?),
                Similarity::Encoder(encoder) => {
                    let asked = encoder.encode(&[&query], Role::Query, cancel)?;
                    let read = encoder.encode(&texts, Role::Passage, cancel)?;
                    let Some(asked) = asked.data.get(..asked.dim) else {
                        return Err(failed("the encoder gave no vector for the query"));
                    };
                    Ok(read
                        .data
                        .chunks_exact(read.dim.max(1))
                        .map(|row| dot(asked, row))
                        .collect())
                }
            }
        })
    }

    fn read_spans(
        &self,
        question: String,
        passages: Vec<PassageId>,
    ) -> BoxFuture<'_, Result<Vec<(PassageId, SpanScores)>, RetrieveError>> {
        self.run(move |parts, cancel| {
            let Some(reader) = &parts.reader else {
                return Ok(Vec::new());
            };
            let read = parts.store.passages(&passages)?;
            let texts: Vec<(&str, &str)> = read
                .iter()
                .map(|p| (p.title.as_str(), p.text.as_str()))
                .collect();
            let scores = reader.read(&question, &texts, cancel)?;
            Ok(read.iter().map(|p| p.id).zip(scores).collect())
        })
    }

    fn reread(&self, quote: Quote) -> BoxFuture<'_, Result<Option<String>, RetrieveError>> {
        self.run(move |parts, _cancel| {
            Ok(parts.store.span(&quote.document, quote.start..quote.end)?)
        })
    }

    fn coverage(&self) -> IndexCoverage {
        self.parts.coverage
    }
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}
