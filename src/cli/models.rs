//! `indago models list|add|pull|rm|verify|quantize|distill`.

use indago_core::Cancel;
use indago_core::ports::Encoder as _;
use indago_models::registry::{Entry, FolderOptions, ModelKind, Place};
use indago_models::{FolderKind, MiniLm, Precision, distill, quantize};
use serde::Serialize;

use super::Exit;
use super::args::{ModelsArgs, ModelsCommand};
use super::printer::Printer;
use super::progress::megabytes;
use super::settings::Settings;
use super::table::Table;
use super::{models_pull, models_test};
use crate::wire::{self, Carried};

/// A model's check.
#[derive(Serialize)]
struct Verified {
    name: String,
    sound: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

pub(super) fn run(
    args: &ModelsArgs,
    settings: &Settings,
    json: bool,
    printer: Printer,
    cancel: &Cancel,
) -> anyhow::Result<Exit> {
    match &args.command {
        ModelsCommand::List => {
            let carried = wire::carried();
            if json {
                let configured = models_test::listed(settings);
                let mut all = vec![serde_json::to_value(&carried)?];
                all.push(serde_json::to_value(added()?)?);
                all.push(serde_json::to_value(&configured)?);
                let all: Vec<_> = all.into_iter().flat_map(into_list).collect();
                printer.json(&all)?;
                return Ok(Exit::Done);
            }
            let mut table = Table::new(&["model", "what for", "dimensions", "licence"]);
            for Carried {
                name,
                purpose,
                dim,
                licence,
                ..
            } in carried
            {
                table.row([
                    name.to_owned(),
                    purpose.to_owned(),
                    dim.to_string(),
                    licence.to_owned(),
                ]);
            }
            printer.data(&table.to_string())?;
            let added = added()?;
            if !added.is_empty() {
                let mut table = Table::new(&["added", "what it is", "size", "state"]);
                for model in added {
                    let state = model.problem.unwrap_or_else(|| "sound".to_owned());
                    let what = match model.precision {
                        Some(Precision::Int8) => format!("{}, in 8 bits", model.kind),
                        _ => model.kind,
                    };
                    table.row([model.name, what, megabytes(model.bytes), state]);
                }
                printer.data(&format!("\n{table}"))?;
            }
            models_test::list(settings, printer)?;
            Ok(Exit::Done)
        }
        ModelsCommand::Test { name } => {
            models_test::run(name.as_deref(), settings, json, printer, cancel)
        }
        ModelsCommand::Verify => verify(json, printer),
        ModelsCommand::Add { path, about } => {
            let options = FolderOptions::from(about);
            let registry = wire::registry();
            let target = if path.is_file() {
                registry.add(path)?
            } else {
                registry.add_folder(path, &options)?
            };
            printer.note(&format!("added: {}", target.display()));
            Ok(Exit::Done)
        }
        ModelsCommand::Pull {
            models,
            from,
            about,
        } => {
            let wanted = models_pull::Wanted {
                models,
                from: from.as_deref(),
                options: FolderOptions::from(about),
            };
            models_pull::run(&wanted, settings, json, printer, cancel)
        }
        ModelsCommand::Rm { name } => {
            wire::registry().remove(name)?;
            printer.note(&format!("removed `{name}`"));
            Ok(Exit::Done)
        }
        ModelsCommand::Quantize { folder, out } => {
            let bytes = quantize(folder, out)?;
            printer.note(&format!("{}: {}", out.display(), megabytes(bytes)));
            Ok(Exit::Done)
        }
        ModelsCommand::Distill { folder, out } => {
            let teacher = MiniLm::open(folder)?;
            printer.note(&format!("distilling from {}", teacher.name()));
            let bytes = distill(&teacher, out, cancel)?;
            printer.note(&format!("{}: {}", out.display(), megabytes(bytes)));
            Ok(Exit::Done)
        }
    }
}

/// A model that was added.
#[derive(Serialize)]
struct Added {
    name: String,
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    precision: Option<Precision>,
    bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

fn added() -> anyhow::Result<Vec<Added>> {
    let entries = wire::registry().list()?.into_iter();
    let added = entries.filter(|entry| entry.place != Place::Embedded);
    let one = |entry: Entry| {
        let (kind, precision, problem) = match entry.state {
            Ok(verified) => (what_it_is(verified.kind), verified.precision, None),
            Err(error) => ("unknown", None, Some(error.to_string())),
        };
        Added {
            name: entry.name,
            kind: kind.to_owned(),
            precision,
            bytes: entry.bytes,
            problem,
        }
    };
    Ok(added.map(one).collect())
}

pub(super) fn what_it_is(kind: ModelKind) -> &'static str {
    match kind {
        ModelKind::Encoder | ModelKind::Folder(FolderKind::Encoder) => "sentence encoder",
        ModelKind::Table => "table of word pieces",
        ModelKind::Reader => "reader",
        ModelKind::Folder(FolderKind::CrossEncoder) => "cross-encoder",
        ModelKind::Folder(FolderKind::SparseEncoder) => "sparse encoder",
        ModelKind::Folder(FolderKind::TokenEncoder) => "token encoder (late interaction)",
    }
}

fn into_list(value: serde_json::Value) -> Vec<serde_json::Value> {
    match value {
        serde_json::Value::Array(list) => list,
        other => vec![other],
    }
}

fn verify(json: bool, printer: Printer) -> anyhow::Result<Exit> {
    let mut verified: Vec<Verified> = wire::carried()
        .into_iter()
        .map(|model| {
            let problem = model.problem();
            Verified {
                name: model.name.to_owned(),
                sound: problem.is_none(),
                problem,
            }
        })
        .collect();
    verified.extend(added()?.into_iter().map(|model| Verified {
        name: model.name,
        sound: model.problem.is_none(),
        problem: model.problem,
    }));
    let sound = verified.iter().all(|model| model.sound);
    if json {
        printer.json(&verified)?;
    } else {
        let mut table = Table::new(&["model", "state"]);
        for model in &verified {
            let state = model.problem.clone().unwrap_or_else(|| "sound".to_owned());
            table.row([model.name.clone(), state]);
        }
        printer.data(&table.to_string())?;
    }
    Ok(if sound { Exit::Done } else { Exit::Failed })
}
