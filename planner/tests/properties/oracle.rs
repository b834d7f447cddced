//! The question graph as a plain state machine: vectors, nothing kept up to date, everything worked
//! out anew after each move until nothing changes any more. It shares no code with the graph but
//! what makes two questions the same.

use indago_core::{
    Budget, Dependency, EditRefused, Finding, GraphEdit, NodeId, NodeState, StopReason,
};
use indago_planner::{MAX_QUESTION_BYTES, MAX_REOPENS, QuestionGraph, question_key};

/// A node and the findings it ever had.
pub(crate) struct Node {
    text: String,
    pub(crate) state: NodeState,
    pub(crate) finding: Option<Finding>,
    pub(crate) superseded: Vec<Finding>,
    reopened: u8,
    /// Runs on a dependency that was reopened since.
    is_stale: bool,
    /// Reopened for the sake of a dependency, not for its own.
    is_doubted: bool,
    /// Grows with each finding that says something else.
    version: u32,
    /// Its dependencies when it started, with their versions.
    built_on: Vec<(usize, u32)>,
}

/// What the graph should be.
pub(crate) struct Oracle {
    pub(crate) nodes: Vec<Node>,
    /// Who waits, and for whom.
    edges: Vec<(usize, usize)>,
    is_finished: bool,
    budget: Budget,
}

type Refused = Result<(), EditRefused>;

impl Oracle {
    pub(crate) fn new(question: &str, budget: Budget) -> Self {
        let mut this = Self {
            nodes: Vec::new(),
            edges: Vec::new(),
            is_finished: false,
            budget,
        };
        this.push(question.to_owned());
        this
    }

    fn push(&mut self, text: String) {
        self.nodes.push(Node {
            text,
            state: NodeState::Ready,
            finding: None,
            superseded: Vec::new(),
            reopened: 0,
            is_stale: false,
            is_doubted: false,
            version: 0,
            built_on: Vec::new(),
        });
    }

    fn known(&self, node: NodeId) -> Result<usize, EditRefused> {
        let at = node.0 as usize;
        if at < self.nodes.len() {
            Ok(at)
        } else {
            Err(EditRefused::UnknownNode(node))
        }
    }

    fn wrong_state(&self, at: usize) -> EditRefused {
        EditRefused::WrongState {
            node: NodeId(at as u32),
            state: self.nodes[at].state,
        }
    }

    fn on(&self, at: usize) -> Vec<usize> {
        let mut on: Vec<usize> = self
            .edges
            .iter()
            .filter(|(from, _)| *from == at)
            .map(|(_, on)| *on)
            .collect();
        on.sort_unstable();
        on
    }

    fn is_blocked(&self, at: usize) -> bool {
        self.on(at)
            .into_iter()
            .any(|on| !has_ended(self.nodes[on].state))
    }

    fn depth(&self, at: usize) -> u32 {
        let below = self.on(at).into_iter().map(|on| self.depth(on) + 1);
        below.max().unwrap_or(0)
    }

    fn leads_to(&self, from: usize, to: usize) -> bool {
        from == to || self.on(from).into_iter().any(|on| self.leads_to(on, to))
    }

    fn foundations(&self, at: usize) -> Vec<(usize, u32)> {
        let on = self.on(at).into_iter();
        on.map(|on| (on, self.nodes[on].version)).collect()
    }

    pub(crate) fn may_start(&self, at: usize) -> bool {
        let state = self.nodes[at].state;
        !self.is_blocked(at)
            && (state == NodeState::Ready || (state == NodeState::Reopened && !self.is_finished))
    }

    fn asks(&self, text: &str, except: Option<usize>) -> Refused {
        if text.len() > MAX_QUESTION_BYTES {
            return Err(EditRefused::QuestionTooLong {
                bytes: text.len(),
                most: MAX_QUESTION_BYTES,
            });
        }
        let key = question_key(text);
        if key.is_empty() {
            return Err(EditRefused::EmptyQuestion);
        }
        let twin = self.nodes.iter().enumerate().find(|(at, node)| {
            Some(*at) != except
                && node.state != NodeState::Pruned
                && question_key(&node.text) == key
        });
        match twin {
            Some((at, _)) => Err(EditRefused::Duplicate(NodeId(at as u32))),
            None => Ok(()),
        }
    }

    pub(crate) fn apply(&mut self, edit: &GraphEdit) -> Refused {
        if self.is_finished {
            return Err(EditRefused::Finished);
        }
        match edit {
            GraphEdit::Add {
                text, depends_on, ..
            } => self.add(text, depends_on),
            GraphEdit::Link(dependency) => self.link(dependency),
            GraphEdit::Reword { node, text, .. } => {
                let at = self.known(*node)?;
                if at == 0 || !is_to_come(self.nodes[at].state) {
                    return Err(self.wrong_state(at));
                }
                self.asks(text, Some(at))?;
                self.nodes[at].text.clone_from(text);
                Ok(())
            }
            GraphEdit::Prune { node, .. } => {
                let at = self.known(*node)?;
                let state = self.nodes[at].state;
                if at == 0 || !(is_to_come(state) || state == NodeState::Running) {
                    return Err(self.wrong_state(at));
                }
                let node = &mut self.nodes[at];
                node.state = NodeState::Pruned;
                node.version += 1;
                (node.is_stale, node.is_doubted) = (false, false);
                Ok(())
            }
            GraphEdit::Reopen { node, .. } => self.reopen(*node),
            GraphEdit::Finish { .. } => {
                self.finish();
                Ok(())
            }
        }?;
        self.settle_down();
        Ok(())
    }

    fn add(&mut self, text: &str, depends_on: &[NodeId]) -> Refused {
        self.asks(text, None)?;
        if self.nodes.len() >= self.budget.nodes as usize {
            return Err(EditRefused::NodeBudget(self.budget.nodes));
        }
        let mut wanted: Vec<NodeId> = depends_on.to_vec();
        wanted.sort_unstable();
        wanted.dedup();
        let mut depth = 0;
        for on in &wanted {
            let at = self.known(*on)?;
            if self.nodes[at].state == NodeState::Pruned {
                return Err(self.wrong_state(at));
            }
            depth = depth.max(self.depth(at) + 1);
        }
        if depth > self.budget.depth {
            return Err(EditRefused::DepthBudget(self.budget.depth));
        }
        let at = self.nodes.len();
        self.push(text.to_owned());
        self.edges
            .extend(wanted.iter().map(|on| (at, on.0 as usize)));
        Ok(())
    }

    fn link(&mut self, dependency: &Dependency) -> Refused {
        let (from, on) = (self.known(dependency.from)?, self.known(dependency.on)?);
        if !is_to_come(self.nodes[from].state) {
            return Err(self.wrong_state(from));
        }
        if self.nodes[on].state == NodeState::Pruned {
            return Err(self.wrong_state(on));
        }
        if self.edges.contains(&(from, on)) {
            return Ok(());
        }
        if self.leads_to(on, from) {
            return Err(EditRefused::Cycle {
                from: dependency.from,
                on: dependency.on,
            });
        }
        let before: Vec<u32> = (0..self.nodes.len()).map(|at| self.depth(at)).collect();
        self.edges.push((from, on));
        let is_too_deep = (1..self.nodes.len()).any(|at| {
            let depth = self.depth(at);
            depth > before[at] && depth > self.budget.depth
        });
        if is_too_deep {
            self.edges.pop();
            return Err(EditRefused::DepthBudget(self.budget.depth));
        }
        Ok(())
    }

    fn reopen(&mut self, node: NodeId) -> Refused {
        let at = self.known(node)?;
        let one = &self.nodes[at];
        let may =
            has_finding_state(one.state) || (one.state == NodeState::Reopened && one.is_doubted);
        if !may {
            return Err(self.wrong_state(at));
        }
        let one = &mut self.nodes[at];
        if one.reopened >= MAX_REOPENS {
            return Err(EditRefused::Disputed {
                node,
                times: u32::from(one.reopened),
            });
        }
        one.reopened += 1;
        one.is_doubted = false;
        one.state = NodeState::Reopened;
        Ok(())
    }

    fn finish(&mut self) {
        self.is_finished = true;
        for (at, node) in self.nodes.iter_mut().enumerate() {
            if let (NodeState::Reopened, Some(finding)) = (node.state, &node.finding) {
                node.state = ended(finding);
            } else if at != 0 && is_to_come(node.state) {
                node.state = NodeState::Pruned;
            }
        }
    }

    pub(crate) fn start(&mut self, at: usize) {
        assert!(self.may_start(at));
        let built_on = self.foundations(at);
        let node = &mut self.nodes[at];
        node.built_on = built_on;
        node.is_doubted = false;
        node.state = NodeState::Running;
        self.settle_down();
    }

    pub(crate) fn settle(&mut self, finding: Finding) {
        let at = finding.node.0 as usize;
        if self.nodes[at].state == NodeState::Pruned {
            self.nodes[at].superseded.push(finding);
            return;
        }
        let state = ended(&finding);
        let node = &mut self.nodes[at];
        let says_else = node
            .finding
            .as_ref()
            .is_none_or(|old| old.answer != finding.answer || old.claims != finding.claims);
        node.version += u32::from(says_else);
        node.superseded.extend(node.finding.replace(finding));
        node.state = state;
        let was_stale = std::mem::take(&mut node.is_stale);
        if was_stale && !self.is_finished && !self.stands(at) {
            self.nodes[at].state = NodeState::Reopened;
            self.nodes[at].is_doubted = true;
        }
        self.settle_down();
    }

    fn stands(&self, at: usize) -> bool {
        !self.is_blocked(at) && self.nodes[at].built_on == self.foundations(at)
    }

    /// What follows from a move, until nothing follows any more.
    fn settle_down(&mut self) {
        loop {
            let mut is_quiet = true;
            for at in 0..self.nodes.len() {
                let is_blocked = self.is_blocked(at);
                let node = &self.nodes[at];
                let next = match node.state {
                    NodeState::Ready if is_blocked => NodeState::Proposed,
                    NodeState::Proposed if !is_blocked => NodeState::Ready,
                    NodeState::Answered | NodeState::Unanswerable
                        if is_blocked && !self.is_finished =>
                    {
                        self.nodes[at].is_doubted = true;
                        NodeState::Reopened
                    }
                    NodeState::Reopened if node.is_doubted && self.stands(at) => {
                        node.finding.as_ref().map_or(NodeState::Reopened, ended)
                    }
                    NodeState::Running => {
                        self.nodes[at].is_stale |= is_blocked;
                        NodeState::Running
                    }
                    same => same,
                };
                if self.nodes[at].state != next {
                    self.nodes[at].state = next;
                    is_quiet = false;
                }
            }
            if is_quiet {
                return;
            }
        }
    }

    /// Compares everything that can be seen of the graph.
    pub(crate) fn assert_is(&self, graph: &QuestionGraph) {
        assert_eq!(graph.len(), self.nodes.len());
        assert_eq!(graph.is_finished(), self.is_finished);
        for (at, (node, seen)) in self.nodes.iter().zip(graph.nodes()).enumerate() {
            let id = NodeId(at as u32);
            assert_eq!(seen.state, node.state, "{id}");
            assert_eq!(seen.text, node.text, "{id}");
            assert_eq!(seen.finding, node.finding, "{id}");
            assert_eq!(graph.superseded(id), node.superseded, "{id}");
            assert_eq!(graph.may_start(id), self.may_start(at), "{id}");
            let on: Vec<NodeId> = self
                .on(at)
                .into_iter()
                .map(|on| NodeId(on as u32))
                .collect();
            assert_eq!(graph.dependencies(id), on, "{id}");
        }
    }
}

fn has_ended(state: NodeState) -> bool {
    has_finding_state(state) || state == NodeState::Pruned
}

fn has_finding_state(state: NodeState) -> bool {
    matches!(state, NodeState::Answered | NodeState::Unanswerable)
}

fn is_to_come(state: NodeState) -> bool {
    matches!(
        state,
        NodeState::Proposed | NodeState::Ready | NodeState::Reopened
    )
}

fn ended(finding: &Finding) -> NodeState {
    if finding.claims.is_empty() || finding.stop == StopReason::NothingFound {
        NodeState::Unanswerable
    } else {
        NodeState::Answered
    }
}
