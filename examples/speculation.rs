//! What retrieving ahead saves: whole runs over a retriever that takes 300 ms and a model that takes
//! 1 s, with and without it, and RaLMSpec's speculation with the same costs.
//!
//! ```console
//! $ cargo run --release --example speculation -- --data DIR --work WORK --set musique --limit 10
//! ```
//!
//! Reports of both kinds are compared word by word; only their times may differ.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::panic,
    reason = "an evaluation prints its table and stops where outputs differ"
)]

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use clap::Parser;
use indago::eval::data::{self, Changes};
use indago::eval::{Half, Workplace};
use indago::wire;
use indago_agents::model::{ModelAuthor, Models};
use indago_agents::operators::registry;
use indago_agents::operators::speculate::{Generator, KnowledgeBase, Speculation};
use indago_core::ports::{
    BoxFuture, Completion, DeltaSink, LanguageModel, LanguageModelError, Library, NameHit,
    PlanPolicy, Request, RetrieveError, RunEngine as _, TokenUsage,
};
use indago_core::{
    Cancel, Event, Hit, IndexCoverage, Passage, PassageId, Query, Quote, Report, RunId,
};
use indago_oracle::{Oracle, OracleModel, read_gold};
use indago_planner::policy::Single;
use indago_workflows::deep_research::{Research, ResearchInput};
use indago_workflows::{MemoryEngine, MemoryJournal};

#[derive(Parser)]
struct Args {
    /// Folder with data sets in BEIR's layout.
    #[arg(long)]
    data: PathBuf,
    /// The data set.
    #[arg(long, default_value = "musique")]
    set: String,
    /// Folder that keeps indexes.
    #[arg(long)]
    work: Option<PathBuf>,
    /// Questions.
    #[arg(long, default_value_t = 10)]
    limit: usize,
    /// How long a retrieval takes.
    #[arg(long, default_value_t = 300)]
    retriever_ms: u64,
    /// How long a call of the model takes.
    #[arg(long, default_value_t = 1000)]
    model_ms: u64,
}

/// A library whose searches take their time and nothing else: their answers are kept from a first
/// run without delays, so that what else the machine does stays out of the figures.
struct Slow {
    inner: Arc<dyn Library>,
    kept: Mutex<HashMap<String, Vec<Vec<Hit>>>>,
    pace: Pace,
    delay: Duration,
}

/// Whether delays are on.
type Pace = Arc<AtomicBool>;

impl Library for Slow {
    fn search(
        &self,
        queries: Vec<Query>,
        k: usize,
    ) -> BoxFuture<'_, Result<Vec<Vec<Hit>>, RetrieveError>> {
        Box::pin(async move {
            if self.pace.load(Ordering::Relaxed) {
                tokio::time::sleep(self.delay).await;
            }
            let key = format!("{queries:?} {k}");
            let known = self.kept.lock().unwrap().get(&key).cloned();
            if let Some(known) = known {
                return Ok(known);
            }
            let found = self.inner.search(queries, k).await?;
            self.kept.lock().unwrap().insert(key, found.clone());
            Ok(found)
        })
    }

    fn passages(&self, ids: Vec<PassageId>) -> BoxFuture<'_, Result<Vec<Passage>, RetrieveError>> {
        self.inner.passages(ids)
    }

    fn defining(
        &self,
        names: Vec<String>,
        k: usize,
    ) -> BoxFuture<'_, Result<Vec<Vec<NameHit>>, RetrieveError>> {
        self.inner.defining(names, k)
    }

    fn frequencies(&self, terms: Vec<String>) -> BoxFuture<'_, Result<Vec<u64>, RetrieveError>> {
        self.inner.frequencies(terms)
    }

    fn similarity(
        &self,
        query: String,
        texts: Vec<String>,
    ) -> BoxFuture<'_, Result<Vec<f32>, RetrieveError>> {
        self.inner.similarity(query, texts)
    }

    fn reread(&self, quote: Quote) -> BoxFuture<'_, Result<Option<String>, RetrieveError>> {
        self.inner.reread(quote)
    }

    fn coverage(&self) -> IndexCoverage {
        self.inner.coverage()
    }
}

/// A model that takes its time.
struct Thinking {
    inner: OracleModel,
    pace: Pace,
    delay: Duration,
}

impl LanguageModel for Thinking {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn fingerprint(&self) -> &str {
        self.inner.fingerprint()
    }

    fn window(&self) -> Option<u64> {
        self.inner.window()
    }

    fn count(&self, request: &Request) -> (u64, bool) {
        self.inner.count(request)
    }

    fn price_micros(&self, usage: TokenUsage) -> u64 {
        self.inner.price_micros(usage)
    }

    fn complete(
        &self,
        request: Request,
        deltas: Option<DeltaSink>,
        cancel: Cancel,
    ) -> BoxFuture<'_, Result<Completion, LanguageModelError>> {
        Box::pin(async move {
            if self.pace.load(Ordering::Relaxed) {
                tokio::time::sleep(self.delay).await;
            }
            self.inner.complete(request, deltas, cancel).await
        })
    }
}

/// A generation whose next query depends on every passage before it.
#[derive(Clone, Debug, PartialEq)]
struct Walk {
    text: Vec<u64>,
    left: usize,
    jump: u64,
    step: Duration,
}

impl Generator for Walk {
    fn query(&self) -> Option<String> {
        let at = self.text.last().copied().unwrap_or(7);
        let fold = |a: u64, b: &u64| a.wrapping_mul(31).wrapping_add(*b);
        let sum = self.text.iter().fold(0_u64, fold);
        (self.left > 0).then(|| ((at + sum % self.jump.max(1)) % 997).to_string())
    }

    fn advance(&mut self, passage: u64) {
        std::thread::sleep(self.step);
        self.text.push(passage);
        self.left -= 1;
    }
}

/// Passages on a line: the closest to the query is the best.
struct Line(Duration);

impl KnowledgeBase for Line {
    fn batch(&mut self, queries: &[String], top: usize) -> Vec<Vec<u64>> {
        std::thread::sleep(self.0);
        let rank = |query: &String| {
            let mut all: Vec<u64> = (0..200).map(|i| i * 5).collect();
            all.sort_by(|a, b| {
                let scores = (self.score(query, *a), self.score(query, *b));
                scores.1.total_cmp(&scores.0).then(a.cmp(b))
            });
            all.truncate(top);
            all
        };
        queries.iter().map(rank).collect()
    }

    fn score(&self, query: &str, passage: u64) -> f64 {
        let at: f64 = query.parse().unwrap();
        -(at - passage as f64).abs()
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args = Args::parse();
    println!("| what | n | plain, s | ahead, s | ratio | calls ahead | of these used |");
    println!("|---|---|---|---|---|---|---|");
    whole_runs(&args)?;
    for (name, step_ms) in [
        ("RaLMSpec, model 1 s a step", args.model_ms),
        ("RaLMSpec, model 50 ms a step", 50),
    ] {
        generations(&args, name, step_ms);
    }
    Ok(())
}

fn generations(args: &Args, name: &str, step_ms: u64) {
    let (mut plain, mut ahead) = (Duration::ZERO, Duration::ZERO);
    let (mut steps, mut trips) = (0, 0);
    let base = Duration::from_millis(args.retriever_ms);
    for seed in 0..3_u64 {
        let start = Walk {
            text: vec![seed * 9],
            left: 12,
            jump: 12,
            step: Duration::from_millis(step_ms),
        };
        let speculation = Speculation {
            step_cost: step_ms as f64,
            verify_cost: args.retriever_ms as f64,
            ..Speculation::default()
        };
        let (mut a, mut b) = (start.clone(), start);
        let begun = Instant::now();
        Speculation::plain(&mut a, &mut Line(base));
        plain += begun.elapsed();
        let begun = Instant::now();
        let trace = speculation.run(&mut b, &mut Line(base));
        ahead += begun.elapsed();
        assert_eq!(a, b, "the outputs differ");
        steps += trace.committed;
        trips += trace.round_trips;
    }
    println!(
        "| {name} | 3 | {:.1} | {:.1} | {:.2} | {steps} points | {trips} round trips |",
        plain.as_secs_f64(),
        ahead.as_secs_f64(),
        ahead.as_secs_f64() / plain.as_secs_f64(),
    );
}

fn whole_runs(args: &Args) -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()?;
    let workplace = Workplace::new(args.work.as_deref())?;
    let sets = data::read(&args.data, std::slice::from_ref(&args.set))?;
    let set = sets.first().ok_or("no such data set")?;
    let changes = Changes {
        no_titles: false,
        without: std::collections::BTreeSet::new(),
    };
    let encoders = ["minilm".to_owned()];
    let cancel = Cancel::new();
    let project = workplace.prepare(set, "whole", &changes, &encoders, 2, &mut |_| {}, &cancel)?;
    let corpus = indago::open(&project, "default")?;
    let pace = Pace::default();
    let library: Arc<dyn Library> = Arc::new(Slow {
        inner: wire::library(&corpus, 2)?,
        kept: Mutex::default(),
        pace: Arc::clone(&pace),
        delay: Duration::from_millis(args.retriever_ms),
    });
    let folder = if args.data.join("queries.jsonl").is_file() {
        args.data.clone()
    } else {
        args.data.join(&set.name)
    };
    let oracle = Arc::new(Oracle::new(read_gold(&folder)?));
    let questions: Vec<&str> = set
        .questions
        .iter()
        .filter(|q| q.is_in(Half::Dev) && !q.gold.is_empty() && !q.unanswerable)
        .take(args.limit)
        .map(|q| q.text.as_str())
        .collect();
    for name in ["auto_rag", "mind_search"] {
        let model = Thinking {
            inner: OracleModel::new(Arc::clone(&oracle)),
            pace: Arc::clone(&pace),
            delay: Duration::from_millis(args.model_ms),
        };
        let models = Models::one(Arc::new(model));
        let run = |guess: bool| {
            let policy: Arc<dyn PlanPolicy> = match registry::plan_policy(name, &models) {
                Some(policy) => Arc::from(policy),
                None => Arc::new(Single),
            };
            let searcher = registry::reading("auto_rag", &models, Some(12)).unwrap();
            let journal = Arc::new(MemoryJournal::new());
            let mut research = Research::new(
                Arc::clone(&library),
                policy,
                Arc::from(searcher),
                Arc::new(ModelAuthor::new(models.clone(), 300)),
                Arc::clone(&journal) as _,
            );
            research.guess = guess;
            MemoryEngine::new(journal, research.registry())
        };
        let (warm, plain, ahead) = (run(true), run(false), run(true));
        let mut times = [Duration::ZERO; 2];
        let (mut calls, mut used) = (0, 0);
        for (i, question) in questions.iter().enumerate() {
            let mut reports: Vec<Report> = Vec::new();
            let mut untimed = Duration::ZERO;
            let [first, second] = &mut times;
            for (engine, time) in [(&warm, &mut untimed), (&plain, first), (&ahead, second)] {
                let is_timed = !std::ptr::eq(engine, &raw const warm);
                pace.store(is_timed, Ordering::Relaxed);
                let id = RunId::new(format!("{name}-{i}"));
                let input = ResearchInput::new(*question, "default");
                let begun = Instant::now();
                let output = runtime.block_on(async {
                    engine.start(id.clone(), input.spec(11)?).await?;
                    Ok::<_, Box<dyn std::error::Error>>(engine.attach(id.clone()).await?)
                })?;
                *time += begun.elapsed();
                let mut report: Report = serde_json::from_value(output)?;
                report.usage.wall_ms = 0;
                if !is_timed {
                    continue;
                }
                reports.push(report);
                for stored in engine.events(&id)? {
                    if let Event::Speculated {
                        calls: c, used: u, ..
                    } = stored.event
                    {
                        calls += c;
                        used += u;
                    }
                }
            }
            assert_eq!(reports[0], reports[1], "the reports differ: {question}");
        }
        println!(
            "| {} runs of {name} | {} | {:.1} | {:.1} | {:.2} | {calls} | {used} |",
            set.name,
            questions.len(),
            times[0].as_secs_f64(),
            times[1].as_secs_f64(),
            times[1].as_secs_f64() / times[0].as_secs_f64(),
        );
    }
    Ok(())
}
