//! What lies over a screen: help, palette, fields, questions; and the line of long work.

use ratatui::layout::Rect;
use ratatui::widgets::{Clear, Widget as _};

use super::paint::{Painter, Piece};
use crate::tui::keymap::{ACTIONS, Action, Scope};
use crate::tui::model::{App, Job, Overlay, Purpose};
use crate::tui::text::{columns, fit, wrap};

pub(super) fn draw(painter: &mut Painter<'_>, app: &App, area: Rect) {
    match &app.overlay {
        None => {}
        Some(Overlay::Help(top)) => help(painter, app, area, *top),
        Some(Overlay::Palette(editor, selected)) => {
            let found = crate::tui::update::palette(app, editor.text());
            let rows = (found.len() as u16 + 4).clamp(6, 18);
            let inner = window(painter, area, 72, rows, "Commands");
            painter.text(inner.x, inner.y, 2, "> ", painter.theme.key);
            painter.field(
                inner.x + 2,
                inner.y,
                inner.width.saturating_sub(2),
                editor,
                true,
            );
            let list = Rect::new(
                inner.x,
                inner.y + 1,
                inner.width,
                inner.height.saturating_sub(1),
            );
            let theme = painter.theme;
            painter.list(
                list,
                found.len(),
                *selected,
                true,
                |_| no_target(),
                |_, i| {
                    let entry = found[i];
                    vec![
                        (format!("{:<18} ", entry.name), theme.text),
                        (format!("{:<9} ", app.keys.hint(entry.action)), theme.key),
                        (entry.doc.to_owned(), theme.dim),
                    ]
                },
            );
        }
        Some(Overlay::Field(purpose, editor)) => {
            let (title, hint) = words(purpose);
            let inner = window(painter, area, 90, 5, &title);
            painter.text(inner.x, inner.y, 2, "> ", painter.theme.key);
            painter.field(
                inner.x + 2,
                inner.y,
                inner.width.saturating_sub(2),
                editor,
                true,
            );
            let lines = wrap(hint, usize::from(inner.width));
            for (y, line) in lines.iter().take(2).enumerate() {
                let y = inner.y + 1 + y as u16;
                painter.text(inner.x, y, inner.width, line, painter.theme.dim);
            }
        }
        Some(Overlay::Confirm(confirm)) => {
            let width = 72.min(area.width.saturating_sub(4)).max(10);
            let lines = wrap(&confirm.question, usize::from(width.saturating_sub(2)));
            let inner = window(painter, area, 72, lines.len() as u16 + 3, "Sure?");
            for (y, line) in lines.iter().enumerate() {
                painter.text(
                    inner.x,
                    inner.y + y as u16,
                    inner.width,
                    line,
                    painter.theme.text,
                );
            }
            let y = inner.y + lines.len() as u16;
            painter.text(inner.x, y, inner.width, "y yes   n no", painter.theme.key);
        }
    }
}

fn no_target() -> crate::tui::model::Target {
    crate::tui::model::Target::Start(crate::tui::model::StartPane::Question)
}

/// A window in the middle; gives the room inside.
fn window(painter: &mut Painter<'_>, area: Rect, columns: u16, rows: u16, title: &str) -> Rect {
    let width = columns.min(area.width.saturating_sub(2)).max(4);
    let height = rows.min(area.height.saturating_sub(2)).max(3);
    let x = area.x + (area.width.saturating_sub(width)) / 2;
    let y = area.y + (area.height.saturating_sub(height)) / 2;
    let place = Rect::new(x, y, width, height).intersection(area);
    Clear.render(place, painter.buffer);
    painter.pane(place, title, true)
}

fn help(painter: &mut Painter<'_>, app: &App, area: Rect, top: usize) {
    let theme = painter.theme;
    let scope = app.screen.scope();
    let mut lines: Vec<Vec<Piece>> = Vec::new();
    let others = [Scope::Start, Scope::Run, Scope::Report, Scope::Library];
    let rest = others.into_iter().filter(|other| *other != scope);
    for shown in [scope, Scope::Everywhere].into_iter().chain(rest) {
        if !lines.is_empty() {
            lines.push(Vec::new());
        }
        let place = if shown == Scope::Everywhere {
            "Everywhere".to_owned()
        } else {
            format!("On the {} screen", shown.title())
        };
        lines.push(vec![(place, theme.title)]);
        for entry in ACTIONS.iter().filter(|entry| entry.scope == shown) {
            let keys: Vec<String> = app
                .keys
                .keys(entry.action)
                .iter()
                .map(ToString::to_string)
                .collect();
            lines.push(vec![
                (format!("{:<18}", fit(&keys.join(" "), 17)), theme.key),
                (entry.doc.to_owned(), theme.text),
            ]);
        }
    }
    let inner = window(painter, area, 84, area.height, "Keys");
    let sight = usize::from(inner.height);
    (painter.sight.rows, painter.sight.content) = (sight, lines.len());
    let top = top.min(lines.len().saturating_sub(sight));
    for (y, pieces) in lines.iter().skip(top).take(sight).enumerate() {
        painter.pieces(
            inner.x + 1,
            inner.y + y as u16,
            inner.width.saturating_sub(1),
            pieces,
        );
    }
    painter.more(inner, top, lines.len(), sight);
}

fn words(purpose: &Purpose) -> (String, &'static str) {
    let (title, hint) = match purpose {
        Purpose::Add => (
            "Add a sub-question".to_owned(),
            "`after q1 q2: question` waits for q1 and q2. enter sends it, esc closes.",
        ),
        Purpose::Clarify => (
            "How is the question meant?".to_owned(),
            "One of the readings in the log, or your own words. enter sends it, esc closes.",
        ),
        Purpose::Reword(node) => (format!("Reword {node}"), "enter sends it, esc closes."),
        Purpose::Prune(node) => (
            format!("Take out {node}"),
            "Why, for the record; may stay empty. enter sends it, esc closes.",
        ),
        Purpose::Budget => (
            "Budget".to_owned(),
            "Change what should change. seconds=0 is no limit. enter sends it, esc closes.",
        ),
        Purpose::Distrust => (
            "Do not trust a source".to_owned(),
            "The document's id, as the report's sources show it. What stands on it is asked again.",
        ),
        Purpose::FollowUp => (
            "Ask further".to_owned(),
            "A run that is under way takes it into its plan; otherwise a new run begins.",
        ),
        Purpose::Index => (
            "Index files or folders".to_owned(),
            "Separated by spaces; quotes keep spaces together. Empty updates what the corpus is made from.",
        ),
        Purpose::Pull => (
            "Download a model".to_owned(),
            "owner/name of the hub, or the address of a folder. What was interrupted goes on where it was.",
        ),
        Purpose::Export => (
            "Export the report to".to_owned(),
            "The ending says the format: .md, .html, .json, .csv. An existing file is not overwritten.",
        ),
    };
    (title, hint)
}

/// Long work: what, how far, and how to stop it. Gives the columns it takes.
pub(super) fn job(painter: &mut Painter<'_>, job: &Job, area: Rect, app: &App) -> u16 {
    let theme = painter.theme;
    let key = app.keys.hint(Action::CancelJob);
    let how = if job.is_stopping {
        "stopping ...".to_owned()
    } else {
        format!("{key} stops")
    };
    let share = (100 * job.done.min(job.total))
        .checked_div(job.total)
        .map_or_else(String::new, |percent| format!("{percent}% "));
    let pieces: [Piece; 4] = [
        (
            format!("{} ", Painter::bar(job.done, job.total, 12)),
            theme.good,
        ),
        (share, theme.text),
        (format!("{}: {}  ", job.name, job.what), theme.text),
        (how, theme.dim),
    ];
    painter.pieces(area.x, area.y, area.width, &pieces);
    let columns: usize = pieces.iter().map(|(text, _)| columns(text)).sum();
    columns.min(usize::from(area.width)) as u16
}
