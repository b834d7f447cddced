//! A document, open at a marked place.

use ratatui::layout::Rect;

use super::paint::Painter;
use crate::tui::model::report::OpenDocument;

pub(super) fn draw(
    painter: &mut Painter<'_>,
    document: &OpenDocument,
    area: Rect,
    has_focus: bool,
) {
    let theme = painter.theme;
    let inner = painter.pane(area, &document.title, has_focus);
    if inner.height < 2 || inner.width < 4 {
        return;
    }
    painter.text(inner.x, inner.y, inner.width, &document.about, theme.dim);
    let text = Rect::new(inner.x, inner.y + 1, inner.width, inner.height - 1);
    let rows = document.rows(usize::from(text.width));
    let sight = usize::from(text.height);
    let top = match document.scroll {
        Some(scroll) => scroll.line(rows.len(), sight),
        None => document
            .marked_row(&rows)
            .saturating_sub(sight / 3)
            .min(rows.len().saturating_sub(sight)),
    };
    painter.sight.document = (sight, rows.len());
    painter.sight.document_top = top;
    for (y, (line, bytes)) in rows.iter().enumerate().skip(top).take(sight) {
        let Some(whole) = document.lines.get(*line) else {
            continue;
        };
        // The space at which a row is broken belongs to no row.
        let end = bytes.start + whole[bytes.clone()].trim_end().len();
        let (mut x, y) = (text.x, text.y + (y - top) as u16);
        let mark = document.marks.iter().find(|(marked, _)| marked == line);
        let (from, to) = match mark {
            Some((_, mark)) => (
                mark.start.clamp(bytes.start, end),
                mark.end.clamp(bytes.start, end),
            ),
            None => (end, end),
        };
        for (part, style) in [
            (&whole[bytes.start..from], theme.text),
            (&whole[from..to], theme.mark),
            (&whole[to..end], theme.text),
        ] {
            x += painter.text(x, y, text.right().saturating_sub(x), part, style);
        }
    }
    painter.more(text, top, rows.len(), sight);
}
