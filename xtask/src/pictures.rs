//! Stills and a short cast of the terminal interface, drawn by its own code from the recorded run:
//! `docs/img/tui-*.svg` (with a PNG beside each where `rsvg-convert` is installed) and
//! `docs/img/tui.cast` in asciicast v2.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use indago::tui::{Charset, Recording, Stage, ThemeName};
use ratatui::backend::{Backend as _, CrosstermBackend};
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};

const CHAR_WIDTH: f64 = 8.4;
const LINE_HEIGHT: f64 = 18.0;
const MARGIN: f64 = 14.0;
/// Size of the cast.
const CAST: (u16, u16) = (110, 34);

/// A still: its name, its size, its theme, and the keys that lead to it.
const STILLS: [(&str, u16, u16, ThemeName, &str); 6] = [
    ("tui-start", 110, 26, ThemeName::Dark, "1"),
    ("tui-run", 130, 40, ThemeName::Dark, "2"),
    ("tui-run-light", 130, 40, ThemeName::Light, "2 tab end"),
    ("tui-report", 150, 40, ThemeName::Dark, "3 ] enter"),
    ("tui-library", 150, 34, ThemeName::Dark, "4 /"),
    ("tui-narrow", 80, 24, ThemeName::Dark, "2"),
];

/// Writes all pictures into `docs/img`.
pub(crate) fn write(root: &Path, recording: &Recording, model: &Recording) -> anyhow::Result<()> {
    let folder = root.join("docs/img");
    std::fs::create_dir_all(&folder)?;
    for (name, width, height, theme, keys) in STILLS {
        let mut stage = Stage::new(width, height, theme, Charset::default());
        stage.tell_lists(recording);
        stage.tell_events(recording, usize::MAX);
        stage.press(recording, keys);
        if keys.ends_with('/') {
            stage.paste("Who built the ship?");
            stage.press(recording, "enter");
        }
        still(&folder, name, &mut stage, theme)?;
    }
    let theme = ThemeName::Dark;
    let mut stage = Stage::new(130, 40, theme, Charset::default());
    stage.tell_lists(model);
    stage.tell_events(model, model.busiest());
    still(&folder, "tui-model", &mut stage, theme)?;
    std::fs::write(folder.join("tui.cast"), cast(recording)?)?;
    Ok(())
}

/// Writes a frame as SVG, and as PNG where that can be made.
fn still(folder: &Path, name: &str, stage: &mut Stage, theme: ThemeName) -> anyhow::Result<()> {
    let path = folder.join(format!("{name}.svg"));
    std::fs::write(&path, svg(stage.draw(), theme))?;
    let png = Command::new("rsvg-convert")
        .arg(&path)
        .arg("-o")
        .arg(folder.join(format!("{name}.png")))
        .status();
    if !png.is_ok_and(|status| status.success()) {
        eprintln_note(name);
    }
    Ok(())
}

#[expect(
    clippy::print_stderr,
    reason = "a developer command talks to its developer"
)]
fn eprintln_note(name: &str) {
    eprintln!("rsvg-convert is not here: {name}.png stays as it is");
}

/// A frame as SVG: one text element for each run of cells of one style.
fn svg(buffer: &Buffer, theme: ThemeName) -> String {
    let (paper, ink) = if theme == ThemeName::Light {
        ("#fbfaf7", "#1f2024")
    } else {
        ("#16171a", "#e2e0da")
    };
    let width = f64::from(buffer.area.width) * CHAR_WIDTH + 2.0 * MARGIN;
    let height = f64::from(buffer.area.height) * LINE_HEIGHT + 2.0 * MARGIN;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         width=\"{width:.0}\" height=\"{height:.0}\" role=\"img\">\n\
         <title>the terminal interface of indago</title>\n\
         <style>text {{ font: 14px 'DejaVu Sans Mono', Menlo, Consolas, monospace; white-space: pre; }}</style>\n\
         <rect width=\"{width:.0}\" height=\"{height:.0}\" rx=\"8\" fill=\"{paper}\"/>\n"
    );
    for (row, cells) in buffer
        .content
        .chunks(usize::from(buffer.area.width))
        .enumerate()
    {
        let mut column = 0;
        while column < cells.len() {
            let first = &cells[column];
            let same = cells[column..]
                .iter()
                .take_while(|cell| style(cell) == style(first))
                .count();
            let text: String = cells[column..column + same]
                .iter()
                .map(Cell::symbol)
                .collect();
            piece(&mut out, first, &text, (column, row, same), (paper, ink));
            column += same;
        }
    }
    out.push_str("</svg>\n");
    out
}

fn style(cell: &Cell) -> (Color, Color, Modifier) {
    (cell.fg, cell.bg, cell.modifier)
}

fn piece(
    out: &mut String,
    cell: &Cell,
    text: &str,
    (column, row, n): (usize, usize, usize),
    (paper, ink): (&str, &str),
) {
    let x = MARGIN + column as f64 * CHAR_WIDTH;
    let y = MARGIN + row as f64 * LINE_HEIGHT;
    let (mut fg, mut bg) = (colour(cell.fg, ink), colour(cell.bg, paper));
    if cell.modifier.contains(Modifier::REVERSED) {
        std::mem::swap(&mut fg, &mut bg);
    }
    if bg != paper {
        let width = n as f64 * CHAR_WIDTH;
        let _ = writeln!(
            out,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{LINE_HEIGHT}\" fill=\"{bg}\"/>"
        );
    }
    if text.trim().is_empty() {
        return;
    }
    let weight = if cell.modifier.contains(Modifier::BOLD) {
        " font-weight=\"700\""
    } else {
        ""
    };
    let slant = if cell.modifier.contains(Modifier::ITALIC) {
        " font-style=\"italic\""
    } else {
        ""
    };
    let length = n as f64 * CHAR_WIDTH;
    let baseline = y + LINE_HEIGHT * 0.75;
    let text = text
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    let _ = writeln!(
        out,
        "<text x=\"{x:.1}\" y=\"{baseline:.1}\" fill=\"{fg}\"{weight}{slant} textLength=\"{length:.1}\" \
         xml:space=\"preserve\">{text}</text>"
    );
}

fn colour(colour: Color, default: &str) -> String {
    match colour {
        Color::Rgb(r, g, b) => format!("#{r:02x}{g:02x}{b:02x}"),
        _ => default.to_owned(),
    }
}

/// The run as it comes in, then its report with a quote in its document.
fn cast(recording: &Recording) -> anyhow::Result<String> {
    let (width, height) = CAST;
    let mut out = format!(
        "{{\"version\":2,\"width\":{width},\"height\":{height},\"title\":\"indago tui\"}}\n"
    );
    let mut bytes = Vec::new();
    let mut stage = Stage::new(width, height, ThemeName::Dark, Charset::default());
    stage.tell_lists(recording);
    let mut at = 0.0;
    let mut last = Buffer::empty(Rect::new(0, 0, width, height));
    let mut frame = |stage: &mut Stage, wait: f64| -> anyhow::Result<()> {
        let drawn = stage.draw();
        CrosstermBackend::new(&mut bytes).draw(last.diff(drawn).into_iter())?;
        last = drawn.clone();
        let text = String::from_utf8(std::mem::take(&mut bytes))?;
        let _ = writeln!(out, "[{at:.2},\"o\",{}]", serde_json::to_string(&text)?);
        at += wait;
        Ok(())
    };
    frame(&mut stage, 1.5)?;
    let n = recording.n_events();
    for told in (0..=n).step_by(2) {
        stage.tell_events(recording, told);
        frame(&mut stage, 0.15)?;
    }
    stage.tell_events(recording, usize::MAX);
    frame(&mut stage, 2.0)?;
    for (keys, wait) in [
        ("up", 1.5),
        ("3", 2.0),
        ("]", 1.0),
        ("]", 1.0),
        ("enter", 3.0),
    ] {
        stage.press(recording, keys);
        frame(&mut stage, wait)?;
    }
    Ok(out)
}
