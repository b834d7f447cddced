//! What a task sees: recorded steps first, then the world.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use indago_core::ports::{
    BoxFuture, Output, RetryPolicy, StepKey, StepWork, TaskCtx, TaskError, TaskKey, TaskSet,
};
use indago_core::{Event, RunId};
use serde_json::Value;
use tokio::sync::{Notify, watch};

use super::Place;
use super::catch::Catch;
use super::host::{Host, Mode};
use crate::journal::{MAX_KEY_BYTES, Stored, TaskRecord};

/// Longest wait between two attempts.
const MAX_BACKOFF_MS: u64 = 60_000;

pub(crate) struct Context {
    host: Arc<Host>,
    path: String,
    steps: HashMap<String, Stored>,
    recorded_events: u32,
    emitted: u32,
    /// How often the time was asked for, and what it was last.
    asked_time: u32,
    last_ms: u64,
    waits: HashMap<String, u32>,
    changed: Arc<Notify>,
    cancelled: watch::Receiver<bool>,
}

impl Context {
    pub(crate) fn new(
        host: Arc<Host>,
        path: String,
        record: TaskRecord,
        changed: Arc<Notify>,
    ) -> Self {
        let cancelled = host.watch_cancelled();
        Self {
            host,
            path,
            steps: record.steps,
            recorded_events: record.events,
            emitted: 0,
            asked_time: 0,
            last_ms: 0,
            waits: HashMap::new(),
            changed,
            cancelled,
        }
    }

    fn record(&mut self, key: &str, result: Stored) {
        self.host.record_step(&self.path, key, result.clone());
        self.steps.insert(key.to_owned(), result);
    }

    /// The error of a replay that asks for something new.
    fn not_recorded(&self, what: &str) -> TaskError {
        let step = format!("{}:{what}", self.path);
        self.host.differ(&step);
        TaskError::Incompatible {
            step,
            reason: "there is no recorded result".into(),
        }
    }

    async fn attempts(
        &mut self,
        key: &str,
        retry: RetryPolicy,
        mut work: StepWork<'_>,
    ) -> Result<Value, TaskError> {
        let mut backoff_ms = retry.backoff_ms;
        let mut attempt = 1;
        loop {
            let place = Place::new(self.host.id.clone(), &self.path, key);
            let result = tokio::select! {
                biased;
                () = cancellation(&mut self.cancelled) => return Err(TaskError::Cancelled),
                result = place.scope(Catch::new(|| work())) => result,
            };
            match result {
                Err(TaskError::Retryable(reason)) if attempt < retry.attempts => {
                    tracing::debug!(run = %self.host.id, task = self.path, attempt, reason, "again");
                }
                other => return other,
            }
            attempt += 1;
            tokio::select! {
                biased;
                () = cancellation(&mut self.cancelled) => return Err(TaskError::Cancelled),
                () = tokio::time::sleep(Duration::from_millis(backoff_ms.min(MAX_BACKOFF_MS))) => {}
            }
            backoff_ms = backoff_ms.saturating_mul(2);
        }
    }
}

/// Ends when the run is cancelled; never, if it is not.
async fn cancellation(cancelled: &mut watch::Receiver<bool>) {
    if cancelled
        .wait_for(|is_cancelled| *is_cancelled)
        .await
        .is_err()
    {
        // The run's host is gone, and with it everybody who could cancel.
        std::future::pending::<()>().await;
    }
}

impl TaskCtx for Context {
    fn run(&self) -> &RunId {
        &self.host.id
    }

    fn step<'a>(
        &'a mut self,
        key: StepKey,
        retry: RetryPolicy,
        work: StepWork<'a>,
    ) -> BoxFuture<'a, Result<Value, TaskError>> {
        Box::pin(async move {
            if let Some(result) = self.steps.get(key.as_str()) {
                return result.clone();
            }
            if self.host.mode == Mode::Replay {
                return Err(self.not_recorded(key.as_str()));
            }
            if self.is_cancelled() {
                return Err(TaskError::Cancelled);
            }
            if key.as_str().len() > MAX_KEY_BYTES {
                return Err(TaskError::Terminal(format!(
                    "a step's key has {} bytes, at most {MAX_KEY_BYTES} are allowed",
                    key.as_str().len()
                )));
            }
            let result = self.attempts(key.as_str(), retry, work).await;
            // Neither says anything about the step: it runs again when the task does.
            if !matches!(result, Err(TaskError::Cancelled | TaskError::Journal(_))) {
                self.record(key.as_str(), result.clone());
            }
            result
        })
    }

    fn spawn<'a>(
        &'a mut self,
        task: &'a str,
        key: TaskKey,
        input: Value,
        set: &'a mut TaskSet,
    ) -> BoxFuture<'a, Result<(), TaskError>> {
        Box::pin(async move {
            if self.is_cancelled() {
                return Err(TaskError::Cancelled);
            }
            self.host.spawn(&self.path, &key, task, input)?;
            if !set.pending.contains(&key) {
                set.pending.push(key);
            }
            Ok(())
        })
    }

    fn next_done<'a>(
        &'a mut self,
        set: &'a mut TaskSet,
    ) -> BoxFuture<'a, Option<(TaskKey, Result<Output, TaskError>)>> {
        Box::pin(async move {
            loop {
                let first = set.pending.first()?.clone();
                let changed = Arc::clone(&self.changed);
                let notified = changed.notified();
                tokio::pin!(notified);
                // Listening begins before looking, so that no ending falls between the two.
                notified.as_mut().enable();
                if let Some((key, result)) = self.host.take_ended(&self.path, &set.pending) {
                    set.pending.retain(|pending| *pending != key);
                    return Some((key, result));
                }
                if self.host.mode == Mode::Replay {
                    set.pending.remove(0);
                    let error = self.not_recorded(&first.0);
                    return Some((first, Err(error)));
                }
                notified.await;
            }
        })
    }

    fn wait_signal<'a>(
        &'a mut self,
        name: &'a str,
        timeout_ms: u64,
    ) -> BoxFuture<'a, Result<Option<Value>, TaskError>> {
        Box::pin(async move {
            if name.len() + 16 > MAX_KEY_BYTES {
                return Err(TaskError::Terminal("the signal's name is too long".into()));
            }
            let turn = self.waits.entry(name.to_owned()).or_default();
            let key = format!("signal/{name}#{turn}");
            *turn += 1;
            if let Some(result) = self.steps.get(&key) {
                return result.clone().map(|value| value.get("value").cloned());
            }
            if self.host.mode == Mode::Replay {
                return Err(self.not_recorded(&key));
            }
            let mut signals = self.host.watch_signals();
            let timeout = tokio::time::sleep(Duration::from_millis(timeout_ms));
            tokio::pin!(timeout);
            let value = loop {
                signals.borrow_and_update();
                if let Some(value) = self.host.signal(name) {
                    break Some(value);
                }
                tokio::select! {
                    biased;
                    () = cancellation(&mut self.cancelled) => return Err(TaskError::Cancelled),
                    changed = signals.changed() => {
                        if changed.is_err() {
                            return Err(TaskError::Cancelled);
                        }
                    }
                    () = &mut timeout => break None,
                }
            };
            let stored = match &value {
                Some(value) => serde_json::json!({ "value": value }),
                None => Value::Object(serde_json::Map::new()),
            };
            self.record(&key, Ok(stored));
            Ok(value)
        })
    }

    fn now_ms(&mut self) -> u64 {
        let key = format!("now#{}", self.asked_time);
        self.asked_time += 1;
        let recorded = self
            .steps
            .get(&key)
            .and_then(|r| r.as_ref().ok())
            .and_then(Value::as_u64);
        let now = match recorded {
            Some(now) => now,
            None if self.host.mode == Mode::Replay => {
                // Noted; the replay fails when it is over.
                let _noted = self.not_recorded(&key);
                self.last_ms
            }
            None => {
                // A clock that is set back must not make time run backwards within a task.
                let now = self.host.now_ms().max(self.last_ms);
                self.record(&key, Ok(Value::from(now)));
                now
            }
        };
        self.last_ms = self.last_ms.max(now);
        now
    }

    fn seed(&self) -> u64 {
        self.host.spec.seed
    }

    fn emit(&mut self, event: Event) {
        let ordinal = self.emitted;
        self.emitted += 1;
        if ordinal < self.recorded_events {
            return;
        }
        if self.host.mode == Mode::Replay {
            self.host.differ(&format!("{}:event {ordinal}", self.path));
            return;
        }
        self.host.emit(&self.path, ordinal, event);
    }

    fn is_cancelled(&self) -> bool {
        *self.cancelled.borrow()
    }
}
