//! The long job: 300 pages over 30 sub-questions, language-model calls of 2 s, fetches of 0.5 s.
//!
//! The whole driver (planner, journal on disk, slots) with a policy, a searcher and calls that only
//! wait. Ten sub-questions depend on nobody, ten on one of those each, ten on one of these each.
//! A searcher words queries (one call), fetches ten pages, and reads them (one call). Beside the
//! wall time stand the critical path, through planning and writing, and the bound
//! max(critical path, work / slots).
//!
//! `cargo run --release -p indago-workflows --example long_job [-- MODEL_SLOTS WEB_SLOTS]`
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measurement prints and may fail"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use indago_agents::operators::Strategy;
use indago_agents::{Author, SearchInput, Searched, WriteInput};
use indago_core::ports::{
    BoxFuture, Library, NameHit, PlanPolicy, Purse, RetrieveError, RunEngine as _, StepKey,
    TaskCtx, TaskCtxExt as _, TaskError,
};
use indago_core::{
    Budget, Claim, Dependency, DocumentId, Event, Finding, GraphEdit, GraphView, Hit,
    IndexCoverage, NodeId, Passage, PassageId, Query, Quote, Report, RunId, StopReason, Usage,
};
use indago_planner::slots::{Call, Resource, SlotLimits};
use indago_workflows::deep_research::{Research, ResearchInput};
use indago_workflows::{Engine, Gate, SqliteJournal};

const MODEL: Duration = Duration::from_secs(2);
const FETCH: Duration = Duration::from_millis(500);
const CHAINS: u32 = 10;
const LEVELS: u32 = 3;
const PAGES: u32 = 10;

/// Nothing is looked up: pages are waited for.
struct Nothing;

fn none<T: Send + 'static>(value: T) -> BoxFuture<'static, Result<T, RetrieveError>> {
    Box::pin(std::future::ready(Ok(value)))
}

impl Library for Nothing {
    fn search(
        &self,
        queries: Vec<Query>,
        _k: usize,
    ) -> BoxFuture<'_, Result<Vec<Vec<Hit>>, RetrieveError>> {
        none(vec![Vec::new(); queries.len()])
    }
    fn passages(&self, _ids: Vec<PassageId>) -> BoxFuture<'_, Result<Vec<Passage>, RetrieveError>> {
        none(Vec::new())
    }
    fn defining(
        &self,
        names: Vec<String>,
        _k: usize,
    ) -> BoxFuture<'_, Result<Vec<Vec<NameHit>>, RetrieveError>> {
        none(vec![Vec::new(); names.len()])
    }
    fn frequencies(&self, terms: Vec<String>) -> BoxFuture<'_, Result<Vec<u64>, RetrieveError>> {
        none(vec![0; terms.len()])
    }
    fn similarity(
        &self,
        _query: String,
        texts: Vec<String>,
    ) -> BoxFuture<'_, Result<Vec<f32>, RetrieveError>> {
        none(vec![0.0; texts.len()])
    }
    fn reread(&self, quote: Quote) -> BoxFuture<'_, Result<Option<String>, RetrieveError>> {
        none(Some(quote.text))
    }
    fn coverage(&self) -> IndexCoverage {
        IndexCoverage::default()
    }
}

#[derive(Clone)]
struct Slots(Gate);

impl Slots {
    async fn wait(&self, resource: Resource, rank: u64, time: Duration) {
        let call = Call {
            run: 0,
            resource,
            rank,
            is_ahead: false,
        };
        let _permit = self.0.acquire(call).await;
        tokio::time::sleep(time).await;
    }

    async fn model(&self, rank: u64) {
        self.wait(Resource::LanguageModel, rank, MODEL).await;
    }
}

struct Thirty(Slots);

impl PlanPolicy for Thirty {
    fn name(&self) -> &'static str {
        "thirty"
    }

    fn reacts(&self) -> bool {
        false
    }

    fn plan<'a>(
        &'a self,
        cx: &'a mut dyn TaskCtx,
        _graph: &'a GraphView,
        _news: &'a [NodeId],
        _purse: Purse<'a>,
    ) -> BoxFuture<'a, Result<Vec<GraphEdit>, TaskError>> {
        Box::pin(async move {
            let slots = self.0.clone();
            cx.run_step(StepKey::new("plan", &0), async move {
                slots.model(u64::MAX).await;
                Ok(())
            })
            .await?;
            let mut edits = Vec::new();
            for node in 1..=CHAINS * LEVELS {
                let before = node.checked_sub(CHAINS).filter(|before| *before > 0);
                edits.push(GraphEdit::Add {
                    text: format!("What is said about subject number {node}?"),
                    reason: "part".into(),
                    depends_on: before.map(NodeId).into_iter().collect(),
                });
                edits.push(GraphEdit::Link(Dependency {
                    from: NodeId(0),
                    on: NodeId(node),
                    reason: "part".into(),
                }));
            }
            Ok(edits)
        })
    }
}

impl Strategy for Thirty {
    fn name(&self) -> &'static str {
        "thirty"
    }

    fn search<'a>(
        &'a self,
        cx: &'a mut dyn TaskCtx,
        _library: &'a dyn Library,
        input: &'a SearchInput,
    ) -> BoxFuture<'a, Result<Searched, TaskError>> {
        Box::pin(async move {
            let node = input.node;
            // Longest remaining path first: the earlier levels have more behind them.
            let level = node.0.saturating_sub(1) / CHAINS;
            let rank = u64::from(LEVELS.saturating_sub(level));
            let pages = if node == NodeId(0) { 0 } else { PAGES };
            if pages > 0 {
                for step in ["words", "pages", "read"] {
                    let slots = self.0.clone();
                    cx.run_step(StepKey::new(step, &node), async move {
                        if step == "pages" {
                            let mut fetches = tokio::task::JoinSet::new();
                            for _ in 0..pages {
                                let slots = slots.clone();
                                fetches.spawn(async move {
                                    slots.wait(Resource::Web, rank, FETCH).await;
                                });
                            }
                            while fetches.join_next().await.is_some() {}
                        } else {
                            slots.model(rank).await;
                        }
                        Ok(())
                    })
                    .await?;
                }
            }
            let document = DocumentId::new(format!("page-{}", node.0));
            let text = format!("Subject number {} is known.", node.0);
            let quote = Quote {
                passage: PassageId::of(&document, 0, text.len() as u64, &text),
                document,
                start: 0,
                end: text.len() as u64,
                text: text.clone(),
            };
            Ok(Searched {
                finding: Finding {
                    node,
                    answer: None,
                    claims: Claim::new(text, vec![quote]).into_iter().collect(),
                    confidence: 1.0,
                    bridges: Vec::new(),
                    open: Vec::new(),
                    tried: Vec::new(),
                    rounds: 1,
                    stop: StopReason::Answered,
                },
                usage: Usage {
                    lm_calls: if pages > 0 { 2 } else { 0 },
                    pages: u64::from(pages),
                    ..Usage::default()
                },
            })
        })
    }
}

impl Author for Thirty {
    fn name(&self) -> &'static str {
        "thirty"
    }

    fn write<'a>(
        &'a self,
        cx: &'a mut dyn TaskCtx,
        library: &'a dyn Library,
        input: WriteInput,
    ) -> BoxFuture<'a, Result<Report, TaskError>> {
        Box::pin(async move {
            let slots = self.0.clone();
            cx.run_step(StepKey::new("write", &0), async move {
                slots.model(u64::MAX).await;
                Ok(())
            })
            .await?;
            indago_agents::write(cx, library, input).await
        })
    }
}

async fn measure(model: u32, web: u32) {
    let folder = tempfile::tempdir().unwrap();
    let journal = Arc::new(SqliteJournal::open(folder.path()).unwrap());
    let gate = Gate::new(SlotLimits {
        language_model: model,
        web,
        ..SlotLimits::default()
    });
    let thirty = || Arc::new(Thirty(Slots(gate.clone())));
    let mut research = Research::new(
        Arc::new(Nothing),
        thirty(),
        thirty(),
        thirty(),
        Arc::clone(&journal) as _,
    );
    research.gate = gate.clone();
    let engine = Engine::new(journal, research.registry());
    let mut input = ResearchInput::new("What is said about everything?", "none");
    input.limits.parallel = CHAINS * LEVELS;
    input.limits.budget = Budget {
        nodes: CHAINS * LEVELS + 1,
        ..Budget::STANDARD
    };
    let id = RunId::new("long");
    let began = Instant::now();
    engine
        .start(id.clone(), input.spec(1).unwrap())
        .await
        .unwrap();
    let output = engine.attach(id.clone()).await.unwrap();
    let wall = began.elapsed().as_secs_f64();
    let report: Report = serde_json::from_value(output).unwrap();
    let events = engine.events(&id).unwrap();
    let answered = events
        .iter()
        .filter(|e| {
            matches!(
                e.event,
                Event::Moved {
                    state: indago_core::NodeState::Answered,
                    ..
                }
            )
        })
        .count();
    let n_calls = 2 * CHAINS * LEVELS + 2;
    let call = MODEL.as_secs_f64();
    let search = 2.0 * call + FETCH.as_secs_f64();
    let path = 2.0 * call + f64::from(LEVELS) * search;
    let model_work = f64::from(n_calls) * call / f64::from(model);
    let web_work = f64::from(CHAINS * LEVELS * PAGES) * FETCH.as_secs_f64() / f64::from(web);
    let bound = path.max(model_work).max(web_work);
    println!(
        "{model} {web} {} {answered} {wall:.2} {path:.2} {bound:.2} {:.3} {:.3}",
        report.usage.pages,
        wall / path,
        wall / bound
    );
}

#[tokio::main]
async fn main() {
    println!(
        "model_slots web_slots pages answered wall_s critical_path_s bound_s wall/path wall/bound"
    );
    let slots: Vec<u32> = std::env::args()
        .skip(1)
        .filter_map(|a| a.parse().ok())
        .collect();
    match slots[..] {
        [model, web, ..] => measure(model, web).await,
        _ => {
            // Enough for everything, what one provider gives, and little.
            for (model, web) in [(32, 320), (16, 64), (8, 16)] {
                measure(model, web).await;
            }
        }
    }
}
