//! A model that counts what it is paid for.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use indago_core::ports::{
    BoxFuture, Completion, DeltaSink, FinishReason, LanguageModel, LanguageModelError, Request,
    RetryPolicy, RunEngine as _, StepKey, TaskCtx, TaskError, TokenUsage,
};
use indago_core::{Cancel, RunId, RunState};
use indago_workflows::journal::Journal as _;
use indago_workflows::{Engine, PaidModel, Registry, SqliteJournal, TaskFuture};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::tasks::{note, spec};

/// Answers with the number of the call, as soon as it is let.
struct Till {
    calls: AtomicU32,
    open: Semaphore,
    /// Failures to give first.
    failures: Mutex<Vec<LanguageModelError>>,
}

impl Till {
    fn new(open: usize) -> Arc<Self> {
        Arc::new(Self {
            calls: AtomicU32::new(0),
            open: Semaphore::new(open),
            failures: Mutex::new(Vec::new()),
        })
    }

    fn calls(&self) -> u32 {
        self.calls.load(Ordering::SeqCst)
    }
}

impl LanguageModel for Till {
    fn name(&self) -> &'static str {
        "till"
    }

    fn fingerprint(&self) -> &'static str {
        "till/1"
    }

    fn window(&self) -> Option<u64> {
        None
    }

    fn count(&self, _request: &Request) -> (u64, bool) {
        (7, true)
    }

    fn price_micros(&self, _usage: TokenUsage) -> u64 {
        0
    }

    fn complete(
        &self,
        _request: Request,
        _deltas: Option<DeltaSink>,
        _cancel: Cancel,
    ) -> BoxFuture<'_, Result<Completion, LanguageModelError>> {
        Box::pin(async move {
            let call = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
            if let Some(failure) = self.failures.lock().unwrap().pop() {
                return Err(failure);
            }
            self.open.acquire().await.unwrap().forget();
            Ok(Completion {
                text: format!("answer {call}"),
                tool_calls: Vec::new(),
                finish: FinishReason::Stop,
                usage: TokenUsage::default(),
                logprobs: Vec::new(),
            })
        })
    }
}

/// Asks the model in one step, twice the same when `twice`, then waits for `go`.
fn asking(
    model: Arc<PaidModel>,
) -> impl for<'a> Fn(&'a mut dyn TaskCtx, Value) -> TaskFuture<'a> + use<> {
    move |cx, input| {
        let model = Arc::clone(&model);
        Box::pin(async move {
            cx.emit(note("asking"));
            let retry = RetryPolicy {
                attempts: 5,
                backoff_ms: 1,
            };
            let twice = input["twice"].as_bool().unwrap_or(false);
            let answer = cx
                .step(
                    StepKey::new("draft/1", &input),
                    retry,
                    Box::new(move || {
                        let model = Arc::clone(&model);
                        Box::pin(async move {
                            let mut texts = Vec::new();
                            for _ in 0..=u32::from(twice) {
                                let call = model.complete(Request::default(), None, Cancel::new());
                                let done = call.await.map_err(|error| {
                                    if error.is_transient() {
                                        TaskError::Retryable(error.to_string())
                                    } else {
                                        TaskError::Terminal(error.to_string())
                                    }
                                })?;
                                texts.push(done.text);
                            }
                            Ok(json!(texts))
                        })
                    }),
                )
                .await?;
            cx.emit(note("answered"));
            Ok(answer)
        })
    }
}

fn open(folder: &tempfile::TempDir, till: &Arc<Till>) -> Engine<SqliteJournal> {
    let journal = Arc::new(SqliteJournal::open(folder.path()).unwrap());
    let model = PaidModel::new(Arc::clone(till) as _, journal.clone());
    Engine::new(
        journal,
        Registry::new(1).with("asking", asking(Arc::new(model))),
    )
}

async fn until_interrupted(engine: &Engine<SqliteJournal>, id: &RunId) {
    while engine.status(id.clone()).await.unwrap().state != RunState::Interrupted {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_whose_step_was_dropped_is_kept_and_not_paid_again() {
    let folder = tempfile::tempdir().unwrap();
    let till = Till::new(0);
    let id = RunId::new("a");
    {
        let engine = open(&folder, &till);
        engine
            .start(id.clone(), spec("asking", json!({})))
            .await
            .unwrap();
        while till.calls() == 0 {
            tokio::task::yield_now().await;
        }
        engine.release(&id).await.unwrap();
        until_interrupted(&engine, &id).await;
        // The step is gone; the call is still out. It comes home now.
        till.open.add_permits(1);
        let response = || engine.journal().possibly_spent(&id).unwrap();
        while !response().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    let engine = open(&folder, &till);
    engine.resume(&id).await.unwrap();
    assert_eq!(engine.attach(id).await.unwrap(), json!(["answer 1"]));
    assert_eq!(till.calls(), 1, "paid twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_that_runs_again_joins_the_call_in_flight() {
    let folder = tempfile::tempdir().unwrap();
    let till = Till::new(0);
    let id = RunId::new("a");
    let engine = open(&folder, &till);
    engine
        .start(id.clone(), spec("asking", json!({})))
        .await
        .unwrap();
    while till.calls() == 0 {
        tokio::task::yield_now().await;
    }
    engine.release(&id).await.unwrap();
    until_interrupted(&engine, &id).await;
    engine.resume(&id).await.unwrap();
    till.open.add_permits(1);
    assert_eq!(
        engine.attach(id.clone()).await.unwrap(),
        json!(["answer 1"])
    );
    assert_eq!(till.calls(), 1, "paid twice");
    assert!(engine.journal().possibly_spent(&id).unwrap().is_empty());
}

#[tokio::test]
async fn two_samples_in_one_step_are_two_calls_and_a_retry_reuses_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let till = Till::new(10);
    let engine = open(&folder, &till);
    let id = RunId::new("a");
    engine
        .start(id.clone(), spec("asking", json!({"twice": true})))
        .await
        .unwrap();
    let output = engine.attach(id.clone()).await.unwrap();
    assert_eq!(output, json!(["answer 1", "answer 2"]));
    assert!(engine.journal().possibly_spent(&id).unwrap().is_empty());
}

#[tokio::test]
async fn what_a_server_refused_cost_nothing_and_what_broke_off_is_possibly_spent() {
    let folder = tempfile::tempdir().unwrap();
    let till = Till::new(10);
    let model = || "till".to_owned();
    // Given last first.
    till.failures.lock().unwrap().extend([
        LanguageModelError::Unavailable {
            model: model(),
            reason: "it broke off".into(),
            retry_after_ms: None,
        },
        LanguageModelError::RateLimited {
            model: model(),
            retry_after_ms: None,
        },
    ]);
    let engine = open(&folder, &till);
    let id = RunId::new("a");
    engine
        .start(id.clone(), spec("asking", json!({})))
        .await
        .unwrap();
    assert_eq!(
        engine.attach(id.clone()).await.unwrap(),
        json!(["answer 3"])
    );
    let lost = engine.journal().possibly_spent(&id).unwrap();
    assert_eq!(lost.len(), 1);
    assert_eq!(lost[0].attempts, 1, "one of three attempts is in doubt");
    assert_eq!(lost[0].intent.reserved["prompt_tokens"], 7);
}
