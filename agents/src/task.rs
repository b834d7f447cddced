//! What goes into the operators and what comes back: plain data, so that a driver can hand it to a
//! task in another process.

use indago_core::{Allowance, Budget, Filters, Finding, GraphView, NodeId, StopReason, Usage};
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
    /// Language-model calls.
    #[serde(default)]
    pub lm_calls: Option<u64>,
    /// Language-model tokens, in and out.
    #[serde(default)]
    pub lm_tokens: Option<u64>,
    /// Money for language models, in millionths of a US dollar.
    #[serde(default)]
    pub money_micros: Option<u64>,
    /// Milliseconds.
    #[serde(default)]
    pub wall_ms: Option<u64>,
}

impl Limits {
    /// What may be spent on language models.
    pub fn allowance(&self) -> Allowance {
        Allowance {
            calls: self.lm_calls,
            tokens: self.lm_tokens,
            money_micros: self.money_micros,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rounds: 4,
            queries: 24,
            sources: 10,
            lm_calls: None,
            lm_tokens: None,
            money_micros: None,
            wall_ms: None,
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
            lm_calls: budget.node.lm_calls.or(budget.lm_calls),
            lm_tokens: budget.node.lm_tokens.or(budget.lm_tokens),
            money_micros: budget.node.money_micros.or(budget.money_micros),
            wall_ms: budget.node.wall_ms,
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
    /// Their sub-questions, in the same order.
    #[serde(default)]
    pub parent_questions: Vec<String>,
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
    /// What the writer may spend.
    #[serde(default)]
    pub allowance: Allowance,
}
