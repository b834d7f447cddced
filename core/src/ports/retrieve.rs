//! Finding passages.

use std::path::PathBuf;

use super::corpus::NameHit;
use super::{BoxFuture, EncodeError, SpanScores, StoreError};
use crate::{Cancel, Cancelled, Hit, IndexCoverage, Passage, PassageId, Query};

/// Retrieval failed. Sorted by what the caller can do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RetrieveError {
    /// The index on disk was written by another format version. Rebuild it.
    #[error("index format {found} at `{}`, this build reads {expected}", path.display())]
    FormatVersion {
        /// Which file.
        path: PathBuf,
        /// What it says.
        found: u32,
        /// What this build reads.
        expected: u32,
    },
    /// Bytes do not match their checksum or layout. Rebuild the index.
    #[error("corrupt index file `{}`: {reason}", path.display())]
    Corrupt {
        /// Which file.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },
    /// The query's vector does not fit the index: it was made with another model.
    #[error("query vectors come from `{found}`, the index holds vectors of `{expected}`")]
    ModelMismatch {
        /// The encoder in use.
        found: String,
        /// The encoder the index was made with.
        expected: String,
    },
    /// No retriever has this name.
    #[error("there is no retriever `{0}`")]
    UnknownRetriever(String),
    /// A filter cannot be understood.
    #[error("filter `{filter}`: {reason}")]
    BadFilter {
        /// The filter as given.
        filter: String,
        /// What is wrong with it.
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
    /// A well-kept engine underneath failed.
    #[error("{engine} failed: {reason}")]
    Engine {
        /// Which one.
        engine: &'static str,
        /// What it said.
        reason: String,
    },
    /// The query could not be encoded.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The document store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Cancelled.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// Finds passages for a query. Cheap to share across threads.
pub trait Retriever: Send + Sync {
    /// Registered name, such as `bm25`.
    fn name(&self) -> &str;

    /// Up to `k` hits, best first, ties broken by ascending passage id.
    ///
    /// Fewer than `k` hits is a normal answer. Scores are comparable only within one call. Checks
    /// `cancel` at least every few milliseconds.
    fn search(&self, query: &Query, k: usize, cancel: &Cancel) -> Result<Vec<Hit>, RetrieveError>;
}

/// Scores how well texts serve a query.
pub trait PairScorer: Send + Sync {
    /// Registered name, such as `minilm`.
    fn name(&self) -> &str;

    /// One score per text, higher is better, comparable within one scorer.
    fn score(&self, query: &str, texts: &[&str], cancel: &Cancel) -> Result<Vec<f32>, EncodeError>;
}

/// A passage that is to be put in order.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// How it was found.
    pub hit: &'a Hit,
    /// Its text as indexed: title, headings, text.
    pub text: &'a str,
}

/// Puts what was found in a better order, all of it seen at once.
///
/// A scorer of pairs becomes one by an adapter; rerankers that compare candidates with each other
/// (listwise models, blends with the first order) implement it directly.
pub trait Reranker: Send + Sync {
    /// Name for people.
    fn name(&self) -> &str;

    /// One score per candidate, higher is better, comparable only within one call. Candidates come
    /// best first.
    fn rerank(
        &self,
        query: &str,
        candidates: &[Candidate<'_>],
        cancel: &Cancel,
    ) -> Result<Vec<f32>, RetrieveError>;
}

/// What agents see of a corpus: everything they may await. `indago-workflows` puts it over the
/// synchronous engines; tests give it a handful of passages in a vector.
pub trait Library: Send + Sync {
    /// Hits for each query, in the order of `queries`.
    fn search(
        &self,
        queries: Vec<Query>,
        k: usize,
    ) -> BoxFuture<'_, Result<Vec<Vec<Hit>>, RetrieveError>>;

    /// The passages with these ids, in their order; unknown ids are left out.
    fn passages(&self, ids: Vec<PassageId>) -> BoxFuture<'_, Result<Vec<Passage>, RetrieveError>>;

    /// For each name, the passages that are *about* it, best first, at most `k`.
    fn defining(
        &self,
        names: Vec<String>,
        k: usize,
    ) -> BoxFuture<'_, Result<Vec<Vec<NameHit>>, RetrieveError>>;

    /// For each term (a lower-cased word), the number of passages that contain it or a form of it.
    fn frequencies(&self, terms: Vec<String>) -> BoxFuture<'_, Result<Vec<u64>, RetrieveError>>;

    /// Cosine similarity of `query` to each text, by the best encoder that is fast enough to be
    /// asked about hundreds of sentences.
    fn similarity(
        &self,
        query: String,
        texts: Vec<String>,
    ) -> BoxFuture<'_, Result<Vec<f32>, RetrieveError>>;

    /// Where in each of `passages` the answer to `question` may stand; nothing without a reader, and
    /// unknown ids are left out.
    fn read_spans(
        &self,
        _question: String,
        _passages: Vec<PassageId>,
    ) -> BoxFuture<'_, Result<Vec<(PassageId, SpanScores)>, RetrieveError>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    /// The bytes `start..end` of a stored document, for checking a quote; `None` when the document
    /// is gone or the range does not fall on its characters.
    fn reread(&self, quote: crate::Quote) -> BoxFuture<'_, Result<Option<String>, RetrieveError>>;

    /// How far the vectors are.
    fn coverage(&self) -> IndexCoverage;

    /// Says that [`Self::search`] will probably be asked this. A library that keeps answers may look
    /// for them meanwhile; what it gives when it is asked stays the same.
    fn expect(&self, _queries: Vec<Query>, _k: usize) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}
