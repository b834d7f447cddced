//! One run, held by whoever watches or steers it.

use indago_core::ports::{Output, RunEngine as _, RunError, RunStatus, TaskError};
use indago_core::{BudgetChange, DocumentId, GraphEdit, NodeId, Report, RunId, RunState, Steering};

use super::{Engine, EventStream, ResumeOutcome, RunDetail};
use crate::journal::{Journal, Pin};

/// A handle on one run: its state, its events, its controls.
///
/// The run may be hosted by this process, by another one, or by nobody: events are read and
/// controls are sent through whatever both sides share, so a handle works the same for each.
/// Handles are cheap; dropping one changes nothing about the run.
///
/// Controls return once they are recorded with the run, with the number under which they are. What
/// became of them is told by the events: [`Event::Steered`](indago_core::Event::Steered), then
/// `Edited`, `Refused` or `Moved`.
///
/// ```
/// use std::sync::Arc;
/// use indago_core::ports::{RunSpec, TaskCtx};
/// use indago_core::{Event, RunId};
/// use indago_workflows::{Engine, MemoryJournal, Registry, TaskFuture};
/// use serde_json::{Value, json};
///
/// fn greet(cx: &mut dyn TaskCtx, input: Value) -> TaskFuture<'_> {
///     Box::pin(async move {
///         let first = cx.wait_signal("steer/0", 60_000).await?;
///         cx.emit(Event::Warned { message: "steered".into() });
///         Ok(json!({ "hello": input, "was": first }))
///     })
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = Engine::new(
///     Arc::new(MemoryJournal::new()),
///     Registry::new(1).with("greet", greet),
/// );
/// let run = engine.begin(RunId::new("first"), RunSpec {
///     task: "greet".into(),
///     input: json!("world"),
///     question: "who?".into(),
///     corpus: "none".into(),
///     seed: 0,
/// }).await?;
///
/// let mut events = run.events(0)?; // from the first event on, recorded or still to come
/// assert_eq!(run.pause().await?, 0); // the first steering of this run
/// let event = events.next().await?.expect("one event");
/// assert_eq!(event.seq, 0);
/// assert!(events.next().await?.is_none(), "the run has ended");
/// assert_eq!(run.output().await?["was"]["steer"], "pause");
/// # Ok(())
/// # }
/// ```
pub struct Run<J: Journal> {
    engine: Engine<J>,
    id: RunId,
}

impl<J: Journal> Clone for Run<J> {
    fn clone(&self) -> Self {
        Self {
            engine: self.engine.clone(),
            id: self.id.clone(),
        }
    }
}

impl<J: Journal> std::fmt::Debug for Run<J> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Run({})", self.id)
    }
}

impl<J: Journal> Run<J> {
    pub(crate) fn new(engine: Engine<J>, id: RunId) -> Self {
        Self { engine, id }
    }

    /// Its id.
    pub fn id(&self) -> &RunId {
        &self.id
    }

    /// Where it stands.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn status(&self) -> Result<RunStatus, RunError> {
        self.engine.status_now(&self.id)
    }

    /// Where it stands, with what is recorded of its tasks and its result.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn detail(&self) -> Result<RunDetail, RunError> {
        self.engine.run(&self.id)
    }

    /// Its events from number `from` on: what is recorded, then what happens, until it ends. Any
    /// number of streams; a slow one delays neither the run nor the others.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn events(&self, from: u64) -> Result<EventStream, RunError> {
        self.engine.subscribe(&self.id, from)
    }

    /// Waits for its end and gives its output.
    ///
    /// # Errors
    /// [`RunError::Failed`] when it ended without one, [`RunError::WrongState`] when nobody works
    /// on it.
    pub async fn output(&self) -> Result<Output, RunError> {
        self.engine.attach(self.id.clone()).await
    }

    /// Waits for its end and gives its report.
    ///
    /// # Errors
    /// As [`Run::output`]; [`TaskError::Incompatible`] when the output is no report.
    pub async fn report(&self) -> Result<Report, RunError> {
        serde_json::from_value(self.output().await?).map_err(|error| {
            RunError::Failed(TaskError::Incompatible {
                step: "output".into(),
                reason: error.to_string(),
            })
        })
    }

    /// Passages that it cites, as they were when it cited them.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn pins(&self) -> Result<Vec<Pin>, RunError> {
        self.engine.pins(&self.id)
    }

    /// Asks something of it, from whatever process. Gives the number under which that is recorded.
    ///
    /// # Errors
    /// [`RunError::BadSteering`] for what makes no sense, [`RunError::WrongState`] when the run has
    /// ended.
    pub async fn steer(&self, steering: Steering) -> Result<u32, RunError> {
        self.engine.steer(&self.id, steering).await
    }

    /// Starts nothing more until [`Run::resume`]; what runs goes on.
    ///
    /// # Errors
    /// As [`Run::steer`], here and for every control.
    pub async fn pause(&self) -> Result<u32, RunError> {
        self.steer(Steering::Pause).await
    }

    /// Goes on: after a pause where somebody works on the run, in this process where nobody does.
    ///
    /// # Errors
    /// As [`Run::steer`] and [`Engine::resume`].
    pub async fn resume(&self) -> Result<ResumeOutcome, RunError> {
        if self.status()?.state == RunState::Running {
            match self.steer(Steering::Resume).await {
                Ok(_number) => return Ok(ResumeOutcome::Running),
                // It ended meanwhile.
                Err(RunError::WrongState { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        self.engine.resume(&self.id).await
    }

    /// Writes the report from what there is.
    ///
    /// # Errors
    /// As [`Run::steer`].
    pub async fn finish_now(&self) -> Result<u32, RunError> {
        self.steer(Steering::FinishNow).await
    }

    /// Ends it without a report, at the next step boundary of each of its tasks.
    ///
    /// # Errors
    /// When the run is not there or the journal cannot be written.
    pub async fn cancel(&self) -> Result<(), RunError> {
        self.engine.cancel(self.id.clone()).await
    }

    /// Consents to the plan as it stands, where the run waits for that.
    ///
    /// # Errors
    /// As [`Run::steer`].
    pub async fn approve(&self) -> Result<u32, RunError> {
        self.steer(Steering::Approve).await
    }

    /// Says how the question is meant, where the run asks.
    ///
    /// # Errors
    /// As [`Run::steer`].
    pub async fn clarify(&self, reading: impl Into<String> + Send) -> Result<u32, RunError> {
        let reading = reading.into();
        self.steer(Steering::Clarify { reading }).await
    }

    /// Changes the plan; each edit is validated like the policy's and applied in order.
    ///
    /// # Errors
    /// As [`Run::steer`].
    pub async fn edit(&self, edits: Vec<GraphEdit>) -> Result<u32, RunError> {
        self.steer(Steering::Edit { edits }).await
    }

    /// Adds a question that waits for `depends_on`.
    ///
    /// # Errors
    /// As [`Run::steer`].
    pub async fn add(
        &self,
        question: impl Into<String> + Send,
        depends_on: Vec<NodeId>,
    ) -> Result<u32, RunError> {
        self.steer(Steering::add(question, depends_on)).await
    }

    /// Gives a node that has not run other words.
    ///
    /// # Errors
    /// As [`Run::steer`].
    pub async fn reword(
        &self,
        node: NodeId,
        text: impl Into<String> + Send,
    ) -> Result<u32, RunError> {
        self.steer(Steering::reword(node, text)).await
    }

    /// Takes a node out of the plan.
    ///
    /// # Errors
    /// As [`Run::steer`].
    pub async fn prune(&self, node: NodeId) -> Result<u32, RunError> {
        self.steer(Steering::prune(node)).await
    }

    /// Sends an answered node back to work.
    ///
    /// # Errors
    /// As [`Run::steer`].
    pub async fn reopen(&self, node: NodeId) -> Result<u32, RunError> {
        self.steer(Steering::reopen(node)).await
    }

    /// Changes what the run may spend from now on.
    ///
    /// # Errors
    /// As [`Run::steer`].
    pub async fn set_budget(&self, change: BudgetChange) -> Result<u32, RunError> {
        self.steer(Steering::SetBudget { change }).await
    }

    /// Uses nothing more from a document, and looks again for what stands on it.
    ///
    /// # Errors
    /// As [`Run::steer`].
    pub async fn distrust(
        &self,
        document: DocumentId,
        reason: impl Into<String> + Send,
    ) -> Result<u32, RunError> {
        let reason = reason.into();
        self.steer(Steering::Distrust { document, reason }).await
    }

    /// Asks a further question on top of what is found. Where the run has finished, fork it.
    ///
    /// # Errors
    /// As [`Run::steer`].
    pub async fn follow_up(&self, question: impl Into<String> + Send) -> Result<u32, RunError> {
        let question = question.into();
        self.steer(Steering::FollowUp { question }).await
    }
}
