//! Reports that are written without a language model: numbering, refusals, quotes that changed,
//! sources that disagree.

use indago_agents::{WriteInput, verify, write};
use indago_core::{Claim, Event, GraphView, NodeId, NodeState, Report, StopReason, SubQuestion};

use super::support::{Doc, MemoryLibrary, PlainCtx, block_on};
use super::{ask, films};

fn report(library: &MemoryLibrary, question: &str) -> (Report, Vec<Event>) {
    let (searched, _) = ask(library, question);
    let graph = GraphView {
        nodes: vec![SubQuestion {
            id: NodeId(0),
            text: question.to_owned(),
            state: NodeState::Answered,
            reason: "the question".to_owned(),
            finding: Some(searched.finding),
        }],
        edges: Vec::new(),
    };
    let mut cx = PlainCtx::default();
    let input = WriteInput {
        question: question.to_owned(),
        graph,
        stopped: None,
        sources: 10,
        usage: searched.usage,
        allowance: indago_core::Allowance::default(),
    };
    (block_on(write(&mut cx, library, input)).unwrap(), cx.events)
}

#[test]
fn a_report_numbers_its_sources_by_importance() {
    let library = MemoryLibrary::of(&films(true));
    let (report, _) = report(&library, "When was the director of film Copper Moon born?");
    assert_eq!(
        report.answer.as_ref().map(|a| a.text.as_str()),
        Some("4 May 1921")
    );
    assert!(!report.abstained);
    let first: Vec<&str> = report
        .sources
        .iter()
        .take(2)
        .map(|s| s.document.as_str())
        .collect();
    assert!(
        first.contains(&"moon") && first.contains(&"quill"),
        "{first:?}"
    );
    for (i, source) in report.sources.iter().enumerate() {
        assert_eq!(source.n as usize, i + 1);
    }
    for quote in report
        .sections
        .iter()
        .flat_map(|s| &s.claims)
        .flat_map(Claim::quotes)
    {
        assert!(report.sources.iter().any(|s| s.document == quote.document));
    }
}

#[test]
fn a_report_says_what_was_not_found() {
    let library = MemoryLibrary::of(&films(true));
    let (report, _) = report(
        &library,
        "Which jersey number does Heather Brandt wear for the Harbour Gulls?",
    );
    assert!(report.abstained && report.answer.is_none());
    assert_eq!(report.stop_reason, StopReason::NothingFound);
    assert!(
        report
            .not_found
            .iter()
            .any(|n| n.node == NodeId(0) && !n.tried.is_empty())
    );
}

#[test]
fn a_quote_that_no_longer_stands_is_dropped_and_said() {
    let mut library = MemoryLibrary::of(&films(true));
    library.changed.insert("quill".to_owned(), "Ada Quill is somebody else now, at length and in other words than these were before the change.".to_owned());
    let (report, events) = report(&library, "When was the director of film Copper Moon born?");
    assert!(
        events.iter().any(|e| matches!(e, Event::Dropped { .. })),
        "{events:?}"
    );
    assert!(
        report
            .sources
            .iter()
            .all(|s| s.document.as_str() != "quill")
    );
}

#[test]
fn sources_that_disagree_are_shown() {
    let mut docs = films(true);
    docs.push(Doc::new(
        "quill2",
        "Ada Quill",
        "Ada Quill (4 May 1923 \u{2013} 11 June 1990) was a Swedish director of the film Copper Moon.",
    ));
    let library = MemoryLibrary::of(&docs);
    let (report, _) = report(&library, "When was the director of film Copper Moon born?");
    assert!(
        report
            .contradictions
            .iter()
            .any(|c| c.about.contains("date of birth")),
        "{:?}",
        report.sections
    );
}

#[test]
fn verification_compares_bytes() {
    let library = MemoryLibrary::of(&films(true));
    let (searched, _) = ask(&library, "When was the director of film Copper Moon born?");
    let claim = searched.finding.claims[0].clone();
    let mut quote = claim.quotes()[0].clone();
    quote.text = quote.text.to_uppercase();
    let forged = Claim::new("FORGED", vec![quote]).unwrap();
    let mut moved = claim.quotes()[0].clone();
    moved.end += 10_000;
    let outside = Claim::new("outside", vec![moved]).unwrap();
    let verified = block_on(verify(&library, vec![claim.clone(), forged, outside])).unwrap();
    assert_eq!(verified.kept, [claim]);
    assert_eq!(verified.dropped.len(), 2);
}
