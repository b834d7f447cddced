//! The root task: hands facts to the planner and does what comes out.

use std::collections::{HashMap, HashSet, VecDeque};

use indago_agents::{SearchInput, Searched, WriteInput};
use indago_core::ports::{Output, StepKey, TaskCtx, TaskCtxExt as _, TaskError, TaskKey, TaskSet};
use indago_core::{Allowance, Event, NodeId, Report, Spend, Steering, StopReason, Usage};
use indago_planner::{Action, Fact, Planner, Share, estimate};
use serde_json::Value;

use super::pins::pin;
use super::{
    ControlInput, PlanInput, Proposal, Research, ResearchInput, from_value, steering_signal,
    to_value,
};

/// How long a run without any limit of time waits before it looks at the time: a day.
const LONG_WAIT_MS: u64 = 24 * 60 * 60 * 1000;

/// What a child task was started for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Plan,
    Search(NodeId),
    Ahead,
    Control,
}

/// The root task's state.
pub(super) struct Driver {
    pub(super) input: ResearchInput,
    planner: Planner,
    children: TaskSet,
    purposes: HashMap<TaskKey, Purpose>,
    /// How often each node was started: a reopened node is another task.
    starts: HashMap<NodeId, u32>,
    /// Nodes whose search is rehearsed.
    ahead: HashSet<NodeId>,
    /// Actions that follow from others.
    again: VecDeque<Action>,
    plans: u32,
    /// What the policy's last turn said of itself: recorded, because a run is replayed where its
    /// policy may not be.
    reacts: bool,
    pub(super) steerings: u32,
    /// Steerings that came before the plan began.
    pub(super) early: Vec<Steering>,
    /// The question as it is read: what is planned and searched.
    read_as: String,
}

impl Driver {
    pub(super) fn new(cx: &mut dyn TaskCtx, input: ResearchInput) -> Self {
        cx.emit(Event::Started {
            question: input.question.clone(),
            corpus: input.corpus.clone(),
        });
        if let Some(profile) = &input.profile {
            let estimate = estimate(profile, &input.limits.budget, input.limits.parallel);
            cx.emit(Event::Estimated { estimate });
        }
        let planner = Planner::new(input.question.clone(), input.limits, cx.now_ms());
        Self {
            read_as: input.question.clone(),
            input,
            planner,
            children: TaskSet::default(),
            purposes: HashMap::new(),
            starts: HashMap::new(),
            ahead: HashSet::new(),
            again: VecDeque::new(),
            plans: 0,
            reacts: true,
            steerings: 0,
            early: Vec::new(),
        }
    }

    /// What model calls that belong to no node may spend.
    pub(super) fn allowance(&self) -> Allowance {
        Allowance {
            calls: self.planner.left(Spend::LmCalls),
            tokens: self.planner.left(Spend::LmTokens),
            money_micros: self.planner.left(Spend::Money),
        }
    }

    /// Counts what such calls took.
    pub(super) fn spent(&mut self, cx: &mut dyn TaskCtx, usage: Usage) {
        let now_ms = cx.now_ms();
        emit_all(cx, self.planner.record(Fact::Spent(usage), now_ms));
    }

    /// Plans `question` in place of the one asked; nothing has begun yet.
    pub(super) fn begin_with(&mut self, cx: &mut dyn TaskCtx, question: String) {
        self.planner = Planner::new(question.clone(), self.input.limits, cx.now_ms());
        self.read_as = question;
    }

    pub(super) async fn drive(
        &mut self,
        cx: &mut dyn TaskCtx,
        research: &Research,
    ) -> Result<Output, TaskError> {
        self.clarify(cx).await?;
        self.listen(cx).await?;
        let mut now_ms = cx.now_ms();
        for steering in std::mem::take(&mut self.early) {
            let fact = Fact::Steered(steering);
            emit_all(cx, self.planner.record(fact, now_ms));
        }
        loop {
            let (actions, events) = self.planner.next_actions(now_ms);
            emit_all(cx, events);
            self.again.extend(actions);
            while let Some(action) = self.again.pop_front() {
                match action {
                    Action::AskPolicy { news } => self.ask(cx, news).await?,
                    Action::Start { node, share } => self.start(cx, research, node, share).await?,
                    Action::Speculate(node) => self.rehearse(cx, research, node).await?,
                    Action::CancelPolicy => self.forget(Purpose::Plan),
                    Action::Cancel(node) => self.forget(Purpose::Search(node)),
                    Action::Write { stopped, share } => {
                        return self.write(cx, research, stopped, share).await;
                    }
                    Action::Finish(_) => return Err(TaskError::Cancelled),
                }
            }
            let Some((key, result)) = cx.next_done(&mut self.children).await else {
                return Err(TaskError::Terminal("nothing is left to wait for".into()));
            };
            let Some(purpose) = self.purposes.remove(&key) else {
                continue;
            };
            let fact = self.fact(cx, purpose, result).await?;
            now_ms = cx.now_ms();
            if let Purpose::Search(node) = purpose {
                self.tell_ahead(cx, research, node).await?;
            }
            emit_all(cx, self.planner.record(fact, now_ms));
        }
    }

    async fn fact(
        &mut self,
        cx: &mut dyn TaskCtx,
        purpose: Purpose,
        result: Result<Output, TaskError>,
    ) -> Result<Fact, TaskError> {
        if matches!(result, Err(TaskError::Cancelled)) {
            return Err(TaskError::Cancelled);
        }
        Ok(match purpose {
            Purpose::Ahead => Fact::Tick,
            Purpose::Plan => match result.and_then(|plan| from_value::<Proposal>("plan", plan)) {
                Ok(Proposal {
                    edits,
                    alike,
                    reacts,
                    usage,
                    failed,
                }) => {
                    self.reacts = reacts;
                    self.spent(cx, usage);
                    match failed {
                        Some(reason) => Fact::PlanFailed(reason),
                        None => Fact::Proposed { edits, alike },
                    }
                }
                Err(error) => Fact::PlanFailed(error.to_string()),
            },
            Purpose::Search(node) => {
                match result.and_then(|found| from_value::<Searched>("sub_question", found)) {
                    Ok(mut found) => {
                        // The node is the plan's to name.
                        found.finding.node = node;
                        Fact::Finished {
                            finding: found.finding,
                            usage: found.usage,
                        }
                    }
                    Err(error) => Fact::Failed {
                        node,
                        reason: error.to_string(),
                    },
                }
            }
            Purpose::Control => {
                let steering = match result {
                    Ok(Value::Null) => None,
                    Ok(mut sent) => {
                        // Whatever it says, its number is used up.
                        self.steerings += 1;
                        match from_value::<Steering>("control", sent["value"].take()) {
                            Ok(steering) => {
                                cx.emit(Event::Steered {
                                    steering: steering.clone(),
                                });
                                Some(steering)
                            }
                            Err(error) => {
                                cx.emit(Event::Warned {
                                    message: error.to_string(),
                                });
                                None
                            }
                        }
                    }
                    Err(_no_more_control) => return Ok(Fact::Tick),
                };
                self.listen(cx).await?;
                steering.map_or(Fact::Tick, Fact::Steered)
            }
        })
    }

    /// Waits for the next steering, or until something has taken too long.
    async fn listen(&mut self, cx: &mut dyn TaskCtx) -> Result<(), TaskError> {
        let now_ms = cx.now_ms();
        let timeout_ms = self
            .planner
            .deadline_ms(now_ms)
            .unwrap_or(LONG_WAIT_MS)
            .clamp(1, LONG_WAIT_MS);
        let signal = steering_signal(self.steerings);
        let key = TaskKey(format!("control-{}-{now_ms}", self.steerings));
        let input = ControlInput { signal, timeout_ms };
        self.spawn(cx, "control", key, to_value(&input)?, Purpose::Control)
            .await
    }

    async fn ask(&mut self, cx: &mut dyn TaskCtx, news: Vec<NodeId>) -> Result<(), TaskError> {
        if !news.is_empty() && !self.reacts {
            // Its plan was complete from the start: nothing to wait for.
            let now_ms = cx.now_ms();
            emit_all(cx, self.planner.record(Fact::Planned(Vec::new()), now_ms));
            let (actions, events) = self.planner.next_actions(now_ms);
            emit_all(cx, events);
            self.again.extend(actions);
            return Ok(());
        }
        let key = TaskKey(format!("plan-{}", self.plans));
        self.plans += 1;
        let input = PlanInput {
            plan: self.input.plan.clone(),
            graph: self.planner.view(),
            news,
            allowance: self.allowance(),
        };
        self.spawn(cx, "plan", key, to_value(&input)?, Purpose::Plan)
            .await
    }

    async fn start(
        &mut self,
        cx: &mut dyn TaskCtx,
        research: &Research,
        node: NodeId,
        share: Share,
    ) -> Result<(), TaskError> {
        let turn = self.starts.entry(node).or_default();
        let key = TaskKey(format!("{node}-{turn}"));
        *turn += 1;
        let rank = self.planner.graph().rank(node);
        research.gate.rank(cx.run(), node, rank);
        research.ahead.end(cx.run(), node);
        let input = to_value(&self.search_input(node, share))?;
        self.spawn(cx, "sub_question", key, input, Purpose::Search(node))
            .await
    }

    fn search_input(&self, node: NodeId, share: Share) -> SearchInput {
        let question = self.planner.graph().node(node);
        let mut limits = indago_agents::Limits::from(self.input.limits.budget);
        limits.queries = limits.queries.min(share.queries);
        limits.lm_calls = share.lm_calls;
        limits.lm_tokens = share.lm_tokens;
        limits.money_micros = share.money_micros;
        let mut filters = self.input.filters.clone();
        for document in self.planner.distrusted() {
            if !filters.except.contains(document) {
                filters.except.push(document.clone());
            }
        }
        SearchInput {
            node,
            question: question.map(|n| n.text.clone()).unwrap_or_default(),
            whole: self.read_as.clone(),
            parents: self.planner.parents(node),
            parent_questions: {
                let graph = self.planner.graph();
                let answered = graph.dependencies(node).into_iter();
                answered
                    .filter_map(|on| graph.node(on).filter(|n| n.finding.is_some()))
                    .map(|n| n.text.clone())
                    .collect()
            },
            filters,
            limits,
        }
    }

    /// Works ahead for a node that still waits.
    async fn rehearse(
        &mut self,
        cx: &mut dyn TaskCtx,
        research: &Research,
        node: NodeId,
    ) -> Result<(), TaskError> {
        self.ahead.insert(node);
        research.ahead.begin(cx.run(), node);
        let share = Share {
            queries: self.input.limits.budget.queries,
            ..Share::default()
        };
        let input = to_value(&self.search_input(node, share))?;
        let key = TaskKey(format!("ahead-{node}"));
        self.spawn(cx, "ahead", key, input, Purpose::Ahead).await
    }

    /// Tells what came of work done ahead, once the node has ended. Recorded, because it depends
    /// on timing.
    async fn tell_ahead(
        &mut self,
        cx: &mut dyn TaskCtx,
        research: &Research,
        node: NodeId,
    ) -> Result<(), TaskError> {
        if self.ahead.remove(&node) {
            let (calls, used) = research.ahead.counts(cx.run(), node);
            let (calls, used): (u32, u32) = cx
                .run_step(
                    StepKey::new("ahead", &node),
                    async move { Ok((calls, used)) },
                )
                .await?;
            cx.emit(Event::Speculated { node, calls, used });
        }
        Ok(())
    }

    async fn spawn(
        &mut self,
        cx: &mut dyn TaskCtx,
        task: &str,
        key: TaskKey,
        input: Value,
        purpose: Purpose,
    ) -> Result<(), TaskError> {
        cx.spawn(task, key.clone(), input, &mut self.children)
            .await?;
        self.purposes.insert(key, purpose);
        Ok(())
    }

    /// Nobody waits for that any more; the engine stops its task with the run.
    fn forget(&mut self, purpose: Purpose) {
        self.purposes.retain(|_, other| *other != purpose);
        self.children
            .pending
            .retain(|key| self.purposes.contains_key(key));
    }

    async fn write(
        &mut self,
        cx: &mut dyn TaskCtx,
        research: &Research,
        stopped: Option<StopReason>,
        share: Share,
    ) -> Result<Output, TaskError> {
        let now_ms = cx.now_ms();
        let input = WriteInput {
            question: self.read_as.clone(),
            graph: self.planner.trusted_view(),
            stopped,
            sources: self.input.limits.budget.sources,
            usage: self.planner.usage(now_ms),
            allowance: Allowance {
                calls: share.lm_calls,
                tokens: share.lm_tokens,
                money_micros: share.money_micros,
            },
        };
        let written = self.written(cx, input, share.wall_ms).await?;
        let mut report: Report = from_value("write", written)?;
        emit_all(cx, self.planner.conclude(!report.abstained));
        report.question.clone_from(&self.input.question);
        report.graph = self.planner.trusted_view();
        report.usage.wall_ms = self.planner.usage(cx.now_ms()).wall_ms;
        pin(cx, research, &report).await?;
        cx.emit(Event::Ended {
            reason: report.stop_reason,
        });
        to_value(&report)
    }
}

impl Driver {
    /// The report as its author writes it; assembled from what there is when that takes longer than
    /// `wall_ms`, or longer than work on a sub-question may, or fails.
    async fn written(
        &self,
        cx: &mut dyn TaskCtx,
        mut input: WriteInput,
        wall_ms: Option<u64>,
    ) -> Result<Output, TaskError> {
        let most = self.input.limits.budget.node.wall_ms;
        let timeout_ms = match (wall_ms, most) {
            (Some(left), Some(most)) => Some(left.min(most)),
            (left, most) => left.or(most),
        };
        let mut writing = TaskSet::default();
        let write = TaskKey("write".into());
        cx.spawn("write", write.clone(), to_value(&input)?, &mut writing)
            .await?;
        if let Some(timeout_ms) = timeout_ms.filter(|_| self.input.model.is_some()) {
            // Nobody sends this signal: the wait is a clock.
            let clock = ControlInput {
                signal: "write/time".to_owned(),
                timeout_ms: timeout_ms.clamp(1, LONG_WAIT_MS),
            };
            let key = TaskKey("write-time".into());
            cx.spawn("control", key, to_value(&clock)?, &mut writing)
                .await?;
        }
        let why = match cx.next_done(&mut writing).await {
            Some((key, Ok(report))) if key == write => return Ok(report),
            Some((_, Err(TaskError::Cancelled))) => return Err(TaskError::Cancelled),
            Some((key, Err(error))) if key == write => error.to_string(),
            Some((_, Ok(_) | Err(_))) => "its time was over".to_owned(),
            None => "its task is gone".to_owned(),
        };
        if self.input.model.is_none() {
            return Err(TaskError::Terminal(why));
        }
        cx.emit(Event::Warned {
            message: format!("the writer did not end, the report is assembled: {why}"),
        });
        input.stopped.get_or_insert(StopReason::Budget);
        let mut assembling = TaskSet::default();
        let key = TaskKey("assemble".into());
        cx.spawn("assemble", key, to_value(&input)?, &mut assembling)
            .await?;
        match cx.next_done(&mut assembling).await {
            Some((_, report)) => report,
            None => Err(TaskError::Terminal("the writer is gone".into())),
        }
    }
}

fn emit_all(cx: &mut dyn TaskCtx, events: Vec<Event>) {
    for event in events {
        cx.emit(event);
    }
}
