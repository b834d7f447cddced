//! Acronyms that a text spells out: `World Trade Bureau (WTB)`.

use std::ops::Range;

use crate::words::words;

/// An acronym and the words it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acronym {
    /// Bytes of the acronym.
    pub short: Range<usize>,
    /// Bytes of the words before its parenthesis.
    pub long: Range<usize>,
}

/// Small words whose initials acronyms may leave out.
fn is_small(word: &str) -> bool {
    matches!(
        word,
        "of" | "the" | "and" | "for" | "in" | "on" | "to" | "a" | "an" | "de" | "la"
    )
}

/// The acronyms that stand in a parenthesis right after the words whose initials they are, in
/// order. Small words such as `of` may be skipped.
///
/// ```
/// let text = "the Bureau of Trade and Industry (BTI) said";
/// let found = &indago_text::acronyms(text)[0];
/// assert_eq!(&text[found.long.clone()], "Bureau of Trade and Industry");
/// ```
pub fn acronyms(text: &str) -> Vec<Acronym> {
    let spans = words(text);
    let mut found = Vec::new();
    for (i, span) in spans.iter().enumerate() {
        let short = &text[span.clone()];
        let bracketed = text[..span.start].ends_with(" (") && text[span.end..].starts_with(')');
        let letters: Vec<char> = short.chars().filter(|c| c.is_alphanumeric()).collect();
        let capitals = letters.iter().filter(|c| c.is_uppercase()).count();
        if bracketed && (2..=10).contains(&letters.len()) && capitals >= 2 {
            let long = spelled_out(text, &spans[..i], &letters);
            found.extend(long.map(|long| Acronym {
                short: span.clone(),
                long,
            }));
        }
    }
    found
}

/// The last words of `before` whose initials are `letters`.
fn spelled_out(text: &str, before: &[Range<usize>], letters: &[char]) -> Option<Range<usize>> {
    let mut left = letters.len();
    let end = before.last()?.end;
    for span in before.iter().rev().take(letters.len() * 2 + 2) {
        let word = &text[span.clone()];
        let wanted = letters.get(left.checked_sub(1)?)?;
        if word.chars().flat_map(char::to_uppercase).next() == wanted.to_uppercase().next() {
            left -= 1;
            if left == 0 {
                return Some(span.start..end);
            }
        } else if !is_small(word) {
            return None;
        }
    }
    None
}
