//! A question that can be read in two ways: asked back, answered, assumed, and left alone where the
//! reading makes no difference.

use std::sync::Arc;

use indago_core::ports::RunEngine as _;
use indago_core::{Event, Report, RunId, Steering};
use indago_workflows::Engine;
use indago_workflows::deep_research::ResearchInput;
use indago_workflows::journal::MemoryJournal;

use crate::library::Dozen;
use crate::runs::engine;

const QUESTION: &str = "How hot does Mercury become?";

fn mercuries() -> Arc<Dozen> {
    Arc::new(Dozen::with(&[
        (
            "Mercury (planet)",
            "Mercury is the planet nearest to the sun. It becomes 430 degrees hot by day.",
        ),
        (
            "Mercury (element)",
            "Mercury is a liquid metal. It boils when it becomes 357 degrees hot.",
        ),
    ]))
}

fn input(clarify_ms: Option<u64>) -> ResearchInput {
    ResearchInput {
        clarify_ms,
        ..ResearchInput::new(QUESTION, "dozen")
    }
}

async fn start(engine: &Engine<MemoryJournal>, name: &str, input: &ResearchInput) -> RunId {
    let id = RunId::new(name);
    engine
        .start(id.clone(), input.spec(7).unwrap())
        .await
        .unwrap();
    id
}

async fn report(engine: &Engine<MemoryJournal>, id: &RunId) -> (Report, Vec<Event>) {
    let report = serde_json::from_value(engine.attach(id.clone()).await.unwrap()).unwrap();
    let events = engine.events(id).unwrap();
    (report, events.into_iter().map(|e| e.event).collect())
}

fn readings(events: &[Event]) -> Vec<(String, bool)> {
    let read = |event: &Event| match event {
        Event::Clarified {
            reading,
            is_assumed,
        } => Some((reading.clone(), *is_assumed)),
        _ => None,
    };
    events.iter().filter_map(read).collect()
}

fn first_document(report: &Report) -> String {
    let mut claims = report.sections.iter().flat_map(|s| &s.claims);
    let quote = claims.next().and_then(|c| c.quotes().first());
    quote.map_or_else(String::new, |q| q.document.to_string())
}

#[tokio::test]
async fn the_reading_that_is_given_is_searched_and_the_question_stays_as_asked() {
    let engine = engine(Arc::new(MemoryJournal::new()), &mercuries());
    for (name, words, document) in [
        ("a", "Mercury (element)", "d13"),
        ("b", "Mercury (planet)", "d12"),
    ] {
        let id = start(&engine, name, &input(Some(60_000))).await;
        let mut events = engine.subscribe(&id, 0).unwrap();
        loop {
            let event = events.next().await.unwrap().unwrap();
            if let Event::Clarifying { options, .. } = &event.event {
                assert_eq!(options.len(), 2);
                break;
            }
        }
        let run = engine.handle(&id).unwrap();
        run.clarify(words).await.unwrap();
        let (report, events) = report(&engine, &id).await;
        assert_eq!(readings(&events), [(words.to_owned(), false)]);
        assert_eq!(report.question, QUESTION);
        assert!(
            report.graph.nodes[0].text.contains(words),
            "{:?}",
            report.graph.nodes[0]
        );
        assert_eq!(first_document(&report), document);
        let replayed = engine.replay(&id).await.unwrap();
        assert_eq!(serde_json::from_value::<Report>(replayed).unwrap(), report);
    }
}

#[tokio::test]
async fn nobody_answers_and_the_likeliest_reading_is_assumed_and_recorded() {
    let engine = engine(Arc::new(MemoryJournal::new()), &mercuries());
    for (name, wait_ms) in [("at once", 0), ("after a while", 20)] {
        let id = start(&engine, &name.replace(' ', "-"), &input(Some(wait_ms))).await;
        let (_, events) = report(&engine, &id).await;
        let read = readings(&events);
        assert!(
            matches!(&read[..], [(reading, true)] if reading.starts_with("Mercury (")),
            "{read:?}"
        );
        let first = |wanted: fn(&Event) -> bool| events.iter().position(wanted).unwrap();
        assert!(
            first(|e| matches!(e, Event::Clarified { .. }))
                < first(|e| matches!(e, Event::Searched { .. }))
        );
    }
}

#[tokio::test]
async fn nothing_is_asked_back_without_the_step_or_without_two_senses() {
    let engine = engine(Arc::new(MemoryJournal::new()), &mercuries());
    let plain = start(&engine, "plain", &input(None)).await;
    let one_sense = ResearchInput {
        clarify_ms: Some(60_000),
        ..ResearchInput::new("Where does Vessby lie?", "dozen")
    };
    let one_sense = start(&engine, "one-sense", &one_sense).await;
    let told = ResearchInput {
        clarify_ms: Some(60_000),
        ..ResearchInput::new("How hot does Mercury (planet) become?", "dozen")
    };
    let told = start(&engine, "told", &told).await;
    for id in [plain, one_sense, told] {
        let (_, events) = report(&engine, &id).await;
        assert!(
            !events.iter().any(|e| matches!(e, Event::Clarifying { .. })),
            "{id}"
        );
    }
}

#[tokio::test]
async fn what_else_is_steered_meanwhile_is_obeyed_afterwards() {
    let engine = engine(Arc::new(MemoryJournal::new()), &mercuries());
    let id = start(&engine, "steered", &input(Some(60_000))).await;
    let run = engine.handle(&id).unwrap();
    run.add("What is the kite festival of Vessby?", Vec::new())
        .await
        .unwrap();
    run.clarify("Mercury (planet)").await.unwrap();
    let (report, events) = report(&engine, &id).await;
    assert!(report.graph.nodes.iter().any(|n| n.text.contains("kite")));
    assert_eq!(readings(&events).len(), 1);

    let id = start(&engine, "cancelled", &input(Some(60_000))).await;
    engine
        .handle(&id)
        .unwrap()
        .steer(Steering::Cancel)
        .await
        .unwrap();
    assert!(engine.attach(id).await.is_err());
}
