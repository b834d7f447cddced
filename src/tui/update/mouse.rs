//! Clicks and the wheel.

use ratatui::layout::Position;

use crate::tui::keymap::Action;
use crate::tui::model::library;
use crate::tui::model::run::Pane;
use crate::tui::model::scroll::Scroll;
use crate::tui::model::{App, Effect, Screen, Target};

/// The innermost thing at a place: what is drawn later lies on top.
fn target(app: &App, x: u16, y: u16) -> Option<Target> {
    let at = Position::new(x, y);
    let hit = app.sight.targets.iter().rev();
    hit.filter(|(area, _)| area.contains(at))
        .map(|(_, target)| *target)
        .next()
}

pub(super) fn click(app: &mut App, x: u16, y: u16, effects: &mut Vec<Effect>) {
    if app.overlay.is_some() {
        return;
    }
    let Some(target) = target(app, x, y) else {
        return;
    };
    super::stop_following(app);
    let open = |app: &mut App, effects: &mut Vec<Effect>| super::act(app, Action::Open, effects);
    match target {
        Target::Start(pane) => app.start.pane = pane,
        Target::StartRun(row) => {
            app.start.pane = crate::tui::model::StartPane::Runs;
            if app.start.run == row {
                return open(app, effects);
            }
            app.start.run = row;
        }
        Target::StartCorpus(row) => {
            app.start.pane = crate::tui::model::StartPane::Corpora;
            app.start.corpus = row;
        }
        Target::RunPane(pane) => {
            if let Some(run) = &mut app.run {
                run.pane = pane;
            }
        }
        Target::Node(node) => {
            if let Some(run) = &mut app.run {
                run.pane = Pane::Graph;
                if run.selected != node {
                    run.selected = node;
                    run.trail_scroll = Scroll::TOP;
                }
            }
            super::movement::load_detail(app, effects);
        }
        Target::LogLine(line) => {
            if let Some(run) = &mut app.run {
                run.pane = Pane::Log;
                run.log_line = Some(line);
            }
        }
        Target::Citation(citation) => {
            if let Some(reading) = &mut app.reading {
                reading.selected = Some(citation);
            }
            open(app, effects);
        }
        Target::LibraryPane(pane) => app.library.pane = pane,
        Target::Document(row) => {
            app.library.pane = library::Pane::Documents;
            app.library.document = row;
        }
        Target::Passage(row) => {
            app.library.pane = library::Pane::Passages;
            app.library.passage = row;
        }
        Target::Hit(column, row) => {
            app.library.pane = library::Pane::Passages;
            (app.library.column, app.library.hit) = (column, row);
        }
    }
}

/// Scrolls what lies under the pointer.
pub(super) fn wheel(app: &mut App, by: isize, x: u16, y: u16) {
    if app.overlay.is_none()
        && app.screen == Screen::Run
        && let Some(Target::RunPane(pane)) = target(app, x, y)
        && let Some(run) = &mut app.run
    {
        run.pane = pane;
    }
    let action = if by < 0 { Action::Up } else { Action::Down };
    let mut effects = Vec::new();
    for _ in 0..by.unsigned_abs().min(10) {
        if app.overlay.is_none() {
            super::act(app, action, &mut effects);
        }
    }
}
