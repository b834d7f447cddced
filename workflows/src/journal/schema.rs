//! The journal's tables.
//!
//! One file, `journal.sqlite`, in WAL mode. `PRAGMA user_version` holds [`SCHEMA_VERSION`],
//! `PRAGMA application_id` holds `indg`. A *payload* column holds JSON as text when it has at most
//! [`INLINE_BYTES`] bytes, else the 32-byte BLAKE3 hash of that JSON as a blob: the JSON itself
//! then lies in the blob store. So no row exceeds 16 kB.
//!
//! | table     | key                | columns                                                     |
//! |-----------|--------------------|-------------------------------------------------------------|
//! | `runs`    | `n`, unique `id`   | `task`, `question` (cut to 400 characters), `corpus`, `started_ms`, `ended_ms`, `state` (null while not ended), `code_version`, `spec` (payload), `result` (payload), `parent` and `forked_at` (of a fork: the run and the event), `kept` |
//! | `tasks`   | `run`, `path`      | `name`, `input` (payload; a long one is only hashed, its blob is not kept), `done` (order of ending in the run, null before), `result` (payload), `at` and `done_at` |
//! | `steps`   | `run`, `path`, `key` | `result` (payload), `at`                                  |
//! | `events`  | `run`, `seq`       | `path`, `ordinal`, `at_ms`, `event` (payload)               |
//! | `signals` | `run`, `name`      | `value` (payload), `at_ms`                                  |
//! | `intents` | `run`, `request`   | `path`, `key`, `reserved` (payload), `at_ms`, `response` (hash of a blob, null until answered), `attempts` |
//! | `pins`    | `run`, `passage`   | `document`, `start`, `end` (bytes of the decoded text), `blob` (hash of the passage as JSON) |
//!
//! `at` is the number of events of the run that were recorded before: the place of a row among the
//! events. It is null in rows that version 1 wrote.
//!
//! Results are JSON objects with one key: `{"Ok": value}` or `{"Err": error}`.

use std::fs::{File, OpenOptions};
use std::path::Path;

use indago_core::ports::RunError;
use rusqlite::Connection;

/// Version of the tables that this build writes, and the newest that it reads.
pub const SCHEMA_VERSION: u32 = 2;

/// Longest JSON that stands in a row, in bytes. The widest row has two payloads, a path and a
/// name: 2 * 6,000 and those stay below 16 kB.
pub(crate) const INLINE_BYTES: usize = 6_000;

/// Longest task path, step key or signal name, in bytes.
pub(crate) const MAX_KEY_BYTES: usize = 1_000;

/// `indg` in ASCII.
const APPLICATION_ID: i32 = 0x696e_6467;

const CREATE: &str = "
CREATE TABLE runs (
  n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, task TEXT NOT NULL, question TEXT NOT NULL,
  corpus TEXT NOT NULL, started_ms INTEGER NOT NULL, ended_ms INTEGER, state TEXT,
  code_version INTEGER NOT NULL, spec NOT NULL, result,
  parent TEXT, forked_at INTEGER, kept INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX runs_by_time ON runs (started_ms);
CREATE TABLE tasks (
  run INTEGER NOT NULL, path TEXT NOT NULL, name TEXT NOT NULL, input NOT NULL, done INTEGER,
  result, at INTEGER, done_at INTEGER, PRIMARY KEY (run, path)
) WITHOUT ROWID;
CREATE TABLE steps (
  run INTEGER NOT NULL, path TEXT NOT NULL, key TEXT NOT NULL, result NOT NULL,
  at INTEGER, PRIMARY KEY (run, path, key)
) WITHOUT ROWID;
CREATE TABLE events (
  run INTEGER NOT NULL, seq INTEGER NOT NULL, path TEXT NOT NULL, ordinal INTEGER NOT NULL,
  at_ms INTEGER NOT NULL, event NOT NULL, PRIMARY KEY (run, seq)
) WITHOUT ROWID;
CREATE TABLE signals (
  run INTEGER NOT NULL, name TEXT NOT NULL, value NOT NULL, at_ms INTEGER NOT NULL,
  PRIMARY KEY (run, name)
) WITHOUT ROWID;
CREATE TABLE intents (
  run INTEGER NOT NULL, request BLOB NOT NULL, path TEXT NOT NULL, key TEXT NOT NULL,
  reserved NOT NULL, at_ms INTEGER NOT NULL, response BLOB, attempts INTEGER NOT NULL DEFAULT 1,
  PRIMARY KEY (run, request)
) WITHOUT ROWID;
CREATE TABLE pins (
  run INTEGER NOT NULL, passage BLOB NOT NULL, document TEXT NOT NULL, start INTEGER NOT NULL,
  \"end\" INTEGER NOT NULL, blob BLOB NOT NULL, PRIMARY KEY (run, passage)
) WITHOUT ROWID;
";

/// What turns tables of version 1 into those of version 2.
const FROM_1: &str = "
ALTER TABLE runs ADD COLUMN parent TEXT;
ALTER TABLE runs ADD COLUMN forked_at INTEGER;
ALTER TABLE runs ADD COLUMN kept INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tasks ADD COLUMN at INTEGER;
ALTER TABLE tasks ADD COLUMN done_at INTEGER;
ALTER TABLE steps ADD COLUMN at INTEGER;
ALTER TABLE intents ADD COLUMN attempts INTEGER NOT NULL DEFAULT 1;
";

/// Opens a connection to the journal at `path`, making the tables in a new file.
pub(crate) fn open(path: &Path, busy_ms: u32) -> Result<Connection, RunError> {
    let fail = |error: rusqlite::Error| explain(path, &error);
    let mut connection = Connection::open(path).map_err(fail)?;
    connection
        .busy_timeout(std::time::Duration::from_millis(u64::from(busy_ms)))
        .map_err(fail)?;
    let found = version(&connection).map_err(fail)?;
    if found == 0 {
        // SQLite does not wait for others when it changes the journal mode, it fails: so processes
        // that open a new journal at once take turns. The lock ends with the file.
        let _turn = making(path)?;
        if version(&connection).map_err(fail)? == 0 {
            // WAL is a property of the file; setting it again on every open would cost a lock.
            connection
                .pragma_update(None, "journal_mode", "WAL")
                .map_err(fail)?;
            create(&mut connection, path)?;
        }
    }
    let found = version(&connection).map_err(fail)?;
    if found > SCHEMA_VERSION {
        return Err(RunError::FormatVersion {
            found,
            expected: SCHEMA_VERSION,
        });
    }
    let application: i32 = connection
        .pragma_query_value(None, "application_id", |row| row.get(0))
        .map_err(fail)?;
    if application != APPLICATION_ID {
        return Err(foreign(path));
    }
    if found < SCHEMA_VERSION {
        migrate(&mut connection, path)?;
    }
    connection
        .pragma_update(None, "synchronous", "NORMAL")
        .map_err(fail)?;
    // The write-ahead log is merged when it grows, not when a command ends: exiting stays instant.
    connection
        .set_db_config(
            rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE,
            true,
        )
        .map_err(fail)?;
    Ok(connection)
}

/// The lock of whoever makes the tables, held until the file is dropped.
fn making(path: &Path) -> Result<File, RunError> {
    let lock = path.with_extension("making");
    let fail = |error: std::io::Error| RunError::Journal {
        path: lock.display().to_string(),
        reason: error.to_string(),
    };
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&lock)
        .map_err(fail)?;
    file.lock().map_err(fail)?;
    Ok(file)
}

fn version(connection: &Connection) -> rusqlite::Result<u32> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

fn create(connection: &mut Connection, path: &Path) -> Result<(), RunError> {
    let fail = |error: rusqlite::Error| explain(path, &error);
    let transaction = connection
        .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
        .map_err(fail)?;
    // Another process may have made the tables while this one waited for the lock.
    if version(&transaction).map_err(fail)? == 0 {
        let tables: u32 = transaction
            .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
            .map_err(fail)?;
        if tables > 0 {
            return Err(foreign(path));
        }
        transaction.execute_batch(CREATE).map_err(fail)?;
        transaction
            .pragma_update(None, "application_id", APPLICATION_ID)
            .map_err(fail)?;
        transaction
            .pragma_update(None, "user_version", SCHEMA_VERSION)
            .map_err(fail)?;
    }
    transaction.commit().map_err(fail)
}

/// Brings the tables of an older version up to this one, or leaves them as they are.
fn migrate(connection: &mut Connection, path: &Path) -> Result<(), RunError> {
    let fail = |error: rusqlite::Error| explain(path, &error);
    let _turn = making(path)?;
    // A host of an older build must not find other tables under its hands.
    if let Some(folder) = path.parent()
        && let Some(run) = super::lock::any_held(&folder.join("runs"))
    {
        return Err(RunError::Journal {
            path: path.display().to_string(),
            reason: format!(
                "it is of an older version and run `{run}` is being worked on by an older build: \
                 wait until that has ended, then it is brought up to date"
            ),
        });
    }
    let transaction = connection
        .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
        .map_err(fail)?;
    if version(&transaction).map_err(fail)? == 1 {
        transaction.execute_batch(FROM_1).map_err(fail)?;
        transaction
            .pragma_update(None, "user_version", SCHEMA_VERSION)
            .map_err(fail)?;
    }
    transaction.commit().map_err(fail)
}

fn foreign(path: &Path) -> RunError {
    RunError::Journal {
        path: path.display().to_string(),
        reason: "this is another program's database: choose another project folder".into(),
    }
}

/// Whether another process is in the way.
pub(crate) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked)
    )
}

/// A database error in words, with what to do about it.
pub(crate) fn explain(path: &Path, error: &rusqlite::Error) -> RunError {
    use rusqlite::ErrorCode;
    if is_busy(error) {
        return RunError::Locked {
            path: path.display().to_string(),
        };
    }
    let advice = match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            "; the file is damaged: move it away, and a new journal is begun"
        }
        Some(ErrorCode::DiskFull) => "; free some disk space, then resume the run",
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            "; check that the folder exists and may be written"
        }
        _ => "",
    };
    RunError::Journal {
        path: path.display().to_string(),
        reason: format!("{error}{advice}"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn many_may_open_a_new_journal_at_once() {
        for _ in 0..20 {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("journal.sqlite");
            let start = Barrier::new(8);
            std::thread::scope(|scope| {
                let openers: Vec<_> = (0..8)
                    .map(|_| {
                        scope.spawn(|| {
                            start.wait();
                            open(&path, 5_000).map(|_| ())
                        })
                    })
                    .collect();
                for opener in openers {
                    opener.join().unwrap().unwrap();
                }
            });
        }
    }
}
