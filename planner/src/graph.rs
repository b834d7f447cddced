//! The question graph: what is asked, what waits for what, and what was found.
//!
//! An edge runs from the node that waits to the node it waits for. Nodes and edges are never
//! removed, so numbers stay valid and no finding is lost: a pruned node keeps its place, and a
//! finding that is replaced moves to [`QuestionGraph::superseded`].
//!
//! Nothing here decides what to run or when: that is [`crate::Planner`].

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use indago_core::{
    Budget, Dependency, EditRefused, Finding, GraphEdit, GraphView, NodeId, NodeState, StopReason,
    SubQuestion,
};
use petgraph::Direction::{Incoming, Outgoing};
use petgraph::stable_graph::{NodeIndex, StableDiGraph};
use petgraph::visit::EdgeRef;

use crate::question::{MAX_QUESTION_BYTES, question_key, tidy_reason};

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
    /// Nodes on the longest chain that still waits for this one, itself included.
    rank: u32,
    reopened: u8,
    /// The rank under which it is listed among those that may start.
    listed: Option<u32>,
    /// Something it depends on was reopened while it ran: its finding will not stand.
    stale: bool,
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
    /// Nodes that may start, those with the longest remaining path first, then by number.
    startable: BTreeSet<(Reverse<u32>, NodeId)>,
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

    /// Applies an edit, or says why not and changes nothing. Gives the new node of
    /// [`GraphEdit::Add`].
    pub fn apply(&mut self, edit: GraphEdit) -> Result<Option<NodeId>, EditRefused> {
        if self.finished {
            return Err(EditRefused::Finished);
        }
        match edit {
            GraphEdit::Add {
                text,
                reason,
                depends_on,
            } => self.add(text, &reason, depends_on).map(Some),
            GraphEdit::Link(dependency) => self.link(dependency).map(|()| None),
            GraphEdit::Reword { node, text, reason } => {
                self.reword(node, text, &reason).map(|()| None)
            }
            GraphEdit::Prune { node, reason } => self.prune(node, &reason).map(|()| None),
            GraphEdit::Reopen { node, reason } => self.reopen(node, &reason).map(|()| None),
            GraphEdit::Finish { .. } => {
                self.close();
                Ok(None)
            }
        }
    }

    /// Ends planning: what has not begun is pruned, what was to run again keeps its last finding.
    /// The root stays as it is until [`QuestionGraph::conclude`].
    pub fn close(&mut self) {
        self.finished = true;
        for index in self.graph.node_indices().collect::<Vec<_>>() {
            let node = &self.graph[index];
            let next = match (node.question.state, &node.question.finding) {
                (NodeState::Reopened, Some(finding)) => settled_state(finding),
                (NodeState::Proposed | NodeState::Ready | NodeState::Reopened, _)
                    if node.question.id != ROOT =>
                {
                    NodeState::Pruned
                }
                _ => continue,
            };
            self.set_state(index, next);
        }
    }

    /// Gives the root its final state, where no searcher gave it one.
    pub fn conclude(&mut self, answered: bool) {
        let root = NodeIndex::new(0);
        if !is_settled(self.graph[root].question.state) {
            let state = if answered {
                NodeState::Answered
            } else {
                NodeState::Unanswerable
            };
            self.set_state(root, state);
        }
    }

    /// A searcher takes the node.
    pub fn start(&mut self, node: NodeId) -> Result<(), EditRefused> {
        let index = self.index(node)?;
        if !self.may_start(node) {
            return Err(self.wrong_state(index));
        }
        self.set_state(index, NodeState::Running);
        Ok(())
    }

    /// A searcher ended its work. A finding for a node that was pruned meanwhile is kept beside
    /// the plan; one that was built on a reopened node stands only until the node ran again.
    pub fn settle(&mut self, finding: Finding) -> Result<(), EditRefused> {
        let index = self.index(finding.node)?;
        let node = &mut self.graph[index];
        match node.question.state {
            NodeState::Running => {}
            NodeState::Pruned => {
                node.superseded.push(finding);
                return Ok(());
            }
            _ => return Err(self.wrong_state(index)),
        }
        let next = if std::mem::take(&mut node.stale) && !self.finished {
            NodeState::Reopened
        } else {
            settled_state(&finding)
        };
        if let Some(old) = node.question.finding.replace(finding) {
            node.superseded.push(old);
        }
        self.set_state(index, next);
        Ok(())
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

    /// Nodes on the longest chain that still waits for `node`, itself included; 0 for no node.
    pub fn rank(&self, node: NodeId) -> u32 {
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

    fn add(
        &mut self,
        text: String,
        reason: &str,
        mut depends_on: Vec<NodeId>,
    ) -> Result<NodeId, EditRefused> {
        let key = Self::check_text(&text)?;
        if let Some(&twin) = self.by_key.get(&key) {
            return Err(EditRefused::Duplicate(twin));
        }
        if self.graph.node_count() >= self.max_nodes as usize {
            return Err(EditRefused::NodeBudget(self.max_nodes));
        }
        depends_on.sort_unstable();
        depends_on.dedup();
        let mut depth = 0;
        for &on in &depends_on {
            let on = self.index(on)?;
            if self.graph[on].question.state == NodeState::Pruned {
                return Err(self.wrong_state(on));
            }
            depth = depth.max(self.graph[on].depth + 1);
        }
        if depth > self.max_depth {
            return Err(EditRefused::DepthBudget(self.max_depth));
        }
        let reason = tidy_reason(reason);
        let id = self.push(text, key, reason.clone());
        for on in depends_on {
            self.connect(id, on, reason.clone());
        }
        Ok(id)
    }

    fn push(&mut self, text: String, key: String, reason: String) -> NodeId {
        let id = NodeId(self.graph.node_count() as u32);
        self.by_key.insert(key.clone(), id);
        let state = NodeState::Ready;
        let question = SubQuestion {
            id,
            text,
            state,
            reason,
            finding: None,
        };
        self.graph.add_node(Node {
            question,
            key,
            waits: 0,
            depth: 0,
            rank: 1,
            reopened: 0,
            listed: None,
            stale: false,
            superseded: Vec::new(),
        });
        self.moves.push((id, state));
        self.n_waiting += 1;
        self.relist(NodeIndex::new(id.0 as usize));
        id
    }

    fn link(&mut self, dependency: Dependency) -> Result<(), EditRefused> {
        let Dependency { from, on, reason } = dependency;
        let (from_index, on_index) = (self.index(from)?, self.index(on)?);
        if !is_waiting(self.graph[from_index].question.state) {
            return Err(self.wrong_state(from_index));
        }
        if self.graph[on_index].question.state == NodeState::Pruned {
            return Err(self.wrong_state(on_index));
        }
        if self.graph.contains_edge(from_index, on_index) {
            return Ok(());
        }
        if petgraph::algo::has_path_connecting(&self.graph, on_index, from_index, None) {
            return Err(EditRefused::Cycle { from, on });
        }
        let deeper = self.depths_after(from_index, self.graph[on_index].depth + 1);
        // The root may wait for everything: its own place is not part of a chain of hops.
        if deeper
            .iter()
            .any(|(&node, &depth)| node != NodeIndex::new(0) && depth > self.max_depth)
        {
            return Err(EditRefused::DepthBudget(self.max_depth));
        }
        self.connect(from, on, tidy_reason(&reason));
        Ok(())
    }

    /// Depths that change when `from` gets depth `depth`: of itself and of what waits for it.
    fn depths_after(&self, from: NodeIndex, depth: u32) -> BTreeMap<NodeIndex, u32> {
        let mut changed = BTreeMap::new();
        let mut open = vec![(from, depth)];
        while let Some((index, depth)) = open.pop() {
            let known = changed
                .get(&index)
                .copied()
                .unwrap_or(self.graph[index].depth);
            if depth > known {
                changed.insert(index, depth);
                open.extend(
                    self.graph
                        .neighbors_directed(index, Incoming)
                        .map(|next| (next, depth + 1)),
                );
            }
        }
        changed
    }

    /// Adds an edge that is known to be sound, and what follows from it.
    fn connect(&mut self, from: NodeId, on: NodeId, reason: String) {
        let (from, on) = (
            NodeIndex::new(from.0 as usize),
            NodeIndex::new(on.0 as usize),
        );
        for (index, depth) in self.depths_after(from, self.graph[on].depth + 1) {
            self.graph[index].depth = depth;
        }
        self.graph.add_edge(from, on, reason);
        self.raise_rank(on, self.graph[from].rank + 1);
        if !is_settled(self.graph[on].question.state) {
            self.graph[from].waits += 1;
            self.relist(from);
            if self.graph[from].question.state == NodeState::Ready {
                self.set_state(from, NodeState::Proposed);
            }
        }
    }

    /// The remaining path through `index` has at least `rank` nodes; so have its dependencies' one
    /// more each. Ranks only grow: after a prune they may overstate, which costs order, not truth.
    fn raise_rank(&mut self, index: NodeIndex, rank: u32) {
        let mut open = vec![(index, rank)];
        while let Some((index, rank)) = open.pop() {
            if rank > self.graph[index].rank {
                self.graph[index].rank = rank;
                self.relist(index);
                open.extend(
                    self.graph
                        .neighbors_directed(index, Outgoing)
                        .map(|next| (next, rank + 1)),
                );
            }
        }
    }

    fn reword(&mut self, node: NodeId, text: String, reason: &str) -> Result<(), EditRefused> {
        let index = self.index(node)?;
        if node == ROOT || !is_waiting(self.graph[index].question.state) {
            return Err(self.wrong_state(index));
        }
        let key = Self::check_text(&text)?;
        if let Some(&twin) = self.by_key.get(&key)
            && twin != node
        {
            return Err(EditRefused::Duplicate(twin));
        }
        let weight = &mut self.graph[index];
        let old_key = std::mem::replace(&mut weight.key, key.clone());
        weight.question.text = text;
        weight.question.reason = tidy_reason(reason);
        self.by_key.remove(&old_key);
        self.by_key.insert(key, node);
        Ok(())
    }

    fn prune(&mut self, node: NodeId, reason: &str) -> Result<(), EditRefused> {
        let index = self.index(node)?;
        let state = self.graph[index].question.state;
        let may = is_waiting(state) || state == NodeState::Running;
        if node == ROOT || !may {
            return Err(self.wrong_state(index));
        }
        let weight = &mut self.graph[index];
        weight.question.reason = tidy_reason(reason);
        weight.stale = false;
        let key = weight.key.clone();
        self.by_key.remove(&key);
        self.set_state(index, NodeState::Pruned);
        Ok(())
    }

    fn reopen(&mut self, node: NodeId, reason: &str) -> Result<(), EditRefused> {
        let index = self.index(node)?;
        let weight = &mut self.graph[index];
        if !matches!(
            weight.question.state,
            NodeState::Answered | NodeState::Unanswerable
        ) {
            return Err(self.wrong_state(index));
        }
        if weight.reopened >= MAX_REOPENS {
            return Err(EditRefused::Disputed {
                node,
                times: u32::from(weight.reopened),
            });
        }
        weight.reopened += 1;
        weight.question.reason = tidy_reason(reason);
        self.set_state(index, NodeState::Reopened);
        Ok(())
    }

    /// Brings the list of nodes that may start up to date with one node.
    fn relist(&mut self, index: NodeIndex) {
        let id = id_of(index);
        let wanted = self.may_start(id).then(|| self.graph[index].rank);
        let listed = std::mem::replace(&mut self.graph[index].listed, wanted);
        if listed != wanted {
            if let Some(rank) = listed {
                self.startable.remove(&(Reverse(rank), id));
            }
            if let Some(rank) = wanted {
                self.startable.insert((Reverse(rank), id));
            }
        }
    }

    /// Changes a state, and what follows from it for the nodes that wait.
    fn set_state(&mut self, index: NodeIndex, state: NodeState) {
        let mut open = vec![(index, state)];
        while let Some((index, state)) = open.pop() {
            let before = self.graph[index].question.state;
            if before == state {
                continue;
            }
            self.graph[index].question.state = state;
            self.moves.push((id_of(index), state));
            self.n_waiting -= u32::from(is_waiting(before));
            self.n_waiting += u32::from(is_waiting(state));
            self.relist(index);
            let (was, is) = (is_settled(before), is_settled(state));
            if was == is {
                continue;
            }
            for waiting in self.dependents_of(index) {
                let node = &mut self.graph[waiting];
                if is {
                    node.waits = node.waits.saturating_sub(1);
                    if node.waits == 0 && node.question.state == NodeState::Proposed {
                        open.push((waiting, NodeState::Ready));
                    }
                } else {
                    node.waits += 1;
                    match node.question.state {
                        NodeState::Ready => open.push((waiting, NodeState::Proposed)),
                        NodeState::Answered | NodeState::Unanswerable => {
                            open.push((waiting, NodeState::Reopened));
                        }
                        NodeState::Running => node.stale = true,
                        NodeState::Proposed | NodeState::Reopened | NodeState::Pruned => {}
                    }
                }
                self.relist(waiting);
            }
        }
    }

    /// In order of number, so that moves are reported in one order.
    fn dependents_of(&self, index: NodeIndex) -> Vec<NodeIndex> {
        let mut nodes: Vec<_> = self
            .graph
            .edges_directed(index, Incoming)
            .map(|edge| edge.source())
            .collect();
        nodes.sort_unstable();
        nodes
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

    fn check_text(text: &str) -> Result<String, EditRefused> {
        if text.len() > MAX_QUESTION_BYTES {
            return Err(EditRefused::QuestionTooLong {
                bytes: text.len(),
                most: MAX_QUESTION_BYTES,
            });
        }
        let key = question_key(text);
        if key.is_empty() {
            Err(EditRefused::EmptyQuestion)
        } else {
            Ok(key)
        }
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

/// A finding that carries evidence answers; any other ends the work without an answer.
fn settled_state(finding: &Finding) -> NodeState {
    if finding.claims.is_empty() {
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
fn is_waiting(state: NodeState) -> bool {
    matches!(
        state,
        NodeState::Proposed | NodeState::Ready | NodeState::Reopened
    )
}

fn id_of(index: NodeIndex) -> NodeId {
    NodeId(index.index() as u32)
}
