//! `indago tui`: the terminal interface, and its twins without a screen.

use indago_core::{Cancel, Event, RunId, RunState};
use indago_models::remote::ModelTask;
use serde_json::json;

use super::args::TuiArgs;
use super::printer::Printer;
use super::settings::Settings;
use super::table::Table;
use super::{Exit, folder, interrupt, project, reasoner};
use crate::asking::runtime;
use crate::tui::{Ended, EventLines, KeyMap, Options, Subject, ThemeName, Workflow};
use crate::{AskSettings, Asker, Error, Runs};

/// How often a waiting question looks whether it was interrupted.
const LOOK_EVERY: std::time::Duration = std::time::Duration::from_millis(50);

pub(super) fn run(
    args: &TuiArgs,
    settings: &Settings,
    json: bool,
    printer: Printer,
) -> anyhow::Result<Exit> {
    let bound = settings.tui_keys.iter();
    let keys = KeyMap::with(bound.map(|(name, keys)| (name.as_str(), keys.as_str())))?;
    if args.keys {
        return list_keys(&keys, json, printer);
    }
    let subject = subject(args, settings)?;
    if args.print || json {
        return plainly(args, settings, subject, json, printer);
    }
    let folder = folder::named(&settings.corpus.value)?;
    let options = Options {
        project: project(settings),
        corpus: match &folder {
            Some((name, _)) => Some(name.clone()),
            None => Some(settings.corpus.value.clone()),
        },
        index: folder,
        subject: subject.clone(),
        approve: args.approve,
        workflows: workflows(settings),
        keys,
        theme: theme(settings)?,
        mouse: settings.tui_mouse.value,
        threads: settings.threads.value,
        vectors: settings.index_vectors.value,
        network: settings.network.clone(),
    };
    match crate::tui::open(options) {
        Ok(ended) => Ok(farewell(&ended, printer)),
        Err(Error::NoTerminal(reason)) => {
            printer.note(&format!("note: {reason}; printing lines instead"));
            plainly(args, settings, subject, json, printer)
        }
        Err(error) => Err(error.into()),
    }
}

/// Ways to work on a question: as the settings say first, then without a model, then by each
/// configured model with each of its loops.
fn workflows(settings: &Settings) -> Vec<Workflow> {
    let chats = settings.models.iter();
    let chats = chats.filter(|(_, config)| config.task == ModelTask::Chat);
    let by_models = chats.flat_map(|(model, _)| {
        crate::loops().into_iter().map(|strategy| Workflow::Model {
            model: model.clone(),
            strategy: strategy.to_owned(),
        })
    });
    let mut all = vec![match settings.ask_model.value.trim() {
        "" | "none" => Workflow::Extractive,
        model => Workflow::Model {
            model: model.to_owned(),
            strategy: settings.ask_loop.value.trim().to_owned(),
        },
    }];
    for workflow in std::iter::once(Workflow::Extractive).chain(by_models) {
        if !all.contains(&workflow) {
            all.push(workflow);
        }
    }
    all
}

fn theme(settings: &Settings) -> anyhow::Result<Option<ThemeName>> {
    let name = settings.tui_theme.value.as_str();
    if name == "auto" {
        return Ok(None);
    }
    match ThemeName::by_name(name) {
        Some(theme) => Ok(Some(theme)),
        None => anyhow::bail!("there is no theme `{name}`: auto, dark, light or mono"),
    }
}

/// A word without spaces is a run's name; anything else is a question.
fn subject(args: &TuiArgs, settings: &Settings) -> anyhow::Result<Option<Subject>> {
    let Some(text) = args.subject.as_deref().map(str::trim) else {
        return Ok(None);
    };
    if text == "last" {
        let project = project(settings);
        let is_there = project.journal_dir().join("journal.sqlite").is_file();
        let last = if is_there {
            Runs::open(&project)?.last()?
        } else {
            None
        };
        return match last {
            Some(run) => Ok(Some(Subject::Run(run.id().to_string()))),
            None => anyhow::bail!("there is no run yet"),
        };
    }
    if text.contains(char::is_whitespace) || text.ends_with('?') {
        crate::check_question(text)?;
        return Ok(Some(Subject::Question(text.to_owned())));
    }
    Ok(Some(Subject::Run(text.to_owned())))
}

fn list_keys(keys: &KeyMap, json: bool, printer: Printer) -> anyhow::Result<Exit> {
    let rows = crate::tui::key_table(keys);
    if json {
        printer.json(&rows)?;
        return Ok(Exit::Done);
    }
    let mut table = Table::new(&["action", "screen", "keys", "does"]);
    for row in rows {
        table.row(row);
    }
    printer.data(&table.to_string())?;
    Ok(Exit::Done)
}

/// Says which command goes on with what was watched.
fn farewell(ended: &Ended, printer: Printer) -> Exit {
    for panic in &ended.panics {
        printer.warn(&format!("something failed behind the screen: {panic}"));
    }
    if let Some((id, state)) = &ended.run {
        printer.note(&match state {
            RunState::Running => format!("run {id} goes on; watch it with: indago tui {id}"),
            RunState::Interrupted => format!("go on with: indago runs resume {id}"),
            RunState::Finished | RunState::Stopped => {
                format!("open it again with: indago tui {id}")
            }
        });
    }
    if ended.signal.is_some() {
        Exit::Cancelled
    } else {
        Exit::Done
    }
}

/// The same without a screen: events as lines, then the report.
fn plainly(
    args: &TuiArgs,
    settings: &Settings,
    subject: Option<Subject>,
    json: bool,
    printer: Printer,
) -> anyhow::Result<Exit> {
    let mut say = |line: &str| printer.line(line);
    let project = project(settings);
    let (id, state) = match subject {
        Some(Subject::Run(id)) => {
            let state = crate::tui::follow_events(&project, &id, json, &mut say)?;
            (RunId::new(id), state)
        }
        Some(Subject::Question(question)) => {
            let cancel = interrupt::cancel();
            let corpus = folder::resolve(settings, printer, &cancel)?;
            let mut ask = super::ask::settings_of(settings);
            let open = match reasoner::chosen(settings, None)? {
                None => None,
                Some(chosen) => {
                    super::ask::suit_models(&mut ask, settings);
                    ask.plan = chosen.plan;
                    Some(reasoner::open(settings, chosen.choice, true)?)
                }
            };
            let models = open.as_ref().map(|open| open.reasoner.clone());
            let threads = settings.threads.value;
            let asker = Asker::open_with(&project, &corpus, threads, models)?;
            let id = runtime()?.block_on(ask_plainly(
                &asker,
                &question,
                &ask,
                args.approve,
                json,
                printer,
                &cancel,
            ))?;
            (id, RunState::Finished)
        }
        None => {
            let list = super::args::RunsArgs {
                command: super::args::RunsCommand::List { n: 20 },
            };
            printer.note("name a question or a run; these are the recorded ones");
            return super::runs::run(&list, settings, json, printer);
        }
    };
    if state != RunState::Finished {
        printer.note(&format!(
            "run {id} has no report; go on with: indago runs resume {id}"
        ));
        return Ok(Exit::Partial);
    }
    let report = runtime()?.block_on(async {
        Runs::open(&project)?
            .get(&id)?
            .report()
            .await
            .map_err(Error::from)
    })?;
    if json {
        printer.line(&json!({ "report": crate::report::json(&report, None) }).to_string())?;
    } else {
        printer.line("")?;
        printer.data(&crate::report::markdown(&report))?;
        printer.note(&format!("open it again with: indago tui {id}"));
    }
    Ok(if report.abstained {
        Exit::NotFound
    } else {
        Exit::Done
    })
}

async fn ask_plainly(
    asker: &Asker,
    question: &str,
    ask: &AskSettings,
    approve: bool,
    json: bool,
    printer: Printer,
    cancel: &Cancel,
) -> anyhow::Result<RunId> {
    let ask = AskSettings {
        approve,
        ..ask.clone()
    };
    let run = asker.start(question, &ask).await?;
    if approve {
        printer.note(&format!(
            "its plan waits to be approved from another terminal: indago tui {}",
            run.id()
        ));
    }
    let mut events = run.events(0)?;
    let mut lines = EventLines::new(run.id(), json);
    let mut asked = false;
    loop {
        let next = tokio::select! {
            next = events.next() => next?,
            () = tokio::time::sleep(LOOK_EVERY) => {
                if cancel.is_cancelled() && !asked {
                    asked = true;
                    let _ended = run.finish_now().await;
                }
                continue;
            }
        };
        let Some(stored) = next else { break };
        if let Some(line) = lines.line(stored.seq, stored.at_ms, &stored.event) {
            printer.line(&line)?;
        }
        if matches!(stored.event, Event::Ended { .. }) {
            break;
        }
    }
    run.output().await?;
    Ok(run.id().clone())
}
