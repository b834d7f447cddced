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
                if at % 2 == 0 {
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
        if at % 2 == 0 && outcome == ResumeOutcome::Resumed {
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
