//! What the machine is told and what it asks for.

use indago_core::{Budget, Finding, GraphEdit, NodeId, Steering, StopReason, Usage};
use serde::{Deserialize, Serialize};

use crate::Share;

/// What the machine may do at once and when it gives up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// What the run may spend.
    pub budget: Budget,
    /// Sub-questions worked on at once, at least 1.
    pub parallel: u32,
    /// Nodes in a row that may end without a passage or name nobody had before; one more ends
    /// the run with [`StopReason::NoProgress`].
    pub stall: u32,
    /// Whether unpaid work is done ahead for nodes that still wait ([`Action::Speculate`]).
    #[serde(default)]
    pub speculate: bool,
    /// Whether nothing starts before somebody has approved the first plan ([`Steering::Approve`]).
    #[serde(default)]
    pub approve: bool,
}

impl Limits {
    /// What suits one question over one corpus on one machine.
    pub const STANDARD: Self = Self {
        budget: Budget::STANDARD,
        parallel: 8,
        stall: 6,
        speculate: false,
        approve: false,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::STANDARD
    }
}

/// A question that means the same as one in the graph, as an encoder sees it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alike {
    /// Place of the edit among those proposed, from 0.
    pub edit: usize,
    /// The node it resembles.
    pub node: NodeId,
    /// Cosine of their vectors.
    pub cosine: f32,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// The policy answered [`Action::AskPolicy`].
    ///
    /// Nodes that these edits add are numbered from the size of the graph the policy saw on, in
    /// the order of the edits; edits may refer to those numbers before the nodes exist. Where an
    /// addition is refused or merged, or the graph has grown meanwhile, the machine follows.
    Planned(Vec<GraphEdit>),
    /// As [`Fact::Planned`], with what looks alike.
    Proposed {
        /// In order.
        edits: Vec<GraphEdit>,
        /// At most one for each added question.
        alike: Vec<Alike>,
    },
    /// The policy failed; its turn counts as one without edits.
    PlanFailed(String),
    /// A searcher ended its work on a node.
    Finished {
        /// What it found.
        finding: Finding,
        /// What it spent.
        usage: Usage,
    },
    /// A searcher failed.
    Failed {
        /// On which node.
        node: NodeId,
        /// In words.
        reason: String,
    },
    /// Something outside of any search was spent: planning.
    Spent(Usage),
    /// Somebody outside asked for something.
    Steered(Steering),
    /// Time passed.
    Tick,
}

/// What the driver should do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Ask the plan policy, given the nodes that ended since it was last asked.
    AskPolicy {
        /// Empty at the first call.
        news: Vec<NodeId>,
    },
    /// Nobody waits for the policy any more.
    CancelPolicy,
    /// Start a searcher on the node. Listed most urgent first.
    Start {
        /// Which node.
        node: NodeId,
        /// What is reserved for it: what is left of the run's, divided among the nodes that still
        /// wait. Comes back when the node ends.
        share: Share,
    },
    /// Do unpaid work for a node that still waits, if nothing else wants the machine: its results
    /// are kept for when it starts, and change nothing else.
    Speculate(NodeId),
    /// Nobody needs the node's result any more.
    Cancel(NodeId),
    /// Write the report; then feed nothing more.
    Write {
        /// Why searching ended, where something else than the evidence ended it.
        stopped: Option<StopReason>,
        /// What the writer may spend: what was kept back and what is left.
        share: Share,
    },
    /// End without a report.
    Finish(StopReason),
}
