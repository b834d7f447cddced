//! A research run killed with SIGKILL at every one of its events, and resumed.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::sync::Arc;

use indago_core::ports::RunEngine as _;
use indago_core::{Report, RunId};
use indago_workflows::deep_research::ResearchInput;
use indago_workflows::journal::{Durability, Journal as _};
use indago_workflows::{ResumeOutcome, SqliteJournal};

use crate::library::Dozen;
use crate::runs::{QUESTION, engine};

const FOLDER: &str = "INDAGO_TEST_RESEARCH_FOLDER";
const AT_EVENT: &str = "INDAGO_TEST_RESEARCH_AT";

fn id() -> RunId {
    RunId::new("killed")
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
        let engine = engine(Arc::clone(&journal), &Arc::new(Dozen::new()));
        let input = ResearchInput::new(QUESTION, "dozen");
        engine.start(id(), input.spec(7).unwrap()).await.unwrap();
        let mut events = engine.subscribe(&id(), 0).unwrap();
        while let Some(event) = events.next().await.unwrap() {
            if event.seq == at {
                journal.flush(Durability::Process).await.unwrap();
                let me = std::process::id().to_string();
                Command::new("kill").args(["-9", &me]).status().unwrap();
                std::future::pending::<()>().await;
            }
        }
        engine.attach(id()).await.unwrap();
    });
}

/// A report without what depends on the clock.
fn timeless(mut report: Report) -> Report {
    report.usage.wall_ms = 0;
    report
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_research_run_killed_at_any_event_gives_the_same_report() {
    let victim = |folder: &std::path::Path, at: u64| {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "killed::victim"])
            .env(FOLDER, folder)
            .env(AT_EVENT, at.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap()
    };
    let reference = tempfile::tempdir().unwrap();
    assert!(victim(reference.path(), u64::MAX).success());
    let library = Arc::new(Dozen::new());
    let first = engine(
        Arc::new(SqliteJournal::open(reference.path()).unwrap()),
        &library,
    );
    let expected: Report = serde_json::from_value(first.attach(id()).await.unwrap()).unwrap();
    let expected = timeless(expected);
    let n_events = first.events(&id()).unwrap().len() as u64;
    assert!(n_events > 10);
    let searches_in_all = {
        let fresh = Arc::new(Dozen::new());
        let folder = tempfile::tempdir().unwrap();
        let engine = engine(
            Arc::new(SqliteJournal::open(folder.path()).unwrap()),
            &fresh,
        );
        engine
            .start(id(), ResearchInput::new(QUESTION, "d").spec(7).unwrap())
            .await
            .unwrap();
        engine.attach(id()).await.unwrap();
        *fresh.searches.lock().unwrap()
    };

    for at in 0..n_events {
        let folder = tempfile::tempdir().unwrap();
        victim(folder.path(), at);
        let library = Arc::new(Dozen::new());
        let journal = Arc::new(SqliteJournal::open(folder.path()).unwrap());
        let before = journal.load(&id()).unwrap();
        let engine = engine(journal, &library);
        let outcome = engine.resume(&id()).await.unwrap();
        let output = engine.attach(id()).await.unwrap();
        let report: Report = serde_json::from_value(output.clone()).unwrap();
        assert_eq!(timeless(report), expected, "killed at event {at}");
        assert_eq!(
            serde_json::to_string(&engine.replay(&id()).await.unwrap()).unwrap(),
            serde_json::to_string(&output).unwrap()
        );

        // Retrievals that are recorded were not made again.
        let recorded: usize = before
            .tasks
            .values()
            .filter(|task| task.done.is_none())
            .flat_map(|task| task.steps.keys())
            .filter(|key| key.starts_with("retrieve/"))
            .count();
        let again = *library.searches.lock().unwrap();
        assert!(
            outcome == ResumeOutcome::Finished && again == 0
                || again as usize + recorded <= searches_in_all as usize,
            "at {at}: {again} searches after {recorded} recorded retrievals"
        );
        let events = engine.events(&id()).unwrap();
        assert_eq!(&events[..before.events.len()], &before.events[..]);
        let places: BTreeSet<_> = events.iter().map(|e| (e.path.clone(), e.ordinal)).collect();
        assert_eq!(places.len(), events.len(), "an event was doubled");
        assert_eq!(events.len() as u64, n_events, "an event was lost");
    }
}
