//! The terminal interface: watch a run think, steer it, read its report, look into corpora.
//!
//! ```text
//!  keys, mouse ─┐                      ┌─> effects ─> engine (runs, corpora) ─┐
//!               ├─> message ─> update ─┤                                      │
//!  replies ─────┘        (pure)        └─> state ─> screens ─> cells          │
//!      ^──────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! `model` is plain data folded from events, `update` decides, `screens` draw; none of them does
//! I/O, so all are tested without a terminal. `engine` is the only file that knows how runs are
//! started, watched and steered. Runs are hosted by processes of their own (`host`), so leaving
//! the interface, or losing its terminal, leaves them alone. `terminal` takes the terminal and gives
//! it back whatever happens. Text from outside passes `text::clean` when it enters the state, and
//! every cell passes `charset` before it is written.

mod charset;
mod clipboard;
mod engine;
mod event_loop;
mod graph;
mod host;
mod journal;
mod keymap;
mod library;
mod model;
mod plain;
mod screens;
mod stage;
mod terminal;
#[cfg(test)]
mod tests;
mod text;
mod theme;
mod update;

pub use charset::{Charset, Depth};
pub use event_loop::{Ended, open};
pub use keymap::{BadKeys, Key, KeyMap};
pub use model::Workflow;
pub use plain::{EventLines, follow_events, key_table};
pub use stage::{Recording, Stage, Watched};
pub use terminal::Unsuitable;
pub use theme::ThemeName;

use std::path::PathBuf;

use crate::Project;
use crate::remote::NetworkConfig;

/// How the interface is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whose runs and corpora are shown.
    pub project: Project,
    /// The corpus to ask unless another is picked.
    pub corpus: Option<String>,
    /// A folder to index first, in the interface, and the name of its corpus.
    pub index: Option<(String, PathBuf)>,
    /// A question to start with, or a run to open.
    pub subject: Option<Subject>,
    /// Wait for the plan of that question to be approved.
    pub approve: bool,
    /// How questions can be worked on, the first unless another is picked; none for
    /// [`Workflow::Extractive`] alone.
    pub workflows: Vec<Workflow>,
    /// Keys.
    pub keys: KeyMap,
    /// Colours; `None` finds out what the background is.
    pub theme: Option<ThemeName>,
    /// Whether the mouse is taken.
    pub mouse: bool,
    /// Threads for indexing and for the processes that host runs.
    pub threads: usize,
    /// Whether indexing makes vectors.
    pub vectors: bool,
    /// How the network is used when models are downloaded.
    pub network: NetworkConfig,
}

/// What `indago tui` was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A question to ask.
    Question(String),
    /// A recorded run to open, by its id.
    Run(String),
}
