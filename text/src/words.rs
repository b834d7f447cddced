//! Words as a reader sees them: `can't`, `Jean-Luc`, `3.14` and `U.S.` are one word each.
//!
//! Index terms are cut differently, see [`crate::terms()`].

use std::ops::Range;

use unicode_normalization::char::is_combining_mark;

/// Letters, digits, underscore, and the marks that combine with them.
pub(crate) fn is_word_char(c: char) -> bool {
    if c.is_ascii() {
        c.is_ascii_alphanumeric() || c == '_'
    } else {
        c.is_alphanumeric() || is_combining_mark(c)
    }
}

pub(crate) fn is_apostrophe(c: char) -> bool {
    matches!(c, '\'' | '\u{2019}')
}

fn is_hyphen(c: char) -> bool {
    matches!(c, '-' | '\u{2010}' | '\u{2011}')
}

/// Byte ranges of the words of `text`, in order and disjoint.
///
/// A word is a run of word characters, continued over one inner apostrophe or hyphen, over a
/// point or comma between digits, and over the points of a dotted acronym, which keeps its last
/// point.
///
/// ```
/// let text = "Dr. O'Brien-Smith paid $1,250.50 to the U.S. Navy.";
/// let words: Vec<&str> = indago_text::words(text).into_iter().map(|r| &text[r]).collect();
/// assert_eq!(words, ["Dr", "O'Brien-Smith", "paid", "1,250.50", "to", "the", "U.S.", "Navy"]);
/// ```
pub fn words(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::with_capacity(text.len() / 6);
    let mut chars = text.char_indices().peekable();
    while let Some((start, first)) = chars.next() {
        if !is_word_char(first) {
            continue;
        }
        let mut end = start + first.len_utf8();
        let mut last = first;
        let mut run = 1usize; // characters since the last joiner
        let mut dotted = first.is_alphabetic();
        let mut points = 0usize;
        while let Some(&(at, c)) = chars.peek() {
            if is_word_char(c) {
                run += 1;
                dotted &= run == 1;
                last = c;
                end = at + c.len_utf8();
                chars.next();
                continue;
            }
            let mut ahead = text[at + c.len_utf8()..].chars();
            let next = ahead.next().filter(|&n| is_word_char(n));
            let joins = match next {
                Some(next) if is_apostrophe(c) || is_hyphen(c) => {
                    dotted = false;
                    next.is_alphanumeric()
                }
                Some(next) if matches!(c, '.' | ',') => {
                    let digits = last.is_ascii_digit() && next.is_ascii_digit();
                    let acronym = c == '.'
                        && dotted
                        && run == 1
                        && next.is_alphabetic()
                        && !ahead.next().is_some_and(is_word_char);
                    points += usize::from(acronym);
                    digits || acronym
                }
                _ => false,
            };
            if joins {
                run = 0;
                end = at + c.len_utf8();
                chars.next();
                continue;
            }
            if c == '.' && dotted && points > 0 && run == 1 {
                end = at + 1; // the last point of `U.S.`
                chars.next();
            }
            break;
        }
        found.push(start..end);
    }
    found
}
