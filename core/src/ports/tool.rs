//! What an agent may call.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::BoxFuture;
use crate::{Cancel, DocumentId, Filters, Observation, ToolCall, ToolSpec};

/// What calling a tool can do to the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Reads the corpus.
    ReadsCorpus,
    /// Reads from the network.
    ReadsNetwork,
    /// Changes something outside the run.
    Writes,
}

/// A tool call failed: a sentence for the model, a cause for the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{say}")]
pub struct ToolError {
    /// What the model is told: what is wrong and what to do instead.
    pub say: String,
    /// What the log is told.
    pub cause: String,
    /// Whether the same call may succeed later.
    pub transient: bool,
}

/// Something an agent can call with JSON arguments.
pub trait Tool: Send + Sync {
    /// Name, description and schema, as the model sees them.
    fn spec(&self) -> &ToolSpec;

    /// Everything a call may do; a grant has to cover it.
    fn effects(&self) -> &[Effect];

    /// Runs a call. `arguments` are checked by the tool: they come from a model.
    fn call(
        &self,
        arguments: Value,
        cancel: Cancel,
    ) -> BoxFuture<'_, Result<Observation, ToolError>>;
}

/// What the calls of one search may reach.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolScope {
    /// Restrictions of the run on documents. They hold for every tool, whatever a call asks for.
    pub filters: Filters,
    /// Documents that the search has seen: where there are restrictions, no others are opened.
    pub documents: Vec<DocumentId>,
}

/// The tools that a search may use, within its grant.
pub trait Toolbox: Send + Sync {
    /// What a model is told of, in the order of the names: the same for every call of a run.
    fn specs(&self) -> Vec<ToolSpec>;

    /// Checks a call of a model and runs it within `scope`. What is refused did not run.
    fn call<'a>(
        &'a self,
        call: &'a ToolCall,
        scope: &'a ToolScope,
        cancel: Cancel,
    ) -> BoxFuture<'a, Result<Observation, ToolError>>;
}
