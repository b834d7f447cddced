//! Names met in a text that some passage of the corpus is about.
//!
//! A name can be read in several ways ("King Henry III of England"): as it stands, by its
//! alternatives, or as a shorter run of its words. Of overlapping readings that the corpus knows,
//! the longest is what the text means.

use std::ops::Range;

use indago_core::ports::{NameHit, NameIndex};
use indago_text::Name;

/// Passages that one name may lead to.
const MAX_DEFINITIONS: usize = 6;
/// Readings of one name that are looked up.
const MAX_READINGS: usize = 12;
/// Names of one text that are looked up; long texts are read from their beginning.
const MAX_NAMES: usize = 64;
/// Least score of a match for a reading that was made from a name's words rather than written:
/// exact but for a parenthesis.
const EXACT: f32 = 0.8;

/// A name of a text that the corpus knows.
#[derive(Clone, Debug, PartialEq)]
pub struct Mention {
    /// Bytes of the text.
    pub range: Range<usize>,
    /// The name as read.
    pub name: String,
    /// Passages about it, best first.
    pub about: Vec<NameHit>,
}

struct Reading {
    range: Range<usize>,
    name: String,
    /// Made from the name's words rather than written as a name.
    derived: bool,
}

/// The names of running text that some passage is about, in order and disjoint.
pub fn mentions(text: &str, index: &dyn NameIndex) -> Vec<Mention> {
    known(text, &indago_text::names(text), index)
}

/// The names of a question that some passage is about; reads more liberally than [`mentions`].
pub fn mentions_in_question(text: &str, index: &dyn NameIndex) -> Vec<Mention> {
    known(text, &indago_text::names_in_question(text), index)
}

fn known(text: &str, names: &[Name], index: &dyn NameIndex) -> Vec<Mention> {
    let readings = names.iter().take(MAX_NAMES).flat_map(|n| readings(n, text));
    let mut found: Vec<Mention> = readings
        .filter_map(|reading| {
            let mut about = index.defining(&reading.name, MAX_DEFINITIONS);
            if reading.derived {
                about.retain(|hit| hit.score >= EXACT);
            }
            let Reading { range, name, .. } = reading;
            (!about.is_empty()).then_some(Mention { range, name, about })
        })
        .collect();
    found.sort_by_key(|m| (std::cmp::Reverse(m.range.len()), m.range.start));
    let mut kept: Vec<Mention> = Vec::new();
    for mention in found {
        let r = &mention.range;
        let overlaps = |k: &Mention| k.range.start < r.end && r.start < k.range.end;
        if !kept.iter().any(overlaps) {
            kept.push(mention);
        }
    }
    kept.sort_by_key(|m| m.range.start);
    kept
}

/// Ways to read a name: as it stands, its alternatives, and shorter runs of its words.
fn readings(name: &Name, text: &str) -> Vec<Reading> {
    let start = name.range.start;
    let reading = |from: usize, part: &str, derived: bool| Reading {
        range: from..from + part.len(),
        name: part.to_owned(),
        derived,
    };
    let mut found = vec![reading(start, &name.text, false)];
    // An alternative may reach beyond the name's own span; its length ranks it.
    found.extend(name.alternatives.iter().map(|a| reading(start, a, false)));
    let words: Vec<Range<usize>> = indago_text::words(&name.text);
    let opens = |r: &Range<usize>| {
        let first = name.text[r.clone()].chars().next();
        first.is_some_and(|c| c.is_uppercase() || c.is_numeric())
    };
    'all: for length in (1..words.len()).rev() {
        for window in words.windows(length) {
            let (Some(first), Some(last)) = (window.first(), window.last()) else {
                continue;
            };
            if !opens(first) || !opens(last) {
                continue;
            }
            let part = &name.text[first.start..last.end];
            if length == 1 && (part.len() < 3 || part.chars().all(char::is_numeric)) {
                continue;
            }
            if found.len() >= MAX_READINGS {
                break 'all;
            }
            found.push(reading(start + first.start, part, true));
        }
    }
    // `Robert Plant discography`: a title may go on in lower case.
    if let Some(rest) = text.get(name.range.end..) {
        let near = &rest[..rest.floor_char_boundary(40)];
        let next = indago_text::words(near).into_iter().next();
        let goes_on = |w: &Range<usize>| {
            rest[..w.start] == *" " && !indago_text::is_function_word(&rest[w.clone()])
        };
        if let Some(word) = next.filter(goes_on) {
            let whole = &text[start..name.range.end + word.end];
            found.push(reading(start, whole, true));
        }
    }
    found
}
