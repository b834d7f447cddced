//! `indago runs`: recorded runs, listed, shown, run again, moved and forgotten. [`steer`] has the
//! commands that watch and steer them.
//!
//! [`steer`]: super::steer

use std::io::BufRead;
use std::path::Path;
use std::sync::Arc;

use indago_core::ports::{RunError, RunStatus};
use indago_core::{Report, RunId, RunState, Steering};
use indago_workflows::journal::{
    Imported, Journal as _, PossiblySpent, Retention, SqliteJournal, StoredEvent, Vacuumed,
};
use indago_workflows::{Fork, new_run_id, utc};
use serde::Serialize;

use super::args::{Format, GraphFormat, RunsArgs, RunsCommand};
use super::ask::render;
use super::printer::Printer;
use super::settings::Settings;
use super::table::Table;
use super::{Exit, background, draw, interrupt, project, reasoner, steer};
use crate::asking::{read_report, runtime};
use crate::report::Contexts;
use crate::{Asker, Error, Project, Runs, wire};

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
    #[serde(skip_serializing_if = "Vec::is_empty")]
    possibly_spent: Vec<PossiblySpent>,
}

pub(super) fn run(
    args: &RunsArgs,
    settings: &Settings,
    json: bool,
    printer: Printer,
) -> anyhow::Result<Exit> {
    let project = project(settings);
    if let RunsCommand::Import { file } = &args.command {
        return import(&project, file, json, printer);
    }
    // Looking must not make a journal where none is.
    if !project.journal_dir().join("journal.sqlite").is_file() {
        return match &args.command {
            RunsCommand::List { .. } | RunsCommand::Vacuum { .. } => {
                if json {
                    printer.json(&Vec::<RunStatus>::new())?;
                }
                printer.note("no runs yet; `indago ask QUESTION` makes one");
                Ok(Exit::Done)
            }
            command => Err(Error::from(RunError::Unknown(RunId::new(run_of(command)))).into()),
        };
    }
    let runs = Runs::open(&project)?;
    let journal = Arc::clone(runs.engine().journal());
    if let RunsCommand::List { n } = args.command {
        return list(&journal, n, json, printer);
    }
    if let RunsCommand::Vacuum {
        newest,
        days,
        dry_run,
    } = args.command
    {
        return vacuum(&journal, newest, days, dry_run, json, printer);
    }
    let id = find(&journal, run_of(&args.command))?;
    let run = runs.get(&id)?;
    if let Some((_, steering)) = steer::steering(&args.command) {
        return steer::send(&run, steering, json, printer);
    }
    match &args.command {
        RunsCommand::Show { events, format, .. } => {
            show(&journal, &id, *events, *format, json, printer)
        }
        RunsCommand::Resume { format, host, .. } => {
            if *host {
                background::settle();
            }
            let is_paused = run.status().map_err(Error::from)?.state == RunState::Running;
            if is_paused && !host {
                return steer::send(&run, Steering::Resume, json, printer);
            }
            drop(run);
            let exit = resume(settings, &id, printed(*format, json), printer);
            if *host {
                background::tidy(&project, &id);
            }
            exit
        }
        RunsCommand::Replay { format, .. } => {
            let report = runtime()?.block_on(runs.replay(&id))?;
            print_report(&report, printed(*format, json), printer)
        }
        RunsCommand::Graph {
            format, at, out, ..
        } => {
            let format = if json { GraphFormat::Json } else { *format };
            draw::run(&journal, &id, *at, format, out.as_deref(), printer)
        }
        RunsCommand::Attach { from, .. } => {
            steer::attach(&run, *from, json, printer, &interrupt::cancel())
        }
        RunsCommand::Detach { .. } => steer::detach(settings, &runs, &run, json, printer),
        RunsCommand::Cancel { .. } => steer::cancel(&run, json, printer),
        RunsCommand::FollowUp {
            question, format, ..
        } => {
            let steering = Steering::FollowUp {
                question: question.clone(),
            };
            if run.status().map_err(Error::from)?.state == RunState::Running {
                return steer::send(&run, steering, json, printer);
            }
            let forked = fork(&runs, &id, None, vec![steering])?;
            printer.note(&format!("run `{forked}` goes on from run `{id}`"));
            resume(settings, &forked, printed(*format, json), printer)
        }
        RunsCommand::Fork {
            at,
            add,
            prune,
            change,
            no_run,
            format,
            ..
        } => {
            let change = steer::budget_change(change);
            let mut steerings = Vec::new();
            if !change.is_empty() {
                steerings.push(Steering::SetBudget { change });
            }
            steerings.extend(prune.iter().map(|node| Steering::prune(*node)));
            steerings.extend(
                add.iter()
                    .map(|text| Steering::add(text.clone(), Vec::new())),
            );
            let forked = fork(&runs, &id, *at, steerings)?;
            if *no_run {
                if json {
                    printer.json(&serde_json::json!({"run": forked}))?;
                } else {
                    printer.line(forked.as_str())?;
                }
                return Ok(Exit::Done);
            }
            printer.note(&format!("run `{forked}` goes on from run `{id}`"));
            resume(settings, &forked, printed(*format, json), printer)
        }
        RunsCommand::Export { out, .. } => export(&journal, &id, out.as_deref(), printer),
        RunsCommand::Keep { undo, .. } => {
            journal.keep(&id, !undo).map_err(Error::from)?;
            Ok(Exit::Done)
        }
        // Answered above.
        _ => Ok(Exit::Usage),
    }
}

/// The run that a command names; empty for commands that name none.
fn run_of(command: &RunsCommand) -> &str {
    match command {
        RunsCommand::List { .. } | RunsCommand::Import { .. } | RunsCommand::Vacuum { .. } => "",
        RunsCommand::Show { run, .. }
        | RunsCommand::Resume { run, .. }
        | RunsCommand::Replay { run, .. }
        | RunsCommand::Graph { run, .. }
        | RunsCommand::Attach { run, .. }
        | RunsCommand::Detach { run }
        | RunsCommand::Pause { run }
        | RunsCommand::Cancel { run }
        | RunsCommand::Finish { run }
        | RunsCommand::Approve { run }
        | RunsCommand::Clarify { run, .. }
        | RunsCommand::Add { run, .. }
        | RunsCommand::Edit { run, .. }
        | RunsCommand::Prune { run, .. }
        | RunsCommand::Reopen { run, .. }
        | RunsCommand::Budget { run, .. }
        | RunsCommand::Distrust { run, .. }
        | RunsCommand::FollowUp { run, .. }
        | RunsCommand::Fork { run, .. }
        | RunsCommand::Export { run, .. }
        | RunsCommand::Keep { run, .. } => run,
    }
}

fn printed(format: Format, json: bool) -> Format {
    if json { Format::Json } else { format }
}

/// The id given, or that of the newest run for `last`.
fn find(journal: &SqliteJournal, run: &str) -> Result<RunId, Error> {
    if run != "last" {
        return Ok(RunId::new(run));
    }
    let last = journal.list()?.into_iter().next();
    Ok(last.map_or_else(|| RunId::new(run), |meta| meta.id))
}

/// Works on a run in this process until it ends.
fn resume(
    settings: &Settings,
    id: &RunId,
    format: Format,
    printer: Printer,
) -> anyhow::Result<Exit> {
    let project = project(settings);
    let meta = wire::journal(&project)?.meta(id).map_err(Error::from)?;
    let choice = crate::running::choice_of(wire::journal(&project)?.as_ref(), id);
    let models = match choice.map_err(Error::from)? {
        Some(choice) => Some(reasoner::open(settings, choice, true)?.reasoner),
        None => None,
    };
    let threads = settings.threads.value;
    let asker = Asker::open_with(&project, &meta.spec.corpus, threads, models)?;
    let report = match runtime()?.block_on(asker.resume(id)) {
        Err(Error::Run(RunError::Released(id))) => {
            printer.note(&format!("run `{id}` goes on in another process"));
            return Ok(Exit::Done);
        }
        ended => ended?,
    };
    print_report(&report, format, printer)?;
    if reasoner::complain(&report, printer) {
        return Ok(Exit::Failed);
    }
    Ok(report_exit(&report))
}

fn fork(
    runs: &Runs,
    from: &RunId,
    at: Option<u64>,
    steerings: Vec<Steering>,
) -> anyhow::Result<RunId> {
    let fork = Fork {
        id: new_run_id(),
        at,
        steerings,
    };
    let run = runtime()?.block_on(runs.engine().fork(from, fork));
    Ok(run.map_err(Error::from)?.id().clone())
}

fn export(
    journal: &SqliteJournal,
    id: &RunId,
    out: Option<&Path>,
    printer: Printer,
) -> anyhow::Result<Exit> {
    let Some(path) = out else {
        let mut bytes = Vec::new();
        journal.export(id, &mut bytes).map_err(Error::from)?;
        printer.data(&String::from_utf8_lossy(&bytes))?;
        return Ok(Exit::Done);
    };
    // Beside its place first, so that a half-written file never stands under the name.
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let io = |error| Error::io("write", path, error);
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(io)?;
    let mut writer = std::io::BufWriter::new(&mut file);
    journal.export(id, &mut writer).map_err(Error::from)?;
    drop(writer);
    file.persist(path).map_err(|error| io(error.error))?;
    printer.note(&format!("run `{id}`: {}", path.display()));
    Ok(Exit::Done)
}

fn import(project: &Project, file: &Path, json: bool, printer: Printer) -> anyhow::Result<Exit> {
    let mut input: Box<dyn BufRead> = if file == Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        let open = std::fs::File::open(file).map_err(|e| Error::io("read", file, e))?;
        Box::new(std::io::BufReader::new(open))
    };
    let journal = wire::journal(project)?;
    let (id, is_new) = match journal.import(&mut input).map_err(Error::from)? {
        Imported::New(id) => (id, true),
        Imported::AlreadyThere(id) => (id, false),
    };
    if json {
        printer.json(&serde_json::json!({"run": id, "new": is_new}))?;
    } else {
        printer.line(id.as_str())?;
    }
    if !is_new {
        printer.note("it was there already; nothing was changed");
    }
    Ok(Exit::Done)
}

fn vacuum(
    journal: &SqliteJournal,
    newest: Option<usize>,
    days: Option<u64>,
    dry_run: bool,
    json: bool,
    printer: Printer,
) -> anyhow::Result<Exit> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now_ms = now.map_or(0, |since| since.as_millis() as u64);
    let retention = Retention {
        newest: newest.unwrap_or(0),
        since_ms: days.map(|days| now_ms.saturating_sub(days.saturating_mul(86_400_000))),
    };
    let done = if dry_run {
        let expired = journal.expired(retention).map_err(Error::from)?;
        Vacuumed {
            runs: expired.into_iter().map(|meta| meta.id).collect(),
            ..Vacuumed::default()
        }
    } else {
        journal.vacuum(retention).map_err(Error::from)?
    };
    if json {
        printer.json(&done)?;
        return Ok(Exit::Done);
    }
    for run in &done.runs {
        printer.line(run.as_str())?;
    }
    let verb = if dry_run {
        "would be forgotten"
    } else {
        "forgotten"
    };
    printer.note(&format!(
        "{} runs {verb}, {} blobs, {} bytes",
        done.runs.len(),
        done.blobs,
        done.blob_bytes + done.file_bytes
    ));
    Ok(Exit::Done)
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
    id: &RunId,
    events: bool,
    format: Option<Format>,
    json: bool,
    printer: Printer,
) -> anyhow::Result<Exit> {
    let meta = journal.meta(id).map_err(Error::from)?;
    let lost = journal.possibly_spent(id).map_err(Error::from)?;
    let status = status_of(journal, &meta);
    let log = if events {
        Some(journal.events(id, 0, usize::MAX).map_err(Error::from)?)
    } else {
        None
    };
    let (report, error) = match meta.outcome.map(|outcome| outcome.result) {
        Some(Ok(output)) => (Some(read_report(id, output)?), None),
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
            possibly_spent: lost,
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
    if let Some(parent) = &status.parent {
        row("forked from", parent.to_string());
    }
    if status.kept {
        row("kept", "whatever its age".to_owned());
    }
    if !lost.is_empty() {
        let calls: u32 = lost.iter().map(|call| call.attempts).sum();
        row(
            "possibly spent",
            format!("{calls} calls whose answers were lost"),
        );
    }
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

pub(super) fn print_report(
    report: &Report,
    format: Format,
    printer: Printer,
) -> anyhow::Result<Exit> {
    printer.data(&render(report, format, &Contexts::default())?)?;
    Ok(Exit::Done)
}

/// The exit code that a report deserves.
pub(super) fn report_exit(report: &Report) -> Exit {
    if report.abstained || report.sections.is_empty() {
        Exit::NotFound
    } else {
        Exit::Done
    }
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
