//! What each edit does to the graph, and what the machine makes of it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "graph/planner.rs"]
mod planner;

use indago_core::{
    Answer, AnswerKind, Budget, Claim, Dependency, DocumentId, EditRefused, Event, Finding,
    GraphEdit, NodeId, NodeState, PassageId, Quote, Spend, StopReason, Usage,
};
use indago_planner::{
    Action, Fact, Limits, MAX_REOPENS, Planner, QuestionGraph, ROOT, Share, Steering, export,
};

const BUDGET: Budget = Budget {
    nodes: 6,
    depth: 2,
    rounds: 3,
    queries: 20,
    sources: 10,
    wall_ms: Some(1_000),
    ..Budget::STANDARD
};

fn add(text: &str, depends_on: &[u32]) -> GraphEdit {
    GraphEdit::Add {
        text: text.into(),
        reason: "needed".into(),
        depends_on: depends_on.iter().copied().map(NodeId).collect(),
    }
}

fn link(from: u32, on: u32) -> GraphEdit {
    GraphEdit::Link(Dependency {
        from: NodeId(from),
        on: NodeId(on),
        reason: "needs its answer".into(),
    })
}

fn prune(node: u32) -> GraphEdit {
    GraphEdit::Prune {
        node: NodeId(node),
        reason: "not needed".into(),
    }
}

fn reopen(node: u32) -> GraphEdit {
    GraphEdit::Reopen {
        node: NodeId(node),
        reason: "contradicted".into(),
    }
}

/// A finding whose evidence stands at byte `mark` of one document; none for 0.
fn finding(node: u32, mark: u64) -> Finding {
    let document = DocumentId::new("d");
    let quote = Quote {
        passage: PassageId::of(&document, mark, mark + 1, "x"),
        document,
        start: mark,
        end: mark + 1,
        text: "x".into(),
    };
    Finding {
        node: NodeId(node),
        answer: (mark > 0).then(|| Answer {
            text: "1931".into(),
            kind: AnswerKind::Time,
        }),
        claims: if mark > 0 {
            vec![Claim::new("c", vec![quote]).unwrap()]
        } else {
            Vec::new()
        },
        confidence: 0.8,
        bridges: Vec::new(),
        open: Vec::new(),
        tried: Vec::new(),
        rounds: 1,
        stop: StopReason::Answered,
    }
}

fn graph(edits: &[GraphEdit]) -> QuestionGraph {
    let mut graph = QuestionGraph::new("Who built the tower?", &BUDGET);
    for edit in edits {
        graph.apply(edit.clone()).unwrap();
    }
    graph
}

fn work(graph: &mut QuestionGraph, node: u32, mark: u64) {
    graph.start(NodeId(node)).unwrap();
    graph.settle(finding(node, mark)).unwrap();
}

fn state(graph: &QuestionGraph, node: u32) -> NodeState {
    graph.node(NodeId(node)).unwrap().state
}

#[test]
fn edits_that_would_break_the_graph_are_refused_with_the_reason() {
    let mut graph = graph(&[
        add("When was it built?", &[]),
        add("Who lived there?", &[1]),
    ]);
    let refused = |graph: &mut QuestionGraph, edit| graph.apply(edit).unwrap_err();
    assert_eq!(
        refused(&mut graph, link(1, 2)),
        EditRefused::Cycle {
            from: NodeId(1),
            on: NodeId(2)
        }
    );
    assert_eq!(
        refused(&mut graph, link(1, 1)),
        EditRefused::Cycle {
            from: NodeId(1),
            on: NodeId(1)
        }
    );
    assert_eq!(
        refused(&mut graph, add("WHEN was it  built", &[])),
        EditRefused::Duplicate(NodeId(1))
    );
    assert_eq!(
        refused(&mut graph, add(" ?", &[])),
        EditRefused::EmptyQuestion
    );
    assert_eq!(
        refused(&mut graph, add("How high?", &[9])),
        EditRefused::UnknownNode(NodeId(9))
    );
    assert!(matches!(
        refused(&mut graph, add(&"long ".repeat(2_000), &[])),
        EditRefused::QuestionTooLong { .. }
    ));
    graph.apply(add("How high?", &[2])).unwrap();
    assert_eq!(
        refused(&mut graph, add("How wide?", &[3])),
        EditRefused::DepthBudget(2)
    );
    assert_eq!(
        refused(&mut graph, prune(0)),
        EditRefused::WrongState {
            node: ROOT,
            state: NodeState::Ready
        }
    );
    graph.apply(add("How old?", &[])).unwrap();
    graph.apply(add("How wide?", &[])).unwrap();
    assert_eq!(
        refused(&mut graph, add("How deep?", &[])),
        EditRefused::NodeBudget(6)
    );
    graph
        .apply(GraphEdit::Finish {
            reason: "enough".into(),
        })
        .unwrap();
    assert_eq!(refused(&mut graph, add("Why?", &[])), EditRefused::Finished);
}

#[test]
fn a_link_that_makes_others_too_deep_is_refused() {
    let mut graph = graph(&[
        add("a?x", &[]),
        add("b?x", &[1]),
        add("c?x", &[]),
        add("d?x", &[3]),
    ]);
    // 3 -> 2 would put 4 at depth 3.
    assert_eq!(graph.apply(link(3, 2)), Err(EditRefused::DepthBudget(2)));
    // The root may wait for any of them.
    graph.apply(link(0, 2)).unwrap();
    graph.apply(link(0, 4)).unwrap();
    assert_eq!(state(&graph, 0), NodeState::Proposed);
}

#[test]
fn a_node_becomes_ready_when_the_last_thing_it_waits_for_has_ended() {
    let mut graph = graph(&[add("one", &[]), add("two", &[]), add("three", &[1, 2])]);
    work(&mut graph, 1, 1);
    assert_eq!(state(&graph, 3), NodeState::Proposed);
    work(&mut graph, 2, 0);
    assert_eq!(state(&graph, 2), NodeState::Unanswerable);
    assert_eq!(state(&graph, 3), NodeState::Ready);
}

#[test]
fn reopening_sends_back_what_was_built_on_it_and_keeps_the_old_findings() {
    let mut graph = graph(&[
        add("one", &[]),
        add("two", &[1]),
        add("three", &[2]),
        add("four", &[2]),
    ]);
    work(&mut graph, 1, 1);
    work(&mut graph, 2, 2);
    work(&mut graph, 3, 3);
    graph.start(NodeId(4)).unwrap();
    graph.apply(reopen(1)).unwrap();
    assert_eq!(
        [1, 2, 3, 4].map(|n| state(&graph, n)),
        [
            NodeState::Reopened,
            NodeState::Reopened,
            NodeState::Reopened,
            NodeState::Running
        ]
    );
    assert_eq!(
        graph.startable().collect::<Vec<_>>(),
        [NodeId(1), NodeId(0)]
    );
    // What was running meanwhile has to run again.
    graph.settle(finding(4, 4)).unwrap();
    assert_eq!(state(&graph, 4), NodeState::Reopened);
    work(&mut graph, 1, 11);
    work(&mut graph, 2, 12);
    work(&mut graph, 3, 13);
    work(&mut graph, 4, 14);
    assert_eq!(
        [1, 2, 3, 4].map(|n| state(&graph, n)),
        [NodeState::Answered; 4]
    );
    assert_eq!(graph.superseded(NodeId(3)), [finding(3, 3)]);
    assert_eq!(graph.superseded(NodeId(4)), [finding(4, 4)]);
}

#[test]
fn a_node_that_was_contradicted_too_often_is_left_as_disputed() {
    let mut graph = graph(&[add("one", &[])]);
    work(&mut graph, 1, 1);
    for i in 0..MAX_REOPENS {
        graph.apply(reopen(1)).unwrap();
        work(&mut graph, 1, u64::from(i) + 2);
    }
    assert!(matches!(
        graph.apply(reopen(1)),
        Err(EditRefused::Disputed { .. })
    ));
    assert_eq!(state(&graph, 1), NodeState::Answered);
}

#[test]
fn a_pruned_question_may_be_asked_again_and_frees_what_waited_for_it() {
    let mut graph = graph(&[add("one", &[]), add("two", &[1])]);
    graph.apply(prune(1)).unwrap();
    assert_eq!(state(&graph, 2), NodeState::Ready);
    assert_eq!(graph.apply(add("one", &[])), Ok(Some(NodeId(3))));
}

#[test]
fn rewording_keeps_the_node_and_frees_its_old_words() {
    let mut graph = graph(&[add("When was the builder born?", &[])]);
    graph
        .apply(GraphEdit::Reword {
            node: NodeId(1),
            text: "When was Elin Strand born?".into(),
            reason: "the builder is known".into(),
        })
        .unwrap();
    assert_eq!(
        graph.node(NodeId(1)).unwrap().text,
        "When was Elin Strand born?"
    );
    assert_eq!(
        graph.apply(add("When was the builder born?", &[])),
        Ok(Some(NodeId(2)))
    );
}

#[test]
fn pictures_escape_what_comes_from_outside() {
    let hostile = "Is \"<script>alert('x')</script>\" & ]--> bad?\u{7}";
    let mut graph = QuestionGraph::new(hostile, &BUDGET);
    graph.apply(add("another \\ one\" [", &[0])).unwrap();
    let view = graph.view();
    let svg = export::svg(&view);
    assert!(!svg.contains("<script") && svg.contains("&lt;script&gt;") && !svg.contains('\u{7}'));
    let dot = export::dot(&view);
    assert!(dot.contains("\\\"<script>") && dot.contains("another \\\\ one\\\" ["));
    let mermaid = export::mermaid(&view);
    assert!(!mermaid.contains("<script") && mermaid.matches("[\"").count() == 2);
}

#[test]
fn the_exports_of_a_small_graph_read_as_they_should() {
    let mut graph = graph(&[add("When was it built?", &[]), link(0, 1)]);
    work(&mut graph, 1, 1);
    let view = graph.view();
    assert_eq!(
        export::dot(&view),
        "digraph questions {\n  rankdir=TB;\n  node [shape=box, style=\"rounded,filled\", \
         fontname=\"sans-serif\"];\n  q0 [label=\"q0 (ready)\\nWho built the tower?\", \
         fillcolor=\"#ddf4ff\", color=\"#54aeff\"];\n  q1 [label=\"q1 (answered)\\nWhen was it \
         built?\\n= 1931\", fillcolor=\"#dafbe1\", color=\"#1a7f37\"];\n  q1 -> q0 \
         [tooltip=\"needs its answer\"];\n}\n"
    );
    assert_eq!(
        export::mermaid(&view),
        "flowchart TB\n  q0[\"q0 (ready)<br/>Who built the tower?\"]\n  q1[\"q1 (answered)<br/>When \
         was it built?<br/>= 1931\"]\n  q1 --> q0\n  style q0 \
         fill:#ddf4ff,stroke:#54aeff,color:#1f2328\n  style q1 \
         fill:#dafbe1,stroke:#1a7f37,color:#1f2328\n"
    );
    let svg = export::svg(&view);
    assert_eq!(svg.matches("<rect").count(), 2);
    assert_eq!(svg.matches("marker-end").count(), 1);
    let place = |word: &str| svg.find(word).unwrap();
    assert!(
        place("answered") > place("ready"),
        "boxes come in order of number"
    );
}
