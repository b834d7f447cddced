//! Measures research loops with the oracle, a scripted model that knows how a question falls into
//! parts and answers a part only when its passage is in front of it (`tests/support/oracle`).
//!
//! ```console
//! $ cargo run --release --example loops -- --data DIR --work WORK --set musique --limit 100
//! $ cargo run --release --example loops -- --data DIR --work WORK --set 2wiki --sloppy 7
//! ```
//!
//! With `--http` the oracle sits behind a real HTTP server and the loops reach it through the
//! product's client; requests, tokens and shared prefixes are then those that the server received.
//!
//! Each question is a whole run: engine, planner, searcher, writer and verifier of the product.
//! *Evidence access*: all gold documents stood in prompts of the run. Tokens are words and marks.
//! With `--sloppy SEED` the model plants errors into what it writes, and what the reports show is
//! compared with what was planted.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "an evaluation prints its table"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use clap::Parser;
use indago::eval::data::{self, Changes, Dataset, Question};
use indago::eval::{Half, Workplace, answers};
use indago::wire;
use indago_agents::model::{ModelAuthor, Models};
use indago_agents::operators::registry;
use indago_core::ports::{LanguageModel, Library, PlanPolicy, RunEngine as _};
use indago_core::{Budget, Cancel, Claim, Event, NodeBudget, Report, RunId};
use indago_egress::{Door, Policy};
use indago_models::remote::{ModelConfig, ModelSet, SetOptions};
use indago_oracle::{
    Error, Oracle, OracleModel, Planted, Planter, Recorded, common_prefix, norm, read_gold,
    repeated, words_of,
};
use indago_planner::policy::Single;
use indago_scripted::{Call, Reply, Server};
use indago_workflows::deep_research::{Research, ResearchInput};
use indago_workflows::{MemoryEngine, MemoryJournal};

const LOOPS: &[&str] = &[
    "single_shot",
    "follow",
    "iter_retgen",
    "interleave",
    "auto_rag",
    "retro_rag",
    "mind_search",
    "react",
];

#[derive(Parser)]
struct Args {
    /// Folder with data sets in BEIR's layout.
    #[arg(long)]
    data: PathBuf,
    /// Data sets; all four with known parts when none is given.
    #[arg(long = "set")]
    sets: Vec<String>,
    /// Folder that keeps indexes.
    #[arg(long)]
    work: Option<PathBuf>,
    /// Which half of the questions.
    #[arg(long, value_enum, default_value = "dev")]
    half: Half,
    /// Questions of each set.
    #[arg(long)]
    limit: Option<usize>,
    /// Loops; all when none is given.
    #[arg(long = "loop")]
    loops: Vec<String>,
    /// Passages for each query.
    #[arg(long, default_value_t = 12)]
    passages: usize,
    /// Asks the oracle over HTTP, through the client.
    #[arg(long, conflicts_with = "sloppy")]
    http: bool,
    /// Shows on stderr, by task, tokens sent and those that begin like an earlier request.
    #[arg(long)]
    by_task: bool,
    /// Plants errors with this seed and counts what came through.
    #[arg(long)]
    sloppy: Option<u64>,
}

/// What became of one question.
struct Outcome {
    report: Report,
    events: Vec<Event>,
    recorded: Vec<Recorded>,
    planted: Vec<Planted>,
    seen: BTreeSet<String>,
    /// Requests before the planner's second turn, or the first request where nobody plans.
    first_wave: usize,
}

/// The model that is asked, and what it was sent.
enum Asked {
    Port(OracleModel),
    Http {
        server: Server,
        model: Arc<dyn LanguageModel>,
        oracle: Arc<Oracle>,
        seen: Mutex<usize>,
    },
}

impl Asked {
    /// The oracle behind a server, reached as a configured model is.
    fn http(oracle: &Arc<Oracle>) -> Result<Self, Box<dyn std::error::Error>> {
        let brain = Arc::clone(oracle);
        let server = Server::start(move |call: &Call| Reply::text(brain.reply(sent(call))));
        let config = ModelConfig::new(server.base_url(), "oracle");
        let configs = BTreeMap::from([("oracle".to_owned(), config)]);
        let policy = Policy {
            origins: ModelSet::origins(&configs)?,
            ..Policy::default()
        };
        let door = Door::new(policy)?;
        let set = ModelSet::new(configs, &door, |_| None, SetOptions::default())?;
        Ok(Self::Http {
            server,
            model: set.chat("oracle").ok_or("no model")?,
            oracle: Arc::clone(oracle),
            seen: Mutex::new(0),
        })
    }

    fn model(&self) -> Arc<dyn LanguageModel> {
        match self {
            Self::Port(model) => Arc::new(model.clone()),
            Self::Http { model, .. } => Arc::clone(model),
        }
    }

    /// What was sent since the last call of this function.
    fn take(&self) -> Vec<Recorded> {
        match self {
            Self::Port(model) => model.take_recorded(),
            Self::Http {
                server,
                oracle,
                seen,
                ..
            } => {
                let requests = server.requests();
                let mut seen = seen.lock().unwrap();
                let new = requests[*seen..].iter().map(|r| r.call(0));
                let new = new.map(|call| received(&call, oracle)).collect();
                *seen = requests.len();
                new
            }
        }
    }
}

fn sent(call: &Call) -> Vec<(String, String)> {
    let messages = call.messages().into_iter();
    messages.map(|m| (m.role, m.text)).collect()
}

/// A request as a server that turns schemas into grammars reads it: roles and texts.
fn received(call: &Call, oracle: &Oracle) -> Recorded {
    let messages = sent(call);
    let texts: Vec<String> = messages.iter().map(|(r, t)| format!("{r}\n{t}")).collect();
    let whole = texts.join("\n");
    let passages = whole
        .split(" id=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next()?.parse().ok())
        .collect();
    Recorded {
        tokens: words_of(&whole),
        // A data block and the text between two of them each stand for themselves.
        segments: whole.split("<data ").map(words_of).collect(),
        passages,
        reply: oracle.reply(messages),
    }
}
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args = Args::parse();
    let sets = if args.sets.is_empty() {
        ["musique", "2wiki", "hotpotqa", "multihop-rag-evidence"]
            .map(str::to_owned)
            .to_vec()
    } else {
        args.sets.clone()
    };
    let loops: Vec<&str> = if args.loops.is_empty() {
        LOOPS.to_vec()
    } else {
        args.loops.iter().map(String::as_str).collect()
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let workplace = Workplace::new(args.work.as_deref())?;
    if args.sloppy.is_none() {
        println!(
            "| set | loop | n | evidence access | EM | LM calls | LM tokens | rounds | prefix hits | after the first wave | of ideal |"
        );
        println!("|---|---|---|---|---|---|---|---|---|---|---|");
    }
    let mut citations = Citations::default();
    for set in data::read(&args.data, &sets)? {
        let cancel = Cancel::new();
        let encoders = ["minilm".to_owned()];
        let changes = Changes {
            no_titles: false,
            without: BTreeSet::new(),
        };
        let project =
            workplace.prepare(&set, "whole", &changes, &encoders, 2, &mut |_| {}, &cancel)?;
        let corpus = indago::open(&project, "default")?;
        let library = wire::library(&corpus, 2)?;
        let folder = folder_of(&args.data, &set);
        let oracle = Arc::new(Oracle::new(read_gold(&folder)?));
        for name in &loops {
            let outcomes = runtime.block_on(run_all(&args, &set, name, &library, &oracle))?;
            if args.sloppy.is_some() {
                for (_, outcome) in &outcomes {
                    citations.count(outcome);
                }
            } else {
                row(&set.name, name, &outcomes);
                if args.by_task {
                    by_task(&outcomes);
                }
            }
        }
    }
    if args.sloppy.is_some() {
        citations.print();
    }
    Ok(())
}

fn folder_of(data: &std::path::Path, set: &Dataset) -> PathBuf {
    if data.join("queries.jsonl").is_file() {
        data.to_owned()
    } else {
        data.join(&set.name)
    }
}

async fn run_all<'a>(
    args: &Args,
    set: &'a Dataset,
    name: &str,
    library: &Arc<dyn Library>,
    oracle: &Arc<Oracle>,
) -> Result<Vec<(&'a Question, Outcome)>, Box<dyn std::error::Error>> {
    let questions: Vec<&Question> = set
        .questions
        .iter()
        .filter(|q| q.is_in(args.half) && !q.gold.is_empty() && !q.unanswerable)
        .take(args.limit.unwrap_or(usize::MAX))
        .collect();
    let planter = args.sloppy.map(Planter::new);
    let asked = if args.http {
        Asked::http(oracle)?
    } else {
        let mut model = OracleModel::new(Arc::clone(oracle));
        if let Some(planter) = &planter {
            model = model.spoilt(planter.spoil());
        }
        Asked::Port(model)
    };
    let models = Models::one(asked.model());
    let (policy, searcher): (Arc<dyn PlanPolicy>, &str) = if name == "mind_search" {
        let policy = registry::plan_policy(name, &models).ok_or("no such policy")?;
        (Arc::from(policy), "auto_rag")
    } else {
        (Arc::new(Single), name)
    };
    let searcher = registry::reading(searcher, &models, Some(args.passages))
        .ok_or_else(|| format!("there is no loop `{name}`"))?;
    let journal = Arc::new(MemoryJournal::new());
    let research = Research::new(
        Arc::clone(library),
        policy,
        Arc::from(searcher),
        Arc::new(ModelAuthor::new(models, 300)),
        Arc::clone(&journal) as _,
    );
    let engine = MemoryEngine::new(journal, research.registry());
    let mut outcomes = Vec::new();
    for (i, question) in questions.into_iter().enumerate() {
        let mut input = ResearchInput::new(question.text.clone(), "default");
        input.limits.budget = Budget {
            rounds: 8,
            queries: 96,
            sources: 20,
            node: NodeBudget {
                wall_ms: None,
                ..NodeBudget::STANDARD
            },
            ..Budget::STANDARD
        };
        let id = RunId::new(format!("{name}-{i}"));
        engine.start(id.clone(), input.spec(11)?).await?;
        let report: Report = serde_json::from_value(engine.attach(id.clone()).await?)?;
        let recorded = asked.take();
        let plans = |r: &Recorded| task_of(r) == "plan";
        let turns = recorded.iter().enumerate().filter(|(_, r)| plans(r));
        let second = turns.map(|(i, _)| i).nth(1);
        let ids: BTreeSet<_> = recorded.iter().flat_map(|r| r.passages.clone()).collect();
        let passages = library.passages(ids.into_iter().collect()).await?;
        outcomes.push((
            question,
            Outcome {
                report,
                events: engine.events(&id)?.into_iter().map(|e| e.event).collect(),
                first_wave: second.unwrap_or(1),
                recorded,
                planted: planter.as_ref().map(Planter::take).unwrap_or_default(),
                seen: passages
                    .into_iter()
                    .map(|p| p.document.to_string())
                    .collect(),
            },
        ));
    }
    Ok(outcomes)
}

/// The task that a request ends with.
fn task_of(request: &Recorded) -> &str {
    let task = request.tokens.windows(3).rev().find(|w| w[0] == "Task");
    task.map_or("", |w| &w[2])
}

fn by_task(outcomes: &[(&Question, Outcome)]) {
    let mut tasks: BTreeMap<String, (usize, usize, usize)> = BTreeMap::new();
    for (_, outcome) in outcomes {
        for i in 1..outcome.recorded.len() {
            let (shared, sent) = common_prefix(&outcome.recorded[..=i], i);
            let sum = tasks.entry(task_of(&outcome.recorded[i]).to_owned());
            let sum = sum.or_default();
            *sum = (sum.0 + 1, sum.1 + shared, sum.2 + sent);
        }
    }
    for (task, (n, shared, sent)) in tasks {
        let part = shared as f64 / (sent as f64).max(1.0);
        eprintln!("  {task}: {n} requests, {shared} of {sent} tokens shared ({part:.2})");
    }
}

fn row(set: &str, name: &str, outcomes: &[(&Question, Outcome)]) {
    let n = outcomes.len().max(1) as f64;
    let share = |yes: &dyn Fn(&Question, &Outcome) -> bool| {
        100.0 * outcomes.iter().filter(|(q, o)| yes(q, o)).count() as f64 / n
    };
    let mean = |of: &dyn Fn(&Outcome) -> usize| {
        outcomes.iter().map(|(_, o)| of(o) as f64).sum::<f64>() / n
    };
    let access = share(&|q, o| q.gold.iter().all(|g| o.seen.contains(g)));
    let exact = share(&|q, o| {
        let answer = o.report.answer.as_ref();
        answer.is_some_and(|a| answers::exact_match(&a.text, &q.answers))
    });
    let tokens = |o: &Outcome| -> usize {
        o.recorded
            .iter()
            .map(|r| r.tokens.len() + words_of(&r.reply).len())
            .sum()
    };
    let (mut shared, mut sent, mut ideal) = (0, 0, 0);
    let (mut later_shared, mut later_sent) = (0, 0);
    for (_, outcome) in outcomes {
        let (a, b) = common_prefix(&outcome.recorded, outcome.first_wave);
        later_shared += a;
        later_sent += b;
        let (a, b) = common_prefix(&outcome.recorded, 1);
        shared += a;
        sent += b;
        ideal += repeated(&outcome.recorded, 1);
    }
    println!(
        "| {set} | {name} | {} | {access:.1} | {exact:.1} | {:.1} | {:.0} | {:.1} | {:.2} | {:.2} | {:.2} |",
        outcomes.len(),
        mean(&|o| o.recorded.len()),
        mean(&tokens),
        mean(&|o| o.report.usage.rounds as usize),
        shared as f64 / (sent as f64).max(1.0),
        later_shared as f64 / (later_sent as f64).max(1.0),
        shared as f64 / (ideal as f64).max(1.0),
    );
}

/// What was planted, and what of it the reports show.
#[derive(Default)]
struct Citations {
    runs: usize,
    shown: usize,
    bad_quotes: usize,
    planted: BTreeMap<Error, usize>,
    through: BTreeMap<Error, usize>,
    kept: usize,
    reasons: BTreeMap<String, usize>,
    examples: Vec<String>,
}

impl Citations {
    fn count(&mut self, outcome: &Outcome) {
        self.runs += 1;
        let claims: Vec<&Claim> = outcome
            .report
            .sections
            .iter()
            .flat_map(|s| &s.claims)
            .collect();
        self.shown += claims.len();
        let dropped: BTreeMap<&str, &str> = outcome
            .events
            .iter()
            .filter_map(|e| match e {
                Event::Dropped { claim, reason } => Some((claim.trim(), reason.as_str())),
                _ => None,
            })
            .collect();
        let unique: BTreeSet<(String, Error)> = outcome
            .planted
            .iter()
            .map(|p| (p.text.trim().to_owned(), p.error))
            .collect();
        // The same words may be handed over twice, once true and once under a wrong source.
        let wrong: BTreeSet<&str> = unique
            .iter()
            .filter(|(_, e)| !matches!(e, Error::True | Error::Source))
            .map(|(t, _)| t.as_str())
            .collect();
        for (text, error) in &unique {
            *self.planted.entry(*error).or_default() += 1;
            match error {
                Error::True => {
                    let known = claims.iter().any(|c| c.text().trim() == text);
                    if known || !dropped.contains_key(text.as_str()) {
                        self.kept += 1;
                    } else {
                        let reason = dropped[text.as_str()];
                        let kind: String = reason
                            .split_whitespace()
                            .take(4)
                            .collect::<Vec<_>>()
                            .join(" ");
                        *self.reasons.entry(kind).or_default() += 1;
                        if self.examples.len() < 12 {
                            self.examples.push(format!("lost: {text} -- {reason}"));
                        }
                    }
                }
                Error::Source => {
                    let bare = text.rsplit_once(" @").map_or(text.as_str(), |(t, _)| t);
                    let through = claims.iter().any(|c| {
                        c.text().trim() == bare
                            && c.quotes()
                                .iter()
                                .all(|q| !norm(&q.text).contains(&norm(bare)))
                    });
                    self.pass(*error, through, text);
                }
                _ => {
                    let through = claims.iter().any(|c| c.text().trim() == text);
                    self.pass(*error, through, text);
                }
            }
        }
        for claim in claims {
            // What a quote says must stand in what was retrieved: read again by the verifier, and
            // here compared with everything planted.
            self.bad_quotes +=
                usize::from(claim.quotes().iter().any(|q| wrong.contains(q.text.trim())));
        }
    }

    fn pass(&mut self, error: Error, through: bool, text: &str) {
        if through {
            *self.through.entry(error).or_default() += 1;
            if self.examples.len() < 12 {
                self.examples.push(format!("through, {error:?}: {text}"));
            }
        }
    }

    fn print(&self) {
        println!(
            "runs {}, claims shown {}, planted quotes shown {}",
            self.runs, self.shown, self.bad_quotes
        );
        println!("\n| planted | handed over | shown as verified |\n|---|---|---|");
        for (error, n) in &self.planted {
            if *error == Error::True {
                println!(
                    "| true claims | {n} | kept {} ({:.1}%) |",
                    self.kept,
                    100.0 * self.kept as f64 / *n as f64
                );
            } else {
                println!(
                    "| {error:?} | {n} | {} |",
                    self.through.get(error).copied().unwrap_or(0)
                );
            }
        }
        for (reason, n) in &self.reasons {
            eprintln!("lost true claims, {n}: {reason}");
        }
        for example in &self.examples {
            eprintln!("{example}");
        }
    }
}
