//! Question: how much of a run's wall time is the journal's, and what does a task cost?
//!
//! A run of 8 tasks and 30 steps whose work is nothing, over the journal in memory and over the
//! one on disk, one run at a time; then one run of 2,000 child tasks. Warm file, fresh folder.
//! Metric: median milliseconds from `start` to the output; the difference is the journal's share
//! of the critical path.
//!
//! `cargo run --release -p indago-workflows --example journal_overhead`
#![expect(clippy::print_stdout, reason = "it prints its measurement")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use indago_core::Event;
use indago_core::ports::{
    RunEngine as _, RunError, RunSpec, StepKey, TaskCtx, TaskCtxExt as _, TaskKey, TaskSet,
};
use indago_workflows::journal::Journal;
use indago_workflows::{Engine, MemoryJournal, Registry, SqliteJournal, TaskFuture, new_run_id};
use serde_json::{Value, json};

/// Runs in each measurement.
const RUNS: usize = 200;

/// Children of the large run.
const WIDE: usize = 2_000;

fn leaf(cx: &mut dyn TaskCtx, input: Value) -> TaskFuture<'_> {
    Box::pin(async move {
        for step in 0..input["steps"].as_u64().unwrap_or(0) {
            let result = json!({"hits": vec![step; 20]});
            cx.run_step(StepKey::new(step, &input), async move { Ok(result) })
                .await?;
            cx.emit(Event::Warned {
                message: format!("step {step}"),
            });
        }
        Ok(json!({"finding": "x".repeat(1_500)}))
    })
}

fn root(cx: &mut dyn TaskCtx, input: Value) -> TaskFuture<'_> {
    Box::pin(async move {
        let children = input["children"].as_u64().unwrap_or(0);
        let slots = input["slots"].as_u64().unwrap_or(8);
        let mut set = TaskSet::default();
        let mut ended = 0;
        let mut next = 0;
        while ended < children {
            while next < children && (set.pending.len() as u64) < slots {
                let task_input = json!({"steps": input["steps"], "child": next});
                cx.spawn("leaf", TaskKey(format!("c{next}")), task_input, &mut set)
                    .await?;
                next += 1;
            }
            if let Some((_, result)) = cx.next_done(&mut set).await {
                result?;
                ended += 1;
            }
        }
        cx.run_step(StepKey::new("write", &0), async { Ok(()) })
            .await?;
        cx.run_step(StepKey::new("pin", &0), async { Ok(()) })
            .await?;
        Ok(json!(ended))
    })
}

async fn one_run<J: Journal>(engine: &Engine<J>, input: &Value) -> Result<Duration, RunError> {
    let spec = RunSpec {
        task: "root".into(),
        input: input.clone(),
        question: "how long?".into(),
        corpus: "none".into(),
        seed: 1,
    };
    let id = new_run_id();
    let begun = Instant::now();
    engine.start(id.clone(), spec).await?;
    engine.attach(id).await?;
    Ok(begun.elapsed())
}

async fn measure<J: Journal>(name: &str, journal: Arc<J>) -> Result<f64, RunError> {
    let registry = Registry::new(1).with("root", root).with("leaf", leaf);
    let engine = Engine::new(journal, registry);
    let small = json!({"children": 7, "steps": 4});
    let mut times = Vec::new();
    for _ in 0..RUNS {
        times.push(one_run(&engine, &small).await?);
    }
    times.sort();
    let at = |share: usize| times[(times.len() - 1) * share / 100].as_secs_f64() * 1e3;
    println!(
        "{name:7} 8 tasks, 30 steps: p50 {:.3} ms, p90 {:.3} ms, p99 {:.3} ms ({RUNS} runs)",
        at(50),
        at(90),
        at(99)
    );
    let wide = json!({"children": WIDE, "steps": 1, "slots": 32});
    let took = one_run(&engine, &wide).await?;
    println!(
        "{name:7} {WIDE} tasks of one step and one event, 32 at once: {:.1} us a task",
        took.as_secs_f64() * 1e6 / WIDE as f64
    );
    Ok(at(50))
}

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let memory = measure("memory", Arc::new(MemoryJournal::new())).await?;
    let folder = tempfile::tempdir()?;
    let sqlite = measure("sqlite", Arc::new(SqliteJournal::open(folder.path())?)).await?;
    println!(
        "the journal's share of a run's wall time: {:.3} ms",
        sqlite - memory
    );
    Ok(())
}
