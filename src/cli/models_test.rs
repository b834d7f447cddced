//! Models behind servers: listing them, and asking each a small question.

use std::time::Instant;

use indago_core::ports::{Encoder as _, LanguageModel, OutputSchema, PairScorer as _, Request};
use indago_core::{Cancel, Prompt};
use indago_models::remote::{ModelConfig, ModelTask};
use serde::Serialize;
use serde_json::json;

use super::Exit;
use super::printer::Printer;
use super::project;
use super::settings::{ConfigError, FILE_NAME, Settings};
use super::table::Table;
use crate::asking::runtime;
use crate::remote::Remote;

/// A configured model as `models list` shows it.
#[derive(Serialize)]
pub(super) struct Listed {
    name: String,
    server: String,
    model: String,
    task: ModelTask,
    roles: Vec<indago_models::remote::ModelRole>,
}

pub(super) fn listed(settings: &Settings) -> Vec<Listed> {
    let one = |(name, config): (&String, &ModelConfig)| Listed {
        name: name.clone(),
        server: config.base_url.clone(),
        model: config.model.clone(),
        task: config.task,
        roles: config.roles.clone(),
    };
    settings.models.iter().map(one).collect()
}

pub(super) fn list(settings: &Settings, printer: Printer) -> anyhow::Result<()> {
    let all = listed(settings);
    if all.is_empty() {
        return Ok(());
    }
    let mut table = Table::new(&["configured", "model", "server", "roles"]);
    for model in all {
        let roles: Vec<String> = model
            .roles
            .iter()
            .map(|role| format!("{role:?}").to_lowercase())
            .collect();
        table.row([model.name, model.model, model.server, roles.join(", ")]);
    }
    printer.data(&format!("\n{table}"))?;
    Ok(())
}

/// What a test showed.
#[derive(Serialize)]
struct Tested {
    name: String,
    ok: bool,
    took_ms: u64,
    detail: String,
}

pub(super) fn run(
    name: Option<&str>,
    settings: &Settings,
    json: bool,
    printer: Printer,
    cancel: &Cancel,
) -> anyhow::Result<Exit> {
    let bad = |reason: String| ConfigError::BadTable {
        path: settings.project.value.join(FILE_NAME),
        table: "models".to_owned(),
        reason,
    };
    let mut wanted = settings.models.clone();
    if let Some(name) = name {
        if !wanted.contains_key(name) {
            return Err(bad(format!("no model is named `{name}`")).into());
        }
        // Stand-ins stay: the model may name them.
    } else if wanted.is_empty() {
        return Err(bad("no model is configured".to_owned()).into());
    }
    for config in wanted.values_mut() {
        // A test is of one server: no stand-in answers for it.
        config.fallback.clear();
    }
    wanted.retain(|known, _| name.is_none_or(|name| name == known));
    let remote = Remote::open(&project(settings), wanted, &settings.network, false)
        .map_err(|e| bad(e.to_string()))?;
    let runtime = runtime()?;
    let mut all = Vec::new();
    for (name, config) in remote.models.configs() {
        let start = Instant::now();
        let result = match config.task {
            ModelTask::Chat => {
                let model = remote
                    .models
                    .chat(name)
                    .ok_or_else(|| bad(format!("`{name}` is no chat model")))?;
                runtime.block_on(ask(&*model, cancel))
            }
            ModelTask::Embeddings => remote
                .models
                .encoder(name, cancel)
                .map(|e| format!("{} dimensions", e.dim()))
                .map_err(|e| e.to_string()),
            ModelTask::Rerank => remote
                .models
                .scorer(name)
                .and_then(|scorer| scorer.score("red", &["a red boat", "bread"], cancel))
                .map(|scores| format!("scores {scores:.3?}"))
                .map_err(|e| e.to_string()),
        };
        let took_ms = start.elapsed().as_millis() as u64;
        let ok = result.is_ok();
        let (Ok(detail) | Err(detail)) = result;
        all.push(Tested {
            name: name.clone(),
            ok,
            took_ms,
            detail,
        });
    }
    let sound = all.iter().all(|tested| tested.ok);
    if json {
        printer.json(&all)?;
    } else {
        let mut table = Table::new(&["model", "state", "ms", "detail"]);
        for tested in all {
            let state = if tested.ok { "ok" } else { "PROBLEM" };
            table.row([
                tested.name,
                state.to_owned(),
                tested.took_ms.to_string(),
                tested.detail,
            ]);
        }
        printer.data(&table.to_string())?;
    }
    Ok(if sound { Exit::Done } else { Exit::Failed })
}

/// A question whose answer has to be JSON: shows that the server answers, and in which form.
async fn ask(model: &dyn LanguageModel, cancel: &Cancel) -> Result<String, String> {
    let schema = json!({
        "type": "object", "required": ["sum"], "additionalProperties": false,
        "properties": { "sum": { "type": "integer" } }
    });
    let request = Request {
        prompt: Prompt::default()
            .system("You add numbers.")
            .user("What is 2 + 3?"),
        schema: Some(OutputSchema {
            name: "sum".to_owned(),
            schema,
        }),
        temperature: Some(0.0),
        max_tokens: Some(256),
        ..Request::default()
    };
    let answer = model
        .complete(request, None, cancel.clone())
        .await
        .map_err(|e| e.to_string())?;
    let usage = answer.usage;
    Ok(format!(
        "{} ({} tokens read, {} of them cached, {} written)",
        answer.text, usage.prompt, usage.cached, usage.completion
    ))
}
