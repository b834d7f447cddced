//! Look into corpora; try a query against each retriever.

use ratatui::layout::Rect;

use super::paint::{Painter, Piece};
use crate::tui::model::library::{HitList, Library, Pane};
use crate::tui::model::{App, Target};
use crate::tui::text::wrap;

/// Columns from which three panes stand side by side.
const SIDE_BY_SIDE: u16 = 90;

pub(super) fn draw(painter: &mut Painter<'_>, app: &App, area: Rect) {
    let shelf = &app.library;
    if let Some(document) = &shelf.open {
        return super::document::draw(painter, document, area, true);
    }
    field(
        painter,
        app,
        shelf,
        Rect::new(area.x, area.y, area.width, 1),
    );
    let rest = Rect::new(area.x, area.y + 1, area.width, area.height - 1);
    if !shelf.query.is_empty() {
        return hits(painter, shelf, rest);
    }
    if rest.width >= SIDE_BY_SIDE {
        let corpora_columns = (rest.width / 5).max(24);
        let documents_columns = (rest.width - corpora_columns) * 2 / 5;
        let left = Rect::new(rest.x, rest.y, corpora_columns, rest.height);
        let middle = Rect::new(left.right(), rest.y, documents_columns, rest.height);
        let right = Rect::new(
            middle.right(),
            rest.y,
            rest.right() - middle.right(),
            rest.height,
        );
        corpora(painter, app, left);
        documents(painter, shelf, middle);
        passages(painter, shelf, right);
    } else {
        let upper = Rect::new(
            rest.x,
            rest.y,
            rest.width,
            (app.start.corpora.len() as u16 + 2)
                .clamp(4, (rest.height / 3).max(4))
                .min(rest.height),
        );
        let lower = Rect::new(
            rest.x,
            upper.bottom(),
            rest.width,
            rest.height - upper.height,
        );
        corpora(painter, app, upper);
        match shelf.pane {
            Pane::Passages => passages(painter, shelf, lower),
            _ => documents(painter, shelf, lower),
        }
    }
}

fn field(painter: &mut Painter<'_>, app: &App, shelf: &Library, area: Rect) {
    let theme = painter.theme;
    painter.text(area.x + 1, area.y, 7, "query ", theme.dim);
    let width = area.width.saturating_sub(9);
    if shelf.is_typing {
        painter.field(
            area.x + 7,
            area.y,
            width,
            &shelf.field,
            app.overlay.is_none(),
        );
    } else if shelf.query.is_empty() {
        let key = app.keys.hint(crate::tui::keymap::Action::Query);
        let text = format!("{key} tries one against each retriever");
        painter.text(area.x + 7, area.y, width, &text, theme.dim);
    } else {
        painter.text(area.x + 7, area.y, width, &shelf.query, theme.title);
    }
}

fn corpora(painter: &mut Painter<'_>, app: &App, area: Rect) {
    let theme = painter.theme;
    let has_focus = app.library.pane == Pane::Corpora;
    painter
        .sight
        .targets
        .push((area, Target::LibraryPane(Pane::Corpora)));
    let inner = painter.pane(area, "Corpora", has_focus);
    let rows = &app.start.corpora;
    painter.list(
        inner,
        rows.len(),
        app.start.corpus,
        has_focus,
        Target::StartCorpus,
        |_, i| {
            let corpus = &rows[i];
            vec![
                (format!("{}  ", corpus.name), theme.text),
                (
                    format!("{} docs, {}", corpus.documents, corpus.health()),
                    theme.dim,
                ),
            ]
        },
    );
}

fn documents(painter: &mut Painter<'_>, shelf: &Library, area: Rect) {
    let theme = painter.theme;
    let has_focus = shelf.pane == Pane::Documents;
    painter
        .sight
        .targets
        .push((area, Target::LibraryPane(Pane::Documents)));
    let total = shelf.documents.len() + shelf.more_documents;
    let inner = painter.pane(area, &format!("Documents ({total})"), has_focus);
    let rows = &shelf.documents;
    painter.list(
        inner,
        rows.len(),
        shelf.document,
        has_focus,
        Target::Document,
        |_, i| {
            let document = &rows[i];
            vec![
                (format!("{:>4} ", document.passages), theme.dim),
                (format!("{}  ", document.title), theme.text),
                (crate::tui::text::clean(&document.id), theme.dim),
            ]
        },
    );
}

fn passages(painter: &mut Painter<'_>, shelf: &Library, area: Rect) {
    let theme = painter.theme;
    let has_focus = shelf.pane == Pane::Passages;
    painter
        .sight
        .targets
        .push((area, Target::LibraryPane(Pane::Passages)));
    let title = format!("Passages ({})", shelf.passages.len());
    let inner = painter.pane(area, &title, has_focus);
    if shelf.passages.is_empty() {
        let text = "enter on a document lists its passages";
        painter.text(inner.x, inner.y, inner.width, text, theme.dim);
        return;
    }
    let rows = &shelf.passages;
    let list_rows = (inner.height / 2).max(1);
    let list = Rect::new(inner.x, inner.y, inner.width, list_rows);
    painter.list(
        list,
        rows.len(),
        shelf.passage,
        has_focus,
        Target::Passage,
        |_, i| {
            vec![
                (format!("{}  ", rows[i].place), theme.dim),
                (rows[i].text.clone(), theme.text),
            ]
        },
    );
    let Some(passage) = rows.get(shelf.passage) else {
        return;
    };
    let below = inner.height.saturating_sub(list_rows + 1);
    let lines = wrap(&passage.text, usize::from(inner.width));
    for (y, line) in lines.iter().take(usize::from(below)).enumerate() {
        let y = inner.y + list_rows + 1 + y as u16;
        painter.text(inner.x, y, inner.width, line, theme.quote);
    }
}

fn hits(painter: &mut Painter<'_>, shelf: &Library, area: Rect) {
    let theme = painter.theme;
    if shelf.lists.is_empty() {
        painter.text(
            area.x + 1,
            area.y,
            area.width - 1,
            "searching ...",
            theme.dim,
        );
        return;
    }
    let n = shelf.lists.len() as u16;
    // Side by side where each has room to be read, else the selected one alone.
    let (first, shown) = if area.width / n >= 26 {
        (0, n)
    } else {
        (shelf.column as u16, 1)
    };
    let each = area.width / shown;
    for column in 0..shown {
        let number = usize::from(first + column);
        let Some(list) = shelf.lists.get(number) else {
            continue;
        };
        let x = area.x + column * each;
        let width = if column + 1 == shown {
            area.right() - x
        } else {
            each
        };
        hit_list(
            painter,
            shelf,
            list,
            number,
            Rect::new(x, area.y, width, area.height),
        );
    }
}

fn hit_list(painter: &mut Painter<'_>, shelf: &Library, list: &HitList, number: usize, area: Rect) {
    let theme = painter.theme;
    let has_focus = number == shelf.column;
    painter
        .sight
        .targets
        .push((area, Target::LibraryPane(Pane::Passages)));
    let title = format!(
        "{} · {} ms · {}/{}",
        list.retriever,
        list.took_ms,
        number + 1,
        shelf.lists.len()
    );
    let inner = painter.pane(area, &title, has_focus);
    let found = match &list.hits {
        Ok(found) if found.is_empty() => {
            painter.text(inner.x, inner.y, inner.width, "nothing found", theme.dim);
            return;
        }
        Ok(found) => found,
        Err(problem) => {
            for (y, line) in wrap(problem, usize::from(inner.width)).iter().enumerate() {
                painter.text(inner.x, inner.y + y as u16, inner.width, line, theme.warn);
            }
            return;
        }
    };
    // Four rows for each hit: where it stands, why it was found, two lines of text.
    let per_hit = 4;
    let sight = (usize::from(inner.height) / per_hit).max(1);
    let top = crate::tui::model::scroll::keep_in_sight(0, shelf.hit, sight, found.len());
    if has_focus {
        (painter.sight.rows, painter.sight.content) = (sight, found.len());
    }
    for (slot, (i, hit)) in found.iter().enumerate().skip(top).take(sight).enumerate() {
        let y = inner.y + (slot * per_hit) as u16;
        let rows = per_hit.min(usize::from(inner.bottom() - y)) as u16;
        let place = Rect::new(inner.x, y, inner.width, rows);
        let head: [Piece; 2] = [
            (format!("{:>2} ", i + 1), theme.dim),
            (hit.source.clone(), theme.title),
        ];
        painter.pieces(place.x, y, place.width, &head);
        if rows > 1 {
            painter.text(
                place.x + 3,
                y + 1,
                place.width.saturating_sub(3),
                &hit.why,
                theme.dim,
            );
        }
        let text = wrap(&hit.text, usize::from(place.width.saturating_sub(3)));
        for (line, text) in text
            .iter()
            .take(usize::from(rows.saturating_sub(2)))
            .enumerate()
        {
            let y = y + 2 + line as u16;
            painter.text(
                place.x + 3,
                y,
                place.width.saturating_sub(3),
                text,
                theme.quote,
            );
        }
        if has_focus && i == shelf.hit {
            painter.restyle(Rect::new(place.x, y, place.width, 1), theme.selected);
        }
        painter.sight.targets.push((place, Target::Hit(number, i)));
    }
    painter.more(inner, top, found.len(), sight);
}
