//! What a journal holds of a run.

use std::collections::{BTreeMap, HashMap};

use indago_core::ports::{RunSpec, RunStatus, TaskError};
use indago_core::{Event, Passage, RunId, RunState};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A result as recorded: a value, or the error that the code will see again.
pub type Stored = Result<Value, TaskError>;

/// A run's head.
#[derive(Clone, Debug, PartialEq)]
pub struct RunMeta {
    /// Which run.
    pub id: RunId,
    /// What to run.
    pub spec: RunSpec,
    /// Version of the tasks' code that made it.
    pub code_version: u32,
    /// When it began, in milliseconds since the Unix epoch.
    pub started_ms: u64,
    /// How it ended; `None` while it has not.
    pub outcome: Option<Outcome>,
    /// Events recorded so far.
    pub events: u64,
    /// Of a fork: the run it was forked from and the last event it shares with it.
    pub parent: Option<(RunId, u64)>,
    /// Whether the run is kept whatever its age.
    pub kept: bool,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Finished or stopped.
    pub state: RunState,
    /// Its output, or why there is none.
    pub result: Stored,
    /// When, in milliseconds since the Unix epoch.
    pub ended_ms: u64,
}

impl RunMeta {
    /// The run as listings show it. `hosted`: whether a process works on it.
    pub fn status(&self, hosted: bool) -> RunStatus {
        let state = match &self.outcome {
            Some(outcome) => outcome.state,
            None if hosted => RunState::Running,
            None => RunState::Interrupted,
        };
        RunStatus {
            id: self.id.clone(),
            state,
            question: self.spec.question.clone(),
            corpus: self.spec.corpus.clone(),
            started_ms: self.started_ms,
            ended_ms: self.outcome.as_ref().map(|outcome| outcome.ended_ms),
            events: self.events,
            parent: self.parent.clone().map(|(run, _)| run),
            kept: self.kept,
        }
    }
}

/// One fact about a run, in the order in which it happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// A task was started.
    Spawned {
        /// Its path: keys from the root down, joined by `/`.
        path: String,
        /// Its registered name.
        name: String,
        /// Its input.
        input: Value,
    },
    /// A step ended.
    Step {
        /// Path of its task.
        path: String,
        /// Its key.
        key: String,
        /// Its result.
        result: Stored,
    },
    /// A task ended.
    Done {
        /// Path of the task.
        path: String,
        /// How many tasks of the run ended before it.
        order: u64,
        /// Its result.
        result: Stored,
    },
    /// An event was emitted.
    Event(StoredEvent),
    /// The run ended.
    Ended(Outcome),
}

/// An event with its place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredEvent {
    /// Number within the run, from 0 without gaps.
    pub seq: u64,
    /// Path of the task that emitted it.
    pub path: String,
    /// Number within its task, from 0 without gaps: what makes re-emitting idempotent.
    pub ordinal: u32,
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// What happened.
    pub event: Event,
}

/// What is recorded of one task.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskRecord {
    /// Its registered name; empty for the root.
    pub name: String,
    /// Results of finished steps by key.
    pub steps: HashMap<String, Stored>,
    /// Its result, and its place in the order in which tasks of the run ended.
    pub done: Option<(u64, Stored)>,
    /// Events it emitted.
    pub events: u32,
}

/// Everything recorded of a run: the fold over its entries.
#[derive(Clone, Debug, PartialEq)]
pub struct RunRecord {
    /// Its head.
    pub meta: RunMeta,
    /// Its tasks by path.
    pub tasks: BTreeMap<String, TaskRecord>,
    /// Its events in order.
    pub events: Vec<StoredEvent>,
    /// Tasks that ended so far.
    pub done: u64,
}

impl RunRecord {
    /// A run of which nothing but its head is recorded.
    pub fn new(meta: RunMeta) -> Self {
        Self {
            meta,
            tasks: BTreeMap::new(),
            events: Vec::new(),
            done: 0,
        }
    }

    /// Adds an entry. A second entry for the same step, task or event changes nothing.
    pub fn apply(&mut self, entry: Entry) {
        match entry {
            Entry::Spawned { path, name, .. } => {
                self.tasks.entry(path).or_default().name = name;
            }
            Entry::Step { path, key, result } => {
                self.tasks
                    .entry(path)
                    .or_default()
                    .steps
                    .entry(key)
                    .or_insert(result);
            }
            Entry::Done {
                path,
                order,
                result,
            } => {
                let task = self.tasks.entry(path).or_default();
                if task.done.is_none() {
                    task.done = Some((order, result));
                    self.done = self.done.max(order + 1);
                }
            }
            Entry::Event(event) => {
                let task = self.tasks.entry(event.path.clone()).or_default();
                if event.ordinal == task.events {
                    task.events += 1;
                    self.meta.events = self.meta.events.max(event.seq + 1);
                    self.events.push(event);
                }
            }
            Entry::Ended(outcome) => {
                self.meta.outcome.get_or_insert(outcome);
            }
        }
    }
}

/// A cited passage, kept whole, so that a report can be rendered and checked without its corpus.
pub type Pin = Passage;
