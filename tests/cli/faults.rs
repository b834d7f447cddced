//! Everything a server can do, at every call of a run: the run ends with a report or a clear reason
//! within its budget, its record replays, and the key stands in nothing that was written.

use std::sync::Arc;

use indago::core::{Budget, Cancel, StopReason};
use indago::models::{ModelConfig, ModelSet, SetOptions};
use indago::{AskSettings, Asker, ModelChoice, ModelReasoner, Models, Project, Runs};
use indago_egress::{Door, Policy, Secret};
use indago_scripted::{Fault, Faulty, Server};

use crate::model::{KEY, QUESTION, holds_key, oracle};
use crate::support::Sandbox;

fn asker(project: &Project, server: &Server) -> Asker {
    let mut config = ModelConfig::new(server.base_url(), "scripted");
    config.key_env = Some("ANY".to_owned());
    config.first_token_ms = 150;
    config.between_tokens_ms = 150;
    config.call_ms = 600;
    config.attempts = 2;
    config.backoff_ms = 1;
    config.longest_wait_ms = 50;
    config.repairs = 1;
    let configs = [("small".to_owned(), config)].into();
    let policy = Policy {
        origins: ModelSet::origins(&configs).expect("origins"),
        ..Policy::default()
    };
    let door = Door::new(policy).expect("a door");
    let key = |_: &str| Some(Secret::new(KEY.to_owned()));
    let set = ModelSet::new(configs, &door, key, SetOptions::default()).expect("models");
    let models = Models::one(set.chat("small").expect("a model"));
    let choice = ModelChoice {
        model: "small".to_owned(),
        strategy: "auto_rag".to_owned(),
        words: 200,
    };
    let reasoner = ModelReasoner::with_models(models, choice).expect("a loop");
    Asker::open_with(project, "default", 1, Some(reasoner)).expect("an index")
}

/// Asks while `fault` happens at the calls that `when` names, and looks at what came of it.
async fn ask(project: Project, fault: Fault, at: usize, to_the_end: bool) {
    let planted = fault.clone();
    let server = Server::start(Faulty::new(oracle(), move |n| {
        (n == at || (to_the_end && n > at)).then(|| planted.clone())
    }));
    let asker = asker(&project, &server);
    let settings = AskSettings {
        budget: Budget {
            lm_calls: Some(20),
            wall_ms: Some(20_000),
            rounds: 8,
            ..Budget::STANDARD
        },
        plan: Some("mind_search".to_owned()),
        ..AskSettings::default()
    };
    let what = format!("{fault:?} at call {at}, to the end: {to_the_end}");
    let report = asker.ask(QUESTION, &settings, &Cancel::new()).await;
    let report = report.unwrap_or_else(|e| panic!("{what}: {e}"));
    assert!(report.usage.lm_calls <= 20, "{what}: {:?}", report.usage);
    let text = serde_json::to_string(&report).expect("JSON");
    assert!(!text.contains(KEY), "{what}: {text}");
    if let Some(answer) = &report.answer {
        assert_eq!(answer.text, "Skagen", "{what}");
    } else {
        let said = report.not_found.iter().any(|open| !open.missing.is_empty());
        assert!(
            said || report.stop_reason == StopReason::Budget || !report.sections.is_empty(),
            "{what}: no reason in {text}"
        );
    }
    let runs = Runs::open(&project).expect("a journal");
    let again = runs.replay(&report.run).await;
    let again = again.unwrap_or_else(|e| panic!("{what}: {e}"));
    assert_eq!(again, report, "{what}");
}

#[test]
fn whatever_a_server_does_at_whatever_call_the_run_ends_and_the_key_is_written_nowhere() {
    let sandbox = Arc::new(Sandbox::indexed());
    let project = Project::at(sandbox.path("."));
    let mut cases = Vec::new();
    for fault in Fault::all() {
        // A whole run has about a dozen calls.
        for at in 0..14 {
            cases.push((fault.clone(), at, false));
        }
        for at in [0, 1, 4, 9] {
            cases.push((fault.clone(), at, true));
        }
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        for some in cases.chunks(16) {
            let started = some.iter().cloned().map(|(fault, at, to_the_end)| {
                tokio::spawn(ask(project.clone(), fault, at, to_the_end))
            });
            for one in started.collect::<Vec<_>>() {
                one.await.expect("no panic");
            }
        }
    });
    assert!(!holds_key(&sandbox.path(".indago")));
}
