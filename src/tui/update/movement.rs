//! Going around: rows, panes, pages, citations.

use indago_core::NodeId;

use crate::tui::keymap::Action;
use crate::tui::model::library;
use crate::tui::model::report::{Bring, Reading};
use crate::tui::model::run::{Pane, Run};
use crate::tui::model::scroll::Scroll;
use crate::tui::model::{App, Effect, Screen, Sight, StartPane};

/// Nodes up to which all findings are shown in the graph; of a larger one the selected node's.
pub(super) const MAX_SHOWN_FINDINGS: usize = 64;

pub(super) fn go(app: &mut App, action: Action, effects: &mut Vec<Effect>) {
    if app.sight.screen != Some(app.screen) {
        // Keys came faster than frames: sizes are not known yet, and the next frame bounds.
        app.sight = Sight {
            screen: Some(app.screen),
            rows: 10,
            content: 100_000,
            document: (10, 100_000),
            width: 80,
            ..Sight::default()
        };
    }
    match app.screen {
        Screen::Start => start(app, action),
        Screen::Run => {
            if let Some(run) = &mut app.run {
                run_screen(run, &app.sight, action);
            }
            load_detail(app, effects);
        }
        Screen::Report => {
            if let Some(reading) = &mut app.reading {
                report(reading, &app.sight, action);
            }
        }
        Screen::Library => library_screen(app, action, effects),
    }
}

/// The row that an action leads to, among `n` rows of which `page` are in sight.
fn row(selected: usize, n: usize, page: usize, action: Action) -> usize {
    let last = n.saturating_sub(1);
    match action {
        Action::Up => selected.saturating_sub(1),
        Action::Down => (selected + 1).min(last),
        Action::PageUp => selected.saturating_sub(page.max(1)),
        Action::PageDown => (selected + page.max(1)).min(last),
        Action::First => 0,
        Action::Last => last,
        _ => selected.min(last),
    }
}

fn lines(action: Action, page: usize) -> isize {
    let page = page.saturating_sub(1).max(1) as isize;
    match action {
        Action::Up => -1,
        Action::Down => 1,
        Action::PageUp => -page,
        Action::PageDown => page,
        _ => 0,
    }
}

#[expect(clippy::match_same_arms, reason = "one arm for each way from a pane")]
fn start(app: &mut App, action: Action) {
    const PANES: [StartPane; 3] = [StartPane::Question, StartPane::Runs, StartPane::Corpora];
    let page = app.sight.rows;
    let start = &mut app.start;
    let step = |by: usize| {
        let at = PANES.iter().position(|p| *p == start.pane).unwrap_or(0);
        PANES[(at + by) % PANES.len()]
    };
    match (action, start.pane) {
        (Action::Next, _) => start.pane = step(1),
        (Action::Previous, _) => start.pane = step(2),
        (Action::Down, StartPane::Question) => start.pane = StartPane::Runs,
        (Action::Up, StartPane::Runs) if start.run == 0 => start.pane = StartPane::Question,
        (Action::Up, StartPane::Corpora) if start.corpus == 0 => {
            start.pane = StartPane::Question;
        }
        (Action::Right, StartPane::Runs) => start.pane = StartPane::Corpora,
        (Action::Left, StartPane::Corpora) => start.pane = StartPane::Runs,
        (_, StartPane::Runs) => start.run = row(start.run, start.runs.len(), page, action),
        (_, StartPane::Corpora) => {
            start.corpus = row(start.corpus, start.corpora.len(), page, action);
        }
        (_, StartPane::Question) => {}
    }
}

fn run_screen(run: &mut Run, sight: &Sight, action: Action) {
    let at = Pane::ALL.iter().position(|p| *p == run.pane).unwrap_or(0);
    match action {
        Action::Next => return run.pane = Pane::ALL[(at + 1) % 3],
        Action::Previous => return run.pane = Pane::ALL[(at + 2) % 3],
        _ => {}
    }
    match run.pane {
        Pane::Graph => {
            let before = run.selected;
            select_node(run, sight, action);
            if run.selected != before {
                run.trail_scroll = Scroll::TOP;
            }
        }
        Pane::Trail => match action {
            Action::First => run.trail_scroll.first(),
            Action::Last => run.trail_scroll.last(),
            _ => run
                .trail_scroll
                .by(lines(action, sight.rows), sight.content, sight.rows),
        },
        Pane::Log => {
            let last = run.log.total().saturating_sub(1);
            let now = run.log_line.unwrap_or(last);
            let to = row(now, run.log.total(), sight.rows, action).max(run.log.dropped());
            // At the end the log is followed; anywhere else it stands still.
            run.log_line = (to < last).then_some(to);
        }
    }
}

fn select_node(run: &mut Run, sight: &Sight, action: Action) {
    let order = &sight.order;
    let Some(at) = order.iter().position(|node| *node == run.selected) else {
        // Nothing was drawn yet: by number.
        run.selected = row(run.selected, run.nodes.len(), 1, action);
        return;
    };
    let place = |node: usize| {
        sight.targets.iter().find_map(|(area, target)| {
            (*target == crate::tui::model::Target::Node(node)).then_some(*area)
        })
    };
    // In the drawing, up and down lead to the nearest box of the layer above or below.
    if !sight.is_tree
        && matches!(action, Action::Up | Action::Down)
        && let Some(here) = place(run.selected)
    {
        let middle = |area: ratatui::layout::Rect| i32::from(area.x) + i32::from(area.width) / 2;
        let beyond = order.iter().filter_map(|&node| {
            let area = place(node)?;
            let rows = i32::from(area.y) - i32::from(here.y);
            let is_ahead = if action == Action::Down {
                rows > 0
            } else {
                rows < 0
            };
            is_ahead.then(|| (rows.abs(), (middle(area) - middle(here)).abs(), node))
        });
        if let Some((_, _, node)) = beyond.min() {
            run.selected = node;
            return;
        }
    }
    let step = match action {
        Action::Left => Action::Up,
        Action::Right => Action::Down,
        other => other,
    };
    let to = row(at, order.len(), sight.rows, step);
    run.selected = order.get(to).copied().unwrap_or(run.selected);
}

/// Asks for what the journal has of the selected node, once work on it has ended.
pub(super) fn load_detail(app: &mut App, effects: &mut Vec<Effect>) {
    let Some(run) = &mut app.run else { return };
    let Some(node) = run.nodes.get_mut(run.selected) else {
        return;
    };
    if node.has_ended() && !node.is_asked {
        node.is_asked = true;
        effects.push(Effect::LoadDetail(
            run.id.clone(),
            NodeId(run.selected as u32),
        ));
    }
}

fn report(reading: &mut Reading, sight: &Sight, action: Action) {
    if matches!(action, Action::Next | Action::Previous) {
        reading.in_document = reading.document.is_some() && !reading.in_document;
        return;
    }
    let (scroll, rows, content) = match &mut reading.document {
        Some(document) if reading.in_document => {
            let (rows, content) = sight.document;
            let here = Scroll {
                top: sight.document_top,
                follow: false,
            };
            (document.scroll.get_or_insert(here), rows, content)
        }
        _ => {
            if reading.bring.take().is_some() {
                reading.scroll.top = sight.top;
            }
            (&mut reading.scroll, sight.rows, sight.content)
        }
    };
    match action {
        Action::First => scroll.first(),
        Action::Last => scroll.by(content as isize, content, rows),
        Action::Left | Action::Right => {}
        _ => scroll.by(lines(action, rows), content, rows),
    }
    scroll.follow = false;
}

/// To the next or previous citation.
pub(super) fn citation(reading: &mut Reading, forward: bool) {
    let n = reading.citations.len();
    if n == 0 {
        return;
    }
    let to = match (reading.selected, forward) {
        (None, true) => 0,
        (None, false) => n - 1,
        (Some(now), true) => (now + 1) % n,
        (Some(now), false) => (now + n - 1) % n,
    };
    reading.selected = Some(to);
    reading.bring = Some(Bring::Citation);
}

/// To the next or previous line with what is searched for.
pub(super) fn match_of_search(reading: &mut Reading, forward: bool, width: usize) {
    let lines = reading.lines(width);
    let matches = reading.matches(&lines);
    if matches.is_empty() {
        return;
    }
    let n = matches.len();
    reading.found = match reading.found {
        usize::MAX => 0,
        now => (now % n + if forward { 1 } else { n - 1 }) % n,
    };
    let citation = lines[matches[reading.found]].citation;
    reading.selected = citation.or(reading.selected);
    reading.bring = Some(Bring::Match);
}

#[expect(clippy::match_same_arms, reason = "one arm for each way from a pane")]
fn library_screen(app: &mut App, action: Action, effects: &mut Vec<Effect>) {
    use library::Pane;
    let page = app.sight.rows;
    if let Some(open) = &mut app.library.open {
        let (rows, content) = app.sight.document;
        let here = Scroll {
            top: app.sight.document_top,
            follow: false,
        };
        let scroll = open.scroll.get_or_insert(here);
        match action {
            Action::First => scroll.first(),
            Action::Last => scroll.by(content as isize, content, rows),
            _ => scroll.by(lines(action, rows), content, rows),
        }
        scroll.follow = false;
        return;
    }
    let searching = !app.library.query.is_empty();
    let pane = app.library.pane;
    match (action, pane) {
        (Action::Next, Pane::Corpora) => app.library.pane = Pane::Documents,
        (Action::Next, Pane::Documents) | (Action::Previous, Pane::Corpora) => {
            app.library.pane = Pane::Passages;
        }
        (Action::Next, Pane::Passages) | (Action::Previous, Pane::Documents) => {
            app.library.pane = Pane::Corpora;
        }
        (Action::Previous, Pane::Passages) => app.library.pane = Pane::Documents,
        (Action::Left, Pane::Passages) if searching && app.library.column > 0 => {
            app.library.column -= 1;
            app.library.hit = 0;
        }
        (Action::Right, Pane::Passages) if searching => {
            let last = app.library.lists.len().saturating_sub(1);
            app.library.column = (app.library.column + 1).min(last);
            app.library.hit = 0;
        }
        (Action::Right, Pane::Corpora) => app.library.pane = Pane::Documents,
        (Action::Right, Pane::Documents) => app.library.pane = Pane::Passages,
        (Action::Left, Pane::Documents) => app.library.pane = Pane::Corpora,
        (Action::Left, Pane::Passages) => app.library.pane = Pane::Documents,
        (_, Pane::Corpora) => {
            app.start.corpus = row(app.start.corpus, app.start.corpora.len(), page, action);
            super::load_documents(app, effects);
        }
        (_, Pane::Documents) => {
            let before = app.library.document;
            app.library.document = row(before, app.library.documents.len(), page, action);
            if app.library.document != before {
                app.library.passages.clear();
            }
        }
        (_, Pane::Passages) if searching => {
            let hits = app.library.lists.get(app.library.column);
            let n = hits.and_then(|l| l.hits.as_ref().ok()).map_or(0, Vec::len);
            app.library.hit = row(app.library.hit, n, page, action);
        }
        (_, Pane::Passages) => {
            let n = app.library.passages.len();
            app.library.passage = row(app.library.passage, n, page, action);
        }
    }
}
