//! Facts in, next actions out.
//!
//! The rhythm: the policy is asked before anything starts and after every node that ends. While a
//! policy call is under way, nodes that do not depend on what it is thinking about start at once;
//! nodes that do depend on it wait, because the policy may reword or prune them. Ready nodes start
//! with the longest remaining path first, never in waves. When nothing runs, nothing may start and
//! the policy has nothing to add, the report is written.
//!
//! The machine is deterministic: the same facts at the same times give the same actions.

mod edits;
mod endings;
mod facts;
mod trust;

pub use edits::ALIKE_FROM;
pub use facts::{Action, Alike, Fact, Limits};

use std::collections::{BTreeMap, BTreeSet, HashSet};

use indago_core::{
    DocumentId, Event, Finding, GraphView, NodeId, PassageId, Spend, StopReason, Usage,
};

use crate::budget::Account;
use crate::estimate::{Costs, Measured};
use crate::graph::{QuestionGraph, ROOT, failed_finding};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Searching,
    /// No new starts; what runs may end.
    Draining,
    Done,
}

/// A policy call under way.
#[derive(Clone, Debug)]
struct Asked {
    news: Vec<NodeId>,
    /// Nodes that the graph had: the policy numbers its own from here.
    base: u32,
    at_ms: u64,
}

/// Decides; never waits and never calls anything.
#[derive(Clone, Debug)]
pub struct Planner {
    graph: QuestionGraph,
    limits: Limits,
    account: Account,
    phase: Phase,
    stopped: Option<StopReason>,
    /// The first plan is not approved yet.
    unapproved: bool,
    /// Nodes that ended since the policy was last asked.
    news: Vec<NodeId>,
    /// `None` when the policy is not thinking.
    asked: Option<Asked>,
    opened: bool,
    /// Nodes under way, with the time at which they started.
    running: BTreeMap<NodeId, u64>,
    /// Nodes under way of which it was told that most of their time is over.
    slow: BTreeSet<NodeId>,
    cancel: Vec<Action>,
    /// Nodes for which work was done ahead.
    ahead: HashSet<NodeId>,
    measured: Measured,
    costs: Costs,
    seen_passages: HashSet<PassageId>,
    seen_names: HashSet<String>,
    stalled: u32,
    /// Documents that nothing more may stand on.
    distrusted: BTreeSet<DocumentId>,
}

impl Planner {
    /// A plan for `question` that begins at `now_ms` (milliseconds since the Unix epoch).
    pub fn new(question: impl Into<String>, limits: Limits, now_ms: u64) -> Self {
        Self {
            graph: QuestionGraph::new(question, &limits.budget),
            limits,
            account: Account::new(limits.budget, now_ms),
            phase: Phase::Searching,
            stopped: None,
            unapproved: limits.approve,
            news: Vec::new(),
            asked: None,
            opened: false,
            running: BTreeMap::new(),
            slow: BTreeSet::new(),
            cancel: Vec::new(),
            ahead: HashSet::new(),
            measured: Measured::default(),
            costs: Costs::default(),
            seen_passages: HashSet::new(),
            seen_names: HashSet::new(),
            stalled: 0,
            distrusted: BTreeSet::new(),
        }
    }

    /// Takes a fact in. Gives the events that it caused, in order.
    ///
    /// Facts that do not fit (a finding for a node that nobody runs, edits that nobody asked for)
    /// change nothing but leave a warning.
    pub fn record(&mut self, fact: Fact, now_ms: u64) -> Vec<Event> {
        let mut events = Vec::new();
        match fact {
            Fact::Planned(edits) => self.planned(edits, &[], now_ms, &mut events),
            Fact::Proposed { edits, alike } => self.planned(edits, &alike, now_ms, &mut events),
            Fact::PlanFailed(reason) => {
                self.asked = None;
                warn(&mut events, format!("planning failed: {reason}"));
                self.await_approval(now_ms, &mut events);
            }
            Fact::Finished { finding, usage } => {
                self.finished(finding, usage, now_ms, &mut events);
            }
            Fact::Failed { node, reason } => {
                warn(&mut events, format!("{node} failed: {reason}"));
                let finding = failed_finding(node, reason, StopReason::Failed);
                self.finished(finding, Usage::default(), now_ms, &mut events);
            }
            Fact::Spent(usage) => self.account.spend(usage),
            Fact::Steered(steering) => self.steered(steering, now_ms, &mut events),
            Fact::Tick => {}
        }
        self.check_limits(now_ms, &mut events);
        self.drain_moves(&mut events);
        events
    }

    /// What to do now, most urgent first; the machine counts it as done. Empty while it waits for
    /// a fact.
    pub fn next_actions(&mut self, now_ms: u64) -> (Vec<Action>, Vec<Event>) {
        let mut events = Vec::new();
        self.check_limits(now_ms, &mut events);
        let mut actions = std::mem::take(&mut self.cancel);
        if self.phase == Phase::Searching && !self.account.is_paused() {
            self.ask(now_ms, &mut actions);
            self.start_ready(now_ms, &mut actions);
            if self.is_idle() {
                self.graph.close();
                self.phase = Phase::Draining;
            } else {
                self.speculate(&mut actions);
            }
        }
        if self.phase == Phase::Draining && self.running.is_empty() && self.asked.is_none() {
            self.phase = Phase::Done;
            actions.push(match self.stopped {
                Some(StopReason::Cancelled) => Action::Finish(StopReason::Cancelled),
                stopped => Action::Write {
                    stopped,
                    share: self.account.remainder(now_ms),
                },
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

    /// A snapshot for the report: without claims that stand on distrusted documents.
    pub fn trusted_view(&self) -> GraphView {
        let mut view = self.graph.view();
        if !self.distrusted.is_empty() {
            for finding in view.nodes.iter_mut().filter_map(|n| n.finding.as_mut()) {
                trust::strip(finding, &self.distrusted);
            }
        }
        view
    }

    /// Documents that searches from now on must not use.
    pub fn distrusted(&self) -> &BTreeSet<DocumentId> {
        &self.distrusted
    }

    /// What was spent so far; wall time up to `now_ms`, without pauses.
    pub fn usage(&self, now_ms: u64) -> Usage {
        self.account.usage(now_ms)
    }

    /// What is neither spent, nor reserved, nor kept back for the report; `None` without a limit.
    pub fn left(&self, what: Spend) -> Option<u64> {
        self.account.left(what)
    }

    /// When to hand in [`Fact::Tick`] at the latest, in milliseconds from `now_ms`: a search or the
    /// run itself will have taken too long, or a search most of its time. `None` when nothing is limited.
    pub fn deadline_ms(&self, now_ms: u64) -> Option<u64> {
        let run = match self.phase {
            Phase::Searching if !self.account.is_paused() => self.account.search_left_ms(now_ms),
            _ => None,
        };
        let work = self.limits.budget.node.wall_ms.map(|limit| {
            // What starts from now on ends no earlier than the limit.
            let policy = self
                .asked
                .iter()
                .map(|asked| asked.at_ms.saturating_add(limit));
            let warned_at = self.account.slow_after_ms().unwrap_or(limit);
            let searches = self.running.iter().map(|(node, since)| {
                let told = self.slow.contains(node);
                since.saturating_add(if told { limit } else { warned_at })
            });
            let first = searches.chain(policy).min();
            first
                .unwrap_or_else(|| now_ms.saturating_add(warned_at))
                .saturating_sub(now_ms)
        });
        match (run, work) {
            (Some(run), Some(work)) => Some(run.min(work)),
            (run, work) => run.or(work),
        }
    }

    /// Whether the last action was given.
    pub fn is_done(&self) -> bool {
        self.phase == Phase::Done
    }

    /// Findings in the order of what `node` depends on: a searcher sees its parents' findings and
    /// nothing of its siblings'.
    pub fn parents(&self, node: NodeId) -> Vec<Finding> {
        self.graph
            .dependencies(node)
            .into_iter()
            .filter_map(|on| self.graph.node(on)?.finding.clone())
            .map(|mut finding| {
                trust::strip(&mut finding, &self.distrusted);
                finding
            })
            .collect()
    }

    /// The question of the run.
    pub fn question(&self) -> &str {
        self.graph.node(ROOT).map_or("", |root| root.text.as_str())
    }

    fn ask(&mut self, now_ms: u64, actions: &mut Vec<Action>) {
        let due = !self.opened || !self.news.is_empty();
        if due && self.asked.is_none() && !self.graph.is_finished() {
            self.opened = true;
            let news = std::mem::take(&mut self.news);
            self.asked = Some(Asked {
                news: news.clone(),
                base: self.graph.len() as u32,
                at_ms: now_ms,
            });
            actions.push(Action::AskPolicy { news });
        }
    }

    fn start_ready(&mut self, now_ms: u64, actions: &mut Vec<Action>) {
        let first_call = self
            .asked
            .as_ref()
            .is_some_and(|asked| asked.news.is_empty());
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
            .flat_map(|asked| &asked.news)
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
        // Shares are reserved: searches that run at once must not each count on all there is.
        let waiting = self.graph.waiting();
        for (nth, node) in chosen.into_iter().enumerate() {
            let still_waiting = waiting.saturating_sub(nth as u32).max(1);
            let Some(share) = self.account.hold(node, still_waiting, now_ms) else {
                break;
            };
            if self.graph.start(node).is_ok() {
                self.running.insert(node, now_ms);
                actions.push(Action::Start { node, share });
            } else {
                self.account.release(node);
            }
        }
    }

    /// Work ahead for nodes that wait for somebody else: their words are known and may stay. At
    /// most as many as could run at once, each once.
    fn speculate(&mut self, actions: &mut Vec<Action>) {
        if !self.limits.speculate || self.graph.is_finished() {
            return;
        }
        let room = (self.limits.parallel as usize).saturating_sub(self.ahead.len());
        if room == 0 {
            return;
        }
        let waiting: Vec<NodeId> = self
            .graph
            .nodes()
            .filter(|node| node.id != ROOT && crate::graph::is_waiting(node.state))
            .filter(|node| node.finding.is_none() && !self.ahead.contains(&node.id))
            .map(|node| node.id)
            .take(room)
            .collect();
        for node in waiting {
            self.ahead.insert(node);
            actions.push(Action::Speculate(node));
        }
    }

    fn is_idle(&self) -> bool {
        self.opened && self.asked.is_none() && self.news.is_empty() && self.running.is_empty()
    }

    fn drain_moves(&mut self, events: &mut Vec<Event>) {
        let doubts = self.graph.take_doubts();
        events.extend(doubts.into_iter().map(|(node, on)| {
            Event::Doubted {
                node,
                on,
                reason: self
                    .graph
                    .node(on)
                    .map_or_else(String::new, |node| node.reason.clone()),
            }
        }));
        events.extend(
            self.graph
                .take_moves()
                .into_iter()
                .map(|(node, state)| Event::Moved { node, state }),
        );
    }
}

fn warn(events: &mut Vec<Event>, message: String) {
    events.push(Event::Warned { message });
}
