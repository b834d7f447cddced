//! What was sent where.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

/// One request that left, or was refused. Holds no secret, no query string, no content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LogEntry {
    /// Milliseconds since the Unix epoch when it was asked for.
    pub at_ms: u64,
    /// What it was for, such as `chat`.
    pub purpose: &'static str,
    /// `GET` or `POST`.
    pub method: &'static str,
    /// Where to: scheme, host, port and path.
    pub url: String,
    /// The address that answered.
    pub address: Option<String>,
    /// Bytes of the request's body.
    pub sent: u64,
    /// Status of the answer; none when none came.
    pub status: Option<u16>,
    /// Milliseconds until the answer's head came, or until it failed.
    pub took_ms: u64,
    /// Why it was refused or failed.
    pub error: Option<String>,
}

/// Takes log entries, for instance into a file.
pub trait EgressLog: Send + Sync {
    /// Called once for each request, when its head came or it failed.
    fn record(&self, entry: &LogEntry);
}

/// Entries that are kept in memory.
const KEPT: usize = 1000;

/// The latest entries.
#[derive(Debug, Default)]
pub(crate) struct Latest(Mutex<VecDeque<LogEntry>>);

impl Latest {
    pub(crate) fn push(&self, entry: LogEntry) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(entry);
    }

    pub(crate) fn all(&self) -> Vec<LogEntry> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .cloned()
            .collect()
    }
}
