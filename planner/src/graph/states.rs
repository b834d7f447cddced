//! What follows from a change of state.
//!
//! A node that is reopened puts in doubt what was built on it (RetroRAG, card A4): nodes that have
//! a finding are reopened with it, nodes under way are marked. They run again only if the new
//! finding differs; otherwise their own is restored.

use std::cmp::Reverse;

use indago_core::{EditRefused, Finding, NodeId, NodeState};
use petgraph::Direction::{Incoming, Outgoing};
use petgraph::stable_graph::NodeIndex;
use petgraph::visit::EdgeRef;

use super::{QuestionGraph, ROOT, id_of, is_settled, is_waiting, settled_state};
use crate::estimate::Costs;

impl QuestionGraph {
    /// A searcher takes the node.
    pub fn start(&mut self, node: NodeId) -> Result<(), EditRefused> {
        let index = self.index(node)?;
        if !self.may_start(node) {
            return Err(self.wrong_state(index));
        }
        let built_on = self.foundations(index);
        let node = &mut self.graph[index];
        node.built_on = built_on;
        node.doubted = false;
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
        let mut next = settled_state(&finding);
        match node.question.finding.replace(finding) {
            Some(old) => {
                let same = node
                    .question
                    .finding
                    .as_ref()
                    .is_some_and(|new| new.answer == old.answer && new.claims == old.claims);
                node.version += u32::from(!same);
                node.superseded.push(old);
            }
            None => node.version += 1,
        }
        if std::mem::take(&mut node.stale) && !self.finished && !self.stands(index) {
            next = NodeState::Reopened;
            self.graph[index].doubted = true;
        }
        self.set_state(index, next);
        Ok(())
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

    /// The remaining path through `index` takes at least `rank`; those of its dependencies so much
    /// more as they cost. Ranks only grow: after a prune they may overstate until
    /// [`QuestionGraph::reweigh`], which costs order, not truth.
    pub(super) fn raise_rank(&mut self, index: NodeIndex, rank: u64) {
        let mut open = vec![(index, rank)];
        while let Some((index, rank)) = open.pop() {
            if rank > self.graph[index].rank {
                self.graph[index].rank = rank;
                self.relist(index);
                open.extend(
                    self.graph
                        .neighbors_directed(index, Outgoing)
                        .map(|next| (next, rank + self.costs.of(id_of(next)))),
                );
            }
        }
    }

    /// Brings the list of nodes that may start up to date with one node.
    pub(super) fn relist(&mut self, index: NodeIndex) {
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
    pub(super) fn set_state(&mut self, index: NodeIndex, state: NodeState) {
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
                    } else if node.waits == 0
                        && node.question.state == NodeState::Reopened
                        && node.doubted
                        && self.stands(waiting)
                        && let Some(finding) = &self.graph[waiting].question.finding
                    {
                        open.push((waiting, settled_state(finding)));
                    }
                } else {
                    node.waits += 1;
                    match node.question.state {
                        NodeState::Ready => open.push((waiting, NodeState::Proposed)),
                        NodeState::Answered | NodeState::Unanswerable => {
                            node.doubted = true;
                            self.doubts.push((id_of(waiting), id_of(index)));
                            open.push((waiting, NodeState::Reopened));
                        }
                        NodeState::Running => {
                            node.stale = true;
                            self.doubts.push((id_of(waiting), id_of(index)));
                        }
                        NodeState::Proposed | NodeState::Reopened | NodeState::Pruned => {}
                    }
                }
                self.relist(waiting);
            }
        }
    }

    /// Sets what nodes are expected to cost and orders by it.
    pub fn reweigh(&mut self, costs: Costs) {
        self.costs = costs;
        let Ok(order) = petgraph::algo::toposort(&self.graph, None) else {
            // Edits keep it acyclic.
            return;
        };
        // Edges run from who waits to what is waited for: those who wait come first.
        for index in order {
            let after = self
                .graph
                .neighbors_directed(index, Incoming)
                .filter(|who| !is_settled(self.graph[*who].question.state))
                .map(|who| self.graph[who].rank)
                .max()
                .unwrap_or(0);
            self.graph[index].rank = after + costs.of(id_of(index));
            self.relist(index);
        }
    }

    /// What the node depends on, with the versions of their findings.
    fn foundations(&self, index: NodeIndex) -> Vec<(NodeId, u32)> {
        let mut on: Vec<_> = self
            .graph
            .neighbors_directed(index, Outgoing)
            .map(|on| (id_of(on), self.graph[on].version))
            .collect();
        on.sort_unstable();
        on
    }

    /// Whether everything the node was built on is settled and says what it said then.
    fn stands(&self, index: NodeIndex) -> bool {
        let node = &self.graph[index];
        node.waits == 0
            && node.question.finding.is_some()
            && node.built_on == self.foundations(index)
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
}
