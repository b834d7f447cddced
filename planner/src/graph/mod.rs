//! The question graph: what is asked, what waits for what, and what was found.
//!
//! An edge runs from the node that waits to the node it waits for. Nodes and edges are never
//! removed, so numbers stay valid and no finding is lost: a pruned node keeps its place, and a
//! finding that is replaced moves to [`QuestionGraph::superseded`].
//!
//! Nothing here decides what to run or when: that is [`crate::Planner`].

mod edits;
mod states;

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

use indago_core::{
    Budget, Dependency, EditRefused, Finding, GraphView, NodeId, NodeState, StopReason, SubQuestion,
};
use petgraph::Direction::{Incoming, Outgoing};
use petgraph::stable_graph::{NodeIndex, StableDiGraph};

use crate::estimate::Costs;
use crate::question::question_key;

/// How often one node may be reopened. A node that was contradicted more often is disputed; asking
/// again would oscillate, so both findings are kept and shown (card A4 freezes after two flips).
pub const MAX_REOPENS: u8 = 2;

/// The question itself.
pub const ROOT: NodeId = NodeId(0);

#[derive(Clone, Debug)]
struct Node {
    question: SubQuestion,
    key: String,
    /// Dependencies whose work has not ended.
    waits: u32,
    /// Longest chain of dependencies below this node.
    depth: u32,
    /// Expected milliseconds of the longest chain that still waits for this one, itself included.
    rank: u64,
    reopened: u8,
    /// The rank under which it is listed among those that may start.
    listed: Option<u64>,
    /// Something it depends on was reopened while it ran: its finding may not stand.
    stale: bool,
    /// It is reopened only because something it was built on is; see `built_on`.
    doubted: bool,
    /// Counts findings that differ from the one before.
    version: u32,
    /// What it depended on when it started, with the versions of their findings.
    built_on: Vec<(NodeId, u32)>,
    superseded: Vec<Finding>,
}

/// The sub-questions of one run.
#[derive(Clone, Debug)]
pub struct QuestionGraph {
    graph: StableDiGraph<Node, String>,
    /// From what duplicates share to the node that asks it. Pruned nodes are not in here.
    by_key: HashMap<String, NodeId>,
    max_nodes: u32,
    max_depth: u32,
    finished: bool,
    moves: Vec<(NodeId, NodeState)>,
    doubts: Vec<(NodeId, NodeId)>,
    costs: Costs,
    /// Nodes that may start, those with the longest remaining path first, then by number.
    startable: BTreeSet<(Reverse<u64>, NodeId)>,
    /// Nodes that have not begun or are to begin again.
    n_waiting: u32,
}

impl QuestionGraph {
    /// A graph that holds only the question, as node 0, ready to run.
    pub fn new(question: impl Into<String>, budget: &Budget) -> Self {
        let mut this = Self {
            graph: StableDiGraph::new(),
            by_key: HashMap::new(),
            max_nodes: budget.nodes.max(1),
            max_depth: budget.depth,
            finished: false,
            moves: Vec::new(),
            doubts: Vec::new(),
            costs: Costs::default(),
            startable: BTreeSet::new(),
            n_waiting: 0,
        };
        let question = question.into();
        let key = question_key(&question);
        this.push(question, key, "the question".into());
        this
    }

    /// Replaces the limits on nodes and depth. What is in the graph stays, even beyond them.
    pub(crate) fn set_limits(&mut self, budget: &Budget) {
        self.max_nodes = budget.nodes.max(1);
        self.max_depth = budget.depth;
    }

    /// Whether the node waits for nothing and nobody works on it.
    pub fn may_start(&self, node: NodeId) -> bool {
        self.graph
            .node_weight(NodeIndex::new(node.0 as usize))
            .is_some_and(|n| {
                n.waits == 0
                    && (n.question.state == NodeState::Ready
                        || (n.question.state == NodeState::Reopened && !self.finished))
            })
    }

    /// Nodes that may start, those with the longest remaining path first, then by number.
    pub fn startable(&self) -> impl Iterator<Item = NodeId> {
        self.startable.iter().map(|(_, node)| *node)
    }

    /// How many nodes have not begun or are to begin again.
    pub fn waiting(&self) -> u32 {
        self.n_waiting
    }

    /// The node, if it exists.
    pub fn node(&self, node: NodeId) -> Option<&SubQuestion> {
        self.graph
            .node_weight(NodeIndex::new(node.0 as usize))
            .map(|n| &n.question)
    }

    /// All nodes in order of creation.
    pub fn nodes(&self) -> impl Iterator<Item = &SubQuestion> {
        self.graph.node_weights().map(|n| &n.question)
    }

    /// Nodes that `node` waits for, in order of number.
    pub fn dependencies(&self, node: NodeId) -> Vec<NodeId> {
        self.neighbours(node, Outgoing)
    }

    /// Nodes that wait for `node`, in order of number.
    pub fn dependents(&self, node: NodeId) -> Vec<NodeId> {
        self.neighbours(node, Incoming)
    }

    /// Findings that were replaced, or that arrived after their node was pruned, oldest first.
    pub fn superseded(&self, node: NodeId) -> &[Finding] {
        self.graph
            .node_weight(NodeIndex::new(node.0 as usize))
            .map_or(&[], |n| n.superseded.as_slice())
    }

    /// Expected milliseconds of the longest chain that still waits for `node`, itself included; 0
    /// for no node.
    pub fn rank(&self, node: NodeId) -> u64 {
        self.graph
            .node_weight(NodeIndex::new(node.0 as usize))
            .map_or(0, |n| n.rank)
    }

    /// Number of nodes, pruned ones included.
    pub fn len(&self) -> usize {
        self.graph.node_count()
    }

    /// Never: the question itself is always there.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Whether planning has ended.
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    /// State changes since the last call, in order.
    pub fn take_moves(&mut self) -> Vec<(NodeId, NodeState)> {
        std::mem::take(&mut self.moves)
    }

    /// Nodes whose finding stands on one that was reopened since the last call, each with that one.
    pub fn take_doubts(&mut self) -> Vec<(NodeId, NodeId)> {
        std::mem::take(&mut self.doubts)
    }

    /// The node that asks the same as `text` by its words; pruned ones ask nothing.
    pub fn twin(&self, text: &str) -> Option<NodeId> {
        self.by_key.get(&question_key(text)).copied()
    }

    /// A snapshot: nodes and edges in order of creation.
    pub fn view(&self) -> GraphView {
        GraphView {
            nodes: self.nodes().cloned().collect(),
            edges: self
                .graph
                .edge_indices()
                .filter_map(|edge| {
                    let (from, on) = self.graph.edge_endpoints(edge)?;
                    Some(Dependency {
                        from: id_of(from),
                        on: id_of(on),
                        reason: self.graph[edge].clone(),
                    })
                })
                .collect(),
        }
    }

    fn neighbours(&self, node: NodeId, direction: petgraph::Direction) -> Vec<NodeId> {
        let index = NodeIndex::new(node.0 as usize);
        let mut nodes: Vec<_> = self
            .graph
            .neighbors_directed(index, direction)
            .map(id_of)
            .collect();
        nodes.sort_unstable();
        nodes
    }

    fn index(&self, node: NodeId) -> Result<NodeIndex, EditRefused> {
        let index = NodeIndex::new(node.0 as usize);
        if self.graph.contains_node(index) {
            Ok(index)
        } else {
            Err(EditRefused::UnknownNode(node))
        }
    }

    fn wrong_state(&self, index: NodeIndex) -> EditRefused {
        EditRefused::WrongState {
            node: id_of(index),
            state: self.graph[index].question.state,
        }
    }
}

/// A finding that carries evidence answers; any other ends the work without an answer. What the
/// searcher itself calls not found is only the nearest that there is.
fn settled_state(finding: &Finding) -> NodeState {
    if finding.claims.is_empty() || finding.stop == StopReason::NothingFound {
        NodeState::Unanswerable
    } else {
        NodeState::Answered
    }
}

/// A finding for work that failed.
pub(crate) fn failed_finding(node: NodeId, reason: String, stop: StopReason) -> Finding {
    Finding {
        node,
        answer: None,
        claims: Vec::new(),
        confidence: 0.0,
        bridges: Vec::new(),
        open: vec![reason],
        tried: Vec::new(),
        rounds: 0,
        stop,
    }
}

/// Nothing more will come from it.
fn is_settled(state: NodeState) -> bool {
    matches!(
        state,
        NodeState::Answered | NodeState::Unanswerable | NodeState::Pruned
    )
}

/// Not begun, or to begin again.
pub(crate) fn is_waiting(state: NodeState) -> bool {
    matches!(
        state,
        NodeState::Proposed | NodeState::Ready | NodeState::Reopened
    )
}

fn id_of(index: NodeIndex) -> NodeId {
    NodeId(index.index() as u32)
}
