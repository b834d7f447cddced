//! The question graph as DOT, Mermaid and SVG. (JSON is [`GraphView`]'s own serialisation.)
//!
//! Arrows run in the order of work: from a question to the questions that wait for it. Output is
//! a function of the view alone, byte for byte, and text from outside is escaped for each format.

mod fold;
mod layout;
mod svg;

pub use fold::from_events;
pub use layout::{Layout, Slot, layered};
pub use svg::svg;

use std::fmt::Write as _;

use indago_core::{GraphView, NodeState, SubQuestion};

/// How a state is named to people.
pub(crate) fn state_word(state: NodeState) -> &'static str {
    match state {
        NodeState::Proposed => "proposed",
        NodeState::Ready => "ready",
        NodeState::Running => "running",
        NodeState::Answered => "answered",
        NodeState::Unanswerable => "not found",
        NodeState::Reopened => "reopened",
        NodeState::Pruned => "pruned",
    }
}

/// Fill and border of a state. Colour never stands alone: the state's word is always beside it.
pub(crate) fn state_colours(state: NodeState) -> (&'static str, &'static str) {
    match state {
        NodeState::Proposed => ("#f6f8fa", "#8c959f"),
        NodeState::Ready => ("#ddf4ff", "#54aeff"),
        NodeState::Running => ("#ddf4ff", "#0969da"),
        NodeState::Answered => ("#dafbe1", "#1a7f37"),
        NodeState::Unanswerable => ("#fff8c5", "#9a6700"),
        NodeState::Reopened => ("#fbefff", "#8250df"),
        NodeState::Pruned => ("#f6f8fa", "#d0d7de"),
    }
}

/// The short answer of a node, where it has one.
pub(crate) fn answer_of(node: &SubQuestion) -> Option<&str> {
    node.finding
        .as_ref()?
        .answer
        .as_ref()
        .map(|answer| answer.text.as_str())
}

/// `text` on one line, at most `max_chars` characters.
pub(crate) fn shorten(text: &str, max_chars: usize) -> String {
    let mut line = String::new();
    let mut n_chars = 0;
    for word in text.split_whitespace() {
        let space = usize::from(!line.is_empty());
        let len = word.chars().count();
        if n_chars + space + len > max_chars {
            let room = max_chars.saturating_sub(n_chars + space + 1);
            if space == 1 && room > 0 {
                line.push(' ');
            }
            line.extend(word.chars().take(room));
            line.push('…');
            return line;
        }
        if space == 1 {
            line.push(' ');
        }
        line.push_str(word);
        n_chars += space + len;
    }
    line
}

/// Graphviz source.
pub fn dot(view: &GraphView) -> String {
    let mut out = String::from(
        "digraph questions {\n  rankdir=TB;\n  node [shape=box, style=\"rounded,filled\", fontname=\"sans-serif\"];\n",
    );
    for node in &view.nodes {
        let (fill, border) = state_colours(node.state);
        let mut label = format!(
            "{} ({})\n{}",
            node.id,
            state_word(node.state),
            shorten(&node.text, 160)
        );
        if let Some(answer) = answer_of(node) {
            label.push_str("\n= ");
            label.push_str(&shorten(answer, 80));
        }
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "  {} [label=\"{}\", fillcolor=\"{fill}\", color=\"{border}\"];",
            node.id,
            escape_dot(&label)
        );
    }
    for edge in &view.edges {
        let _ = writeln!(
            out,
            "  {} -> {} [tooltip=\"{}\"];",
            edge.on,
            edge.from,
            escape_dot(&shorten(&edge.reason, 160))
        );
    }
    out.push_str("}\n");
    out
}

/// Mermaid source.
pub fn mermaid(view: &GraphView) -> String {
    let mut out = String::from("flowchart TB\n");
    for node in &view.nodes {
        let mut label = format!(
            "{} ({})<br/>{}",
            node.id,
            state_word(node.state),
            escape_mermaid(&shorten(&node.text, 160))
        );
        if let Some(answer) = answer_of(node) {
            label.push_str("<br/>= ");
            label.push_str(&escape_mermaid(&shorten(answer, 80)));
        }
        let _ = writeln!(out, "  {}[\"{label}\"]", node.id);
    }
    for edge in &view.edges {
        let _ = writeln!(out, "  {} --> {}", edge.on, edge.from);
    }
    for node in &view.nodes {
        let (fill, border) = state_colours(node.state);
        let _ = writeln!(
            out,
            "  style {} fill:{fill},stroke:{border},color:#1f2328",
            node.id
        );
    }
    out
}

fn escape_dot(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// Mermaid takes HTML entities with a `#` in place of the `&`.
fn escape_mermaid(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_alphanumeric() || matches!(c, ' ' | ',' | '.' | '?' | '!' | '-' | '\'' | ':' | '…')
        {
            out.push(c);
        } else if !c.is_control() {
            let _ = write!(out, "#{};", u32::from(c));
        }
    }
    out
}
