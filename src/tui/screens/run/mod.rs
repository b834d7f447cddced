//! Watch and steer a run.

mod graph;
mod trail;

use indago_core::RunState;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::KnownGraph;
use super::paint::{Painter, Piece, clock};
use crate::report::stop_in_words;
use crate::tui::model::run::{Entry, Pane, Run, Tone, state_word};
use crate::tui::model::{App, Target};
use crate::tui::text::clean;
use crate::tui::theme::{Theme, sign};
use graph::graph;
use trail::trail;

/// Columns from which graph and trail stand side by side.
const SIDE_BY_SIDE: u16 = 60;
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
        return pane(painter, run, run.pane, rest, known);
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
        pane(painter, run, shown, upper, known);
    } else {
        let trail = match rest.width {
            0..100 => rest.width / 2,
            100..160 => rest.width * 2 / 5,
            _ => 70,
        };
        let left = Rect::new(upper.x, upper.y, upper.width - trail, upper.height);
        let right = Rect::new(left.right(), upper.y, trail, upper.height);
        if log_rows == 0 && run.pane == Pane::Log {
            pane(painter, run, Pane::Log, left, known);
        } else {
            pane(painter, run, Pane::Graph, left, known);
        }
        pane(painter, run, Pane::Trail, right, known);
    }
    if log_rows > 0 {
        let lower = Rect::new(rest.x, upper.bottom(), rest.width, log_rows);
        pane(painter, run, Pane::Log, lower, known);
    }
}

fn pane(
    painter: &mut Painter<'_>,
    run: &Run,
    which: Pane,
    area: Rect,
    known: &mut Option<KnownGraph>,
) {
    painter.sight.targets.push((area, Target::RunPane(which)));
    match which {
        Pane::Graph => graph(painter, run, area, known),
        Pane::Trail => trail(painter, run, area),
        Pane::Log => log(painter, run, area),
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
    // With a model there is more to tell.
    let asks = run.usage.lm_calls > 0 || !run.calls.is_empty();
    let wide = area.width >= if asks { 130 } else { 100 };
    if asks && !run.has_ended() {
        pieces.push(("in flight ".to_owned(), theme.dim));
        let style = if run.calls.is_empty() {
            theme.text
        } else {
            theme.active
        };
        pieces.push((format!("{}  ", run.calls.len()), style));
    }
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
        gauge("calls", usage.lm_calls, limit, true);
    }
    if let Some(limit) = run.budget.lm_tokens {
        gauge("tokens", usage.lm_tokens, limit, true);
    }
    if let Some(reused) = run.reused() {
        pieces.push(("reused ".to_owned(), theme.dim));
        pieces.push((format!("{reused}%  "), theme.text));
    }
    // What is spent without a limit on it.
    if run.budget.lm_calls.is_none() && usage.lm_calls > 0 {
        pieces.push(("calls ".to_owned(), theme.dim));
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
                pieces.push((stop_in_words(stop).to_owned(), theme.dim));
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

fn log(painter: &mut Painter<'_>, run: &Run, area: Rect) {
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
    painter.more(inner, top.saturating_sub(run.log.dropped()), total, sight);
}
