//! Runs registered tasks over a journal.
//!
//! [`Engine`] is the client side: it starts, resumes, replays and watches runs. [`host`] is one
//! living run in this process, [`context`] what its tasks see, [`stream`] its events, [`run`] the
//! handle that others hold.

mod catch;
mod clock;
mod context;
mod control;
mod host;
mod place;
mod run;
mod stream;

pub(crate) use clock::now_ms;
pub use clock::{new_run_id, utc};
pub(crate) use place::Place;
pub use run::Run;
pub use stream::EventStream;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indago_core::ports::{
    BoxFuture, Output, RunEngine, RunError, RunSpec, RunStatus, Started, TaskError,
};
use indago_core::{RunId, RunState, Steering};
use serde_json::Value;

use crate::journal::{Created, Journal, Pin, RunMeta, RunRecord, StoredEvent};
use crate::registry::Registry;
use host::{Host, Mode};

/// How often somebody who waits for another process looks whether anything changed.
const POLL: Duration = Duration::from_millis(50);

/// The signal under which a cancellation travels.
pub(crate) const CANCEL: &str = "$cancel";

/// Steerings of a run travel under this prefix and a number, each one-shot, from 0 without gaps.
pub(crate) const STEER: &str = "steer/";

/// Signals under this prefix ask a host to let go of the run, so that another process can have it.
pub(crate) const RELEASE: &str = "$release/";

/// What [`Engine::resume`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResumeOutcome {
    /// The run goes on in this process.
    Resumed,
    /// It runs in this process already.
    Running,
    /// It has finished; its output is recorded.
    Finished,
}

/// A run with what is recorded of its tasks.
#[derive(Clone, Debug, PartialEq)]
pub struct RunDetail {
    /// Where it stands.
    pub status: RunStatus,
    /// Its tasks in order of path; the root's path is empty.
    pub tasks: Vec<TaskDetail>,
    /// Its output or error, once it has ended.
    pub result: Option<Result<Output, TaskError>>,
    /// Seed of everything random in it.
    pub seed: u64,
    /// Version of the tasks' code that made it.
    pub code_version: u32,
}

/// What is recorded of one task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskDetail {
    /// Keys from the root down, joined by `/`; empty for the root.
    pub path: String,
    /// Its registered name.
    pub name: String,
    /// Finished steps.
    pub steps: usize,
    /// Whether it has ended.
    pub is_done: bool,
}

/// Where an engine gets the time: milliseconds since the Unix epoch.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// Runs tasks of a [`Registry`] and records them in a journal. Clones share everything; when the
/// last one is dropped the runs it hosts stop where they are, to be resumed later.
pub struct Engine<J: Journal>(Arc<Inner<J>>);

struct Inner<J: Journal> {
    journal: Arc<J>,
    registry: Arc<Registry>,
    clock: Clock,
    hosts: Mutex<HashMap<RunId, Arc<Host>>>,
}

impl<J: Journal> Clone for Engine<J> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<J: Journal> fmt::Debug for Engine<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Engine({} living runs)", self.0.hosts().len())
    }
}

impl<J: Journal> Drop for Inner<J> {
    fn drop(&mut self) {
        for host in self.hosts().values() {
            host.abort();
        }
    }
}

impl<J: Journal> Inner<J> {
    fn hosts(&self) -> MutexGuard<'_, HashMap<RunId, Arc<Host>>> {
        // A map of handles is sound whatever panicked beside it.
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn host(&self, run: &RunId) -> Option<Arc<Host>> {
        self.hosts().get(run).cloned()
    }
}

impl<J: Journal> Engine<J> {
    /// An engine for `registry`'s tasks over `journal`. Its methods need a tokio runtime.
    pub fn new(journal: Arc<J>, registry: Registry) -> Self {
        Self::with_clock(journal, registry, Arc::new(now_ms))
    }

    /// The same, with a wall clock of its own: milliseconds since the Unix epoch. It may be set
    /// back at any time, like any wall clock.
    pub fn with_clock(journal: Arc<J>, registry: Registry, clock: Clock) -> Self {
        Self(Arc::new(Inner {
            journal,
            registry: Arc::new(registry),
            clock,
            hosts: Mutex::new(HashMap::new()),
        }))
    }

    /// The journal.
    pub fn journal(&self) -> &Arc<J> {
        &self.0.journal
    }

    /// All runs, newest first.
    pub fn runs(&self) -> Result<Vec<RunStatus>, RunError> {
        let metas = self.0.journal.list()?;
        Ok(metas.iter().map(|meta| self.status_of(meta)).collect())
    }

    /// One run in detail.
    pub fn run(&self, id: &RunId) -> Result<RunDetail, RunError> {
        let record = self.0.journal.load(id)?;
        let tasks = record
            .tasks
            .iter()
            .map(|(path, task)| TaskDetail {
                path: path.clone(),
                name: task.name.clone(),
                steps: task.steps.len(),
                is_done: task.done.is_some(),
            })
            .collect();
        Ok(RunDetail {
            status: self.status_of(&record.meta),
            tasks,
            result: record
                .meta
                .outcome
                .as_ref()
                .map(|outcome| outcome.result.clone()),
            seed: record.meta.spec.seed,
            code_version: record.meta.code_version,
        })
    }

    /// What was recorded of a run's events, in order.
    pub fn events(&self, id: &RunId) -> Result<Vec<StoredEvent>, RunError> {
        self.0.journal.events(id, 0, usize::MAX)
    }

    /// A run's events from number `from_seq` on: what is recorded, then what happens, until the
    /// run ends. Any number of subscribers; a slow one delays nobody.
    pub fn subscribe(&self, id: &RunId, from_seq: u64) -> Result<EventStream, RunError> {
        if let Some(host) = self.0.host(id) {
            return Ok(EventStream::living(host, from_seq));
        }
        self.0.journal.meta(id)?;
        let journal: Arc<dyn Journal> = self.0.journal.clone();
        Ok(EventStream::recorded(journal, id.clone(), from_seq))
    }

    /// Starts a run and gives a handle on it; on the one that is there when the id is taken.
    pub async fn begin(&self, id: RunId, spec: RunSpec) -> Result<Run<J>, RunError> {
        self.start(id.clone(), spec).await?;
        Ok(Run::new(self.clone(), id))
    }

    /// A handle on a recorded run, whoever works on it.
    pub fn handle(&self, id: &RunId) -> Result<Run<J>, RunError> {
        check_id(id)?;
        self.0.journal.meta(id)?;
        Ok(Run::new(self.clone(), id.clone()))
    }

    /// Asks something of a living plan, from whatever process. Gives the number under which that
    /// is recorded; numbers of one run have no gaps and are obeyed in order.
    pub async fn steer(&self, id: &RunId, steering: Steering) -> Result<u32, RunError> {
        steering.check().map_err(RunError::BadSteering)?;
        let status = self.status_now(id)?;
        if matches!(status.state, RunState::Finished | RunState::Stopped) {
            return Err(RunError::WrongState {
                id: id.clone(),
                state: status.state,
                reason: "it has ended and cannot be steered any more; fork it or ask again".into(),
            });
        }
        if self.0.host(id).is_none()
            && let Some(folder) = self.0.journal.folder().map(ToOwned::to_owned)
        {
            let (run, asked) = (id.clone(), steering.clone());
            let answer = tokio::task::spawn_blocking(move || control::ask(&folder, &run, &asked));
            match answer.await {
                Ok(Some(Ok(number))) => return Ok(number),
                Ok(Some(Err(reason))) => {
                    return Err(RunError::WrongState {
                        id: id.clone(),
                        state: status.state,
                        reason,
                    });
                }
                // Nobody listens: the journal carries it.
                Ok(None) | Err(_) => {}
            }
        }
        self.record_steering(id, &steering).await
    }

    /// Writes a steering under the next free number, and hands it to the run if it is ours.
    async fn record_steering(&self, id: &RunId, steering: &Steering) -> Result<u32, RunError> {
        let value = serde_json::to_value(steering)
            .map_err(|error| RunError::Failed(TaskError::Terminal(error.to_string())))?;
        let taken = self
            .0
            .journal
            .signals(id)?
            .iter()
            .filter(|(name, _)| name.starts_with(STEER))
            .count();
        // Others may take the same number at the same time: the first write stands, the next
        // number is ours.
        let mut number = u32::try_from(taken).unwrap_or(u32::MAX);
        while !self
            .send_signal(id, format!("{STEER}{number}"), value.clone())
            .await?
        {
            number = number.saturating_add(1);
        }
        Ok(number)
    }

    /// Asks whoever works on a run to let go of it where it stands, so that another process can
    /// resume it. Wait for [`RunState::Interrupted`].
    pub async fn release(&self, id: &RunId) -> Result<(), RunError> {
        let status = self.status_now(id)?;
        if status.state != RunState::Running {
            return Err(RunError::WrongState {
                id: id.clone(),
                state: status.state,
                reason: "nobody works on it".into(),
            });
        }
        let asked = host::releases(&self.0.journal.signals(id)?);
        let name = format!("{RELEASE}{asked}");
        self.send_signal(id, name, Value::Bool(true)).await?;
        Ok(())
    }

    /// Passages that the run cites, as they were when it cited them.
    pub fn pins(&self, id: &RunId) -> Result<Vec<Pin>, RunError> {
        self.0.journal.pins(id)
    }

    /// Lets an interrupted run go on in this process: finished steps and tasks return what is
    /// recorded, the rest runs.
    #[expect(
        clippy::unused_async,
        reason = "it starts tasks, so it must be called in a runtime"
    )]
    pub async fn resume(&self, id: &RunId) -> Result<ResumeOutcome, RunError> {
        check_id(id)?;
        if self.0.host(id).is_some_and(|host| !host.has_ended()) {
            return Ok(ResumeOutcome::Running);
        }
        if let Some(ended) = resume_ended(&self.0.journal.meta(id)?) {
            return ended;
        }
        let lock = self.0.journal.claim(id)?;
        let record = self.0.journal.load(id)?;
        // It may have ended between the first look and the lock.
        if let Some(ended) = resume_ended(&record.meta) {
            return ended;
        }
        self.check_version(&record.meta)?;
        let signals = self.0.journal.signals(id)?;
        self.launch(record, signals, lock);
        Ok(ResumeOutcome::Resumed)
    }

    /// Runs a finished run's code again over its recorded results alone and gives its output.
    ///
    /// Nothing is searched, nothing is written. Fails when a result is missing from the journal
    /// or when the code does something else than what was recorded.
    pub async fn replay(&self, id: &RunId) -> Result<Output, RunError> {
        let record = self.0.journal.load(id)?;
        self.check_version(&record.meta)?;
        let Some(outcome) = record.meta.outcome.clone() else {
            return Err(RunError::WrongState {
                id: id.clone(),
                state: self.status_of(&record.meta).state,
                reason: "only a finished run can be replayed; resume it first".into(),
            });
        };
        let journal: Arc<dyn Journal> = self.0.journal.clone();
        let host = Host::new(
            record,
            Vec::new(),
            journal,
            Arc::clone(&self.0.registry),
            Arc::clone(&self.0.clock),
            Mode::Replay,
        );
        let replayed = host.run_root().await;
        if let Some(difference) = host.difference() {
            return Err(RunError::Failed(TaskError::Incompatible {
                step: difference,
                reason: "replay asked for something that is not recorded".into(),
            }));
        }
        match (replayed, outcome.result) {
            (Ok(again), Ok(recorded)) if again == recorded => Ok(again),
            (Err(again), Err(recorded)) if again == recorded => Err(RunError::Failed(again)),
            (Err(again), _) => Err(RunError::Failed(again)),
            (Ok(_), _) => Err(RunError::Failed(TaskError::Incompatible {
                step: "output".into(),
                reason: "replay gives another output than the one that is recorded".into(),
            })),
        }
    }

    pub(crate) fn check_version(&self, meta: &RunMeta) -> Result<(), RunError> {
        let ours = self.0.registry.code_version();
        if meta.code_version == ours {
            return Ok(());
        }
        Err(RunError::WrongState {
            id: meta.id.clone(),
            state: self.status_of(meta).state,
            reason: format!(
                "it was made by version {} of the research code, this build has version {ours}; \
                 use the build that made it",
                meta.code_version
            ),
        })
    }

    /// Stores a signal unless one of that name is there, and hands it to the run if it is ours.
    /// Says whether it was the first.
    async fn send_signal(&self, id: &RunId, name: String, value: Value) -> Result<bool, RunError> {
        let journal = Arc::clone(&self.0.journal);
        let (run, to) = (id.clone(), name.clone());
        let sent = value.clone();
        let stored = tokio::task::spawn_blocking(move || journal.signal(&run, &to, &sent))
            .await
            .map_err(|error| RunError::Failed(TaskError::Terminal(error.to_string())))??;
        // The first write wins, whoever wrote it; the host learns of others' by looking.
        if stored && let Some(host) = self.0.host(id) {
            host.deliver(name, value);
        }
        Ok(stored)
    }

    pub(crate) fn status_now(&self, id: &RunId) -> Result<RunStatus, RunError> {
        self.0.journal.meta(id).map(|meta| self.status_of(&meta))
    }

    fn status_of(&self, meta: &RunMeta) -> RunStatus {
        let mut status = meta.status(meta.outcome.is_none() && self.0.journal.is_hosted(&meta.id));
        if let Some(host) = self.0.host(&meta.id) {
            status.events = status.events.max(host.event_count());
        }
        status
    }

    fn launch(
        &self,
        record: RunRecord,
        signals: Vec<(String, Value)>,
        lock: crate::journal::HostLock,
    ) {
        let id = record.meta.id.clone();
        let journal: Arc<dyn Journal> = self.0.journal.clone();
        let folder = journal.folder().map(ToOwned::to_owned);
        let host = Host::new(
            record,
            signals,
            journal,
            Arc::clone(&self.0.registry),
            Arc::clone(&self.0.clock),
            Mode::Live,
        );
        self.0.hosts().insert(id.clone(), Arc::clone(&host));
        // Weak: a run must not keep alive the engine whose drop is to stop it.
        let engine = Arc::downgrade(&self.0);
        let living = Arc::clone(&host);
        let control = folder.and_then(|folder| {
            let (runtime, engine, run) = (
                tokio::runtime::Handle::current(),
                engine.clone(),
                id.clone(),
            );
            control::listen(&folder, &id, move |steering| {
                let Some(engine) = engine.upgrade().map(Engine) else {
                    return Err("its host is ending".into());
                };
                steering.check().map_err(|refused| refused.to_string())?;
                runtime
                    .block_on(engine.record_steering(&run, &steering))
                    .map_err(|error| error.to_string())
            })
        });
        let root = tokio::spawn(async move {
            let is_stored = tokio::select! {
                is_stored = living.run_to_end() => is_stored,
                () = living.released() => living.let_go().await,
            };
            drop(control);
            drop(lock);
            // A run whose end could not be stored stays here, so that its output can be had.
            if is_stored && let Some(engine) = engine.upgrade() {
                engine.hosts().remove(&id);
            }
        });
        host.keep_root(root.abort_handle());
        let watched = Arc::downgrade(&host);
        let poller = tokio::spawn(async move {
            let mut seen = None;
            loop {
                tokio::time::sleep(POLL).await;
                let Some(host) = watched.upgrade().filter(|host| !host.has_ended()) else {
                    break;
                };
                host.poll_signals(&mut seen);
            }
        });
        host.keep(poller.abort_handle());
    }

    async fn wait_elsewhere(&self, id: &RunId) -> Result<Output, RunError> {
        let mut was_hosted = true;
        loop {
            let meta = self.0.journal.meta(id)?;
            if let Some(outcome) = meta.outcome {
                return outcome.result.map_err(RunError::Failed);
            }
            // Looked at twice: the host stores the end before it lets go of the lock.
            if !was_hosted {
                return Err(RunError::WrongState {
                    id: id.clone(),
                    state: RunState::Interrupted,
                    reason: "nobody works on it; resume it".into(),
                });
            }
            was_hosted = self.0.journal.is_hosted(id);
            if was_hosted {
                tokio::time::sleep(POLL).await;
            }
        }
    }
}

impl<J: Journal> RunEngine for Engine<J> {
    fn start(&self, id: RunId, spec: RunSpec) -> BoxFuture<'_, Result<Started, RunError>> {
        Box::pin(async move {
            check_id(&id)?;
            if self.0.host(&id).is_some() {
                return Ok(Started::AlreadyThere);
            }
            let meta = RunMeta {
                id,
                spec,
                code_version: self.0.registry.code_version(),
                started_ms: (self.0.clock)(),
                outcome: None,
                events: 0,
                parent: None,
                kept: false,
            };
            match self.0.journal.create(meta.clone()).await? {
                Created::AlreadyThere => Ok(Started::AlreadyThere),
                Created::New(lock) => {
                    self.launch(RunRecord::new(meta), Vec::new(), lock);
                    Ok(Started::New)
                }
            }
        })
    }

    fn status(&self, id: RunId) -> BoxFuture<'_, Result<RunStatus, RunError>> {
        Box::pin(std::future::ready(self.status_now(&id)))
    }

    fn attach(&self, id: RunId) -> BoxFuture<'_, Result<Output, RunError>> {
        Box::pin(async move {
            match self.0.host(&id) {
                Some(host) => match host.ended().await {
                    Err(TaskError::Cancelled) if host.was_released() => Err(RunError::Released(id)),
                    ended => ended.map_err(RunError::Failed),
                },
                None => self.wait_elsewhere(&id).await,
            }
        })
    }

    fn signal(&self, id: RunId, name: String, value: Value) -> BoxFuture<'_, Result<(), RunError>> {
        Box::pin(async move {
            self.send_signal(&id, name, value).await?;
            Ok(())
        })
    }

    fn cancel(&self, id: RunId) -> BoxFuture<'_, Result<(), RunError>> {
        self.signal(id, CANCEL.to_owned(), Value::Bool(true))
    }
}

/// What resuming means for a run that has ended; `None` when it has not.
fn resume_ended(meta: &RunMeta) -> Option<Result<ResumeOutcome, RunError>> {
    let outcome = meta.outcome.as_ref()?;
    Some(match outcome.state {
        RunState::Finished => Ok(ResumeOutcome::Finished),
        state => Err(RunError::WrongState {
            id: meta.id.clone(),
            state,
            reason: "it was ended on purpose; ask the question again".into(),
        }),
    })
}

/// An id also names a lock file.
pub(crate) fn check_id(id: &RunId) -> Result<(), RunError> {
    let text = id.as_str();
    let is_sound = (1..=64).contains(&text.len())
        && !text.starts_with('.')
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
    if is_sound {
        Ok(())
    } else {
        Err(RunError::BadId(id.clone()))
    }
}
