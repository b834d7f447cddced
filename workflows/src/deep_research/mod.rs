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
//! | `plan`          | [`PlanInput`]                 | [`Proposal`]                    |
//! | `sub_question`  | `SearchInput`                 | `Searched`                      |
//! | `ahead`         | `SearchInput`                 | null                            |
//! | `write`         | `WriteInput`                  | `Report`                        |
//! | `assemble`      | `WriteInput`                  | `Report`                        |
//! | `clarify`       | [`ClarifyInput`]              | [`Looked`]                      |
//! | `section`       | `SectionInput`                | `WrittenSection`                |
//! | `control`       | [`ControlInput`]              | `{"value": Steering}`, or null  |

mod clarify;
mod driver;
mod pins;

use std::sync::Arc;

use indago_agents::operators::Strategy;
use indago_agents::{
    Ambiguity, Author, Clarifier, Extractive, SearchInput, SectionInput, WriteInput,
};
use indago_core::ports::{
    Library, PlanPolicy, Purse, RunSpec, StepKey, TaskCtx, TaskCtxExt as _, TaskError,
};
use indago_core::{
    Allowance, Event, Filters, GraphEdit, GraphView, NodeId, NodeState, StopReason, Usage,
};
use indago_planner::{ALIKE_FROM, Alike, Limits, MAX_QUESTION_BYTES, Profile, policy};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::ahead::{Ahead, KnowingLibrary, Rehearsal};
use crate::gate::{Gate, GatedLibrary};
use crate::journal::Journal;
use crate::registry::{Registry, Task, TaskFuture};

/// Version of the code of these tasks. Changes whenever the same input and the same recorded
/// results could lead to other steps, tasks or events: runs resume and replay only under the
/// version that made them.
pub const CODE_VERSION: u32 = 7;

/// Registered name of the root task.
pub const TASK: &str = "deep_research";

/// Signal under which the `n`th steering of a run travels; each is one-shot, numbered from 0.
pub fn steering_signal(n: u32) -> String {
    format!("{}{n}", crate::engine::STEER)
}

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
    /// Name of the plan policy; the configured one when `None`.
    #[serde(default)]
    pub plan: Option<String>,
    /// What calls are expected to take, for an estimate before the run; none when `None`.
    #[serde(default)]
    pub profile: Option<Profile>,
    /// The language models that were chosen; none for the extractive reasoner. What works on the
    /// run has to have them.
    #[serde(default)]
    pub model: Option<ModelChoice>,
    /// How long to wait, in milliseconds, for somebody to say how an ambiguous question is meant;
    /// 0 assumes the likeliest reading and records that, `None` takes the question as it stands.
    #[serde(default)]
    pub clarify_ms: Option<u64>,
}

/// Language models for a run, as they were chosen: by name, so that a run can be gone on with in
/// another process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelChoice {
    /// Configured name of the model that plays every role for which none is configured.
    pub model: String,
    /// Registered name of the search strategy.
    pub strategy: String,
    /// Words that the report should have.
    pub words: u32,
}

impl ResearchInput {
    /// A question with the default limits.
    pub fn new(question: impl Into<String>, corpus: impl Into<String>) -> Self {
        Self {
            question: question.into(),
            corpus: corpus.into(),
            filters: Filters::default(),
            limits: default_limits(),
            plan: None,
            profile: None,
            model: None,
            clarify_ms: None,
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
    Limits::STANDARD
}

/// Input of the `plan` task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanInput {
    /// Name of the policy; the configured one when `None`.
    #[serde(default)]
    pub plan: Option<String>,
    /// The graph as it stands.
    pub graph: GraphView,
    /// Nodes that ended since the policy was last asked.
    pub news: Vec<NodeId>,
    /// What its turn may spend.
    #[serde(default)]
    pub allowance: Allowance,
}

/// Output of the `plan` task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Proposal {
    /// Edits in order.
    pub edits: Vec<GraphEdit>,
    /// Added questions that resemble one of the graph.
    #[serde(default)]
    pub alike: Vec<Alike>,
    /// Whether the policy may want to add something once nodes have ended
    /// ([`PlanPolicy::reacts`]).
    pub reacts: bool,
    /// What the turn spent.
    #[serde(default)]
    pub usage: Usage,
    /// Why it failed, where it did.
    #[serde(default)]
    pub failed: Option<String>,
}

/// Input of the `clarify` task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClarifyInput {
    /// The question as it was asked.
    pub question: String,
    /// What looking at it may spend.
    #[serde(default)]
    pub allowance: Allowance,
}

/// Output of the `clarify` task.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Looked {
    /// The readings; `None` where there is one.
    pub asked: Option<Ambiguity>,
    /// What it spent.
    #[serde(default)]
    pub usage: Usage,
    /// Why it failed, where it did.
    #[serde(default)]
    pub failed: Option<String>,
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
    /// Decides how the graph grows, unless a run names another.
    pub policy: Arc<dyn PlanPolicy>,
    /// Policies that a run may name besides those that need nothing.
    pub further: Vec<Arc<dyn PlanPolicy>>,
    /// Works on sub-questions.
    pub searcher: Arc<dyn Strategy>,
    /// Writes the report.
    pub author: Arc<dyn Author>,
    /// Sees in how many ways a question can be read.
    pub clarifier: Arc<dyn Clarifier>,
    /// Where cited passages are pinned.
    pub journal: Arc<dyn Journal>,
    /// Slots for calls, shared by all runs of the process.
    pub gate: Gate,
    /// Answers to calls made before they were needed.
    pub ahead: Ahead,
    /// Whether searches look for what they will probably ask while they wait for a model.
    pub guess: bool,
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
    /// Research with this searcher and author, with the default slots.
    pub fn new(
        library: Arc<dyn Library>,
        policy: Arc<dyn PlanPolicy>,
        searcher: Arc<dyn Strategy>,
        author: Arc<dyn Author>,
        journal: Arc<dyn Journal>,
    ) -> Self {
        Self {
            library,
            policy,
            further: Vec::new(),
            searcher,
            author,
            clarifier: Arc::new(Extractive),
            journal,
            gate: Gate::default(),
            ahead: Ahead::default(),
            guess: true,
        }
    }

    /// With policies that a run may name.
    #[must_use]
    pub fn with_policies(mut self, further: Vec<Arc<dyn PlanPolicy>>) -> Self {
        self.further = further;
        self
    }

    /// Research without a language model.
    pub fn extractive(
        library: Arc<dyn Library>,
        policy: Arc<dyn PlanPolicy>,
        journal: Arc<dyn Journal>,
    ) -> Self {
        let (searcher, author) = (Arc::new(Extractive), Arc::new(Extractive));
        Self::new(library, policy, searcher, author, journal)
    }

    /// The plan policy of that name; the configured one without a name.
    fn policy(&self, name: Option<&str>) -> Result<Arc<dyn PlanPolicy>, TaskError> {
        match name {
            None => Ok(Arc::clone(&self.policy)),
            Some(name) if name == self.policy.name() => Ok(Arc::clone(&self.policy)),
            Some(name) => {
                let known = self.further.iter().find(|policy| policy.name() == name);
                let known = known.cloned();
                known
                    .or_else(|| policy::by_name(name).map(Arc::from))
                    .ok_or_else(|| {
                        TaskError::Terminal(format!(
                            "there is no plan policy `{name}` here; without a model there are {}",
                            policy::NAMES.join(", ")
                        ))
                    })
            }
        }
    }

    /// The library as one search of this run sees it: calls wait for their slots, and answers that
    /// were asked for ahead are there.
    fn library_for(&self, cx: &dyn TaskCtx, node: NodeId, is_ahead: bool) -> KnowingLibrary {
        let gated = |is_ahead| {
            let library = Arc::clone(&self.library);
            Arc::new(GatedLibrary::new(
                library,
                &self.gate,
                cx.run(),
                node,
                is_ahead,
            ))
        };
        let library = KnowingLibrary::new(gated(is_ahead), &self.ahead, cx.run(), node, is_ahead);
        if self.guess && !is_ahead {
            library.expecting_from(gated(true))
        } else {
            library
        }
    }

    /// The registry of all tasks of a research run.
    pub fn registry(&self) -> Registry {
        Registry::new(CODE_VERSION)
            .with(TASK, Root(self.clone()))
            .with("plan", Plan(self.clone()))
            .with("sub_question", SubQuestion(self.clone()))
            .with("ahead", Rehearse(self.clone()))
            .with("write", Write(self.clone()))
            .with("assemble", Assemble(self.clone()))
            .with("section", Section(self.clone()))
            .with("clarify", Clarify(self.clone()))
            .with("control", Control)
    }
}

/// The same registry over nothing: it can replay finished runs, whose results are all recorded,
/// and cannot work on any other.
pub fn inert_registry(journal: Arc<dyn Journal>) -> Registry {
    let library = Arc::new(crate::absent::AbsentLibrary);
    Research::extractive(library, Arc::new(policy::Single), journal).registry()
}

struct Root(Research);

impl Task for Root {
    fn run<'a>(&'a self, cx: &'a mut dyn TaskCtx, input: Value) -> TaskFuture<'a> {
        Box::pin(async move {
            let input: ResearchInput = from_value("deep_research", input)?;
            let mut driver = driver::Driver::new(cx, input);
            let result = driver.drive(cx, &self.0).await;
            self.0.gate.forget(cx.run());
            self.0.ahead.forget(cx.run());
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
            let policy = self.0.policy(input.plan.as_deref())?;
            let mut usage = Usage::default();
            let purse = Purse {
                allowance: input.allowance,
                spent: &mut usage,
            };
            let planned = policy.plan(cx, &input.graph, &input.news, purse).await;
            let (edits, failed) = match planned {
                Ok(edits) => (edits, None),
                // What a failed turn took is counted too.
                Err(TaskError::Terminal(reason) | TaskError::Retryable(reason)) => {
                    (Vec::new(), Some(reason))
                }
                Err(error) => return Err(error),
            };
            let alike = if policy.paraphrases() {
                alike(cx, self.0.library.as_ref(), &input.graph, &edits).await?
            } else {
                Vec::new()
            };
            to_value(&Proposal {
                edits,
                alike,
                reacts: policy.reacts(),
                usage,
                failed,
            })
        })
    }
}

/// Added questions of one turn that are compared with the graph's; further ones only by their words.
const MOST_COMPARED: usize = 32;

/// For each added question, the node that sounds most like it.
async fn alike(
    cx: &mut dyn TaskCtx,
    library: &dyn Library,
    graph: &GraphView,
    edits: &[GraphEdit],
) -> Result<Vec<Alike>, TaskError> {
    let known: Vec<(NodeId, String)> = graph
        .nodes
        .iter()
        .filter(|node| node.state != NodeState::Pruned)
        .map(|node| (node.id, node.text.clone()))
        .collect();
    let added: Vec<(usize, String)> = edits
        .iter()
        .enumerate()
        .filter_map(|(i, edit)| match edit {
            GraphEdit::Add { text, .. } if text.len() <= MAX_QUESTION_BYTES => {
                Some((i, text.clone()))
            }
            _ => None,
        })
        .take(MOST_COMPARED)
        .collect();
    let mut found = Vec::new();
    for (edit, text) in added {
        let texts: Vec<String> = known.iter().map(|(_, text)| text.clone()).collect();
        let key = StepKey::new("alike", &(&text, &texts));
        let cosines: Vec<f32> = cx
            .run_step(
                key,
                async move { Ok(library.similarity(text, texts).await?) },
            )
            .await?;
        let best = known
            .iter()
            .zip(cosines)
            .max_by(|(_, a), (_, b)| a.total_cmp(b));
        if let Some(((node, _), cosine)) = best.filter(|(_, cosine)| *cosine >= ALIKE_FROM) {
            found.push(Alike {
                edit,
                node: *node,
                cosine,
            });
        }
    }
    Ok(found)
}

struct SubQuestion(Research);

impl Task for SubQuestion {
    fn run<'a>(&'a self, cx: &'a mut dyn TaskCtx, input: Value) -> TaskFuture<'a> {
        Box::pin(async move {
            let input: SearchInput = from_value("sub_question", input)?;
            let library = self.0.library_for(cx, input.node, false);
            let searched = self.0.searcher.search(cx, &library, &input).await?;
            if self.0.searcher.expects() {
                // Recorded, because it depends on timing.
                let (calls, used) = self.0.ahead.counts(cx.run(), input.node);
                let key = StepKey::new("expected", &input.node);
                let (calls, used): (u32, u32) =
                    cx.run_step(key, async move { Ok((calls, used)) }).await?;
                if calls > 0 {
                    let node = input.node;
                    cx.emit(Event::Speculated { node, calls, used });
                }
            }
            to_value(&searched)
        })
    }
}

/// The search of a node that still waits, for what it asks of the library.
struct Rehearse(Research);

impl Task for Rehearse {
    fn run<'a>(&'a self, cx: &'a mut dyn TaskCtx, input: Value) -> TaskFuture<'a> {
        Box::pin(async move {
            let input: SearchInput = from_value("ahead", input)?;
            let (run, node) = (cx.run().clone(), input.node);
            let library = self.0.library_for(cx, node, true);
            let cancel = self.0.ahead.begin(&run, node);
            let mut rehearsal = Rehearsal::new(run, cx.seed(), 0, cancel);
            // One step, recorded empty: a resumed run does not rehearse again.
            let key = StepKey::new("ahead", &input);
            cx.run_step(key, async move {
                // Whatever comes of it, the search itself will tell.
                let _thrown_away = Extractive.search(&mut rehearsal, &library, &input).await;
                Ok(())
            })
            .await?;
            Ok(Value::Null)
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

struct Assemble(Research);

impl Task for Assemble {
    fn run<'a>(&'a self, cx: &'a mut dyn TaskCtx, input: Value) -> TaskFuture<'a> {
        Box::pin(async move {
            let input: WriteInput = from_value("assemble", input)?;
            let library = self.0.library.as_ref();
            to_value(&self.0.author.assemble(cx, library, input).await?)
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

/// Looks for more than one reading of the question.
struct Clarify(Research);

impl Task for Clarify {
    fn run<'a>(&'a self, cx: &'a mut dyn TaskCtx, input: Value) -> TaskFuture<'a> {
        Box::pin(async move {
            let ClarifyInput {
                question,
                allowance,
            } = from_value("clarify", input)?;
            let library = self.0.library.as_ref();
            let mut usage = Usage::default();
            let clarifier = self.0.clarifier.as_ref();
            let asked = clarifier
                .clarify(cx, library, &question, allowance, &mut usage)
                .await;
            let (asked, failed) = match asked {
                Ok(asked) => (asked, None),
                // What a failed look took is counted too.
                Err(TaskError::Terminal(reason) | TaskError::Retryable(reason)) => {
                    (None, Some(reason))
                }
                Err(error) => return Err(error),
            };
            to_value(&Looked {
                asked,
                usage,
                failed,
            })
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

fn to_value(value: &impl Serialize) -> Result<Value, TaskError> {
    serde_json::to_value(value).map_err(|error| TaskError::Terminal(error.to_string()))
}

fn from_value<T: DeserializeOwned>(what: &str, value: Value) -> Result<T, TaskError> {
    serde_json::from_value(value).map_err(|error| TaskError::Incompatible {
        step: what.to_owned(),
        reason: error.to_string(),
    })
}
