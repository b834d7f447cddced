//! Operators of model-driven searches, one published method a file.
//!
//! A [`Strategy`] works on one sub-question. It is composed of operators over one typed
//! [`SearchState`]: a [`Rewrite`] words queries, a [`RetrievalPolicy`] decides whether to retrieve,
//! a [`StopPolicy`] whether what is there suffices. Each is registered by name in [`registry`].
//! Every effect is a journaled step, so a resumed search repeats none.

mod auto_rag;
mod compress;
mod cutoff;
pub mod decide;
mod filter;
mod follow;
mod guards;
mod interleave;
mod iter_retgen;
pub mod ledger;
mod loops;
mod mind_search;
pub(crate) mod nothing;
mod order;
mod pipeline;
pub mod proof;
mod react;
pub mod read;
pub mod registry;
mod reservoir;
mod resting;
pub mod retrieve;
mod retro_rag;
pub mod rewrite;
mod single_shot;
pub mod speculate;
mod state;
mod sufficient;
mod tool_calls;

pub use auto_rag::AutoRag;
pub use compress::SelectSentences;
pub use cutoff::Cutoff;
pub use filter::KnowledgeFilter;
pub use follow::Follow;
pub use guards::Guards;
pub use interleave::Interleave;
pub use iter_retgen::IterRetGen;
pub use loops::Loop;
pub(crate) use loops::kind;
pub use mind_search::MindSearch;
pub use order::{Chain, Edges, edges};
pub use pipeline::Pipeline;
pub use react::React;
pub use reservoir::Reservoir;
pub use retro_rag::RetroRag;
pub use single_shot::SingleShot;
pub use state::{Draft, Origin, QuerySet, SearchState, Shown, Stop};
pub use sufficient::{OneRound, SelfJudged};
pub use tool_calls::ToolCalls;

use indago_core::ports::{BoxFuture, Library, TaskCtx, TaskError};

use crate::model::Ports;
use crate::{SearchInput, Searched};

/// Works on one sub-question from its words to its finding.
pub trait Strategy: Send + Sync {
    /// Registered name, such as `auto_rag`.
    fn name(&self) -> &str;

    /// The finding, with what it took. Failures of a model end the search with what there is; only
    /// cancellation and an unusable journal are errors.
    fn search<'a>(
        &'a self,
        cx: &'a mut dyn TaskCtx,
        library: &'a dyn Library,
        input: &'a SearchInput,
    ) -> BoxFuture<'a, Result<Searched, TaskError>>;

    /// Whether it tells the library what it will probably ask ([`Library::expect`]).
    fn expects(&self) -> bool {
        false
    }
}

/// Words queries from the state.
pub trait Rewrite: Send + Sync {
    /// Registered name, such as `multi_query`.
    fn name(&self) -> &str;

    /// The queries and how their lists become one. Never empty: the question itself stands in
    /// where a model fails.
    fn rewrite<'a>(
        &'a self,
        ports: &'a mut Ports<'_>,
        state: &'a mut SearchState,
    ) -> BoxFuture<'a, Result<QuerySet, TaskError>>;
}

/// Whether to retrieve, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// Whether to retrieve.
    pub retrieve: bool,
    /// Why: the counts, probability or words that decided.
    pub reason: String,
    /// What the model answered without retrieval, where it was asked. Rests on no source, so it is
    /// never a claim.
    pub direct: Option<String>,
}

/// Decides whether a question needs retrieval.
pub trait RetrievalPolicy: Send + Sync {
    /// Registered name, such as `always`.
    fn name(&self) -> &str;

    /// The decision with its reason.
    fn decide<'a>(
        &'a self,
        ports: &'a mut Ports<'_>,
        state: &'a mut SearchState,
    ) -> BoxFuture<'a, Result<Decision, TaskError>>;
}

/// Whether the evidence suffices, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sufficiency {
    /// Whether to stop.
    pub enough: bool,
    /// Why, or what is missing.
    pub reason: String,
}

/// Decides whether a search may stop.
pub trait StopPolicy: Send + Sync {
    /// Registered name, such as `self_asked`.
    fn name(&self) -> &str;

    /// The verdict on the state as it is.
    fn judge<'a>(
        &'a self,
        ports: &'a mut Ports<'_>,
        state: &'a mut SearchState,
    ) -> BoxFuture<'a, Result<Sufficiency, TaskError>>;
}

/// One step of a searcher's loop: typed state in, typed state out.
pub trait Operator: Send + Sync {
    /// Registered name, such as `knowledge_filter`.
    fn name(&self) -> &str;

    /// Works on the state in place.
    fn apply<'a>(
        &'a self,
        ports: &'a mut Ports<'_>,
        state: &'a mut SearchState,
    ) -> BoxFuture<'a, Result<(), TaskError>>;
}

/// Whether an error ends the task, rather than one call of it.
pub(crate) fn is_fatal(error: &TaskError) -> bool {
    matches!(
        error,
        TaskError::Cancelled | TaskError::Journal(_) | TaskError::Incompatible { .. }
    )
}
