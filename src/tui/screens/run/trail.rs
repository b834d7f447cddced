//! What happened to the selected node and what it found; what models are writing.

use ratatui::layout::Rect;
use ratatui::style::Style;

use super::tone;
use crate::report::stop_in_words;
use crate::tui::model::run::{Node, Pane, Run};
use crate::tui::screens::paint::{Painter, Piece};
use crate::tui::text::{clean, wrap};
use crate::tui::theme::{Theme, word};

/// Rows of what models write, by the rows there are.
fn written_rows(run: &Run, rows: u16) -> u16 {
    // Stays between two calls, so that nothing jumps.
    let asks = !run.has_ended() && (!run.calls.is_empty() || run.usage.lm_calls > 0);
    match rows {
        _ if !asks => 0,
        0..11 => 0,
        11..20 => 5,
        20..40 => 8,
        _ => 14,
    }
}

/// The calls that are under way: who is asked for what, and the end of what the longest one wrote.
fn written(painter: &mut Painter<'_>, run: &Run, area: Rect) {
    let theme = painter.theme;
    let longest = run.calls.iter().max_by_key(|call| call.text.len());
    let longest = longest.filter(|call| !call.text.is_empty());
    let title = match longest {
        Some(call) => format!("writing: {}", call.title),
        None => "model calls".to_owned(),
    };
    let inner = painter.pane(area, &title, false);
    let others: Vec<&str> = run
        .calls
        .iter()
        .filter(|call| longest.is_none_or(|l| l.title != call.title))
        .map(|call| call.title.as_str())
        .collect();
    let mut first = inner;
    if !others.is_empty() || longest.is_none() {
        let text = if others.is_empty() {
            "none in flight".to_owned()
        } else {
            format!("in flight: {}", others.join(", "))
        };
        painter.text(inner.x, inner.y, inner.width, &text, theme.dim);
        first = Rect::new(
            inner.x,
            inner.y + 1,
            inner.width,
            inner.height.saturating_sub(1),
        );
    }
    let Some(call) = longest else { return };
    let lines = wrap(&call.text, usize::from(first.width));
    let from = lines.len().saturating_sub(usize::from(first.height));
    for (y, line) in lines[from..].iter().enumerate() {
        painter.text(first.x, first.y + y as u16, first.width, line, theme.text);
    }
}

pub(super) fn trail(painter: &mut Painter<'_>, run: &Run, area: Rect) {
    // What is being written has a place of its own, so that nothing that is being read moves.
    let rows = written_rows(run, area.height);
    if rows > 0 {
        let lower = Rect::new(area.x, area.bottom() - rows, area.width, rows);
        written(painter, run, lower);
    }
    let area = Rect::new(area.x, area.y, area.width, area.height - rows);
    let has_focus = run.pane == Pane::Trail;
    let theme = painter.theme;
    let title = match run.node() {
        Some(node) if run.follows && !run.has_ended() => {
            format!("q{} · {} · following", run.selected, word(node.state))
        }
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
    if node.calls > 0 {
        let cost = format!("{} calls of models, {} tokens", node.calls, node.tokens);
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
            &format!("ended: {}", stop_in_words(finding.stop)),
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
