//! The beginning of a run as the beginning of another.

use indago_core::RunId;
use indago_core::ports::RunError;
use rusqlite::{TransactionBehavior, params};

use super::sqlite::SqliteJournal;
use super::writer::payload;
use super::{Created, RunMeta, lock};

impl SqliteJournal {
    /// Copies what run `from` had recorded when its event number `at` was, that event included,
    /// under the head `new`; in one transaction.
    pub(super) fn copy(&self, from: &RunId, at: u64, new: &RunMeta) -> Result<Created, RunError> {
        let Some(lock) = lock::acquire(&self.folder.join("runs"), &new.id)? else {
            return Ok(Created::AlreadyThere);
        };
        let fail = |error: rusqlite::Error| self.explain(&error);
        let mut reader = self.reader();
        let source = self.number(&reader, from)?;
        let at = i64::try_from(at).unwrap_or(i64::MAX);
        let spec = payload(&self.blobs, &new.spec, false).map_err(|error| self.broken(&error))?;
        let transaction = reader
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(fail)?;
        let (events, placeless): (i64, i64) = transaction
            .query_row(
                "SELECT (SELECT coalesce(max(seq) + 1, 0) FROM events WHERE run = ?1),
                        (SELECT count(*) FROM steps WHERE run = ?1 AND at IS NULL)",
                [source],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .map_err(fail)?;
        let refuse = |reason: String| RunError::CannotFork {
            id: from.clone(),
            reason,
        };
        if at >= events {
            return Err(refuse(format!("it has {events} events, numbered from 0")));
        }
        if placeless > 0 {
            return Err(refuse(
                "an older build recorded it, without the place of its steps among the events"
                    .into(),
            ));
        }
        let made = transaction
            .execute(
                "INSERT OR IGNORE INTO runs
                 (id, task, question, corpus, started_ms, code_version, spec, parent, forked_at)
                 SELECT ?2, task, question, corpus, ?3, code_version, ?4, ?5, ?6
                 FROM runs WHERE n = ?1",
                params![
                    source,
                    new.id.as_str(),
                    new.started_ms as i64,
                    spec,
                    from.as_str(),
                    at
                ],
            )
            .map_err(fail)?;
        if made == 0 {
            return Ok(Created::AlreadyThere);
        }
        let n = transaction.last_insert_rowid();
        for sql in [
            "INSERT INTO tasks (run, path, name, input, at, done, done_at, result)
             SELECT ?2, path, name, input, at, iif(done_at <= ?3, done, NULL),
                    iif(done_at <= ?3, done_at, NULL), iif(done_at <= ?3, result, NULL)
             FROM tasks WHERE run = ?1 AND at <= ?3",
            "INSERT INTO steps (run, path, key, result, at)
             SELECT ?2, path, key, result, at FROM steps WHERE run = ?1 AND at <= ?3",
            "INSERT INTO events (run, seq, path, ordinal, at_ms, event)
             SELECT ?2, seq, path, ordinal, at_ms, event FROM events WHERE run = ?1 AND seq <= ?3",
            // Passages and paid answers are facts, whenever they were recorded; what the fork does
            // not ask for stays unread.
            "INSERT INTO pins (run, passage, document, start, \"end\", blob)
             SELECT ?2, passage, document, start, \"end\", blob FROM pins
             WHERE run = ?1 AND ?3 >= 0",
            "INSERT INTO intents (run, request, path, key, reserved, at_ms, response, attempts)
             SELECT ?2, request, path, key, reserved, at_ms, response, 1 FROM intents
             WHERE run = ?1 AND response IS NOT NULL AND ?3 >= 0",
        ] {
            transaction
                .execute(sql, params![source, n, at])
                .map_err(fail)?;
        }
        transaction.commit().map_err(fail)?;
        Ok(Created::New(Box::new(lock)))
    }
}
