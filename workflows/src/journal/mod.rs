//! Where runs are recorded.
//!
//! A run is an ordered list of [`Entry`]s; its state is what they add up to ([`RunRecord`]).
//! Entries of one run are kept in the order in which they were appended, so what survives a crash
//! is always a beginning of that list: if an entry is there, so is everything before it.

mod blobs;
mod copy;
mod lock;
mod memory;
mod record;
mod schema;
mod sqlite;
mod transfer;
mod vacuum;
mod writer;

pub use blobs::{BlobError, BlobStore};
pub use memory::MemoryJournal;
pub use record::{Entry, Outcome, Pin, RunMeta, RunRecord, Stored, StoredEvent, TaskRecord};
pub(crate) use schema::MAX_KEY_BYTES;
pub use schema::SCHEMA_VERSION;
pub use sqlite::{SqliteJournal, SqliteOptions};
pub use transfer::{Imported, MAX_LINE_BYTES};
pub use vacuum::{Retention, Vacuumed};
pub use writer::Intent;

use std::any::Any;
use std::path::Path;

use indago_core::ports::{BoxFuture, RunError};
use indago_core::{ContentHash, RunId};
use serde::Serialize;
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

    /// Records that a paid call is about to be made, and waits until that is on the disk. Again
    /// for the same request: another attempt at it.
    fn intend(&self, run: &RunId, intent: Intent) -> BoxFuture<'_, Result<(), RunError>>;

    /// Stores the response to a paid call under its request, and waits until it is on the disk.
    fn respond(
        &self,
        run: &RunId,
        request: ContentHash,
        response: Vec<u8>,
    ) -> BoxFuture<'_, Result<(), RunError>>;

    /// Takes back an attempt at a paid call that is known to have cost nothing: the server refused
    /// it.
    fn unpaid(&self, run: &RunId, request: ContentHash);

    /// The stored response to a request of a run. `Ok(None)`: nobody intended it.
    /// `Ok(Some(None))`: it was intended and never answered, so it was possibly paid for.
    fn response(
        &self,
        run: &RunId,
        request: ContentHash,
    ) -> Result<Option<Option<Vec<u8>>>, RunError>;

    /// Paid calls of a run whose responses were lost: made, perhaps charged, never answered.
    fn possibly_spent(&self, run: &RunId) -> Result<Vec<PossiblySpent>, RunError>;

    /// Records `new` as a run that begins like `from` up to event number `at`, that event
    /// included, and takes its lock. What `from` recorded later is left behind.
    fn fork(&self, from: &RunId, at: u64, new: RunMeta)
    -> BoxFuture<'_, Result<Created, RunError>>;

    /// The folder that processes share through this journal; `None` when no other process can see
    /// it.
    fn folder(&self) -> Option<&Path>;
}

/// A paid call whose response was lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PossiblySpent {
    /// The call.
    #[serde(flatten)]
    pub intent: Intent,
    /// How often it was made without its response being stored.
    pub attempts: u32,
}
