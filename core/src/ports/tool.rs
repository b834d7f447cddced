//! What an agent may call.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::BoxFuture;
use crate::{Cancel, Observation, ToolSpec};

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
