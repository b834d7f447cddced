//! The task that answers a question.
//!
//! The root task drives the planner: it hands facts in, does what comes out, and waits for the
//! next thing to end. Everything else is a child task: asking the plan policy, working on a
//! sub-question, writing the report, waiting for somebody to steer. So searches overlap, the order
//! in which they end is recorded, and a crash costs only what was under way.
//!
//! | task            | input                         | output                          |
//! |-----------------|-------------------------------|---------------------------------|
//! | `deep_research` | [`ResearchInput`]             | `Report`                        |
//! | `plan`          | [`PlanInput`]                 | list of `GraphEdit`             |
//! | `sub_question`  | `SearchInput`                 | `Searched`                      |
//! | `write`         | `WriteInput`                  | `Report`                        |
//! | `section`       | `SectionInput`                | `WrittenSection`                |
//! | `control`       | [`ControlInput`]              | `{"value": Steering}`, or null  |

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use indago_agents::operators::Strategy;
use indago_agents::{Author, Extractive, SearchInput, Searched, SectionInput, WriteInput};
use indago_core::ports::{
    Library, Output, PlanPolicy, RunSpec, StepKey, TaskCtx, TaskCtxExt as _, TaskError, TaskKey,
    TaskSet,
};
use indago_core::{
    Budget, Claim, Event, Filters, GraphView, NodeId, PassageId, Report, StopReason,
};
use indago_planner::{Action, Fact, Limits, Planner, Steering};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::journal::Journal;
use crate::registry::{Registry, Task, TaskFuture};

/// Version of the code of these tasks. Changes whenever the same input and the same recorded
/// results could lead to other steps, tasks or events: runs resume and replay only under the
/// version that made them.
pub const CODE_VERSION: u32 = 2;

/// Registered name of the root task.
pub const TASK: &str = "deep_research";

/// Signal under which the `n`th steering of a run travels; each is one-shot, numbered from 0.
pub fn steering_signal(n: u32) -> String {
    format!("{}{n}", crate::engine::STEER)
}

/// How long a run without a wall-time budget waits before it looks at the time: a day.
const LONG_WAIT_MS: u64 = 24 * 60 * 60 * 1000;

/// What a run is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResearchInput {
    /// The question.
    pub question: String,
    /// The corpus asked, by name.
    pub corpus: String,
    /// Restrictions on which documents may be used.
    #[serde(default)]
    pub filters: Filters,
    /// What it may spend and do at once.
    pub limits: Limits,
}

impl ResearchInput {
    /// A question with the default limits.
    pub fn new(question: impl Into<String>, corpus: impl Into<String>) -> Self {
        Self {
            question: question.into(),
            corpus: corpus.into(),
            filters: Filters::default(),
            limits: default_limits(),
        }
    }

    /// The run of this question.
    pub fn spec(&self, seed: u64) -> Result<RunSpec, TaskError> {
        Ok(RunSpec {
            task: TASK.to_owned(),
            input: to_value(self)?,
            question: self.question.clone(),
            corpus: self.corpus.clone(),
            seed,
        })
    }
}

/// Limits that suit a question over one corpus on one machine.
pub fn default_limits() -> Limits {
    Limits {
        budget: Budget::STANDARD,
        parallel: 8,
        stall: 6,
    }
}

/// Input of the `plan` task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanInput {
    /// The graph as it stands.
    pub graph: GraphView,
    /// Nodes that ended since the policy was last asked.
    pub news: Vec<NodeId>,
}

/// Input of the `control` task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlInput {
    /// The signal to wait for.
    pub signal: String,
    /// How long.
    pub timeout_ms: u64,
}

/// What the tasks work with.
#[derive(Clone)]
pub struct Research {
    /// The corpus.
    pub library: Arc<dyn Library>,
    /// Decides how the graph grows.
    pub policy: Arc<dyn PlanPolicy>,
    /// Works on sub-questions.
    pub searcher: Arc<dyn Strategy>,
    /// Writes the report.
    pub author: Arc<dyn Author>,
    /// Where cited passages are pinned.
    pub journal: Arc<dyn Journal>,
}

impl std::fmt::Debug for Research {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Research({}, {}, {})",
            self.policy.name(),
            self.searcher.name(),
            self.author.name()
        )
    }
}

impl Research {
    /// Research without a language model.
    pub fn extractive(
        library: Arc<dyn Library>,
        policy: Arc<dyn PlanPolicy>,
        journal: Arc<dyn Journal>,
    ) -> Self {
        Self {
            library,
            policy,
            searcher: Arc::new(Extractive),
            author: Arc::new(Extractive),
            journal,
        }
    }

    /// The registry of all tasks of a research run.
    pub fn registry(&self) -> Registry {
        Registry::new(CODE_VERSION)
            .with(TASK, Root(self.clone()))
            .with("plan", Plan(self.clone()))
            .with("sub_question", SubQuestion(self.clone()))
            .with("write", Write(self.clone()))
            .with("section", Section(self.clone()))
            .with("control", Control)
    }
}

/// The same registry over nothing: it can replay finished runs, whose results are all recorded,
/// and cannot work on any other.
pub fn inert_registry(journal: Arc<dyn Journal>) -> Registry {
    let library = Arc::new(crate::absent::AbsentLibrary);
    let policy = Arc::new(indago_planner::policy::Single);
    Research::extractive(library, policy, journal).registry()
}

struct Root(Research);

impl Task for Root {
    fn run<'a>(&'a self, cx: &'a mut dyn TaskCtx, input: Value) -> TaskFuture<'a> {
        Box::pin(async move {
            let input: ResearchInput = from_value("deep_research", input)?;
            let mut driver = Driver::new(cx, input);
            let result = driver.drive(cx, &self.0).await;
            match &result {
                Ok(_) => {}
                Err(TaskError::Cancelled) => {
                    cx.emit(Event::Ended {
                        reason: StopReason::Cancelled,
                    });
                }
                Err(error) => {
                    cx.emit(Event::Warned {
                        message: error.to_string(),
                    });
                    cx.emit(Event::Ended {
                        reason: StopReason::Failed,
                    });
                }
            }
            result
        })
    }
}

struct Plan(Research);

impl Task for Plan {
    fn run<'a>(&'a self, cx: &'a mut dyn TaskCtx, input: Value) -> TaskFuture<'a> {
        Box::pin(async move {
            let input: PlanInput = from_value("plan", input)?;
            to_value(&self.0.policy.plan(cx, &input.graph, &input.news).await?)
        })
    }
}

struct SubQuestion(Research);

impl Task for SubQuestion {
    fn run<'a>(&'a self, cx: &'a mut dyn TaskCtx, input: Value) -> TaskFuture<'a> {
        Box::pin(async move {
            let input: SearchInput = from_value("sub_question", input)?;
            let library = self.0.library.as_ref();
            to_value(&self.0.searcher.search(cx, library, &input).await?)
        })
    }
}

struct Write(Research);

impl Task for Write {
    fn run<'a>(&'a self, cx: &'a mut dyn TaskCtx, input: Value) -> TaskFuture<'a> {
        Box::pin(async move {
            let input: WriteInput = from_value("write", input)?;
            let library = self.0.library.as_ref();
            to_value(&self.0.author.write(cx, library, input).await?)
        })
    }
}

struct Section(Research);

impl Task for Section {
    fn run<'a>(&'a self, cx: &'a mut dyn TaskCtx, input: Value) -> TaskFuture<'a> {
        Box::pin(async move {
            let input: SectionInput = from_value("section", input)?;
            let library = self.0.library.as_ref();
            to_value(&self.0.author.section(cx, library, input).await?)
        })
    }
}

struct Control;

impl Task for Control {
    fn run<'a>(&'a self, cx: &'a mut dyn TaskCtx, input: Value) -> TaskFuture<'a> {
        Box::pin(async move {
            let input: ControlInput = from_value("control", input)?;
            let sent = cx.wait_signal(&input.signal, input.timeout_ms).await?;
            Ok(sent.map_or(Value::Null, |value| json!({ "value": value })))
        })
    }
}

/// What a child task was started for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Plan,
    Search(NodeId),
    Control,
}

/// The root task's state.
struct Driver {
    input: ResearchInput,
    planner: Planner,
    children: TaskSet,
    purposes: HashMap<TaskKey, Purpose>,
    /// How often each node was started: a reopened node is another task.
    starts: HashMap<NodeId, u32>,
    plans: u32,
    steerings: u32,
}

impl Driver {
    fn new(cx: &mut dyn TaskCtx, input: ResearchInput) -> Self {
        cx.emit(Event::Started {
            question: input.question.clone(),
            corpus: input.corpus.clone(),
        });
        let planner = Planner::new(input.question.clone(), input.limits, cx.now_ms());
        Self {
            input,
            planner,
            children: TaskSet::default(),
            purposes: HashMap::new(),
            starts: HashMap::new(),
            plans: 0,
            steerings: 0,
        }
    }

    async fn drive(
        &mut self,
        cx: &mut dyn TaskCtx,
        research: &Research,
    ) -> Result<Output, TaskError> {
        self.listen(cx).await?;
        let mut now_ms = cx.now_ms();
        loop {
            let (actions, events) = self.planner.next_actions(now_ms);
            emit_all(cx, events);
            for action in actions {
                match action {
                    Action::AskPolicy { news } => self.ask(cx, news).await?,
                    Action::Start { node, queries } => self.start(cx, node, queries).await?,
                    Action::Cancel(node) => self.forget(node),
                    Action::Write { stopped } => return self.write(cx, research, stopped).await,
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
            Purpose::Plan => match result.and_then(|edits| from_value("plan", edits)) {
                Ok(edits) => Fact::Planned(edits),
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

    /// Waits for the next steering, as long as there is time.
    async fn listen(&mut self, cx: &mut dyn TaskCtx) -> Result<(), TaskError> {
        let now_ms = cx.now_ms();
        let timeout_ms = match self.planner.wall_left_ms(now_ms) {
            Some(0) => return Ok(()),
            Some(left) => left,
            None => LONG_WAIT_MS,
        };
        let signal = steering_signal(self.steerings);
        let key = TaskKey(format!("control-{}-{now_ms}", self.steerings));
        let input = ControlInput { signal, timeout_ms };
        self.spawn(cx, "control", key, to_value(&input)?, Purpose::Control)
            .await
    }

    async fn ask(&mut self, cx: &mut dyn TaskCtx, news: Vec<NodeId>) -> Result<(), TaskError> {
        let key = TaskKey(format!("plan-{}", self.plans));
        self.plans += 1;
        let input = PlanInput {
            graph: self.planner.view(),
            news,
        };
        self.spawn(cx, "plan", key, to_value(&input)?, Purpose::Plan)
            .await
    }

    async fn start(
        &mut self,
        cx: &mut dyn TaskCtx,
        node: NodeId,
        queries: u32,
    ) -> Result<(), TaskError> {
        let turn = self.starts.entry(node).or_default();
        let key = TaskKey(format!("{node}-{turn}"));
        *turn += 1;
        let question = self
            .planner
            .graph()
            .node(node)
            .map(|n| n.text.clone())
            .unwrap_or_default();
        let mut limits = indago_agents::Limits::from(self.input.limits.budget);
        limits.queries = limits.queries.min(queries);
        let input = SearchInput {
            node,
            question,
            whole: self.input.question.clone(),
            parents: self.planner.parents(node),
            parent_questions: {
                let graph = self.planner.graph();
                let answered = graph.dependencies(node).into_iter();
                answered
                    .filter_map(|on| graph.node(on).filter(|n| n.finding.is_some()))
                    .map(|n| n.text.clone())
                    .collect()
            },
            filters: self.input.filters.clone(),
            limits,
        };
        self.spawn(
            cx,
            "sub_question",
            key,
            to_value(&input)?,
            Purpose::Search(node),
        )
        .await
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

    /// Nobody waits for the node any more; the engine stops its task with the run.
    fn forget(&mut self, node: NodeId) {
        self.purposes
            .retain(|_, purpose| *purpose != Purpose::Search(node));
        self.children
            .pending
            .retain(|key| self.purposes.contains_key(key));
    }

    async fn write(
        &mut self,
        cx: &mut dyn TaskCtx,
        research: &Research,
        stopped: Option<StopReason>,
    ) -> Result<Output, TaskError> {
        let now_ms = cx.now_ms();
        let input = WriteInput {
            question: self.input.question.clone(),
            graph: self.planner.view(),
            stopped,
            sources: self.input.limits.budget.sources,
            usage: self.planner.usage(now_ms),
        };
        let mut writing = TaskSet::default();
        cx.spawn(
            "write",
            TaskKey("write".into()),
            to_value(&input)?,
            &mut writing,
        )
        .await?;
        let Some((_, written)) = cx.next_done(&mut writing).await else {
            return Err(TaskError::Terminal("the writer is gone".into()));
        };
        let mut report: Report = from_value("write", written?)?;
        emit_all(cx, self.planner.conclude(!report.abstained));
        report.graph = self.planner.view();
        report.usage.wall_ms = self.planner.usage(cx.now_ms()).wall_ms;
        pin(cx, research, &report).await?;
        cx.emit(Event::Ended {
            reason: report.stop_reason,
        });
        to_value(&report)
    }
}

/// Pins every passage that the report cites.
async fn pin(cx: &mut dyn TaskCtx, research: &Research, report: &Report) -> Result<(), TaskError> {
    let claims = report.sections.iter().flat_map(|section| &section.claims);
    let disputed = report.contradictions.iter().flat_map(|c| &c.claims);
    let cited: BTreeSet<PassageId> = claims
        .chain(disputed)
        .flat_map(Claim::quotes)
        .map(|quote| quote.passage)
        .collect();
    if cited.is_empty() {
        return Ok(());
    }
    let ids: Vec<PassageId> = cited.into_iter().collect();
    let (run, journal) = (cx.run().clone(), Arc::clone(&research.journal));
    let library = Arc::clone(&research.library);
    let key = StepKey::new("pin", &ids);
    let wanted = ids.len();
    let pinned: usize = cx
        .run_step(key, async move {
            let passages = library.passages(ids).await?;
            let n = passages.len();
            journal.pin(&run, passages);
            Ok(n)
        })
        .await?;
    if pinned < wanted {
        cx.emit(Event::Warned {
            message: format!(
                "{} of {wanted} cited passages are no longer in the corpus and were not kept",
                wanted - pinned
            ),
        });
    }
    Ok(())
}

fn emit_all(cx: &mut dyn TaskCtx, events: Vec<Event>) {
    for event in events {
        cx.emit(event);
    }
}

fn to_value(value: &impl Serialize) -> Result<Value, TaskError> {
    serde_json::to_value(value).map_err(|error| TaskError::Terminal(error.to_string()))
}

fn from_value<T: DeserializeOwned>(what: &str, value: Value) -> Result<T, TaskError> {
    serde_json::from_value(value).map_err(|error| TaskError::Incompatible {
        step: what.to_owned(),
        reason: error.to_string(),
    })
}
