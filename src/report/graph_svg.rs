//! The question graph as an SVG picture: layers from left to right by longest dependency chain.
//!
//! Colours come from CSS custom properties of the page around it, so that the picture follows a
//! light or dark theme and prints in black and white; state is also written out, never colour
//! alone.

use std::fmt::Write as _;

use indago_core::{GraphView, NodeState, SubQuestion};

use super::html::escape;

const BOX_WIDTH: usize = 230;
const GAP_X: usize = 56;
const GAP_Y: usize = 18;
const LINE_HEIGHT: usize = 16;
const PADDING: usize = 10;
const CHARS_PER_LINE: usize = 32;
const MAX_LINES: usize = 4;

struct Placed<'a> {
    node: &'a SubQuestion,
    lines: Vec<String>,
    x: usize,
    y: usize,
    height: usize,
}

/// An `<svg>` element with one box per node and one arrow per dependency, from what is needed to
/// what needs it.
pub(super) fn svg(graph: &GraphView) -> String {
    let layers = layers(graph);
    let depth = layers.iter().copied().max().unwrap_or(0);
    let mut placed: Vec<Placed<'_>> = Vec::new();
    let mut height = 0;
    for layer in 0..=depth {
        let mut y = PADDING;
        for (node, _) in graph
            .nodes
            .iter()
            .zip(&layers)
            .filter(|(_, l)| **l == layer)
        {
            let lines = wrapped(node);
            let box_height = lines.len() * LINE_HEIGHT + 2 * PADDING;
            let x = PADDING + layer * (BOX_WIDTH + GAP_X);
            placed.push(Placed {
                node,
                lines,
                x,
                y,
                height: box_height,
            });
            y += box_height + GAP_Y;
        }
        height = height.max(y);
    }
    let width = 2 * PADDING + (depth + 1) * BOX_WIDTH + depth * GAP_X;
    let mut out = String::new();
    let _ = write!(
        out,
        "<svg class=\"graph\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" role=\"img\" aria-label=\"question graph\" \
         xmlns=\"http://www.w3.org/2000/svg\"><defs><marker id=\"tip\" viewBox=\"0 0 8 8\" \
         refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\"><path \
         class=\"tip\" d=\"M0 0L8 4L0 8z\"/></marker></defs>"
    );
    for edge in &graph.edges {
        let end = |id| placed.iter().find(|p| p.node.id == id);
        let (Some(needed), Some(needs)) = (end(edge.on), end(edge.from)) else {
            continue;
        };
        arrow(&mut out, needed, needs, &edge.reason);
    }
    for item in &placed {
        draw(&mut out, item);
    }
    out.push_str("</svg>");
    out
}

/// Each node's layer: one more than the deepest node it needs. Bounded by the number of nodes, so
/// that a graph with a cycle (which the planner refuses) cannot hang the renderer.
fn layers(graph: &GraphView) -> Vec<usize> {
    let n = graph.nodes.len();
    let mut layers = vec![0; n];
    for _ in 0..n {
        let mut changed = false;
        for edge in &graph.edges {
            let (from, on) = (edge.from.0 as usize, edge.on.0 as usize);
            if from < n && on < n && layers[from] <= layers[on] && layers[on] + 1 < n.max(1) {
                layers[from] = layers[on] + 1;
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
    layers
}

fn arrow(out: &mut String, needed: &Placed<'_>, needs: &Placed<'_>, reason: &str) {
    let (x1, y1) = (needed.x + BOX_WIDTH, needed.y + needed.height / 2);
    let (x2, y2) = (needs.x, needs.y + needs.height / 2);
    let bend = GAP_X / 2;
    let _ = write!(
        out,
        "<path class=\"edge\" marker-end=\"url(#tip)\" d=\"M{x1} {y1}C{} {y1} {} {y2} {x2} {y2}\">\
         <title>{}</title></path>",
        x1 + bend,
        x2.saturating_sub(bend),
        escape(reason)
    );
}

fn draw(out: &mut String, item: &Placed<'_>) {
    let state = class(item.node.state);
    let _ = write!(
        out,
        "<g class=\"node {state}\"><title>{}</title><rect x=\"{}\" y=\"{}\" width=\"{BOX_WIDTH}\" \
         height=\"{}\" rx=\"8\"/>",
        escape(&item.node.reason),
        item.x,
        item.y,
        item.height
    );
    for (i, line) in item.lines.iter().enumerate() {
        let weight = if i + 1 == item.lines.len() {
            " class=\"outcome\""
        } else {
            ""
        };
        let _ = write!(
            out,
            "<text{weight} x=\"{}\" y=\"{}\">{}</text>",
            item.x + PADDING,
            item.y + PADDING + LINE_HEIGHT * i + 12,
            escape(line)
        );
    }
    out.push_str("</g>");
}

/// The node's words on at most [`MAX_LINES`] lines, and its outcome on a last one.
fn wrapped(node: &SubQuestion) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut rest = node.text.split_whitespace().peekable();
    while rest.peek().is_some() && lines.len() < MAX_LINES {
        let mut line = String::new();
        while let Some(word) = rest.peek() {
            let long = word.chars().count() > CHARS_PER_LINE;
            let fits = line.chars().count() + 1 + word.chars().count() <= CHARS_PER_LINE;
            if !line.is_empty() && !fits {
                break;
            }
            if !line.is_empty() {
                line.push(' ');
            }
            if long {
                line.extend(word.chars().take(CHARS_PER_LINE - 1));
                line.push('…');
            } else {
                line.push_str(word);
            }
            rest.next();
        }
        lines.push(line);
    }
    if rest.peek().is_some()
        && let Some(last) = lines.last_mut()
    {
        last.push('…');
    }
    let answer = node.finding.as_ref().and_then(|f| f.answer.as_ref());
    lines.push(match answer {
        Some(answer) => {
            let short: String = answer.text.chars().take(CHARS_PER_LINE - 2).collect();
            format!("= {short}")
        }
        None => class(node.state).to_owned(),
    });
    lines
}

/// The state as a CSS class and as a word.
fn class(state: NodeState) -> &'static str {
    match state {
        NodeState::Proposed => "proposed",
        NodeState::Ready => "ready",
        NodeState::Running => "running",
        NodeState::Answered => "answered",
        NodeState::Unanswerable => "unanswerable",
        NodeState::Reopened => "reopened",
        NodeState::Pruned => "pruned",
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn a_node_stands_right_of_everything_it_needs() {
        let graph = sample::answered().graph;
        let layers = layers(&graph);
        assert_eq!(layers, [2, 0, 1, 1]);
        for edge in &graph.edges {
            assert!(layers[edge.from.0 as usize] > layers[edge.on.0 as usize]);
        }
    }

    #[test]
    fn a_cycle_does_not_hang_the_picture() {
        let mut graph = sample::answered().graph;
        let (from, on) = (graph.edges[0].on, graph.edges[0].from);
        graph.edges.push(indago_core::Dependency {
            from,
            on,
            reason: String::new(),
        });
        assert!(svg(&graph).ends_with("</svg>"));
    }

    #[test]
    fn an_empty_graph_is_an_empty_picture() {
        assert!(svg(&GraphView::default()).starts_with("<svg"));
    }
}
