//! Text on its way to a terminal: cleaned, measured, cut and wrapped.
//!
//! Documents, questions and model output may hold anything. What could steer a terminal or deceive
//! a reader never gets past here: control characters (with them every escape sequence), marks that
//! turn the direction of text around, characters without width. [`clean`] is the gate for one line
//! of text, [`clean_block`] for text with lines; [`charset`](super::charset) looks at every cell
//! once more before it is written.
//!
//! Widths are columns, as `unicode-width` counts them.

use unicode_width::UnicodeWidthChar as _;

/// What stands for a character that was taken out because it could steer the terminal.
pub(crate) const REPLACEMENT: char = '\u{fffd}';
/// Combining marks kept on one base character; more are drawn over the lines around.
const MAX_MARKS: usize = 2;
/// Columns of a tab stop.
const TAB: usize = 4;

/// What becomes of a character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Keep,
    Space,
    /// Invisible and without meaning here.
    Drop,
    /// Would act on the terminal: replaced by a visible mark.
    Mark,
}

fn fate(c: char) -> Fate {
    match c {
        '\t' | '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{2028}' | '\u{2029}' | '\u{a0}' => Fate::Space,
        c if c.is_control() => Fate::Mark,
        // Direction: marks, embeddings, overrides, isolates.
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{206f}' => {
            Fate::Drop
        }
        // No width, or a blank that claims to be a letter.
        '\u{ad}'
        | '\u{34f}'
        | '\u{115f}'
        | '\u{1160}'
        | '\u{17b4}'
        | '\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200d}'
        | '\u{2060}'..='\u{2065}'
        | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}'
        | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}'
        | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}' => Fate::Drop,
        _ => Fate::Keep,
    }
}

/// Whether a character must never stand in a cell of the terminal.
pub(crate) fn is_hostile(c: char) -> bool {
    matches!(fate(c), Fate::Drop | Fate::Mark) || c.is_control()
}

/// One line: white space of any kind becomes single spaces, what is hostile goes.
pub(crate) fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut marks = 0;
    for c in text.chars() {
        match fate(c) {
            Fate::Keep if c == ' ' => push_space(&mut out),
            Fate::Space => push_space(&mut out),
            Fate::Keep => push_kept(&mut out, c, &mut marks),
            Fate::Mark => out.push(REPLACEMENT),
            Fate::Drop => {}
        }
    }
    out.truncate(out.trim_end().len());
    out
}

/// At most `most` bytes of `text`, cleaned; for what is kept in memory.
pub(crate) fn clean_bounded(text: &str, most: usize) -> String {
    if text.len() <= most {
        return clean(text);
    }
    let mut end = most;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut out = clean(&text[..end]);
    out.push('\u{2026}');
    out
}

/// Several lines: line breaks stay, tabs become spaces, what is hostile goes.
pub(crate) fn clean_block(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut marks = 0;
    let mut column = 0;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let is_break = match c {
            '\r' => rest.peek() != Some(&'\n'),
            '\n' | '\u{c}' | '\u{2028}' | '\u{2029}' => true,
            _ => false,
        };
        if is_break {
            lines.push(String::new());
            column = 0;
            continue;
        }
        let Some(line) = lines.last_mut() else { break };
        match fate(c) {
            Fate::Space if c == '\t' => {
                let n = TAB - column % TAB;
                line.extend(std::iter::repeat_n(' ', n));
                column += n;
            }
            Fate::Space if c == '\r' => {}
            Fate::Space => {
                line.push(' ');
                column += 1;
            }
            Fate::Keep => {
                push_kept(line, c, &mut marks);
                column += columns_of(c);
            }
            Fate::Mark => {
                line.push(REPLACEMENT);
                column += 1;
            }
            Fate::Drop => {}
        }
    }
    lines
}

fn push_space(out: &mut String) {
    if !out.is_empty() && !out.ends_with(' ') {
        out.push(' ');
    }
}

fn push_kept(out: &mut String, c: char, marks: &mut usize) {
    if columns_of(c) == 0 {
        *marks += 1;
        // A mark needs a base, and a pile of marks is no text.
        if *marks > MAX_MARKS || out.is_empty() {
            return;
        }
    } else {
        *marks = 0;
    }
    out.push(c);
}

/// Columns of a character; 0 for a combining mark.
pub(crate) fn columns_of(c: char) -> usize {
    c.width().unwrap_or(0)
}

/// Columns of a text.
pub(crate) fn columns(text: &str) -> usize {
    text.chars().map(columns_of).sum()
}

/// `text`, or its beginning and `…`, in at most `width` columns.
pub(crate) fn fit(text: &str, width: usize) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    if width == 0 {
        return String::new();
    }
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        let w = columns_of(c);
        if used + w > width - 1 {
            break;
        }
        used += w;
        out.push(c);
    }
    out.truncate(out.trim_end().len());
    out.push('\u{2026}');
    out
}

/// `text` in lines of at most `width` columns, broken at spaces where there are any. Never empty.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    wrap_ranges(text, width)
        .into_iter()
        .map(|range| text[range].trim_end().to_owned())
        .collect()
}

/// The same as byte ranges of `text`, which cover it without gaps.
pub(crate) fn wrap_ranges(text: &str, width: usize) -> Vec<std::ops::Range<usize>> {
    let width = width.max(1);
    let mut rows = Vec::new();
    let (mut start, mut used) = (0, 0);
    // Where the row could be broken: the byte after the last space, and the columns up to there.
    let mut broken: Option<(usize, usize)> = None;
    for (at, c) in text.char_indices() {
        let w = columns_of(c);
        if used + w > width && c != ' ' && at > start {
            if let Some((to, before)) = broken.take() {
                rows.push(start..to);
                start = to;
                used -= before;
            }
            // A word longer than the row is cut where the row ends.
            if used + w > width && at > start {
                rows.push(start..at);
                start = at;
                used = 0;
            }
        }
        used += w;
        if c == ' ' {
            broken = Some((at + 1, used));
        }
    }
    rows.push(start..text.len());
    rows
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escape_sequences_and_tricks_do_not_get_through() {
        assert_eq!(
            clean("\x1b[31mred\x1b]0;title\x07"),
            "\u{fffd}[31mred\u{fffd}]0;title\u{fffd}"
        );
        assert_eq!(clean("a\u{202e}b\u{200b}c\u{ad}d"), "abcd");
        assert_eq!(clean("\u{9b}2J"), "\u{fffd}2J");
        assert_eq!(clean("  a\t\n b  "), "a b");
        assert_eq!(clean("Z\u{300}\u{301}\u{302}\u{303}"), "Z\u{300}\u{301}");
        assert_eq!(clean("שלום, Grüße, 日本"), "שלום, Grüße, 日本");
    }

    #[test]
    fn blocks_keep_their_lines_and_lose_their_tabs() {
        assert_eq!(clean_block("a\r\n\tb\n"), ["a", "    b", ""]);
        assert_eq!(clean_block("x\ty"), ["x   y"]);
        assert_eq!(clean_block("a\x0cb"), ["a", "b"]);
    }

    #[test]
    fn wrapping_breaks_at_spaces_and_cuts_long_words() {
        assert_eq!(wrap("the quick brown fox", 9), ["the quick", "brown fox"]);
        assert_eq!(wrap("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(wrap("日本語", 4), ["日本", "語"]);
        assert_eq!(wrap("", 4), [""]);
    }

    #[test]
    fn what_does_not_fit_ends_in_dots() {
        assert_eq!(fit("hello world", 6), "hello…");
        assert_eq!(fit("hello", 5), "hello");
        assert_eq!(fit("日本語", 4), "日…");
        assert_eq!(fit("x", 0), "");
    }

    proptest! {
        #[test]
        fn nothing_hostile_survives(text in any::<String>()) {
            prop_assert!(!clean(&text).chars().any(is_hostile));
            prop_assert!(!clean_block(&text).join("").chars().any(is_hostile));
        }

        #[test]
        fn wrapped_rows_cover_the_text_and_fit(text in "\\PC{0,80}", width in 2usize..40) {
            let ranges = wrap_ranges(&text, width);
            let mut at = 0;
            for range in &ranges {
                prop_assert_eq!(range.start, at);
                at = range.end;
                prop_assert!(columns(text[range.clone()].trim_end_matches(' ')) <= width);
            }
            prop_assert_eq!(at, text.len());
        }

        #[test]
        fn fitted_text_fits(text in "\\PC{0,60}", width in 0usize..30) {
            prop_assert!(columns(&fit(&text, width)) <= width);
        }
    }
}
