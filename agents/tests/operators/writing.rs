//! Reports that a model writes: what stands on its quotes, what is repaired, what is dropped.

use super::*;

/// A context whose child tasks are sections, written when they are waited for.
struct Sections {
    plain: PlainCtx,
    author: Arc<ModelAuthor>,
    library: Arc<MemoryLibrary>,
    queue: VecDeque<(TaskKey, Value)>,
}

impl TaskCtx for Sections {
    fn run(&self) -> &RunId {
        self.plain.run()
    }
    fn step<'a>(
        &'a mut self,
        key: StepKey,
        retry: RetryPolicy,
        work: StepWork<'a>,
    ) -> BoxFuture<'a, Result<Value, TaskError>> {
        self.plain.step(key, retry, work)
    }
    fn spawn<'a>(
        &'a mut self,
        _task: &'a str,
        key: TaskKey,
        input: Value,
        _set: &'a mut TaskSet,
    ) -> BoxFuture<'a, Result<(), TaskError>> {
        self.queue.push_back((key, input));
        Box::pin(async { Ok(()) })
    }
    fn next_done<'a>(
        &'a mut self,
        _set: &'a mut TaskSet,
    ) -> BoxFuture<'a, Option<(TaskKey, Result<Output, TaskError>)>> {
        Box::pin(async move {
            let (key, input) = self.queue.pop_front()?;
            let input: SectionInput = serde_json::from_value(input).unwrap();
            let author = Arc::clone(&self.author);
            let library = Arc::clone(&self.library);
            let written = author
                .section(&mut self.plain, library.as_ref(), input)
                .await;
            Some((key, written.map(|w| serde_json::to_value(w).unwrap())))
        })
    }
    fn wait_signal<'a>(
        &'a mut self,
        name: &'a str,
        timeout_ms: u64,
    ) -> BoxFuture<'a, Result<Option<Value>, TaskError>> {
        self.plain.wait_signal(name, timeout_ms)
    }
    fn now_ms(&mut self) -> u64 {
        0
    }
    fn seed(&self) -> u64 {
        0
    }
    fn emit(&mut self, event: Event) {
        self.plain.emit(event);
    }
    fn is_cancelled(&self) -> bool {
        false
    }
}

fn report(model: &Arc<Script>, claims: &[(&str, &str)]) -> (Report, Vec<Event>) {
    let library = Arc::new(tower());
    let claims = claims
        .iter()
        .map(|(text, quoted)| {
            let passage = library
                .corpus
                .passages
                .iter()
                .find(|p| p.text.contains(quoted))
                .unwrap();
            let quote = indago_agents::operators::read::locate(passage, quoted).unwrap();
            Claim::new(*text, vec![quote]).unwrap()
        })
        .collect();
    let mut graph = graph(&[]);
    graph.nodes[0].state = NodeState::Answered;
    graph.nodes[0].finding = Some(indago_core::Finding {
        node: NodeId(0),
        answer: None,
        claims,
        confidence: 0.8,
        bridges: Vec::new(),
        open: Vec::new(),
        tried: Vec::new(),
        rounds: 1,
        stop: StopReason::Answered,
    });
    let author = Arc::new(ModelAuthor::new(Models::one(Arc::clone(model) as _), 200));
    let mut cx = Sections {
        plain: PlainCtx::default(),
        author: Arc::clone(&author),
        library: Arc::clone(&library),
        queue: VecDeque::new(),
    };
    let input = WriteInput {
        question: QUESTION.to_owned(),
        graph,
        stopped: None,
        sources: 10,
        usage: indago_core::Usage::default(),
        allowance: indago_core::Allowance::default(),
    };
    let report = block_on(author.write(&mut cx, library.as_ref(), input)).unwrap();
    (report, cx.plain.events)
}

const LEDGER: &[(&str, &str)] = &[
    (
        "The Harbour Tower was designed by Zarnow.",
        "The Harbour Tower was designed by Zarnow.",
    ),
    (
        "Zarnow came from Hamar.",
        "Zarnow was an engineer who came from Hamar.",
    ),
];

#[test]
fn what_is_written_stands_on_its_quotes_or_is_repaired_or_dropped() {
    let outline = r#"{"sections": [{"heading": "Design", "evidence": [1]},
        {"heading": "Birth", "evidence": [2, 77]}], "answer": "Hamar"}"#;
    let design = r#"{"sentences": [{"text": "Zarnow designed the Harbour Tower.", "evidence": [1]},
        {"text": "Zarnow designed 12 towers.", "evidence": [1]}, {"text": "Free words.", "evidence": []}]}"#;
    let repaired = r#"{"sentences": [{"text": "The designer of the Harbour Tower is Zarnow.", "evidence": [1]},
        {"text": "Zarnow designed 13 towers.", "evidence": [1]}]}"#;
    let birth = r#"{"sentences": [{"text": "Zarnow never came from Hamar.", "evidence": [1]}]}"#;
    let nothing = r#"{"sentences": []}"#;
    let model = Script::new(&[
        ("Task: outline", &[outline]),
        ("A check refused", &[repaired, nothing]),
        ("Task: section", &[design, birth]),
    ]);
    let (report, events) = report(&model, LEDGER);
    let texts: Vec<&str> = report.sections[0].claims.iter().map(Claim::text).collect();
    assert_eq!(
        texts,
        [
            "Zarnow designed the Harbour Tower.",
            "The designer of the Harbour Tower is Zarnow.",
        ]
    );
    // All of the second section failed: the verified claim of the ledger stands in.
    assert_eq!(report.sections[1].heading, "Birth");
    assert_eq!(
        report.sections[1].claims[0].text(),
        "Zarnow came from Hamar."
    );
    assert_eq!(report.answer.unwrap().text, "Hamar");
    assert_eq!(model.asked("A check refused").len(), 2);
    let dropped = |what: &str| {
        events
            .iter()
            .any(|e| matches!(e, Event::Dropped { claim, .. } if claim.contains(what)))
    };
    assert!(dropped("13 towers"));
    insta::assert_snapshot!("section", model.asked("Task: section")[0]);
}

#[test]
fn a_failed_call_costs_a_section_and_never_the_report() {
    let model = Script::new(&[("Task: outline", &["!"]), ("Task: section", &["!"])]);
    let (report, events) = report(&model, LEDGER);
    assert!(!report.abstained);
    assert_eq!(report.sections[0].claims.len(), 2);
    assert!(warned(&events, "the outline failed") && warned(&events, "section 1 failed"));
}

#[test]
fn no_report_is_written_from_empty_evidence() {
    let model = Script::new(&[]);
    let wrong = [(
        "Zarnow was born in 1712.",
        "Zarnow was an engineer who came from Hamar.",
    )];
    let (report, _) = report(&model, &wrong);
    assert!(report.abstained && report.sections.is_empty() && report.answer.is_none());
    assert_eq!(report.not_found[0].node, NodeId(0));
    assert!(model.asked("").is_empty());
}

#[test]
fn what_rules_cannot_tell_is_for_the_judge_and_a_failed_judge_is_no_support() {
    let in_other_words = [
        LEDGER[0],
        (
            "Hamar is where Zarnow grew up as a young technician.",
            "Zarnow was an engineer who came from Hamar.",
        ),
    ];
    let judged = |reply: &'static str| {
        let model = Script::new(&[
            ("Task: support", &[reply]),
            ("Task: outline", &["!"]),
            ("Task: section", &["!"]),
        ]);
        let (report, events) = report(&model, &in_other_words);
        let why = events.into_iter().find_map(|event| match event {
            Event::Dropped { reason, .. } => Some(reason),
            _ => None,
        });
        (report.sections[0].claims.len(), why, model)
    };
    let (claims, why, model) = judged(r#"{"verdicts": [{"claim": 1, "verdict": "supported"}]}"#);
    assert_eq!((claims, why), (2, None));
    insta::assert_snapshot!("support", model.asked("Task: support")[0]);
    let (claims, why, _) = judged(r#"{"verdicts": [{"claim": 1, "verdict": "contradicted"}]}"#);
    assert_eq!(claims, 1);
    assert!(why.unwrap().contains("say otherwise"));
    for silent in ["!", r#"{"verdicts": []}"#] {
        let (claims, why, _) = judged(silent);
        assert_eq!(claims, 1);
        assert!(why.unwrap().starts_with("unknown: "));
    }
}

#[test]
fn sources_that_disagree_stand_in_the_report_with_what_they_disagree_on() {
    let model = Script::new(&[("Task: outline", &["!"]), ("Task: section", &["!"])]);
    let built = [
        (
            "The Harbour Tower was built in 1910.",
            "It was built in 1910.",
        ),
        (
            "The Harbour Tower was built in 1912.",
            "the Harbour Tower was built in 1912.",
        ),
        LEDGER[0],
    ];
    let (report, _) = report(&model, &built);
    assert_eq!(report.contradictions.len(), 1, "{report:?}");
    let found = &report.contradictions[0];
    assert!(found.about.contains("1910") && found.about.contains("1912"));
    let documents: Vec<&str> = found
        .claims
        .iter()
        .map(|claim| claim.quotes()[0].document.as_str())
        .collect();
    assert_eq!(documents, ["t", "r"]);
}
