//! The driver: runs planner and agents against ports on tokio and records every step.
//!
//! - [`SqliteEngine`] and [`MemoryEngine`] run registered [`Task`]s as data, with journaled steps,
//!   child tasks, signals and events; a run that was interrupted goes on where it was.
//! - [`Journal`](journal::Journal) is the seam between the two: where records are kept.
//! - [`CpuLibrary`] puts synchronous retrievers, stores and encoders behind the asynchronous
//!   `Library` that agents await.
//! - [`PaidModel`] makes calls to a language model that are never paid twice.
//! - [`Gate`] lets calls of all runs through under limits, the longest remaining path first.
//! - [`deep_research`] is the task that answers a question.
//!
//! This crate sees ports only: no concrete model, index or tool.

mod absent;
mod ahead;
pub mod deep_research;
mod engine;
mod forking;
mod gate;
mod gated_model;
pub mod journal;
mod library;
mod live;
mod paid;
mod registry;

pub use ahead::Ahead;
pub use engine::{
    Clock, Engine, EventStream, ResumeOutcome, Run, RunDetail, TaskDetail, new_run_id, utc,
};
pub use forking::{Fork, fork_point};
pub use gate::{Gate, Permit};
pub use gated_model::GatedModel;
pub use journal::{MemoryJournal, SqliteJournal};
pub use library::{CpuLibrary, CpuLibraryParts, PoolError, Similarity};
pub use live::{LiveCall, live_calls};
pub use paid::PaidModel;
pub use registry::{Registry, Task, TaskFuture};

/// Runs kept in one SQLite file per project folder.
pub type SqliteEngine = Engine<SqliteJournal>;

/// Runs kept in memory, for tests.
pub type MemoryEngine = Engine<MemoryJournal>;
