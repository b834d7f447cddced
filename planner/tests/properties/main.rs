//! No sequence of edits, findings, failures and commands makes a cycle, a stuck run, a lost finding
//! or a node that two searchers work on at once.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod oracle;

use std::collections::{BTreeMap, BTreeSet};

use indago_core::{
    Answer, AnswerKind, Budget, BudgetChange, Claim, Dependency, DocumentId, Event, Finding,
    GraphEdit, GraphView, NodeId, NodeState, PassageId, Quote, StopReason, Usage,
};
use indago_planner::{Action, Fact, Limits, Planner, QuestionGraph, ROOT, Steering, export};
use proptest::prelude::*;

use oracle::Oracle;

const BUDGET: Budget = Budget {
    nodes: 12,
    depth: 4,
    rounds: 3,
    queries: 60,
    sources: 10,
    wall_ms: Some(10_000),
    ..Budget::STANDARD
};

fn finding(node: NodeId, mark: u64, has_evidence: bool) -> Finding {
    let document = DocumentId::new(format!("d{}", mark % 7));
    let quote = Quote {
        passage: PassageId::of(&document, mark, mark + 1, "x"),
        document,
        start: mark,
        end: mark + 1,
        text: "x".into(),
    };
    let claims = if has_evidence {
        vec![Claim::new("a claim", vec![quote]).unwrap()]
    } else {
        Vec::new()
    };
    Finding {
        node,
        answer: has_evidence.then(|| Answer {
            text: mark.to_string(),
            kind: AnswerKind::Entity,
        }),
        claims,
        confidence: 0.5,
        bridges: Vec::new(),
        open: Vec::new(),
        // Marks the finding, so that it can be looked for later.
        tried: vec![format!("mark {mark}")],
        rounds: 1,
        stop: StopReason::Answered,
    }
}

fn node() -> impl Strategy<Value = NodeId> {
    (0_u32..15).prop_map(NodeId)
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => (0_u32..30).prop_map(|i| format!("What is thing number {i}?")),
        1 => Just(String::new()),
        1 => Just(" ?? ".to_owned()),
        1 => Just("the WHAT is thing number 3".to_owned()),
        1 => Just("x".repeat(5_000)),
    ]
}

fn edit() -> impl Strategy<Value = GraphEdit> {
    let why = || Just("because".to_owned());
    prop_oneof![
        6 => (text(), why(), prop::collection::vec(node(), 0..4))
            .prop_map(|(text, reason, depends_on)| GraphEdit::Add { text, reason, depends_on }),
        4 => (node(), node(), why())
            .prop_map(|(from, on, reason)| GraphEdit::Link(Dependency { from, on, reason })),
        2 => (node(), text(), why())
            .prop_map(|(node, text, reason)| GraphEdit::Reword { node, text, reason }),
        2 => (node(), why()).prop_map(|(node, reason)| GraphEdit::Prune { node, reason }),
        3 => (node(), why()).prop_map(|(node, reason)| GraphEdit::Reopen { node, reason }),
        1 => why().prop_map(|reason| GraphEdit::Finish { reason }),
    ]
}

fn assert_sound(view: &GraphView) {
    let mut incoming: Vec<usize> = vec![0; view.nodes.len()];
    let mut pairs = BTreeSet::new();
    for edge in &view.edges {
        incoming[edge.from.0 as usize] += 1;
        assert!(pairs.insert((edge.from, edge.on)), "an edge is doubled");
    }
    // Kahn's algorithm, as an oracle that shares nothing with the graph's own check.
    let mut open: Vec<NodeId> = view
        .nodes
        .iter()
        .filter(|n| incoming[n.id.0 as usize] == 0)
        .map(|n| n.id)
        .collect();
    let mut sorted = 0;
    while let Some(on) = open.pop() {
        sorted += 1;
        for edge in view.edges.iter().filter(|edge| edge.on == on) {
            incoming[edge.from.0 as usize] -= 1;
            if incoming[edge.from.0 as usize] == 0 {
                open.push(edge.from);
            }
        }
    }
    assert_eq!(sorted, view.nodes.len(), "a cycle");
    let settled = |id: NodeId| {
        matches!(
            view.nodes[id.0 as usize].state,
            NodeState::Answered | NodeState::Unanswerable | NodeState::Pruned
        )
    };
    for node in &view.nodes {
        let is_free = view
            .edges
            .iter()
            .filter(|e| e.from == node.id)
            .all(|e| settled(e.on));
        match node.state {
            NodeState::Ready => assert!(is_free, "{} is ready but waits", node.id),
            NodeState::Proposed => assert!(!is_free, "{} waits for nothing", node.id),
            NodeState::Answered => assert!(node.finding.is_some(), "{} has no finding", node.id),
            _ => {}
        }
    }
}

/// The list that is kept up to date against one made from scratch.
fn assert_listed(graph: &QuestionGraph) {
    let mut expected: Vec<NodeId> = graph
        .nodes()
        .map(|node| node.id)
        .filter(|id| graph.may_start(*id))
        .collect();
    expected.sort_by_key(|id| (std::cmp::Reverse(graph.rank(*id)), *id));
    assert_eq!(graph.startable().collect::<Vec<_>>(), expected);
    let waiting = graph.nodes().filter(|node| {
        matches!(
            node.state,
            NodeState::Proposed | NodeState::Ready | NodeState::Reopened
        )
    });
    assert_eq!(graph.waiting() as usize, waiting.count());
}

#[derive(Clone, Debug)]
enum Move {
    Edit(GraphEdit),
    Start,
    /// A running node ends; now and then with the words of last time.
    Settle {
        which: usize,
        has_evidence: bool,
        says: u64,
    },
}

fn graph_move() -> impl Strategy<Value = Move> {
    prop_oneof![
        4 => edit().prop_map(Move::Edit),
        3 => Just(Move::Start),
        3 => (0_usize..8, prop::bool::weighted(0.8), 0_u64..2).prop_map(|(which, has_evidence, says)| {
            Move::Settle { which, has_evidence, says }
        }),
    ]
}

#[derive(Clone, Debug)]
enum Outside {
    /// The policy answers, if it was asked.
    Plan(Vec<GraphEdit>),
    PlanFails,
    /// A running node ends.
    End {
        which: usize,
        has_evidence: bool,
        queries: u64,
    },
    Fail {
        which: usize,
    },
    /// A node ends that nobody runs.
    Ghost(NodeId),
    Steer(Steering),
    Wait(u64),
}

fn outside() -> impl Strategy<Value = Outside> {
    prop_oneof![
        6 => prop::collection::vec(edit(), 0..4).prop_map(Outside::Plan),
        1 => Just(Outside::PlanFails),
        8 => (0_usize..8, any::<bool>(), 0_u64..5).prop_map(|(which, has_evidence, queries)| {
            Outside::End { which, has_evidence, queries }
        }),
        1 => (0_usize..8).prop_map(|which| Outside::Fail { which }),
        1 => node().prop_map(Outside::Ghost),
        1 => prop::collection::vec(edit(), 0..3)
            .prop_map(|edits| Outside::Steer(Steering::Edit { edits })),
        1 => prop_oneof![
            3 => Just(Steering::Pause),
            3 => Just(Steering::Resume),
            1 => Just(Steering::Approve),
            1 => Just(Steering::Clarify { reading: "the tower in Paris".into() }),
            1 => (0_u32..30, 0_u64..20_000).prop_map(|(queries, wall_ms)| Steering::SetBudget {
                change: BudgetChange {
                    queries: Some(queries),
                    wall_ms: Some(wall_ms),
                    ..BudgetChange::default()
                },
            }),
            1 => (0_u32..7).prop_map(|n| Steering::Distrust {
                document: DocumentId::new(format!("d{n}")),
                reason: "it is a joke".into(),
            }),
            1 => text().prop_map(|question| Steering::FollowUp { question }),
            1 => Just(Steering::FinishNow),
            1 => Just(Steering::Cancel),
        ]
        .prop_map(Outside::Steer),
        2 => (0_u64..3_000).prop_map(Outside::Wait),
    ]
}

/// Plays the driver: does what the planner says and keeps its own account.
struct Model {
    planner: Planner,
    now_ms: u64,
    running: BTreeSet<NodeId>,
    asked: bool,
    paused: bool,
    marks: u64,
    kept: BTreeMap<NodeId, Vec<String>>,
    end: Option<Action>,
    states: BTreeMap<NodeId, NodeState>,
    ahead: BTreeSet<NodeId>,
}

impl Model {
    fn new(parallel: u32, speculate: bool, approve: bool) -> Self {
        let limits = Limits {
            budget: BUDGET,
            parallel,
            stall: 3,
            speculate,
            approve,
        };
        Self {
            planner: Planner::new("Who built the tower?", limits, 1_000),
            now_ms: 1_000,
            running: BTreeSet::new(),
            asked: false,
            paused: false,
            marks: 0,
            kept: BTreeMap::new(),
            end: None,
            states: BTreeMap::new(),
            ahead: BTreeSet::new(),
        }
    }

    fn hear(&mut self, events: Vec<Event>) {
        for event in events {
            match event {
                Event::Moved { node, state } => {
                    self.states.insert(node, state);
                }
                Event::Paused { .. } => {
                    assert!(!self.paused, "paused twice");
                    self.paused = true;
                }
                Event::Resumed {} => {
                    assert!(self.paused, "resumed without a pause");
                    self.paused = false;
                }
                _ => {}
            }
        }
    }

    fn act(&mut self) {
        let (actions, events) = self.planner.next_actions(self.now_ms);
        self.hear(events);
        for action in actions {
            assert!(self.end.is_none(), "{action:?} after the end");
            match action {
                Action::AskPolicy { .. } => {
                    assert!(!self.asked, "asked twice at once");
                    self.asked = true;
                }
                Action::Start { node, share } => {
                    assert!(share.queries > 0);
                    assert!(self.running.insert(node), "{node} is worked on twice");
                }
                Action::CancelPolicy => {
                    // A call that was answered in the same turn is not under way any more.
                    self.asked = false;
                }
                Action::Speculate(node) => {
                    assert!(self.ahead.insert(node), "{node} is worked on ahead twice");
                    let state = self.planner.graph().node(node).unwrap().state;
                    assert!(!matches!(state, NodeState::Running | NodeState::Answered));
                }
                Action::Cancel(node) => {
                    self.running.remove(&node);
                }
                end @ (Action::Write { .. } | Action::Finish(_)) => {
                    self.running.clear();
                    self.end = Some(end);
                }
            }
        }
        let view = self.planner.view();
        assert_sound(&view);
        for node in &view.nodes {
            assert_eq!(
                self.states.get(&node.id),
                Some(&node.state),
                "a move was not told"
            );
            if node.state == NodeState::Running {
                assert!(self.running.contains(&node.id) || self.end.is_some());
            }
        }
        if self.end.is_none() && !self.paused {
            assert!(self.asked || !self.running.is_empty(), "stuck: {view:?}");
        }
        assert!(view.nodes.len() <= BUDGET.nodes as usize);
    }

    fn record(&mut self, fact: Fact) {
        let events = self.planner.record(fact, self.now_ms);
        self.hear(events);
    }

    fn end_node(&mut self, which: usize, has_evidence: bool, queries: u64) {
        let Some(&node) = self.running.iter().nth(which % self.running.len().max(1)) else {
            return;
        };
        self.running.remove(&node);
        self.marks += 1;
        let finding = finding(node, self.marks, has_evidence);
        self.kept
            .entry(node)
            .or_default()
            .push(finding.tried[0].clone());
        let usage = Usage {
            queries,
            ..Usage::default()
        };
        self.record(Fact::Finished { finding, usage });
    }

    fn step(&mut self, outside: Outside) {
        match outside {
            Outside::Plan(edits) if self.asked => {
                self.asked = false;
                self.record(Fact::Planned(edits));
            }
            Outside::PlanFails if self.asked => {
                self.asked = false;
                self.record(Fact::PlanFailed("out of tokens".into()));
            }
            Outside::Plan(_) | Outside::PlanFails => {}
            Outside::End {
                which,
                has_evidence,
                queries,
            } => {
                self.end_node(which, has_evidence, queries);
            }
            Outside::Fail { which } => {
                let Some(&node) = self.running.iter().nth(which % self.running.len().max(1)) else {
                    return;
                };
                self.running.remove(&node);
                self.record(Fact::Failed {
                    node,
                    reason: "it hung".into(),
                });
            }
            Outside::Ghost(node) => {
                if !self.running.contains(&node) {
                    self.record(Fact::Finished {
                        finding: finding(node, 1 << 40, true),
                        usage: Usage::default(),
                    });
                }
            }
            Outside::Steer(steering) => {
                self.record(Fact::Steered(steering));
            }
            Outside::Wait(ms) => {
                self.now_ms += ms;
                self.record(Fact::Tick);
            }
        }
    }
}

/// Every finding that was handed in is still there, as the node's own or as a superseded one.
fn assert_nothing_lost(graph: &QuestionGraph, kept: &BTreeMap<NodeId, Vec<String>>) {
    for (node, marks) in kept {
        let current = graph.node(*node).and_then(|n| n.finding.as_ref());
        let all: BTreeSet<&str> = graph
            .superseded(*node)
            .iter()
            .chain(current)
            .flat_map(|finding| finding.tried.iter().map(String::as_str))
            .collect();
        for mark in marks {
            assert!(all.contains(mark.as_str()), "{mark} of {node} is lost");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, ..ProptestConfig::default() })]

    #[test]
    fn the_graph_stays_sound_under_any_edits(moves in prop::collection::vec(graph_move(), 1..40)) {
        let mut graph = QuestionGraph::new("Who built the tower?", &BUDGET);
        let mut oracle = Oracle::new("Who built the tower?", BUDGET);
        let mut marks = 0;
        let mut kept: BTreeMap<NodeId, Vec<String>> = BTreeMap::new();
        for one in moves {
            let before = graph.view();
            match one {
                Move::Edit(edit) => {
                    let expected = oracle.apply(&edit);
                    let outcome = graph.apply(edit).map(|_| ());
                    prop_assert_eq!(&outcome, &expected);
                    if outcome.is_err() {
                        prop_assert_eq!(&graph.view(), &before, "a refused edit changed the graph");
                    }
                }
                Move::Start => {
                    let first = graph.startable().next();
                    if let Some(node) = first {
                        graph.start(node).unwrap();
                        oracle.start(node.0 as usize);
                    }
                }
                Move::Settle { which, has_evidence, says } => {
                    // A finding for a node that was pruned meanwhile is late, but not lost.
                    let may_end: Vec<NodeId> = graph
                        .nodes()
                        .filter(|n| matches!(n.state, NodeState::Running | NodeState::Pruned))
                        .map(|n| n.id)
                        .collect();
                    if let Some(node) = may_end.get(which % may_end.len().max(1)) {
                        marks += 1;
                        let mut finding = finding(*node, says, has_evidence);
                        finding.tried = vec![format!("mark {marks}")];
                        kept.entry(*node).or_default().push(finding.tried[0].clone());
                        oracle.settle(finding.clone());
                        graph.settle(finding).unwrap();
                    }
                }
            }
            oracle.assert_is(&graph);
            assert_sound(&graph.view());
            assert_listed(&graph);
        }
        assert_nothing_lost(&graph, &kept);
        let view = graph.view();
        prop_assert!(export::svg(&view).ends_with("</svg>\n"));
        prop_assert_eq!(export::dot(&view), export::dot(&view.clone()));
    }

    #[test]
    fn no_run_is_stuck_and_no_finding_is_lost(
        parallel in 1_u32..5,
        speculate in any::<bool>(),
        approve in prop::bool::weighted(0.2),
        script in prop::collection::vec(outside(), 0..40),
    ) {
        let mut model = Model::new(parallel, speculate, approve);
        model.act();
        for outside in script {
            if model.end.is_some() {
                break;
            }
            model.step(outside);
            model.act();
        }
        // Whatever happened, a patient driver gets the run to its end.
        for _ in 0..200 {
            if model.end.is_some() {
                break;
            }
            if model.paused {
                model.record(Fact::Steered(Steering::Resume));
                model.act();
                continue;
            }
            if model.asked {
                model.asked = false;
                model.record(Fact::Planned(Vec::new()));
            } else {
                model.end_node(0, true, 1);
            }
            model.act();
        }
        prop_assert!(model.end.is_some(), "the run never ends");
        prop_assert!(model.planner.is_done());
        let graph = model.planner.graph();
        assert_nothing_lost(graph, &model.kept);
        for node in graph.nodes().filter(|n| n.id != ROOT) {
            prop_assert!(
                matches!(
                    node.state,
                    NodeState::Answered | NodeState::Unanswerable | NodeState::Pruned
                ),
                "{} is left {:?}", node.id, node.state
            );
        }
    }
}
