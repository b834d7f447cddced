//! Each method's card, step by step, with a scripted model and a library in memory.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    unreachable_pub,
    reason = "a test fails by panicking; support is shared"
)]

#[path = "support/script.rs"]
mod script;
mod support;
#[path = "operators/writing.rs"]
mod writing;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use indago_agents::model::{ModelAuthor, Models};
use indago_agents::operators::registry;
use indago_agents::{Author, Limits, SearchInput, Searched, SectionInput, WriteInput};
use indago_core::ports::{
    BoxFuture, Output, PlanPolicy, RetryPolicy, StepKey, StepWork, TaskCtx, TaskError, TaskKey,
    TaskSet,
};
use indago_core::{
    Claim, Event, Filters, GraphEdit, GraphView, NodeId, NodeState, Report, RunId, StopReason,
    SubQuestion,
};
use script::Script;
use serde_json::Value;
use support::{Doc, MemoryLibrary, PlainCtx, block_on};

fn tower() -> MemoryLibrary {
    MemoryLibrary::of(&[
        Doc::new(
            "t",
            "Harbour Tower",
            "The Harbour Tower was designed by Zarnow. It was built in 1910.",
        ),
        Doc::new("z", "Zarnow", "Zarnow was an engineer who came from Hamar."),
        Doc::new(
            "r",
            "Register",
            "Official register: the Harbour Tower was built in 1912.",
        ),
        Doc::new("h", "Hamar", "Hamar is a town on lake Mjosa."),
        Doc::new(
            "k",
            "Kites",
            "The harbour kite festival takes place in May.",
        ),
        Doc::new("m", "Mill", "The tower mill burned down."),
    ])
}

fn input(question: &str) -> SearchInput {
    SearchInput {
        node: NodeId(0),
        question: question.to_owned(),
        whole: question.to_owned(),
        parents: Vec::new(),
        parent_questions: Vec::new(),
        filters: Filters::default(),
        limits: Limits {
            rounds: 20,
            ..Limits::default()
        },
    }
}

const QUESTION: &str = "Where was the designer of the Harbour Tower born?";
const NOTHING_READ: &str = r#"{"quotes": [], "claims": [], "answer": null, "missing": []}"#;

fn run(name: &str, model: &Arc<Script>, input: &SearchInput) -> (Searched, Vec<Event>) {
    let models = Models::one(Arc::clone(model) as _);
    let strategy = registry::reading(name, &models, Some(2)).unwrap();
    let mut cx = PlainCtx::default();
    let library = tower();
    let searched = block_on(strategy.search(&mut cx, &library, input)).unwrap();
    (searched, cx.events)
}

fn warned(events: &[Event], what: &str) -> bool {
    events
        .iter()
        .any(|e| matches!(e, Event::Warned { message } if message.contains(what)))
}

fn searches(events: &[Event]) -> usize {
    let search = |e: &&Event| matches!(e, Event::Searched { .. });
    events.iter().filter(search).count()
}

#[test]
fn every_prompt_file_has_a_type() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/prompts");
    let files: BTreeSet<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    let known: BTreeSet<String> = indago_agents::model::prompts::ALL
        .iter()
        .map(|(file, _, _)| (*file).to_owned())
        .collect();
    assert_eq!(files, known);
}

#[test]
fn auto_rag_shows_each_passage_once_and_stops_at_its_answer() {
    let read = r#"{"quotes": [{"passage": 1, "text": "designed by Zarnow"},
        {"passage": 2, "text": "Zarnow was born in Lund"}],
        "claims": [{"text": "The Harbour Tower was designed by Zarnow.", "quotes": [0]},
        {"text": "Zarnow was born in Lund.", "quotes": [1]}], "answer": "Hamar", "missing": []}"#;
    let model = Script::new(&[
        (
            "Task: search-dialogue",
            &[
                "I need the designer.\nQuery: Harbour Tower designed",
                "Zarnow. His birth is missing.\nRefined Query: Harbour Tower Zarnow born",
                "He was born there.\nFinal Answer: Hamar",
            ],
        ),
        ("Task: read-quotes", &[read]),
    ]);
    let (found, events) = run("auto_rag", &model, &input(QUESTION));
    assert_eq!(searches(&events), 2);
    assert_eq!(found.finding.stop, StopReason::Answered);
    assert_eq!(found.finding.answer.unwrap().text, "Hamar");
    let turns = model.asked("Task: search-dialogue");
    assert_eq!(turns.len(), 3);
    // Append-only: each request begins with the one before it; no passage stands in it twice.
    assert!(turns[1].starts_with(turns[0].trim_end()) && turns[2].starts_with(turns[1].trim_end()));
    assert_eq!(
        turns[2]
            .matches("The Harbour Tower was designed by Zarnow")
            .count(),
        1
    );
    // The invented quote makes no claim.
    assert_eq!(found.finding.claims.len(), 1);
    assert_eq!(
        found.finding.claims[0].quotes()[0].text,
        "designed by Zarnow"
    );
    insta::assert_snapshot!("auto_rag_second_turn", turns[1]);
    insta::assert_snapshot!("read_quotes", model.asked("Task: read-quotes")[0]);
}

#[test]
fn auto_rag_elicits_at_the_end_of_its_budget_and_never_cites_that() {
    let queries: Vec<String> = (0..30)
        .map(|i| {
            format!(
                "Query: tower {}",
                "abcdefghijklmnopqrstuvwxyzABCD".chars().nth(i).unwrap()
            )
        })
        .collect();
    let mut replies: Vec<&str> = queries.iter().map(String::as_str).collect();
    replies.truncate(12);
    replies.push("Final Answer: not found");
    let read = r#"{"quotes": [{"passage": 99, "text": "made up"}, {"passage": 7, "text": "Imagined"}],
        "claims": [{"text": "Imagined.", "quotes": [0, 1]}], "answer": null, "missing": ["all"]}"#;
    let model = Script::new(&[
        ("Task: elicit-passage", &["...Imagined"]),
        ("Task: search-dialogue", &replies),
        ("Task: read-quotes", &[read]),
    ]);
    let mut wide = input(QUESTION);
    wide.limits.queries = 100;
    let (found, events) = run("auto_rag", &model, &wide);
    // Nothing new after the corpus is exhausted: the no-progress guard ends it before T = 10.
    assert!(searches(&events) <= 10);
    // What it made up is never quoted: its reading is left out, and the finding says so.
    let quotes = found.finding.claims.iter().flat_map(Claim::quotes);
    assert!(
        quotes
            .into_iter()
            .all(|quote| !quote.text.contains("Imagined"))
    );
    assert!(found.finding.open.last().unwrap().contains("left out"));

    wide.limits.rounds = 2;
    let (found, events) = run(
        "auto_rag",
        &Script::new(&[
            ("Task: elicit-passage", &["...Imagined"]),
            ("Task: search-dialogue", &replies),
            ("Task: read-quotes", &[read]),
        ]),
        &wide,
    );
    assert_eq!(searches(&events), 2);
    assert_eq!(found.finding.stop, StopReason::Budget);
    assert!(
        found.finding.claims.is_empty(),
        "{:?}",
        found.finding.claims
    );
}

#[test]
fn auto_rag_asks_once_for_its_format_and_then_gives_up() {
    let model = Script::new(&[
        ("Task: search-dialogue", &["I wonder.", "My query: none"]),
        ("Task: read-quotes", &[NOTHING_READ]),
    ]);
    let (found, events) = run("auto_rag", &model, &input(QUESTION));
    assert_eq!(model.asked("Task: search-dialogue").len(), 2);
    assert_eq!(found.finding.stop, StopReason::Failed);
    assert!(warned(&events, "format_error"));
}

#[test]
fn auto_rag_never_sends_the_same_query_twice() {
    let model = Script::new(&[
        (
            "Task: search-dialogue",
            &[
                "Query: Harbour Tower",
                "Refined Query: the harbour tower",
                "Final Answer: not found",
            ],
        ),
        ("Task: read-quotes", &[NOTHING_READ]),
    ]);
    let (found, events) = run("auto_rag", &model, &input(QUESTION));
    assert_eq!(searches(&events), 1);
    assert_eq!(found.finding.stop, StopReason::NoProgress);
}

#[test]
fn a_model_that_fails_ends_the_search_and_not_the_run() {
    let model = Script::new(&[("Task: search-dialogue", &["Query: Harbour Tower", "!"])]);
    let (found, events) = run("auto_rag", &model, &input(QUESTION));
    assert_eq!(found.finding.stop, StopReason::Failed);
    assert_eq!(found.finding.confidence, 0.0);
    assert!(warned(&events, "model_failed"));
}

#[test]
fn iter_retgen_puts_the_draft_before_the_question() {
    let draft = "The designer is Zarnow, an engineer.\nSo the answer is: unknown";
    let model = Script::new(&[
        (
            "Task: read-draft",
            &[draft, "Zarnow was born in Hamar.\nSo the answer is: Hamar"],
        ),
        ("Task: read-quotes", &[NOTHING_READ]),
    ]);
    let (found, _) = run("iter_retgen", &model, &input(QUESTION));
    assert_eq!(found.finding.tried[0], QUESTION);
    let expected = format!("{} {QUESTION}", draft.replace('\n', " "));
    assert_eq!(found.finding.tried[1], expected);
    let drafts = model.asked("Task: read-draft");
    assert_eq!(drafts.len(), 2);
    assert!(!drafts[0].contains("came from Hamar") && drafts[1].contains("came from Hamar"));
}

#[test]
fn interleaving_searches_with_the_last_sentence() {
    let model = Script::new(&[
        (
            "Task: interleave",
            &[
                "The Harbour Tower was designed by Zarnow. More words.",
                "So the answer is: Hamar.",
            ],
        ),
        ("Task: read-quotes", &[NOTHING_READ]),
    ]);
    let (found, _) = run("interleave", &model, &input(QUESTION));
    assert_eq!(
        found.finding.tried[1].trim(),
        "The Harbour Tower was designed by Zarnow."
    );
    assert_eq!(searches_of(&found), 2);
}

fn searches_of(found: &Searched) -> u64 {
    found.usage.queries
}

#[test]
fn react_repeats_what_it_saw_and_finishes() {
    let model = Script::new(&[
        (
            "Task: react",
            &[
                "Thought: a\nAction: search[Harbour Tower designed]",
                "Thought: b\nAction: search[Harbour Tower Zarnow]",
                "Thought: c\nAction: finish[Hamar]",
            ],
        ),
        ("Task: read-quotes", &[NOTHING_READ]),
    ]);
    let (found, _) = run("react", &model, &input(QUESTION));
    assert_eq!(found.finding.stop, StopReason::NothingFound);
    let last = model.asked("Task: react").pop().unwrap();
    assert!(
        last.matches("The Harbour Tower was designed by Zarnow")
            .count()
            >= 2
    );
}

#[test]
fn following_needs_no_call_before_the_reading() {
    // Counts its quotes from 1, as small models do.
    let read = r#"{"quotes": [{"passage": 9, "text": "Zarnow was an engineer who came from Hamar"}],
        "claims": [{"text": "Zarnow came from Hamar.", "quotes": [1]}], "answer": "Hamar",
        "missing": []}"#;
    let model = Script::new(&[("Task: read-quotes", &[read])]);
    let strategy = registry::strategy("follow", &Models::one(Arc::clone(&model) as _)).unwrap();
    let (mut cx, library) = (PlainCtx::default(), tower());
    let found = block_on(strategy.search(&mut cx, &library, &input(QUESTION))).unwrap();
    assert_eq!(found.usage.lm_calls, 1);
    assert_eq!(found.finding.answer.unwrap().text, "Hamar");
    // The designer's passage shares no word with the question; his name led there.
    assert_eq!(found.finding.claims[0].quotes()[0].document.as_str(), "z");
    assert_eq!(found.finding.stop, StopReason::Answered);
}

#[test]
fn a_reading_of_which_nothing_stands_gives_way_to_one_without_the_model() {
    let read = r#"{"quotes": [{"passage": 1, "text": "designed by Somebody Else"}],
        "claims": [{"text": "Somebody Else designed it.", "quotes": [0]}], "answer": "Else",
        "missing": []}"#;
    let question = "Who designed the Harbour Tower?";
    let model = || Script::new(&[("Task: read-quotes", &[read])]);
    let (found, events) = run("single_shot", &model(), &input(question));
    assert!(warned(&events, "read without it"), "{events:?}");
    assert!(!found.finding.claims.is_empty());
    assert_ne!(found.finding.answer.unwrap().text, "Else");
    assert!(found.finding.open.last().unwrap().contains("left out"));
    assert_eq!(found.usage.lm_calls, 1);

    // What was refused stays behind it, for the report's list of what was taken out.
    let refused = read.replace(
        "designed by Somebody Else",
        "The Harbour Tower was designed",
    );
    let (found, _) = run(
        "single_shot",
        &Script::new(&[("Task: read-quotes", &[&refused])]),
        &input(question),
    );
    let claims: Vec<&str> = found.finding.claims.iter().map(Claim::text).collect();
    assert!(claims.len() > 1, "{claims:?}");
    assert_eq!(claims.last(), Some(&"Somebody Else designed it."));

    // Within the limits: what the loop has used up is not there for this.
    let mut narrow = input(question);
    narrow.limits.rounds = 1;
    let (found, _) = run("single_shot", &model(), &narrow);
    assert_eq!((found.usage.rounds, found.finding.claims.len()), (1, 0));
    assert!(
        found
            .finding
            .open
            .iter()
            .any(|open| open.contains("left out"))
    );

    // A model that says that nothing is there is believed, also where it shows what it looked at.
    let looked_at = NOTHING_READ.replace(
        r#""quotes": []"#,
        r#""quotes": [{"passage": 1, "text": "It was built in 1910."}]"#,
    );
    assert_ne!(looked_at, NOTHING_READ);
    for nothing in [NOTHING_READ, &looked_at] {
        let model = Script::new(&[("Task: read-quotes", &[nothing])]);
        let (found, _) = run("single_shot", &model, &input(question));
        assert!(found.finding.claims.is_empty());
    }
}

#[test]
fn retro_rag_revises_a_statement_when_a_register_says_otherwise() {
    let first = r#"{"statements": [{"text": "The tower was built in 1910.", "passages": [1],
        "aspect": "when"}], "withdraw": [], "revise": []}"#;
    let second = r#"{"statements": [], "withdraw": [], "revise": [{"statement": 1,
        "text": "The tower was built in 1912.", "passages": [2, 3], "reason": "official register"}]}"#;
    let unsure = r#"{"answer": "1910", "reliable": false, "missing": ["a register"],
        "queries": ["official register tower", "When was the Harbour Tower built?"]}"#;
    let sure = r#"{"answer": "1912", "reliable": true, "missing": [], "queries": []}"#;
    let read = r#"{"quotes": [], "claims": [], "answer": "1912", "missing": []}"#;
    let model = Script::new(&[
        ("Task: collate", &[first, second]),
        ("Task: assess", &[unsure, sure]),
        ("Task: read-quotes", &[read]),
    ]);
    let (found, events) = run(
        "retro_rag",
        &model,
        &input("When was the Harbour Tower built?"),
    );
    // The question itself came again as a query and was refused.
    assert_eq!(found.finding.tried.len(), 2);
    let change = "The tower was built in 1910. -> The tower was built in 1912.";
    assert!(warned(&events, change), "{events:?}");
    let last = model.asked("Task: assess").pop().unwrap();
    assert!(last.contains("built in 1912. [") && !last.contains("built in 1910. ["));
}

#[test]
fn retro_rag_ends_at_its_rounds_when_it_is_never_sure() {
    let collated =
        r#"...{"statements": [], "withdraw": [{"statement": 9, "reason": "x"}], "revise": []}"#;
    let unsure: Vec<String> = ["zarnow", "hamar", "register", "kites", "mill", "lake"]
        .iter()
        .map(|w| {
            format!(r#"{{"answer": null, "reliable": false, "missing": [], "queries": ["{w}"]}}"#)
        })
        .collect();
    let unsure: Vec<&str> = unsure.iter().map(String::as_str).collect();
    let model = Script::new(&[
        ("Task: collate", &[collated]),
        ("Task: assess", &unsure),
        ("Task: read-quotes", &[NOTHING_READ]),
    ]);
    let (found, _) = run(
        "retro_rag",
        &model,
        &input("When was the Harbour Tower built?"),
    );
    assert!(found.finding.rounds <= 5);
    assert_ne!(found.finding.stop, StopReason::Answered);
    assert_eq!(found.finding.confidence, 0.0);
}

fn graph(parts: &[(&str, NodeState)]) -> GraphView {
    let mut nodes = vec![node(0, QUESTION, NodeState::Ready)];
    for (i, (text, state)) in parts.iter().enumerate() {
        nodes.push(node(i as u32 + 1, text, *state));
    }
    GraphView {
        nodes,
        edges: Vec::new(),
    }
}

fn node(id: u32, text: &str, state: NodeState) -> SubQuestion {
    SubQuestion {
        id: NodeId(id),
        text: text.to_owned(),
        state,
        reason: String::new(),
        finding: None,
    }
}

fn plan(model: &Arc<Script>, graph: &GraphView) -> Vec<GraphEdit> {
    let models = Models::one(Arc::clone(model) as _);
    let policy: Box<dyn PlanPolicy> = registry::plan_policy("mind_search", &models).unwrap();
    let mut cx = PlainCtx::default();
    let mut spent = indago_core::Usage::default();
    let purse = indago_core::ports::Purse {
        allowance: indago_core::Allowance::default(),
        spent: &mut spent,
    };
    block_on(policy.plan(&mut cx, graph, &[], purse)).unwrap()
}

#[test]
fn the_planner_waits_for_its_wave_and_repairs_a_malformed_plan_once() {
    let wrong = r#"{"ops": [{"op": "add", "id": "a", "ask": "Who designed it?", "after": ["z"]}]}"#;
    let right = r#"{"ops": [{"op": "add", "id": "a", "ask": "Who designed it?", "after": []}]}"#;
    let model = Script::new(&[("Task: plan", &[wrong, right])]);
    assert!(plan(&model, &graph(&[("Running part", NodeState::Running)])).is_empty());
    assert_eq!(model.asked("Task: plan").len(), 0);
    let edits = plan(&model, &graph(&[]));
    assert_eq!(edits.len(), 2);
    assert!(matches!(&edits[1], GraphEdit::Link(d) if d.from == NodeId(0) && d.on == NodeId(1)));
    let asked = model.asked("Task: plan");
    assert_eq!(asked.len(), 2);
    assert!(asked[1].contains("there is no part `z`"));
    assert!(asked.iter().all(|text| !text.contains("[data: passage")));
}
