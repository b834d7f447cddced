//! Runs: their states, budgets, spending, and the events they leave behind.

use serde::{Deserialize, Serialize};

use crate::{EditRefused, GraphEdit, NodeId, NodeState, PassageId, Steering};

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

/// What a run may spend. Every limit is inclusive; `None` is unlimited.
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
    /// Wall time of the whole run, in milliseconds.
    pub wall_ms: Option<u64>,
    /// Language-model calls of the whole run.
    #[serde(default)]
    pub lm_calls: Option<u64>,
    /// Language-model tokens of the whole run, in and out.
    #[serde(default)]
    pub lm_tokens: Option<u64>,
    /// Money of the whole run, in millionths of a US dollar.
    #[serde(default)]
    pub money_micros: Option<u64>,
    /// Pages fetched by the whole run.
    #[serde(default)]
    pub pages: Option<u64>,
    /// What work on one sub-question may spend, whatever is left of the run's.
    #[serde(default)]
    pub node: NodeBudget,
}

impl Budget {
    /// What suits one question over one corpus on one machine.
    pub const STANDARD: Self = Self {
        nodes: 16,
        depth: 5,
        rounds: 4,
        queries: 96,
        sources: 10,
        wall_ms: None,
        lm_calls: None,
        lm_tokens: None,
        money_micros: None,
        pages: None,
        node: NodeBudget::STANDARD,
    };
}

impl Default for Budget {
    fn default() -> Self {
        Self::STANDARD
    }
}

/// What work on one sub-question may spend. Every limit is inclusive; `None` is unlimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NodeBudget {
    /// Retrieval queries.
    pub queries: Option<u64>,
    /// Language-model calls.
    pub lm_calls: Option<u64>,
    /// Language-model tokens, in and out.
    pub lm_tokens: Option<u64>,
    /// Money, in millionths of a US dollar.
    pub money_micros: Option<u64>,
    /// Pages fetched.
    pub pages: Option<u64>,
    /// Milliseconds from start to end: what takes longer is given up.
    pub wall_ms: Option<u64>,
}

impl NodeBudget {
    /// Ten minutes; only the run's own limits otherwise.
    pub const STANDARD: Self = Self {
        queries: None,
        lm_calls: None,
        lm_tokens: None,
        money_micros: None,
        pages: None,
        wall_ms: Some(600_000),
    };
}

impl Default for NodeBudget {
    fn default() -> Self {
        Self::STANDARD
    }
}

/// What may still be spent on language models. `None` is unlimited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Allowance {
    /// Calls.
    pub calls: Option<u64>,
    /// Tokens, in and out.
    pub tokens: Option<u64>,
    /// Millionths of a US dollar.
    pub money_micros: Option<u64>,
}

impl Allowance {
    /// What remains after `usage`.
    #[must_use]
    pub fn after(self, usage: &Usage) -> Self {
        let less = |limit: Option<u64>, spent: u64| limit.map(|limit| limit.saturating_sub(spent));
        Self {
            calls: less(self.calls, usage.lm_calls),
            tokens: less(self.tokens, usage.lm_tokens),
            money_micros: less(self.money_micros, usage.money_micros),
        }
    }
}

/// What budgets count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spend {
    /// Retrieval queries.
    Queries,
    /// Pages fetched.
    Pages,
    /// Language-model calls.
    LmCalls,
    /// Language-model tokens, in and out.
    LmTokens,
    /// Millionths of a US dollar.
    Money,
    /// Milliseconds.
    WallTime,
    /// Sub-questions.
    Nodes,
}

/// What was spent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Retrieval queries sent, each counted once however many retrievers answer it.
    pub queries: u64,
    /// Passages read.
    pub passages: u64,
    /// Rounds of search, summed over sub-questions.
    pub rounds: u64,
    /// Language-model calls.
    pub lm_calls: u64,
    /// Language-model tokens in and out.
    pub lm_tokens: u64,
    /// Of the tokens in, those whose state a server reused.
    #[serde(default)]
    pub lm_cached: u64,
    /// Money in millionths of a US dollar, as far as prices are known.
    #[serde(default)]
    pub money_micros: u64,
    /// Pages fetched.
    #[serde(default)]
    pub pages: u64,
    /// Wall time in milliseconds.
    pub wall_ms: u64,
}

impl std::ops::AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        // Saturating: figures from outside must not end a run.
        let add = |sum: &mut u64, more: u64| *sum = sum.saturating_add(more);
        add(&mut self.queries, other.queries);
        add(&mut self.passages, other.passages);
        add(&mut self.rounds, other.rounds);
        add(&mut self.lm_calls, other.lm_calls);
        add(&mut self.lm_tokens, other.lm_tokens);
        add(&mut self.lm_cached, other.lm_cached);
        add(&mut self.money_micros, other.money_micros);
        add(&mut self.pages, other.pages);
        add(&mut self.wall_ms, other.wall_ms);
    }
}

/// What a run is likely to spend, before it starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Estimate {
    /// Sub-questions expected, the root included.
    pub nodes: u32,
    /// What is expected.
    pub expected: Usage,
    /// What the budget allows at most, by the same costs of a call.
    pub most: Usage,
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
    /// The question asked was in the graph already in other words: no node was added.
    Merged {
        /// The edit.
        edit: GraphEdit,
        /// The node that asks the same.
        into: NodeId,
        /// How that was seen.
        reason: String,
    },
    /// A finding stands on one that is being asked again.
    Doubted {
        /// Whose finding.
        node: NodeId,
        /// The node that was reopened.
        on: NodeId,
        /// Why that one was reopened.
        reason: String,
    },
    /// What the run is likely to spend.
    Estimated {
        /// How much.
        estimate: Estimate,
    },
    /// Most of a budget is spent (from 80% on), or all of it (`spent` is at least `limit`).
    Spent {
        /// The sub-question whose own limit it is; `None` for a budget of the run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        node: Option<NodeId>,
        /// Which.
        what: Spend,
        /// How much.
        spent: u64,
        /// Of how much.
        limit: u64,
    },
    /// Unpaid calls were made before the node needed them.
    Speculated {
        /// Which node.
        node: NodeId,
        /// How many calls.
        calls: u32,
        /// How many of their results the node's search then used.
        used: u32,
    },
    /// Nothing more starts until it is resumed.
    Paused {
        /// Why.
        reason: String,
    },
    /// Work goes on after a pause.
    Resumed {},
    /// The question can be read in more than one way; somebody may say which.
    Clarifying {
        /// What is asked back.
        question: String,
        /// Readings to choose from.
        options: Vec<String>,
        /// The reading that is assumed when nobody answers.
        assumed: String,
    },
    /// How the question is read.
    Clarified {
        /// The reading.
        reading: String,
        /// Whether nobody answered, so that it was assumed.
        is_assumed: bool,
    },
    /// Somebody outside steered the run; what came of it follows.
    Steered {
        /// What was asked.
        steering: Steering,
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
    /// A language model was called, or its recorded answer was used again.
    Called {
        /// For which node; `None` for planning and writing.
        node: Option<NodeId>,
        /// What for: operator and round, such as `auto_rag/turn/2`.
        purpose: String,
        /// Which model, by its configured name.
        model: String,
        /// Tokens read.
        prompt: u64,
        /// Of these, tokens whose state was reused.
        cached: u64,
        /// Tokens written.
        completion: u64,
        /// Millionths of a US dollar, as far as prices are known.
        money_micros: u64,
        /// Why it failed, where it did.
        error: Option<String>,
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
