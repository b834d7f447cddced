//! What is done next, and when a run ends.

use super::*;

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
