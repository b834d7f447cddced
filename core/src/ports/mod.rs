//! The seams. Local engines implement the synchronous traits; agents await the asynchronous ones,
//! and one adapter in `indago-workflows` stands between the two.

mod attend;
mod corpus;
mod encode;
mod entail;
mod extract;
mod language;
mod plan;
mod read;
mod retrieve;
mod task;
mod tool;

pub use attend::{AttentionTap, TokenAttention};
pub use corpus::{CorpusStats, DocumentStore, NameHit, NameIndex, StoreError};
pub use encode::{
    EncodeError, Encoder, Matrix, Role, SparseEncoder, SparseVector, TokenCounter, TokenEncoder,
};
pub use entail::{Entailment, Verdict};
pub use extract::{ExtractError, FactExtractor, Facts, Triple};
pub use language::{
    Completion, Delta, DeltaSink, FinishReason, LanguageModel, LanguageModelError, OutputSchema,
    Request, TokenLogprob, TokenUsage,
};
pub use plan::{PlanPolicy, Purse};
pub use read::{SpanReader, SpanScores, TokenScore};
pub use retrieve::{Candidate, Library, PairScorer, Reranker, RetrieveError, Retriever};
pub use task::{
    BoxFuture, Output, RetryPolicy, RunEngine, RunError, RunSpec, RunStatus, Started, StepKey,
    StepWork, TaskCtx, TaskCtxExt, TaskError, TaskKey, TaskSet,
};
pub use tool::{Effect, Tool, ToolError, ToolScope, Toolbox};
