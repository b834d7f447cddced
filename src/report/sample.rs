//! Two fixed reports for the renderers' tests.

use indago_core::{
    Answer, AnswerKind, Claim, Contradiction, Dependency, DocumentId, Finding, GraphView,
    IndexCoverage, Location, NodeId, NodeState, NotFound, PassageId, Quote, Report, RunId, Section,
    Source, StopReason, SubQuestion, Usage,
};

/// A made-up document that tries to break out of every format.
const HOSTILE: &str = "harbour/log <b>.md";

fn quote(document: &str, start: u64, text: &str) -> Quote {
    let document = DocumentId::new(document);
    let end = start + text.len() as u64;
    let passage = PassageId::of(&document, start, end, text);
    Quote {
        document,
        passage,
        start,
        end,
        text: text.to_owned(),
    }
}

fn claim(text: &str, quotes: Vec<Quote>) -> Claim {
    Claim::new(text, quotes).expect("quoted")
}

/// A claim that says what its quote says.
fn cited(quote: Quote) -> Claim {
    claim(&quote.text.clone(), vec![quote])
}

fn node(id: u32, text: &str, state: NodeState, answer: Option<(&str, AnswerKind)>) -> SubQuestion {
    let finding = (state == NodeState::Answered).then(|| Finding {
        node: NodeId(id),
        answer: answer.map(|(text, kind)| Answer {
            text: text.to_owned(),
            kind,
        }),
        claims: Vec::new(),
        confidence: 0.75,
        bridges: Vec::new(),
        open: Vec::new(),
        tried: vec![text.to_owned()],
        rounds: 1,
        stop: StopReason::Answered,
    });
    SubQuestion {
        id: NodeId(id),
        text: text.to_owned(),
        state,
        reason: if id == 0 {
            "the question".into()
        } else {
            "names a hop".into()
        },
        finding,
    }
}

/// A report with two sections, hostile text, a contradiction and an open question.
pub(super) fn answered() -> Report {
    let built = quote(
        "harbour/lighthouse.md",
        120,
        "The tower was designed by Ines Falk in 1888.",
    );
    let born = quote(
        HOSTILE,
        40,
        "Ines Falk <script>alert(1)</script> was born in [Skagen](x).",
    );
    let other = quote("people.jsonl#4", 7, "Falk, born in Aalborg, ...");
    let passage_of = |q: &Quote| q.passage;
    Report {
        run: RunId::new("20260102-030405-abcd"),
        question: "Where was the designer\nof the lighthouse born?".into(),
        reasoner: "extractive".into(),
        answer: Some(Answer {
            text: "Skagen".into(),
            kind: AnswerKind::Place,
        }),
        abstained: false,
        confidence: 0.75,
        sections: vec![
            Section {
                node: NodeId(1),
                heading: "Who designed the lighthouse?".into(),
                claims: vec![claim(&built.text, vec![built.clone()])],
            },
            Section {
                node: NodeId(2),
                heading: "Where was Ines Falk born?".into(),
                claims: vec![claim(&born.text, vec![born.clone(), built.clone()])],
            },
        ],
        sources: vec![
            Source {
                n: 1,
                document: born.document.clone(),
                title: "Log & <Ledger>".into(),
                location: Location {
                    page: None,
                    line: Some(3),
                    headings: vec!["1890".into()],
                },
                passage: passage_of(&born),
            },
            Source {
                n: 2,
                document: built.document.clone(),
                title: "The lighthouse".into(),
                location: Location {
                    page: Some(2),
                    line: None,
                    headings: Vec::new(),
                },
                passage: passage_of(&built),
            },
        ],
        not_found: vec![NotFound {
            node: NodeId(3),
            question: "When did Ines Falk die?".into(),
            tried: vec!["Ines Falk died".into(), "Falk death".into()],
            missing: vec!["a date of death".into()],
        }],
        contradictions: vec![Contradiction {
            about: "where Ines Falk was born".into(),
            claims: vec![cited(born), cited(other)],
        }],
        graph: GraphView {
            nodes: vec![
                node(
                    0,
                    "Where was the designer of the lighthouse born?",
                    NodeState::Answered,
                    Some(("Skagen", AnswerKind::Place)),
                ),
                node(
                    1,
                    "Who designed the lighthouse?",
                    NodeState::Answered,
                    Some(("Ines Falk", AnswerKind::Person)),
                ),
                node(
                    2,
                    "Where was Ines Falk born?",
                    NodeState::Answered,
                    Some(("Skagen", AnswerKind::Place)),
                ),
                node(3, "When did Ines Falk die?", NodeState::Unanswerable, None),
            ],
            edges: vec![
                Dependency {
                    from: NodeId(2),
                    on: NodeId(1),
                    reason: "needs the name".into(),
                },
                Dependency {
                    from: NodeId(3),
                    on: NodeId(1),
                    reason: "needs the name".into(),
                },
                Dependency {
                    from: NodeId(0),
                    on: NodeId(2),
                    reason: "last hop".into(),
                },
            ],
        },
        dropped: Vec::new(),
        stop_reason: StopReason::Answered,
        usage: Usage {
            queries: 5,
            passages: 23,
            rounds: 3,
            lm_calls: 0,
            lm_tokens: 0,
            lm_cached: 0,
            money_micros: 0,
            pages: 0,
            wall_ms: 41,
        },
        coverage: IndexCoverage {
            passages: 100,
            embedded: 60,
            left_out: 0,
        },
    }
}

/// A report that found nothing.
pub(super) fn abstained() -> Report {
    let full = answered();
    Report {
        question: "Who owns the moon?".into(),
        answer: None,
        abstained: true,
        confidence: 0.1,
        sections: Vec::new(),
        sources: Vec::new(),
        not_found: vec![NotFound {
            node: NodeId(0),
            question: "Who owns the moon?".into(),
            tried: vec!["who owns the moon".into()],
            missing: vec!["a passage that names an owner".into()],
        }],
        contradictions: Vec::new(),
        graph: GraphView {
            nodes: vec![node(0, "Who owns the moon?", NodeState::Unanswerable, None)],
            edges: Vec::new(),
        },
        stop_reason: StopReason::NothingFound,
        coverage: IndexCoverage {
            passages: 100,
            embedded: 100,
            left_out: 0,
        },
        ..full
    }
}
