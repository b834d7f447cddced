//! Asking questions of an open corpus.

use indago_core::ports::{DocumentStore, Output, RunEngine, StoreError};
use indago_core::{Budget, Cancel, Filters, IndexCoverage, Report, RunId};
use indago_retriever::Corpus;
use indago_workflows::SqliteEngine;
use indago_workflows::deep_research::default_limits;

use crate::report::Contexts;
use crate::{Compute, Error, ModelReasoner, Project, Run, check_question, wire};

/// How often a waiting question looks whether it was cancelled.
const LOOK_EVERY: std::time::Duration = std::time::Duration::from_millis(50);

/// How a question is answered.
#[derive(Clone, Debug, PartialEq)]
pub struct AskSettings {
    /// What the run may spend.
    pub budget: Budget,
    /// Restrictions on which documents may be used.
    pub filters: Filters,
    /// Seed of everything random in the run.
    pub seed: u64,
    /// Name of the plan policy; the reasoner's own when `None`.
    pub plan: Option<String>,
    /// How long, in milliseconds, to wait for somebody to say how an ambiguous question is meant;
    /// 0 assumes the likeliest reading, `None` takes the question as it stands.
    pub clarify_ms: Option<u64>,
    /// Whether the run pauses once its first plan is made, until somebody approves it.
    pub approve: bool,
    /// Whether retrieval is done ahead for sub-questions that still wait. The report is the same.
    pub speculate: bool,
}

impl Default for AskSettings {
    /// The budget that suits one question over one corpus; no restrictions; seed 0.
    fn default() -> Self {
        Self {
            budget: default_limits().budget,
            filters: Filters::default(),
            seed: 0,
            plan: None,
            clarify_ms: None,
            approve: false,
            speculate: false,
        }
    }
}

/// An open corpus that can be asked any number of questions. Runs are recorded in the project.
#[derive(Debug)]
pub struct Asker {
    name: String,
    corpus: Corpus,
    engine: SqliteEngine,
    reasoner: Option<ModelReasoner>,
    coverage: IndexCoverage,
}

impl Asker {
    /// Opens the corpus `name` as it is now, to be asked with `threads` threads.
    ///
    /// # Errors
    /// [`Error::NoCorpus`], [`Error::EmptyCorpus`], or why something cannot be opened.
    pub fn open(project: &Project, name: &str, threads: usize) -> Result<Self, Error> {
        Self::open_as(project, name, threads, None, |_corpus| Ok(Compute::cpu()))
    }

    /// The same with vectors searched where `choose` says, which sees the corpus.
    ///
    /// # Errors
    /// As [`Asker::open`], and what `choose` says.
    pub fn open_on(
        project: &Project,
        name: &str,
        threads: usize,
        choose: impl FnOnce(&Corpus) -> Result<Compute, Error>,
    ) -> Result<Self, Error> {
        Self::open_as(project, name, threads, None, choose)
    }

    /// The same, with language models as the reasoner; the extractive one where there are none.
    ///
    /// # Errors
    /// As [`Asker::open`].
    pub fn open_with(
        project: &Project,
        name: &str,
        threads: usize,
        reasoner: Option<ModelReasoner>,
    ) -> Result<Self, Error> {
        Self::open_as(project, name, threads, reasoner, |_corpus| {
            Ok(Compute::cpu())
        })
    }

    /// Both chosen: who answers, and where vectors are searched.
    ///
    /// # Errors
    /// As [`Asker::open_on`].
    pub fn open_as(
        project: &Project,
        name: &str,
        threads: usize,
        reasoner: Option<ModelReasoner>,
        choose: impl FnOnce(&Corpus) -> Result<Compute, Error>,
    ) -> Result<Self, Error> {
        let corpus = crate::open(project, name)?;
        let compute = choose(&corpus)?;
        compute.search_in(&corpus);
        let journal = wire::journal(project)?;
        let engine = wire::engine(&corpus, journal, threads, &compute, reasoner.as_ref())?;
        let coverage = wire::coverage(&corpus, &compute).unwrap_or_default();
        Ok(Self {
            name: name.to_owned(),
            corpus,
            engine,
            reasoner,
            coverage,
        })
    }

    /// How far the vectors are that questions are compared with.
    pub fn coverage(&self) -> IndexCoverage {
        self.coverage
    }

    /// The corpus that is asked.
    pub fn corpus(&self) -> &Corpus {
        &self.corpus
    }

    /// Answers a question. Needs a tokio runtime.
    ///
    /// When `cancel` is set, the run ends soon with a report of what there is; its stop reason says
    /// so.
    ///
    /// # Errors
    /// [`Error::EmptyQuestion`], [`Error::QuestionTooLong`]; [`Error::Run`] when the run failed.
    /// A corpus without an answer is no error: the report abstains.
    pub async fn ask(
        &self,
        question: &str,
        settings: &AskSettings,
        cancel: &Cancel,
    ) -> Result<Report, Error> {
        let run = self.start(question, settings).await?;
        let output = wait(&run, cancel).await?;
        read_report(run.id(), output)
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The language models that answer; none for the extractive reasoner.
    pub fn reasoner(&self) -> Option<&ModelReasoner> {
        self.reasoner.as_ref()
    }

    /// What works on its runs.
    pub(crate) fn engine(&self) -> &SqliteEngine {
        &self.engine
    }

    /// Goes on with a recorded run whose process is gone and waits for its report. Needs a tokio
    /// runtime.
    ///
    /// # Errors
    /// [`Error::Run`] when it was ended on purpose, or another build made it;
    /// [`Error::OtherReasoner`] when this one did not begin it.
    pub async fn resume(&self, id: &RunId) -> Result<Report, Error> {
        let chosen = crate::running::choice_of(self.engine.journal().as_ref(), id)?;
        if chosen.as_ref() != self.reasoner.as_ref().map(ModelReasoner::choice) {
            return Err(Error::OtherReasoner {
                run: id.to_string(),
                model: chosen.map(|choice| choice.model),
            });
        }
        self.engine.resume(id).await?;
        read_report(id, self.engine.attach(id.clone()).await?)
    }

    /// Runs a finished run again from its record alone. Needs a tokio runtime.
    ///
    /// # Errors
    /// [`Error::Run`] when something is missing, or another report comes out.
    pub async fn replay(&self, id: &RunId) -> Result<Report, Error> {
        read_report(id, self.engine.replay(id).await?)
    }

    /// The text around every quote of a report, for pages that show it.
    ///
    /// # Errors
    /// When the store is corrupt.
    pub fn contexts(&self, report: &Report) -> Result<Contexts, StoreError> {
        Contexts::read(report, &self.corpus as &dyn DocumentStore)
    }
}

/// Waits for a run; asks it once to finish with what it has when `cancel` is set.
pub(crate) async fn wait(run: &Run, cancel: &Cancel) -> Result<Output, Error> {
    let mut output = std::pin::pin!(run.output());
    loop {
        tokio::select! {
            done = &mut output => return Ok(done?),
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        if cancel.is_cancelled() {
            // Refused when it has just ended, which is as good.
            let _ended = run.finish_now().await;
            return Ok(output.await?);
        }
    }
}

/// A run's output as the report it is.
pub(crate) fn read_report(run: &RunId, output: Output) -> Result<Report, Error> {
    serde_json::from_value(output).map_err(|e| Error::BadReport {
        run: run.to_string(),
        reason: e.to_string(),
    })
}

/// Answers one question over one corpus and waits for the report. Must not be called from within an
/// async runtime; use [`Asker`] there, and for many questions.
///
/// # Errors
/// As [`Asker::open`] and [`Asker::ask`].
pub fn ask(
    project: &Project,
    corpus: &str,
    question: &str,
    settings: &AskSettings,
) -> Result<Report, Error> {
    check_question(question)?;
    let runtime = runtime()?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let asker = Asker::open(project, corpus, threads)?;
    runtime.block_on(asker.ask(question, settings, &Cancel::new()))
}

/// A small runtime: agents only wait, the work is on the CPU pool.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Error> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|e| Error::Threads(e.to_string()))
}
