//! `indago runs attach|detach|pause|cancel|…`: watching and steering runs of whatever process.

use std::time::{Duration, Instant};

use indago_core::ports::RunError;
use indago_core::{BudgetChange, Cancel, DocumentId, Event, NodeId, RunState, Steering};
use indago_workflows::journal::StoredEvent;

use super::args::{BudgetArgs, Format, RunsCommand};
use super::printer::Printer;
use super::runs::{print_report, report_exit};
use super::settings::Settings;
use super::{Exit, background, project};
use crate::asking::{read_report, runtime};
use crate::{Error, Run, Runs};

/// What a command asks of a run; `None` when it is no steering.
pub(super) fn steering(command: &RunsCommand) -> Option<(&str, Steering)> {
    Some(match command {
        RunsCommand::Pause { run } => (run, Steering::Pause),
        RunsCommand::Finish { run } => (run, Steering::FinishNow),
        RunsCommand::Approve { run } => (run, Steering::Approve),
        RunsCommand::Clarify { run, reading } => (
            run,
            Steering::Clarify {
                reading: reading.clone(),
            },
        ),
        RunsCommand::Add {
            run,
            question,
            after,
        } => (run, Steering::add(question.clone(), after.clone())),
        RunsCommand::Edit { run, node, text } => (run, Steering::reword(*node, text.clone())),
        RunsCommand::Prune { run, node } => (run, Steering::prune(*node)),
        RunsCommand::Reopen { run, node } => (run, Steering::reopen(*node)),
        RunsCommand::Budget { run, change } => (
            run,
            Steering::SetBudget {
                change: budget_change(change),
            },
        ),
        RunsCommand::Distrust {
            run,
            document,
            reason,
        } => (
            run,
            Steering::Distrust {
                document: DocumentId::new(document.clone()),
                reason: reason.clone(),
            },
        ),
        _ => return None,
    })
}

pub(super) fn budget_change(args: &BudgetArgs) -> BudgetChange {
    BudgetChange {
        nodes: args.nodes,
        depth: args.depth,
        rounds: args.rounds,
        queries: args.queries,
        sources: args.sources,
        wall_ms: args.wall_ms,
        lm_calls: args.lm_calls,
        lm_tokens: args.lm_tokens,
        money_micros: args.money.map(super::ask::micros),
        pages: args.pages,
    }
}

/// Sends a steering and says under which number it is recorded.
pub(super) fn send(
    run: &Run,
    steering: Steering,
    json: bool,
    printer: Printer,
) -> anyhow::Result<Exit> {
    let number = runtime()?
        .block_on(run.steer(steering))
        .map_err(Error::from)?;
    acknowledge(run, Some(number), json, printer)
}

/// Ends a run without a report.
pub(super) fn cancel(run: &Run, json: bool, printer: Printer) -> anyhow::Result<Exit> {
    let status = run.status().map_err(Error::from)?;
    if matches!(status.state, RunState::Finished | RunState::Stopped) {
        return Err(Error::from(RunError::WrongState {
            id: run.id().clone(),
            state: status.state,
            reason: "it has ended".into(),
        })
        .into());
    }
    runtime()?.block_on(run.cancel()).map_err(Error::from)?;
    acknowledge(run, None, json, printer)
}

fn acknowledge(
    run: &Run,
    number: Option<u32>,
    json: bool,
    printer: Printer,
) -> anyhow::Result<Exit> {
    if json {
        printer.json(&serde_json::json!({"run": run.id(), "steering": number}))?;
    } else {
        let id = run.id();
        printer.note(&format!(
            "recorded; `indago runs attach {id}` shows what becomes of it"
        ));
    }
    Ok(Exit::Done)
}

/// Shows a run's events as they happen, until it ends or the keyboard says enough; the run goes on
/// either way.
pub(super) fn attach(
    run: &Run,
    from: u64,
    json: bool,
    printer: Printer,
    cancel: &Cancel,
) -> anyhow::Result<Exit> {
    let end = runtime()?.block_on(async {
        let mut events = run.events(from).map_err(Error::from)?;
        loop {
            let next = tokio::select! {
                next = events.next() => next.map_err(Error::from)?,
                () = tokio::time::sleep(Duration::from_millis(50)) => {
                    if cancel.is_cancelled() {
                        return Ok(None);
                    }
                    continue;
                }
            };
            let Some(stored) = next else { break };
            if json {
                printer.line(&serde_json::to_string(stored.as_ref())?)?;
            } else {
                printer.line(&line(&stored))?;
            }
        }
        anyhow::Ok(Some(run.output().await))
    })?;
    let Some(end) = end else {
        let id = run.id();
        printer.note(&format!("detached; run `{id}` goes on"));
        return Ok(Exit::Done);
    };
    let report = read_report(run.id(), end.map_err(Error::from)?)?;
    if json {
        return Ok(report_exit(&report));
    }
    printer.line("")?;
    print_report(&report, Format::Markdown, printer)?;
    Ok(report_exit(&report))
}

/// Moves a run from the process that works on it to one in the background.
pub(super) fn detach(
    settings: &Settings,
    runs: &Runs,
    run: &Run,
    json: bool,
    printer: Printer,
) -> anyhow::Result<Exit> {
    let id = run.id();
    runtime()?.block_on(async {
        runs.engine().release(id).await.map_err(Error::from)?;
        let begun = Instant::now();
        while run.status().map_err(Error::from)?.state == RunState::Running {
            if begun.elapsed() > Duration::from_secs(10) {
                anyhow::bail!("the process that works on run `{id}` does not let go of it");
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        anyhow::Ok(())
    })?;
    if run.status().map_err(Error::from)?.state == RunState::Interrupted {
        let project = project(settings);
        let args = ["runs", "resume", id.as_str(), "--host", "--project"].map(Into::into);
        let folder = settings.project.value.clone().into_os_string();
        background::start(&project, id, args.into_iter().chain([folder]), None)?;
    }
    if json {
        printer.json(&serde_json::json!({"run": id}))?;
    } else {
        printer.note(&format!(
            "run `{id}` goes on in the background; `indago runs attach {id}` shows it"
        ));
    }
    Ok(Exit::Done)
}

/// An event in one line.
fn line(stored: &StoredEvent) -> String {
    let node = |node: &NodeId| format!("{node}");
    let text = match &stored.event {
        Event::Started { question, corpus } => format!("started on `{corpus}`: {question}"),
        Event::Edited { edit, .. } => format!("plan: {}", plain(edit)),
        Event::Refused { edit, reason } => format!("refused {}: {reason}", plain(edit)),
        Event::Steered { steering } => format!("steered: {}", plain(steering)),
        Event::Moved { node: moved, state } => format!("{}: {}", node(moved), plain(state)),
        Event::Searched {
            node: searched,
            round,
            queries,
            new_passages,
        } => format!(
            "{}: round {round}, {} queries, {new_passages} new passages",
            node(searched),
            queries.len()
        ),
        Event::Quoted {
            node: quoted, text, ..
        } => format!("{}: \"{text}\"", node(quoted)),
        Event::Called {
            node: called,
            purpose,
            model,
            prompt,
            cached,
            completion,
            error,
            ..
        } => {
            let whose = called.as_ref().map(node).unwrap_or_default();
            match error {
                Some(error) => format!("{whose} {purpose}: `{model}` failed: {error}"),
                None => format!(
                    "{whose} {purpose}: `{model}` read {prompt} tokens ({cached} cached), wrote \
                     {completion}"
                ),
            }
        }
        Event::Dropped { claim, reason } => format!("dropped \"{claim}\": {reason}"),
        Event::Warned { message } => format!("warning: {message}"),
        Event::Reported { claims, sources } => {
            format!("report: {claims} claims from {sources} sources")
        }
        Event::Spent {
            node: whose,
            what,
            spent,
            limit,
        } => {
            let whose = whose.as_ref().map_or("the run".to_owned(), node);
            format!("{whose} has spent {spent} of {limit}: {}", plain(what))
        }
        Event::Ended { reason } => format!("ended: {}", plain(reason)),
        other => plain(other),
    };
    let text: Vec<&str> = text.split_whitespace().collect();
    format!("{:>4}  {}", stored.seq, text.join(" "))
}

/// A value of the contracts in few signs: a word as it is, anything else as JSON.
fn plain(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(other) => other.to_string(),
        Err(error) => error.to_string(),
    }
}
