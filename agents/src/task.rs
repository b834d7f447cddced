//! What goes into the operators and what comes back: plain data, so that a driver can hand it to a
//! task in another process.

use indago_core::{Budget, Filters, Finding, GraphView, NodeId, StopReason, Usage};
use serde::{Deserialize, Serialize};

/// What one search may spend. Every limit is inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Rounds of search.
    pub rounds: u32,
    /// Retrieval queries.
    pub queries: u32,
    /// Documents that the finding may quote.
    pub sources: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rounds: 4,
            queries: 24,
            sources: 10,
        }
    }
}

impl From<Budget> for Limits {
    /// One node's share: its rounds and sources, and at most the whole run's queries.
    fn from(budget: Budget) -> Self {
        Self {
            rounds: budget.rounds,
            queries: budget.queries,
            sources: budget.sources,
        }
    }
}

/// One sub-question to work on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SearchInput {
    /// Its node.
    pub node: NodeId,
    /// The sub-question in words.
    pub question: String,
    /// The question of the run; the same text for the root node.
    pub whole: String,
    /// Findings of the nodes it depends on, in the order of the edges.
    #[serde(default)]
    pub parents: Vec<Finding>,
    /// Restrictions on which documents may be used.
    #[serde(default)]
    pub filters: Filters,
    /// What it may spend.
    #[serde(default)]
    pub limits: Limits,
}

/// The outcome of one search.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Searched {
    /// What was found.
    pub finding: Finding,
    /// What was spent; wall time is the driver's to fill in.
    pub usage: Usage,
}

/// Everything the report is made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WriteInput {
    /// The question as asked.
    pub question: String,
    /// The graph with the findings of its nodes.
    pub graph: GraphView,
    /// Why the run ended, when something else than the evidence ended it.
    pub stopped: Option<StopReason>,
    /// Documents that the report may stand on.
    pub sources: u32,
    /// What the searches spent.
    pub usage: Usage,
}
