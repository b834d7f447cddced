//! How nodes and runs end: findings, steering from outside, limits.

use indago_core::{
    Claim, Event, Finding, GraphEdit, NodeId, NodeState, Spend, Steering, StopReason, Usage,
};

use super::{Action, Phase, Planner, trust, warn};
use crate::graph::failed_finding;

impl Planner {
    pub(super) fn finished(
        &mut self,
        mut finding: Finding,
        usage: Usage,
        now_ms: u64,
        events: &mut Vec<Event>,
    ) {
        let node = finding.node;
        let Some(since) = self.running.remove(&node) else {
            warn(events, format!("{node} ended, but nobody ran it"));
            return;
        };
        self.account.release(node);
        self.account.spend(usage);
        self.slow.remove(&node);
        events.extend(self.account.node_warnings(node, &usage));
        self.measure(node, now_ms.saturating_sub(since));
        // Its search may have begun before a document lost its trust.
        for claim in trust::strip(&mut finding, &self.distrusted) {
            events.push(Event::Dropped {
                claim,
                reason: "it stands on a document that is not trusted".into(),
            });
        }
        self.watch_progress(&finding);
        if let Err(refused) = self.graph.settle(finding) {
            warn(events, format!("finding of {node}: {refused}"));
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

    /// Keeps the order of starts in step with what work takes.
    fn measure(&mut self, node: NodeId, ms: u64) {
        self.measured.observe(node, ms);
        let costs = self.measured.costs();
        if costs.is_far_from(&self.costs) {
            self.costs = costs;
            self.graph.reweigh(costs);
        }
    }

    /// A node adds something when it brings a passage or a name that no node had brought before.
    fn watch_progress(&mut self, finding: &Finding) {
        let mut new = 0;
        for quote in finding.claims.iter().flat_map(Claim::quotes) {
            new += u32::from(self.seen_passages.insert(quote.passage));
        }
        for bridge in &finding.bridges {
            new += u32::from(self.seen_names.insert(bridge.name.clone()));
        }
        self.stalled = if new > 0 { 0 } else { self.stalled + 1 };
    }

    pub(super) fn steered(&mut self, steering: Steering, now_ms: u64, events: &mut Vec<Event>) {
        if self.phase == Phase::Done {
            return;
        }
        match steering {
            Steering::Edit { edits } => {
                let base = self.graph.len() as u32;
                self.apply(edits, &[], base, events);
            }
            Steering::Pause => {
                if !self.account.is_paused() {
                    self.account.pause(now_ms);
                    events.push(Event::Paused {
                        reason: "asked for".into(),
                    });
                }
            }
            Steering::Resume | Steering::Approve => {
                self.unapproved = false;
                if self.account.is_paused() {
                    self.account.resume(now_ms);
                    events.push(Event::Resumed {});
                }
            }
            // Whoever asks back takes the answer; a late one changes nothing.
            Steering::Clarify { .. } => {
                warn(
                    events,
                    "nothing was asked back: the reading is ignored".into(),
                );
            }
            Steering::SetBudget { change } => {
                self.limits.budget = change.apply(self.limits.budget);
                self.account.set_budget(self.limits.budget);
                self.graph.set_limits(&self.limits.budget);
            }
            Steering::Distrust { document, reason } => self.distrust(&document, &reason, events),
            Steering::FollowUp { question } => {
                let edit = GraphEdit::Add {
                    text: question,
                    reason: "asked on top of the question".to_owned(),
                    depends_on: Vec::new(),
                };
                let base = self.graph.len() as u32;
                self.apply(vec![edit], &[], base, events);
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

    /// Holds the run until somebody approves its first plan, if that is asked for.
    pub(super) fn await_approval(&mut self, now_ms: u64, events: &mut Vec<Event>) {
        if self.unapproved && self.phase == Phase::Searching && !self.account.is_paused() {
            self.account.pause(now_ms);
            events.push(Event::Paused {
                reason: "the plan waits for approval".into(),
            });
        }
    }

    /// Ends what runs now as unanswered, so that the report need not wait for it.
    fn abandon_running(&mut self) {
        self.abandon_policy();
        for (node, _) in std::mem::take(&mut self.running) {
            let reason = "ended early, before its search was done".to_owned();
            let stop = self.stopped.unwrap_or(StopReason::FinishedEarly);
            self.account.release(node);
            // A running node can be settled: the graph refuses only nodes that do not run.
            let _settled = self.graph.settle(failed_finding(node, reason, stop));
            self.cancel.push(Action::Cancel(node));
        }
    }

    fn abandon_policy(&mut self) {
        if self.asked.take().is_some() {
            self.cancel.push(Action::CancelPolicy);
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

    /// Ends what took too long, and the run when nothing is left to spend.
    pub(super) fn check_limits(&mut self, now_ms: u64, events: &mut Vec<Event>) {
        if self.phase == Phase::Done {
            return;
        }
        events.extend(self.account.warnings(self.graph.len() as u64, now_ms));
        self.give_up_slow_work(now_ms, events);
        let unfinished = !self.is_idle() || self.graph.startable().next().is_some();
        if self.phase == Phase::Searching && unfinished && self.account.exhausted(now_ms).is_some()
        {
            self.stop(StopReason::Budget, events);
        }
        // Searches under way may end within the budget that they were given a share of; nobody
        // can wait for them once the time is over.
        let is_waiting = !self.running.is_empty() || self.asked.is_some();
        if self.phase == Phase::Draining
            && is_waiting
            && self.account.search_left_ms(now_ms) == Some(0)
        {
            self.stopped.get_or_insert(StopReason::Budget);
            self.abandon_running();
            self.drain_moves(events);
        }
    }

    /// Tells once of each search that has used most of its time and still goes on.
    fn warn_of_slow_work(&mut self, limit: u64, now_ms: u64, events: &mut Vec<Event>) {
        let Some(after) = self.account.slow_after_ms() else {
            return;
        };
        for (node, since) in &self.running {
            let spent = now_ms.saturating_sub(*since);
            // What is out of time is given up, and that is told of.
            if (after..limit).contains(&spent) && self.slow.insert(*node) {
                events.push(Event::Spent {
                    node: Some(*node),
                    what: Spend::WallTime,
                    spent,
                    limit,
                });
            }
        }
    }

    fn give_up_slow_work(&mut self, now_ms: u64, events: &mut Vec<Event>) {
        let Some(limit) = self.account.budget().node.wall_ms else {
            return;
        };
        self.warn_of_slow_work(limit, now_ms, events);
        let is_late = |since: u64| now_ms.saturating_sub(since) >= limit;
        // Nodes start in the order of time, but are kept in that of number.
        let late: Vec<NodeId> = self
            .running
            .iter()
            .filter(|(_, since)| is_late(**since))
            .map(|(node, _)| *node)
            .collect();
        for node in late {
            let reason = format!("took longer than {limit} ms and was given up");
            warn(events, format!("{node} {reason}"));
            self.cancel.push(Action::Cancel(node));
            let finding = failed_finding(node, reason, StopReason::Budget);
            self.finished(finding, Usage::default(), now_ms, events);
        }
        if self
            .asked
            .as_ref()
            .is_some_and(|asked| is_late(asked.at_ms))
        {
            warn(
                events,
                format!("planning took longer than {limit} ms and was given up"),
            );
            self.abandon_policy();
            self.await_approval(now_ms, events);
        }
    }
}
