//! What each edit does to the graph, and what the machine makes of it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

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

fn planner(parallel: u32) -> Planner {
    Planner::new(
        "Who built the tower?",
        Limits {
            budget: BUDGET,
            parallel,
            stall: 1,
            ..Limits::STANDARD
        },
        0,
    )
}

/// The start of a node, whatever is reserved for it.
fn start(node: NodeId) -> Action {
    Action::Start {
        node,
        share: Share::default(),
    }
}

/// The end of searching, whatever is left for the writer.
fn write(stopped: Option<StopReason>) -> Action {
    Action::Write {
        stopped,
        share: Share::default(),
    }
}

fn next(planner: &mut Planner, now_ms: u64) -> Vec<Action> {
    let (actions, _) = planner.next_actions(now_ms);
    let plain = |action| match action {
        Action::Start { node, .. } => start(node),
        Action::Write { stopped, .. } => write(stopped),
        other => other,
    };
    actions.into_iter().map(plain).collect()
}

fn end(planner: &mut Planner, node: u32, mark: u64) -> Vec<Event> {
    let usage = Usage {
        queries: 1,
        ..Usage::default()
    };
    planner.record(
        Fact::Finished {
            finding: finding(node, mark),
            usage,
        },
        0,
    )
}

#[test]
fn nothing_starts_before_the_policy_was_asked_and_a_plain_question_is_one_search() {
    let mut planner = planner(4);
    assert_eq!(next(&mut planner, 0), [Action::AskPolicy { news: vec![] }]);
    assert_eq!(next(&mut planner, 0), []);
    planner.record(Fact::Planned(vec![]), 0);
    assert_eq!(next(&mut planner, 0), [start(ROOT)]);
    end(&mut planner, 0, 1);
    assert_eq!(
        next(&mut planner, 0),
        [Action::AskPolicy { news: vec![ROOT] }]
    );
    planner.record(Fact::Planned(vec![]), 0);
    assert_eq!(next(&mut planner, 0), [write(None)]);
    assert_eq!(next(&mut planner, 0), []);
}

#[test]
fn the_longest_remaining_path_starts_first() {
    let mut planner = planner(2);
    next(&mut planner, 0);
    planner.record(
        Fact::Planned(vec![
            add("short", &[]),
            add("long", &[]),
            add("after long", &[2]),
            link(0, 1),
            link(0, 3),
        ]),
        0,
    );
    assert_eq!(next(&mut planner, 0), [start(NodeId(2)), start(NodeId(1))]);
}

#[test]
fn what_depends_on_news_waits_for_the_policy_and_the_rest_does_not() {
    let mut planner = planner(2);
    next(&mut planner, 0);
    planner.record(
        Fact::Planned(vec![
            add("one", &[]),
            add("two", &[]),
            add("three", &[]),
            add("after one", &[1]),
            link(0, 4),
        ]),
        0,
    );
    assert_eq!(next(&mut planner, 0), [start(NodeId(1)), start(NodeId(2))]);
    end(&mut planner, 1, 1);
    assert_eq!(
        next(&mut planner, 0),
        [
            Action::AskPolicy {
                news: vec![NodeId(1)]
            },
            start(NodeId(3))
        ]
    );
    end(&mut planner, 2, 2);
    assert_eq!(
        next(&mut planner, 0),
        [],
        "node 4 may be reworded by the policy"
    );
    planner.record(
        Fact::Planned(vec![GraphEdit::Reword {
            node: NodeId(4),
            text: "after 1931".into(),
            reason: "known now".into(),
        }]),
        0,
    );
    assert_eq!(
        next(&mut planner, 0),
        [
            Action::AskPolicy {
                news: vec![NodeId(2)]
            },
            start(NodeId(4))
        ]
    );
}

#[test]
fn rounds_that_bring_nothing_new_end_the_run() {
    let mut planner = planner(1);
    next(&mut planner, 0);
    planner.record(
        Fact::Planned(vec![add("one", &[]), add("two", &[]), add("three", &[])]),
        0,
    );
    for node in 0..3 {
        assert!(next(&mut planner, 0).contains(&start(NodeId(node))));
        // Always the same passage: only the first is news.
        end(&mut planner, node, 1);
        planner.record(Fact::Planned(vec![]), 0);
    }
    assert_eq!(next(&mut planner, 0), [write(Some(StopReason::NoProgress))]);
    assert_eq!(
        planner.graph().node(NodeId(3)).unwrap().state,
        NodeState::Pruned
    );
}

#[test]
fn a_search_that_has_used_most_of_its_time_is_told_of_once() {
    let mut budget = BUDGET;
    budget.node.wall_ms = Some(500);
    let limits = Limits {
        budget,
        ..Limits::STANDARD
    };
    let mut planner = Planner::new("q?", limits, 0);
    next(&mut planner, 0);
    planner.record(Fact::Planned(vec![]), 0);
    next(&mut planner, 0);
    assert_eq!(planner.deadline_ms(0), Some(400));
    let told = Event::Spent {
        node: Some(NodeId(0)),
        what: Spend::WallTime,
        spent: 400,
        limit: 500,
    };
    assert_eq!(planner.record(Fact::Tick, 400), [told]);
    assert_eq!(planner.deadline_ms(400), Some(100));
    assert_eq!(planner.record(Fact::Tick, 450), []);
    let events = planner.record(Fact::Tick, 500);
    assert!(matches!(&events[0], Event::Warned { message } if message.contains("given up")));
}

#[test]
fn a_spent_budget_warns_first_and_ends_in_a_report() {
    let mut planner = planner(1);
    next(&mut planner, 0);
    planner.record(Fact::Planned(vec![add("one", &[]), add("two", &[])]), 0);
    next(&mut planner, 0);
    let usage = Usage {
        queries: 16,
        ..Usage::default()
    };
    let events = planner.record(
        Fact::Finished {
            finding: finding(0, 1),
            usage,
        },
        0,
    );
    assert!(events.iter().any(|e| matches!(
        e,
        Event::Spent {
            node: None,
            what: Spend::Queries,
            spent: 16,
            limit: 20
        }
    )));
    assert_eq!(planner.left(Spend::Queries), Some(4));
    planner.record(Fact::Planned(vec![]), 0);
    next(&mut planner, 0);
    let usage = Usage {
        queries: 4,
        ..Usage::default()
    };
    planner.record(
        Fact::Finished {
            finding: finding(1, 2),
            usage,
        },
        0,
    );
    planner.record(Fact::Planned(vec![]), 0);
    assert_eq!(next(&mut planner, 0), [write(Some(StopReason::Budget))]);
}

#[test]
fn searches_that_run_at_once_share_the_queries_that_are_left() {
    let mut planner = planner(2);
    next(&mut planner, 0);
    planner.record(
        Fact::Planned(vec![
            add("one", &[]),
            add("two", &[]),
            link(0, 1),
            link(0, 2),
        ]),
        0,
    );
    let shares = |planner: &mut Planner| -> Vec<u32> {
        let (actions, _) = planner.next_actions(0);
        let reserved = |action| match action {
            Action::Start { share, .. } => Some(share.queries),
            _ => None,
        };
        actions.into_iter().filter_map(reserved).collect()
    };
    // 20 queries for three nodes, of which the root has to wait.
    assert_eq!(shares(&mut planner), [7, 7]);
    assert_eq!(planner.left(Spend::Queries), Some(6));
    end(&mut planner, 1, 1);
    end(&mut planner, 2, 2);
    next(&mut planner, 0);
    planner.record(Fact::Planned(vec![]), 0);
    // What was reserved and not spent came back.
    assert_eq!(shares(&mut planner), [18]);
}

#[test]
fn when_time_is_over_nobody_waits_for_running_searches() {
    let mut planner = planner(2);
    next(&mut planner, 0);
    planner.record(Fact::Planned(vec![]), 0);
    assert_eq!(next(&mut planner, 0), [start(ROOT)]);
    planner.record(Fact::Tick, 1_000);
    assert_eq!(
        next(&mut planner, 1_000),
        [Action::Cancel(ROOT), write(Some(StopReason::Budget))]
    );
}

#[test]
fn pausing_holds_new_starts_and_resuming_lets_them_go() {
    let mut planner = planner(2);
    next(&mut planner, 0);
    planner.record(Fact::Planned(vec![]), 0);
    planner.record(Fact::Steered(Steering::Pause), 0);
    assert_eq!(next(&mut planner, 0), []);
    planner.record(Fact::Steered(Steering::Resume), 0);
    assert_eq!(next(&mut planner, 0), [start(ROOT)]);
}

#[test]
fn finishing_now_and_cancelling_differ_in_the_report() {
    for (steering, last) in [
        (Steering::FinishNow, write(Some(StopReason::FinishedEarly))),
        (Steering::Cancel, Action::Finish(StopReason::Cancelled)),
    ] {
        let mut planner = planner(2);
        next(&mut planner, 0);
        planner.record(Fact::Planned(vec![]), 0);
        next(&mut planner, 0);
        planner.record(Fact::Steered(steering), 0);
        assert_eq!(next(&mut planner, 0), [Action::Cancel(ROOT), last]);
    }
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
