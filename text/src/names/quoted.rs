//! Spans in quotation marks.

use std::ops::Range;

/// Longest quoted span, in bytes; a longer one is a stray mark.
const MAX_BYTES: usize = 160;

/// The closing mark of an opening one.
fn closing(open: char) -> Option<&'static [char]> {
    Some(match open {
        '"' => &['"', '\u{201d}'],
        '\u{201c}' | '\u{201e}' => &['\u{201d}', '\u{201c}', '"'],
        '«' => &['»'],
        '\'' | '\u{2018}' => &['\'', '\u{2019}'],
        _ => return None,
    })
}

/// Byte ranges of what stands in quotation marks, the marks not included; disjoint, in order.
///
/// A single mark opens only after white space or a bracket and closes only before something that
/// is no letter, so apostrophes do not count.
pub(super) fn quoted_spans(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut previous = ' ';
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        let opens = previous.is_whitespace() || matches!(previous, '(' | '[' | '/' | '-' | '—');
        if let Some(marks) = closing(c).filter(|_| opens) {
            let start = at + c.len_utf8();
            if let Some(end) = close(text, start, marks) {
                found.push(start..end);
                while chars.offset() < end && chars.next().is_some() {}
            }
        }
        previous = c;
    }
    found
}

/// Where the span that began at `start` closes.
fn close(text: &str, start: usize, marks: &[char]) -> Option<usize> {
    let single = marks.contains(&'\'');
    for (i, c) in text[start..].char_indices() {
        if i > MAX_BYTES || c == '\n' {
            return None;
        }
        if !marks.contains(&c) {
            continue;
        }
        let end = start + i;
        let before = text[start..end].chars().next_back();
        let after = text[end + c.len_utf8()..].chars().next();
        if single && after.is_some_and(char::is_alphanumeric) {
            continue;
        }
        return before.filter(|b| !b.is_whitespace()).map(|_| end);
    }
    None
}

/// Whether a quoted span is written like a title: it begins with a capital or a digit, and most
/// of its longer words do; and it is no speech, which ends in a comma or a point.
pub(crate) fn is_title(span: &str) -> bool {
    if span.ends_with([',', '.']) && !span.ends_with("..") {
        return false;
    }
    if !span.starts_with(|c: char| c.is_uppercase() || c.is_ascii_digit()) {
        return false;
    }
    let mut long = 0;
    let mut capital = 0;
    let mut count = 0;
    for word in span.split(' ') {
        count += 1;
        if word.len() > 3 {
            long += 1;
            capital += usize::from(word.starts_with(|c: char| !c.is_lowercase()));
        }
    }
    count <= 14 && capital * 3 >= long * 2
}
