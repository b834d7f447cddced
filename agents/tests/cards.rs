//! The cards of single operators: rewriting, deciding, cutting off, filtering.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    dead_code,
    unreachable_pub,
    reason = "a test fails by panicking; support is shared"
)]

mod support;

#[path = "support/script.rs"]
mod script;

use std::sync::Arc;

use indago_agents::model::{Models, Ports};
use indago_agents::operators::decide::{Frequency, SelfAsked};
use indago_agents::operators::rewrite::Hyde;
use indago_agents::operators::{
    Cutoff, Decision, Operator as _, Origin, QuerySet, RetrievalPolicy, SearchState, registry,
};
use indago_agents::{Limits, SearchInput};
use indago_core::{Event, Filters, NodeId, StopReason};
use script::Script;
use support::{Doc, MemoryLibrary, PlainCtx, block_on};

const QUESTION: &str = "Where was the designer of the Harbour Tower born?";
const NOTHING_READ: &str = r#"{"quotes": [], "claims": [], "answer": null, "missing": []}"#;

fn library() -> MemoryLibrary {
    MemoryLibrary::of(&[
        Doc::new(
            "t",
            "Harbour Tower",
            "The Harbour Tower was designed by Zarnow.",
        ),
        Doc::new("z", "Zarnow", "Zarnow was an engineer born in Hamar."),
        Doc::new("h", "Hamar", "Hamar is a town on lake Mjosa."),
        Doc::new(
            "k",
            "Kites",
            "The harbour kite festival takes place in May.",
        ),
        Doc::new("m", "Mill", "The tower mill burned down."),
        Doc::new("b", "Bread", "Bread needs flour and salt."),
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
        limits: Limits::default(),
    }
}

/// What an operator does with a fresh state, all passages of the library shown.
fn on<T>(
    model: &Arc<Script>,
    question: &str,
    act: impl AsyncFnOnce(&mut Ports<'_>, &mut SearchState) -> T,
) -> (T, SearchState) {
    let models = Models::one(Arc::clone(model) as _);
    let library = library();
    let mut cx = PlainCtx::default();
    let mut state = SearchState::new(&input(question));
    state.show(library.corpus.passages.clone(), Origin::Retrieved);
    let mut ports = Ports::new(&mut cx, &library, &models);
    let done = block_on(act(&mut ports, &mut state));
    (done, state)
}

fn rewritten(name: &str, model: &Arc<Script>) -> QuerySet {
    let rewrite = registry::rewrite(name).unwrap();
    let (set, _) = on(model, QUESTION, async |ports, state| {
        rewrite.rewrite(ports, state).await.unwrap()
    });
    set
}

#[test]
fn hyde_searches_with_imagined_passages_and_shows_them_to_nobody() {
    let model = Script::new(&[(
        "Task: hypothetical",
        &["Zarnow came from Oslo.", "!", " ", "He was born in Bergen."],
    )]);
    let set = rewritten("hyde", &model);
    assert_eq!(set.queries, [QUESTION]);
    // One failed and one was empty: two remain.
    assert_eq!(
        set.imagined,
        ["Zarnow came from Oslo.", "He was born in Bergen."]
    );
    let requests = model.requests.lock().unwrap();
    assert_eq!(requests.len() as u64, Hyde::default().samples);
    let seeds: Vec<_> = requests.iter().map(|r| r.seed).collect();
    assert!(
        (1..seeds.len()).all(|i| !seeds[..i].contains(&seeds[i])),
        "{seeds:?}"
    );
}

#[test]
fn keywords_of_many_wordings_make_one_query_or_one_each() {
    let lists = || {
        Script::new(&[(
            "Task: keywords",
            &[
                r#"{"keywords": ["Zarnow", "birthplace"]}"#,
                r#"{"keywords": ["birthplace", "zarnow"]}"#,
                "no list at all",
                r#"{"keywords": ["architect", "tower"]}"#,
            ][..],
        )])
    };
    let one = rewritten("query_ensemble", &lists());
    assert_eq!(one.queries.len(), 1);
    let text = &one.queries[0];
    // The question stands in it as often as the card has it, with the words of all lists.
    assert_eq!(text.matches(QUESTION).count(), 5, "{text}");
    assert!(
        text.contains("birthplace") && text.contains("architect"),
        "{text}"
    );
    let many = rewritten("query_fusion", &lists());
    // Two lists are the same, one is none, the calls beyond the script fail.
    assert_eq!(many.queries.len(), 2, "{:?}", many.queries);
    assert!(many.queries.iter().all(|q| q.starts_with(QUESTION)));
}

#[test]
fn stepping_back_asks_both_questions_and_failing_asks_the_one() {
    let general = r#"{"question": "Who designed the Harbour Tower?"}"#;
    let set = rewritten(
        "step_back",
        &Script::new(&[("Task: step-back", &[general])]),
    );
    assert_eq!(set.queries, [QUESTION, "Who designed the Harbour Tower?"]);
    let set = rewritten("step_back", &Script::new(&[]));
    assert_eq!(set.queries, [QUESTION]);
}

#[test]
fn erm4_reads_what_passed_the_filter_and_what_could_not_be_judged() {
    let yes = r#"{"verdict": "entailment"}"#;
    let no = r#"{"verdict": "neutral"}"#;
    let queries = r#"{"restated": "Harbour Tower designer born", "queries": ["Zarnow engineer born", "harbour tower mill"]}"#;
    let model = Script::new(&[
        ("Task: queries", &[queries]),
        ("Task: useful", &[yes, no, "!", yes, no]),
        ("Task: read-quotes", &[NOTHING_READ]),
    ]);
    let models = Models::one(Arc::clone(&model) as _);
    let strategy = registry::reading("erm4", &models, Some(5)).unwrap();
    let mut cx = PlainCtx::default();
    let found = block_on(strategy.search(&mut cx, &library(), &input(QUESTION))).unwrap();
    let rounds: Vec<&Vec<String>> = cx
        .events
        .iter()
        .filter_map(|e| match e {
            Event::Searched { queries, .. } => Some(queries),
            _ => None,
        })
        .collect();
    assert_eq!(rounds.len(), 1, "one pass");
    assert_eq!(rounds[0].len(), 3, "restatement and facets: {rounds:?}");
    let judged = model.asked("Task: useful");
    let shown = |text: &str| -> Vec<u32> {
        text.split("[data: passage ")
            .skip(1)
            .map(|rest| rest.split(']').next().unwrap().parse().unwrap())
            .collect()
    };
    assert!(
        judged.iter().all(|text| shown(text).len() == 1),
        "each by itself"
    );
    assert_eq!(shown(&model.asked("Task: read-quotes")[0]), [1, 3, 4]);
    assert_eq!(found.finding.stop, StopReason::NothingFound);
    assert_eq!(found.usage.lm_calls, 2 + judged.len() as u64);
}

/// Numbers of the passages that are read after a cut-off with these verdicts, and the prompts.
fn cut(chunk: usize, hysteresis: u32, verdicts: &[&str]) -> (Vec<u32>, Vec<String>) {
    let replies: Vec<String> = verdicts
        .iter()
        .map(|v| format!("{{\"enough\": {}}}", *v == "yes"))
        .collect();
    let replies: Vec<&str> = replies.iter().map(String::as_str).collect();
    let model = Script::new(&[("Task: sufficient", &replies)]);
    let cutoff = Cutoff { chunk, hysteresis };
    let (done, state) = on(&model, QUESTION, async |ports, state| {
        cutoff.apply(ports, state).await
    });
    done.unwrap();
    (state.reading(), model.asked("Task: sufficient"))
}

#[test]
fn reading_is_cut_off_where_the_prefix_suffices() {
    let (read, probes) = cut(1, 1, &["no", "no", "yes"]);
    assert_eq!(read, [1, 2, 3]);
    assert_eq!(probes.len(), 3);
    for pair in probes.windows(2) {
        assert!(
            pair[1].starts_with(pair[0].trim_end()),
            "prefixes grow at their end"
        );
    }
    let (read, probes) = cut(1, 2, &["no", "yes", "no", "yes", "yes"]);
    assert_eq!((read.len(), probes.len()), (5, 5), "twice in a row");
    let (read, _) = cut(1, 1, &["no"; 6]);
    assert_eq!(read.len(), 6, "all are read when none suffices");
    let (read, _) = cut(2, 1, &[]);
    assert_eq!(read.len(), 6, "a check that fails is no verdict");
}

fn decided(policy: &dyn RetrievalPolicy, model: &Arc<Script>, question: &str) -> Decision {
    let (decision, _) = on(model, question, async |ports, state| {
        policy.decide(ports, state).await.unwrap()
    });
    decision
}

#[test]
fn what_is_frequent_is_recalled_and_what_is_rare_or_unknown_is_looked_up() {
    let model = Script::new(&[]);
    let gate = |pair, subject| Frequency { pair, subject };
    let ask = |gate: Frequency, question: &str| decided(&gate, &model, question);
    let rare = ask(gate(50, 200), "Where was Zarnow born?");
    assert!(rare.retrieve);
    assert!(
        rare.reason.contains("`Zarnow`: 2 passages"),
        "{}",
        rare.reason
    );
    // The threshold on the pair flips this case and only this.
    assert!(!ask(gate(1, 200), "Where was Zarnow born?").retrieve);
    assert!(ask(gate(1, 200), "Where was Zarnow buried?").retrieve);
    assert!(!ask(gate(50, 2), "Where was Zarnow buried?").retrieve);
    let unknown = ask(gate(0, 0), "Where was Ottoline Brackwater born?");
    assert!(unknown.retrieve, "{}", unknown.reason);
    assert!(
        model.requests.lock().unwrap().is_empty(),
        "no model is asked"
    );
}

#[test]
fn the_model_asks_for_retrieval_or_answers_and_sources_are_wanted_all_the_same() {
    let ask = |citations: bool, reply: &str| {
        let model = Script::new(&[("Task: self-asked", &[reply])]);
        decided(&SelfAsked { citations }, &model, QUESTION)
    };
    assert!(ask(false, "<RET>").retrieve);
    let known = ask(false, "Hamar");
    assert!(!known.retrieve && known.direct.as_deref() == Some("Hamar"));
    let sourced = ask(true, "Hamar");
    assert!(sourced.retrieve && sourced.direct.as_deref() == Some("Hamar"));
    assert!(ask(false, "!").retrieve, "a failed call decides nothing");
}

#[test]
fn a_proof_stops_the_search_and_a_gap_does_not() {
    let claim = "Zarnow was born in Hamar";
    let step = |relation: &str| {
        format!(
            r#"{{"steps": [{{"claim": "Zarnow was born", "evidence": "Zarnow was an engineer born", "relation": "equivalent"}}, {{"claim": "in Hamar", "evidence": "in Hamar", "relation": "{relation}"}}]}}"#
        )
    };
    let proved = registry::stop_policy("proved").unwrap();
    for (relation, enough, reason) in [
        ("independent", false, "not proved"),
        ("equivalent", true, "proved"),
        ("alternation", true, "refuted"),
    ] {
        let model = Script::new(&[("Task: proof", &[&step(relation)])]);
        let (verdict, _) = on(&model, claim, async |ports, state| {
            proved.judge(ports, state).await.unwrap()
        });
        assert_eq!((verdict.enough, verdict.reason.as_str()), (enough, reason));
    }
    // A span of the claim that no step covers.
    let short =
        r#"{"steps": [{"claim": "in Hamar", "evidence": "in Hamar", "relation": "equivalent"}]}"#;
    let model = Script::new(&[("Task: proof", &[short])]);
    let (verdict, _) = on(&model, claim, async |ports, state| {
        proved.judge(ports, state).await.unwrap()
    });
    assert!(!verdict.enough);
}
