//! Real kills: a child process works on a run and is killed with SIGKILL at a chosen event; this
//! process then resumes the run and looks at what was done twice.
//!
//! The child is this test binary itself, started again with one test and two variables.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use indago_core::RunId;
use indago_core::ports::RunEngine as _;
use indago_workflows::journal::{Durability, Journal as _};
use indago_workflows::{Engine, ResumeOutcome, SqliteJournal};
use serde_json::{Value, json};

use crate::tasks::{Counts, registry, spec};

const FOLDER: &str = "INDAGO_TEST_CRASH_FOLDER";
const AT_EVENT: &str = "INDAGO_TEST_CRASH_AT";

fn id() -> RunId {
    RunId::new("crash")
}

fn input() -> Value {
    json!({"width": 3})
}

/// Not a test of its own: the process that is killed.
#[test]
fn victim() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let at: u64 = std::env::var(AT_EVENT).unwrap().parse().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let journal = Arc::new(SqliteJournal::open(folder).unwrap());
        let engine = Engine::new(Arc::clone(&journal), registry(&Counts::default()));
        if engine.status(id()).await.is_ok() {
            engine.resume(&id()).await.unwrap();
        } else {
            engine.start(id(), spec("fan_in", input())).await.unwrap();
        }
        let mut events = engine.subscribe(&id(), 0).unwrap();
        while let Some(event) = events.next().await.unwrap() {
            if event.seq == at {
                // Every other boundary is hit with the latest entries still in the queue.
                if at.is_multiple_of(2) {
                    journal.flush(Durability::Process).await.unwrap();
                }
                let me = std::process::id().to_string();
                Command::new("kill").args(["-9", &me]).status().unwrap();
                std::future::pending::<()>().await;
            }
        }
    });
}

fn run_victim(folder: &Path, at: u64) -> bool {
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::victim", "--nocapture"])
        .env(FOLDER, folder)
        .env(AT_EVENT, at.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    status.success()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_killed_at_any_event_resumes_without_repeating_what_was_recorded() {
    let reference = tempfile::tempdir().unwrap();
    assert!(
        run_victim(reference.path(), u64::MAX),
        "the reference run must end by itself"
    );
    let engine = Engine::new(
        Arc::new(SqliteJournal::open(reference.path()).unwrap()),
        registry(&Counts::default()),
    );
    let expected = engine.events(&id()).unwrap();
    assert_eq!(expected.len(), 17);
    let results = sorted_results(&engine.attach(id()).await.unwrap());

    for at in 0..expected.len() as u64 {
        let folder = tempfile::tempdir().unwrap();
        assert!(!run_victim(folder.path(), at), "killed at event {at}");
        let journal = Arc::new(SqliteJournal::open(folder.path()).unwrap());
        let before = journal.load(&id()).unwrap();
        let counts = Counts::default();
        let engine = Engine::new(Arc::clone(&journal), registry(&counts));
        let outcome = engine.resume(&id()).await.unwrap();
        let output = engine.attach(id()).await.unwrap();
        assert_eq!(sorted_results(&output), results, "killed at event {at}");

        let recorded: BTreeSet<String> = before
            .tasks
            .values()
            .flat_map(|task| task.steps.keys())
            .filter_map(|key| key.split_once('#').map(|(name, _)| name.to_owned()))
            .collect();
        let again: BTreeSet<String> = counts.all().into_keys().collect();
        assert!(again.is_disjoint(&recorded), "at {at}: {again:?} ran again");
        assert!(counts.all().values().all(|count| *count == 1));
        if at.is_multiple_of(2) && outcome == ResumeOutcome::Resumed {
            // Flushed before the kill: everything up to the event must be there.
            assert!(
                before.events.len() as u64 > at,
                "at {at}: {} events",
                before.events.len()
            );
        }

        let events = engine.events(&id()).unwrap();
        assert_eq!(
            &events[..before.events.len()],
            &before.events[..],
            "events were rewritten"
        );
        let places: BTreeSet<(String, u32)> = events
            .iter()
            .map(|event| (event.path.clone(), event.ordinal))
            .collect();
        let all: BTreeSet<(String, u32)> = expected
            .iter()
            .map(|event| (event.path.clone(), event.ordinal))
            .collect();
        assert_eq!(places, all, "killed at event {at}");
        assert_eq!(events.len(), expected.len(), "an event was doubled");
        for (seq, event) in events.iter().enumerate() {
            assert_eq!(event.seq, seq as u64);
        }
        assert_eq!(engine.replay(&id()).await.unwrap(), output);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_killed_again_and_again_still_gets_there() {
    let folder = tempfile::tempdir().unwrap();
    for at in [2, 5, 5, 9, 12, 14] {
        assert!(!run_victim(folder.path(), at));
    }
    let counts = Counts::default();
    let journal = Arc::new(SqliteJournal::open(folder.path()).unwrap());
    let engine = Engine::new(journal, registry(&counts));
    engine.resume(&id()).await.unwrap();
    let output = engine.attach(id()).await.unwrap();
    assert_eq!(output["order"].as_array().unwrap().len(), 6);
    assert_eq!(engine.events(&id()).unwrap().len(), 17);
}

/// Not a test of its own: a process with many runs at once, killed while it writes.
#[test]
fn busy_victim() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let journal = Arc::new(SqliteJournal::open(folder).unwrap());
        let engine = Engine::new(journal, registry(&Counts::default()));
        for run in 0..BUSY_RUNS {
            let id = RunId::new(format!("busy-{run}"));
            engine
                .start(id, spec("fan_in", json!({"width": 12})))
                .await
                .unwrap();
        }
        for run in 0..BUSY_RUNS {
            engine
                .attach(RunId::new(format!("busy-{run}")))
                .await
                .unwrap();
        }
    });
}

const BUSY_RUNS: usize = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_killed_while_it_writes_many_runs_leaves_all_of_them_resumable() {
    for events_before in [1, 60, 300, 700] {
        let folder = tempfile::tempdir().unwrap();
        let journal = Arc::new(SqliteJournal::open(folder.path()).unwrap());
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::busy_victim"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let written = || {
            journal
                .list()
                .unwrap()
                .iter()
                .map(|run| run.events)
                .sum::<u64>()
        };
        while written() < events_before && child.try_wait().unwrap().is_none() {
            tokio::task::yield_now().await;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let before: Vec<_> = journal
            .list()
            .unwrap()
            .iter()
            .map(|run| journal.load(&run.id).unwrap())
            .collect();
        let engine = Engine::new(Arc::clone(&journal), registry(&Counts::default()));
        for record in &before {
            // What is recorded is a beginning of the run: whatever a task told, it had done.
            for (path, task) in &record.tasks {
                let steps = task.steps.len() as u32;
                assert!(
                    path.is_empty() || task.done.is_some() || steps >= task.events,
                    "{path} told too much"
                );
            }
            let id = &record.meta.id;
            engine.resume(id).await.unwrap();
            let output = engine.attach(id.clone()).await.unwrap();
            assert_eq!(output["order"].as_array().unwrap().len(), 24);
            let events = engine.events(id).unwrap();
            assert_eq!(&events[..record.events.len()], &record.events[..]);
            assert_eq!(events.len(), 2 + 3 * 12 + 24);
            assert_eq!(engine.replay(id).await.unwrap(), output);
        }
    }
}

/// Results without the order in which they came, which another schedule may change, and without
/// the time.
fn sorted_results(output: &Value) -> Vec<String> {
    let mut results: Vec<String> = output["order"]
        .as_array()
        .unwrap()
        .iter()
        .map(Value::to_string)
        .collect();
    results.sort();
    results
}
