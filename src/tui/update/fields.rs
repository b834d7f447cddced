//! What becomes of a field that was typed.

use std::path::PathBuf;

use indago_core::{Budget, BudgetChange, DocumentId, GraphEdit, NodeId, Steering};

use super::commands::BY_HAND;
use crate::tui::keymap::Action;
use crate::tui::model::report::ExportFormat;
use crate::tui::model::{App, Effect, Purpose, Screen};

/// Acts on a field; what is wrong with it comes back in words.
pub(super) fn submit(
    app: &mut App,
    purpose: &Purpose,
    text: &str,
    effects: &mut Vec<Effect>,
) -> Result<(), String> {
    let text = text.trim();
    let wanted = |what: &str| -> Result<(), String> {
        if text.is_empty() {
            Err(format!("{what}; esc closes the field"))
        } else {
            Ok(())
        }
    };
    match purpose {
        Purpose::Add => {
            wanted("type a sub-question")?;
            let (depends_on, text) = read_dependencies(text)?;
            let edit = GraphEdit::Add {
                text: text.to_owned(),
                reason: BY_HAND.to_owned(),
                depends_on,
            };
            steer(app, Steering::Edit { edits: vec![edit] }, effects);
        }
        Purpose::Clarify => {
            wanted("type how the question is meant")?;
            let reading = text.to_owned();
            steer(app, Steering::Clarify { reading }, effects);
        }
        Purpose::Reword(node) => {
            wanted("type the new words")?;
            let edit = GraphEdit::Reword {
                node: *node,
                text: text.to_owned(),
                reason: BY_HAND.to_owned(),
            };
            steer(app, Steering::Edit { edits: vec![edit] }, effects);
        }
        Purpose::Prune(node) => {
            let reason = if text.is_empty() { BY_HAND } else { text };
            let edit = GraphEdit::Prune {
                node: *node,
                reason: reason.to_owned(),
            };
            steer(app, Steering::Edit { edits: vec![edit] }, effects);
        }
        Purpose::Budget => {
            let now = app.run.as_ref().map_or(Budget::STANDARD, |run| run.budget);
            let change = read_budget(text, &now)?;
            steer(app, Steering::SetBudget { change }, effects);
        }
        Purpose::Distrust => {
            wanted("name a document")?;
            let steering = Steering::Distrust {
                document: DocumentId::new(text),
                reason: BY_HAND.to_owned(),
            };
            steer(app, steering, effects);
        }
        Purpose::FollowUp => {
            crate::check_question(text).map_err(|e| e.to_string())?;
            follow_up(app, text, effects);
        }
        Purpose::Index => {
            let corpus = app
                .corpus()
                .map_or_else(|| "default".to_owned(), |c| c.name.clone());
            let paths = read_paths(text)?;
            if paths.is_empty() && app.corpus().is_none() {
                return Err("type files or folders, separated by spaces".to_owned());
            }
            one_job(app)?;
            effects.push(Effect::Index { corpus, paths });
        }
        Purpose::Pull => {
            wanted("type owner/name, or the address of a folder")?;
            one_job(app)?;
            effects.push(Effect::Pull(text.to_owned()));
        }
        Purpose::Export => {
            let format = ExportFormat::of_path(text)
                .ok_or("end the name in .md, .html, .json or .csv, which says the format")?;
            if let Some(reading) = &app.reading {
                effects.push(Effect::Export {
                    report: std::sync::Arc::clone(&reading.report),
                    corpus: reading.corpus.clone(),
                    format,
                    path: PathBuf::from(text),
                });
            }
        }
    }
    Ok(())
}

/// Long work is done one at a time: it shares the disk, the processor and one line of the screen.
fn one_job(app: &App) -> Result<(), String> {
    let Some(job) = &app.job else { return Ok(()) };
    let key = app.keys.hint(Action::CancelJob);
    Err(format!("{} is under way: {key} stops it", job.name))
}

fn steer(app: &App, steering: Steering, effects: &mut Vec<Effect>) {
    if let Some(run) = &app.run {
        effects.push(Effect::Steer(run.id.clone(), steering));
    }
}

/// A run that lives takes a further question; one that has ended is asked anew.
fn follow_up(app: &App, question: &str, effects: &mut Vec<Effect>) {
    match &app.run {
        Some(run) if !run.has_ended() && app.screen == Screen::Run => {
            let question = question.to_owned();
            effects.push(Effect::Steer(
                run.id.clone(),
                Steering::FollowUp { question },
            ));
        }
        run => {
            let of_report = app.reading.as_ref().map(|reading| reading.corpus.clone());
            let of_run = run.as_ref().map(|run| run.corpus.clone());
            let corpus = if app.screen == Screen::Report {
                of_report.or(of_run)
            } else {
                of_run
            };
            let corpus = corpus.or_else(|| app.corpus().map(|c| c.name.clone()));
            effects.push(Effect::Ask {
                question: question.to_owned(),
                corpus: corpus.unwrap_or_default(),
                approve: false,
                workflow: app.workflow(),
            });
        }
    }
}

/// `after q1 q2: question` waits for q1 and q2; anything else waits for nothing.
fn read_dependencies(text: &str) -> Result<(Vec<NodeId>, &str), String> {
    let Some(rest) = text.strip_prefix("after ") else {
        return Ok((Vec::new(), text));
    };
    let Some((names, question)) = rest.split_once(':') else {
        return Ok((Vec::new(), text));
    };
    let node = |name: &str| -> Result<NodeId, String> {
        name.trim_start_matches('q')
            .parse()
            .map(NodeId)
            .map_err(|_not_a_number| format!("`{name}` is no node: write `after q1 q2: question`"))
    };
    let separators = |c: char| c == ' ' || c == ',';
    let names = names.split(separators).filter(|name| !name.is_empty());
    let nodes: Result<Vec<NodeId>, String> = names.map(node).collect();
    if question.trim().is_empty() {
        return Err("type a sub-question behind the colon".to_owned());
    }
    Ok((nodes?, question.trim()))
}

/// A budget as the field shows it.
pub(super) fn budget_text(budget: &Budget) -> String {
    let seconds = budget.wall_ms.map_or(0, |ms| ms / 1000);
    format!(
        "queries={} nodes={} rounds={} depth={} sources={} seconds={seconds}",
        budget.queries, budget.nodes, budget.rounds, budget.depth, budget.sources,
    )
}

fn read_budget(text: &str, now: &Budget) -> Result<BudgetChange, String> {
    let mut change = BudgetChange::default();
    for word in text.split_whitespace() {
        let parts = word.split_once('=');
        let Some((name, value)) = parts else {
            return Err(format!(
                "`{word}` is no limit: write `queries=200 nodes=20`"
            ));
        };
        let number: u32 = value
            .parse()
            .map_err(|_not_a_number| format!("`{value}` for {name} is not a number"))?;
        let differs = |is: u32| (is != number).then_some(number);
        match name {
            "queries" => change.queries = differs(now.queries),
            "nodes" => change.nodes = differs(now.nodes),
            "rounds" => change.rounds = differs(now.rounds),
            "depth" => change.depth = differs(now.depth),
            "sources" => change.sources = differs(now.sources),
            "seconds" => {
                let limit = u64::from(number) * 1000;
                change.wall_ms = (limit != now.wall_ms.unwrap_or(0)).then_some(limit);
            }
            _ => {
                return Err(format!(
                    "`{name}` is no limit: queries, nodes, rounds, depth, sources or seconds"
                ));
            }
        }
    }
    if change == BudgetChange::default() {
        return Err("no limit is changed; esc closes the field".to_owned());
    }
    Ok(change)
}

/// Paths separated by spaces; quotes keep spaces together.
fn read_paths(text: &str) -> Result<Vec<PathBuf>, String> {
    let mut paths = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''));
        let (path, after) = match quote {
            Some(mark) => rest[1..]
                .split_once(mark)
                .ok_or_else(|| format!("the {mark} is not closed"))?,
            None => rest.split_once(' ').unwrap_or((rest, "")),
        };
        if !path.is_empty() {
            paths.push(PathBuf::from(path));
        }
        rest = after.trim_start();
    }
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_can_be_waited_for() {
        let read = read_dependencies("after q1, q2: who was it?").unwrap();
        assert_eq!(read, (vec![NodeId(1), NodeId(2)], "who was it?"));
        assert_eq!(read_dependencies("after the war?").unwrap().0, []);
        assert!(read_dependencies("after lunch: what?").is_err());
    }

    #[test]
    fn only_limits_that_change_are_sent() {
        let now = Budget::STANDARD;
        let text = budget_text(&now).replace("queries=96", "queries=200");
        let change = read_budget(&text, &now).unwrap();
        assert_eq!(change.queries, Some(200));
        assert_eq!(change.nodes, None);
        assert!(read_budget(&budget_text(&now), &now).is_err());
        assert!(read_budget("hope=3", &now).is_err());
        assert!(read_budget("queries=many", &now).is_err());
    }

    #[test]
    fn paths_may_hold_spaces() {
        let paths = read_paths("a 'b c' \"d e\"").unwrap();
        assert_eq!(paths, ["a", "b c", "d e"].map(PathBuf::from));
        assert!(read_paths("'open").is_err());
    }
}
