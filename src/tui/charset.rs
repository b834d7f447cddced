//! The last look at a frame before it is written: what this terminal can show, and nothing else.
//!
//! Every cell passes here once per frame, whoever drew it. A character that could steer the
//! terminal is replaced even if a screen forgot to clean its text; without Unicode, lines and signs
//! become ASCII; colours become those that the terminal has.

use ratatui::buffer::Buffer;
use ratatui::style::{Color, Style};

use super::text::is_hostile;

/// How many colours there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Depth {
    /// None: `NO_COLOR`, or a terminal without.
    None,
    /// The sixteen of ANSI.
    Sixteen,
    /// The 256 of xterm.
    Indexed,
    /// 24 bits.
    #[default]
    True,
}

/// What a terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charset {
    /// Whether characters beyond ASCII may be sent.
    pub unicode: bool,
    /// Its colours.
    pub depth: Depth,
}

impl Default for Charset {
    fn default() -> Self {
        Self {
            unicode: true,
            depth: Depth::True,
        }
    }
}

impl Charset {
    /// Makes every cell of a frame one that this terminal can show.
    pub(crate) fn finish(self, buffer: &mut Buffer) {
        for cell in &mut buffer.content {
            let symbol = cell.symbol();
            let mut chars = symbol.chars();
            let first = chars.next().unwrap_or(' ');
            let alone = chars.next().is_none();
            if symbol.chars().any(is_hostile) {
                cell.set_char('?');
            } else if !self.unicode && (!alone || !first.is_ascii()) {
                cell.set_char(ascii(first));
            }
            if self.depth != Depth::True {
                let (fg, bg) = (self.colour(cell.fg), self.colour(cell.bg));
                // Without colours a marked cell must still stand out.
                let marked = self.depth == Depth::None && cell.bg != Color::Reset;
                let style = Style::new().fg(fg).bg(bg);
                cell.set_style(if marked { style.reversed() } else { style });
            }
        }
    }

    fn colour(self, colour: Color) -> Color {
        let Color::Rgb(r, g, b) = colour else {
            return if self.depth == Depth::None {
                Color::Reset
            } else {
                colour
            };
        };
        match self.depth {
            Depth::True => colour,
            Depth::None => Color::Reset,
            Depth::Indexed => {
                let step = |v: u8| (u16::from(v) * 5 + 127) / 255;
                Color::Indexed((16 + 36 * step(r) + 6 * step(g) + step(b)) as u8)
            }
            Depth::Sixteen => nearest(r, g, b),
        }
    }
}

/// The nearest of the sixteen colours as most terminals draw them.
fn nearest(r: u8, g: u8, b: u8) -> Color {
    const ANSI: [(Color, [i32; 3]); 13] = [
        (Color::Black, [0, 0, 0]),
        (Color::Red, [190, 40, 40]),
        (Color::Green, [40, 170, 90]),
        (Color::Yellow, [200, 140, 0]),
        (Color::Blue, [0, 90, 170]),
        (Color::Magenta, [180, 90, 160]),
        (Color::Cyan, [60, 180, 200]),
        (Color::DarkGray, [100, 100, 105]),
        (Color::Gray, [170, 170, 170]),
        (Color::LightRed, [240, 110, 60]),
        (Color::LightYellow, [240, 228, 66]),
        (Color::LightBlue, [86, 180, 233]),
        (Color::White, [240, 240, 240]),
    ];
    let wanted = [i32::from(r), i32::from(g), i32::from(b)];
    let distance = |have: &[i32; 3]| -> i32 {
        have.iter()
            .zip(wanted)
            .map(|(a, b)| (a - b) * (a - b))
            .sum()
    };
    ANSI.iter()
        .min_by_key(|(_, have)| distance(have))
        .map_or(Color::Reset, |(colour, _)| *colour)
}

/// The ASCII character that stands for `c`.
fn ascii(c: char) -> char {
    match c {
        '─' | '═' | '╌' | '–' | '—' | '‐' | '‑' | '−' => '-',
        '│' | '║' | '┃' | '▏' | '▎' | '▌' => '|',
        '┌' | '┐' | '└' | '┘' | '├' | '┤' | '┬' | '┴' | '┼' | '╭' | '╮' | '╰' | '╯' | '╤' | '╔'
        | '╗' | '╚' | '╝' => '+',
        '▼' => 'v',
        '▲' | '↑' => '^',
        '▶' | '›' | '→' | '»' => '>',
        '◀' | '‹' | '←' | '«' => '<',
        '●' => '*',
        '◐' => '@',
        '∅' => '0',
        '↻' | '…' => '~',
        '×' => 'x',
        '█' => '#',
        '◌' | '░' | '·' | '•' => '.',
        '‘' | '’' | 'ʼ' => '\'',
        '“' | '”' => '"',
        'ä' | 'à' | 'á' | 'â' | 'å' | 'ã' => 'a',
        '○' | 'ö' | 'ò' | 'ó' | 'ô' | 'ø' | 'õ' => 'o',
        'ü' | 'ù' | 'ú' | 'û' => 'u',
        'è' | 'é' | 'ê' | 'ë' => 'e',
        'ì' | 'í' | 'î' | 'ï' => 'i',
        'ñ' => 'n',
        'ç' => 'c',
        'Å' | 'Ä' => 'A',
        'Ø' | 'Ö' => 'O',
        'Ü' => 'U',
        _ => '?',
    }
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;

    use super::*;

    #[test]
    fn a_hostile_cell_is_replaced_even_if_a_screen_let_it_through() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 3, 1));
        buffer.content[0].set_symbol("\u{1b}");
        buffer.content[1].set_symbol("a\u{202e}");
        Charset::default().finish(&mut buffer);
        assert_eq!(buffer.content[0].symbol(), "?");
        assert_eq!(buffer.content[1].symbol(), "?");
    }

    #[test]
    fn without_unicode_everything_is_ascii_and_without_colour_marks_stay() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 4, 1));
        buffer.set_string(0, 0, "│é日", Style::new().bg(Color::Rgb(9, 9, 9)));
        let plain = Charset {
            unicode: false,
            depth: Depth::None,
        };
        plain.finish(&mut buffer);
        assert!(buffer.content.iter().all(|cell| cell.symbol().is_ascii()));
        assert!(buffer.content.iter().all(|cell| cell.bg == Color::Reset));
        assert!(
            buffer.content[0]
                .modifier
                .contains(ratatui::style::Modifier::REVERSED)
        );
    }
}
