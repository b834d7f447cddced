//! The question graph: in layers where there is room, else as a tree.

use ratatui::layout::Rect;

use crate::tui::graph::{Drawing, branches, drawing, pairs};
use crate::tui::model::Target;
use crate::tui::model::run::{MAX_NODES, Node, Pane, Run};
use crate::tui::model::scroll::keep_in_sight;
use crate::tui::screens::KnownGraph;
use crate::tui::screens::paint::{Painter, Piece};
use crate::tui::text::clean;
use crate::tui::theme::{sign, word};

/// Nodes up to which the graph may be drawn in layers; more have no room, and cost a layout to find
/// out.
const MAX_DRAWN: usize = 200;
/// Columns from which the graph may be drawn in layers.
const LAYERS: u16 = 40;

pub(super) fn graph(
    painter: &mut Painter<'_>,
    run: &Run,
    area: Rect,
    known: &mut Option<KnownGraph>,
) {
    let has_focus = run.pane == Pane::Graph;
    let hidden = if run.nodes.len() >= MAX_NODES {
        ", more are not drawn"
    } else {
        ""
    };
    let title = format!("Questions ({}{hidden})", run.nodes.len());
    let inner = painter.pane(area, &title, has_focus);
    if inner.width < 4 || inner.height == 0 {
        return;
    }
    let is_known = known.as_ref().is_some_and(|k| {
        k.run == run.id.as_str()
            && k.version == run.version
            && k.width == inner.width
            && k.wants_tree == run.wants_tree
    });
    if !is_known {
        let pairs = pairs(run.nodes.len(), &run.edges);
        let is_small = run.nodes.len() <= MAX_DRAWN;
        let layers = !run.wants_tree && is_small && inner.width >= LAYERS;
        let drawing = layers
            .then(|| Drawing::new(run.nodes.len(), &pairs, inner.width))
            .flatten();
        let tree = if drawing.is_none() {
            branches(run.nodes.len(), &pairs)
        } else {
            Vec::new()
        };
        *known = Some(KnownGraph {
            run: run.id.as_str().to_owned(),
            version: run.version,
            width: inner.width,
            wants_tree: run.wants_tree,
            drawing,
            tree,
        });
    }
    match known.as_ref() {
        Some(KnownGraph {
            drawing: Some(drawing),
            ..
        }) => {
            layers(painter, run, drawing, inner, has_focus);
        }
        Some(known) => tree(painter, run, known, inner, has_focus),
        None => {}
    }
}

fn layers(painter: &mut Painter<'_>, run: &Run, drawing: &Drawing, area: Rect, has_focus: bool) {
    let theme = painter.theme;
    let selected = drawing.find(run.selected).map_or(0, |placed| placed.y);
    let (sight, rows) = (usize::from(area.height), usize::from(drawing.rows));
    // The selected box stands in the middle where the drawing is larger than the pane.
    let middle =
        (usize::from(selected) + usize::from(drawing::BOX_ROWS) / 2).saturating_sub(sight / 2);
    let top = middle.min(rows.saturating_sub(sight));
    for y in 0..area.height {
        for &(x, c) in drawing.line(y + top as u16) {
            if x < area.width {
                let cell = &mut painter.buffer[(area.x + x, area.y + y)];
                cell.set_char(c).set_style(theme.border);
            }
        }
    }
    if has_focus {
        (painter.sight.rows, painter.sight.content) = (sight, rows);
    }
    painter.sight.order = drawing.boxes.iter().map(|placed| placed.node).collect();
    for placed in &drawing.boxes {
        let Some(node) = run.nodes.get(placed.node) else {
            continue;
        };
        let y = i32::from(area.y) + i32::from(placed.y) - top as i32;
        let (first, last) = (i32::from(area.y), i32::from(area.bottom()));
        let whole = Rect::new(
            area.x + placed.x,
            y.max(0) as u16,
            placed.width,
            drawing::BOX_ROWS,
        );
        if y < first || y + i32::from(drawing::BOX_ROWS) > last {
            continue;
        }
        let is_selected = placed.node == run.selected;
        boxed(painter, node, placed.node, whole, is_selected, has_focus);
        painter
            .sight
            .targets
            .push((whole, Target::Node(placed.node)));
    }
    for &(x, y, is_entry) in &drawing.ports {
        let Some(y) = y.checked_sub(top as u16).filter(|y| *y < area.height) else {
            continue;
        };
        if x >= area.width {
            continue;
        }
        let cell = &mut painter.buffer[(area.x + x, area.y + y)];
        // A box that is cut off by the pane is not drawn, and neither are its ends.
        match (is_entry, cell.symbol()) {
            (true, "─" | "═") => cell.set_char('▼'),
            (false, "─") => cell.set_char('┬'),
            (false, "═") => cell.set_char('╤'),
            _ => continue,
        };
    }
    painter.more(area, top, rows, sight);
}

fn boxed(
    painter: &mut Painter<'_>,
    node: &Node,
    n: usize,
    area: Rect,
    selected: bool,
    focus: bool,
) {
    let theme = painter.theme;
    let state = theme.state(node.state);
    let border = match (selected, focus) {
        (true, true) => theme.focus,
        (true, false) => theme.title,
        (false, _) => theme.border,
    };
    let (corners, flat, side) = if selected {
        ("╔╗╚╝", '═', "║")
    } else {
        ("┌┐└┘", '─', "│")
    };
    let mut corner = corners.chars();
    let mut edge = |painter: &mut Painter<'_>, y: u16| {
        let (a, b) = (corner.next().unwrap_or(' '), corner.next().unwrap_or(' '));
        let middle: String = std::iter::repeat_n(flat, usize::from(area.width) - 2).collect();
        painter.text(area.x, y, area.width, &format!("{a}{middle}{b}"), border);
    };
    edge(painter, area.y);
    edge(painter, area.bottom() - 1);
    let inside = area.width - 2;
    let head = head_of(node, n, usize::from(inside));
    for (row, (text, style)) in [(head, state), (node_text(node), theme.text)]
        .iter()
        .enumerate()
    {
        let y = area.y + 1 + row as u16;
        painter.text(area.x, y, 1, side, border);
        painter.text(
            area.x + 1,
            y,
            inside,
            &" ".repeat(usize::from(inside)),
            theme.text,
        );
        painter.text(area.x + 1, y, inside, text, *style);
        painter.text(area.right() - 1, y, 1, side, border);
    }
}

/// Sign, number, state; the short answer or cost where there is room.
fn head_of(node: &Node, n: usize, room: usize) -> String {
    let base = format!("{} q{n} {}", sign(node.state), word(node.state));
    let confidence = node
        .confidence()
        .map(|c| format!(" {c:.2}"))
        .unwrap_or_default();
    let mut cost = String::new();
    if node.queries > 0 {
        cost.push_str(&format!(" {} queries", node.queries));
    }
    if node.calls > 0 {
        cost.push_str(&format!(" {} calls", node.calls));
    }
    let full = format!("{base}{confidence}{cost}");
    if full.chars().count() <= room {
        full
    } else {
        format!("{base}{confidence}")
    }
}

fn node_text(node: &Node) -> String {
    match node.answer() {
        Some(answer) => format!("{} · {}", clean(answer), node.text),
        None => node.text.clone(),
    }
}

fn tree(painter: &mut Painter<'_>, run: &Run, known: &KnownGraph, area: Rect, has_focus: bool) {
    let theme = painter.theme;
    let n = known.tree.len();
    let at = known
        .tree
        .iter()
        .position(|b| b.node == run.selected && !b.is_repeated)
        .unwrap_or(0);
    let sight = usize::from(area.height);
    let top = keep_in_sight(at.saturating_sub(sight / 2), at, sight, n);
    if has_focus {
        (painter.sight.rows, painter.sight.content) = (sight, n);
    }
    painter.sight.is_tree = true;
    let whole = known.tree.iter().filter(|branch| !branch.is_repeated);
    painter.sight.order = whole.map(|branch| branch.node).collect();
    for (y, branch) in known.tree.iter().skip(top).take(sight).enumerate() {
        let Some(node) = run.nodes.get(branch.node) else {
            continue;
        };
        let style = theme.state(node.state);
        let mut pieces: Vec<Piece> = vec![
            (branch.lead.clone(), theme.border),
            (format!("{} q{} ", sign(node.state), branch.node), style),
        ];
        if branch.is_repeated {
            pieces.push(("(above)".to_owned(), theme.dim));
        } else {
            let confidence = node
                .confidence()
                .map(|c| format!("{c:.2} "))
                .unwrap_or_default();
            pieces.push((confidence, style));
            pieces.push((node_text(node), theme.text));
        }
        let place = Rect::new(area.x, area.y + y as u16, area.width, 1);
        painter.pieces(place.x, place.y, place.width, &pieces);
        if branch.node == run.selected && !branch.is_repeated {
            painter.restyle(
                place,
                if has_focus {
                    theme.selected
                } else {
                    theme.title
                },
            );
        }
        painter
            .sight
            .targets
            .push((place, Target::Node(branch.node)));
    }
    painter.more(area, top, n, sight);
}
