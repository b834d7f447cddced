//! Durable execution as a contract: tasks are data, steps are journaled leaves.
//!
//! The same planner and agents run on an embedded journal, on a distributed engine or in memory,
//! because they see only [`TaskCtx`]. On resume the code of a task runs again from its start and
//! every step that finished before returns its recorded result.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Cancelled, Event, RunId, RunState};

/// A boxed future that may be sent between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a task or run returns: JSON data, so that it can cross a process.
pub type Output = Value;

/// Names a step within its task by purpose, never by time or by a counter in memory: operator
/// path, round and a hash of what goes in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepKey(String);

impl StepKey {
    /// A key for `purpose` (such as `retrieve/2`) on `input`.
    ///
    /// The input is hashed, so a step whose input changed is another step.
    pub fn new(purpose: impl fmt::Display, input: &impl Serialize) -> Self {
        let bytes = serde_json::to_vec(input).unwrap_or_default();
        let hash = crate::ContentHash::of(&bytes).to_string();
        Self(format!("{purpose}#{}", &hash[..16]))
    }

    /// The key's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Names a child task within its parent, by purpose.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TaskKey(pub String);

/// How often a failing step is tried. Data, so that every engine can honour it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// Attempts in all, at least 1.
    pub attempts: u32,
    /// Wait before the second attempt; doubles after each.
    pub backoff_ms: u64,
}

impl RetryPolicy {
    /// One attempt: for local work, which fails the same way twice.
    pub const ONCE: Self = Self {
        attempts: 1,
        backoff_ms: 0,
    };
}

/// A task or step did not give a result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TaskError {
    /// Cancelled; takes effect at step boundaries.
    #[error("cancelled")]
    Cancelled,
    /// Worth another attempt.
    #[error("{0}")]
    Retryable(String),
    /// Will fail again.
    #[error("{0}")]
    Terminal(String),
    /// A recorded result does not have the type the code expects: the journal was written by an
    /// incompatible build.
    #[error("recorded result of `{step}` does not fit: {reason}")]
    Incompatible {
        /// Which step.
        step: String,
        /// What does not fit.
        reason: String,
    },
    /// The journal could not be written or read.
    #[error("journal: {0}")]
    Journal(String),
}

impl From<Cancelled> for TaskError {
    fn from(_: Cancelled) -> Self {
        Self::Cancelled
    }
}

impl From<super::RetrieveError> for TaskError {
    fn from(error: super::RetrieveError) -> Self {
        match error {
            super::RetrieveError::Cancelled(_) => Self::Cancelled,
            other => Self::Terminal(describe(&other)),
        }
    }
}

/// An error and its causes in one line.
fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.ends_with(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text
}

/// The work of one step: called once per attempt.
pub type StepWork<'a> = Box<dyn FnMut() -> BoxFuture<'a, Result<Value, TaskError>> + Send + 'a>;

/// Child tasks that are under way. Grows while it is drained.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskSet {
    /// Keys of children that were spawned and not yet returned, in order of spawning.
    pub pending: Vec<TaskKey>,
}

/// What a task can do. Steps in a task are sequential; concurrency is child tasks.
pub trait TaskCtx: Send {
    /// The run this task belongs to.
    fn run(&self) -> &RunId;

    /// Runs `work` unless a result is recorded under `key`; then returns that result instead.
    fn step<'a>(
        &'a mut self,
        key: StepKey,
        retry: RetryPolicy,
        work: StepWork<'a>,
    ) -> BoxFuture<'a, Result<Value, TaskError>>;

    /// Starts a child task by its registered name. Idempotent on `key`.
    fn spawn<'a>(
        &'a mut self,
        task: &'a str,
        key: TaskKey,
        input: Value,
        set: &'a mut TaskSet,
    ) -> BoxFuture<'a, Result<(), TaskError>>;

    /// The next child of `set` to finish; the order is recorded. `None` when the set is empty.
    fn next_done<'a>(
        &'a mut self,
        set: &'a mut TaskSet,
    ) -> BoxFuture<'a, Option<(TaskKey, Result<Output, TaskError>)>>;

    /// Waits for a one-shot signal, which may have arrived already; `None` after `timeout_ms`.
    fn wait_signal<'a>(
        &'a mut self,
        name: &'a str,
        timeout_ms: u64,
    ) -> BoxFuture<'a, Result<Option<Value>, TaskError>>;

    /// Milliseconds since the Unix epoch, recorded: a resumed task sees the same times again.
    fn now_ms(&mut self) -> u64;

    /// The run's seed.
    fn seed(&self) -> u64;

    /// Adds an event to the run's log. Re-emitting on resume does not double it.
    fn emit(&mut self, event: Event);

    /// Whether the run was cancelled.
    fn is_cancelled(&self) -> bool;
}

/// Typed steps over [`TaskCtx::step`].
pub trait TaskCtxExt: TaskCtx {
    /// Runs `work` once as a journaled step whose result is recorded as JSON.
    fn run_step<'a, T, F>(
        &'a mut self,
        key: StepKey,
        work: F,
    ) -> BoxFuture<'a, Result<T, TaskError>>
    where
        T: Serialize + DeserializeOwned + Send + 'a,
        F: Future<Output = Result<T, TaskError>> + Send + 'a,
    {
        let name = key.as_str().to_owned();
        let mut once = Some(work);
        let work: StepWork<'a> = Box::new(move || match once.take() {
            Some(future) => Box::pin(async move {
                serde_json::to_value(future.await?)
                    .map_err(|e| TaskError::Terminal(format!("result is no JSON: {e}")))
            }),
            None => Box::pin(async { Err(TaskError::Terminal("step has one attempt".into())) }),
        });
        let recorded = self.step(key, RetryPolicy::ONCE, work);
        Box::pin(async move {
            serde_json::from_value(recorded.await?).map_err(|e| TaskError::Incompatible {
                step: name,
                reason: e.to_string(),
            })
        })
    }
}

impl<C: TaskCtx + ?Sized> TaskCtxExt for C {}

/// What to run: a registered task with its input, and the build it was written for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunSpec {
    /// Registered name of the root task, such as `deep_research`.
    pub task: String,
    /// Its input.
    pub input: Value,
    /// The question, for listings.
    pub question: String,
    /// The corpus asked, for listings.
    pub corpus: String,
    /// Seed of everything random in the run.
    pub seed: u64,
}

/// Whether [`RunEngine::start`] made a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Started {
    /// It did.
    New,
    /// A run of that id existed; nothing was changed.
    AlreadyThere,
}

/// A run as listings show it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunStatus {
    /// Which run.
    pub id: RunId,
    /// Where it stands.
    pub state: RunState,
    /// The question.
    pub question: String,
    /// The corpus.
    pub corpus: String,
    /// When it started, in milliseconds since the Unix epoch.
    pub started_ms: u64,
    /// When it ended, if it has.
    pub ended_ms: Option<u64>,
    /// Events recorded so far.
    pub events: u64,
    /// The run that it was forked from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<RunId>,
    /// Whether it is kept whatever its age.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub kept: bool,
}

/// A run could not be started, found or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// No run has this id.
    #[error("there is no run `{0}`")]
    Unknown(RunId),
    /// The id cannot name a run.
    #[error("`{0}` cannot name a run: use up to 64 letters, digits, dots, dashes or underscores")]
    BadId(RunId),
    /// The run is alive in another process.
    #[error("run `{0}` is hosted by another process")]
    Hosted(RunId),
    /// The run's state does not allow what was asked.
    #[error("run `{id}` is {state:?}: {reason}")]
    WrongState {
        /// Which run.
        id: RunId,
        /// Its state.
        state: RunState,
        /// Why that does not fit, and what to do.
        reason: String,
    },
    /// This process let go of the run, because it was asked to; another one goes on with it.
    #[error("run `{0}` goes on in another process")]
    Released(RunId),
    /// The run cannot be forked as asked.
    #[error("run `{id}` cannot be forked: {reason}")]
    CannotFork {
        /// Which run.
        id: RunId,
        /// Why not.
        reason: String,
    },
    /// A file of a run cannot be imported.
    #[error("this is no exported run: {0}")]
    BadExport(String),
    /// What was asked of the run makes no sense.
    #[error(transparent)]
    BadSteering(crate::SteeringRefused),
    /// The run ended without an output.
    #[error("the run failed: {0}")]
    Failed(TaskError),
    /// The journal was written by a newer build.
    #[error("journal format {found}, this build reads up to {expected}")]
    FormatVersion {
        /// What the journal says.
        found: u32,
        /// What this build reads.
        expected: u32,
    },
    /// Another process holds the journal and does not let go of it: try again later.
    #[error(
        "journal at `{path}` is locked: another process has held it for long; end it or try again"
    )]
    Locked {
        /// Where.
        path: String,
    },
    /// The journal could not be opened, read or written.
    #[error("journal at `{path}`: {reason}")]
    Journal {
        /// Where.
        path: String,
        /// What went wrong.
        reason: String,
    },
}

/// The client side: starts runs and watches them.
pub trait RunEngine: Send + Sync {
    /// Starts a run. Idempotent on `id`.
    fn start(&self, id: RunId, spec: RunSpec) -> BoxFuture<'_, Result<Started, RunError>>;

    /// Where a run stands.
    fn status(&self, id: RunId) -> BoxFuture<'_, Result<RunStatus, RunError>>;

    /// Waits for a run's output.
    fn attach(&self, id: RunId) -> BoxFuture<'_, Result<Output, RunError>>;

    /// Delivers a named, one-shot signal; the first write wins. May come before the wait.
    fn signal(&self, id: RunId, name: String, value: Value) -> BoxFuture<'_, Result<(), RunError>>;

    /// Asks a run to stop at its next step boundary.
    fn cancel(&self, id: RunId) -> BoxFuture<'_, Result<(), RunError>>;
}
