//! A research run killed with SIGKILL at every one of its events, and resumed.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::sync::Arc;

use indago_core::ports::RunEngine as _;
use indago_core::{Report, RunId, RunState, Steering};
use indago_workflows::deep_research::ResearchInput;
use indago_workflows::journal::{Durability, Journal as _};
use indago_workflows::{Fork, ResumeOutcome, SqliteJournal};

use crate::library::Dozen;
use crate::runs::{QUESTION, engine};

const FOLDER: &str = "INDAGO_TEST_RESEARCH_FOLDER";
const AT_EVENT: &str = "INDAGO_TEST_RESEARCH_AT";
const COURSE: &str = "INDAGO_TEST_RESEARCH_COURSE";

const ADDED: &str = "What is the kite festival of Vessby?";

const FORKED_AT: u64 = 4;

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
        let input = ResearchInput::new(QUESTION, "dozen").spec(7).unwrap();
        match std::env::var(COURSE).unwrap().as_str() {
            "steered" => {
                engine.start(id(), input).await.unwrap();
                // Whatever it has done by then: the report is compared with the one of this run.
                let run = engine.handle(&id()).unwrap();
                let _may_have_ended = run.pause().await;
                let _may_have_ended = run.add(ADDED, Vec::new()).await;
                let _may_have_ended = run.resume().await;
            }
            "forked" => {
                let parent = RunId::new("parent");
                engine.start(parent.clone(), input).await.unwrap();
                engine.attach(parent.clone()).await.unwrap();
                let fork = Fork {
                    id: id(),
                    at: Some(FORKED_AT),
                    steerings: vec![Steering::add(ADDED, Vec::new())],
                };
                let run = engine.fork(&parent, fork).await.unwrap();
                run.resume().await.unwrap();
            }
            _ => {
                engine.start(id(), input).await.unwrap();
            }
        }
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
            .env(COURSE, "plain")
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

/// What a steering changed depends on when it came, so each run is held against itself: what was
/// recorded before the kill stays, what was asked is obeyed, and it replays.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_steered_or_forked_run_killed_at_any_event_goes_on_where_it_was() {
    for course in ["steered", "forked"] {
        let mut at = if course == "forked" { FORKED_AT + 1 } else { 0 };
        let mut kills = 0;
        loop {
            let folder = tempfile::tempdir().unwrap();
            let status = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "killed::victim"])
                .env(FOLDER, folder.path())
                .env(AT_EVENT, at.to_string())
                .env(COURSE, course)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .unwrap();
            if status.success() {
                break;
            }
            kills += 1;
            let journal = Arc::new(SqliteJournal::open(folder.path()).unwrap());
            let before = journal.load(&id()).unwrap();
            let signals = journal.signals(&id()).unwrap();
            let library = Arc::new(Dozen::new());
            let engine = engine(journal, &library);
            let outcome = engine.resume(&id()).await.unwrap();
            let run = engine.handle(&id()).unwrap();
            // Where the process died between two steerings, the last of them is still to come.
            if signals.iter().any(|(_, value)| value["steer"] == "pause")
                && !signals.iter().any(|(_, value)| value["steer"] == "resume")
                && run.status().unwrap().state == RunState::Running
            {
                run.resume().await.unwrap();
            }
            let output = run.output().await.unwrap();
            let report: Report = serde_json::from_value(output.clone()).unwrap();
            let is_asked =
                course == "forked" || signals.iter().any(|(_, value)| value["steer"] == "edit");
            if is_asked && outcome == ResumeOutcome::Resumed && course == "forked" {
                assert!(
                    report.graph.nodes.iter().any(|node| node.text == ADDED),
                    "{course} at {at}: the edit was lost"
                );
            }
            let after = engine.journal().load(&id()).unwrap();
            assert_eq!(after.events[..before.events.len()], before.events[..]);
            for (seq, event) in after.events.iter().enumerate() {
                assert_eq!(event.seq, seq as u64, "{course} at {at}");
            }
            let places: BTreeSet<_> = after
                .events
                .iter()
                .map(|e| (e.path.clone(), e.ordinal))
                .collect();
            assert_eq!(places.len(), after.events.len(), "an event was doubled");
            for (path, task) in &before.tasks {
                if let Some(done) = &task.done {
                    assert_eq!(after.tasks[path].done.as_ref(), Some(done));
                }
                for (key, result) in &task.steps {
                    assert_eq!(after.tasks[path].steps.get(key), Some(result));
                }
            }
            assert_eq!(engine.replay(&id()).await.unwrap(), output);
            at += 1;
        }
        assert!(kills > 10, "{course}: {kills} kills");
    }
}
