//! The embedded journal: one SQLite file and one folder of blobs per project.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use indago_core::ports::{BoxFuture, RunError, TaskError};
use indago_core::{ContentHash, RunId, RunState};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::oneshot;

use super::lock;
use super::schema::{MAX_KEY_BYTES, explain, open};
use super::writer::{Command, Failure, Intent, Writer, payload};
use super::{
    BlobError, BlobStore, Created, Durability, Entry, HostLock, Journal, Outcome, Pin,
    PossiblySpent, RunMeta, RunRecord, Stored, StoredEvent, TaskRecord,
};

/// How a journal is opened.
#[derive(Clone, Copy, Debug)]
pub struct SqliteOptions {
    /// How long a write waits for other processes before it is tried again, in milliseconds.
    pub busy_ms: u32,
    /// Largest size of the file, in pages of 4 KiB; for tests of a full disk and for quotas.
    pub max_pages: Option<u32>,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            busy_ms: 5_000,
            max_pages: None,
        }
    }
}

/// Runs in `journal.sqlite`, large values in `blobs/`, locks of living runs in `runs/`, all in one
/// folder that any number of processes may use at once. [`crate::journal`] says what is stored,
/// `docs/journal.md` how.
pub struct SqliteJournal {
    pub(super) folder: PathBuf,
    pub(super) path: PathBuf,
    pub(super) blobs: Arc<BlobStore>,
    /// For reading and for signals; the writer has a connection of its own.
    reader: Mutex<Connection>,
    commands: Option<Sender<Command>>,
    writer: Option<JoinHandle<()>>,
    failure: Failure,
}

impl std::fmt::Debug for SqliteJournal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SqliteJournal(`{}`)", self.path.display())
    }
}

impl SqliteJournal {
    /// Opens the journal in `folder` (usually `.indago`), making it when it is not there.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, RunError> {
        Self::open_with(folder, SqliteOptions::default())
    }

    /// Opens the journal with other than the default options.
    pub fn open_with(folder: impl AsRef<Path>, options: SqliteOptions) -> Result<Self, RunError> {
        let folder = folder.as_ref().to_owned();
        let path = folder.join("journal.sqlite");
        let io = |error: std::io::Error| RunError::Journal {
            path: path.display().to_string(),
            reason: format!("{error}; check that the folder exists and may be written"),
        };
        fs::create_dir_all(folder.join("runs")).map_err(io)?;
        let write = open(&path, options.busy_ms)?;
        if let Some(pages) = options.max_pages {
            write
                .pragma_update_and_check(None, "max_page_count", pages, |_row| Ok(()))
                .map_err(|error| explain(&path, &error))?;
        }
        let reader = open(&path, options.busy_ms)?;
        let blobs = Arc::new(BlobStore::new(folder.join("blobs")));
        let failure = Failure::default();
        let (commands, queue) = channel();
        let writer = Writer::new(
            write,
            path.clone(),
            Arc::clone(&blobs),
            Arc::clone(&failure),
        );
        let thread = std::thread::Builder::new()
            .name("indago-journal".into())
            .spawn(move || writer.run(&queue))
            .map_err(io)?;
        Ok(Self {
            folder,
            path,
            blobs,
            reader: Mutex::new(reader),
            commands: Some(commands),
            writer: Some(thread),
            failure,
        })
    }

    /// The blob store beside the journal.
    pub fn blobs(&self) -> &BlobStore {
        &self.blobs
    }

    pub(super) fn reader(&self) -> MutexGuard<'_, Connection> {
        // Reads leave nothing half done.
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, command: Command) {
        if let Some(commands) = &self.commands {
            // The writer ends only when this sender is dropped.
            let _sent = commands.send(command);
        }
    }

    pub(super) fn explain(&self, error: &rusqlite::Error) -> RunError {
        explain(&self.path, error)
    }

    pub(super) fn broken(&self, reason: &dyn std::fmt::Display) -> RunError {
        RunError::Journal {
            path: self.path.display().to_string(),
            reason: reason.to_string(),
        }
    }

    pub(super) fn number(&self, reader: &Connection, run: &RunId) -> Result<i64, RunError> {
        reader
            .prepare_cached("SELECT n FROM runs WHERE id = ?1")
            .and_then(|mut statement| {
                statement
                    .query_row([run.as_str()], |row| row.get(0))
                    .optional()
            })
            .map_err(|error| self.explain(&error))?
            .ok_or_else(|| RunError::Unknown(run.clone()))
    }

    /// Reads a payload column.
    pub(super) fn read<T: DeserializeOwned>(
        &self,
        row: &Row<'_>,
        column: usize,
    ) -> Result<T, ReadError> {
        match row.get_ref(column)? {
            ValueRef::Text(text) => Ok(serde_json::from_slice(text)?),
            ValueRef::Blob(hash) => {
                let hash = <[u8; 32]>::try_from(hash).map_err(|_size| ReadError::NoPayload)?;
                Ok(serde_json::from_slice(&self.blobs.get(ContentHash(hash))?)?)
            }
            _ => Err(ReadError::NoPayload),
        }
    }

    pub(super) fn rows<T>(
        &self,
        reader: &Connection,
        sql: &str,
        parameters: impl rusqlite::Params,
        mut read: impl FnMut(&Row<'_>) -> Result<T, ReadError>,
    ) -> Result<Vec<T>, RunError> {
        let run = || -> Result<Vec<T>, ReadError> {
            let mut statement = reader.prepare_cached(sql)?;
            let mut rows = statement.query(parameters)?;
            let mut all = Vec::new();
            while let Some(row) = rows.next()? {
                all.push(read(row)?);
            }
            Ok(all)
        };
        run().map_err(|error| self.read_error(error))
    }

    pub(super) fn read_error(&self, error: ReadError) -> RunError {
        match error {
            ReadError::Sql(error) => self.explain(&error),
            other => self.broken(&other),
        }
    }

    fn read_meta(&self, row: &Row<'_>) -> Result<RunMeta, ReadError> {
        let state: Option<String> = row.get(3)?;
        let outcome = match state {
            None => None,
            Some(word) => Some(Outcome {
                state: state_of(&word)?,
                ended_ms: row.get::<_, i64>(2)?.try_into().unwrap_or(0),
                result: self.read_result(row, 6)?,
            }),
        };
        Ok(RunMeta {
            id: RunId::new(row.get::<_, String>(0)?),
            started_ms: row.get::<_, i64>(1)?.try_into().unwrap_or(0),
            code_version: row.get(4)?,
            spec: self.read(row, 5)?,
            outcome,
            events: row.get::<_, i64>(7)?.try_into().unwrap_or(0),
            parent: match row.get::<_, Option<String>>(8)? {
                Some(parent) => {
                    let at: Option<i64> = row.get(9)?;
                    Some((RunId::new(parent), at.unwrap_or(0).try_into().unwrap_or(0)))
                }
                None => None,
            },
            kept: row.get(10)?,
        })
    }

    /// A result whose blob is gone or damaged is an error of the run, not of the listing.
    fn read_result(&self, row: &Row<'_>, column: usize) -> Result<Stored, ReadError> {
        match self.read::<Stored>(row, column) {
            Err(ReadError::Blob(error)) => Ok(Err(TaskError::Journal(error.to_string()))),
            other => other,
        }
    }
}

const META: &str = "SELECT id, started_ms, ended_ms, state, code_version, spec, result,
    (SELECT coalesce(max(seq) + 1, 0) FROM events WHERE run = n), parent, forked_at, kept
    FROM runs";

/// What can be wrong with a row.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error(transparent)]
    Sql(#[from] rusqlite::Error),
    #[error("a row does not hold what it should: {0}")]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    Blob(#[from] BlobError),
    #[error("a row does not hold a value")]
    NoPayload,
    #[error("`{0}` is no state of a run")]
    State(String),
}

fn state_of(word: &str) -> Result<RunState, ReadError> {
    serde_json::from_value(Value::String(word.to_owned()))
        .map_err(|_unknown| ReadError::State(word.to_owned()))
}

impl Drop for SqliteJournal {
    fn drop(&mut self) {
        // Closing the queue lets the writer store what is in it and end.
        self.commands = None;
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the journal's writer panicked");
        }
    }
}

impl Journal for SqliteJournal {
    fn create(&self, meta: RunMeta) -> BoxFuture<'_, Result<Created, RunError>> {
        Box::pin(async move {
            let Some(lock) = lock::acquire(&self.folder.join("runs"), &meta.id)? else {
                return Ok(Created::AlreadyThere);
            };
            let (reply, answer) = oneshot::channel();
            self.send(Command::Create(Box::new(meta), reply));
            match answer.await {
                Ok(Ok(true)) => Ok(Created::New(Box::new(lock))),
                Ok(Ok(false)) => Ok(Created::AlreadyThere),
                Ok(Err(error)) => Err(error),
                Err(_dropped) => Err(self.broken(&"the writer has ended")),
            }
        })
    }

    fn claim(&self, run: &RunId) -> Result<HostLock, RunError> {
        self.number(&self.reader(), run)?;
        match lock::acquire(&self.folder.join("runs"), run)? {
            Some(lock) => Ok(Box::new(lock)),
            None => Err(RunError::Hosted(run.clone())),
        }
    }

    fn is_hosted(&self, run: &RunId) -> bool {
        lock::is_held(&self.folder.join("runs"), run)
    }

    fn load(&self, run: &RunId) -> Result<RunRecord, RunError> {
        let meta = self.meta(run)?;
        let mut record = RunRecord::new(meta);
        let reader = self.reader();
        let n = self.number(&reader, run)?;
        let tasks = self.rows(
            &reader,
            "SELECT path, name, done, result FROM tasks WHERE run = ?1",
            [n],
            |row| {
                let done: Option<i64> = row.get(2)?;
                let done = match done {
                    // A result that cannot be read is as good as none: the task runs again.
                    Some(order) => match self.read::<Stored>(row, 3) {
                        Err(ReadError::Blob(error)) => {
                            tracing::warn!(%run, %error, "a task's result is lost");
                            None
                        }
                        other => Some((order.try_into().unwrap_or(0), other?)),
                    },
                    None => None,
                };
                Ok((
                    row.get::<_, String>(0)?,
                    TaskRecord {
                        name: row.get(1)?,
                        done,
                        ..TaskRecord::default()
                    },
                ))
            },
        )?;
        record.done = tasks
            .iter()
            .filter_map(|(_, task)| task.done.as_ref())
            .map(|(order, _)| order + 1)
            .max()
            .unwrap_or(0);
        record.tasks.extend(tasks);
        let steps = self.rows(
            &reader,
            "SELECT path, key, result FROM steps WHERE run = ?1",
            [n],
            |row| {
                let result = match self.read::<Stored>(row, 2) {
                    Err(ReadError::Blob(error)) => {
                        tracing::warn!(%run, %error, "a step's result is lost");
                        None
                    }
                    other => Some(other?),
                };
                Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, result))
            },
        )?;
        for (path, key, result) in steps {
            if let Some(result) = result {
                record
                    .tasks
                    .entry(path)
                    .or_default()
                    .steps
                    .insert(key, result);
            }
        }
        drop(reader);
        for event in self.events(run, 0, usize::MAX)? {
            record.apply(Entry::Event(event));
        }
        Ok(record)
    }

    fn meta(&self, run: &RunId) -> Result<RunMeta, RunError> {
        let reader = self.reader();
        let sql = format!("{META} WHERE id = ?1");
        let mut metas = self.rows(&reader, &sql, [run.as_str()], |row| self.read_meta(row))?;
        metas.pop().ok_or_else(|| RunError::Unknown(run.clone()))
    }

    fn list(&self) -> Result<Vec<RunMeta>, RunError> {
        let reader = self.reader();
        let sql = format!("{META} ORDER BY started_ms DESC, id DESC");
        self.rows(&reader, &sql, [], |row| self.read_meta(row))
    }

    fn events(
        &self,
        run: &RunId,
        from_seq: u64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, RunError> {
        let reader = self.reader();
        let n = self.number(&reader, run)?;
        self.rows(
            &reader,
            "SELECT seq, path, ordinal, at_ms, event FROM events
             WHERE run = ?1 AND seq >= ?2 ORDER BY seq LIMIT ?3",
            params![
                n,
                i64::try_from(from_seq).unwrap_or(i64::MAX),
                i64::try_from(limit).unwrap_or(i64::MAX)
            ],
            |row| {
                Ok(StoredEvent {
                    seq: row.get::<_, i64>(0)?.try_into().unwrap_or(0),
                    path: row.get(1)?,
                    ordinal: row.get(2)?,
                    at_ms: row.get::<_, i64>(3)?.try_into().unwrap_or(0),
                    event: self.read(row, 4)?,
                })
            },
        )
    }

    fn append(&self, run: &RunId, entry: Entry) {
        self.send(Command::Append(run.clone(), entry));
    }

    fn flush(&self, durability: Durability) -> BoxFuture<'_, Result<(), RunError>> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Flush(durability, reply));
        Box::pin(async move {
            answer
                .await
                .unwrap_or_else(|_dropped| Err(self.broken(&"the writer has ended")))
        })
    }

    fn signal(&self, run: &RunId, name: &str, value: &Value) -> Result<bool, RunError> {
        if name.len() > MAX_KEY_BYTES {
            return Err(self.broken(&"the signal's name is too long"));
        }
        let reader = self.reader();
        let n = self.number(&reader, run)?;
        let value = payload(&self.blobs, value, false).map_err(|error| self.broken(&error))?;
        let written = reader
            .prepare_cached(
                "INSERT OR IGNORE INTO signals (run, name, value, at_ms) VALUES (?1, ?2, ?3, ?4)",
            )
            .and_then(|mut statement| {
                statement.execute(params![n, name, value, crate::engine::now_ms() as i64])
            })
            .map_err(|error| self.explain(&error))?;
        Ok(written == 1)
    }

    fn signals(&self, run: &RunId) -> Result<Vec<(String, Value)>, RunError> {
        let reader = self.reader();
        let n = self.number(&reader, run)?;
        self.rows(
            &reader,
            "SELECT name, value FROM signals WHERE run = ?1 ORDER BY name",
            [n],
            |row| Ok((row.get(0)?, self.read(row, 1)?)),
        )
    }

    fn change_counter(&self) -> u64 {
        self.reader()
            .pragma_query_value(None, "data_version", |row| row.get::<_, i64>(0))
            .map_or(0, i64::unsigned_abs)
    }

    fn failure(&self) -> Option<String> {
        self.failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn pin(&self, run: &RunId, pins: Vec<Pin>) {
        self.send(Command::Pin(run.clone(), pins));
    }

    fn pins(&self, run: &RunId) -> Result<Vec<Pin>, RunError> {
        let reader = self.reader();
        let n = self.number(&reader, run)?;
        let hashes = self.rows(
            &reader,
            "SELECT blob FROM pins WHERE run = ?1 ORDER BY document, start",
            [n],
            |row| {
                let bytes: Vec<u8> = row.get(0)?;
                <[u8; 32]>::try_from(bytes).map_err(|_size| ReadError::NoPayload)
            },
        )?;
        hashes
            .into_iter()
            .map(|hash| {
                let bytes = self.blobs.get(ContentHash(hash)).map_err(ReadError::from)?;
                Ok(serde_json::from_slice(&bytes)?)
            })
            .collect::<Result<_, ReadError>>()
            .map_err(|error| self.read_error(error))
    }

    fn intend(&self, run: &RunId, intent: Intent) -> BoxFuture<'_, Result<(), RunError>> {
        self.send(Command::Intent(run.clone(), intent));
        self.flush(Durability::Disk)
    }

    fn respond(
        &self,
        run: &RunId,
        request: ContentHash,
        response: Vec<u8>,
    ) -> BoxFuture<'_, Result<(), RunError>> {
        self.send(Command::Response(run.clone(), request, response));
        self.flush(Durability::Disk)
    }

    fn unpaid(&self, run: &RunId, request: ContentHash) {
        self.send(Command::Unpaid(run.clone(), request));
    }

    fn response(
        &self,
        run: &RunId,
        request: ContentHash,
    ) -> Result<Option<Option<Vec<u8>>>, RunError> {
        let reader = self.reader();
        let n = self.number(&reader, run)?;
        let row: Option<Option<Vec<u8>>> = reader
            .prepare_cached("SELECT response FROM intents WHERE run = ?1 AND request = ?2")
            .and_then(|mut statement| {
                statement
                    .query_row(params![n, request.0.as_slice()], |row| row.get(0))
                    .optional()
            })
            .map_err(|error| self.explain(&error))?;
        let Some(hash) = row else { return Ok(None) };
        let Some(hash) = hash.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok()) else {
            return Ok(Some(None));
        };
        let bytes = self
            .blobs
            .get(ContentHash(hash))
            .map_err(|error| self.broken(&error))?;
        Ok(Some(Some(bytes)))
    }

    fn possibly_spent(&self, run: &RunId) -> Result<Vec<PossiblySpent>, RunError> {
        let reader = self.reader();
        let n = self.number(&reader, run)?;
        self.rows(
            &reader,
            "SELECT request, path, key, reserved, at_ms, attempts - (response IS NOT NULL)
             FROM intents WHERE run = ?1 AND attempts > (response IS NOT NULL) ORDER BY at_ms",
            [n],
            |row| {
                let request: Vec<u8> = row.get(0)?;
                let request = request.try_into().map_err(|_size| ReadError::NoPayload)?;
                Ok(PossiblySpent {
                    intent: Intent {
                        request: ContentHash(request),
                        path: row.get(1)?,
                        key: row.get(2)?,
                        reserved: self.read(row, 3)?,
                        at_ms: row.get::<_, i64>(4)?.try_into().unwrap_or(0),
                    },
                    attempts: row.get(5)?,
                })
            },
        )
    }

    fn fork(
        &self,
        from: &RunId,
        at: u64,
        new: RunMeta,
    ) -> BoxFuture<'_, Result<Created, RunError>> {
        let from = from.clone();
        Box::pin(async move {
            // The run may be one of this process, with entries on their way.
            self.flush(Durability::Process).await?;
            self.copy(&from, at, &new)
        })
    }

    fn folder(&self) -> Option<&Path> {
        Some(&self.folder)
    }
}
