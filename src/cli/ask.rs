//! `indago ask`: one question, or a batch of them on one open index.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::path::Path;

use indago_core::ports::RunError;
use indago_core::{Budget, Cancel, Event, NodeBudget, Report, RunId, StopReason};
use indago_planner::{Limits, Profile, policy};
use indago_workflows::new_run_id;
use serde_json::Value;

use super::args::{AskArgs, Format};
use super::batch::{self, Item};
use super::printer::Printer;
use super::progress::{Meter, Unit};
use super::reasoner;
use super::settings::{Origin, Settings};
use super::{Exit, background, device, folder, project, search};
use crate::asking::{read_report, runtime, wait};
use crate::report::{self, Contexts};
use crate::{AskSettings, Asker, Error, Project, Work};

/// Rounds of search for each sub-question when a model searches.
const MODEL_ROUNDS: u32 = 8;

pub(super) fn run(
    args: &AskArgs,
    settings: &Settings,
    json: bool,
    printer: Printer,
    cancel: &Cancel,
) -> anyhow::Result<Exit> {
    // Everything that can be wrong with the question is found before the corpus is opened.
    let question = args.question.as_deref().map(question).transpose()?;
    let items = args.batch.as_deref().map(batch::read).transpose()?;
    if let Some(question) = &question {
        crate::check_question(question)?;
    }
    let mut ask = ask_settings(args, settings);
    let open = match reasoner::chosen(settings, args.words)? {
        None => None,
        Some(chosen) => {
            suit_models(&mut ask, settings);
            ask.plan = ask.plan.or(chosen.plan);
            Some(reasoner::open(settings, chosen.choice, !args.no_cache)?)
        }
    };
    if open.is_none()
        && let Some(plan) = ask.plan.as_deref().filter(|p| !policy::NAMES.contains(p))
    {
        return Err(Error::PlanNeedsModel(plan.to_owned()).into());
    }
    if args.estimate {
        let profile = open
            .as_ref()
            .map_or(Profile::EXTRACTIVE, |open| open.reasoner.profile());
        return estimate(&profile, &ask, json, printer);
    }
    let corpus = folder::resolve(settings, printer, cancel)?;
    let project = project(settings);
    if args.detach
        && let Some(question) = &question
    {
        // Opened here first, so that what is wrong with it is said here.
        drop(crate::open(&project, &corpus)?);
        return detach(&project, question, json, printer);
    }
    if args.host {
        background::settle();
    }
    let reasoner = open.as_ref().map(|open| open.reasoner.clone());
    let threads = settings.threads.value;
    let asker = Asker::open_as(&project, &corpus, threads, reasoner, |corpus| {
        let work = Work::Searching(corpus.n_vectors());
        device::choose(settings, work, printer, cancel)
    })?;
    search::note_coverage(asker.coverage(), printer);
    let runtime = runtime()?;
    match (question, items) {
        (_, Some(items)) => {
            let batch = Batch {
                asker: &asker,
                ask: &ask,
                out: args.out.as_deref(),
                printer,
                cancel,
            };
            let exit = batch.run(&items, &runtime);
            if let Some(open) = &open {
                open.note(printer);
            }
            exit
        }
        (Some(question), None) => {
            let id = args.run_id.as_ref().map_or_else(new_run_id, RunId::new);
            let answered = runtime.block_on(async {
                let run = asker.start_as(id.clone(), &question, &ask).await?;
                let telling = (args.clarify.is_some() && !args.host)
                    .then(|| tokio::spawn(tell_clarifying(run.clone(), printer)));
                let output = wait(&run, cancel).await;
                if let Some(telling) = telling {
                    // It ends with the run's events at the latest.
                    let _told = telling.await;
                }
                read_report(run.id(), output?)
            });
            if args.host {
                background::tidy(&project, &id);
            }
            let report = match answered {
                Err(Error::Run(RunError::Released(id))) => {
                    printer.note(&format!(
                        "run `{id}` goes on in the background; `indago runs attach {id}` shows it"
                    ));
                    return Ok(Exit::Done);
                }
                answered => answered?,
            };
            let format = if json {
                Format::Json
            } else {
                settings.ask_format.value
            };
            let contexts = if format == Format::Html {
                asker.contexts(&report)?
            } else {
                Contexts::default()
            };
            let text = render(&report, format, &contexts)?;
            match &args.out {
                Some(path) => {
                    std::fs::write(path, text).map_err(|e| Error::io("write", path, e))?;
                    printer.note(&format!("report: {}", path.display()));
                }
                None => printer.data(&text)?,
            }
            if let Some(open) = &open {
                open.note(printer);
            }
            Ok(exit_of(&report, cancel, printer))
        }
        (None, None) => Ok(Exit::Usage),
    }
}

/// Says what a run asks back, and how it is answered.
async fn tell_clarifying(run: crate::Run, printer: Printer) {
    let Ok(mut events) = run.events(0) else {
        return;
    };
    while let Ok(Some(stored)) = events.next().await {
        match &stored.event {
            Event::Clarifying {
                question, options, ..
            } => {
                printer.note(question);
                for (nth, option) in options.iter().enumerate() {
                    printer.note(&format!("  {}. {option}", nth + 1));
                }
                let id = run.id();
                printer.note(&format!("answer with `indago runs clarify {id} NUMBER`"));
            }
            Event::Clarified {
                reading,
                is_assumed,
            } => {
                let how = if *is_assumed { "assumed" } else { "answered" };
                printer.note(&format!("read as: {reading} ({how})"));
                return;
            }
            // Once anything is searched, nothing is asked back any more.
            Event::Moved { .. } => return,
            _ => {}
        }
    }
}

/// Leaves the question to a process in the background. It is given what was typed here, with the
/// question itself on its standard input, where no other user can read it.
fn detach(project: &Project, question: &str, json: bool, printer: Printer) -> anyhow::Result<Exit> {
    let id = new_run_id();
    let typed = std::env::args_os()
        .skip(1)
        .map(|arg| if arg == question { "-".into() } else { arg });
    let args = typed
        .filter(|arg| arg != "--detach" && arg != "--json")
        .chain(["--quiet", "--host", "--run-id", id.as_str()].map(Into::into));
    background::start(project, &id, args, Some(question))?;
    if json {
        printer.json(&serde_json::json!({"run": id}))?;
    } else {
        printer.line(id.as_str())?;
        printer.note(&format!(
            "it goes on in the background; `indago runs attach {id}` shows it"
        ));
    }
    Ok(Exit::Done)
}

/// Prints what a run is likely to spend.
fn estimate(
    profile: &Profile,
    ask: &AskSettings,
    json: bool,
    printer: Printer,
) -> anyhow::Result<Exit> {
    let limits = Limits::STANDARD;
    let estimate = indago_planner::estimate(profile, &ask.budget, limits.parallel);
    let text = if json {
        serde_json::to_string_pretty(&estimate)? + "\n"
    } else {
        let (likely, most) = (estimate.expected, estimate.most);
        format!(
            "sub-questions: {}\nqueries: {} (at most {})\nmodel calls: {} (at most {})\n\
             model tokens: {} (at most {})\nmilliseconds: {} (at most {})\n",
            estimate.nodes,
            likely.queries,
            most.queries,
            likely.lm_calls,
            most.lm_calls,
            likely.lm_tokens,
            most.lm_tokens,
            likely.wall_ms,
            most.wall_ms,
        )
    };
    printer.data(&text)?;
    Ok(Exit::Done)
}

/// The report in the wanted form, ending with a newline.
pub(super) fn render(
    report: &Report,
    format: Format,
    contexts: &Contexts,
) -> anyhow::Result<String> {
    Ok(match format {
        Format::Markdown => report::markdown(report),
        Format::Json => serde_json::to_string_pretty(&report::json(report, None))? + "\n",
        Format::Html => report::html(report, contexts),
    })
}

fn exit_of(report: &Report, cancel: &Cancel, printer: Printer) -> Exit {
    if reasoner::complain(report, printer) {
        Exit::Failed
    } else if cancel.is_cancelled() && report.stop_reason != StopReason::Answered {
        Exit::Cancelled
    } else if report.abstained || report.sections.is_empty() {
        Exit::NotFound
    } else {
        Exit::Done
    }
}

/// The question as typed, or all of stdin for `-`.
fn question(typed: &str) -> Result<String, Error> {
    if typed != "-" {
        return Ok(typed.to_owned());
    }
    // One byte more than is allowed tells that there is too much.
    let limit = crate::MAX_QUESTION_BYTES as u64 + 1;
    let mut bytes = Vec::new();
    std::io::stdin()
        .take(limit)
        .read_to_end(&mut bytes)
        .map_err(|e| Error::io("read", "standard input", e))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn ask_settings(args: &AskArgs, settings: &Settings) -> AskSettings {
    let mut ask = settings_of(settings);
    ask.filters = search::filters(&args.filters);
    ask.plan.clone_from(&args.plan);
    ask.clarify_ms = args.clarify.map(|seconds| seconds.saturating_mul(1000));
    ask.budget.lm_calls = args.lm_calls;
    ask.budget.lm_tokens = args.lm_tokens;
    ask.budget.pages = args.pages;
    ask.budget.money_micros = args.money.map(micros);
    ask.budget.node = NodeBudget {
        queries: args.node.queries,
        lm_calls: args.node.lm_calls,
        lm_tokens: args.node.lm_tokens,
        money_micros: args.node.money.map(micros),
        pages: args.node.pages,
        wall_ms: args.node.wall_ms.or(NodeBudget::STANDARD.wall_ms),
    };
    ask.approve = args.approve;
    ask.speculate = args.speculate;
    ask
}

/// US dollars in millionths. Casts of floats saturate: nonsense becomes the nearest limit.
pub(super) fn micros(usd: f64) -> u64 {
    (usd * 1e6).round() as u64
}

/// Limits that suit language models, where nobody said otherwise: they need more rounds than the
/// extractive reasoner, and calls are paid for.
pub(super) fn suit_models(ask: &mut AskSettings, settings: &Settings) {
    if settings.ask_rounds.origin == Origin::Default {
        ask.budget.rounds = MODEL_ROUNDS;
    }
    ask.budget.lm_calls = ask.budget.lm_calls.or(Some(crate::DEFAULT_CALLS));
}

/// How questions are asked by the settings alone.
pub(super) fn settings_of(settings: &Settings) -> AskSettings {
    let wall_ms = settings.ask_wall_ms.value;
    AskSettings {
        budget: Budget {
            nodes: settings.ask_nodes.value,
            depth: settings.ask_depth.value,
            rounds: settings.ask_rounds.value,
            queries: settings.ask_queries.value,
            sources: settings.ask_sources.value,
            wall_ms: (wall_ms > 0).then_some(wall_ms),
            ..Budget::STANDARD
        },
        ..AskSettings::default()
    }
}

/// Many questions on one open index.
struct Batch<'a> {
    asker: &'a Asker,
    ask: &'a AskSettings,
    out: Option<&'a Path>,
    printer: Printer,
    cancel: &'a Cancel,
}

impl Batch<'_> {
    fn run(&self, items: &[Item], runtime: &tokio::runtime::Runtime) -> anyhow::Result<Exit> {
        let mut file = None;
        let mut done = HashSet::new();
        if let Some(path) = self.out {
            done = answered(path)?;
            let open = std::fs::OpenOptions::new()
                .create(true)
                .append(true)
                .open(path);
            file = Some(open.map_err(|e| Error::io("write", path, e))?);
        }
        let total = items.len() as u64;
        let mut meter = Meter::start(self.printer, "asking", Unit::Things("questions"), total);
        let mut failed = 0;
        for item in items {
            if self.cancel.is_cancelled() {
                break;
            }
            if !done.contains(&item.id) {
                match runtime.block_on(self.asker.ask(&item.text, self.ask, self.cancel)) {
                    // Finished early for lack of time, not of evidence: asked again next time.
                    Ok(_) if self.cancel.is_cancelled() => break,
                    Ok(report) => self.write(&report, item, &mut file)?,
                    Err(error) => {
                        failed += 1;
                        self.printer.warn(&format!("`{}`: {error}", item.id));
                    }
                }
            }
            meter.add(1);
        }
        drop(meter);
        if self.cancel.is_cancelled() {
            self.printer
                .note("stopped; the same command goes on from here");
            return Ok(Exit::Cancelled);
        }
        Ok(match failed {
            0 => Exit::Done,
            n if n < items.len() => Exit::Partial,
            _ => Exit::Failed,
        })
    }

    /// One line, written whole: an interrupted batch ends between lines.
    fn write(
        &self,
        report: &Report,
        item: &Item,
        file: &mut Option<std::fs::File>,
    ) -> anyhow::Result<()> {
        let line = serde_json::to_string(&report::json(report, Some(&item.id)))? + "\n";
        match file {
            Some(file) => {
                let path = self.out.unwrap_or(Path::new(""));
                file.write_all(line.as_bytes())
                    .map_err(|e| Error::io("write", path, e))?;
            }
            None => self.printer.data(&line)?,
        }
        Ok(())
    }
}

/// The `_id`s that an output file holds already. A last line that was cut short by a crash is
/// taken off, so that its question is asked again and the file stays JSONL.
fn answered(path: &Path) -> Result<HashSet<String>, Error> {
    let text = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(HashSet::new()),
        Err(e) => return Err(Error::io("read", path, e)),
    };
    let whole = text
        .iter()
        .rposition(|b| *b == b'\n')
        .map_or(0, |at| at + 1);
    if whole < text.len() {
        let cut = std::fs::OpenOptions::new().write(true).open(path);
        cut.and_then(|file| file.set_len(whole as u64))
            .map_err(|e| Error::io("write", path, e))?;
    }
    let lines = text[..whole].split(|b| *b == b'\n').enumerate();
    let mut done = HashSet::new();
    for (i, line) in lines.filter(|(_, line)| !line.is_empty()) {
        let value: Value = serde_json::from_slice(line).unwrap_or_default();
        let Some(id) = value["_id"].as_str() else {
            return Err(Error::BadBatch {
                path: path.to_owned(),
                line: i + 1,
                reason: "no report of a batch: the output file holds something else".to_owned(),
            });
        };
        done.insert(id.to_owned());
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_cut_short_is_taken_off_and_asked_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.jsonl");
        std::fs::write(&path, "{\"_id\":\"a\"}\n{\"_id\":\"b\",\"ans").unwrap();
        assert_eq!(answered(&path).unwrap(), HashSet::from(["a".to_owned()]));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"_id\":\"a\"}\n");
    }

    #[test]
    fn a_file_of_something_else_is_not_appended_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.txt");
        std::fs::write(&path, "my notes\n").unwrap();
        assert!(matches!(
            answered(&path),
            Err(Error::BadBatch { line: 1, .. })
        ));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "my notes\n");
    }
}
