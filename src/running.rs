//! Runs as handles: listed, watched and steered from any process, started and continued by an
//! [`Asker`].

use indago_core::RunId;
use indago_core::ports::{RunError, RunStatus};
use indago_workflows::deep_research::{ModelChoice, ResearchInput, inert_registry};
use indago_workflows::journal::Journal as _;
use indago_workflows::{SqliteEngine, SqliteJournal, new_run_id};

use crate::{AskSettings, Asker, Error, Project, check_question, wire};

/// A handle on one run: its state, its events, its controls.
///
/// Here a question is asked, watched from its first event, and steered while it is worked on:
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let folder = folder.path();
/// # std::fs::create_dir(folder.join("notes"))?;
/// # std::fs::write(
/// #     folder.join("notes/lighthouse.md"),
/// #     "# Skerry Lighthouse\n\nThe Skerry Lighthouse was designed by Ines Falk in 1888.\n",
/// # )?;
/// # let project = indago::Project::at(folder);
/// # let request = indago::IndexRequest::new("notes", vec![folder.join("notes")]);
/// # indago::index(&project, &request, &mut |_progress| {}, &indago::core::Cancel::new())?;
/// use indago::core::Event;
/// use indago::{AskSettings, Asker, Runs};
///
/// # let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
/// # runtime.block_on(async {
/// let asker = Asker::open(&project, "notes", 2)?;
/// let question = "Who designed the Skerry Lighthouse?";
/// let run = asker.start(question, &AskSettings::default()).await?;
///
/// let mut events = run.events(0)?;
/// // Refused once the run has ended, which may be sooner than this line.
/// let _number = run.add("When was the Skerry Lighthouse designed?", vec![]).await;
/// while let Some(stored) = events.next().await? {
///     match &stored.event {
///         Event::Quoted { text, .. } => println!("{}: {text}", stored.seq),
///         Event::Ended { reason } => println!("ended: {reason:?}"),
///         _ => {}
///     }
/// }
/// let report = run.report().await?;
/// # assert_eq!(report.question, question);
///
/// // The same from any other process, with neither the corpus nor a model at hand:
/// let runs = Runs::open(&project)?;
/// let again = runs.last()?.expect("one run");
/// assert_eq!(again.report().await?, report);
/// assert_eq!(runs.replay(again.id()).await?, report);
/// # Ok::<(), indago::Error>(())
/// # })?;
/// # Ok(())
/// # }
/// ```
pub type Run = indago_workflows::Run<SqliteJournal>;

/// The recorded runs of a project, to be listed, watched, steered and replayed. Needs no corpus
/// and no model, and works on nothing itself.
#[derive(Debug)]
pub struct Runs {
    engine: SqliteEngine,
}

impl Runs {
    /// Opens the journal of `project`.
    ///
    /// # Errors
    /// When it cannot be opened, or a newer build wrote it.
    pub fn open(project: &Project) -> Result<Self, Error> {
        let journal = wire::journal(project)?;
        let registry = inert_registry(journal.clone());
        Ok(Self {
            engine: SqliteEngine::new(journal, registry),
        })
    }

    /// All runs, newest first.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn list(&self) -> Result<Vec<RunStatus>, Error> {
        Ok(self.engine.runs()?)
    }

    /// A handle on the run `id`.
    ///
    /// # Errors
    /// [`RunError::Unknown`] when there is none.
    pub fn get(&self, id: &RunId) -> Result<Run, Error> {
        Ok(self.engine.handle(id)?)
    }

    /// A handle on the newest run; `None` when there is none.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn last(&self) -> Result<Option<Run>, Error> {
        match self.engine.runs()?.first() {
            Some(status) => Ok(Some(self.engine.handle(&status.id)?)),
            None => Ok(None),
        }
    }

    /// Runs a finished run again from its record alone: nothing is searched, no model is called,
    /// and the report has to be the recorded one, byte for byte. Needs a tokio runtime.
    ///
    /// # Errors
    /// [`RunError::Failed`] when something is missing, or another report comes out.
    pub async fn replay(&self, id: &RunId) -> Result<indago_core::Report, Error> {
        crate::asking::read_report(id, self.engine.replay(id).await?)
    }

    /// The engine, for what a handle does not offer.
    pub fn engine(&self) -> &SqliteEngine {
        &self.engine
    }
}

/// The language models that the run `id` was begun with.
pub(crate) fn choice_of(
    journal: &SqliteJournal,
    id: &RunId,
) -> Result<Option<ModelChoice>, RunError> {
    let meta = journal.meta(id)?;
    // A run of another kind, or of a build before there were models: none was chosen.
    let input = serde_json::from_value::<ResearchInput>(meta.spec.input);
    Ok(input.ok().and_then(|input| input.model))
}

impl Asker {
    /// Starts a run that answers a question, and gives a handle on it. The run is worked on as
    /// long as this process and the tokio runtime live that this is called in.
    ///
    /// # Errors
    /// [`Error::EmptyQuestion`], [`Error::QuestionTooLong`]; [`Error::Run`] when it cannot be
    /// recorded.
    pub async fn start(&self, question: &str, settings: &AskSettings) -> Result<Run, Error> {
        self.start_as(new_run_id(), question, settings).await
    }

    /// The same under an id of the caller's choice ([`new_run_id`] makes one). Starting under an
    /// id that is taken gives a handle on the run that is there.
    ///
    /// # Errors
    /// As [`Asker::start`]; [`RunError::BadId`].
    pub async fn start_as(
        &self,
        id: RunId,
        question: &str,
        settings: &AskSettings,
    ) -> Result<Run, Error> {
        check_question(question)?;
        let mut input = ResearchInput::new(question.trim(), self.name());
        input.filters = settings.filters.clone();
        input.limits.budget = settings.budget;
        input.plan.clone_from(&settings.plan);
        input.clarify_ms = settings.clarify_ms;
        input.limits.approve = settings.approve;
        input.limits.speculate = settings.speculate;
        input.profile = Some(indago_planner::Profile::EXTRACTIVE);
        if let Some(reasoner) = self.reasoner() {
            input.model = Some(reasoner.choice().clone());
            input.profile = Some(reasoner.profile());
        }
        let spec = input.spec(settings.seed).map_err(RunError::Failed)?;
        Ok(self.engine().begin(id, spec).await?)
    }

    /// A handle on a recorded run, which [`Run::resume`] then continues in this process.
    ///
    /// # Errors
    /// [`RunError::Unknown`] when there is none.
    pub fn run(&self, id: &RunId) -> Result<Run, Error> {
        self.engine().journal().meta(id)?;
        Ok(self.engine().handle(id)?)
    }
}
