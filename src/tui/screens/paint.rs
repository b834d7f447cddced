//! Putting text, panes and lists into cells.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::widgets::{Block, BorderType, Widget as _};

use crate::tui::model::editor::Editor;
use crate::tui::model::scroll::keep_in_sight;
use crate::tui::model::{Sight, Target};
use crate::tui::text::{columns, columns_of, fit};
use crate::tui::theme::Theme;

/// A piece of a line.
pub(super) type Piece = (String, Style);

/// Writes cells, and notes where things are.
pub(super) struct Painter<'a> {
    pub(super) buffer: &'a mut Buffer,
    pub(super) theme: Theme,
    pub(super) sight: &'a mut Sight,
}

impl<'a> Painter<'a> {
    pub(super) fn new(buffer: &'a mut Buffer, theme: Theme, sight: &'a mut Sight) -> Self {
        Self {
            buffer,
            theme,
            sight,
        }
    }

    /// Writes what fits of `text` into `width` columns; gives the columns used.
    pub(super) fn text(&mut self, x: u16, y: u16, width: u16, text: &str, style: Style) -> u16 {
        let area = self.buffer.area;
        if y >= area.bottom() || x >= area.right() || y < area.y {
            return 0;
        }
        let shown = fit(text, usize::from(width.min(area.right() - x)));
        let room = usize::from(width);
        let (end, _) = self.buffer.set_stringn(x, y, &shown, room, style);
        end - x
    }

    /// Writes pieces one after the other.
    pub(super) fn pieces(&mut self, x: u16, y: u16, width: u16, pieces: &[Piece]) {
        let mut at = x;
        for (text, style) in pieces {
            let room = (x + width).saturating_sub(at);
            if room == 0 {
                return;
            }
            at += self.text(at, y, room, text, *style);
        }
    }

    /// Gives a row another style, as selected rows have.
    pub(super) fn restyle(&mut self, area: Rect, style: Style) {
        self.buffer.set_style(area, style);
    }

    /// A bordered pane; gives the room inside.
    pub(super) fn pane(&mut self, area: Rect, title: &str, has_focus: bool) -> Rect {
        let border = if has_focus {
            self.theme.focus
        } else {
            self.theme.border
        };
        let room = usize::from(area.width.saturating_sub(4));
        let block = Block::bordered()
            .border_type(if has_focus {
                BorderType::Double
            } else {
                BorderType::Plain
            })
            .border_style(border);
        let inner = block.inner(area);
        block.render(area, self.buffer);
        if !title.is_empty() && room > 0 {
            let style = if has_focus {
                self.theme.title
            } else {
                self.theme.dim
            };
            self.text(
                area.x + 1,
                area.y,
                room as u16 + 2,
                &format!(" {} ", fit(title, room)),
                style,
            );
        }
        inner
    }

    /// A list with a selected row kept in sight; notes its size if it has the focus.
    pub(super) fn list(
        &mut self,
        area: Rect,
        n: usize,
        selected: usize,
        has_focus: bool,
        target: impl Fn(usize) -> Target,
        mut row: impl FnMut(&mut Self, usize) -> Vec<Piece>,
    ) {
        let sight = usize::from(area.height);
        let top = keep_in_sight(0, selected, sight, n);
        if has_focus {
            (self.sight.rows, self.sight.content, self.sight.top) = (sight, n, top);
        }
        for (y, i) in (top..n.min(top + sight)).enumerate() {
            let place = Rect::new(area.x, area.y + y as u16, area.width, 1);
            let pieces = row(self, i);
            self.pieces(place.x, place.y, place.width, &pieces);
            if i == selected {
                let style = if has_focus {
                    self.theme.selected
                } else {
                    self.theme.title
                };
                self.restyle(place, style);
            }
            self.sight.targets.push((place, target(i)));
        }
        self.more(area, top, n, sight);
    }

    /// Says in the corner that there is more above or below.
    pub(super) fn more(&mut self, area: Rect, top: usize, n: usize, sight: usize) {
        if area.width == 0 || area.height == 0 {
            return;
        }
        let x = area.right();
        if top > 0 {
            self.text(x, area.y, 1, "▲", self.theme.dim);
        }
        if top + sight < n {
            self.text(x, area.bottom() - 1, 1, "▼", self.theme.dim);
        }
    }

    /// A field with its cursor, scrolled so that the cursor is in sight.
    pub(super) fn field(&mut self, x: u16, y: u16, width: u16, editor: &Editor, has_focus: bool) {
        let room = usize::from(width).saturating_sub(1);
        let before = columns(&editor.text()[..editor.cursor()]);
        let mut skipped = 0;
        let mut from = 0;
        for (at, c) in editor.text().char_indices() {
            if before - skipped <= room {
                break;
            }
            skipped += columns_of(c);
            from = at + c.len_utf8();
        }
        self.text(x, y, width, &editor.text()[from..], self.theme.text);
        if has_focus {
            let at = x + (before - skipped).min(room) as u16;
            self.sight.cursor = Some(Position::new(at, y));
        }
    }

    /// A bar of `width` columns of which the share `done / total` is filled.
    pub(super) fn bar(done: u64, total: u64, width: usize) -> String {
        let filled = match total {
            0 => 0,
            _ => (u128::from(done.min(total)) * width as u128 / u128::from(total)) as usize,
        };
        format!("{}{}", "█".repeat(filled), "░".repeat(width - filled))
    }
}

/// Milliseconds as `0:07` or `1:02:03`.
pub(super) fn clock(ms: u64) -> String {
    if ms < 10_000 {
        return format!("{:.1} s", ms as f64 / 1000.0);
    }
    let seconds = ms / 1000;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

/// How long ago a time was, in the largest unit.
pub(super) fn ago(now_ms: u64, then_ms: u64) -> String {
    let seconds = now_ms.saturating_sub(then_ms) / 1000;
    match seconds {
        0..60 => "now".to_owned(),
        60..3600 => format!("{} min", seconds / 60),
        3600..86_400 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}
