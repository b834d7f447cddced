//! Planners and searchers that misbehave, and work done ahead: the run ends with a report and says
//! why, and what is quick to say is said without waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use indago_core::ports::{BoxFuture, PlanPolicy, Purse, RunEngine as _, TaskCtx, TaskError};
use indago_core::{
    Budget, Dependency, Event, GraphEdit, GraphView, NodeBudget, NodeId, NodeState, Report, RunId,
    Spend, Steering, StopReason,
};
use indago_planner::{Limits, policy};
use indago_workflows::deep_research::{Research, ResearchInput};
use indago_workflows::journal::MemoryJournal;
use indago_workflows::{Engine, Registry, TaskFuture};
use serde_json::{Value, json};

use crate::library::Dozen;
use crate::runs::QUESTION;

/// What a bad policy proposes, given how often it was asked.
type Propose = fn(u32, &GraphView) -> Vec<GraphEdit>;

struct Bad {
    propose: Propose,
    asked: AtomicU32,
    hangs: bool,
}

impl PlanPolicy for Bad {
    fn name(&self) -> &'static str {
        "bad"
    }

    fn paraphrases(&self) -> bool {
        true
    }

    fn plan<'a>(
        &'a self,
        _cx: &'a mut dyn TaskCtx,
        graph: &'a GraphView,
        _news: &'a [NodeId],
        _purse: Purse<'a>,
    ) -> BoxFuture<'a, Result<Vec<GraphEdit>, TaskError>> {
        Box::pin(async move {
            if self.hangs {
                std::future::pending::<()>().await;
            }
            Ok((self.propose)(
                self.asked.fetch_add(1, Ordering::Relaxed),
                graph,
            ))
        })
    }
}

fn registry(propose: Propose, hangs: bool) -> Registry {
    let policy = Bad {
        propose,
        asked: AtomicU32::new(0),
        hangs,
    };
    let journal = Arc::new(MemoryJournal::new());
    Research::extractive(Arc::new(Dozen::new()), Arc::new(policy), journal).registry()
}

fn add(text: impl Into<String>, depends_on: &[u32]) -> GraphEdit {
    GraphEdit::Add {
        text: text.into(),
        reason: "because".into(),
        depends_on: depends_on.iter().copied().map(NodeId).collect(),
    }
}

fn link(from: u32, on: u32) -> GraphEdit {
    GraphEdit::Link(Dependency {
        from: NodeId(from),
        on: NodeId(on),
        reason: "because".into(),
    })
}

async fn run(registry: Registry, input: ResearchInput) -> (Report, Vec<Event>) {
    let engine = Engine::new(Arc::new(MemoryJournal::new()), registry);
    let id = RunId::new("bad");
    engine
        .start(id.clone(), input.spec(7).unwrap())
        .await
        .unwrap();
    let ended = tokio::time::timeout(Duration::from_mins(1), engine.attach(id.clone())).await;
    let report = serde_json::from_value(ended.expect("the run is stuck").unwrap()).unwrap();
    let events = engine.events(&id).unwrap();
    (report, events.into_iter().map(|e| e.event).collect())
}

fn input() -> ResearchInput {
    ResearchInput::new(QUESTION, "dozen")
}

fn refusals(events: &[Event]) -> usize {
    let refused = |event: &&Event| matches!(event, Event::Refused { .. });
    events.iter().filter(refused).count()
}

#[tokio::test]
async fn cycles_duplicates_empty_questions_and_unknown_nodes_are_refused_and_the_run_goes_on() {
    let propose: Propose = |asked, _| match asked {
        0 => vec![
            add("Who built the Harbour Tower?", &[]),
            add("who BUILT the harbour tower", &[]),
            add("Who was it that built the Harbour Tower?", &[]),
            add("", &[]),
            add("Where was that builder born?", &[1]),
            link(1, 5),
            link(5, 5),
            link(0, 1),
            link(0, 99),
            GraphEdit::Prune {
                node: NodeId(77),
                reason: "no".into(),
            },
            GraphEdit::Reopen {
                node: NodeId(1),
                reason: "no".into(),
            },
        ],
        _ => vec![],
    };
    let (report, events) = run(registry(propose, false), input()).await;
    assert!(!report.abstained, "{report:?}");
    assert!(refusals(&events) >= 5, "{events:?}");
    let merged: Vec<_> = events
        .iter()
        .filter_map(|e| match e {
            Event::Merged { into, reason, .. } => Some((*into, reason.as_str())),
            _ => None,
        })
        .collect();
    assert!(
        merged.contains(&(NodeId(1), "the same words")),
        "{merged:?}"
    );
    // The fifth addition counts on being node 5; it stands where it came to stand.
    assert!(report.graph.nodes.len() <= 4);
}

#[tokio::test]
async fn ten_thousand_nodes_and_a_plan_without_end_stay_within_the_budget() {
    let propose: Propose = |asked, _| {
        (0..10_000)
            .map(|i| add(format!("What is thing {asked} of {i}?"), &[]))
            .collect()
    };
    let mut input = input();
    input.limits.budget.nodes = 12;
    input.limits.stall = 1_000;
    let (report, events) = run(registry(propose, false), input).await;
    assert_eq!(report.graph.nodes.len(), 12);
    assert!(events.len() < 4_000, "{} events", events.len());
    assert!(events.iter().any(|e| matches!(
        e,
        Event::Spent {
            node: None,
            what: Spend::Nodes,
            spent: 12,
            limit: 12
        }
    )));
}

#[tokio::test]
async fn a_policy_that_hangs_or_panics_leaves_the_question_as_it_stands() {
    let mut slow = input();
    slow.limits.budget.node = NodeBudget {
        wall_ms: Some(300),
        ..NodeBudget::STANDARD
    };
    let (report, events) = run(registry(|_, _| vec![], true), slow).await;
    let gave_up =
        |e: &Event| matches!(e, Event::Warned { message } if message.contains("given up"));
    assert!(events.iter().any(gave_up), "{events:?}");
    assert!(!report.sections.is_empty() || report.abstained);

    let (report, events) = run(registry(|_, _| panic!("no idea"), false), input()).await;
    let failed =
        |e: &Event| matches!(e, Event::Warned { message } if message.contains("planning failed"));
    assert!(events.iter().any(failed));
    assert!(!report.abstained);
}

/// A searcher that is bad on the first part only.
fn search_badly(kind: &'static str) -> impl Fn(&mut dyn TaskCtx, Value) -> TaskFuture<'_> {
    move |_cx, input| {
        Box::pin(async move {
            match kind {
                _ if input["node"] != json!(1) => Ok(json!({
                    "finding": {
                        "node": 0, "answer": null, "claims": [], "confidence": 0.1, "bridges": [],
                        "open": ["all of it"], "tried": [], "rounds": 1, "stop": "nothing_found",
                    },
                    "usage": { "queries": 1, "passages": 0, "rounds": 1, "lm_calls": 0,
                               "lm_tokens": 0, "wall_ms": 0 },
                })),
                "panics" => panic!("out of my depth"),
                "hangs" => {
                    std::future::pending::<()>().await;
                    Ok(Value::Null)
                }
                _ => Ok(json!({ "finding": [1, 2, 3], "usage": "a lot" })),
            }
        })
    }
}

#[tokio::test]
async fn a_searcher_that_panics_hangs_or_returns_garbage_ends_its_node_only() {
    let propose: Propose = |asked, _| match asked {
        0 => vec![
            add("Who built the Harbour Tower?", &[]),
            add("When was it built?", &[]),
            link(0, 1),
            link(0, 2),
        ],
        _ => vec![],
    };
    for (kind, why) in [
        ("panics", "out of my depth"),
        ("hangs", "longer than 400 ms"),
        ("garbage", "does not fit"),
    ] {
        let registry = registry(propose, false).with("sub_question", search_badly(kind));
        let mut input = input();
        input.limits.budget.node.wall_ms = Some(400);
        let (report, events) = run(registry, input).await;
        assert_eq!(
            report.graph.nodes[1].state,
            NodeState::Unanswerable,
            "{kind}"
        );
        assert_eq!(report.graph.nodes.len(), 3);
        let said = |e: &Event| matches!(e, Event::Warned { message } if message.contains(why));
        assert!(events.iter().any(said), "{kind}: {events:?}");
    }
}

#[tokio::test]
async fn a_run_that_runs_out_mid_way_still_gives_a_cited_report() {
    let policy = Arc::from(policy::by_name("extractive").unwrap());
    let journal = Arc::new(MemoryJournal::new());
    let registry = Research::extractive(Arc::new(Dozen::new()), policy, journal).registry();
    let mut input = input();
    input.limits.budget = Budget {
        queries: 3,
        ..input.limits.budget
    };
    let (report, events) = run(registry, input).await;
    assert_eq!(report.stop_reason, StopReason::Budget);
    assert!(report.sections.iter().any(|s| !s.claims.is_empty()));
    assert!(events.iter().any(|e| matches!(
        e,
        Event::Spent {
            what: Spend::Queries,
            ..
        }
    )));
}

#[tokio::test]
async fn work_done_ahead_shows_in_the_trace_and_changes_nothing_else() {
    let report_of = async |speculate: bool| {
        let policy = Arc::from(policy::by_name("extractive").unwrap());
        let journal = Arc::new(MemoryJournal::new());
        let registry = Research::extractive(Arc::new(Dozen::new()), policy, journal).registry();
        let mut input = input();
        input.limits = Limits {
            speculate,
            // One at a time: the others wait, and are worked on ahead.
            parallel: 1,
            ..input.limits
        };
        input.question = "Was the Harbour Tower or the Mill Bridge built first?".into();
        let (mut report, events) = run(registry, input).await;
        report.usage.wall_ms = 0;
        let ahead: Vec<(u32, u32)> = events
            .iter()
            .filter_map(|e| match e {
                Event::Speculated { calls, used, .. } => Some((*calls, *used)),
                _ => None,
            })
            .collect();
        (report, ahead)
    };
    let (without, none) = report_of(false).await;
    let (with, ahead) = report_of(true).await;
    assert_eq!(with, without);
    assert_eq!(none, []);
    assert!(!ahead.is_empty());
}

#[tokio::test]
async fn a_plan_that_has_to_be_approved_waits_and_takes_edits_meanwhile() {
    let policy = Arc::from(policy::by_name("extractive").unwrap());
    let journal = Arc::new(MemoryJournal::new());
    let registry = Research::extractive(Arc::new(Dozen::new()), policy, journal).registry();
    let engine = Engine::new(Arc::new(MemoryJournal::new()), registry);
    let mut input = input();
    input.limits.approve = true;
    let run = engine
        .begin(RunId::new("approve"), input.spec(7).unwrap())
        .await
        .unwrap();
    let mut events = run.events(0).unwrap();
    let mut before = Vec::new();
    while let Some(event) = events.next().await.unwrap() {
        let is_paused = matches!(event.event, Event::Paused { .. });
        before.push(event.event.clone());
        if is_paused {
            break;
        }
    }
    let running = |event: &Event| {
        matches!(
            event,
            Event::Moved {
                state: NodeState::Running,
                ..
            }
        )
    };
    assert!(!before.iter().any(running), "something started unapproved");
    run.steer(Steering::add("Who owns the Mill Bridge?", vec![]))
        .await
        .unwrap();
    run.steer(Steering::Approve).await.unwrap();
    let report: Report = serde_json::from_value(run.output().await.unwrap()).unwrap();
    assert!(
        report
            .graph
            .nodes
            .iter()
            .any(|node| node.text == "Who owns the Mill Bridge?" && node.finding.is_some())
    );
}
