//! `indago runs list|show|resume|replay`.

use indago_core::ports::{RunError, RunStatus};
use indago_core::{Report, RunId, RunState};
use indago_workflows::journal::{Journal, SqliteJournal, StoredEvent};
use serde::Serialize;

use super::args::{Format, RunsArgs, RunsCommand};
use super::ask::render;
use super::printer::Printer;
use super::settings::Settings;
use super::table::Table;
use super::{Exit, project};
use crate::asking::{read_report, runtime};
use crate::report::Contexts;
use crate::{Asker, Error, wire};

/// A run in detail, as JSON.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    status: RunStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    report: Option<crate::report::JsonReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<Vec<StoredEvent>>,
}

pub(super) fn run(
    args: &RunsArgs,
    settings: &Settings,
    json: bool,
    printer: Printer,
) -> anyhow::Result<Exit> {
    let project = project(settings);
    // Looking must not make a journal where none is.
    if !project.journal_dir().join("journal.sqlite").is_file() {
        return match &args.command {
            RunsCommand::List { .. } => {
                if json {
                    printer.json(&Vec::<RunStatus>::new())?;
                }
                printer.note("no runs yet; `indago ask QUESTION` makes one");
                Ok(Exit::Done)
            }
            RunsCommand::Show { run, .. }
            | RunsCommand::Resume { run, .. }
            | RunsCommand::Replay { run, .. } => {
                Err(Error::from(RunError::Unknown(RunId::new(run))).into())
            }
        };
    }
    let journal = wire::journal(&project)?;
    match &args.command {
        RunsCommand::List { n } => list(&journal, *n, json, printer),
        RunsCommand::Show {
            run,
            events,
            format,
        } => show(&journal, run, *events, *format, json, printer),
        RunsCommand::Resume { run, format } => {
            let id = find(&journal, run)?;
            again(settings, &id, Again::Resume, *format, json, printer)
        }
        RunsCommand::Replay { run, format } => {
            let id = find(&journal, run)?;
            again(settings, &id, Again::Replay, *format, json, printer)
        }
    }
}

/// How a recorded run is run again.
#[derive(Clone, Copy)]
enum Again {
    Resume,
    Replay,
}

/// The id given, or that of the newest run for `last`.
fn find(journal: &SqliteJournal, run: &str) -> Result<RunId, Error> {
    if run != "last" {
        return Ok(RunId::new(run));
    }
    let last = journal.list()?.into_iter().next();
    Ok(last.map_or_else(|| RunId::new(run), |meta| meta.id))
}

fn again(
    settings: &Settings,
    id: &RunId,
    how: Again,
    format: Format,
    json: bool,
    printer: Printer,
) -> anyhow::Result<Exit> {
    let project = project(settings);
    let meta = wire::journal(&project)?.meta(id).map_err(Error::from)?;
    let asker = Asker::open(&project, &meta.spec.corpus, settings.threads.value)?;
    let report = runtime()?.block_on(async {
        match how {
            Again::Resume => asker.resume(id).await,
            Again::Replay => asker.replay(id).await,
        }
    })?;
    print_report(&report, if json { Format::Json } else { format }, printer)
}

fn status_of(journal: &SqliteJournal, meta: &indago_workflows::journal::RunMeta) -> RunStatus {
    meta.status(meta.outcome.is_none() && journal.is_hosted(&meta.id))
}

fn list(journal: &SqliteJournal, n: usize, json: bool, printer: Printer) -> anyhow::Result<Exit> {
    let metas = journal.list().map_err(Error::from)?;
    let runs: Vec<RunStatus> = metas
        .iter()
        .take(n)
        .map(|meta| status_of(journal, meta))
        .collect();
    if json {
        printer.json(&runs)?;
        return Ok(Exit::Done);
    }
    let mut table = Table::new(&["run", "state", "started", "corpus", "question"]);
    for run in &runs {
        table.row([
            run.id.to_string(),
            state(run.state).to_owned(),
            utc(run.started_ms),
            run.corpus.clone(),
            shorten(&run.question),
        ]);
    }
    printer.data(&table.to_string())?;
    if metas.len() > runs.len() {
        printer.note(&format!(
            "... and {} older (-n shows more)",
            metas.len() - runs.len()
        ));
    }
    Ok(Exit::Done)
}

fn show(
    journal: &SqliteJournal,
    run: &str,
    events: bool,
    format: Option<Format>,
    json: bool,
    printer: Printer,
) -> anyhow::Result<Exit> {
    let id = find(journal, run)?;
    let meta = journal.meta(&id).map_err(Error::from)?;
    let status = status_of(journal, &meta);
    let log = if events {
        Some(journal.events(&id, 0, usize::MAX).map_err(Error::from)?)
    } else {
        None
    };
    let (report, error) = match meta.outcome.map(|outcome| outcome.result) {
        Some(Ok(output)) => (Some(read_report(&id, output)?), None),
        Some(Err(error)) => (None, Some(error.to_string())),
        None => (None, None),
    };
    if json {
        let report = report
            .as_ref()
            .map(|report| crate::report::json(report, None));
        printer.json(&Shown {
            status,
            error,
            report,
            log,
        })?;
        return Ok(Exit::Done);
    }
    if let Some(format) = format {
        return match &report {
            Some(report) => print_report(report, format, printer),
            None => {
                let state = state(status.state);
                anyhow::bail!("run `{id}` is {state} and has no report")
            }
        };
    }
    let mut table = Table::new(&["run", id.as_str()]);
    let mut row = |key: &str, value: String| table.row([key.to_owned(), value]);
    row("state", state(status.state).to_owned());
    row("question", shorten(&status.question));
    row("corpus", status.corpus.clone());
    row("started", utc(status.started_ms));
    if let Some(ended) = status.ended_ms {
        row(
            "took",
            format!("{} ms", ended.saturating_sub(status.started_ms)),
        );
    }
    row("events", status.events.to_string());
    if let Some(error) = &error {
        row("error", error.clone());
    }
    printer.data(&table.to_string())?;
    for stored in log.iter().flatten() {
        printer.line(&serde_json::to_string(stored)?)?;
    }
    if let Some(report) = &report {
        printer.line("")?;
        return print_report(report, Format::Markdown, printer);
    }
    Ok(Exit::Done)
}

fn print_report(report: &Report, format: Format, printer: Printer) -> anyhow::Result<Exit> {
    printer.data(&render(report, format, &Contexts::default())?)?;
    Ok(Exit::Done)
}

/// The state's name in the contract.
fn state(state: RunState) -> &'static str {
    match state {
        RunState::Running => "running",
        RunState::Finished => "finished",
        RunState::Stopped => "stopped",
        RunState::Interrupted => "interrupted",
    }
}

fn shorten(question: &str) -> String {
    let flat = question.split_whitespace().collect::<Vec<_>>().join(" ");
    match flat.char_indices().nth(72) {
        None => flat,
        Some((cut, _)) => format!("{}...", &flat[..cut]),
    }
}

/// Milliseconds since the epoch as `2026-11-21 07:16:30`, UTC.
fn utc(ms: u64) -> String {
    let seconds = ms / 1000;
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Civil date from days since the epoch (Hinnant, "chrono-compatible low-level date algorithms").
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_printed_as_calendars_have_them() {
        for (seconds, text) in [
            (0, "1970-01-01 00:00:00"),
            (951_782_400, "2000-02-29 00:00:00"),
            (1_795_245_390, "2026-11-21 07:16:30"),
            (4_107_542_399, "2100-02-28 23:59:59"),
            (4_107_542_400, "2100-03-01 00:00:00"),
        ] {
            assert_eq!(utc(seconds * 1000), text);
        }
    }
}
