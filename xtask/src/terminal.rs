//! Terminal text as an SVG picture, legible at half size, following a light or dark theme.

use std::fmt::Write as _;

const COLUMNS: usize = 100;
const CHAR_WIDTH: f64 = 7.8;
const LINE_HEIGHT: f64 = 18.0;
const MARGIN: f64 = 16.0;
const TITLE_BAR: f64 = 26.0;

/// A window with `command` and the `lines` it printed.
pub(crate) fn picture(command: &str, lines: &[&str], more: bool) -> String {
    let mut rows: Vec<(&str, String)> = wrap(command).into_iter().map(|l| ("prompt", l)).collect();
    rows.push(("", String::new()));
    for line in lines {
        let class = match line.chars().next() {
            Some('#') => "head",
            Some('>') => "quote",
            Some('*') => "answer",
            _ => "",
        };
        rows.extend(wrap(line).into_iter().map(|l| (class, l)));
    }
    if more {
        rows.push(("soft", "[...]".to_owned()));
    }
    let width = COLUMNS as f64 * CHAR_WIDTH + 2.0 * MARGIN;
    let height = rows.len() as f64 * LINE_HEIGHT + 2.0 * MARGIN + TITLE_BAR;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         width=\"{width}\" height=\"{height}\" role=\"img\">\n<title>indago answering a question \
         with quoted sources</title>\n<style>\n\
         .window {{ fill: #fbfaf7; stroke: #d5d2c8; }} .dot {{ fill: #cfccc2; }}\n\
         text {{ font: 13px ui-monospace, Menlo, Consolas, monospace; fill: #24252a; \
         white-space: pre; }}\n\
         .prompt {{ fill: #2b5aa8; }} .head {{ font-weight: 700; }} .answer {{ fill: #1a6b41; \
         font-weight: 700; }} .quote {{ fill: #4c4e57; }} .soft {{ fill: #85868d; }}\n\
         @media (prefers-color-scheme: dark) {{ .window {{ fill: #191a1d; stroke: #3b3c42; }} \
         .dot {{ fill: #46474d; }} text {{ fill: #e4e2dc; }} .prompt {{ fill: #8fb4f0; }} \
         .answer {{ fill: #67c797; }} .quote {{ fill: #bdbec4; }} .soft {{ fill: #85868d; }} }}\n\
         </style>\n<rect class=\"window\" x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"8\"/>\n",
        width - 1.0,
        height - 1.0
    );
    for i in 0..3 {
        let x = MARGIN + 4.0 + 16.0 * f64::from(i);
        let _ = writeln!(out, "<circle class=\"dot\" cx=\"{x}\" cy=\"17\" r=\"5\"/>");
    }
    for (i, (class, line)) in rows.iter().enumerate() {
        let y = TITLE_BAR + MARGIN + LINE_HEIGHT * (i as f64 + 0.75);
        let _ = writeln!(
            out,
            "<text class=\"{class}\" x=\"{MARGIN}\" y=\"{y}\">{}</text>",
            escape(line)
        );
    }
    out.push_str("</svg>\n");
    out
}

/// `line` in pieces of at most [`COLUMNS`] characters, cut at spaces where there are any.
fn wrap(line: &str) -> Vec<String> {
    let mut rows = vec![String::new()];
    let mut used = 0;
    for word in line.split(' ') {
        let length = word.chars().count();
        if used > 0 && used + 1 + length > COLUMNS {
            rows.push(String::new());
            used = 0;
        }
        if let Some(row) = rows.last_mut() {
            if used > 0 {
                row.push(' ');
                used += 1;
            }
            row.push_str(word);
            used += length;
        }
    }
    rows
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_wrap_at_words_and_markup_is_escaped() {
        let line = "word ".repeat(50);
        assert!(wrap(&line).iter().all(|row| row.chars().count() <= COLUMNS));
        let svg = picture("$ a", &["> <b> & c"], true);
        assert!(svg.contains("&gt; &lt;b&gt; &amp; c") && svg.contains("[...]"));
    }
}
