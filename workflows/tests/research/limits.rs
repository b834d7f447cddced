//! Shares of model calls and tokens hold inside a search and inside writing; calls wait for slots.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use indago_agents::model::{Ask, ModelAuthor, Models, Ports, Role, complete};
use indago_agents::operators::Strategy;
use indago_agents::{Author, Extractive, SearchInput, Searched};
use indago_core::ports::{
    BoxFuture, Completion, DeltaSink, FinishReason, LanguageModel, LanguageModelError, Library,
    Request, RunEngine as _, TaskCtx, TaskError, TokenUsage,
};
use indago_core::{Budget, Cancel, Event, NodeBudget, Prompt, Report, RunId, Usage};
use indago_planner::policy;
use indago_planner::slots::SlotLimits;
use indago_workflows::deep_research::{Research, ResearchInput};
use indago_workflows::journal::MemoryJournal;
use indago_workflows::{Engine, Gate, GatedModel, PaidModel};

use crate::library::Dozen;

/// Counts calls and how many were under way at once. Each takes 10 tokens.
#[derive(Default)]
struct Counting {
    calls: AtomicU32,
    now: AtomicU32,
    most: AtomicU32,
}

impl LanguageModel for Counting {
    fn name(&self) -> &'static str {
        "counting"
    }
    fn fingerprint(&self) -> &'static str {
        "counting"
    }
    fn window(&self) -> Option<u64> {
        None
    }
    fn count(&self, _request: &Request) -> (u64, bool) {
        (1, true)
    }
    fn price_micros(&self, _usage: TokenUsage) -> u64 {
        0
    }

    fn complete(
        &self,
        _request: Request,
        _deltas: Option<DeltaSink>,
        _cancel: Cancel,
    ) -> BoxFuture<'_, Result<Completion, LanguageModelError>> {
        Box::pin(async move {
            self.calls.fetch_add(1, Ordering::SeqCst);
            let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(now, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(5)).await;
            self.now.fetch_sub(1, Ordering::SeqCst);
            Ok(Completion {
                text: "no JSON".into(),
                tool_calls: Vec::new(),
                finish: FinishReason::Stop,
                usage: TokenUsage {
                    prompt: 8,
                    completion: 2,
                    ..TokenUsage::default()
                },
                logprobs: Vec::new(),
            })
        })
    }
}

/// Asks its model thirty times in one round, whatever its limits say, then searches without one.
struct Greedy(Models);

impl Strategy for Greedy {
    fn name(&self) -> &'static str {
        "greedy"
    }

    fn search<'a>(
        &'a self,
        cx: &'a mut dyn TaskCtx,
        library: &'a dyn Library,
        input: &'a SearchInput,
    ) -> BoxFuture<'a, Result<Searched, TaskError>> {
        Box::pin(async move {
            let mut usage = Usage::default();
            for n in 0..30 {
                let mut ports =
                    Ports::new(&mut *cx, library, &self.0).within(input.limits.allowance());
                let ask = Ask {
                    role: Role::Searcher,
                    purpose: format!("greedy/{n}"),
                    request: Request {
                        prompt: Prompt::default().system("say something"),
                        ..Request::default()
                    },
                };
                let _refused_or_not = complete(&mut ports, ask, &mut usage).await;
            }
            let mut searched = Extractive.search(cx, library, input).await?;
            searched.usage += usage;
            Ok(searched)
        })
    }
}

const QUESTION: &str = "Which was built first, the Harbour Tower or the River Mill?";

struct Ran {
    report: Report,
    events: Vec<Event>,
    model: Arc<Counting>,
}

async fn run(budget: Budget, slots: u32, writes: bool) -> Ran {
    let model = Arc::new(Counting::default());
    let journal = Arc::new(MemoryJournal::new());
    let gate = Gate::new(SlotLimits {
        language_model: slots,
        ..SlotLimits::default()
    });
    let gated = Arc::new(GatedModel::new(Arc::clone(&model) as _, gate.clone()));
    let paid = Arc::new(PaidModel::new(gated, Arc::clone(&journal) as _));
    let models = Models::one(paid);
    let author: Arc<dyn Author> = if writes {
        Arc::new(ModelAuthor::new(models.clone(), 300))
    } else {
        Arc::new(Extractive)
    };
    let searcher: Arc<dyn Strategy> = if writes {
        Arc::new(Extractive)
    } else {
        Arc::new(Greedy(models))
    };
    let mut research = Research::new(
        Arc::new(Dozen::new()),
        Arc::from(policy::by_name("extractive").unwrap()),
        searcher,
        author,
        Arc::clone(&journal) as _,
    );
    research.gate = gate;
    let engine = Engine::new(journal, research.registry());
    let mut input = ResearchInput::new(QUESTION, "dozen");
    input.limits.budget = budget;
    let id = RunId::new("limited");
    engine
        .start(id.clone(), input.spec(7).unwrap())
        .await
        .unwrap();
    let output = engine.attach(id.clone()).await.unwrap();
    assert_eq!(engine.replay(&id).await.unwrap(), output);
    let events = engine.events(&id).unwrap();
    Ran {
        report: serde_json::from_value(output).unwrap(),
        events: events.into_iter().map(|e| e.event).collect(),
        model,
    }
}

#[tokio::test]
async fn a_search_makes_no_call_beyond_its_share_even_within_a_round() {
    let budget = Budget {
        node: NodeBudget {
            lm_calls: Some(3),
            ..NodeBudget::STANDARD
        },
        ..Budget::STANDARD
    };
    let ran = run(budget, 16, false).await;
    let nodes = ran.report.graph.nodes.len();
    assert_eq!(nodes, 3);
    assert_eq!(ran.model.calls.load(Ordering::SeqCst) as usize, 3 * nodes);
    let calls = |event: &&Event| matches!(event, Event::Called { .. });
    assert_eq!(ran.events.iter().filter(calls).count(), 3 * nodes);
    assert!(!ran.report.sections.is_empty());
}

#[tokio::test]
async fn tokens_are_held_to_their_share_as_they_are_spent() {
    let budget = Budget {
        node: NodeBudget {
            lm_tokens: Some(45),
            ..NodeBudget::STANDARD
        },
        ..Budget::STANDARD
    };
    let ran = run(budget, 16, false).await;
    // 10 tokens a call: the fifth goes over, and none follows it.
    assert_eq!(ran.model.calls.load(Ordering::SeqCst), 5 * 3);
}

#[tokio::test]
async fn the_run_spends_no_more_calls_than_it_has_and_the_writer_gets_a_report_out() {
    let budget = Budget {
        lm_calls: Some(10),
        ..Budget::STANDARD
    };
    let ran = run(budget, 16, false).await;
    assert_eq!(
        ran.model.calls.load(Ordering::SeqCst),
        9,
        "a tenth is kept for writing"
    );
    assert!(!ran.report.sections.is_empty());
}

#[tokio::test]
async fn writing_makes_no_call_beyond_its_share() {
    for calls in [2, 3, 5] {
        let budget = Budget {
            lm_calls: Some(calls),
            ..Budget::STANDARD
        };
        let ran = run(budget, 16, true).await;
        let made = u64::from(ran.model.calls.load(Ordering::SeqCst));
        assert!(made <= calls, "{made} of {calls}");
        assert!(
            !ran.report.sections.is_empty(),
            "the evidence stands in for prose"
        );
    }
}

#[tokio::test]
async fn calls_of_searches_that_run_at_once_wait_for_their_slots() {
    let most = |ran: &Ran| ran.model.most.load(Ordering::SeqCst);
    assert_eq!(most(&run(Budget::STANDARD, 1, false).await), 1);
    assert_eq!(most(&run(Budget::STANDARD, 16, false).await), 2);
}
