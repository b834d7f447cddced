//! Between the interface and the rest of indago: effects go in, replies come out.
//!
//! The only file of the interface that knows how runs are started, watched and steered. Nothing
//! here blocks the drawing thread: effects are queued without bound (a person makes them), replies
//! wait for room (a run makes them). Watching is a thread that reads the journal from the last
//! number it has; so a run in this window, in another window or on record look alike.

use std::collections::HashMap;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indago_core::ports::RunError;
use indago_core::{Cancel, Report, RunId, RunState};
use indago_workflows::new_run_id;

use super::event_loop::Told;
use super::host::{self, Hosts};
use super::model::report::ExportFormat;
use super::model::{Effect, Job, Reply};
use super::update::Message;
use super::{Options, journal, library};
use crate::remote::NetworkConfig;
use crate::report::Contexts;
use crate::{Compute, Corpus, Error, Project, Runs};

/// How often a run's record is looked at for news.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How often progress of long work is told.
const TELL_EVERY: Duration = Duration::from_millis(80);
/// Events that are read at once.
const BATCH: usize = 256;

/// Where effects are done.
pub(super) struct Engine {
    effects: Sender<Effect>,
    shared: Arc<Shared>,
    worker: Option<JoinHandle<()>>,
}

struct Shared {
    project: Project,
    hosts: Hosts,
    threads: usize,
    vectors: bool,
    network: NetworkConfig,
    tell: SyncSender<Told>,
    /// Open corpora by name, each with the encoders that it was searched with.
    corpora: Mutex<HashMap<String, (Corpus, Compute)>>,
    /// The journal, once there is one.
    journal: Mutex<Option<Arc<Runs>>>,
    /// Stops the watcher of the run that is shown.
    watching: Mutex<Cancel>,
    /// Stops indexing or a download.
    working: Mutex<Option<Cancel>>,
}

impl Engine {
    /// Starts the thread that does effects.
    pub(super) fn start(options: &Options, tell: SyncSender<Told>) -> Self {
        let shared = Arc::new(Shared {
            project: options.project.clone(),
            hosts: Hosts::new(options.project.clone(), options.threads),
            threads: options.threads,
            vectors: options.vectors,
            tell,
            corpora: Mutex::default(),
            journal: Mutex::default(),
            watching: Mutex::default(),
            working: Mutex::default(),
            network: options.network.clone(),
        });
        let (effects, queue) = channel();
        let working = Arc::clone(&shared);
        let worker = std::thread::Builder::new()
            .name("effects".to_owned())
            .spawn(move || work(&working, &queue))
            .ok();
        Self {
            effects,
            shared,
            worker,
        }
    }

    /// Does something outside; what comes of it is told.
    pub(super) fn perform(&self, effect: Effect) {
        // Stopping must not wait behind what it stops.
        if effect == Effect::CancelJob {
            if let Some(cancel) = &*lock(&self.shared.working) {
                cancel.cancel();
            }
            return;
        }
        if self.effects.send(effect).is_err() {
            tracing::warn!("the thread that does effects is gone");
        }
    }

    /// Stops what this process does. Runs are hosted elsewhere and go on.
    pub(super) fn stop(self) {
        lock(&self.shared.watching).cancel();
        let working = lock(&self.shared.working).clone();
        drop(self.effects);
        if let Some(cancel) = working {
            cancel.cancel();
            // What is done so far is kept, which takes a moment.
            let since = Instant::now();
            while lock(&self.shared.working).is_some() && since.elapsed() < Duration::from_secs(5) {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        // The worker ends with its queue; nobody waits for a search that is under way.
        drop(self.worker);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn work(shared: &Arc<Shared>, queue: &Receiver<Effect>) {
    while let Ok(effect) = queue.recv() {
        let own_thread = matches!(
            effect,
            Effect::Ask { .. }
                | Effect::Resume(_)
                | Effect::Fork(..)
                | Effect::Watch { .. }
                | Effect::Search { .. }
                | Effect::Index { .. }
                | Effect::Pull(_)
                | Effect::LoadDocuments(_)
        );
        if own_thread {
            let shared = Arc::clone(shared);
            let _detached = std::thread::Builder::new()
                .name("effect".to_owned())
                .spawn(move || shared.perform(effect));
        } else {
            shared.perform(effect);
        }
    }
}

impl Shared {
    fn reply(&self, reply: Reply) {
        // The interface may be gone; then nobody wants to know.
        let _gone = self.tell.send(Told::Message(Message::reply(reply)));
    }

    fn perform(&self, effect: Effect) {
        if let Err(error) = self.try_perform(effect) {
            let hint = error
                .hint()
                .map(|hint| format!("; {hint}"))
                .unwrap_or_default();
            self.reply(Reply::Failed(format!("{error}{hint}")));
        }
    }

    fn try_perform(&self, effect: Effect) -> Result<(), Error> {
        match effect {
            Effect::LoadLists => {
                let runs = match self.journal()? {
                    Some(journal) => journal::runs(&journal)?,
                    None => Vec::new(),
                };
                // Another process may have written them.
                lock(&self.corpora).clear();
                let corpora = library::corpora(&self.project)?;
                self.reply(Reply::Lists { runs, corpora });
            }
            Effect::Ask {
                question,
                corpus,
                approve,
                workflow,
            } => {
                let id = new_run_id();
                let hosts = &self.hosts;
                let started = hosts.ask(&id, &question, &corpus, approve, &workflow);
                self.hosted(&id, started)?;
            }
            Effect::Resume(id) => {
                let started = self.hosts.resume(&id);
                self.hosted(&id, started)?;
            }
            Effect::Fork(id, at) => {
                let forked = journal::fork(&*self.journal_of(&id)?, &id, at)?;
                let started = self.hosts.resume(&forked);
                self.hosted(&forked, started)?;
            }
            Effect::Watch { run, from } => self.watch(&run, from)?,
            Effect::Steer(run, steering) => {
                let journal = self.journal_of(&run)?;
                let said = super::model::run::steering_in_words(&steering);
                journal::steer(&journal, &run, steering)?;
                self.reply(Reply::Done(format!("sent: {said}")));
            }
            Effect::LoadDetail(run, node) => {
                let journal = self.journal_of(&run)?;
                let (status, _) = journal::status(&journal, &run)?;
                let corpus = self.corpus(&status.corpus).ok();
                let detail = journal::detail(&journal, &run, node, corpus.as_ref())?;
                self.reply(Reply::Detail(run, node, detail));
            }
            Effect::LoadReport(run) => {
                let (report, corpus) = journal::report(&*self.journal_of(&run)?, &run)?;
                self.reply(Reply::Report(Arc::new(report), corpus));
            }
            Effect::LoadDocuments(name) => {
                let (documents, more) = library::documents(&self.corpus(&name)?)?;
                self.reply(Reply::Documents(name, documents, more));
            }
            Effect::LoadPassages { corpus, document } => {
                let passages = library::passages(&self.corpus(&corpus)?, &document)?;
                self.reply(Reply::Passages(passages));
            }
            Effect::OpenDocument {
                corpus,
                run,
                document,
                span,
            } => {
                let corpus = self.corpus(&corpus).ok();
                let journal = self.journal()?;
                let pinned = journal.as_deref().map(journal::of).zip(run.as_ref());
                let open = library::document(corpus.as_ref(), pinned, &document, span)?;
                self.reply(Reply::Document(open));
            }
            Effect::Search { corpus, query } => {
                let (corpus, compute) = self.opened(&corpus)?;
                let lists = library::search(&corpus, &query, &compute, &Cancel::new());
                self.reply(Reply::Hits(query, lists));
            }
            Effect::Index { corpus, paths } => self.index(corpus, paths)?,
            Effect::Pull(model) => self.pull(&model)?,
            Effect::Export {
                report,
                corpus,
                format,
                path,
            } => {
                self.export(&report, &corpus, format, &path)?;
                self.reply(Reply::Done(format!("written: {}", path.display())));
            }
            Effect::CancelJob
            | Effect::Copy(_)
            | Effect::Mouse(_)
            | Effect::Redraw
            | Effect::Quit => {}
        }
        Ok(())
    }

    /// The journal, if the project has one by now.
    fn journal(&self) -> Result<Option<Arc<Runs>>, Error> {
        let mut known = lock(&self.journal);
        if known.is_none() {
            *known = journal::open(&self.project)?;
        }
        Ok(known.clone())
    }

    fn journal_of(&self, run: &RunId) -> Result<Arc<Runs>, Error> {
        self.journal()?
            .ok_or_else(|| RunError::Unknown(run.clone()).into())
    }

    fn corpus(&self, name: &str) -> Result<Corpus, Error> {
        self.opened(name).map(|(corpus, _)| corpus)
    }

    fn opened(&self, name: &str) -> Result<(Corpus, Compute), Error> {
        if let Some(known) = lock(&self.corpora).get(name) {
            return Ok(known.clone());
        }
        let opened = (crate::open(&self.project, name)?, Compute::cpu());
        lock(&self.corpora).insert(name.to_owned(), opened.clone());
        Ok(opened)
    }

    /// Waits until a host has recorded its run, then watches it.
    fn hosted(
        &self,
        id: &RunId,
        started: std::io::Result<std::process::Child>,
    ) -> Result<(), Error> {
        let mut host = started.map_err(|e| Error::io("start", "a process for the run", e))?;
        loop {
            let ended = host.try_wait().ok().flatten().is_some();
            if self.is_recorded(id) {
                break;
            }
            if ended {
                let said = host::complaint(host).unwrap_or_default();
                self.reply(Reply::Failed(said));
                return Ok(());
            }
            std::thread::sleep(LOOK_EVERY / 2);
        }
        // Its end is in its record; somebody has to wait for the process all the same.
        let _detached = std::thread::Builder::new()
            .name("host".to_owned())
            .spawn(move || host::complaint(host));
        self.watch(id, 0)
    }

    fn is_recorded(&self, id: &RunId) -> bool {
        let journal = self.journal().ok().flatten();
        journal.is_some_and(|journal| journal::status(&journal, id).is_ok())
    }

    /// Tells a run's events from a number on until it ends or another run is watched.
    fn watch(&self, run: &RunId, from: u64) -> Result<(), Error> {
        let journal = self.journal_of(run)?;
        let stop = Cancel::new();
        std::mem::replace(&mut *lock(&self.watching), stop.clone()).cancel();
        let (status, budget) = journal::status(&journal, run)?;
        if from == 0 {
            self.reply(Reply::Opened {
                id: run.clone(),
                question: status.question.clone(),
                corpus: status.corpus.clone(),
                budget,
            });
        }
        let mut next = from;
        let mut told: Option<RunState> = None;
        let mut calls = Vec::new();
        while !stop.is_cancelled() {
            // The state first: events that come before an end are all there once it is.
            let (status, _) = journal::status(&journal, run)?;
            loop {
                let events = journal::events(&journal, run, next, BATCH)?;
                let Some(last) = events.last() else { break };
                next = last.seq + 1;
                if stop.is_cancelled() {
                    return Ok(());
                }
                self.reply(Reply::Events(run.clone(), events));
            }
            let now = match status.state {
                RunState::Running => journal::calls(&journal, run),
                _ => Vec::new(),
            };
            if calls != now {
                calls.clone_from(&now);
                self.reply(Reply::Calls(run.clone(), now));
            }
            if told != Some(status.state) {
                told = Some(status.state);
                self.reply(Reply::Status(status.clone()));
            }
            match status.state {
                RunState::Finished | RunState::Stopped => return Ok(()),
                RunState::Running => std::thread::sleep(LOOK_EVERY),
                // Somebody may resume it.
                RunState::Interrupted => std::thread::sleep(10 * LOOK_EVERY),
            }
        }
        Ok(())
    }

    fn index(&self, corpus: String, paths: Vec<std::path::PathBuf>) -> Result<(), Error> {
        let request = library::request(corpus.clone(), paths, self.threads);
        let stopped = "indexing stopped; what was done is kept";
        self.work(stopped, |tell, cancel| {
            let done = library::index(&self.project, &request, self.vectors, tell, cancel);
            lock(&self.corpora).remove(&corpus);
            done
        })
    }

    fn pull(&self, model: &str) -> Result<(), Error> {
        let stopped = "the download stopped; asked for again, it goes on where it was";
        self.work(stopped, |tell, cancel| {
            library::pull(&self.project, &self.network, model, tell, cancel)
        })
    }

    /// Does long work that can be stopped and tells how it stands, one at a time.
    fn work(
        &self,
        stopped: &str,
        job: impl FnOnce(&mut (dyn FnMut(Job) + Send), &Cancel) -> Result<String, Error>,
    ) -> Result<(), Error> {
        let cancel = Cancel::new();
        {
            let mut working = lock(&self.working);
            if working.is_some() {
                return Ok(());
            }
            *working = Some(cancel.clone());
        }
        let mut last = None::<Instant>;
        let mut tell = |job: Job| {
            if last.is_none_or(|at| at.elapsed() >= TELL_EVERY) {
                last = Some(Instant::now());
                self.reply(Reply::Job(Some(job)));
            }
        };
        let result = job(&mut tell, &cancel);
        *lock(&self.working) = None;
        self.reply(Reply::Job(None));
        match result {
            Ok(said) => self.reply(Reply::Done(said)),
            Err(error) if error.is_cancelled() => self.reply(Reply::Done(stopped.to_owned())),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn export(
        &self,
        report: &Report,
        corpus: &str,
        format: ExportFormat,
        path: &Path,
    ) -> Result<(), Error> {
        let text = match format {
            ExportFormat::Html => {
                // The page shows each quote in its context where the corpus still has it.
                let corpus = self.corpus(corpus).ok();
                let contexts = corpus.and_then(|c| Contexts::read(report, &c).ok());
                crate::report::html(report, &contexts.unwrap_or_default())
            }
            other => {
                super::model::report::exported(report, other).map_err(|e| Error::BadReport {
                    run: report.run.to_string(),
                    reason: e.to_string(),
                })?
            }
        };
        let write = || -> std::io::Result<()> {
            let mut file = std::fs::File::create_new(path)?;
            std::io::Write::write_all(&mut file, text.as_bytes())
        };
        write().map_err(|e| Error::io("write", path, e))
    }
}
