//! Facts in, next actions out.
//!
//! The rhythm: the policy is asked before anything starts and after every node that ends. While a
//! policy call is under way, nodes that do not depend on what it is thinking about start at once;
//! nodes that do depend on it wait, because the policy may reword or prune them. Ready nodes start
//! with the longest remaining path first, never in waves. When nothing runs, nothing may start and
//! the policy has nothing to add, the report is written.
//!
//! The machine is deterministic: the same facts at the same times give the same actions.

use std::collections::{BTreeMap, HashSet};

use indago_core::{
    Budget, DocumentId, Event, Finding, GraphEdit, GraphView, NodeId, NodeState, PassageId,
    Steering, StopReason, Usage,
};
use serde::{Deserialize, Serialize};

use crate::graph::{QuestionGraph, ROOT, failed_finding};

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
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// The policy answered [`Action::AskPolicy`].
    Planned(Vec<GraphEdit>),
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
    /// Start a searcher on the node. Listed most urgent first.
    Start {
        /// Which node.
        node: NodeId,
        /// Queries that are reserved for it: what is left of the run's, divided among the nodes
        /// that still wait. Comes back when the node ends.
        queries: u32,
    },
    /// Nobody needs the node's result any more.
    Cancel(NodeId),
    /// Write the report; then feed nothing more.
    Write {
        /// Why searching ended, where something else than the evidence ended it.
        stopped: Option<StopReason>,
    },
    /// End without a report.
    Finish(StopReason),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Searching,
    /// No new starts; what runs may end.
    Draining,
    Done,
}

/// Decides; never waits and never calls anything.
#[derive(Clone, Debug)]
pub struct Planner {
    graph: QuestionGraph,
    limits: Limits,
    started_ms: u64,
    usage: Usage,
    phase: Phase,
    stopped: Option<StopReason>,
    paused: bool,
    /// Nodes that ended since the policy was last asked.
    news: Vec<NodeId>,
    /// What the policy is thinking about; `None` when it is not thinking.
    asked: Option<Vec<NodeId>>,
    opened: bool,
    /// Nodes under way, with the queries reserved for each.
    running: BTreeMap<NodeId, u32>,
    cancel: Vec<NodeId>,
    seen_passages: HashSet<PassageId>,
    seen_names: HashSet<String>,
    stalled: u32,
    warned: bool,
}

impl Planner {
    /// A plan for `question` that begins at `now_ms` (milliseconds since the Unix epoch).
    pub fn new(question: impl Into<String>, limits: Limits, now_ms: u64) -> Self {
        Self {
            graph: QuestionGraph::new(question, &limits.budget),
            limits,
            started_ms: now_ms,
            usage: Usage::default(),
            phase: Phase::Searching,
            stopped: None,
            paused: false,
            news: Vec::new(),
            asked: None,
            opened: false,
            running: BTreeMap::new(),
            cancel: Vec::new(),
            seen_passages: HashSet::new(),
            seen_names: HashSet::new(),
            stalled: 0,
            warned: false,
        }
    }

    /// Takes a fact in. Gives the events that it caused, in order.
    ///
    /// Facts that do not fit (a finding for a node that nobody runs, edits that nobody asked for)
    /// change nothing but leave a warning.
    pub fn record(&mut self, fact: Fact, now_ms: u64) -> Vec<Event> {
        let mut events = Vec::new();
        match fact {
            Fact::Planned(edits) => {
                self.asked = None;
                self.apply(edits, &mut events);
            }
            Fact::PlanFailed(reason) => {
                self.asked = None;
                events.push(Event::Warned {
                    message: format!("planning failed: {reason}"),
                });
            }
            Fact::Finished { finding, usage } => self.finished(finding, usage, &mut events),
            Fact::Failed { node, reason } => {
                events.push(Event::Warned {
                    message: format!("{node} failed: {reason}"),
                });
                let finding = failed_finding(node, reason, StopReason::Failed);
                self.finished(finding, Usage::default(), &mut events);
            }
            Fact::Steered(steering) => self.steered(steering, &mut events),
            Fact::Tick => {}
        }
        self.check_budget(now_ms, &mut events);
        self.drain_moves(&mut events);
        events
    }

    /// What to do now, most urgent first; the machine counts it as done. Empty while it waits for
    /// a fact.
    pub fn next_actions(&mut self, now_ms: u64) -> (Vec<Action>, Vec<Event>) {
        let mut events = Vec::new();
        self.check_budget(now_ms, &mut events);
        let mut actions: Vec<Action> = self.cancel.drain(..).map(Action::Cancel).collect();
        if self.phase == Phase::Searching && !self.paused {
            self.ask(&mut actions);
            self.start_ready(&mut actions);
            if self.is_idle() {
                self.graph.close();
                self.phase = Phase::Draining;
            }
        }
        if self.phase == Phase::Draining && self.running.is_empty() && self.asked.is_none() {
            self.phase = Phase::Done;
            actions.push(match self.stopped {
                Some(StopReason::Cancelled) => Action::Finish(StopReason::Cancelled),
                stopped => Action::Write { stopped },
            });
        }
        self.drain_moves(&mut events);
        (actions, events)
    }

    /// Gives the root its final state once the report says whether the question was answered.
    pub fn conclude(&mut self, answered: bool) -> Vec<Event> {
        self.graph.conclude(answered);
        let mut events = Vec::new();
        self.drain_moves(&mut events);
        events
    }

    /// The graph.
    pub fn graph(&self) -> &QuestionGraph {
        &self.graph
    }

    /// A snapshot of the graph.
    pub fn view(&self) -> GraphView {
        self.graph.view()
    }

    /// What was spent so far; wall time up to `now_ms`.
    pub fn usage(&self, now_ms: u64) -> Usage {
        Usage {
            wall_ms: now_ms.saturating_sub(self.started_ms),
            ..self.usage
        }
    }

    /// Queries that are neither spent nor reserved.
    pub fn queries_left(&self) -> u32 {
        let spent = u32::try_from(self.usage.queries).unwrap_or(u32::MAX);
        let reserved: u32 = self.running.values().sum();
        self.limits
            .budget
            .queries
            .saturating_sub(spent.saturating_add(reserved))
    }

    /// Milliseconds of wall time left at `now_ms`; `None` without a limit.
    pub fn wall_left_ms(&self, now_ms: u64) -> Option<u64> {
        let spent = now_ms.saturating_sub(self.started_ms);
        self.limits
            .budget
            .wall_ms
            .map(|limit| limit.saturating_sub(spent))
    }

    /// Whether the last action was given.
    pub fn is_done(&self) -> bool {
        self.phase == Phase::Done
    }

    fn ask(&mut self, actions: &mut Vec<Action>) {
        let due = !self.opened || !self.news.is_empty();
        if due && self.asked.is_none() && !self.graph.is_finished() {
            self.opened = true;
            let news = std::mem::take(&mut self.news);
            self.asked = Some(news.clone());
            actions.push(Action::AskPolicy { news });
        }
    }

    fn start_ready(&mut self, actions: &mut Vec<Action>) {
        let first_call = self.asked.as_ref().is_some_and(Vec::is_empty);
        if first_call || self.graph.is_finished() {
            return;
        }
        let slots = (self.limits.parallel.max(1) as usize).saturating_sub(self.running.len());
        if slots == 0 {
            return;
        }
        let undecided: HashSet<NodeId> = self
            .asked
            .iter()
            .flatten()
            .chain(&self.news)
            .copied()
            .collect();
        let held = |node: NodeId| {
            !undecided.is_empty()
                && (undecided.contains(&node)
                    || self
                        .graph
                        .dependencies(node)
                        .iter()
                        .any(|on| undecided.contains(on)))
        };
        let chosen: Vec<NodeId> = self
            .graph
            .startable()
            .filter(|node| !held(*node))
            .take(slots)
            .collect();
        // Queries are reserved: searches that run at once must not each count on all of them.
        let waiting = self.graph.waiting();
        for (nth, node) in chosen.into_iter().enumerate() {
            let still_waiting = waiting.saturating_sub(nth as u32).max(1);
            let share = self.queries_left().div_ceil(still_waiting);
            if share == 0 {
                break;
            }
            if self.graph.start(node).is_ok() {
                self.running.insert(node, share);
                actions.push(Action::Start {
                    node,
                    queries: share,
                });
            }
        }
    }

    fn is_idle(&self) -> bool {
        self.opened && self.asked.is_none() && self.news.is_empty() && self.running.is_empty()
    }

    fn finished(&mut self, finding: Finding, usage: Usage, events: &mut Vec<Event>) {
        let node = finding.node;
        if self.running.remove(&node).is_none() {
            events.push(Event::Warned {
                message: format!("{node} ended, but nobody ran it"),
            });
            return;
        }
        self.usage += usage;
        self.watch_progress(&finding);
        if let Err(refused) = self.graph.settle(finding) {
            events.push(Event::Warned {
                message: format!("finding of {node}: {refused}"),
            });
            return;
        }
        let pruned = self
            .graph
            .node(node)
            .is_some_and(|n| n.state == NodeState::Pruned);
        if !pruned && self.phase == Phase::Searching {
            self.news.push(node);
        }
        if self.phase == Phase::Searching && self.stalled > self.limits.stall {
            self.stop(StopReason::NoProgress, events);
        }
    }

    /// A node adds something when it brings a passage or a name that no node had brought before.
    fn watch_progress(&mut self, finding: &Finding) {
        let mut new = 0;
        for quote in finding.claims.iter().flat_map(indago_core::Claim::quotes) {
            new += u32::from(self.seen_passages.insert(quote.passage));
        }
        for bridge in &finding.bridges {
            new += u32::from(self.seen_names.insert(bridge.name.clone()));
        }
        self.stalled = if new > 0 { 0 } else { self.stalled + 1 };
    }

    fn apply(&mut self, edits: Vec<GraphEdit>, events: &mut Vec<Event>) {
        if self.phase != Phase::Searching {
            return;
        }
        for edit in edits {
            let pruned = match &edit {
                GraphEdit::Prune { node, .. } => Some(*node),
                _ => None,
            };
            match self.graph.apply(edit.clone()) {
                Ok(node) => events.push(Event::Edited { edit, node }),
                Err(reason) => events.push(Event::Refused { edit, reason }),
            }
            if let Some(node) = pruned {
                let is_pruned = self
                    .graph
                    .node(node)
                    .is_some_and(|n| n.state == NodeState::Pruned);
                if is_pruned && self.running.remove(&node).is_some() {
                    self.cancel.push(node);
                }
            }
            self.drain_moves(events);
        }
        if self.graph.is_finished() {
            self.phase = Phase::Draining;
        }
    }

    fn steered(&mut self, steering: Steering, events: &mut Vec<Event>) {
        if self.phase == Phase::Done {
            return;
        }
        match steering {
            Steering::Edit { edits } => self.apply(edits, events),
            Steering::Pause => self.paused = true,
            Steering::Resume | Steering::Approve => self.paused = false,
            // Only meant while the question is being clarified.
            Steering::Clarify { .. } => {}
            Steering::SetBudget { change } => {
                self.limits.budget = change.apply(self.limits.budget);
                self.graph.set_limits(&self.limits.budget);
            }
            Steering::Distrust { document, reason } => self.distrust(&document, &reason, events),
            Steering::FollowUp { question } => {
                let edit = GraphEdit::Add {
                    text: question,
                    reason: "asked on top of the question".to_owned(),
                    depends_on: Vec::new(),
                };
                self.apply(vec![edit], events);
            }
            Steering::FinishNow => {
                self.stop(StopReason::FinishedEarly, events);
                self.stopped.get_or_insert(StopReason::FinishedEarly);
                self.abandon_running();
            }
            Steering::Cancel => {
                self.stop(StopReason::Cancelled, events);
                self.stopped = Some(StopReason::Cancelled);
                self.abandon_running();
            }
        }
    }

    /// Sends every node back to work whose claims quote the document.
    fn distrust(&mut self, document: &DocumentId, reason: &str, events: &mut Vec<Event>) {
        let quotes = |finding: &Finding| {
            let quotes = finding.claims.iter().flat_map(indago_core::Claim::quotes);
            quotes.into_iter().any(|quote| quote.document == *document)
        };
        let edits = self
            .view()
            .nodes
            .iter()
            .filter(|node| node.id != ROOT && node.state == NodeState::Answered)
            .filter(|node| node.finding.as_ref().is_some_and(quotes))
            .map(|node| GraphEdit::Reopen {
                node: node.id,
                reason: format!("`{document}` is not trusted: {reason}"),
            })
            .collect();
        self.apply(edits, events);
    }

    /// Ends what runs now as unanswered, so that the report need not wait for it.
    fn abandon_running(&mut self) {
        self.asked = None;
        for (node, _) in std::mem::take(&mut self.running) {
            let reason = "ended early, before its search was done".to_owned();
            let stop = self.stopped.unwrap_or(StopReason::FinishedEarly);
            // A running node can be settled: the graph refuses only nodes that do not run.
            let _settled = self.graph.settle(failed_finding(node, reason, stop));
            self.cancel.push(node);
        }
    }

    fn stop(&mut self, reason: StopReason, events: &mut Vec<Event>) {
        if self.phase == Phase::Searching {
            self.phase = Phase::Draining;
            self.stopped = Some(reason);
            self.graph.close();
            self.news.clear();
            self.drain_moves(events);
        }
    }

    fn check_budget(&mut self, now_ms: u64, events: &mut Vec<Event>) {
        if self.phase == Phase::Done {
            return;
        }
        let spent = self.usage(now_ms);
        let budget = self.limits.budget;
        let wall_out = budget.wall_ms.is_some_and(|limit| spent.wall_ms >= limit);
        let queries_out = spent.queries >= u64::from(budget.queries);
        let wall_near = budget
            .wall_ms
            .is_some_and(|limit| spent.wall_ms * 5 >= limit * 4 && limit > 0);
        let queries_near = spent.queries * 5 >= u64::from(budget.queries) * 4;
        if (wall_near || queries_near) && !self.warned {
            self.warned = true;
            events.push(Event::Warned {
                message: format!(
                    "80% of the budget is spent: {} of {} queries, {} ms",
                    spent.queries, budget.queries, spent.wall_ms
                ),
            });
        }
        let unfinished = !self.is_idle() || self.graph.startable().next().is_some();
        if self.phase == Phase::Searching && (wall_out || queries_out) && unfinished {
            self.stop(StopReason::Budget, events);
        }
        // Searches under way may end within the query budget, which they were given a share of;
        // nobody can wait for them once the time is over.
        if wall_out && self.phase == Phase::Draining && !self.running.is_empty() {
            self.abandon_running();
            self.stopped.get_or_insert(StopReason::Budget);
            self.drain_moves(events);
        }
    }

    fn drain_moves(&mut self, events: &mut Vec<Event>) {
        events.extend(
            self.graph
                .take_moves()
                .into_iter()
                .map(|(node, state)| Event::Moved { node, state }),
        );
    }

    /// Findings in the order of what `node` depends on: a searcher sees its parents' findings and
    /// nothing of its siblings'.
    pub fn parents(&self, node: NodeId) -> Vec<Finding> {
        self.graph
            .dependencies(node)
            .into_iter()
            .filter_map(|on| self.graph.node(on)?.finding.clone())
            .collect()
    }

    /// The question of the run.
    pub fn question(&self) -> &str {
        self.graph.node(ROOT).map_or("", |root| root.text.as_str())
    }
}
