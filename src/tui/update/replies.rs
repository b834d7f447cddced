//! What came back from outside.

use indago_core::{NodeId, RunState};

use super::movement::MAX_SHOWN_FINDINGS;
use crate::tui::model::report::Reading;
use crate::tui::model::run::{Folded, Run};
use crate::tui::model::{App, Effect, Level, Reply, Screen};

pub(super) fn take(app: &mut App, reply: Reply, effects: &mut Vec<Effect>) {
    match reply {
        Reply::Lists { runs, corpora } => {
            let selected = app.start.runs.get(app.start.run).map(|run| run.id.clone());
            let corpus = app
                .corpus()
                .map(|c| c.name.clone())
                .or(app.start.wanted.take());
            app.start.runs = runs;
            app.start.corpora = corpora;
            // Lists change under the reader; what was selected stays selected.
            let at = |id| app.start.runs.iter().position(|run| Some(&run.id) == id);
            app.start.run = at(selected.as_ref()).unwrap_or(0);
            let named = |name: &String| app.start.corpora.iter().position(|c| c.name == *name);
            app.start.corpus = corpus.as_ref().and_then(named).unwrap_or(0);
            app.start.is_loaded = true;
            if app.screen == Screen::Library {
                super::load_documents(app, effects);
            }
        }
        Reply::Opened {
            id,
            question,
            corpus,
            budget,
        } => {
            if app.run.as_ref().is_none_or(|run| run.id != id) {
                let mut run = Run::new(id, &question, &corpus);
                run.budget = budget;
                app.run = Some(run);
                app.reading = None;
            }
            app.start.question.take();
            app.screen = Screen::Run;
            app.message = None;
        }
        Reply::Events(id, events) => {
            let Some(run) = app.run.as_mut().filter(|run| run.id == id) else {
                return;
            };
            for event in &events {
                if let Folded::Gap(from) = run.fold(event) {
                    effects.push(Effect::Watch { run: id, from });
                    break;
                }
            }
            load_findings(app, effects);
        }
        Reply::Calls(id, calls) => {
            if let Some(run) = app.run.as_mut().filter(|run| run.id == id) {
                run.calls = calls;
            }
        }
        Reply::Status(status) => {
            let Some(run) = app.run.as_mut().filter(|run| run.id == status.id) else {
                return;
            };
            run.state = status.state;
            run.started_ms = status.started_ms;
            run.ended_ms = status.ended_ms;
            if status.state != RunState::Running {
                run.calls.clear();
            }
            let text = match status.state {
                RunState::Finished => {
                    effects.push(Effect::LoadReport(status.id));
                    return;
                }
                RunState::Stopped => "the run ended without a report; the log says why",
                RunState::Interrupted => {
                    "the run's process is gone; r on the start screen goes on with it"
                }
                RunState::Running => return,
            };
            app.say(Level::Problem, text);
        }
        Reply::Detail(id, node, detail) => {
            if let Some(run) = app.run.as_mut().filter(|run| run.id == id) {
                run.keep_detail(node, detail);
            }
        }
        Reply::Report(report, corpus) => {
            let is_new = app
                .reading
                .as_ref()
                .is_none_or(|r| r.report.run != report.run);
            if is_new {
                app.reading = Some(Reading::new(report, &corpus));
                let key = app.keys.hint(crate::tui::keymap::Action::ShowReport);
                app.say(
                    Level::Info,
                    &format!("the report is written: {key} opens it"),
                );
            }
            if std::mem::take(&mut app.wants_report) {
                app.screen = Screen::Report;
                app.message = None;
            }
        }
        Reply::Documents(corpus, documents, more) => {
            if app.library.shown.as_ref() == Some(&corpus) {
                app.library.documents = documents;
                app.library.more_documents = more;
            }
        }
        Reply::Passages(passages) => app.library.passages = passages,
        Reply::Document(document) => match app.screen {
            Screen::Report => {
                if let Some(reading) = &mut app.reading {
                    reading.document = Some(document);
                }
            }
            _ => app.library.open = Some(document),
        },
        Reply::Hits(query, lists) => {
            if app.library.query == query {
                app.library.lists = lists;
                (app.library.column, app.library.hit) = (0, 0);
            }
        }
        Reply::Job(job) => {
            let had = app.job.is_some();
            let stopping = app.job.as_ref().is_some_and(|job| job.is_stopping);
            app.job = job.map(|job| crate::tui::model::Job {
                is_stopping: stopping || job.is_stopping,
                ..job
            });
            if had && app.job.is_none() {
                app.library.shown = None;
                effects.push(Effect::LoadLists);
            }
        }
        Reply::Done(text) => app.say(Level::Info, &text),
        Reply::Failed(text) => app.say(Level::Problem, &text),
    }
}

/// Asks for the findings that the graph shows.
fn load_findings(app: &mut App, effects: &mut Vec<Effect>) {
    let Some(run) = &mut app.run else { return };
    if run.nodes.len() > MAX_SHOWN_FINDINGS {
        return super::movement::load_detail(app, effects);
    }
    for (n, node) in run.nodes.iter_mut().enumerate() {
        if node.has_ended() && !node.is_asked {
            node.is_asked = true;
            effects.push(Effect::LoadDetail(run.id.clone(), NodeId(n as u32)));
        }
    }
}
