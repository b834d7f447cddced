//! Everything a server can do wrong, at every call of a run: in this process, so that hundreds of
//! runs are cheap.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use indago::core::{Cancel, Report};
use indago::models::{ModelConfig, ModelSet, SetOptions};
use indago::{AskSettings, Asker, ModelChoice, ModelReasoner, Models, Project};
use indago_egress::{Door, Policy, Secret};
use indago_scripted::{Fault, Faulty, Server};

use crate::model::{KEY, QUESTION, holds_key, oracle};
use crate::support::Sandbox;

/// Faults that are planted by one thread after another; most of a run is waiting.
const THREADS: usize = 8;

/// Longest time of a run: its calls, each with all its attempts. Only a hang takes longer.
const LONGEST: Duration = Duration::from_mins(2);

/// What is planted where.
#[derive(Clone, Debug)]
struct Plant {
    fault: Fault,
    /// Request at which it happens, counted from the start of the run.
    at: usize,
    /// Whether it goes on from there.
    lasts: bool,
}

struct Bench {
    sandbox: Sandbox,
    server: Server,
    /// Requests before the run, and what happens in it.
    plan: Arc<Mutex<(usize, Option<Plant>)>>,
    asker: Asker,
}

impl Bench {
    fn new() -> Self {
        let plan = Arc::new(Mutex::new((0, None::<Plant>)));
        let planted = Arc::clone(&plan);
        let server = Server::start(Faulty::new(oracle(), move |n: usize| {
            let plan = planted.lock().expect("a plan");
            let (start, plant) = (plan.0, plan.1.as_ref()?);
            let hit =
                n >= start && (n - start == plant.at || (plant.lasts && n - start > plant.at));
            hit.then(|| plant.fault.clone())
        }));
        let sandbox = Sandbox::indexed();
        let config = ModelConfig {
            key_env: Some("KEY".into()),
            first_token_ms: 150,
            between_tokens_ms: 150,
            call_ms: 600,
            attempts: 2,
            backoff_ms: 2,
            longest_wait_ms: 20,
            repairs: 1,
            ..ModelConfig::new(server.base_url(), "scripted")
        };
        let configs = [("small".to_owned(), config)].into();
        let policy = Policy {
            origins: ModelSet::origins(&configs).expect("origins"),
            ..Policy::default()
        };
        let door = Door::new(policy).expect("a door");
        let key = |_: &str| Some(Secret::new(KEY.into()));
        let set = ModelSet::new(configs, &door, key, SetOptions::default()).expect("models");
        let choice = ModelChoice {
            model: "small".into(),
            strategy: "auto_rag".into(),
            words: 200,
        };
        let models = Models::one(set.chat("small").expect("a model"));
        let reasoner = ModelReasoner::with_models(models, choice).expect("a reasoner");
        let project = Project::at(sandbox.path("."));
        let asker = Asker::open_with(&project, "default", 1, Some(reasoner)).expect("a corpus");
        Self {
            sandbox,
            server,
            plan,
            asker,
        }
    }

    /// Asks with something planted; gives how many requests came.
    async fn ask(&self, plant: Option<Plant>) -> usize {
        let what = format!("{plant:?}");
        let start = self.server.requests().len();
        *self.plan.lock().expect("a plan") = (start, plant);
        let mut settings = AskSettings {
            plan: Some("mind_search".to_owned()),
            ..AskSettings::default()
        };
        settings.budget.lm_calls = Some(30);
        let cancel = Cancel::new();
        let asked = self.asker.ask(QUESTION, &settings, &cancel);
        let ended = tokio::time::timeout(LONGEST, asked).await;
        let ended = ended.unwrap_or_else(|_| panic!("{what}: it hangs"));
        let said = match &ended {
            Ok(report) => {
                sound(report, &what);
                format!("{report:?}{}", indago::report::markdown(report))
            }
            Err(error) => {
                let reason = error.to_string();
                assert!(
                    !reason.is_empty() && !reason.contains("panicked"),
                    "{what}: {reason}"
                );
                reason
            }
        };
        assert!(!said.contains(KEY), "{what}: the key is shown");
        if let Ok(report) = &ended {
            let again = self.asker.replay(&report.run).await;
            let again = again.unwrap_or_else(|error| panic!("{what}: no replay: {error}"));
            assert_eq!(&again, report, "{what}");
        }
        self.server.requests().len() - start
    }
}

/// A report, or the reason why there is none in it.
fn sound(report: &Report, what: &str) {
    let shown = report.sections.iter().flat_map(|section| &section.claims);
    let texts = ["lighthouse.md", "falk.md", "bread.txt"];
    for quote in shown.flat_map(indago::core::Claim::quotes) {
        assert!(
            texts.contains(&quote.document.as_str()),
            "{what}: {quote:?}"
        );
    }
    if let Some(answer) = &report.answer {
        assert_eq!(answer.text, "Skagen", "{what}");
    }
    let explained = !report.sections.is_empty()
        || report
            .not_found
            .iter()
            .any(|open| !open.missing.is_empty() || !open.tried.is_empty());
    assert!(
        explained,
        "{what}: neither a claim nor a reason: {report:?}"
    );
}

fn block<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(work)
}

fn has_no_key(folder: &Path) {
    assert!(!holds_key(folder), "the key was written");
}

#[test]
fn whatever_goes_wrong_at_whatever_call_the_run_ends_with_a_report_or_a_reason() {
    let calls = block(Bench::new().ask(None));
    assert!(calls >= 8, "{calls} calls");
    let mut plants = Vec::new();
    for fault in Fault::all() {
        for at in 0..calls {
            let once = Plant {
                fault: fault.clone(),
                at,
                lasts: false,
            };
            // For good from the first, the middle and the last call on.
            if at == 0 || at == calls / 2 || at + 1 == calls {
                let lasts = Plant {
                    lasts: true,
                    ..once.clone()
                };
                plants.push(lasts);
            }
            plants.push(once);
        }
    }
    let n = plants.len();
    let next = Mutex::new(plants.into_iter());
    let done = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let bench = Bench::new();
                loop {
                    let Some(plant) = next.lock().expect("a list").next() else {
                        break;
                    };
                    block(bench.ask(Some(plant)));
                    done.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                }
                has_no_key(&bench.sandbox.path("."));
                // What was written can be read by another process: no run is half written.
                let listed = bench.sandbox.run(&["runs", "list", "--json"]);
                assert_eq!(listed.code, Some(0), "{listed:?}");
                assert!(!listed.stdout.contains("\"running\""), "{listed:?}");
            });
        }
    });
    assert_eq!(done.into_inner(), n);
}
