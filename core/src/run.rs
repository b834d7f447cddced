//! Runs: their states, budgets, spending, and the events they leave behind.

use serde::{Deserialize, Serialize};

use crate::{EditRefused, GraphEdit, NodeId, NodeState, PassageId};

/// Where a run stands. A contract: shown by `indago runs` and in `--json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Its host process is alive and works on it.
    Running,
    /// Its report is written.
    Finished,
    /// It was ended before its report was complete, on purpose.
    Stopped,
    /// Its host process is gone; it can be resumed.
    Interrupted,
}

/// Why work on a run or a sub-question ended. A contract: shown in every report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// The evidence answers the question.
    Answered,
    /// A budget ran out.
    Budget,
    /// Further rounds brought nothing new.
    NoProgress,
    /// The corpus holds no evidence.
    NothingFound,
    /// Cancelled from outside.
    Cancelled,
    /// The user asked for a report of what there is.
    FinishedEarly,
    /// It could not go on; the events say why.
    Failed,
}

/// What a run may spend. Every limit is inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// Sub-questions in the graph, the root included.
    pub nodes: u32,
    /// Longest chain of dependencies.
    pub depth: u32,
    /// Rounds of search per sub-question.
    pub rounds: u32,
    /// Retrieval queries of the whole run.
    pub queries: u32,
    /// Documents the report may stand on.
    pub sources: u32,
    /// Wall time of the whole run, in milliseconds; `None` is unlimited.
    pub wall_ms: Option<u64>,
}

/// What was spent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Retrieval queries sent.
    pub queries: u64,
    /// Passages read.
    pub passages: u64,
    /// Rounds of search, summed over sub-questions.
    pub rounds: u64,
    /// Language-model calls.
    pub lm_calls: u64,
    /// Language-model tokens in and out.
    pub lm_tokens: u64,
    /// Wall time in milliseconds.
    pub wall_ms: u64,
}

impl std::ops::AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.queries += other.queries;
        self.passages += other.passages;
        self.rounds += other.rounds;
        self.lm_calls += other.lm_calls;
        self.lm_tokens += other.lm_tokens;
        self.wall_ms += other.wall_ms;
    }
}

/// One fact about a run. The journal stores them in order; the interfaces draw them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The run began.
    Started {
        /// The question.
        question: String,
        /// The corpus asked.
        corpus: String,
    },
    /// An edit was applied.
    Edited {
        /// The edit.
        edit: GraphEdit,
        /// The node it made, for [`GraphEdit::Add`].
        node: Option<NodeId>,
    },
    /// An edit was refused.
    Refused {
        /// The edit.
        edit: GraphEdit,
        /// Why.
        reason: EditRefused,
    },
    /// A node changed state.
    Moved {
        /// Which node.
        node: NodeId,
        /// Its new state.
        state: NodeState,
    },
    /// A searcher sent queries.
    Searched {
        /// For which node.
        node: NodeId,
        /// Round, from 1.
        round: u32,
        /// The queries.
        queries: Vec<String>,
        /// Passages seen for the first time in this run.
        new_passages: u32,
    },
    /// A searcher chose a quote.
    Quoted {
        /// For which node.
        node: NodeId,
        /// From which passage.
        passage: PassageId,
        /// The quote's text.
        text: String,
    },
    /// The verifier dropped a claim.
    Dropped {
        /// The claim's text.
        claim: String,
        /// Why it did not survive.
        reason: String,
    },
    /// Something the reader of the report should know.
    Warned {
        /// In words.
        message: String,
    },
    /// The report was written.
    Reported {
        /// Claims in it.
        claims: u32,
        /// Sources it stands on.
        sources: u32,
    },
    /// The run ended.
    Ended {
        /// Why.
        reason: StopReason,
    },
}
