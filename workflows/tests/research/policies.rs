//! Every plan policy from question to report: those without a model as they are, those with one
//! against the oracle, which knows the parts of the question and answers only what it is shown.

use std::sync::Arc;

use indago_agents::model::{ModelAuthor, Models};
use indago_agents::operators::registry;
use indago_core::ports::RunEngine as _;
use indago_core::{Event, GraphEdit, NodeId, NodeState, Report, RunId, SubQuestion};
use indago_oracle::{Gold, Hop, Oracle, OracleModel, Recorded};
use indago_planner::{export, policy};
use indago_workflows::deep_research::{Research, ResearchInput};
use indago_workflows::journal::MemoryJournal;
use indago_workflows::{Engine, MemoryEngine};

use crate::library::Dozen;
use crate::runs::{QUESTION, engine};

fn gold() -> Gold {
    let hop = |ask: &str, answer: &str, support: &str, document: &str| Hop {
        ask: ask.to_owned(),
        answer: answer.to_owned(),
        support: vec![support.to_owned()],
        document: document.to_owned(),
    };
    Gold {
        id: "1".into(),
        question: QUESTION.into(),
        answers: vec!["Hamar".into()],
        hops: vec![
            hop(
                "Who built the Harbour Tower?",
                "Elin Strand",
                "The Harbour Tower was built by Elin Strand in 1931.",
                "d00",
            ),
            hop(
                "Where was #1 born?",
                "Hamar",
                "She was born in Hamar in 1889.",
                "d01",
            ),
        ],
    }
}

struct Ran {
    report: Report,
    events: Vec<Event>,
    recorded: Vec<Recorded>,
}

impl Ran {
    fn part(&self, text: &str) -> &SubQuestion {
        let nodes = &self.report.graph.nodes;
        nodes
            .iter()
            .find(|node| node.text == text)
            .unwrap_or_else(|| panic!("nobody asked `{text}`: {nodes:?}"))
    }

    fn on(&self, node: NodeId) -> Vec<NodeId> {
        self.report.graph.dependencies(node).map(|n| n.id).collect()
    }
}

async fn with_model(name: &str) -> Ran {
    let model = OracleModel::new(Arc::new(Oracle::new([gold()])));
    let models = Models::one(Arc::new(model.clone()));
    let journal = Arc::new(MemoryJournal::new());
    let research = Research::new(
        Arc::new(Dozen::new()),
        Arc::from(registry::plan_policy(name, &models).unwrap()),
        Arc::from(registry::reading("auto_rag", &models, Some(3)).unwrap()),
        Arc::new(ModelAuthor::new(models, 300)),
        Arc::clone(&journal) as _,
    );
    let engine = MemoryEngine::new(journal, research.registry());
    let id = RunId::new("planned");
    let input = ResearchInput::new(QUESTION, "dozen").spec(7).unwrap();
    engine.start(id.clone(), input).await.unwrap();
    let output = engine.attach(id.clone()).await.unwrap();
    let recorded = model.take_recorded();
    assert_eq!(engine.replay(&id).await.unwrap(), output, "{name}");
    assert!(
        model.take_recorded().is_empty(),
        "{name}: a replay asked the model"
    );
    let events = engine.events(&id).unwrap();
    Ran {
        report: serde_json::from_value(output).unwrap(),
        events: events.into_iter().map(|e| e.event).collect(),
        recorded,
    }
}

#[tokio::test]
async fn every_model_driven_policy_finds_both_parts_in_order_and_never_sees_a_passage() {
    for name in registry::PLAN_POLICIES {
        let ran = with_model(name).await;
        let first = ran.part("Who built the Harbour Tower?");
        let second = ran.part("Where was Elin Strand born?");
        assert_eq!(first.state, NodeState::Answered, "{name}");
        assert_eq!(second.state, NodeState::Answered, "{name}");
        assert_eq!(ran.on(second.id), [first.id], "{name}");
        let root = ran.on(NodeId(0));
        assert!(
            root.contains(&first.id) && root.contains(&second.id),
            "{name}"
        );
        let documents: Vec<_> = ran
            .report
            .sources
            .iter()
            .map(|s| s.document.as_str())
            .collect();
        assert!(
            documents.contains(&"d00") && documents.contains(&"d01"),
            "{name}: {documents:?}"
        );
        let plans = ["\"ops\"", "\"perspectives\"", "\"done\"", "\"questions\""];
        let planning = |r: &&Recorded| plans.iter().any(|mark| r.reply.contains(mark));
        let asked: Vec<_> = ran.recorded.iter().filter(planning).collect();
        assert!(asked.len() >= 2, "{name} is asked turn by turn");
        assert!(asked.iter().all(|r| r.passages.is_empty()), "{name}");
    }
}

#[tokio::test]
async fn opposing_questions_come_once_the_plan_is_complete_and_name_what_they_doubt() {
    let ran = with_model("mind_search+opposing").await;
    let doubts: Vec<_> = ran
        .report
        .graph
        .nodes
        .iter()
        .filter(|node| node.reason.starts_with("opposing "))
        .collect();
    // Every doubt of the reply, but for what asks the same in other words.
    let reply = ran.recorded.iter().find(|r| r.reply.contains("\"about\""));
    let reply: serde_json::Value = serde_json::from_str(&reply.unwrap().reply).unwrap();
    let said = reply["questions"].as_array().unwrap().len();
    let is_doubt = |edit: &GraphEdit| matches!(edit, GraphEdit::Add { reason, .. } if reason.starts_with("opposing "));
    let proposed = ran.events.iter().filter(|event| match event {
        Event::Edited { edit, .. } | Event::Merged { edit, .. } => is_doubt(edit),
        _ => false,
    });
    assert_eq!(proposed.count(), said, "{reply}");
    assert!(!doubts.is_empty());
    for node in &doubts {
        let on = ran.on(node.id);
        assert_eq!(format!("opposing {}", on[0]), node.reason);
        assert!(ran.on(NodeId(0)).contains(&node.id));
    }
    let position = |wanted: &dyn Fn(&Event) -> bool| ran.events.iter().position(wanted).unwrap();
    let last_part = ran.part("Where was Elin Strand born?").id;
    let answered = position(
        &|e| matches!(e, Event::Moved { node, state: NodeState::Answered } if *node == last_part),
    );
    let doubted = position(
        &|e| matches!(e, Event::Edited { edit: GraphEdit::Add { reason, .. }, .. } if reason.starts_with("opposing ")),
    );
    assert!(answered < doubted);
}

#[tokio::test]
async fn every_policy_without_a_model_answers_and_sequential_asks_one_at_a_time() {
    const COMPARED: &str = "Which was built first, the Harbour Tower or the River Mill?";
    for name in policy::NAMES {
        let engine = engine(Arc::new(MemoryJournal::new()), &Arc::new(Dozen::new()));
        for (nth, question) in [QUESTION, COMPARED].into_iter().enumerate() {
            let (report, events) = planned(&engine, name, nth, question).await;
            assert!(!report.sections.is_empty(), "{name}: {question}");
            if name == "sequential" {
                assert!(most_running(&events) == 1, "{question}");
            }
            if (name, nth) == ("sequential", 1) || (name, nth) == ("extractive", 1) {
                assert_eq!(report.graph.nodes.len(), 3, "{name}");
            }
            if (name, nth) == ("extractive", 1) {
                assert_eq!(most_running(&events), 2);
            }
        }
    }
}

async fn planned(
    engine: &Engine<MemoryJournal>,
    name: &str,
    nth: usize,
    question: &str,
) -> (Report, Vec<Event>) {
    let id = RunId::new(format!("{name}-{nth}"));
    let input = ResearchInput {
        plan: Some(name.to_owned()),
        ..ResearchInput::new(question, "dozen")
    };
    engine
        .start(id.clone(), input.spec(7).unwrap())
        .await
        .unwrap();
    let report: Report = serde_json::from_value(engine.attach(id.clone()).await.unwrap()).unwrap();
    let events: Vec<Event> = engine
        .events(&id)
        .unwrap()
        .into_iter()
        .map(|e| e.event)
        .collect();
    // The graph that events tell is the one of the report, but for findings.
    let mut told = export::from_events(&events);
    for (told, node) in told.nodes.iter_mut().zip(&report.graph.nodes) {
        told.finding.clone_from(&node.finding);
    }
    assert_eq!(told, report.graph, "{name}: {question}");
    (report, events)
}

/// Most nodes that ran at once.
fn most_running(events: &[Event]) -> usize {
    let mut running = std::collections::BTreeSet::new();
    let mut most = 0;
    for event in events {
        if let Event::Moved { node, state } = event {
            if *state == NodeState::Running {
                running.insert(*node);
            } else {
                running.remove(node);
            }
            most = most.max(running.len());
        }
    }
    most
}
