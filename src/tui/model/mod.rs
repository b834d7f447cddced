//! What the interface knows. Plain data: no terminal, no engine, no clock.

pub(crate) mod editor;
pub(crate) mod library;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod scroll;

use std::path::PathBuf;
use std::sync::Arc;

use indago_core::ports::RunStatus;
use indago_core::{Budget, NodeId, Report, RunId, RunState, Steering};

use crate::tui::keymap::{KeyMap, Scope};
use crate::tui::theme::ThemeName;
use editor::Editor;
use library::{CorpusRow, DocumentRow, HitList, Library, PassageRow};
use report::{ExportFormat, OpenDocument, Reading};
use run::{Detail, Numbered, Run};

/// Longest text of a field, in bytes: a question may not be longer.
pub(crate) const MAX_FIELD_BYTES: usize = crate::MAX_QUESTION_BYTES;
/// How long a message stays, in milliseconds: good news shorter than bad.
const INFO_MS: u64 = 4_000;
const PROBLEM_MS: u64 = 10_000;

/// The screens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Screen {
    /// Ask, see runs and corpora.
    #[default]
    Start,
    /// Watch and steer a run.
    Run,
    /// Read a report.
    Report,
    /// Look into corpora.
    Library,
}

impl Screen {
    pub(crate) fn scope(self) -> Scope {
        match self {
            Self::Start => Scope::Start,
            Self::Run => Scope::Run,
            Self::Report => Scope::Report,
            Self::Library => Scope::Library,
        }
    }
}

/// The panes of the start screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum StartPane {
    /// The question.
    #[default]
    Question,
    /// Recent runs.
    Runs,
    /// Corpora.
    Corpora,
}

/// How questions are worked on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Workflow {
    /// Without a language model.
    #[default]
    Extractive,
    /// By a configured language model.
    Model {
        /// Its configured name.
        model: String,
        /// How it searches.
        strategy: String,
    },
}

impl Workflow {
    /// Its name and what it does.
    pub(crate) fn words(&self) -> (String, String) {
        match self {
            Self::Extractive => (
                "deep research".to_owned(),
                "searches, follows names, quotes, verifies".to_owned(),
            ),
            Self::Model { model, strategy } => (
                crate::tui::text::clean(&format!("{model} / {strategy}")),
                "a language model plans, reads and writes; quotes are verified".to_owned(),
            ),
        }
    }
}

/// The start screen.
#[derive(Clone, Debug)]
pub(crate) struct Start {
    /// The question.
    pub(crate) question: Editor,
    /// Recent runs, newest first.
    pub(crate) runs: Vec<RunStatus>,
    /// Corpora by name.
    pub(crate) corpora: Vec<CorpusRow>,
    /// The selected run.
    pub(crate) run: usize,
    /// The selected corpus, which is asked.
    pub(crate) corpus: usize,
    /// The pane with the focus.
    pub(crate) pane: StartPane,
    /// Whether runs and corpora were read at least once.
    pub(crate) is_loaded: bool,
    /// The corpus to select once corpora are known.
    pub(crate) wanted: Option<String>,
    /// How questions can be worked on, at least one.
    pub(crate) workflows: Vec<Workflow>,
    /// How they will be.
    pub(crate) workflow: usize,
}

/// What a field is typed for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A new sub-question.
    Add,
    /// How the question is meant.
    Clarify,
    /// Other words for a node.
    Reword(NodeId),
    /// Why a node is taken out.
    Prune(NodeId),
    /// Limits, as `queries=200 nodes=20`.
    Budget,
    /// The source not to trust, by its id.
    Distrust,
    /// A further question.
    FollowUp,
    /// Files and folders to index.
    Index,
    /// The model to download.
    Pull,
    /// The file to export to.
    Export,
}

/// A question that wants yes or no.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Confirm {
    /// What is asked.
    pub(crate) question: String,
    /// What happens on yes.
    pub(crate) then: Box<Effect>,
}

/// What lies over a screen.
#[derive(Clone, Debug)]
pub(crate) enum Overlay {
    /// All keys; the first row shown.
    Help(usize),
    /// Commands by name; the selected one.
    Palette(Editor, usize),
    /// A field.
    Field(Purpose, Editor),
    /// Yes or no.
    Confirm(Confirm),
}

/// How bad a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// It worked.
    Info,
    /// It did not.
    Problem,
}

/// A line for the reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// Cleaned.
    pub(crate) text: String,
    /// How bad.
    pub(crate) level: Level,
    /// When it goes away.
    pub(crate) until_ms: u64,
}

/// Long work: indexing, or a download.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Job {
    /// The corpus, or the model.
    pub(crate) name: String,
    /// What is being done.
    pub(crate) what: String,
    /// How much of it is done.
    pub(crate) done: u64,
    /// Of how much; 0 while that is not known.
    pub(crate) total: u64,
    /// Whether it was asked to stop.
    pub(crate) is_stopping: bool,
}

/// What should happen outside: the only way the interface acts.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Effect {
    /// Start a run; with `approve`, its plan waits for consent.
    Ask {
        question: String,
        corpus: String,
        approve: bool,
        workflow: Workflow,
    },
    /// Show a run's events from a number on, and go on showing them.
    Watch { run: RunId, from: u64 },
    /// Let an interrupted run go on.
    Resume(RunId),
    /// Start a run that shares the record of another up to an event; without one, up to where its
    /// plan could last be changed.
    Fork(RunId, Option<u64>),
    /// Ask something of a running run.
    Steer(RunId, Steering),
    /// Read what the journal has of a node.
    LoadDetail(RunId, NodeId),
    /// Read a run's report.
    LoadReport(RunId),
    /// List runs and corpora.
    LoadLists,
    /// List a corpus's documents.
    LoadDocuments(String),
    /// List a document's passages.
    LoadPassages { corpus: String, document: String },
    /// Open a document with some bytes marked; from a run's own record if the corpus lacks it.
    OpenDocument {
        corpus: String,
        run: Option<RunId>,
        document: String,
        span: (u64, u64),
    },
    /// Ask each retriever.
    Search { corpus: String, query: String },
    /// Bring a corpus up to date.
    Index { corpus: String, paths: Vec<PathBuf> },
    /// Download a model.
    Pull(String),
    /// Stop indexing or downloading.
    CancelJob,
    /// Write a report to a file.
    Export {
        report: Arc<Report>,
        corpus: String,
        format: ExportFormat,
        path: PathBuf,
    },
    /// Put text on the clipboard.
    Copy(String),
    /// Take the mouse, or give it back.
    Mouse(bool),
    /// Draw every cell again.
    Redraw,
    /// Leave.
    Quit,
}

/// What comes back from outside.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// Runs and corpora.
    Lists {
        runs: Vec<RunStatus>,
        corpora: Vec<CorpusRow>,
    },
    /// A run was started or found.
    Opened {
        id: RunId,
        question: String,
        corpus: String,
        budget: Budget,
    },
    /// Events of a run.
    Events(RunId, Vec<Numbered>),
    /// Calls of models that are under way.
    Calls(RunId, Vec<run::Call>),
    /// Where a run stands.
    Status(RunStatus),
    /// What the journal has of a node.
    Detail(RunId, NodeId, Detail),
    /// A report, with the corpus it was asked of.
    Report(Arc<Report>, String),
    /// Documents of a corpus, and how many more there are.
    Documents(String, Vec<DocumentRow>, usize),
    /// Passages of a document.
    Passages(Vec<PassageRow>),
    /// A document to read.
    Document(OpenDocument),
    /// Hits of a query.
    Hits(String, Vec<HitList>),
    /// Where long work stands; `None` when it has ended.
    Job(Option<Job>),
    /// It worked, in words.
    Done(String),
    /// It did not, in words.
    Failed(String),
}

/// Sizes that the last frame found; what paging and clicking go by.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Sight {
    /// The screen that was drawn.
    pub(crate) screen: Option<Screen>,
    /// Rows of the pane that scrolls, and lines of what is in it.
    pub(crate) rows: usize,
    /// See `rows`.
    pub(crate) content: usize,
    /// Whether the run's graph was drawn as a tree.
    pub(crate) is_tree: bool,
    /// Nodes in the order in which they are shown, for going up and down.
    pub(crate) order: Vec<usize>,
    /// First line of the list or tree that was shown.
    pub(crate) top: usize,
    /// Where clicks land.
    pub(crate) targets: Vec<(ratatui::layout::Rect, Target)>,
    /// Columns of the report's text.
    pub(crate) width: usize,
    /// Rows and lines of the open document.
    pub(crate) document: (usize, usize),
    /// First row of the document that was shown.
    pub(crate) document_top: usize,
    /// Where the cursor of a field stands.
    pub(crate) cursor: Option<ratatui::layout::Position>,
}

/// What a click means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// A pane of the start screen.
    Start(StartPane),
    /// A run in the list.
    StartRun(usize),
    /// A corpus in the list.
    StartCorpus(usize),
    /// A pane of the run screen.
    RunPane(run::Pane),
    /// A node.
    Node(usize),
    /// A line of the log.
    LogLine(usize),
    /// A citation.
    Citation(usize),
    /// A pane of the library.
    LibraryPane(library::Pane),
    /// A document in the list.
    Document(usize),
    /// A passage in the list.
    Passage(usize),
    /// A hit: column and row.
    Hit(usize, usize),
}

/// Everything.
#[derive(Clone, Debug)]
pub(crate) struct App {
    /// The screen in front.
    pub(crate) screen: Screen,
    /// The start screen.
    pub(crate) start: Start,
    /// The run that is watched.
    pub(crate) run: Option<Run>,
    /// The report that is read.
    pub(crate) reading: Option<Reading>,
    /// The library.
    pub(crate) library: Library,
    /// What lies over the screen.
    pub(crate) overlay: Option<Overlay>,
    /// A line for the reader.
    pub(crate) message: Option<Message>,
    /// Long work.
    pub(crate) job: Option<Job>,
    /// Keys.
    pub(crate) keys: Arc<KeyMap>,
    /// Colours.
    pub(crate) theme: ThemeName,
    /// Whether the mouse is taken.
    pub(crate) mouse: bool,
    /// Milliseconds since the Unix epoch.
    pub(crate) now_ms: u64,
    /// What the last frame found.
    pub(crate) sight: Sight,
    /// The project's folder, cleaned, for the title.
    pub(crate) project: String,
    /// Whether it is time to leave.
    pub(crate) is_over: bool,
    /// Open the report as soon as the watched run has one.
    pub(crate) wants_report: bool,
}

impl App {
    /// An interface that has seen nothing yet.
    pub(crate) fn new(
        project: &str,
        corpus: Option<String>,
        keys: KeyMap,
        theme: ThemeName,
    ) -> Self {
        Self {
            screen: Screen::Start,
            start: Start {
                question: Editor::new(MAX_FIELD_BYTES),
                runs: Vec::new(),
                corpora: Vec::new(),
                run: 0,
                corpus: 0,
                pane: StartPane::Question,
                is_loaded: false,
                wanted: corpus,
                workflows: vec![Workflow::Extractive],
                workflow: 0,
            },
            run: None,
            reading: None,
            library: Library::new(),
            overlay: None,
            message: None,
            job: None,
            keys: Arc::new(keys),
            theme,
            mouse: false,
            now_ms: 0,
            sight: Sight::default(),
            project: crate::tui::text::clean(project),
            is_over: false,
            wants_report: false,
        }
    }

    /// Says something for a while.
    pub(crate) fn say(&mut self, level: Level, text: &str) {
        self.message = Some(Message {
            text: crate::tui::text::clean_bounded(text, 400),
            level,
            until_ms: self.now_ms
                + if level == Level::Info {
                    INFO_MS
                } else {
                    PROBLEM_MS
                },
        });
    }

    /// How questions will be worked on.
    pub(crate) fn workflow(&self) -> Workflow {
        let chosen = self.start.workflows.get(self.start.workflow);
        chosen.cloned().unwrap_or_default()
    }

    /// The corpus that questions go to.
    pub(crate) fn corpus(&self) -> Option<&CorpusRow> {
        self.start.corpora.get(self.start.corpus)
    }

    /// Whether something moves on its own, so that the time shown must go on.
    pub(crate) fn is_live(&self) -> bool {
        let lives = |run: &Run| run.state == RunState::Running;
        self.job.is_some() || self.run.as_ref().is_some_and(lives)
    }
}
