//! A node of the question graph: what events and the journal tell of it.

use indago_core::{Finding, NodeId, NodeState};
use serde::{Deserialize, Serialize};

use crate::tui::model::scroll::Recent;

/// Entries of one node's trail that are kept.
pub(super) const MAX_TRAIL: usize = 120;

/// What a line of log or trail is about; decides its sign and colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// A decision of the plan.
    Plan,
    /// A node changed state.
    State(NodeState),
    /// A query.
    Search,
    /// A quote.
    Quote,
    /// Refused, dropped, rejected.
    Rejected,
    /// A person's doing.
    Steered,
    /// Worth a look.
    Warning,
    /// Everything else.
    Note,
}

/// A line of log or trail.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    /// Number of the event.
    pub(crate) seq: u64,
    /// Milliseconds since the run began.
    pub(crate) after_ms: u64,
    /// The node it is about.
    pub(crate) node: Option<NodeId>,
    /// What it is about.
    pub(crate) tone: Tone,
    /// In words, cleaned.
    pub(crate) text: String,
}

/// A hit that a node's search read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ReadHit {
    /// Title and place of the passage, cleaned.
    pub(crate) source: String,
    /// Rank and score from each retriever, in words.
    pub(crate) why: String,
    /// Whether the finding quotes it.
    pub(crate) is_quoted: bool,
}

/// What the journal holds of a node beyond its events.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Detail {
    /// Its finding.
    pub(crate) finding: Option<Finding>,
    /// What its search found, best first.
    pub(crate) hits: Vec<ReadHit>,
    /// Hits beyond those.
    pub(crate) more_hits: usize,
}

/// A model's call that is under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Call {
    /// Who is asked for what, cleaned.
    pub(crate) title: String,
    /// The end of what it has written, cleaned.
    pub(crate) text: String,
}

/// A node of the graph.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// Its words, cleaned.
    pub(crate) text: String,
    /// Where it stands.
    pub(crate) state: NodeState,
    /// Why it is there, cleaned.
    pub(crate) reason: String,
    /// Rounds of search.
    pub(crate) rounds: u32,
    /// Queries sent.
    pub(crate) queries: u32,
    /// Passages nobody had seen before.
    pub(crate) passages: u32,
    /// Quotes chosen.
    pub(crate) quotes: u32,
    /// Calls of models made for it.
    pub(crate) calls: u32,
    /// Tokens that those read and wrote.
    pub(crate) tokens: u64,
    /// Milliseconds from the run's beginning to the start of its search and to its end.
    pub(crate) started_ms: Option<u64>,
    /// See `started_ms`.
    pub(crate) ended_ms: Option<u64>,
    /// What happened to it.
    pub(crate) trail: Recent<Entry>,
    /// What the journal has of it, once it was asked for.
    pub(crate) detail: Option<Detail>,
    /// Whether it was asked for.
    pub(crate) is_asked: bool,
}

impl Node {
    pub(super) fn new(text: String, reason: String) -> Self {
        Self {
            text,
            state: NodeState::Proposed,
            reason,
            rounds: 0,
            queries: 0,
            passages: 0,
            quotes: 0,
            calls: 0,
            tokens: 0,
            started_ms: None,
            ended_ms: None,
            trail: Recent::new(MAX_TRAIL),
            detail: None,
            is_asked: false,
        }
    }

    /// Its short answer.
    pub(crate) fn answer(&self) -> Option<&str> {
        let finding = self.detail.as_ref()?.finding.as_ref()?;
        finding.answer.as_ref().map(|answer| answer.text.as_str())
    }

    /// Its finding's confidence.
    pub(crate) fn confidence(&self) -> Option<f32> {
        Some(self.detail.as_ref()?.finding.as_ref()?.confidence)
    }

    /// Whether work on it has ended.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.state, NodeState::Answered | NodeState::Unanswerable)
    }
}
