//! The question graph as a picture that needs no script and no font of its own.

use std::fmt::Write as _;

use indago_core::{GraphView, NodeState, SubQuestion};

use super::layout::layout;
use super::{answer_of, shorten, state_colours, state_word};

const BOX_WIDTH: f64 = 220.0;
const LINE_HEIGHT: f64 = 16.0;
const PADDING: f64 = 10.0;
const GAP_X: f64 = 24.0;
const GAP_Y: f64 = 44.0;
/// Width that an edge takes where it passes between boxes.
const PASS_WIDTH: f64 = 16.0;
const MARGIN: f64 = 12.0;
/// Characters per line: about 6.8 units each at 12 units type in the widest common face (DejaVu
/// Sans) and less in others, so that English text keeps inside its box.
const LINE_CHARS: usize = 30;
const MAX_LINES: usize = 4;

struct Placed {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

/// A self-contained SVG image of the graph: layers from what is asked first to what waits for it.
/// Each box shows the node's number, its state in words and colour, its text, and its answer;
/// the full text and the reason stand in the tooltip.
pub fn svg(view: &GraphView) -> String {
    let plan = layout(view);
    let lines: Vec<Vec<String>> = view.nodes.iter().map(box_lines).collect();
    let n_slots = plan.layers.iter().map(Vec::len).sum();
    let mut places: Vec<Placed> = Vec::new();
    places.resize_with(n_slots, || Placed {
        x: 0.0,
        y: 0.0,
        width: 0.0,
        height: 0.0,
    });
    let widths: Vec<f64> = plan
        .layers
        .iter()
        .map(|layer| {
            let boxes: f64 = layer
                .iter()
                .map(|s| {
                    if s.node.is_some() {
                        BOX_WIDTH
                    } else {
                        PASS_WIDTH
                    }
                })
                .sum();
            boxes + GAP_X * (layer.len().saturating_sub(1)) as f64
        })
        .collect();
    let inner = widths
        .iter()
        .fold(BOX_WIDTH, |widest, &width| widest.max(width));
    let mut y = MARGIN;
    for (layer, width) in plan.layers.iter().zip(&widths) {
        let height = layer
            .iter()
            .filter_map(|s| s.node)
            .map(|node| box_height(lines[node].len()))
            .fold(0.0, f64::max);
        let mut x = MARGIN + (inner - width) / 2.0;
        for slot in layer {
            let (width, height) = match slot.node {
                Some(node) => (BOX_WIDTH, box_height(lines[node].len())),
                None => (PASS_WIDTH, height),
            };
            places[slot.id] = Placed {
                x,
                y,
                width,
                height,
            };
            x += width + GAP_X;
        }
        y += height + GAP_Y;
    }
    let (total_width, total_height) = (inner + 2.0 * MARGIN, (y - GAP_Y + MARGIN).max(MARGIN));

    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {total_width} {total_height}\" \
         width=\"{total_width}\" height=\"{total_height}\" role=\"img\" \
         aria-label=\"question graph\" font-family=\"system-ui, sans-serif\" font-size=\"12\">\n\
         <defs><marker id=\"arrow\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" \
         markerHeight=\"7\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" fill=\"#57606a\"/></marker>\
         </defs>\n"
    );
    for (edge, route) in view.edges.iter().zip(&plan.routes) {
        let Some(path) = curve(route, &places) else {
            continue;
        };
        let _ = writeln!(
            out,
            "<path d=\"{path}\" fill=\"none\" stroke=\"#57606a\" stroke-width=\"1.3\" \
             marker-end=\"url(#arrow)\"><title>{}</title></path>",
            escape(&edge.reason)
        );
    }
    for (index, node) in view.nodes.iter().enumerate() {
        draw_box(&mut out, node, &lines[index], &places[index]);
    }
    out.push_str("</svg>\n");
    out
}

fn draw_box(out: &mut String, node: &SubQuestion, lines: &[String], at: &Placed) {
    let (fill, border) = state_colours(node.state);
    let (dash, ink) = match node.state {
        NodeState::Pruned => (" stroke-dasharray=\"4 3\"", "#6e7781"),
        NodeState::Proposed => (" stroke-dasharray=\"2 2\"", "#1f2328"),
        _ => ("", "#1f2328"),
    };
    let _ = write!(
        out,
        "<g><title>{}: {} ({})</title><rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"6\" \
         fill=\"{fill}\" stroke=\"{border}\" stroke-width=\"1.5\"{dash}/>",
        node.id,
        escape(&node.text),
        escape(&node.reason),
        at.x,
        at.y,
        at.width,
        at.height
    );
    let x = at.x + PADDING;
    let mut y = at.y + PADDING + LINE_HEIGHT * 0.75;
    let _ = write!(
        out,
        "<text x=\"{x}\" y=\"{y}\" fill=\"{ink}\" font-size=\"11\"><tspan font-weight=\"700\">{}</tspan> · {}</text>",
        node.id,
        state_word(node.state)
    );
    for line in lines {
        y += LINE_HEIGHT;
        let weight = if line.starts_with("= ") {
            " font-weight=\"700\""
        } else {
            ""
        };
        let _ = write!(
            out,
            "<text x=\"{x}\" y=\"{y}\" fill=\"{ink}\"{weight}>{}</text>",
            escape(line)
        );
    }
    out.push_str("</g>\n");
}

fn box_height(n_lines: usize) -> f64 {
    2.0 * PADDING + LINE_HEIGHT * (n_lines as f64 + 1.0)
}

fn box_lines(node: &SubQuestion) -> Vec<String> {
    let mut lines = wrap(&node.text, LINE_CHARS, MAX_LINES);
    if let Some(answer) = answer_of(node) {
        lines.push(format!("= {}", shorten(answer, LINE_CHARS - 2)));
    }
    lines
}

/// Breaks text into lines of at most `width` characters; what does not fit ends in `…`.
fn wrap(text: &str, width: usize, max_lines: usize) -> Vec<String> {
    let mut words = text.split_whitespace().peekable();
    let mut lines = Vec::new();
    while words.peek().is_some() && lines.len() + 1 < max_lines {
        let mut line = String::new();
        let mut n_chars = 0;
        while let Some(word) = words.peek() {
            let len = word.chars().count();
            let space = usize::from(!line.is_empty());
            if n_chars + space + len > width && !line.is_empty() {
                break;
            }
            if space == 1 {
                line.push(' ');
            }
            line.push_str(&shorten(word, width));
            n_chars += space + len;
            words.next();
        }
        lines.push(line);
    }
    let rest = words.collect::<Vec<_>>().join(" ");
    if !rest.is_empty() {
        lines.push(shorten(&rest, width));
    }
    lines
}

/// A smooth path through the slots of a route, from the bottom of the first box to the top of the
/// last.
fn curve(route: &[usize], places: &[Placed]) -> Option<String> {
    let (first, last) = (places.get(*route.first()?)?, places.get(*route.last()?)?);
    let mut points = vec![(first.x + first.width / 2.0, first.y + first.height)];
    for slot in route.get(1..route.len() - 1)? {
        let pass = places.get(*slot)?;
        let x = pass.x + pass.width / 2.0;
        points.push((x, pass.y));
        points.push((x, pass.y + pass.height));
    }
    points.push((last.x + last.width / 2.0, last.y - 2.0));
    let mut path = format!("M{:.1} {:.1}", points.first()?.0, points.first()?.1);
    for pair in points.windows(2) {
        let [(x0, y0), (x1, y1)] = pair else { continue };
        let middle = f64::midpoint(*y0, *y1);
        let _ = write!(
            path,
            "C{x0:.1} {middle:.1} {x1:.1} {middle:.1} {x1:.1} {y1:.1}"
        );
    }
    Some(path)
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // XML forbids most control characters, even escaped.
            c if c.is_control() => out.push(' '),
            '\u{fffe}' | '\u{ffff}' => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
