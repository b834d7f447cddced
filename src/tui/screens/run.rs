//! Watch and steer a run.

use indago_core::RunState;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::KnownGraph;
use super::paint::{Painter, Piece, clock};
use crate::tui::graph::{Drawing, branches, drawing, pairs};
use crate::tui::model::run::{Entry, MAX_NODES, Node, Pane, Run, Tone, state_word, stop_word};
use crate::tui::model::scroll::keep_in_sight;
use crate::tui::model::{App, Target};
use crate::tui::text::{clean, wrap};
use crate::tui::theme::{Theme, sign, word};

/// Columns from which graph and trail stand side by side.
const SIDE_BY_SIDE: u16 = 60;
/// Nodes up to which the graph may be drawn in layers; more have no room, and cost a layout to find
/// out.
const MAX_DRAWN: usize = 200;
/// Columns from which the graph may be drawn in layers.
const LAYERS: u16 = 40;

pub(super) fn draw(
    painter: &mut Painter<'_>,
    app: &App,
    area: Rect,
    known: &mut Option<KnownGraph>,
) {
    let Some(run) = &app.run else { return };
    let head = 2.min(area.height);
    heading(
        painter,
        app,
        run,
        Rect::new(area.x, area.y, area.width, head),
    );
    let rest = Rect::new(area.x, area.y + head, area.width, area.height - head);
    if rest.height < 3 {
        return;
    }
    if run.is_zoomed {
        return pane(painter, app, run, run.pane, rest, known);
    }
    let log_rows = match rest.height {
        0..12 => 0,
        12..24 => 5,
        24..40 => 8,
        _ => 12,
    };
    let upper = Rect::new(rest.x, rest.y, rest.width, rest.height - log_rows);
    if rest.width < SIDE_BY_SIDE {
        let shown = if run.pane == Pane::Log && log_rows > 0 {
            Pane::Graph
        } else {
            run.pane
        };
        pane(painter, app, run, shown, upper, known);
    } else {
        let trail = match rest.width {
            0..100 => rest.width / 2,
            100..160 => rest.width * 2 / 5,
            _ => 70,
        };
        let left = Rect::new(upper.x, upper.y, upper.width - trail, upper.height);
        let right = Rect::new(left.right(), upper.y, trail, upper.height);
        if log_rows == 0 && run.pane == Pane::Log {
            pane(painter, app, run, Pane::Log, left, known);
        } else {
            pane(painter, app, run, Pane::Graph, left, known);
        }
        pane(painter, app, run, Pane::Trail, right, known);
    }
    if log_rows > 0 {
        let lower = Rect::new(rest.x, upper.bottom(), rest.width, log_rows);
        pane(painter, app, run, Pane::Log, lower, known);
    }
}

fn pane(
    painter: &mut Painter<'_>,
    app: &App,
    run: &Run,
    which: Pane,
    area: Rect,
    known: &mut Option<KnownGraph>,
) {
    painter.sight.targets.push((area, Target::RunPane(which)));
    match which {
        Pane::Graph => graph(painter, run, area, known),
        Pane::Trail => trail(painter, run, area),
        Pane::Log => log(painter, app, run, area),
    }
}

fn heading(painter: &mut Painter<'_>, app: &App, run: &Run, area: Rect) {
    let theme = painter.theme;
    painter.text(
        area.x + 1,
        area.y,
        area.width - 1,
        &run.question,
        theme.title,
    );
    if area.height < 2 {
        return;
    }
    let (ended, nodes) = run.progress();
    let (word, style) = match run.state {
        RunState::Running if run.is_paused => ("paused", theme.warn),
        RunState::Running => ("running", theme.active),
        RunState::Finished => ("finished", theme.good),
        state => (state_word(state), theme.warn),
    };
    let mut pieces: Vec<Piece> = vec![
        (format!("{word} "), style),
        (
            format!("{}  ", clock(run.elapsed_ms(app.now_ms))),
            theme.text,
        ),
    ];
    let wide = area.width >= 100;
    let queries = u64::from(run.budget.queries);
    let mut gauge = |name: &str, done: u64, total: u64, is_budget: bool| {
        pieces.push((format!("{name} "), theme.dim));
        if wide {
            let style = if is_budget && 10 * done >= 9 * total {
                theme.warn
            } else {
                theme.good
            };
            pieces.push((format!("{} ", Painter::bar(done, total, 8)), style));
        }
        pieces.push((format!("{done}/{total}  "), theme.text));
    };
    gauge("answered", ended as u64, nodes as u64, false);
    gauge("queries", run.usage.queries, queries, true);
    if let Some(limit) = run.budget.wall_ms {
        gauge(
            "seconds",
            run.elapsed_ms(app.now_ms) / 1000,
            limit / 1000,
            true,
        );
    }
    let usage = run.usage;
    if let Some(limit) = run.budget.lm_calls {
        gauge("model calls", usage.lm_calls, limit, true);
    }
    if let Some(limit) = run.budget.lm_tokens {
        gauge("tokens", usage.lm_tokens, limit, true);
    }
    if usage.lm_calls > 0 || !run.calls.is_empty() {
        pieces.push(("in flight ".to_owned(), theme.dim));
        let style = if run.calls.is_empty() {
            theme.text
        } else {
            theme.active
        };
        pieces.push((format!("{}  ", run.calls.len()), style));
    }
    if let Some(reused) = run.reused() {
        pieces.push(("reused ".to_owned(), theme.dim));
        pieces.push((format!("{reused}%  "), theme.text));
    }
    // What is spent without a limit on it.
    if run.budget.lm_calls.is_none() && usage.lm_calls > 0 {
        pieces.push(("model calls ".to_owned(), theme.dim));
        pieces.push((format!("{}  ", usage.lm_calls), theme.text));
    }
    if run.budget.lm_tokens.is_none() && usage.lm_tokens > 0 {
        pieces.push(("tokens ".to_owned(), theme.dim));
        pieces.push((format!("{}  ", usage.lm_tokens), theme.text));
    }
    if usage.money_micros > 0 {
        let dollars = usage.money_micros as f64 / 1e6;
        pieces.push((format!("${dollars:.4}  "), theme.text));
    }
    pieces.push(("passages ".to_owned(), theme.dim));
    pieces.push((format!("{}  ", run.usage.passages), theme.text));
    pieces.push(("working ".to_owned(), theme.dim));
    pieces.push((format!("{}  ", run.running()), theme.text));
    let reading = app
        .reading
        .as_ref()
        .filter(|reading| reading.report.run == run.id);
    match reading.map(|reading| reading.report.as_ref()) {
        Some(report) => {
            let answer = match &report.answer {
                Some(answer) => clean(&answer.text),
                None if report.abstained => "not found in this corpus".to_owned(),
                None => "quotes, no short answer".to_owned(),
            };
            pieces.insert(
                2,
                (format!("{answer} ({:.2})  ", report.confidence), theme.good),
            );
        }
        None => {
            if let Some(stop) = run.stop {
                pieces.push((stop_word(stop).to_owned(), theme.dim));
            }
        }
    }
    if let Some((question, assumed)) = run.asks_back.as_ref().filter(|_| !run.has_ended()) {
        let key = app.keys.hint(crate::tui::keymap::Action::Clarify);
        let text = format!("{question} ({key} answers; else: {assumed})");
        pieces = vec![(text, theme.warn)];
    }
    painter.pieces(area.x + 1, area.y + 1, area.width - 1, &pieces);
}

fn graph(painter: &mut Painter<'_>, run: &Run, area: Rect, known: &mut Option<KnownGraph>) {
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
    let cost = if node.queries > 0 {
        format!(" {}q", node.queries)
    } else {
        String::new()
    };
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

/// Rows of what a model writes, and rows that the trail keeps beside them.
const WRITTEN_ROWS: u16 = 8;

fn trail(painter: &mut Painter<'_>, run: &Run, area: Rect) {
    // What is being written has a place of its own, so that nothing that is being read moves.
    let written = match run.calls.iter().find(|call| !call.text.is_empty()) {
        Some(call) if area.height >= 2 * WRITTEN_ROWS => Some(call),
        _ => None,
    };
    let rows = written.map_or(0, |_| WRITTEN_ROWS);
    if let Some(call) = written {
        let lower = Rect::new(area.x, area.bottom() - rows, area.width, rows);
        let inner = painter.pane(lower, &call.title, false);
        let lines = wrap(&call.text, usize::from(inner.width));
        let first = lines.len().saturating_sub(usize::from(inner.height));
        let style = painter.theme.text;
        for (y, line) in lines[first..].iter().enumerate() {
            painter.text(inner.x, inner.y + y as u16, inner.width, line, style);
        }
    }
    let area = Rect::new(area.x, area.y, area.width, area.height - rows);
    let has_focus = run.pane == Pane::Trail;
    let theme = painter.theme;
    let title = match run.node() {
        Some(node) => format!("q{} · {}", run.selected, word(node.state)),
        None => "Trail".to_owned(),
    };
    let inner = painter.pane(area, &title, has_focus);
    let Some(node) = run.node() else { return };
    let lines = trail_lines(node, usize::from(inner.width), &theme);
    let sight = usize::from(inner.height);
    let top = run.trail_scroll.line(lines.len(), sight);
    if has_focus {
        (painter.sight.rows, painter.sight.content) = (sight, lines.len());
    }
    for (y, pieces) in lines.iter().skip(top).take(sight).enumerate() {
        painter.pieces(inner.x, inner.y + y as u16, inner.width, pieces);
    }
    painter.more(inner, top, lines.len(), sight);
}

/// What happened to a node, then what was found: in the order in which it came, so that nothing
/// that is being read moves when more arrives.
fn trail_lines(node: &Node, width: usize, theme: &Theme) -> Vec<Vec<Piece>> {
    let mut lines: Vec<Vec<Piece>> = Vec::new();
    let mut add = |lead: &str, text: &str, style: Style| {
        let indent = " ".repeat(lead.chars().count());
        for (i, row) in wrap(text, width.saturating_sub(indent.len()))
            .into_iter()
            .enumerate()
        {
            let lead = if i == 0 {
                lead.to_owned()
            } else {
                indent.clone()
            };
            lines.push(vec![(lead, style), (row, style)]);
        }
    };
    add("", &node.text, theme.title);
    if !node.reason.is_empty() {
        add("", &format!("because: {}", node.reason), theme.dim);
    }
    let took = match (node.started_ms, node.ended_ms) {
        (Some(from), Some(to)) => format!(", {} ms", to.saturating_sub(from)),
        _ => String::new(),
    };
    if node.rounds > 0 {
        let cost = format!(
            "{} rounds, {} queries, {} passages, {} quotes{took}",
            node.rounds, node.queries, node.passages, node.quotes
        );
        add("", &cost, theme.dim);
    }
    add("", "", theme.text);
    if node.trail.dropped() > 0 {
        let text = format!(
            "{} earlier entries are in the journal only",
            node.trail.dropped()
        );
        add("", &text, theme.dim);
    }
    for entry in node.trail.iter() {
        let (mark, style) = tone(entry, theme);
        add(&format!("{mark} "), &entry.text, style);
    }
    let Some(detail) = &node.detail else {
        return lines;
    };
    if let Some(finding) = &detail.finding {
        add("", "", theme.text);
        add("", "Finding", theme.title);
        let answer = finding
            .answer
            .as_ref()
            .map_or("no short answer", |a| a.text.as_str());
        let text = format!("{} (confidence {:.2})", clean(answer), finding.confidence);
        add("  ", &text, theme.good);
        add(
            "  ",
            &format!("ended: {}", stop_word(finding.stop)),
            theme.dim,
        );
        for bridge in &finding.bridges {
            add(
                "→ ",
                &format!("led on by {}", clean(&bridge.name)),
                theme.special,
            );
        }
        for open in &finding.open {
            add("? ", &clean(open), theme.warn);
        }
    }
    if !detail.hits.is_empty() {
        add("", "", theme.text);
        add("", "Hits", theme.title);
        for hit in &detail.hits {
            let (mark, style) = if hit.is_quoted {
                ("● ", theme.good)
            } else {
                ("× ", theme.dim)
            };
            let verdict = if hit.is_quoted {
                "quoted"
            } else {
                "read, not quoted"
            };
            add(mark, &hit.source, style);
            add("  ", &format!("{verdict}; {}", hit.why), theme.dim);
        }
        if detail.more_hits > 0 {
            add("", &format!("and {} more", detail.more_hits), theme.dim);
        }
    }
    lines
}

/// Sign and style of an entry.
fn tone(entry: &Entry, theme: &Theme) -> (&'static str, Style) {
    match entry.tone {
        Tone::Plan => ("▶", theme.text),
        Tone::State(state) => (sign(state), theme.state(state)),
        Tone::Search => ("→", theme.dim),
        Tone::Quote => ("▌", theme.quote),
        Tone::Rejected => ("×", theme.warn),
        Tone::Steered => ("»", theme.special),
        Tone::Warning => ("!", theme.bad),
        Tone::Note => ("·", theme.dim),
    }
}

fn log(painter: &mut Painter<'_>, app: &App, run: &Run, area: Rect) {
    let theme = painter.theme;
    let has_focus = run.pane == Pane::Log;
    let held = if run.log_line.is_some() { ", held" } else { "" };
    let title = format!("Log ({} events{held})", run.log.total());
    let inner = painter.pane(area, &title, has_focus);
    let (total, sight) = (run.log.total(), usize::from(inner.height));
    let selected = run
        .log_line
        .unwrap_or(total.saturating_sub(1))
        .max(run.log.dropped());
    // A reader keeps the line in the middle; a follower sees the end.
    let top = match run.log_line {
        None => total.saturating_sub(sight),
        Some(_) => selected
            .saturating_sub(sight / 2)
            .min(total.saturating_sub(sight)),
    }
    .max(run.log.dropped());
    if has_focus {
        (painter.sight.rows, painter.sight.content) = (sight, total);
    }
    for (y, line) in (top..total.min(top + sight)).enumerate() {
        let Some(entry) = run.log.get(line) else {
            continue;
        };
        let (mark, style) = tone(entry, &theme);
        let node = entry
            .node
            .map_or_else(|| "   ".to_owned(), |node| format!("{node:<3}"));
        let place = Rect::new(inner.x, inner.y + y as u16, inner.width, 1);
        let pieces = [
            (
                format!("{:>7.2} ", entry.after_ms as f64 / 1000.0),
                theme.dim,
            ),
            (format!("{node} "), theme.dim),
            (format!("{mark} "), style),
            (entry.text.clone(), style),
        ];
        painter.pieces(place.x, place.y, place.width, &pieces);
        if has_focus && line == selected {
            painter.restyle(place, theme.selected);
        }
        painter.sight.targets.push((place, Target::LogLine(line)));
    }
    let _ = app;
    painter.more(inner, top.saturating_sub(run.log.dropped()), total, sight);
}
