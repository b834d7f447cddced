//! Read a report.

use ratatui::layout::Rect;

use super::paint::Painter;
use crate::tui::model::report::{Kind, Reading};
use crate::tui::model::{App, Target};

/// Columns from which report and document stand side by side.
const SIDE_BY_SIDE: u16 = 110;
/// Widest text: longer lines are hard to read.
const WIDEST_TEXT: u16 = 100;

pub(super) fn draw(painter: &mut Painter<'_>, app: &App, area: Rect) {
    let Some(reading) = &app.reading else { return };
    match &reading.document {
        Some(document) if area.width >= SIDE_BY_SIDE => {
            let left = Rect::new(area.x, area.y, area.width / 2, area.height);
            let right = Rect::new(left.right(), area.y, area.width - left.width, area.height);
            text(painter, reading, left, !reading.in_document);
            super::document::draw(painter, document, right, reading.in_document);
        }
        Some(document) if area.height >= 16 => {
            let upper = Rect::new(area.x, area.y, area.width, area.height / 2);
            let lower = Rect::new(
                area.x,
                upper.bottom(),
                area.width,
                area.height - upper.height,
            );
            text(painter, reading, upper, !reading.in_document);
            super::document::draw(painter, document, lower, reading.in_document);
        }
        Some(document) => super::document::draw(painter, document, area, true),
        None => text(painter, reading, area, true),
    }
}

fn text(painter: &mut Painter<'_>, reading: &Reading, area: Rect, has_focus: bool) {
    let theme = painter.theme;
    let position = match reading.selected {
        Some(n) => format!("Report · quote {} of {}", n + 1, reading.citations.len()),
        None => format!("Report · {} quotes", reading.citations.len()),
    };
    let inner = painter.pane(area, &position, has_focus);
    let finding_rows = u16::from(reading.finding.is_some());
    let rows = inner.height.saturating_sub(finding_rows);
    let width = inner.width.saturating_sub(1).min(WIDEST_TEXT);
    let lines = reading.lines(usize::from(width));
    let sight = usize::from(rows);
    let top = reading.top(&lines, sight);
    painter.sight.top = top;
    painter.sight.width = usize::from(width);
    (painter.sight.rows, painter.sight.content) = (sight, lines.len());
    let needle = reading.needle.to_lowercase();
    for (y, line) in lines.iter().enumerate().skip(top).take(sight) {
        let y = inner.y + (y - top) as u16;
        let style = match line.kind {
            Kind::Title | Kind::Heading => theme.title,
            Kind::Answer => theme.good,
            Kind::Quote => theme.quote,
            Kind::Text => theme.text,
            Kind::Small => theme.dim,
            Kind::Notice => theme.warn,
        };
        painter.text(inner.x + 1, y, width, &line.text, style);
        let place = Rect::new(inner.x, y, inner.width, 1);
        if let Some(citation) = line.citation {
            if reading.selected == Some(citation) {
                painter.text(inner.x, y, 1, "▶", theme.focus);
                painter.restyle(Rect::new(inner.x + 1, y, width, 1), theme.selected);
            }
            painter
                .sight
                .targets
                .push((place, Target::Citation(citation)));
        }
        if !needle.is_empty() && line.text.to_lowercase().contains(&needle) {
            painter.restyle(Rect::new(inner.x + 1, y, width, 1), theme.mark);
        }
    }
    painter.more(inner, top, lines.len(), sight);
    if let Some(editor) = &reading.finding {
        let y = inner.bottom() - 1;
        painter.text(inner.x, y, 2, "/ ", theme.key);
        painter.field(inner.x + 2, y, inner.width.saturating_sub(2), editor, true);
    }
}
