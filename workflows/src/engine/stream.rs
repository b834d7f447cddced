//! A run's events as they happen, from any number on.

use std::collections::VecDeque;
use std::sync::Arc;

use indago_core::RunId;
use indago_core::ports::RunError;
use tokio::sync::watch;

use super::POLL;
use super::host::Host;
use crate::journal::{Journal, Stored, StoredEvent};

/// Events read from the journal at once.
const BATCH: usize = 256;

/// Events of one run in order, without gaps, until the run ends.
pub struct EventStream {
    source: Source,
    next: u64,
}

enum Source {
    /// A run of this process: its events are in memory.
    Living {
        host: Arc<Host>,
        events: watch::Receiver<u64>,
        outcome: watch::Receiver<Option<Stored>>,
    },
    /// A run of another process, or one that has ended.
    Recorded {
        journal: Arc<dyn Journal>,
        run: RunId,
        buffer: VecDeque<StoredEvent>,
    },
}

impl std::fmt::Debug for EventStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EventStream(from {})", self.next)
    }
}

impl EventStream {
    pub(crate) fn living(host: Arc<Host>, from_seq: u64) -> Self {
        let (events, outcome) = (host.watch_events(), host.watch_outcome());
        Self {
            source: Source::Living {
                host,
                events,
                outcome,
            },
            next: from_seq,
        }
    }

    pub(crate) fn recorded(journal: Arc<dyn Journal>, run: RunId, from_seq: u64) -> Self {
        let source = Source::Recorded {
            journal,
            run,
            buffer: VecDeque::new(),
        };
        Self {
            source,
            next: from_seq,
        }
    }

    /// The next event; `None` once the run has ended or nobody works on it any more. Dropping the
    /// future loses nothing.
    pub async fn next(&mut self) -> Result<Option<Arc<StoredEvent>>, RunError> {
        let event = match &mut self.source {
            Source::Living {
                host,
                events,
                outcome,
            } => next_living(host, events, outcome, self.next).await,
            Source::Recorded {
                journal,
                run,
                buffer,
            } => next_recorded(journal.as_ref(), run, buffer, self.next)
                .await?
                .map(Arc::new),
        };
        if event.is_some() {
            self.next += 1;
        }
        Ok(event)
    }
}

async fn next_living(
    host: &Host,
    events: &mut watch::Receiver<u64>,
    outcome: &mut watch::Receiver<Option<Stored>>,
    seq: u64,
) -> Option<Arc<StoredEvent>> {
    loop {
        // Whether it has ended is looked at first: no event follows the end.
        let has_ended = outcome.borrow_and_update().is_some();
        events.borrow_and_update();
        if let Some(event) = host.event(seq) {
            return Some(event);
        }
        if has_ended {
            return None;
        }
        tokio::select! {
            changed = events.changed() => changed.ok()?,
            changed = outcome.changed() => changed.ok()?,
        }
    }
}

async fn next_recorded(
    journal: &dyn Journal,
    run: &RunId,
    buffer: &mut VecDeque<StoredEvent>,
    seq: u64,
) -> Result<Option<StoredEvent>, RunError> {
    loop {
        if let Some(event) = buffer.pop_front() {
            return Ok(Some(event));
        }
        // The state first: what is recorded before the end is then seen by the look after it.
        let is_over = journal.meta(run)?.outcome.is_some() || !journal.is_hosted(run);
        buffer.extend(journal.events(run, seq, BATCH)?);
        if buffer.is_empty() {
            if is_over {
                return Ok(None);
            }
            tokio::time::sleep(POLL).await;
        }
    }
}
