//! From question to report, and what happens on the way.

use std::sync::Arc;

use indago_core::ports::{RunEngine as _, RunError, TaskError};
use indago_core::{Event, NodeState, Report, RunId, RunState, StopReason};
use indago_planner::{Steering, policy};
use indago_workflows::deep_research::{Research, ResearchInput, steering_signal};
use indago_workflows::journal::{Journal, MemoryJournal};
use indago_workflows::{Engine, SqliteJournal};

use crate::library::Dozen;

pub(crate) const QUESTION: &str = "Where was the builder of the Harbour Tower born?";

pub(crate) fn engine<J: Journal>(journal: Arc<J>, library: &Arc<Dozen>) -> Engine<J> {
    let research = Research::extractive(
        Arc::clone(library) as _,
        Arc::from(policy::by_name("extractive").unwrap()),
        Arc::clone(&journal) as _,
    );
    Engine::new(journal, research.registry())
}

async fn start<J: Journal>(engine: &Engine<J>, name: &str, input: ResearchInput) -> RunId {
    let id = RunId::new(name);
    engine
        .start(id.clone(), input.spec(7).unwrap())
        .await
        .unwrap();
    id
}

async fn ask<J: Journal>(engine: &Engine<J>, name: &str, question: &str) -> Report {
    let id = start(engine, name, ResearchInput::new(question, "dozen")).await;
    serde_json::from_value(engine.attach(id).await.unwrap()).unwrap()
}

#[tokio::test]
async fn a_question_becomes_a_report_whose_quotes_stand_in_the_sources() {
    let library = Arc::new(Dozen::new());
    let engine = engine(Arc::new(MemoryJournal::new()), &library);
    let report = ask(&engine, "a", QUESTION).await;
    assert_eq!(report.question, QUESTION);
    assert!(!report.abstained);
    assert_eq!(report.stop_reason, StopReason::Answered);
    assert_eq!(report.graph.nodes[0].state, NodeState::Answered);
    assert!(!report.sections.is_empty());
    for quote in report
        .sections
        .iter()
        .flat_map(|s| &s.claims)
        .flat_map(indago_core::Claim::quotes)
    {
        let stored = indago_core::ports::Library::reread(library.as_ref(), quote.clone());
        assert_eq!(stored.await.unwrap().as_deref(), Some(quote.text.as_str()));
    }
    let documents: Vec<_> = report.sources.iter().map(|s| s.document.as_str()).collect();
    assert!(
        documents.contains(&"d01"),
        "the second hop is missing: {documents:?}"
    );
    assert!(report.usage.queries > 0);
}

#[tokio::test]
async fn events_tell_the_whole_run_in_order() {
    let library = Arc::new(Dozen::new());
    let engine = engine(Arc::new(MemoryJournal::new()), &library);
    let report = ask(&engine, "a", QUESTION).await;
    let events: Vec<Event> = engine
        .events(&RunId::new("a"))
        .unwrap()
        .into_iter()
        .map(|e| e.event)
        .collect();
    assert!(matches!(&events[0], Event::Started { question, .. } if question == QUESTION));
    assert_eq!(
        events.last(),
        Some(&Event::Ended {
            reason: report.stop_reason
        })
    );
    assert!(events.iter().any(|e| matches!(e, Event::Searched { .. })));
    assert!(events.iter().any(|e| matches!(e, Event::Reported { .. })));
    // The states that were told add up to the graph in the report.
    for node in &report.graph.nodes {
        let last = events.iter().rev().find_map(|event| match event {
            Event::Moved { node: moved, state } if *moved == node.id => Some(*state),
            _ => None,
        });
        assert_eq!(last, Some(node.state), "{}", node.id);
    }
}

#[tokio::test]
async fn cited_passages_outlive_the_corpus_and_the_run_replays_without_it() {
    let folder = tempfile::tempdir().unwrap();
    let library = Arc::new(Dozen::new());
    let report = {
        let engine = engine(
            Arc::new(SqliteJournal::open(folder.path()).unwrap()),
            &library,
        );
        ask(&engine, "a", QUESTION).await
    };
    let searches = *library.searches.lock().unwrap();
    let engine = engine(
        Arc::new(SqliteJournal::open(folder.path()).unwrap()),
        &library,
    );
    let id = RunId::new("a");
    let pins = engine.pins(&id).unwrap();
    for quote in report
        .sections
        .iter()
        .flat_map(|s| &s.claims)
        .flat_map(indago_core::Claim::quotes)
    {
        let pin = pins.iter().find(|pin| pin.id == quote.passage).unwrap();
        let start = (quote.start - pin.span.start) as usize;
        assert_eq!(
            pin.text.get(start..start + quote.text.len()),
            Some(quote.text.as_str())
        );
    }
    let again = engine.replay(&id).await.unwrap();
    assert_eq!(
        serde_json::to_string(&again).unwrap(),
        serde_json::to_string(&serde_json::to_value(&report).unwrap()).unwrap()
    );
    assert_eq!(
        *library.searches.lock().unwrap(),
        searches,
        "replay searched"
    );
}

#[tokio::test]
async fn what_the_corpus_does_not_hold_ends_in_an_explicit_not_found() {
    let library = Arc::new(Dozen::new());
    let engine = engine(Arc::new(MemoryJournal::new()), &library);
    let report = ask(&engine, "a", "Zyxgr qwplk vbnmt?").await;
    assert!(report.abstained);
    assert_eq!(report.answer, None);
    assert_eq!(report.stop_reason, StopReason::NothingFound);
    assert!(report.sections.is_empty());
    assert_eq!(
        engine.status(RunId::new("a")).await.unwrap().state,
        RunState::Finished
    );
}

#[tokio::test]
async fn finish_now_writes_a_report_of_what_there_is() {
    let library = Arc::new(Dozen::gated());
    let engine = engine(Arc::new(MemoryJournal::new()), &library);
    let id = start(&engine, "a", ResearchInput::new(QUESTION, "dozen")).await;
    while *library.searches.lock().unwrap() == 0 {
        tokio::task::yield_now().await;
    }
    let steer = serde_json::to_value(Steering::FinishNow).unwrap();
    engine
        .signal(id.clone(), steering_signal(0), steer)
        .await
        .unwrap();
    let report: Report = serde_json::from_value(engine.attach(id).await.unwrap()).unwrap();
    assert_eq!(report.stop_reason, StopReason::FinishedEarly);
    assert!(report.abstained);
}

#[tokio::test]
async fn steering_that_makes_no_sense_is_a_warning_and_the_next_one_is_heard() {
    let library = Arc::new(Dozen::gated());
    let engine = engine(Arc::new(MemoryJournal::new()), &library);
    let id = start(&engine, "a", ResearchInput::new(QUESTION, "dozen")).await;
    let nonsense = [serde_json::json!(null), serde_json::json!({"steer": "fly"})];
    for (n, value) in nonsense.into_iter().enumerate() {
        engine
            .signal(id.clone(), steering_signal(n as u32), value)
            .await
            .unwrap();
    }
    let edit = Steering::Edit {
        edits: vec![
            indago_core::GraphEdit::Add {
                text: "What stands in Vessby?".into(),
                reason: "asked from outside".into(),
                depends_on: Vec::new(),
            },
            indago_core::GraphEdit::Finish {
                reason: "that is all".into(),
            },
        ],
    };
    let edit = serde_json::to_value(edit).unwrap();
    engine
        .signal(id.clone(), steering_signal(2), edit)
        .await
        .unwrap();
    let finish = serde_json::to_value(Steering::FinishNow).unwrap();
    engine
        .signal(id.clone(), steering_signal(3), finish)
        .await
        .unwrap();
    let report: Report = serde_json::from_value(engine.attach(id.clone()).await.unwrap()).unwrap();
    assert!(
        report
            .graph
            .nodes
            .iter()
            .any(|node| node.text == "What stands in Vessby?")
    );
    let warnings = engine
        .events(&id)
        .unwrap()
        .into_iter()
        .filter(|stored| matches!(stored.event, Event::Warned { .. }))
        .count();
    assert_eq!(warnings, 2);
}

#[tokio::test]
async fn cancelling_ends_without_a_report_and_says_so() {
    let library = Arc::new(Dozen::gated());
    let engine = engine(Arc::new(MemoryJournal::new()), &library);
    let id = start(&engine, "a", ResearchInput::new(QUESTION, "dozen")).await;
    while *library.searches.lock().unwrap() == 0 {
        tokio::task::yield_now().await;
    }
    engine.cancel(id.clone()).await.unwrap();
    let error = engine.attach(id.clone()).await.unwrap_err();
    assert!(
        matches!(error, RunError::Failed(TaskError::Cancelled)),
        "{error}"
    );
    assert_eq!(
        engine.status(id.clone()).await.unwrap().state,
        RunState::Stopped
    );
    let last = engine.events(&id).unwrap().pop().unwrap().event;
    assert_eq!(
        last,
        Event::Ended {
            reason: StopReason::Cancelled
        }
    );
}

#[tokio::test]
async fn no_time_left_ends_in_a_report_that_says_so() {
    let library = Arc::new(Dozen::gated());
    let engine = engine(Arc::new(MemoryJournal::new()), &library);
    let mut input = ResearchInput::new(QUESTION, "dozen");
    input.limits.budget.wall_ms = Some(30);
    let id = start(&engine, "a", input).await;
    let report: Report = serde_json::from_value(engine.attach(id).await.unwrap()).unwrap();
    assert_eq!(report.stop_reason, StopReason::Budget);
}

#[tokio::test]
async fn an_interrupted_run_goes_on_and_gives_the_same_report() {
    let folder = tempfile::tempdir().unwrap();
    let id = RunId::new("a");
    let gated = Arc::new(Dozen::gated());
    {
        let engine = engine(
            Arc::new(SqliteJournal::open(folder.path()).unwrap()),
            &gated,
        );
        start(&engine, "a", ResearchInput::new(QUESTION, "dozen")).await;
        while *gated.searches.lock().unwrap() == 0 {
            tokio::task::yield_now().await;
        }
    }
    let library = Arc::new(Dozen::new());
    let journal = Arc::new(SqliteJournal::open(folder.path()).unwrap());
    let engine = engine(journal, &library);
    while engine.status(id.clone()).await.unwrap().state == RunState::Running {
        tokio::task::yield_now().await;
    }
    assert_eq!(
        engine.status(id.clone()).await.unwrap().state,
        RunState::Interrupted
    );
    engine.resume(&id).await.unwrap();
    let resumed: Report = serde_json::from_value(engine.attach(id).await.unwrap()).unwrap();
    let fresh = ask(&engine, "b", QUESTION).await;
    assert_eq!(resumed.sections, fresh.sections);
    assert_eq!(resumed.sources, fresh.sources);
    assert_eq!(resumed.answer, fresh.answer);
}

#[tokio::test]
async fn an_empty_question_and_a_huge_one_end_in_a_report_too() {
    let library = Arc::new(Dozen::new());
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(
        Arc::new(SqliteJournal::open(folder.path()).unwrap()),
        &library,
    );
    assert!(ask(&engine, "empty", "").await.abstained);
    let huge = "where is the harbour tower ".repeat(4_000);
    let report = ask(&engine, "huge", &huge).await;
    assert_eq!(report.question, huge);
    let listed = engine.runs().unwrap();
    assert_eq!(listed.len(), 2);
}
