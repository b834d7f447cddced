//! A journal in memory: for tests, and for runs that nobody will look at again.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indago_core::ports::{BoxFuture, RunError};
use indago_core::{ContentHash, RunId};
use serde_json::Value;

use super::{
    Created, Durability, Entry, HostLock, Intent, Journal, Pin, PossiblySpent, RunMeta, RunRecord,
    StoredEvent,
};

#[derive(Default)]
struct Runs {
    records: BTreeMap<RunId, RunRecord>,
    signals: BTreeMap<RunId, BTreeMap<String, Value>>,
    pins: BTreeMap<RunId, Vec<Pin>>,
    calls: BTreeMap<RunId, Vec<Call>>,
    hosted: BTreeSet<RunId>,
    changes: u64,
}

/// A paid call with its response.
type Call = (PossiblySpent, Option<Vec<u8>>);

impl Runs {
    fn call(&mut self, run: &RunId, request: ContentHash) -> Option<&mut Call> {
        let calls = self.calls.get_mut(run)?;
        calls
            .iter_mut()
            .find(|(made, _)| made.intent.request == request)
    }
}

/// Records in memory. Clones share them, so a second engine on a clone sees the runs of the first
/// like a process that starts after a crash.
#[derive(Clone, Default)]
pub struct MemoryJournal(Arc<Mutex<Runs>>);

impl MemoryJournal {
    /// An empty journal.
    pub fn new() -> Self {
        Self::default()
    }

    fn runs(&self) -> MutexGuard<'_, Runs> {
        // Every change is a single insertion, so a panic elsewhere leaves sound records.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_lock(&self, runs: &mut Runs, run: &RunId) -> Option<HostLock> {
        runs.hosted.insert(run.clone()).then(|| {
            Box::new(MemoryLock {
                journal: self.clone(),
                run: run.clone(),
            }) as HostLock
        })
    }
}

struct MemoryLock {
    journal: MemoryJournal,
    run: RunId,
}

impl Drop for MemoryLock {
    fn drop(&mut self) {
        self.journal.runs().hosted.remove(&self.run);
    }
}

impl fmt::Debug for MemoryJournal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemoryJournal({} runs)", self.runs().records.len())
    }
}

impl Journal for MemoryJournal {
    fn create(&self, meta: RunMeta) -> BoxFuture<'_, Result<Created, RunError>> {
        let mut runs = self.runs();
        let created = if runs.records.contains_key(&meta.id) {
            Created::AlreadyThere
        } else if let Some(lock) = self.take_lock(&mut runs, &meta.id) {
            runs.records.insert(meta.id.clone(), RunRecord::new(meta));
            Created::New(lock)
        } else {
            Created::AlreadyThere
        };
        Box::pin(std::future::ready(Ok(created)))
    }

    fn claim(&self, run: &RunId) -> Result<HostLock, RunError> {
        let mut runs = self.runs();
        if !runs.records.contains_key(run) {
            return Err(RunError::Unknown(run.clone()));
        }
        self.take_lock(&mut runs, run)
            .ok_or_else(|| RunError::Hosted(run.clone()))
    }

    fn is_hosted(&self, run: &RunId) -> bool {
        self.runs().hosted.contains(run)
    }

    fn load(&self, run: &RunId) -> Result<RunRecord, RunError> {
        self.runs()
            .records
            .get(run)
            .cloned()
            .ok_or_else(|| RunError::Unknown(run.clone()))
    }

    fn meta(&self, run: &RunId) -> Result<RunMeta, RunError> {
        let runs = self.runs();
        runs.records
            .get(run)
            .map(|r| r.meta.clone())
            .ok_or_else(|| RunError::Unknown(run.clone()))
    }

    fn list(&self) -> Result<Vec<RunMeta>, RunError> {
        let mut metas: Vec<_> = self
            .runs()
            .records
            .values()
            .map(|r| r.meta.clone())
            .collect();
        metas.sort_by(|a, b| b.started_ms.cmp(&a.started_ms).then(b.id.cmp(&a.id)));
        Ok(metas)
    }

    fn events(
        &self,
        run: &RunId,
        from_seq: u64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, RunError> {
        let runs = self.runs();
        let record = runs
            .records
            .get(run)
            .ok_or_else(|| RunError::Unknown(run.clone()))?;
        Ok(record
            .events
            .iter()
            .skip(from_seq as usize)
            .take(limit)
            .cloned()
            .collect())
    }

    fn append(&self, run: &RunId, entry: Entry) {
        if let Some(record) = self.runs().records.get_mut(run) {
            record.apply(entry);
        }
    }

    fn flush(&self, _durability: Durability) -> BoxFuture<'_, Result<(), RunError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn signal(&self, run: &RunId, name: &str, value: &Value) -> Result<bool, RunError> {
        let mut runs = self.runs();
        if !runs.records.contains_key(run) {
            return Err(RunError::Unknown(run.clone()));
        }
        runs.changes += 1;
        let signals = runs.signals.entry(run.clone()).or_default();
        let first = !signals.contains_key(name);
        if first {
            signals.insert(name.to_owned(), value.clone());
        }
        Ok(first)
    }

    fn signals(&self, run: &RunId) -> Result<Vec<(String, Value)>, RunError> {
        let runs = self.runs();
        Ok(runs
            .signals
            .get(run)
            .map(|signals| {
                signals
                    .iter()
                    .map(|(k, v)| (k.clone(), v.clone()))
                    .collect()
            })
            .unwrap_or_default())
    }

    fn change_counter(&self) -> u64 {
        self.runs().changes
    }

    fn failure(&self) -> Option<String> {
        None
    }

    fn pin(&self, run: &RunId, pins: Vec<Pin>) {
        let mut runs = self.runs();
        let kept = runs.pins.entry(run.clone()).or_default();
        for pin in pins {
            if !kept.iter().any(|old| old.id == pin.id) {
                kept.push(pin);
            }
        }
    }

    fn pins(&self, run: &RunId) -> Result<Vec<Pin>, RunError> {
        Ok(self.runs().pins.get(run).cloned().unwrap_or_default())
    }

    fn intend(&self, run: &RunId, intent: Intent) -> BoxFuture<'_, Result<(), RunError>> {
        let mut runs = self.runs();
        let calls = runs.calls.entry(run.clone()).or_default();
        match calls
            .iter_mut()
            .find(|call| call.0.intent.request == intent.request)
        {
            Some((made, _)) => made.attempts += 1,
            None => calls.push((
                PossiblySpent {
                    intent,
                    attempts: 1,
                },
                None,
            )),
        }
        Box::pin(std::future::ready(Ok(())))
    }

    fn respond(
        &self,
        run: &RunId,
        request: ContentHash,
        response: Vec<u8>,
    ) -> BoxFuture<'_, Result<(), RunError>> {
        if let Some((_, stored)) = self.runs().call(run, request) {
            *stored = Some(response);
        }
        Box::pin(std::future::ready(Ok(())))
    }

    fn unpaid(&self, run: &RunId, request: ContentHash) {
        if let Some((made, _)) = self.runs().call(run, request) {
            made.attempts = made.attempts.saturating_sub(1);
        }
    }

    fn response(
        &self,
        run: &RunId,
        request: ContentHash,
    ) -> Result<Option<Option<Vec<u8>>>, RunError> {
        Ok(self
            .runs()
            .call(run, request)
            .map(|(_, stored)| stored.clone()))
    }

    fn possibly_spent(&self, run: &RunId) -> Result<Vec<PossiblySpent>, RunError> {
        let runs = self.runs();
        let lost = |(made, stored): &Call| {
            let attempts = made.attempts.saturating_sub(u32::from(stored.is_some()));
            (attempts > 0).then(|| PossiblySpent {
                attempts,
                ..made.clone()
            })
        };
        Ok(runs
            .calls
            .get(run)
            .into_iter()
            .flatten()
            .filter_map(lost)
            .collect())
    }

    fn fork(
        &self,
        from: &RunId,
        _at: u64,
        _new: RunMeta,
    ) -> BoxFuture<'_, Result<Created, RunError>> {
        // The fold is kept, not the order in which entries came.
        Box::pin(std::future::ready(Err(RunError::Journal {
            path: "memory".into(),
            reason: format!("run `{from}` is kept in memory only and cannot be forked"),
        })))
    }

    fn folder(&self) -> Option<&Path> {
        None
    }
}
