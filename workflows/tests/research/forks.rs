//! The same question taken another way from some event on.

use std::sync::Arc;

use indago_core::ports::RunEngine as _;
use indago_core::{BudgetChange, Event, Report, RunId, RunState, Steering};
use indago_planner::policy;
use indago_workflows::deep_research::{Research, ResearchInput, inert_registry};
use indago_workflows::journal::Journal as _;
use indago_workflows::{Engine, Fork, SqliteJournal, fork_point};

use crate::library::Dozen;
use crate::runs::{QUESTION, engine};

const ADDED: &str = "What is the kite festival of Vessby?";

fn change() -> Vec<Steering> {
    vec![
        Steering::SetBudget {
            change: BudgetChange {
                queries: Some(500),
                ..BudgetChange::default()
            },
        },
        Steering::add(ADDED, Vec::new()),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_forked_at_any_event_keeps_what_was_before_and_obeys_the_change() {
    let folder = tempfile::tempdir().unwrap();
    let library = Arc::new(Dozen::new());
    let engine = engine(
        Arc::new(SqliteJournal::open(folder.path()).unwrap()),
        &library,
    );
    let parent = RunId::new("parent");
    let input = ResearchInput::new(QUESTION, "dozen").spec(7).unwrap();
    engine.start(parent.clone(), input).await.unwrap();
    let before = engine.attach(parent.clone()).await.unwrap();
    let events = engine.events(&parent).unwrap();
    let point = fork_point(&events).unwrap();
    assert!(
        point > 2 && point + 2 < events.len() as u64,
        "{point} of {}",
        events.len()
    );
    let mut obeyed = 0;
    for at in 0..events.len() as u64 {
        let id = RunId::new(format!("fork-{at}"));
        let fork = Fork {
            id: id.clone(),
            at: Some(at),
            steerings: change(),
        };
        let run = engine.fork(&parent, fork).await.unwrap();
        assert_eq!(run.status().unwrap().state, RunState::Interrupted);
        assert_eq!(run.status().unwrap().parent, Some(parent.clone()));
        run.resume().await.unwrap();
        let report = run.report().await.unwrap();
        let forked = engine.events(&id).unwrap();
        assert_eq!(forked[..=at as usize], events[..=at as usize], "at {at}");
        for (seq, event) in forked.iter().enumerate() {
            assert_eq!(event.seq, seq as u64);
        }
        let is_added = report.graph.nodes.iter().any(|node| node.text == ADDED);
        if at <= point {
            assert!(is_added, "at {at} of {}: the change was lost", events.len());
            assert!(
                forked
                    .iter()
                    .any(|e| matches!(e.event, Event::Steered { .. }))
            );
            obeyed += 1;
        }
        let replayed = engine.replay(&id).await.unwrap();
        assert_eq!(
            serde_json::to_string(&replayed).unwrap(),
            serde_json::to_string(&serde_json::to_value(&report).unwrap()).unwrap()
        );
    }
    assert!(obeyed > 3);
    // The parent is untouched, and replays with neither library nor policy of its own.
    let inert = Engine::new(
        Arc::clone(engine.journal()),
        inert_registry(engine.journal().clone()),
    );
    let again = inert.replay(&parent).await.unwrap();
    assert_eq!(
        serde_json::to_string(&again).unwrap(),
        serde_json::to_string(&before).unwrap()
    );
}

#[tokio::test]
async fn a_run_replays_whatever_policy_the_process_has() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Arc::new(SqliteJournal::open(folder.path()).unwrap());
    let library = Arc::new(Dozen::new());
    let with = |name: &str| {
        let policy = Arc::from(policy::by_name(name).unwrap());
        let research = Research::extractive(Arc::clone(&library) as _, policy, journal.clone());
        Engine::new(Arc::clone(&journal), research.registry())
    };
    for made_with in policy::NAMES {
        let id = RunId::new(made_with);
        let input = ResearchInput::new(QUESTION, "dozen").spec(7).unwrap();
        let engine = with(made_with);
        engine.start(id.clone(), input).await.unwrap();
        let output = engine.attach(id.clone()).await.unwrap();
        for replayed_with in policy::NAMES {
            let again = with(replayed_with).replay(&id).await.unwrap();
            assert_eq!(again, output, "{made_with}, {replayed_with}");
        }
        let inert = Engine::new(Arc::clone(&journal), inert_registry(journal.clone()));
        assert_eq!(inert.replay(&id).await.unwrap(), output, "{made_with}");
    }
}

#[tokio::test]
async fn a_follow_up_on_a_finished_run_searches_only_what_is_new() {
    let folder = tempfile::tempdir().unwrap();
    let library = Arc::new(Dozen::new());
    let engine = engine(
        Arc::new(SqliteJournal::open(folder.path()).unwrap()),
        &library,
    );
    let parent = RunId::new("parent");
    let input = ResearchInput::new(QUESTION, "dozen").spec(7).unwrap();
    engine.start(parent.clone(), input).await.unwrap();
    let first: Report =
        serde_json::from_value(engine.attach(parent.clone()).await.unwrap()).unwrap();
    let recorded = engine.journal().load(&parent).unwrap();
    let fork = Fork {
        id: RunId::new("more"),
        at: None,
        steerings: vec![Steering::FollowUp {
            question: ADDED.into(),
        }],
    };
    let run = engine.fork(&parent, fork).await.unwrap();
    let shared = engine.journal().load(run.id()).unwrap();
    assert!(shared.events.len() < recorded.events.len());
    run.resume().await.unwrap();
    let report = run.report().await.unwrap();
    assert!(report.graph.nodes.len() > first.graph.nodes.len());
    // What was recorded before the fork stands in it, result for result.
    let after = engine.journal().load(run.id()).unwrap();
    for (path, task) in &shared.tasks {
        for (key, result) in &task.steps {
            assert_eq!(after.tasks[path].steps.get(key), Some(result));
        }
        if let Some(done) = &task.done {
            assert_eq!(after.tasks[path].done.as_ref(), Some(done));
        }
    }
}
