//! Forgetting old runs.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use indago_core::ports::RunError;
use indago_core::{ContentHash, RunId};
use rusqlite::TransactionBehavior;
use serde::Serialize;

use super::sqlite::{ReadError, SqliteJournal};
use super::{Journal as _, RunMeta, lock};

/// A blob that nothing names is removed when it is as old as this: younger ones may belong to a
/// row that is being written.
const BLOB_GRACE: Duration = Duration::from_hours(1);

/// Which runs stay. A run that is marked as kept or that a process works on stays always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// The newest so many runs stay.
    pub newest: usize,
    /// Runs that started at this time or later stay, in milliseconds since the Unix epoch; `None`
    /// keeps none for its age.
    pub since_ms: Option<u64>,
}

/// What a vacuum removed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Vacuumed {
    /// The runs, newest first.
    pub runs: Vec<RunId>,
    /// Blobs that nothing names any more.
    pub blobs: u64,
    /// Bytes of the blobs.
    pub blob_bytes: u64,
    /// Bytes by which the database file shrank.
    pub file_bytes: u64,
}

impl SqliteJournal {
    /// Marks a run as kept, or no longer.
    pub fn keep(&self, run: &RunId, kept: bool) -> Result<(), RunError> {
        let reader = self.reader();
        let n = self.number(&reader, run)?;
        reader
            .execute("UPDATE runs SET kept = ?2 WHERE n = ?1", (n, kept))
            .map_err(|error| self.explain(&error))?;
        Ok(())
    }

    /// The runs that [`SqliteJournal::vacuum`] would remove, newest first.
    pub fn expired(&self, retention: Retention) -> Result<Vec<RunMeta>, RunError> {
        let old = |meta: &RunMeta| {
            retention
                .since_ms
                .is_none_or(|since| meta.started_ms < since)
        };
        Ok(self
            .list()?
            .into_iter()
            .skip(retention.newest)
            .filter(|meta| !meta.kept && old(meta) && !self.is_hosted(&meta.id))
            .collect())
    }

    /// Removes runs, the blobs that only they named, and the room they took. Passages pinned by
    /// the runs that stay are kept, as is everything else of them.
    ///
    /// Other processes may work meanwhile; a run that somebody resumes at this moment stays.
    pub fn vacuum(&self, retention: Retention) -> Result<Vacuumed, RunError> {
        let mut done = Vacuumed::default();
        for meta in self.expired(retention)? {
            // Held while its rows go, so that nobody resumes it half removed.
            let Some(_lock) = lock::acquire(&self.folder.join("runs"), &meta.id)? else {
                continue;
            };
            self.remove(&meta.id)?;
            done.runs.push(meta.id);
        }
        let named = self.named_blobs()?;
        sweep(self.blobs.root(), &named, &mut done)
            .map_err(|error| self.broken(&format!("blobs cannot be removed: {error}")))?;
        let size = || fs::metadata(&self.path).map_or(0, |meta| meta.len());
        let before = size();
        if !done.runs.is_empty() {
            self.reader()
                .execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE);")
                .map_err(|error| self.explain(&error))?;
        }
        done.file_bytes = before.saturating_sub(size());
        Ok(done)
    }

    fn remove(&self, run: &RunId) -> Result<(), RunError> {
        let mut reader = self.reader();
        let n = self.number(&reader, run)?;
        let mut remove = || -> rusqlite::Result<()> {
            let transaction = reader.transaction_with_behavior(TransactionBehavior::Immediate)?;
            for table in ["tasks", "steps", "events", "signals", "intents", "pins"] {
                transaction.execute(&format!("DELETE FROM {table} WHERE run = ?1"), [n])?;
            }
            transaction.execute("DELETE FROM runs WHERE n = ?1", [n])?;
            transaction.commit()
        };
        remove().map_err(|error| self.explain(&error))
    }

    /// Every hash that stands in a row.
    fn named_blobs(&self) -> Result<HashSet<ContentHash>, RunError> {
        let reader = self.reader();
        let hashes = self.rows(
            &reader,
            "SELECT spec FROM runs WHERE typeof(spec) = 'blob'
             UNION SELECT result FROM runs WHERE typeof(result) = 'blob'
             UNION SELECT result FROM tasks WHERE typeof(result) = 'blob'
             UNION SELECT result FROM steps WHERE typeof(result) = 'blob'
             UNION SELECT event FROM events WHERE typeof(event) = 'blob'
             UNION SELECT value FROM signals WHERE typeof(value) = 'blob'
             UNION SELECT reserved FROM intents WHERE typeof(reserved) = 'blob'
             UNION SELECT response FROM intents WHERE typeof(response) = 'blob'
             UNION SELECT blob FROM pins",
            [],
            |row| {
                let bytes: Vec<u8> = row.get(0)?;
                let hash = bytes.try_into().map_err(|_size| ReadError::NoPayload)?;
                Ok(ContentHash(hash))
            },
        )?;
        Ok(hashes.into_iter().collect())
    }
}

/// Removes the files under `root` that are old and that nothing names.
fn sweep(root: &Path, named: &HashSet<ContentHash>, done: &mut Vacuumed) -> std::io::Result<()> {
    let folders = match fs::read_dir(root) {
        Ok(folders) => folders,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let now = SystemTime::now();
    for folder in folders.flatten().filter(|entry| entry.path().is_dir()) {
        for file in fs::read_dir(folder.path())?.flatten() {
            let name = format!(
                "{}{}",
                folder.file_name().to_string_lossy(),
                file.file_name().to_string_lossy()
            );
            let is_named = name
                .parse::<ContentHash>()
                .is_ok_and(|hash| named.contains(&hash));
            let meta = file.metadata()?;
            let age = meta
                .modified()
                .ok()
                .and_then(|at| now.duration_since(at).ok());
            if !is_named && age.is_some_and(|age| age >= BLOB_GRACE) {
                fs::remove_file(file.path())?;
                done.blobs += 1;
                done.blob_bytes += meta.len();
            }
        }
        // Succeeds only where nothing is left.
        let _still_used = fs::remove_dir(folder.path());
    }
    Ok(())
}
