//! One thread per process writes the journal.
//!
//! Entries are queued and written in groups, one transaction each: a run's own work never waits
//! for the disk. Whoever needs to know that an entry is stored asks for a flush, which ends the
//! group at once; before money is spent the flush also waits for the disk itself.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indago_core::ports::RunError;
use indago_core::{ContentHash, RunId};
use rusqlite::{Connection, Transaction, TransactionBehavior, params};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::schema::{INLINE_BYTES, explain, is_busy};
use super::{BlobStore, Durability, Entry, Outcome, Pin, RunMeta, Stored};

/// How long the writer waits for more before it writes: what a killed process may lose of unpaid
/// work, and how late other processes see it, against one transaction for each step. A transaction
/// takes some 0.5 to 1 ms of CPU however small it is, so that ten of them a second cost what a slow trickle
/// of calls may cost.
const LINGER: Duration = Duration::from_millis(100);

/// Entries in one transaction at most, so that other processes get their turn.
const MAX_GROUP: usize = 2_000;

/// Attempts at a group while another process holds the file, each as long as the busy timeout.
const MAX_ATTEMPTS: u32 = 3;

/// What the writer is asked to do.
pub(crate) enum Command {
    /// Insert a run's head; answers whether it is new.
    Create(Box<RunMeta>, oneshot::Sender<Result<bool, RunError>>),
    /// Store an entry.
    Append(RunId, Entry),
    /// Store cited passages.
    Pin(RunId, Vec<Pin>),
    /// Store a paid call's intent.
    Intent(RunId, Intent),
    /// Store the response to a paid call, under its request.
    Response(RunId, ContentHash, Vec<u8>),
    /// Take back an attempt at a paid call that is known to have cost nothing.
    Unpaid(RunId, ContentHash),
    /// Answer once everything before is stored.
    Flush(Durability, oneshot::Sender<Result<(), RunError>>),
}

/// A paid call that is about to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// Hash of the request.
    pub request: ContentHash,
    /// Path of the task that makes it.
    pub path: String,
    /// Key of the step that makes it.
    pub key: String,
    /// What it may cost, as the caller counts it.
    pub reserved: serde_json::Value,
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: u64,
}

/// Why nothing more can be stored, shared with those who ask.
pub(crate) type Failure = Arc<Mutex<Option<String>>>;

pub(crate) struct Writer {
    connection: Connection,
    path: PathBuf,
    blobs: Arc<BlobStore>,
    places: HashMap<RunId, Place>,
    failure: Failure,
    is_full_sync: bool,
}

/// Stores JSON in a row or beside it.
pub(crate) enum Payload {
    Inline(String),
    Blob(ContentHash),
}

impl rusqlite::ToSql for Payload {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        match self {
            Self::Inline(text) => text.to_sql(),
            Self::Blob(hash) => Ok(hash.0.as_slice().into()),
        }
    }
}

/// An error inside a group.
#[derive(Debug, thiserror::Error)]
pub(super) enum WriteError {
    #[error(transparent)]
    Sql(rusqlite::Error),
    #[error("{0}")]
    Other(String),
}

impl From<rusqlite::Error> for WriteError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<super::BlobError> for WriteError {
    fn from(error: super::BlobError) -> Self {
        Self::Other(error.to_string())
    }
}

pub(crate) fn payload<T: Serialize + ?Sized>(
    blobs: &BlobStore,
    value: &T,
    sync: bool,
) -> Result<Payload, super::BlobError> {
    // Values are JSON already or plain data of core; neither can fail to serialise.
    let text = serde_json::to_string(value).unwrap_or_else(|_never| "null".into());
    if text.len() <= INLINE_BYTES {
        return Ok(Payload::Inline(text));
    }
    blobs.put(text.as_bytes(), sync).map(Payload::Blob)
}

/// A task's input. A long one is only hashed: it follows from recorded results, and a plan's
/// graph would be stored again with every node that ends.
fn digest(input: &serde_json::Value) -> Payload {
    let text = input.to_string();
    if text.len() <= INLINE_BYTES {
        Payload::Inline(text)
    } else {
        Payload::Blob(ContentHash::of(text.as_bytes()))
    }
}

impl Writer {
    pub(crate) fn new(
        connection: Connection,
        path: PathBuf,
        blobs: Arc<BlobStore>,
        failure: Failure,
    ) -> Self {
        Self {
            connection,
            path,
            blobs,
            places: HashMap::new(),
            failure,
            is_full_sync: false,
        }
    }

    /// Runs until every sender is gone; then everything queued is stored.
    pub(crate) fn run(mut self, commands: &Receiver<Command>) {
        while let Ok(first) = commands.recv() {
            let mut group = Vec::new();
            let mut replies = Vec::new();
            let mut durability = Durability::Process;
            let deadline = Instant::now() + LINGER;
            let mut next = Some(first);
            loop {
                match next.take() {
                    Some(Command::Flush(wanted, reply)) => {
                        durability = durability.max(wanted);
                        replies.push(reply);
                    }
                    Some(command) => group.push(command),
                    None => {}
                }
                let urgent = !replies.is_empty()
                    || group
                        .iter()
                        .any(|command| matches!(command, Command::Create(..)));
                if group.len() >= MAX_GROUP {
                    break;
                }
                // Whoever waits is served now, with what is queued already.
                let wait = if urgent {
                    Duration::ZERO
                } else {
                    left(deadline)
                };
                match commands.recv_timeout(wait) {
                    Ok(command) => next = Some(command),
                    Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
                }
            }
            self.write_group(group, durability);
            for reply in replies {
                // Nobody waits any more: the flush is done all the same.
                let _gone = reply.send(self.standing());
            }
        }
    }

    fn standing(&self) -> Result<(), RunError> {
        match self
            .failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
        {
            Some(reason) => Err(self.error(reason.clone())),
            None => Ok(()),
        }
    }

    fn error(&self, reason: String) -> RunError {
        RunError::Journal {
            path: self.path.display().to_string(),
            reason,
        }
    }

    fn fail(&self, reason: String) {
        tracing::warn!(journal = %self.path.display(), reason, "the journal cannot be written");
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.get_or_insert(reason);
    }

    fn write_group(&mut self, group: Vec<Command>, durability: Durability) {
        if !self.path.exists() && self.standing().is_ok() {
            self.fail("the file was deleted while runs were written to it".into());
        }
        if let Err(error) = self.standing() {
            let RunError::Journal { reason, .. } = error else {
                return;
            };
            for command in group {
                if let Command::Create(_, reply) = command {
                    let _gone = reply.send(Err(self.error(reason.clone())));
                }
            }
            return;
        }
        if group.is_empty() && durability == Durability::Process {
            return;
        }
        if let Err(error) = self.set_sync(durability) {
            self.fail(error.to_string());
            return;
        }
        let sync = durability == Durability::Disk;
        let mut attempt = 0;
        let created = loop {
            attempt += 1;
            match self.try_group(&group, sync) {
                Ok(created) => break created,
                Err(WriteError::Sql(error)) if is_busy(&error) && attempt < MAX_ATTEMPTS => {
                    // Nothing of the group is stored, so what was counted along is wrong.
                    self.places.clear();
                }
                Err(error) => {
                    // Nothing but new runs is turned away: whoever asked may try again.
                    let is_only_new = group
                        .iter()
                        .all(|command| matches!(command, Command::Create(..)));
                    if let WriteError::Sql(busy) = &error
                        && is_busy(busy)
                        && is_only_new
                    {
                        for command in group {
                            if let Command::Create(_, reply) = command {
                                let _gone = reply.send(Err(explain(&self.path, busy)));
                            }
                        }
                        return;
                    }
                    let reason = match error {
                        WriteError::Sql(error) => match explain(&self.path, &error) {
                            RunError::Journal { reason, .. } => reason,
                            other => other.to_string(),
                        },
                        WriteError::Other(reason) => reason,
                    };
                    self.fail(reason.clone());
                    for command in group {
                        if let Command::Create(_, reply) = command {
                            let _gone = reply.send(Err(self.error(reason.clone())));
                        }
                    }
                    return;
                }
            }
        };
        let replies = group.into_iter().filter_map(|command| match command {
            Command::Create(_, reply) => Some(reply),
            _ => None,
        });
        for (reply, is_new) in replies.zip(created) {
            let _gone = reply.send(Ok(is_new));
        }
    }

    /// `synchronous` may change between transactions only; most groups leave it as it is.
    fn set_sync(&mut self, durability: Durability) -> rusqlite::Result<()> {
        let full = durability == Durability::Disk;
        if full != self.is_full_sync {
            let level = if full { "FULL" } else { "NORMAL" };
            self.connection.pragma_update(None, "synchronous", level)?;
            self.is_full_sync = full;
        }
        Ok(())
    }

    fn try_group(&mut self, group: &[Command], sync: bool) -> Result<Vec<bool>, WriteError> {
        let mut created = Vec::new();
        let mut ended = Vec::new();
        let Self {
            connection,
            blobs,
            places,
            ..
        } = self;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for command in group {
            match command {
                Command::Create(meta, _) => {
                    created.push(create(&transaction, blobs, meta, sync)?);
                }
                Command::Append(run, entry) => {
                    if matches!(entry, Entry::Ended(_)) {
                        ended.push(run.clone());
                    }
                    let place = place(&transaction, places, run)?;
                    append(&transaction, blobs, place, entry, sync)?;
                }
                Command::Pin(run, pins) => {
                    let n = place(&transaction, places, run)?.n;
                    for pin in pins {
                        put_pin(&transaction, blobs, n, pin, sync)?;
                    }
                }
                Command::Intent(run, intent) => {
                    let n = place(&transaction, places, run)?.n;
                    let reserved = payload(blobs, &intent.reserved, sync)?;
                    transaction
                        .prepare_cached(
                            "INSERT INTO intents (run, request, path, key, reserved, at_ms)
                             VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                             ON CONFLICT DO UPDATE SET attempts = attempts + 1",
                        )?
                        .execute(params![
                            n,
                            intent.request.0.as_slice(),
                            intent.path,
                            intent.key,
                            reserved,
                            intent.at_ms as i64
                        ])?;
                }
                Command::Response(run, request, bytes) => {
                    let n = place(&transaction, places, run)?.n;
                    let hash = blobs.put(bytes, sync)?;
                    transaction
                        .prepare_cached(
                            "UPDATE intents SET response = ?3 WHERE run = ?1 AND request = ?2",
                        )?
                        .execute(params![n, request.0.as_slice(), hash.0.as_slice()])?;
                }
                Command::Unpaid(run, request) => {
                    let n = place(&transaction, places, run)?.n;
                    transaction
                        .prepare_cached(
                            "UPDATE intents SET attempts = attempts - 1
                             WHERE run = ?1 AND request = ?2 AND attempts > 0",
                        )?
                        .execute(params![n, request.0.as_slice()])?;
                }
                Command::Flush(..) => {}
            }
        }
        transaction.commit()?;
        for run in ended {
            places.remove(&run);
        }
        Ok(created)
    }
}

fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

/// Where a run stands in the file.
#[derive(Clone, Copy)]
struct Place {
    /// Its number.
    n: i64,
    /// Events recorded so far.
    events: i64,
}

fn place<'a>(
    transaction: &Transaction<'_>,
    places: &'a mut HashMap<RunId, Place>,
    run: &RunId,
) -> Result<&'a mut Place, WriteError> {
    use std::collections::hash_map::Entry;
    match places.entry(run.clone()) {
        Entry::Occupied(known) => Ok(known.into_mut()),
        Entry::Vacant(unknown) => {
            let place = transaction
                .prepare_cached(
                    "SELECT n, (SELECT coalesce(max(seq) + 1, 0) FROM events WHERE run = n)
                     FROM runs WHERE id = ?1",
                )?
                .query_row([run.as_str()], |row| {
                    Ok(Place {
                        n: row.get(0)?,
                        events: row.get(1)?,
                    })
                })?;
            Ok(unknown.insert(place))
        }
    }
}

fn create(
    transaction: &Transaction<'_>,
    blobs: &BlobStore,
    meta: &RunMeta,
    sync: bool,
) -> Result<bool, WriteError> {
    let question: String = meta.spec.question.chars().take(400).collect();
    let corpus: String = meta.spec.corpus.chars().take(400).collect();
    let task: String = meta.spec.task.chars().take(100).collect();
    let spec = payload(blobs, &meta.spec, sync)?;
    let inserted = transaction
        .prepare_cached(
            "INSERT OR IGNORE INTO runs (id, task, question, corpus, started_ms, code_version, spec)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            meta.id.as_str(),
            task,
            question,
            corpus,
            meta.started_ms as i64,
            meta.code_version,
            spec
        ])?;
    Ok(inserted == 1)
}

fn append(
    transaction: &Transaction<'_>,
    blobs: &BlobStore,
    place: &mut Place,
    entry: &Entry,
    sync: bool,
) -> Result<(), WriteError> {
    let n = place.n;
    match entry {
        Entry::Spawned { path, name, input } => {
            let input = digest(input);
            transaction
                .prepare_cached(
                    "INSERT OR IGNORE INTO tasks (run, path, name, input, at)
                     VALUES (?1, ?2, ?3, ?4, ?5)",
                )?
                .execute(params![n, path, name, input, place.events])?;
        }
        Entry::Step { path, key, result } => {
            let result = payload::<Stored>(blobs, result, sync)?;
            transaction
                .prepare_cached(
                    "INSERT OR IGNORE INTO steps (run, path, key, result, at)
                     VALUES (?1, ?2, ?3, ?4, ?5)",
                )?
                .execute(params![n, path, key, result, place.events])?;
        }
        Entry::Done {
            path,
            order,
            result,
        } => {
            let result = payload::<Stored>(blobs, result, sync)?;
            transaction
                .prepare_cached(
                    "UPDATE tasks SET result = ?3, done = ?4, done_at = ?5
                     WHERE run = ?1 AND path = ?2 AND done IS NULL",
                )?
                .execute(params![n, path, result, *order as i64, place.events])?;
        }
        Entry::Event(event) => {
            let body = payload(blobs, &event.event, sync)?;
            transaction
                .prepare_cached(
                    "INSERT OR IGNORE INTO events (run, seq, path, ordinal, at_ms, event)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                )?
                .execute(params![
                    n,
                    event.seq as i64,
                    event.path,
                    event.ordinal,
                    event.at_ms as i64,
                    body
                ])?;
            place.events = place.events.max(event.seq as i64 + 1);
        }
        Entry::Ended(Outcome {
            state,
            result,
            ended_ms,
        }) => {
            let result = payload::<Stored>(blobs, result, sync)?;
            // The word that the JSON contract uses.
            let state = serde_json::to_value(state)
                .ok()
                .and_then(|word| word.as_str().map(str::to_owned))
                .unwrap_or_default();
            transaction
                .prepare_cached(
                    "UPDATE runs SET state = ?2, ended_ms = ?3, result = ?4
                     WHERE n = ?1 AND state IS NULL",
                )?
                .execute(params![n, state, *ended_ms as i64, result])?;
        }
    }
    Ok(())
}

pub(super) fn put_pin(
    transaction: &Transaction<'_>,
    blobs: &BlobStore,
    n: i64,
    pin: &Pin,
    sync: bool,
) -> Result<(), WriteError> {
    let json = serde_json::to_vec(pin).map_err(|error| WriteError::Other(error.to_string()))?;
    let blob = blobs.put(&json, sync)?;
    transaction
        .prepare_cached(
            "INSERT OR IGNORE INTO pins (run, passage, document, start, \"end\", blob)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            n,
            pin.id.0.as_slice(),
            pin.document.as_str(),
            pin.span.start as i64,
            pin.span.end as i64,
            blob.0.as_slice()
        ])?;
    Ok(())
}
