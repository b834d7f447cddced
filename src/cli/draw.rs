//! `indago runs graph`: the question graph of a run, drawn.

use std::path::Path;

use indago_core::{Event, GraphView, RunId};
use indago_planner::export;
use indago_workflows::journal::{Journal as _, SqliteJournal};

use super::Exit;
use super::args::GraphFormat;
use super::printer::Printer;
use crate::Error;
use crate::asking::read_report;

pub(super) fn run(
    journal: &SqliteJournal,
    id: &RunId,
    at: Option<u64>,
    format: GraphFormat,
    out: Option<&Path>,
    printer: Printer,
) -> anyhow::Result<Exit> {
    let view = view(journal, id, at)?;
    let text = match format {
        GraphFormat::Mermaid => export::mermaid(&view),
        GraphFormat::Dot => export::dot(&view),
        GraphFormat::Svg => export::svg(&view) + "\n",
        GraphFormat::Json => serde_json::to_string_pretty(&view)? + "\n",
    };
    match out {
        Some(path) => {
            std::fs::write(path, text).map_err(|e| Error::io("write", path, e))?;
            printer.note(&format!("graph: {}", path.display()));
        }
        None => printer.data(&text)?,
    }
    Ok(Exit::Done)
}

/// The graph of the report; what the events tell where there is none, or up to one of them.
fn view(journal: &SqliteJournal, id: &RunId, at: Option<u64>) -> Result<GraphView, Error> {
    let meta = journal.meta(id)?;
    if at.is_none()
        && let Some(Ok(output)) = meta.outcome.map(|outcome| outcome.result)
    {
        return Ok(read_report(id, output)?.graph);
    }
    let stored = journal.events(id, 0, usize::MAX)?;
    let told: Vec<Event> = stored
        .into_iter()
        .take_while(|stored| at.is_none_or(|at| stored.seq <= at))
        .map(|stored| stored.event)
        .collect();
    Ok(export::from_events(&told))
}
