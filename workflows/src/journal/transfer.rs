//! One run as one file, and back.
//!
//! The file is JSON lines. The first is the head, `{"indago_run": 2, …}`; then one object per task,
//! step, event, signal, paid call and pinned passage, with large values in place instead of by
//! hash; the last, `{"end": …}`, has the number of lines before it and the BLAKE3 hash of their
//! bytes, so that a file that was cut or changed is known as such. `docs/journal.md` has the fields.

use std::io::{self, BufRead, Read as _, Write};

use indago_core::ports::{RunError, RunSpec};
use indago_core::{ContentHash, RunId};
use rusqlite::types::ValueRef;
use rusqlite::{Row, TransactionBehavior, params};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::lock;
use super::schema::{INLINE_BYTES, MAX_KEY_BYTES, SCHEMA_VERSION};
use super::sqlite::{ReadError, SqliteJournal};
use super::writer::{Payload, payload};
use super::{Pin, Stored};

/// Longest line that is read, in bytes: far above any step.
pub const MAX_LINE_BYTES: u64 = 256 << 20;

/// What became of an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Imported {
    /// The run is in this journal now.
    New(RunId),
    /// A run of that id was there already; nothing was changed.
    AlreadyThere(RunId),
}

#[derive(Serialize, Deserialize)]
struct Head {
    indago_run: u32,
    id: RunId,
    spec: RunSpec,
    code_version: u32,
    started_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    result: Option<Stored>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parent: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    forked_at: Option<u64>,
}

/// A line after the head.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Task {
        path: String,
        name: String,
        input: Input,
        at: Option<i64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        done: Option<i64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        done_at: Option<i64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        result: Option<Value>,
    },
    Step {
        path: String,
        key: String,
        at: Option<i64>,
        result: Value,
    },
    Event {
        seq: i64,
        path: String,
        ordinal: u32,
        at_ms: i64,
        event: Value,
    },
    Signal {
        name: String,
        at_ms: i64,
        value: Value,
    },
    Call {
        request: ContentHash,
        path: String,
        key: String,
        reserved: Value,
        at_ms: i64,
        attempts: u32,
        /// In hexadecimal: providers' bytes need not be text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        response: Option<String>,
    },
    Pin(Box<Pin>),
    End {
        lines: u64,
        blake3: ContentHash,
    },
}

/// A task's input, or the hash that is all that is kept of a long one.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Input {
    Value(Value),
    Hash(ContentHash),
}

/// Writes lines and hashes what it wrote.
struct Lines<W> {
    out: W,
    n: u64,
    hasher: Vec<u8>,
    hash: ContentHash,
}

impl<W: Write> Lines<W> {
    fn line(&mut self, value: &impl Serialize) -> io::Result<()> {
        self.hasher.clear();
        serde_json::to_writer(&mut self.hasher, value)?;
        self.hasher.push(b'\n');
        self.hash = chain(self.hash, &self.hasher);
        self.n += 1;
        self.out.write_all(&self.hasher)
    }
}

/// Hash of all lines so far from the hash of those before and one more line.
fn chain(before: ContentHash, line: &[u8]) -> ContentHash {
    let mut bytes = before.0.to_vec();
    bytes.extend_from_slice(&ContentHash::of(line).0);
    ContentHash::of(&bytes)
}

impl SqliteJournal {
    /// Writes everything recorded of a run to `out`, as one file that [`SqliteJournal::import`]
    /// reads elsewhere. The run may be under way; then the file holds what is recorded so far.
    pub fn export(&self, run: &RunId, out: &mut dyn Write) -> Result<(), RunError> {
        let written = self.export_lines(run, out);
        written.map_err(|error| match error {
            ExportError::Read(error) => self.read_error(error),
            ExportError::Run(error) => error,
            ExportError::Io(error) => {
                self.broken(&format!("the export cannot be written: {error}"))
            }
        })
    }

    fn export_lines(&self, run: &RunId, out: &mut dyn Write) -> Result<(), ExportError> {
        let meta = super::Journal::meta(self, run)?;
        let reader = self.reader();
        let n = self.number(&reader, run)?;
        // One look at all tables, whatever is written meanwhile.
        reader.execute_batch("BEGIN").map_err(ReadError::from)?;
        let _look = Look(&reader);
        let mut lines = Lines {
            out,
            n: 0,
            hasher: Vec::new(),
            hash: ContentHash([0; 32]),
        };
        let (state, ended_ms, result) = match meta.outcome {
            None => (None, None, None),
            Some(outcome) => (
                serde_json::to_value(outcome.state)
                    .ok()
                    .and_then(|word| word.as_str().map(str::to_owned)),
                Some(outcome.ended_ms),
                Some(outcome.result),
            ),
        };
        let (parent, forked_at) = meta.parent.map_or((None, None), |(run, at)| {
            (Some(run.as_str().to_owned()), Some(at))
        });
        lines.line(&Head {
            indago_run: SCHEMA_VERSION,
            id: meta.id,
            spec: meta.spec,
            code_version: meta.code_version,
            started_ms: meta.started_ms,
            ended_ms,
            state,
            result,
            parent,
            forked_at,
        })?;
        type ToLine = fn(&SqliteJournal, &Row<'_>) -> Result<Line, ReadError>;
        let tables: [(&str, ToLine); 6] = [
            (
                "SELECT path, name, input, at, done, done_at, result FROM tasks
                 WHERE run = ?1 ORDER BY path",
                |this, row| {
                    Ok(Line::Task {
                        path: row.get(0)?,
                        name: row.get(1)?,
                        input: match row.get_ref(2)? {
                            ValueRef::Blob(hash) => Input::Hash(hash_of(hash)?),
                            _ => Input::Value(this.read(row, 2)?),
                        },
                        at: row.get(3)?,
                        done: row.get(4)?,
                        done_at: row.get(5)?,
                        result: match row.get_ref(6)? {
                            ValueRef::Null => None,
                            _ => Some(this.read(row, 6)?),
                        },
                    })
                },
            ),
            (
                "SELECT path, key, at, result FROM steps WHERE run = ?1 ORDER BY path, key",
                |this, row| {
                    Ok(Line::Step {
                        path: row.get(0)?,
                        key: row.get(1)?,
                        at: row.get(2)?,
                        result: this.read(row, 3)?,
                    })
                },
            ),
            (
                "SELECT seq, path, ordinal, at_ms, event FROM events WHERE run = ?1 ORDER BY seq",
                |this, row| {
                    Ok(Line::Event {
                        seq: row.get(0)?,
                        path: row.get(1)?,
                        ordinal: row.get(2)?,
                        at_ms: row.get(3)?,
                        event: this.read(row, 4)?,
                    })
                },
            ),
            (
                "SELECT name, at_ms, value FROM signals WHERE run = ?1 ORDER BY name",
                |this, row| {
                    Ok(Line::Signal {
                        name: row.get(0)?,
                        at_ms: row.get(1)?,
                        value: this.read(row, 2)?,
                    })
                },
            ),
            (
                "SELECT request, path, key, reserved, at_ms, attempts, response FROM intents
                 WHERE run = ?1 ORDER BY at_ms, request",
                |this, row| {
                    Ok(Line::Call {
                        request: hash_of(row.get_ref(0)?.as_blob().map_err(wrong_type)?)?,
                        path: row.get(1)?,
                        key: row.get(2)?,
                        reserved: this.read(row, 3)?,
                        at_ms: row.get(4)?,
                        attempts: row.get(5)?,
                        response: match row.get_ref(6)? {
                            ValueRef::Blob(hash) => Some(hex(&this.blobs.get(hash_of(hash)?)?)),
                            _ => None,
                        },
                    })
                },
            ),
            (
                "SELECT blob FROM pins WHERE run = ?1 ORDER BY document, start",
                |this, row| {
                    let hash = hash_of(row.get_ref(0)?.as_blob().map_err(wrong_type)?)?;
                    Ok(Line::Pin(serde_json::from_slice(&this.blobs.get(hash)?)?))
                },
            ),
        ];
        for (sql, to_line) in tables {
            let mut statement = reader.prepare_cached(sql).map_err(ReadError::from)?;
            let mut rows = statement.query([n]).map_err(ReadError::from)?;
            while let Some(row) = rows.next().map_err(ReadError::from)? {
                lines.line(&to_line(self, row)?)?;
            }
        }
        let end = Line::End {
            lines: lines.n,
            blake3: lines.hash,
        };
        lines.line(&end)?;
        lines.out.flush()?;
        Ok(())
    }

    /// Takes a run out of a file that [`SqliteJournal::export`] wrote: all of it, or nothing.
    ///
    /// # Errors
    /// [`RunError::BadExport`] for a file that was cut, changed or is something else,
    /// [`RunError::FormatVersion`] for one of a newer build.
    pub fn import(&self, input: &mut dyn BufRead) -> Result<Imported, RunError> {
        let mut file = Reader {
            input,
            n: 0,
            hash: ContentHash([0; 32]),
            line: Vec::new(),
        };
        let first = file.next_line()?;
        let version = serde_json::from_slice::<Value>(first)
            .ok()
            .and_then(|head| head.get("indago_run").and_then(Value::as_u64))
            .ok_or_else(|| bad("the first line is no head of a run"))?;
        if version > u64::from(SCHEMA_VERSION) {
            return Err(RunError::FormatVersion {
                found: u32::try_from(version).unwrap_or(u32::MAX),
                expected: SCHEMA_VERSION,
            });
        }
        let head: Head = serde_json::from_slice(first).map_err(|error| bad(&error))?;
        crate::engine::check_id(&head.id)?;
        if let Some(word) = &head.state
            && !matches!(word.as_str(), "finished" | "stopped")
        {
            return Err(bad(&format!("`{word}` is no end of a run")));
        }
        let Some(_lock) = lock::acquire(&self.folder.join("runs"), &head.id)? else {
            return Ok(Imported::AlreadyThere(head.id));
        };
        let mut reader = self.reader();
        let transaction = reader
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|error| self.explain(&error))?;
        if !self.insert_head(&transaction, &head)? {
            return Ok(Imported::AlreadyThere(head.id));
        }
        let n = transaction.last_insert_rowid();
        let mut events = 0;
        loop {
            let before = (file.n, file.hash);
            let line = file.next_line()?;
            let line: Line = serde_json::from_slice(line).map_err(|error| bad(&error))?;
            match line {
                Line::End { lines, blake3 } if (lines, blake3) == before => break,
                Line::End { .. } => return Err(bad("lines are missing or were changed")),
                Line::Event { seq, .. } if seq != events => {
                    return Err(bad("events have gaps"));
                }
                Line::Event { .. } => events += 1,
                _ => {}
            }
            self.insert_line(&transaction, n, &line)?;
        }
        transaction.commit().map_err(|error| self.explain(&error))?;
        Ok(Imported::New(head.id))
    }

    fn insert_head(&self, to: &rusqlite::Transaction<'_>, head: &Head) -> Result<bool, RunError> {
        let cut = |text: &str| text.chars().take(400).collect::<String>();
        let spec = payload(&self.blobs, &head.spec, false).map_err(|error| self.broken(&error))?;
        let result = match &head.result {
            None => None,
            Some(result) => {
                Some(payload(&self.blobs, result, false).map_err(|error| self.broken(&error))?)
            }
        };
        let made = to
            .execute(
                "INSERT OR IGNORE INTO runs (id, task, question, corpus, started_ms, ended_ms, state,
                 code_version, spec, result, parent, forked_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
                params![
                    head.id.as_str(),
                    cut(&head.spec.task),
                    cut(&head.spec.question),
                    cut(&head.spec.corpus),
                    head.started_ms as i64,
                    head.ended_ms.map(|ms| ms as i64),
                    head.state,
                    head.code_version,
                    spec,
                    result,
                    head.parent,
                    head.forked_at.map(|at| at as i64)
                ],
            )
            .map_err(|error| self.explain(&error))?;
        Ok(made == 1)
    }

    fn insert_line(
        &self,
        to: &rusqlite::Transaction<'_>,
        n: i64,
        line: &Line,
    ) -> Result<(), RunError> {
        let store = |value: &Value| -> Result<Payload, RunError> {
            payload(&self.blobs, value, false).map_err(|error| self.broken(&error))
        };
        let short = |text: &str| -> Result<(), RunError> {
            if text.len() > MAX_KEY_BYTES {
                return Err(bad("a name is too long"));
            }
            Ok(())
        };
        let done = match line {
            Line::Task {
                path,
                name,
                input,
                at,
                done,
                done_at,
                result,
            } => {
                short(path)?;
                short(name)?;
                let input = match input {
                    Input::Hash(hash) => Payload::Blob(*hash),
                    Input::Value(value) if value.to_string().len() <= INLINE_BYTES => store(value)?,
                    Input::Value(value) => {
                        Payload::Blob(ContentHash::of(value.to_string().as_bytes()))
                    }
                };
                let result = result.as_ref().map(store).transpose()?;
                to.prepare_cached(
                    "INSERT INTO tasks (run, path, name, input, at, done, done_at, result)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                )
                .and_then(|mut insert| {
                    insert.execute(params![n, path, name, input, at, done, done_at, result])
                })
            }
            Line::Step {
                path,
                key,
                at,
                result,
            } => {
                short(path)?;
                short(key)?;
                let result = store(result)?;
                to.prepare_cached(
                    "INSERT INTO steps (run, path, key, result, at) VALUES (?1, ?2, ?3, ?4, ?5)",
                )
                .and_then(|mut insert| insert.execute(params![n, path, key, result, at]))
            }
            Line::Event {
                seq,
                path,
                ordinal,
                at_ms,
                event,
            } => {
                short(path)?;
                let event = store(event)?;
                to.prepare_cached(
                    "INSERT INTO events (run, seq, path, ordinal, at_ms, event)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                )
                .and_then(|mut insert| insert.execute(params![n, seq, path, ordinal, at_ms, event]))
            }
            Line::Signal { name, at_ms, value } => {
                short(name)?;
                let value = store(value)?;
                to.prepare_cached(
                    "INSERT INTO signals (run, name, value, at_ms) VALUES (?1, ?2, ?3, ?4)",
                )
                .and_then(|mut insert| insert.execute(params![n, name, value, at_ms]))
            }
            Line::Call {
                request,
                path,
                key,
                reserved,
                at_ms,
                attempts,
                response,
            } => {
                short(path)?;
                short(key)?;
                let reserved = store(reserved)?;
                let response = match response {
                    None => None,
                    Some(digits) => {
                        let bytes =
                            unhex(digits).ok_or_else(|| bad("an answer is no hexadecimal"))?;
                        let hash = self
                            .blobs
                            .put(&bytes, false)
                            .map_err(|error| self.broken(&error))?;
                        Some(hash.0.to_vec())
                    }
                };
                to.prepare_cached(
                    "INSERT INTO intents
                     (run, request, path, key, reserved, at_ms, response, attempts)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                )
                .and_then(|mut insert| {
                    insert.execute(params![
                        n,
                        request.0.as_slice(),
                        path,
                        key,
                        reserved,
                        at_ms,
                        response,
                        attempts
                    ])
                })
            }
            Line::Pin(pin) => {
                super::writer::put_pin(to, &self.blobs, n, pin, false)
                    .map_err(|error| self.broken(&error))?;
                Ok(0)
            }
            Line::End { .. } => Ok(0),
        };
        done.map(|_rows| ())
            .map_err(|error| bad(&self.explain(&error)))
    }
}

/// Ends the look at the tables.
struct Look<'a>(&'a rusqlite::Connection);

impl Drop for Look<'_> {
    fn drop(&mut self) {
        // Nothing was written, so nothing can be lost.
        let _ended = self.0.execute_batch("ROLLBACK");
    }
}

/// Reads lines and hashes what it read.
struct Reader<'a> {
    input: &'a mut dyn BufRead,
    n: u64,
    hash: ContentHash,
    line: Vec<u8>,
}

impl Reader<'_> {
    fn next_line(&mut self) -> Result<&[u8], RunError> {
        self.line.clear();
        let read = (&mut *self.input)
            .take(MAX_LINE_BYTES)
            .read_until(b'\n', &mut self.line)
            .map_err(|error| bad(&error))?;
        if read == 0 || self.line.last() != Some(&b'\n') {
            return Err(bad("it ends before its last line"));
        }
        self.hash = chain(self.hash, &self.line);
        self.n += 1;
        Ok(&self.line)
    }
}

#[derive(Debug, thiserror::Error)]
enum ExportError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Run(#[from] RunError),
    #[error(transparent)]
    Io(#[from] io::Error),
}

fn bad(reason: &(impl std::fmt::Display + ?Sized)) -> RunError {
    RunError::BadExport(reason.to_string())
}

fn wrong_type(error: rusqlite::types::FromSqlError) -> ReadError {
    ReadError::Sql(error.into())
}

fn hash_of(bytes: &[u8]) -> Result<ContentHash, ReadError> {
    <[u8; 32]>::try_from(bytes)
        .map(ContentHash)
        .map_err(|_size| ReadError::NoPayload)
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut digits = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _never_fails = write!(digits, "{byte:02x}");
    }
    digits
}

fn unhex(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    let value = |digit: u8| char::from(digit).to_digit(16);
    pairs
        .map(|pair| match pair {
            [high, low] => Some((value(*high)? * 16 + value(*low)?) as u8),
            _ => None,
        })
        .collect()
}
