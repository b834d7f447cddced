//! Where runs are recorded.
//!
//! A run is an ordered list of [`Entry`]s; its state is what they add up to ([`RunRecord`]).
//! Entries of one run are kept in the order in which they were appended, so what survives a crash
//! is always a beginning of that list: if an entry is there, so is everything before it.

mod blobs;
mod lock;
mod memory;
mod record;
mod schema;
mod sqlite;
mod writer;

pub use blobs::{BlobError, BlobStore};
pub use memory::MemoryJournal;
pub use record::{Entry, Outcome, Pin, RunMeta, RunRecord, Stored, StoredEvent, TaskRecord};
pub(crate) use schema::MAX_KEY_BYTES;
pub use schema::SCHEMA_VERSION;
pub use sqlite::{SqliteJournal, SqliteOptions};
pub use writer::Intent;

use std::any::Any;

use indago_core::RunId;
use indago_core::ports::{BoxFuture, RunError};
use serde_json::Value;

/// How far a flush must go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// Survives the death of this process.
    Process,
    /// Survives a power cut: asked for before money is spent.
    Disk,
}

/// Held while a process hosts a run; dropping it lets go.
pub type HostLock = Box<dyn Any + Send + Sync>;

/// Result of [`Journal::create`].
pub enum Created {
    /// The run is new and ours.
    New(HostLock),
    /// A run of that id exists; nothing was changed.
    AlreadyThere,
}

impl std::fmt::Debug for Created {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::New(_) => "New",
            Self::AlreadyThere => "AlreadyThere",
        })
    }
}

/// A store of runs. Methods without a future answer within milliseconds.
pub trait Journal: Send + Sync + 'static {
    /// Records a new run and takes its lock. Idempotent on the id.
    fn create(&self, meta: RunMeta) -> BoxFuture<'_, Result<Created, RunError>>;

    /// Takes the lock of a run whose host is gone.
    fn claim(&self, run: &RunId) -> Result<HostLock, RunError>;

    /// Whether some process holds the run's lock.
    fn is_hosted(&self, run: &RunId) -> bool;

    /// Everything recorded of a run.
    fn load(&self, run: &RunId) -> Result<RunRecord, RunError>;

    /// What listings show of a run.
    fn meta(&self, run: &RunId) -> Result<RunMeta, RunError>;

    /// All runs, newest first.
    fn list(&self) -> Result<Vec<RunMeta>, RunError>;

    /// Events from number `from_seq` on, in order, at most `limit`.
    fn events(
        &self,
        run: &RunId,
        from_seq: u64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, RunError>;

    /// Queues an entry of a run that this process hosts. Order is kept; [`Journal::flush`] waits.
    fn append(&self, run: &RunId, entry: Entry);

    /// Waits until everything appended so far is stored, and says whether it could be.
    fn flush(&self, durability: Durability) -> BoxFuture<'_, Result<(), RunError>>;

    /// Delivers a signal; the first write under a name wins. Works from any process.
    fn signal(&self, run: &RunId, name: &str, value: &Value) -> Result<bool, RunError>;

    /// Signals of a run, delivered by whatever process.
    fn signals(&self, run: &RunId) -> Result<Vec<(String, Value)>, RunError>;

    /// A number that changes when another process wrote to the store; what a host polls cheaply.
    fn change_counter(&self) -> u64;

    /// Why nothing more can be stored, once that is so.
    fn failure(&self) -> Option<String>;

    /// Stores cited passages so that the run's report outlives its corpus.
    fn pin(&self, run: &RunId, pins: Vec<Pin>);

    /// What a run pinned.
    fn pins(&self, run: &RunId) -> Result<Vec<Pin>, RunError>;
}
