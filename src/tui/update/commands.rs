//! What actions do on the screens they belong to.

use indago_core::{GraphEdit, NodeId, RunState, Steering};

use super::{ask_for, show};
use crate::tui::keymap::Action;
use crate::tui::model::editor::Editor;
use crate::tui::model::library;
use crate::tui::model::run::Pane;
use crate::tui::model::{App, Confirm, Effect, Level, Overlay, Purpose, Screen, StartPane};

/// The reason that edits made here carry.
pub(super) const BY_HAND: &str = "by hand";

pub(super) fn act(app: &mut App, action: Action, effects: &mut Vec<Effect>) {
    match app.screen {
        Screen::Start => start(app, action, effects),
        Screen::Run => run(app, action, effects),
        Screen::Report => report(app, action, effects),
        Screen::Library => library(app, action, effects),
    }
}

fn start(app: &mut App, action: Action, effects: &mut Vec<Effect>) {
    match action {
        Action::Ask => ask(app, false, effects),
        Action::AskPaused => ask(app, true, effects),
        Action::Open => match app.start.pane {
            StartPane::Question => ask(app, false, effects),
            StartPane::Runs => open_run(app, effects),
            StartPane::Corpora => {
                app.library.shown = None;
                show(app, Screen::Library, effects);
            }
        },
        Action::NextCorpus => {
            let n = app.start.corpora.len();
            if n > 0 {
                app.start.corpus = (app.start.corpus + 1) % n;
            }
        }
        Action::NextWorkflow => {
            app.start.workflow = (app.start.workflow + 1) % app.start.workflows.len().max(1);
            if app.start.workflows.len() < 2 {
                app.say(
                    Level::Info,
                    "there is one way only: configured language models are others",
                );
            }
        }
        Action::Resume => match app.start.runs.get(app.start.run) {
            Some(run) if run.state == RunState::Interrupted => {
                effects.push(Effect::Resume(run.id.clone()));
            }
            Some(_) => app.say(
                Level::Info,
                "only an interrupted run can go on; enter opens it",
            ),
            None => {}
        },
        Action::AskAgain => {
            if let Some(run) = app.start.runs.get(app.start.run) {
                let question = run.question.clone();
                app.start.question.take();
                app.start.question.paste(&question);
                app.start.pane = StartPane::Question;
            }
        }
        Action::Index => ask_for(app, Purpose::Index, ""),
        Action::Reload => effects.push(Effect::LoadLists),
        Action::Back => {
            // Out of the field, so that single keys are commands.
            if app.start.pane == StartPane::Question {
                app.start.pane = StartPane::Runs;
            } else if app.run.is_some() {
                app.screen = Screen::Run;
            }
        }
        _ => {}
    }
}

fn ask(app: &mut App, approve: bool, effects: &mut Vec<Effect>) {
    let question = app.start.question.text().trim().to_owned();
    if let Err(problem) = crate::check_question(&question) {
        return app.say(Level::Problem, &problem.to_string());
    }
    let Some(corpus) = app.corpus().map(|corpus| corpus.name.clone()) else {
        return app.say(
            Level::Problem,
            "there is no corpus yet: press esc, then i, to index files or folders",
        );
    };
    app.say(Level::Info, "starting ...");
    effects.push(Effect::Ask {
        question,
        corpus,
        approve,
        workflow: app.workflow(),
    });
}

fn open_run(app: &mut App, effects: &mut Vec<Effect>) {
    if let Some(run) = app.start.runs.get(app.start.run) {
        effects.push(Effect::Watch {
            run: run.id.clone(),
            from: 0,
        });
    }
}

fn run(app: &mut App, action: Action, effects: &mut Vec<Effect>) {
    let Some(run) = &mut app.run else {
        return;
    };
    let id = run.id.clone();
    let node = NodeId(run.selected as u32);
    let steers = matches!(
        action,
        Action::Pause
            | Action::Approve
            | Action::Clarify
            | Action::AddNode
            | Action::Reword
            | Action::Prune
            | Action::Rerun
            | Action::Budget
            | Action::Distrust
            | Action::FinishNow
            | Action::CancelRun
    );
    if steers && run.state != RunState::Running {
        return app.say(
            Level::Info,
            "the run has ended: u asks further, F forks it from an event",
        );
    }
    match action {
        Action::Pause => {
            let steering = if run.is_paused {
                Steering::Resume
            } else {
                Steering::Pause
            };
            effects.push(Effect::Steer(id, steering));
        }
        Action::Approve => effects.push(Effect::Steer(id, Steering::Approve)),
        Action::Clarify => match &run.asks_back {
            Some((_, assumed)) => {
                let assumed = assumed.clone();
                ask_for(app, Purpose::Clarify, &assumed);
            }
            None => app.say(Level::Info, "the run asks nothing back"),
        },
        Action::AddNode => ask_for(app, Purpose::Add, ""),
        Action::Reword => {
            let text = run.node().map(|n| n.text.clone()).unwrap_or_default();
            ask_for(app, Purpose::Reword(node), &text);
        }
        Action::Prune => ask_for(app, Purpose::Prune(node), ""),
        Action::Rerun => {
            let edit = GraphEdit::Reopen {
                node,
                reason: BY_HAND.to_owned(),
            };
            effects.push(Effect::Steer(id, Steering::Edit { edits: vec![edit] }));
        }
        Action::Budget => {
            let now = super::fields::budget_text(&run.budget);
            ask_for(app, Purpose::Budget, &now);
        }
        Action::Distrust => {
            let quoted = run.node().and_then(|n| n.detail.as_ref()?.finding.as_ref());
            let quote = quoted.and_then(|f| f.claims.first()?.quotes().first());
            let document = quote
                .map(|q| q.document.as_str().to_owned())
                .unwrap_or_default();
            ask_for(app, Purpose::Distrust, &document);
        }
        Action::FinishNow => effects.push(Effect::Steer(id, Steering::FinishNow)),
        Action::CancelRun => {
            app.overlay = Some(Overlay::Confirm(Confirm {
                question: "End the run without a report?".to_owned(),
                then: Box::new(Effect::Steer(id, Steering::Cancel)),
            }));
        }
        Action::FollowUp => ask_for(app, Purpose::FollowUp, ""),
        Action::Fork => {
            // Without a selected line: where the plan could last be changed.
            let line = run.log_line.and_then(|line| run.log.get(line));
            let at = line.map(|entry| entry.seq);
            let question = match at {
                Some(at) => {
                    format!("Start another run that shares events 0 to {at} with this one?")
                }
                None => "Start another run from where the plan could last be changed? (A line \
                         selected in the log forks there.)"
                    .to_owned(),
            };
            app.overlay = Some(Overlay::Confirm(Confirm {
                question,
                then: Box::new(Effect::Fork(id, at)),
            }));
        }
        Action::Tree => run.wants_tree = !run.wants_tree,
        Action::Zoom => run.is_zoomed = !run.is_zoomed,
        Action::Open => match run.pane {
            Pane::Graph => run.pane = Pane::Trail,
            Pane::Log => {
                let line = run.log_line.unwrap_or(run.log.total().saturating_sub(1));
                let node = run.log.get(line).and_then(|entry| entry.node);
                if let Some(node) = node {
                    run.selected = (node.0 as usize).min(run.nodes.len().saturating_sub(1));
                    run.trail_scroll.first();
                    super::movement::load_detail(app, effects);
                }
            }
            Pane::Trail => show(app, Screen::Report, effects),
        },
        Action::Back => {
            if run.is_zoomed {
                run.is_zoomed = false;
            } else if run.pane != Pane::Graph {
                run.pane = Pane::Graph;
            } else {
                show(app, Screen::Start, effects);
            }
        }
        _ => {}
    }
}

fn report(app: &mut App, action: Action, effects: &mut Vec<Effect>) {
    let width = app.sight.width.max(20);
    let Some(reading) = &mut app.reading else {
        return;
    };
    match action {
        Action::NextQuote | Action::PreviousQuote => {
            let forward = action == Action::NextQuote;
            if reading.needle.is_empty() {
                super::movement::citation(reading, forward);
            } else {
                super::movement::match_of_search(reading, forward, width);
            }
        }
        Action::Open => {
            if let Some(finding) = reading.finding.take() {
                finding.text().trim().clone_into(&mut reading.needle);
                reading.found = usize::MAX;
                super::movement::match_of_search(reading, true, width);
                if !reading.needle.is_empty() && reading.matches(&reading.lines(width)).is_empty() {
                    let text = format!("`{}` is not in the report", reading.needle);
                    app.say(Level::Info, &text);
                }
                return;
            }
            if reading.selected.is_none() && !reading.citations.is_empty() {
                super::movement::citation(reading, true);
            }
            let citation = reading.selected.and_then(|n| reading.citations.get(n));
            if let Some(citation) = citation {
                effects.push(Effect::OpenDocument {
                    corpus: reading.corpus.clone(),
                    run: Some(reading.report.run.clone()),
                    document: citation.quote.document.as_str().to_owned(),
                    span: (citation.quote.start, citation.quote.end),
                });
            }
        }
        Action::Find => {
            reading.finding = Some(Editor::with(&reading.needle.clone(), 200));
        }
        Action::Export => ask_for(app, Purpose::Export, "report.md"),
        Action::Copy => {
            let citation = reading.selected.and_then(|n| reading.citations.get(n));
            let text = match citation {
                Some(citation) => format!("{} ({})", citation.quote.text, citation.quote.document),
                None => crate::report::markdown(&reading.report),
            };
            effects.push(Effect::Copy(text));
            app.say(
                Level::Info,
                "copied to the clipboard, if the terminal allows it",
            );
        }
        Action::ReportFollowUp => ask_for(app, Purpose::FollowUp, ""),
        Action::Back => {
            if reading.finding.take().is_some() {
                return;
            }
            if !reading.needle.is_empty() {
                reading.needle.clear();
            } else if reading.document.take().is_some() {
                reading.in_document = false;
            } else if app.run.is_some() {
                app.screen = Screen::Run;
            } else {
                show(app, Screen::Start, effects);
            }
        }
        Action::Zoom => reading.in_document = reading.document.is_some() && !reading.in_document,
        _ => {}
    }
}

fn library(app: &mut App, action: Action, effects: &mut Vec<Effect>) {
    let corpus = app.corpus().map(|corpus| corpus.name.clone());
    let shelf = &mut app.library;
    match action {
        Action::Query => shelf.is_typing = true,
        Action::IndexMore => ask_for(app, Purpose::Index, ""),
        Action::Open if shelf.is_typing => {
            shelf.is_typing = false;
            let query = shelf.field.text().trim().to_owned();
            if query.is_empty() {
                shelf.lists.clear();
                shelf.query.clear();
            } else if let Some(corpus) = corpus {
                shelf.query.clone_from(&query);
                shelf.lists.clear();
                shelf.pane = library::Pane::Passages;
                effects.push(Effect::Search { corpus, query });
            }
        }
        Action::Open => {
            let Some(corpus) = corpus else { return };
            match shelf.pane {
                library::Pane::Corpora => {
                    shelf.pane = library::Pane::Documents;
                    super::load_documents(app, effects);
                }
                library::Pane::Documents => {
                    shelf.pane = library::Pane::Passages;
                    shelf.lists.clear();
                    shelf.query.clear();
                    load_passages(app, corpus, effects);
                }
                library::Pane::Passages => open_passage(app, corpus, effects),
            }
        }
        Action::Back => {
            if shelf.is_typing {
                shelf.is_typing = false;
            } else if shelf.open.take().is_some() {
            } else if !shelf.query.is_empty() {
                shelf.query.clear();
                shelf.lists.clear();
            } else if shelf.pane != library::Pane::Corpora {
                shelf.pane = library::Pane::Corpora;
            } else {
                show(app, Screen::Start, effects);
            }
        }
        _ => {}
    }
}

pub(super) fn load_passages(app: &mut App, corpus: String, effects: &mut Vec<Effect>) {
    if let Some(document) = app.library.documents.get(app.library.document) {
        app.library.passage = 0;
        effects.push(Effect::LoadPassages {
            corpus,
            document: document.id.clone(),
        });
    }
}

fn open_passage(app: &App, corpus: String, effects: &mut Vec<Effect>) {
    let shelf = &app.library;
    let place = if shelf.query.is_empty() {
        let document = shelf.documents.get(shelf.document).map(|d| d.id.clone());
        document.zip(shelf.passages.get(shelf.passage).map(|p| p.span))
    } else {
        shelf
            .selected_hit()
            .map(|hit| (hit.document.clone(), hit.span))
    };
    if let Some((document, span)) = place {
        effects.push(Effect::OpenDocument {
            corpus,
            run: None,
            document,
            span,
        });
    }
}
