//! One living run in this process: its tasks, signals and events, in memory and on their way into
//! the journal.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use indago_core::ports::{Output, RunSpec, TaskError, TaskKey};
use indago_core::{Event, RunId, RunState};
use serde_json::Value;
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;

use super::catch::Catch;
use super::context::Context;
use super::{CANCEL, Clock, RELEASE};
use crate::journal::{
    Durability, Entry, Journal, Outcome, RunRecord, Stored, StoredEvent, TaskRecord,
};
use crate::registry::Registry;

/// Whether tasks may do anything new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// What is not recorded is done and recorded.
    Live,
    /// What is not recorded is a difference.
    Replay,
}

pub(crate) struct Host {
    pub(crate) id: RunId,
    pub(crate) spec: RunSpec,
    pub(crate) mode: Mode,
    journal: Arc<dyn Journal>,
    registry: Arc<Registry>,
    clock: Clock,
    state: Mutex<State>,
    cancelled: watch::Sender<bool>,
    /// Requests to let go that earlier hosts were sent.
    releases: usize,
    released: watch::Sender<bool>,
    signals: watch::Sender<u64>,
    /// Number of events, for those who wait for more.
    events: watch::Sender<u64>,
    outcome: watch::Sender<Option<Stored>>,
    root: OnceLock<AbortHandle>,
    handles: Mutex<Vec<AbortHandle>>,
    warned: AtomicBool,
}

struct State {
    tasks: HashMap<String, LiveTask>,
    signals: HashMap<String, Value>,
    events: Vec<Arc<StoredEvent>>,
    done: u64,
    difference: Option<String>,
}

/// A task as its run sees it.
struct LiveTask {
    record: TaskRecord,
    is_running: bool,
    /// Keys of children that ended and were not handed out, in the order in which they ended.
    ended: BTreeMap<u64, TaskKey>,
    changed: Arc<Notify>,
}

impl LiveTask {
    fn new(record: TaskRecord) -> Self {
        Self {
            record,
            is_running: false,
            ended: BTreeMap::new(),
            changed: Arc::default(),
        }
    }
}

impl Host {
    pub(crate) fn new(
        record: RunRecord,
        signals: Vec<(String, Value)>,
        journal: Arc<dyn Journal>,
        registry: Arc<Registry>,
        clock: Clock,
        mode: Mode,
    ) -> Arc<Self> {
        let RunRecord {
            meta,
            tasks,
            events,
            done,
        } = record;
        let is_cancelled = signals.iter().any(|(name, _)| name == CANCEL);
        let n_events = events.len() as u64;
        Arc::new(Self {
            id: meta.id,
            spec: meta.spec,
            mode,
            journal,
            registry,
            clock,
            releases: releases(&signals),
            released: watch::Sender::new(false),
            state: Mutex::new(State {
                tasks: tasks
                    .into_iter()
                    .map(|(path, task)| (path, LiveTask::new(task)))
                    .collect(),
                signals: signals.into_iter().collect(),
                events: events.into_iter().map(Arc::new).collect(),
                done,
                difference: None,
            }),
            cancelled: watch::Sender::new(is_cancelled),
            signals: watch::Sender::new(0),
            events: watch::Sender::new(n_events),
            outcome: watch::Sender::new(None),
            root: OnceLock::new(),
            handles: Mutex::new(Vec::new()),
            warned: AtomicBool::new(false),
        })
    }

    /// Runs the root task and stores how it ended; false when that could not be stored.
    pub(crate) async fn run_to_end(self: &Arc<Self>) -> bool {
        let result = self.run_root().await;
        self.abort_children();
        let state = if result.is_ok() {
            RunState::Finished
        } else {
            RunState::Stopped
        };
        let outcome = Outcome {
            state,
            result: result.clone(),
            ended_ms: self.now_ms(),
        };
        self.journal.append(&self.id, Entry::Ended(outcome));
        let stored = self.journal.flush(Durability::Process).await;
        if let Err(error) = &stored {
            tracing::warn!(run = %self.id, %error, "the run's end is not recorded");
        }
        self.outcome.send_replace(Some(result));
        stored.is_ok()
    }

    /// Runs the root task.
    pub(crate) async fn run_root(self: &Arc<Self>) -> Result<Output, TaskError> {
        let (name, input) = (self.spec.task.clone(), self.spec.input.clone());
        self.run_task(String::new(), &name, input).await
    }

    async fn run_task(
        self: &Arc<Self>,
        path: String,
        name: &str,
        input: Value,
    ) -> Result<Output, TaskError> {
        let task = self.registry.get(name)?;
        let (record, changed) = {
            let mut state = self.state();
            let live = state
                .tasks
                .entry(path.clone())
                .or_insert_with(|| LiveTask::new(TaskRecord::default()));
            live.is_running = true;
            (std::mem::take(&mut live.record), Arc::clone(&live.changed))
        };
        let mut context = Context::new(Arc::clone(self), path, record, changed);
        Catch::new(|| task.run(&mut context, input)).await
    }

    /// Starts a child, unless it is running or has ended; then its result is (or will be) there.
    pub(crate) fn spawn(
        self: &Arc<Self>,
        parent: &str,
        key: &TaskKey,
        name: &str,
        input: Value,
    ) -> Result<(), TaskError> {
        let path = child_path(parent, key)?;
        let mut state = self.state();
        let ended = state
            .tasks
            .get(&path)
            .and_then(|live| live.record.done.as_ref());
        if let Some(&(order, _)) = ended {
            if let Some(live) = state.tasks.get_mut(parent) {
                live.ended.insert(order, key.clone());
            }
            return Ok(());
        }
        if self.mode == Mode::Replay {
            return Ok(());
        }
        let is_recorded = state.tasks.contains_key(&path);
        let live = state
            .tasks
            .entry(path.clone())
            .or_insert_with(|| LiveTask::new(TaskRecord::default()));
        if live.is_running {
            return Ok(());
        }
        live.is_running = true;
        if !is_recorded {
            let name = name.to_owned();
            self.journal.append(
                &self.id,
                Entry::Spawned {
                    path: path.clone(),
                    name,
                    input: input.clone(),
                },
            );
        }
        drop(state);
        let (host, parent, key, name) = (
            Arc::clone(self),
            parent.to_owned(),
            key.clone(),
            name.to_owned(),
        );
        let handle = tokio::spawn(async move {
            let result = host.run_task(path.clone(), &name, input).await;
            host.child_ended(&path, &parent, key, result);
        });
        self.keep(handle.abort_handle());
        Ok(())
    }

    fn child_ended(&self, path: &str, parent: &str, key: TaskKey, result: Stored) {
        let mut state = self.state();
        let order = state.done;
        state.done += 1;
        // A cancelled task has not ended for good: it is not recorded.
        if !matches!(result, Err(TaskError::Cancelled)) {
            self.journal.append(
                &self.id,
                Entry::Done {
                    path: path.to_owned(),
                    order,
                    result: result.clone(),
                },
            );
        }
        if let Some(live) = state.tasks.get_mut(path) {
            live.is_running = false;
            live.record = TaskRecord {
                done: Some((order, result)),
                ..TaskRecord::default()
            };
        }
        if let Some(live) = state.tasks.get_mut(parent) {
            live.ended.insert(order, key);
            live.changed.notify_waiters();
        }
    }

    /// The first of `pending` that ended, taken out of the parent's list.
    pub(crate) fn take_ended(
        &self,
        parent: &str,
        pending: &[TaskKey],
    ) -> Option<(TaskKey, Stored)> {
        let mut state = self.state();
        let live = state.tasks.get_mut(parent)?;
        let order = *live.ended.iter().find(|(_, key)| pending.contains(key))?.0;
        let key = live.ended.remove(&order)?;
        let path = child_path(parent, &key).ok()?;
        let result = state.tasks.get(&path)?.record.done.as_ref()?.1.clone();
        Some((key, result))
    }

    /// Adds an event unless it is recorded already.
    pub(crate) fn emit(&self, path: &str, ordinal: u32, event: Event) {
        let mut state = self.state();
        let seq = state.events.len() as u64;
        let at_ms = self.now_ms();
        let event = StoredEvent {
            seq,
            path: path.to_owned(),
            ordinal,
            at_ms,
            event,
        };
        state.events.push(Arc::new(event.clone()));
        // Under the lock, so that the journal has them in the order of their numbers.
        self.journal.append(&self.id, Entry::Event(event));
        drop(state);
        self.events.send_replace(seq + 1);
    }

    /// Records a step's result.
    pub(crate) fn record_step(&self, path: &str, key: &str, result: Stored) {
        self.journal.append(
            &self.id,
            Entry::Step {
                path: path.to_owned(),
                key: key.to_owned(),
                result,
            },
        );
        if let Some(reason) = self.journal.failure()
            && !self.warned.swap(true, Ordering::Relaxed)
        {
            let message = format!(
                "the journal cannot be written: {reason}. The run goes on, but could not be \
                 resumed or shown later"
            );
            let mut state = self.state();
            let seq = state.events.len() as u64;
            let event = Event::Warned { message };
            state.events.push(Arc::new(StoredEvent {
                seq,
                path: path.to_owned(),
                ordinal: u32::MAX,
                at_ms: self.now_ms(),
                event,
            }));
            drop(state);
            self.events.send_replace(seq + 1);
        }
    }

    /// A signal's value, if it has arrived.
    pub(crate) fn signal(&self, name: &str) -> Option<Value> {
        self.state().signals.get(name).cloned()
    }

    /// Hands a signal to the run; the first write under a name wins.
    pub(crate) fn deliver(&self, name: String, value: Value) {
        if name == CANCEL {
            self.cancelled.send_replace(true);
            return;
        }
        if let Some(number) = name.strip_prefix(RELEASE) {
            if number
                .parse()
                .is_ok_and(|number: usize| number >= self.releases)
            {
                self.released.send_replace(true);
            }
            return;
        }
        self.state().signals.entry(name).or_insert(value);
        self.signals.send_modify(|version| *version += 1);
    }

    /// Looks for signals that other processes left in the journal.
    pub(crate) fn poll_signals(&self, seen: &mut Option<u64>) {
        let counter = self.journal.change_counter();
        if seen.replace(counter) == Some(counter) {
            return;
        }
        match self.journal.signals(&self.id) {
            Ok(signals) => {
                for (name, value) in signals {
                    if name == CANCEL || name.starts_with(RELEASE) || self.signal(&name).is_none() {
                        self.deliver(name, value);
                    }
                }
            }
            Err(error) => tracing::warn!(run = %self.id, %error, "cannot look for signals"),
        }
    }

    /// Ends when somebody asked this host to let go of the run.
    pub(crate) async fn released(&self) {
        let mut released = self.released.subscribe();
        if released.wait_for(|is_released| *is_released).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Whether this host let go of the run.
    pub(crate) fn was_released(&self) -> bool {
        *self.released.borrow()
    }

    /// Stops where the run stands and stores what is on its way; another process may go on.
    pub(crate) async fn let_go(&self) -> bool {
        self.abort_children();
        let stored = self.journal.flush(Durability::Process).await;
        self.outcome.send_replace(Some(Err(TaskError::Cancelled)));
        stored.is_ok()
    }

    /// The engine's time.
    pub(crate) fn now_ms(&self) -> u64 {
        (self.clock)()
    }

    pub(crate) fn watch_signals(&self) -> watch::Receiver<u64> {
        self.signals.subscribe()
    }

    pub(crate) fn watch_cancelled(&self) -> watch::Receiver<bool> {
        self.cancelled.subscribe()
    }

    pub(crate) fn watch_events(&self) -> watch::Receiver<u64> {
        self.events.subscribe()
    }

    pub(crate) fn watch_outcome(&self) -> watch::Receiver<Option<Stored>> {
        self.outcome.subscribe()
    }

    /// Event number `seq`, if it has happened.
    pub(crate) fn event(&self, seq: u64) -> Option<Arc<StoredEvent>> {
        self.state().events.get(usize::try_from(seq).ok()?).cloned()
    }

    pub(crate) fn event_count(&self) -> u64 {
        self.state().events.len() as u64
    }

    /// The run's result, once it has ended.
    pub(crate) async fn ended(&self) -> Result<Output, TaskError> {
        let mut outcome = self.watch_outcome();
        match outcome.wait_for(Option::is_some).await {
            Ok(outcome) => outcome.clone().unwrap_or(Err(TaskError::Cancelled)),
            Err(_host_gone) => Err(TaskError::Cancelled),
        }
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.outcome.borrow().is_some()
    }

    /// Notes that a replay asked for something that is not recorded; the first note stands.
    pub(crate) fn differ(&self, what: &str) {
        self.state()
            .difference
            .get_or_insert_with(|| what.to_owned());
    }

    pub(crate) fn difference(&self) -> Option<String> {
        self.state().difference.clone()
    }

    /// Remembers something to stop when the root ends.
    pub(crate) fn keep(&self, handle: AbortHandle) {
        let mut handles = self.handles();
        // Thousands of children end during a long run; what is over need not be kept.
        if handles.len() % 256 == 255 {
            handles.retain(|handle| !handle.is_finished());
        }
        handles.push(handle);
    }

    /// Remembers the root.
    pub(crate) fn keep_root(&self, handle: AbortHandle) {
        // Set once, by whoever started it.
        let _set_before = self.root.set(handle);
    }

    /// Stops everything where it is, as a crash would.
    pub(crate) fn abort(&self) {
        if let Some(root) = self.root.get() {
            root.abort();
        }
        self.abort_children();
    }

    /// Stops what is left of the run when its root has ended.
    fn abort_children(&self) {
        for handle in self.handles().drain(..) {
            handle.abort();
        }
    }

    fn handles(&self) -> MutexGuard<'_, Vec<AbortHandle>> {
        self.handles.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs under this lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many requests to let go are recorded.
pub(super) fn releases(signals: &[(String, Value)]) -> usize {
    let is_release = |(name, _): &&(String, Value)| name.starts_with(RELEASE);
    signals.iter().filter(is_release).count()
}

/// The path of a child.
fn child_path(parent: &str, key: &TaskKey) -> Result<String, TaskError> {
    if key.0.is_empty() || key.0.contains('/') {
        return Err(TaskError::Terminal(format!(
            "`{}` cannot be a task's key",
            key.0
        )));
    }
    let path = if parent.is_empty() {
        key.0.clone()
    } else {
        format!("{parent}/{}", key.0)
    };
    if path.len() > crate::journal::MAX_KEY_BYTES {
        return Err(TaskError::Terminal(
            "tasks are nested too deep or have too long keys".into(),
        ));
    }
    Ok(path)
}
