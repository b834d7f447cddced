//! Tasks for the tests: they count what they really do.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use indago_core::Event;
use indago_core::ports::{
    RetryPolicy, RunSpec, StepKey, TaskCtx, TaskCtxExt as _, TaskError, TaskKey, TaskSet,
};
use indago_workflows::{Registry, TaskFuture};
use serde_json::{Value, json};

/// How often each named piece of work was really done.
#[derive(Clone, Default)]
pub(crate) struct Counts(Arc<Mutex<BTreeMap<String, u32>>>);

impl Counts {
    pub(crate) fn add(&self, what: &str) -> u32 {
        let mut counts = self.0.lock().unwrap();
        let count = counts.entry(what.to_owned()).or_default();
        *count += 1;
        *count
    }

    pub(crate) fn of(&self, what: &str) -> u32 {
        self.0.lock().unwrap().get(what).copied().unwrap_or(0)
    }

    pub(crate) fn all(&self) -> BTreeMap<String, u32> {
        self.0.lock().unwrap().clone()
    }
}

pub(crate) fn spec(task: &str, input: Value) -> RunSpec {
    RunSpec {
        task: task.to_owned(),
        input,
        question: "why?".to_owned(),
        corpus: "test".to_owned(),
        seed: 7,
    }
}

pub(crate) fn note(text: impl Into<String>) -> Event {
    Event::Warned {
        message: text.into(),
    }
}

/// Runs `name` as a step that counts itself and returns `result`.
pub(crate) async fn counted(
    cx: &mut dyn TaskCtx,
    counts: &Counts,
    name: &str,
    result: Value,
) -> Result<Value, TaskError> {
    let (counts, counted_name) = (counts.clone(), name.to_owned());
    cx.run_step(StepKey::new(name, &result), async move {
        counts.add(&counted_name);
        Ok(result)
    })
    .await
}

/// `steps` steps in a row, an event after each; returns the sum of what they gave.
fn worker(
    counts: &Counts,
) -> impl for<'a> Fn(&'a mut dyn TaskCtx, Value) -> TaskFuture<'a> + use<> {
    let counts = counts.clone();
    move |cx, input| {
        let counts = counts.clone();
        Box::pin(async move {
            let name = input["name"].as_str().unwrap_or("worker").to_owned();
            let steps = input["steps"].as_u64().unwrap_or(2);
            let mut sum = 0;
            for i in 0..steps {
                let step = format!("{name}/{i}");
                sum += counted(cx, &counts, &step, json!(i + 1))
                    .await?
                    .as_u64()
                    .unwrap_or(0);
                cx.emit(note(step));
            }
            Ok(json!(sum))
        })
    }
}

/// Plans, starts `width` workers, and starts one more for each of them that ends (a fan-in whose
/// size is not known when it begins); returns results in the order in which they came.
fn fan_in(
    counts: &Counts,
) -> impl for<'a> Fn(&'a mut dyn TaskCtx, Value) -> TaskFuture<'a> + use<> {
    let counts = counts.clone();
    move |cx, input| {
        let counts = counts.clone();
        Box::pin(async move {
            let width = input["width"].as_u64().unwrap_or(3);
            let started = cx.now_ms();
            counted(cx, &counts, "plan", json!("planned")).await?;
            cx.emit(note("planned"));
            let mut set = TaskSet::default();
            for i in 0..width {
                let key = TaskKey(format!("w{i}"));
                cx.spawn("worker", key, json!({"name": format!("w{i}")}), &mut set)
                    .await?;
            }
            let mut order = Vec::new();
            while let Some((key, result)) = cx.next_done(&mut set).await {
                cx.emit(note(format!("{} ended", key.0)));
                order.push(json!([key.0, result?]));
                if !key.0.starts_with("more") {
                    let more = TaskKey(format!("more-{}", key.0));
                    let input = json!({"name": more.0, "steps": 1});
                    cx.spawn("worker", more, input, &mut set).await?;
                }
            }
            counted(cx, &counts, "write", json!("written")).await?;
            cx.emit(note("written"));
            let seed = cx.seed();
            Ok(json!({"order": order, "started": started, "seed": seed}))
        })
    }
}

/// A step, then a signal with a short timeout, then one with a long.
fn waiting(cx: &mut dyn TaskCtx, _input: Value) -> TaskFuture<'_> {
    Box::pin(async move {
        cx.emit(note("waiting"));
        let never = cx.wait_signal("never", 1).await?;
        let go = cx.wait_signal("go", 60_000).await?;
        Ok(json!({"never": never, "go": go}))
    })
}

/// Starts a child that never ends by itself.
fn endless(
    counts: &Counts,
) -> impl for<'a> Fn(&'a mut dyn TaskCtx, Value) -> TaskFuture<'a> + use<> {
    let counts = counts.clone();
    move |cx, input| {
        let counts = counts.clone();
        Box::pin(async move {
            if input["child"].as_bool().unwrap_or(false) {
                for i in 0_u32.. {
                    let counts = counts.clone();
                    let key = StepKey::new(format!("turn/{i}"), &0);
                    cx.run_step(key, async move {
                        tokio::time::sleep(Duration::from_millis(2)).await;
                        counts.add("turn");
                        Ok(())
                    })
                    .await?;
                    if i == 0 {
                        cx.emit(note("turning"));
                    }
                }
            }
            let mut set = TaskSet::default();
            cx.spawn(
                "endless",
                TaskKey("child".into()),
                json!({"child": true}),
                &mut set,
            )
            .await?;
            match cx.next_done(&mut set).await {
                Some((_, result)) => result,
                None => Ok(Value::Null),
            }
        })
    }
}

/// A step that fails twice before it succeeds, one that fails for good, and a child that panics.
fn failing(
    counts: &Counts,
) -> impl for<'a> Fn(&'a mut dyn TaskCtx, Value) -> TaskFuture<'a> + use<> {
    let counts = counts.clone();
    move |cx, _input| {
        let counts = counts.clone();
        Box::pin(async move {
            let tried = counts.clone();
            let retried = cx
                .step(
                    StepKey::new("flaky", &0),
                    RetryPolicy {
                        attempts: 3,
                        backoff_ms: 1,
                    },
                    Box::new(move || {
                        let attempt = tried.add("flaky");
                        Box::pin(async move {
                            if attempt < 3 {
                                Err(TaskError::Retryable("busy".into()))
                            } else {
                                Ok(json!(attempt))
                            }
                        })
                    }),
                )
                .await?;
            let failed = cx
                .run_step::<(), _>(StepKey::new("bad", &0), async {
                    Err(TaskError::Terminal("no such page".into()))
                })
                .await;
            let mut set = TaskSet::default();
            cx.spawn("panicking", TaskKey("p".into()), Value::Null, &mut set)
                .await?;
            cx.spawn("nobody", TaskKey("n".into()), Value::Null, &mut set)
                .await?;
            let mut errors = Vec::new();
            while let Some((key, result)) = cx.next_done(&mut set).await {
                errors.push(format!("{}: {}", key.0, result.unwrap_err()));
            }
            errors.sort();
            Ok(json!({
                "retried": retried,
                "failed": failed.unwrap_err().to_string(),
                "children": errors,
            }))
        })
    }
}

fn panicking(_cx: &mut dyn TaskCtx, _input: Value) -> TaskFuture<'_> {
    Box::pin(async { panic!("boom") })
}

/// A result too large for a row.
fn large(counts: &Counts) -> impl for<'a> Fn(&'a mut dyn TaskCtx, Value) -> TaskFuture<'a> + use<> {
    let counts = counts.clone();
    move |cx, _input| {
        let counts = counts.clone();
        Box::pin(async move {
            let text = counted(cx, &counts, "large", json!("x".repeat(50_000))).await?;
            cx.emit(note("read"));
            cx.wait_signal("go", 60_000).await?;
            Ok(json!(text.as_str().map_or(0, str::len)))
        })
    }
}

pub(crate) fn registry(counts: &Counts) -> Registry {
    Registry::new(1)
        .with("worker", worker(counts))
        .with("fan_in", fan_in(counts))
        .with("waiting", waiting)
        .with("endless", endless(counts))
        .with("failing", failing(counts))
        .with("panicking", panicking)
        .with("large", large(counts))
}
