//! Names in text: capitalised spans, quoted titles, acronyms, code identifiers.

mod quoted;
mod spans;

pub(crate) use quoted::is_title;

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// What makes a span look like a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NameKind {
    /// Capitalised words: `Anna Benson`, `University of California`, `Apollo 11`.
    Capitalised,
    /// A title in quotation marks, without the marks.
    Quoted,
    /// Capital letters only: `NASA`.
    Acronym,
    /// An identifier of source code: `read_file`, `std::fs`.
    Code,
    /// Several names with small words between them, which may be one title:
    /// `Breakfast at Tiffany's`.
    Joined,
}

/// A name and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Name {
    /// Bytes of the input.
    pub range: Range<usize>,
    /// The bytes of `range`.
    pub text: String,
    /// What makes it look like a name.
    pub kind: NameKind,
    /// Other readings of the same place, longer or shorter: with an epithet after a comma
    /// (`Edward Baring, 1st Baron Revelstoke`), with a parenthesis, with a year before it, or the
    /// halves of a name with a possessive inside.
    pub alternatives: Vec<String>,
}

/// The names of running text, in order and disjoint.
///
/// ```
/// let text = "However, Anna Benson's husband left the University of California for Apollo 11.";
/// let found: Vec<String> = indago_text::names(text).into_iter().map(|n| n.text).collect();
/// assert_eq!(found, ["Anna Benson", "University of California", "Apollo 11"]);
/// ```
pub fn names(text: &str) -> Vec<Name> {
    spans::pieces(text)
        .into_iter()
        .map(|piece| piece.into_name(text))
        .collect()
}

/// The names of a question, in order of their first byte and longest first.
///
/// More liberal than [`names()`]: also every quoted span, and, as [`NameKind::Joined`], every run
/// of up to four names with only connecting words between them. These may overlap.
pub fn names_in_question(text: &str) -> Vec<Name> {
    let pieces = spans::pieces(text);
    let mut found: Vec<Name> = Vec::new();
    for i in 0..pieces.len() {
        let Some(first) = pieces.get(i).filter(|p| p.kind != NameKind::Quoted) else {
            continue;
        };
        for pair in 1..4 {
            let (Some(before), Some(last)) = (pieces.get(i + pair - 1), pieces.get(i + pair))
            else {
                break;
            };
            let gap = &text[before.range.end..last.range.start];
            if last.kind == NameKind::Quoted || !is_connecting(gap) {
                break;
            }
            let range = first.range.start..last.range.end;
            found.push(Name {
                text: text[range.clone()].to_owned(),
                range,
                kind: NameKind::Joined,
                alternatives: Vec::new(),
            });
        }
    }
    for range in quoted::quoted_spans(text) {
        if !pieces
            .iter()
            .any(|p| p.kind == NameKind::Quoted && p.range == range)
        {
            found.push(Name {
                text: text[range.clone()].to_owned(),
                range,
                kind: NameKind::Quoted,
                alternatives: Vec::new(),
            });
        }
    }
    found.extend(pieces.into_iter().map(|piece| piece.into_name(text)));
    found.sort_by(|a, b| (a.range.start, b.range.end).cmp(&(b.range.start, a.range.end)));
    found
}

/// Up to three words that titles are joined with, and nothing else.
pub(crate) fn is_connecting(gap: &str) -> bool {
    let inner = gap
        .strip_prefix("'s")
        .or_else(|| gap.strip_prefix("\u{2019}s"))
        .unwrap_or(gap);
    if !inner.starts_with(' ') || !inner.ends_with(' ') {
        return false;
    }
    let mut count = 0;
    for word in inner.split(' ').filter(|w| !w.is_empty()) {
        count += 1;
        let joins = matches!(
            word,
            "of" | "the"
                | "a"
                | "an"
                | "in"
                | "on"
                | "at"
                | "for"
                | "to"
                | "from"
                | "with"
                | "by"
                | "de"
                | "du"
                | "la"
                | "le"
                | "el"
                | "and"
                | "&"
                | "is"
                | "into"
                | "upon"
        );
        if !joins || count > 3 {
            return false;
        }
    }
    true
}
