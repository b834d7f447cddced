//! `indago models list|verify|quantize|distill`.

use indago_core::Cancel;
use indago_core::ports::Encoder as _;
use indago_models::{MiniLm, distill, quantize};
use serde::Serialize;

use super::Exit;
use super::args::{ModelsArgs, ModelsCommand};
use super::models_test;
use super::printer::Printer;
use super::progress::megabytes;
use super::settings::Settings;
use super::table::Table;
use crate::wire::{self, Carried};

/// A model's check.
#[derive(Serialize)]
struct Verified {
    name: &'static str,
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
            models_test::list(settings, printer)?;
            Ok(Exit::Done)
        }
        ModelsCommand::Test { name } => {
            models_test::run(name.as_deref(), settings, json, printer, cancel)
        }
        ModelsCommand::Verify => verify(json, printer),
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

fn into_list(value: serde_json::Value) -> Vec<serde_json::Value> {
    match value {
        serde_json::Value::Array(list) => list,
        other => vec![other],
    }
}

fn verify(json: bool, printer: Printer) -> anyhow::Result<Exit> {
    let verified: Vec<Verified> = wire::carried()
        .into_iter()
        .map(|model| {
            let problem = model.problem();
            Verified {
                name: model.name,
                sound: problem.is_none(),
                problem,
            }
        })
        .collect();
    let sound = verified.iter().all(|model| model.sound);
    if json {
        printer.json(&verified)?;
    } else {
        let mut table = Table::new(&["model", "state"]);
        for model in &verified {
            let state = model.problem.clone().unwrap_or_else(|| "sound".to_owned());
            table.row([model.name.to_owned(), state]);
        }
        printer.data(&table.to_string())?;
    }
    Ok(if sound { Exit::Done } else { Exit::Failed })
}
