//! `indago models pull`: fetch published weights.

use indago_core::Cancel;
use indago_models::registry::{FolderOptions, ModelKind};
use serde::Serialize;

use super::Exit;
use super::models::what_it_is;
use super::printer::Printer;
use super::progress::{Meter, Unit, megabytes};
use super::project;
use super::settings::Settings;
use crate::{Error, Pulling};

/// Files below this length come and go too fast to be drawn.
const SMALL: u64 = 1_000_000;

/// What is asked for.
pub(super) struct Wanted<'a> {
    pub(super) models: &'a [String],
    pub(super) from: Option<&'a str>,
    pub(super) options: FolderOptions,
}

/// What came of one model.
#[derive(Serialize)]
struct Row {
    model: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    folder: Option<String>,
    fetched_bytes: u64,
    checked: bool,
    was_there: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

pub(super) fn run(
    wanted: &Wanted<'_>,
    settings: &Settings,
    json: bool,
    printer: Printer,
    cancel: &Cancel,
) -> anyhow::Result<Exit> {
    if wanted.options.name.is_some() && wanted.models.len() > 1 {
        printer.error("--name is for one model", None);
        return Ok(Exit::Usage);
    }
    let mut network = settings.network.clone();
    if let Some(from) = wanted.from {
        network.models_url = Some(from.to_owned());
    }
    let mut rows = Vec::new();
    let mut failed: Vec<Error> = Vec::new();
    for model in wanted.models {
        let mut shown = Shown::new(printer);
        let result = crate::pull(
            &project(settings),
            &network,
            model,
            &wanted.options,
            &mut |pulling| shown.tell(pulling),
            cancel,
        );
        drop(shown);
        let mut row = Row {
            model: model.clone(),
            name: None,
            kind: None,
            folder: None,
            fetched_bytes: 0,
            checked: false,
            was_there: false,
            problem: None,
        };
        match result {
            Ok(pulled) => {
                let kind = what_it_is(ModelKind::Folder(pulled.kind));
                printer.note(&said(&pulled, kind));
                row.name = Some(pulled.name);
                row.kind = Some(kind);
                row.folder = Some(pulled.folder.display().to_string());
                row.fetched_bytes = pulled.fetched;
                row.checked = pulled.is_checked;
                row.was_there = pulled.was_there;
            }
            Err(error) => {
                row.problem = Some(error.to_string());
                let stops = error.is_cancelled();
                // The last one is said where all failures are.
                if let Some(before) = failed.last() {
                    printer.error(&before.to_string(), before.hint().as_deref());
                }
                failed.push(error);
                if stops {
                    rows.push(row);
                    break;
                }
            }
        }
        rows.push(row);
    }
    if json {
        printer.json(&rows)?;
    }
    let Some(last) = failed.pop() else {
        return Ok(Exit::Done);
    };
    if last.is_cancelled() || wanted.models.len() == failed.len() + 1 {
        return Err(last.into());
    }
    printer.error(&last.to_string(), last.hint().as_deref());
    Ok(Exit::Partial)
}

fn said(pulled: &crate::Pulled, kind: &str) -> String {
    let name = &pulled.name;
    if pulled.was_there {
        return format!("`{name}` is there already: a {kind}");
    }
    let checked = if pulled.is_checked {
        "as stated by its SHA-256"
    } else {
        "the server states no sums to check"
    };
    let use_it = match pulled.kind {
        indago_models::FolderKind::Encoder => {
            format!("indago index --vectors-only --encoder {name}")
        }
        indago_models::FolderKind::CrossEncoder => format!("indago search … --rerank {name}"),
        indago_models::FolderKind::SparseEncoder => format!("indago index --sparse {name}"),
        indago_models::FolderKind::TokenEncoder => {
            format!(
                "indago search … --rerank {name}, or indago index --vectors-only --encoder {name}"
            )
        }
    };
    format!(
        "added `{name}`: a {kind}, {} fetched, {checked}; use it with: {use_it}",
        megabytes(pulled.fetched)
    )
}

/// A bar for each large file.
struct Shown {
    printer: Printer,
    file: String,
    meter: Option<Meter>,
}

impl Shown {
    fn new(printer: Printer) -> Self {
        Self {
            printer,
            file: String::new(),
            meter: None,
        }
    }

    fn tell(&mut self, pulling: Pulling<'_>) {
        if self.file != pulling.file {
            pulling.file.clone_into(&mut self.file);
            self.meter = None;
        }
        let total = pulling.total.unwrap_or(0);
        if self.meter.is_none() && total >= SMALL {
            self.meter = Some(Meter::start(self.printer, "fetching", Unit::Bytes, total));
        }
        if let Some(meter) = &mut self.meter {
            meter.set(pulling.done);
        }
    }
}
