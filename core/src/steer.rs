//! What somebody outside asks of a running plan. Needed by `planner`, which obeys, and by
//! `workflows`, which carries it between processes and records it.

use serde::{Deserialize, Serialize};

use crate::{Budget, DocumentId, GraphEdit, NodeId};

/// What somebody outside asks of a running plan. Recorded with the run, so that a resumed or
/// replayed run is steered the same way again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "steer", rename_all = "snake_case")]
pub enum Steering {
    /// Change the plan; every edit is validated like the policy's.
    Edit {
        /// In order.
        edits: Vec<GraphEdit>,
    },
    /// Start nothing more until [`Steering::Resume`]; what runs goes on.
    Pause,
    /// Go on after a pause.
    Resume,
    /// Write the report from what there is.
    FinishNow,
    /// End without a report.
    Cancel,
    /// Go on with what waits for a person's consent: the plan as it stands.
    Approve,
    /// Say how the question is meant, in answer to [`Event::Clarifying`](crate::Event::Clarifying).
    Clarify {
        /// One of the readings offered, or another in free words.
        reading: String,
    },
    /// Change what the run may spend from now on.
    SetBudget {
        /// Limits that are given replace the run's; the others stay.
        change: BudgetChange,
    },
    /// Use nothing more from a document, and look again for what stands on it.
    Distrust {
        /// Which document.
        document: DocumentId,
        /// Why.
        reason: String,
    },
    /// Ask a further question on top of what is found.
    FollowUp {
        /// In words.
        question: String,
    },
}

/// Limits to replace. `None` leaves a limit as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BudgetChange {
    /// Sub-questions in the graph.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nodes: Option<u32>,
    /// Longest chain of dependencies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depth: Option<u32>,
    /// Rounds of search per sub-question.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rounds: Option<u32>,
    /// Retrieval queries of the whole run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queries: Option<u32>,
    /// Documents the report may stand on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sources: Option<u32>,
    /// Wall time of the whole run, in milliseconds; 0 takes the limit away, here and below.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wall_ms: Option<u64>,
    /// Language-model calls of the whole run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lm_calls: Option<u64>,
    /// Language-model tokens of the whole run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lm_tokens: Option<u64>,
    /// Money of the whole run, in millionths of a US dollar.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub money_micros: Option<u64>,
    /// Pages fetched by the whole run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pages: Option<u64>,
}

impl BudgetChange {
    /// The budget with these limits in place of its own.
    pub fn apply(self, budget: Budget) -> Budget {
        let limit = |change: Option<u64>, old: Option<u64>| {
            change.map_or(old, |limit| (limit > 0).then_some(limit))
        };
        Budget {
            nodes: self.nodes.unwrap_or(budget.nodes),
            depth: self.depth.unwrap_or(budget.depth),
            rounds: self.rounds.unwrap_or(budget.rounds),
            queries: self.queries.unwrap_or(budget.queries),
            sources: self.sources.unwrap_or(budget.sources),
            wall_ms: limit(self.wall_ms, budget.wall_ms),
            lm_calls: limit(self.lm_calls, budget.lm_calls),
            lm_tokens: limit(self.lm_tokens, budget.lm_tokens),
            money_micros: limit(self.money_micros, budget.money_micros),
            pages: limit(self.pages, budget.pages),
            ..budget
        }
    }

    /// Whether it changes nothing.
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }
}

/// A steering that can be told to make no sense before it is sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SteeringRefused {
    /// Nothing is asked.
    #[error("nothing is asked for: name at least one {0}")]
    Empty(String),
    /// More than anybody would type.
    #[error("{what} has {size} {unit}, at most {most} are accepted")]
    TooLarge {
        /// What is too large.
        what: String,
        /// Its size.
        size: usize,
        /// Unit of the size.
        unit: String,
        /// The limit.
        most: usize,
    },
}

/// Longest text of a steering, in bytes.
const MAX_TEXT_BYTES: usize = 20_000;

/// Most edits in one steering.
const MAX_EDITS: usize = 1_000;

impl Steering {
    /// Checks what can be checked without the plan. The plan validates the rest: an edit that does
    /// not fit it becomes an [`Event::Refused`](crate::Event::Refused).
    pub fn check(&self) -> Result<(), SteeringRefused> {
        let text = |what: &str, text: &str| {
            if text.trim().is_empty() {
                return Err(SteeringRefused::Empty(what.to_owned()));
            }
            if text.len() > MAX_TEXT_BYTES {
                return Err(SteeringRefused::TooLarge {
                    what: format!("the {what}"),
                    size: text.len(),
                    unit: "bytes".to_owned(),
                    most: MAX_TEXT_BYTES,
                });
            }
            Ok(())
        };
        match self {
            Self::Edit { edits } => {
                if edits.is_empty() {
                    return Err(SteeringRefused::Empty("edit".to_owned()));
                }
                if edits.len() > MAX_EDITS {
                    return Err(SteeringRefused::TooLarge {
                        what: "the list".to_owned(),
                        size: edits.len(),
                        unit: "edits".to_owned(),
                        most: MAX_EDITS,
                    });
                }
                edits.iter().try_for_each(|edit| match edit {
                    GraphEdit::Add { text: words, .. } | GraphEdit::Reword { text: words, .. } => {
                        text("question", words)
                    }
                    _ => Ok(()),
                })
            }
            Self::SetBudget { change } if change.is_empty() => {
                Err(SteeringRefused::Empty("limit".to_owned()))
            }
            Self::Distrust { document, .. } => text("document", document.as_str()),
            Self::FollowUp { question } => text("question", question),
            Self::Clarify { reading } => text("reading", reading),
            _ => Ok(()),
        }
    }

    /// One edit that adds a question.
    pub fn add(text: impl Into<String>, depends_on: Vec<NodeId>) -> Self {
        Self::Edit {
            edits: vec![GraphEdit::Add {
                text: text.into(),
                reason: BY_HAND.to_owned(),
                depends_on,
            }],
        }
    }

    /// One edit that gives a node other words.
    pub fn reword(node: NodeId, text: impl Into<String>) -> Self {
        Self::Edit {
            edits: vec![GraphEdit::Reword {
                node,
                text: text.into(),
                reason: BY_HAND.to_owned(),
            }],
        }
    }

    /// One edit that takes a node out.
    pub fn prune(node: NodeId) -> Self {
        Self::Edit {
            edits: vec![GraphEdit::Prune {
                node,
                reason: BY_HAND.to_owned(),
            }],
        }
    }

    /// One edit that sends an answered node back to work.
    pub fn reopen(node: NodeId) -> Self {
        Self::Edit {
            edits: vec![GraphEdit::Reopen {
                node,
                reason: BY_HAND.to_owned(),
            }],
        }
    }
}

/// The reason of edits that a person made.
const BY_HAND: &str = "asked for during the run";
