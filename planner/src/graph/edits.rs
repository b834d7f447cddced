//! The edits and what makes them invalid.

use std::collections::BTreeMap;

use indago_core::{Dependency, EditRefused, GraphEdit, NodeId, NodeState, SubQuestion};
use petgraph::Direction::Incoming;
use petgraph::stable_graph::NodeIndex;

use super::{MAX_REOPENS, Node, QuestionGraph, ROOT, id_of, is_settled, is_waiting};
use crate::question::{MAX_QUESTION_BYTES, question_key, tidy_reason};

impl QuestionGraph {
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

    pub(super) fn push(&mut self, text: String, key: String, reason: String) -> NodeId {
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
            rank: self.costs.of(id),
            reopened: 0,
            listed: None,
            stale: false,
            doubted: false,
            version: 0,
            built_on: Vec::new(),
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
        // A path back ends in an edge to `from`: most often there is none, as nothing waits for it.
        let is_waited_for = self
            .graph
            .neighbors_directed(from_index, Incoming)
            .next()
            .is_some();
        if from == on
            || (is_waited_for
                && petgraph::algo::has_path_connecting(&self.graph, on_index, from_index, None))
        {
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
        self.raise_rank(on, self.graph[from].rank + self.costs.of(id_of(on)));
        if !is_settled(self.graph[on].question.state) {
            self.graph[from].waits += 1;
            self.relist(from);
            if self.graph[from].question.state == NodeState::Ready {
                self.set_state(from, NodeState::Proposed);
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
        weight.doubted = false;
        weight.version += 1;
        let key = weight.key.clone();
        self.by_key.remove(&key);
        self.set_state(index, NodeState::Pruned);
        Ok(())
    }

    fn reopen(&mut self, node: NodeId, reason: &str) -> Result<(), EditRefused> {
        let index = self.index(node)?;
        let weight = &mut self.graph[index];
        let may = match weight.question.state {
            NodeState::Answered | NodeState::Unanswerable => true,
            // It would be restored if what it stands on came out the same: now it will run.
            NodeState::Reopened => weight.doubted,
            _ => false,
        };
        if !may {
            return Err(self.wrong_state(index));
        }
        if weight.reopened >= MAX_REOPENS {
            return Err(EditRefused::Disputed {
                node,
                times: u32::from(weight.reopened),
            });
        }
        weight.reopened += 1;
        weight.doubted = false;
        weight.question.reason = tidy_reason(reason);
        self.set_state(index, NodeState::Reopened);
        Ok(())
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
}
