//! The words and names of a question, looked up by position by all the other steps.

use std::ops::Range;

use crate::names::{Name, NameKind, names, names_in_question};
use crate::stop_words::is_function_word;
use crate::words::words;

/// A question cut into words, each marked with the name it belongs to.
pub(super) struct Parse<'t> {
    pub(super) text: &'t str,
    /// Byte ranges of the words.
    pub(super) words: Vec<Range<usize>>,
    /// The words in lower case.
    pub(super) lower: Vec<String>,
    /// Disjoint names, in order.
    pub(super) strict: Vec<Name>,
    /// All readings of the names.
    pub(super) names: Vec<Name>,
    /// For each word, the entry of `strict` it belongs to.
    pub(super) name_of: Vec<Option<usize>>,
}

impl<'t> Parse<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let words = words(text);
        let strict = merged(text, names(text), &words);
        let mut name_of = vec![None; words.len()];
        let mut next = 0;
        for (word, slot) in words.iter().zip(&mut name_of) {
            while strict.get(next).is_some_and(|n| n.range.end <= word.start) {
                next += 1;
            }
            *slot = strict
                .get(next)
                .filter(|n| n.range.start < word.end)
                .map(|_| next);
        }
        let lower = words
            .iter()
            .map(|r| text[r.clone()].to_lowercase())
            .collect();
        Self {
            text,
            words,
            lower,
            strict,
            names: names_in_question(text),
            name_of,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.words.len()
    }

    /// Word `i` in lower case; empty past the end.
    pub(super) fn lower(&self, i: usize) -> &str {
        self.lower.get(i).map_or("", String::as_str)
    }

    /// Word `i` in lower case unless it belongs to a name; empty for those and past the end.
    pub(super) fn plain(&self, i: usize) -> &str {
        if self.is_named(i) { "" } else { self.lower(i) }
    }

    pub(super) fn is_named(&self, i: usize) -> bool {
        self.name_of.get(i).is_some_and(Option::is_some)
    }

    /// Whether word `i` begins with a capital.
    pub(super) fn is_capital(&self, i: usize) -> bool {
        self.words
            .get(i)
            .is_some_and(|r| self.text[r.clone()].starts_with(char::is_uppercase))
    }

    /// What stands between word `i` and the next.
    pub(super) fn gap(&self, i: usize) -> &'t str {
        match (self.words.get(i), self.words.get(i + 1)) {
            (Some(a), Some(b)) => &self.text[a.end..b.start],
            (Some(a), None) => &self.text[a.end..],
            _ => "",
        }
    }

    /// The first and last word of name `index`.
    pub(super) fn words_of(&self, index: usize) -> Option<(usize, usize)> {
        let first = self.name_of.iter().position(|n| *n == Some(index))?;
        let last = self.name_of.iter().rposition(|n| *n == Some(index))?;
        Some((first, last))
    }

    /// Whether word `i`, part of a name or not, ends in a possessive mark.
    pub(super) fn is_possessive(&self, i: usize) -> bool {
        let word = self.lower(i);
        let marked = |w: &str| w.ends_with(['\'', '\u{2019}']);
        marked(word)
            || word.strip_suffix('s').is_some_and(marked)
            || word.ends_with('s')
                && self.gap(i).starts_with(['\'', '\u{2019}'])
                && self.gap(i).chars().nth(1).is_some_and(char::is_whitespace)
    }

    /// The word without its possessive ending.
    pub(super) fn stripped(&self, i: usize) -> &str {
        let word = self.lower(i);
        let cut = word.strip_suffix('s').unwrap_or(word);
        cut.strip_suffix(['\'', '\u{2019}']).unwrap_or(word)
    }

    /// The longest name that ends where word `i` ends.
    pub(super) fn longest_ending_at(&self, i: usize) -> Option<&Name> {
        let end = self.words.get(i)?.end;
        let fits = |n: &&Name| n.range.end <= end && self.text[n.range.end..end].len() <= 4;
        let fits = |n: &&Name| fits(n) && n.range.end > self.words[i].start;
        self.names.iter().filter(fits).max_by_key(|n| n.range.len())
    }

    /// The longest name that begins with word `i`.
    pub(super) fn longest_starting_at(&self, i: usize) -> Option<&Name> {
        let start = self.words.get(i)?.start;
        self.names
            .iter()
            .filter(|n| n.range.start == start)
            .max_by_key(|n| n.range.len())
    }

    /// Content words outside names, lower case, once each, in order.
    pub(super) fn relation_words(&self) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        for (i, range) in self.words.iter().enumerate() {
            let joined = |n: &Name| {
                n.kind == NameKind::Joined
                    && n.range.start <= range.start
                    && range.end <= n.range.end
            };
            let word = self.stripped(i);
            let content = !is_function_word(word) || order_word(word);
            if content
                && !self.is_named(i)
                && !self.names.iter().any(joined)
                && !found.iter().any(|w| w == word)
            {
                found.push(word.to_owned());
            }
        }
        found
    }
}

/// Function words that carry the question's meaning all the same.
fn order_word(word: &str) -> bool {
    matches!(
        word,
        "first" | "last" | "same" | "before" | "after" | "early" | "late" | "second"
    )
}

/// Joins names that a question means as one: with their parenthesis, epithet, subtitle or
/// section; and leaves out adjectives of nationality, which describe the noun after them.
fn merged(text: &str, found: Vec<Name>, words: &[Range<usize>]) -> Vec<Name> {
    let mut kept: Vec<Name> = Vec::with_capacity(found.len());
    for mut name in found {
        if let Some(last) = kept.last_mut() {
            if name.range.end <= last.range.end {
                continue; // already inside
            }
            let gap = &text[last.range.end.min(name.range.start)..name.range.start];
            let sectioned = last.text.contains(" - ");
            let after = &text[name.range.end..];
            let joins = matches!(gap, " - " | " | " | ": ")
                || gap == " and " && sectioned && after.starts_with(['\'', '\u{2019}', ' ']);
            // `Harbour: The Hunt for the Lost Ship`
            let subtitle = last.text.contains(": ") && crate::names::is_connecting(gap);
            if (joins || subtitle) && last.kind != NameKind::Quoted && name.kind != NameKind::Quoted
            {
                last.range.end = name.range.end;
                text[last.range.clone()].clone_into(&mut last.text);
                continue;
            }
        }
        if is_nationality(text, &name, words) {
            continue;
        }
        let longer = |n: &Name| {
            n.alternatives
                .iter()
                .filter(|a| a.len() > n.text.len() && text[n.range.start..].starts_with(a.as_str()))
                .max_by_key(|a| a.len())
                .cloned()
        };
        if let Some(long) = longer(&name) {
            name.range.end = name.range.start + long.len();
            name.text = long;
        }
        // `the 2017 Harbour Games`, but not `in 1984 Ann Lee`.
        let wider = name.alternatives.iter().find(|a| {
            let dated = a.strip_suffix(name.text.as_str());
            dated.is_some_and(|d| d.starts_with(|c: char| c.is_ascii_digit()))
        });
        if let Some(wider) = wider {
            let start = name.range.end.saturating_sub(wider.len());
            let before = text.get(..start).unwrap_or_default().trim_end();
            let placed = ["in", "In", "since", "of", "by", "until"]
                .iter()
                .any(|p| before.ends_with(p));
            let free = kept.last().is_none_or(|last| last.range.end <= start);
            if free && !placed && text.get(start..name.range.end) == Some(wider.as_str()) {
                name.text.clone_from(wider);
                name.range.start = start;
            }
        }
        kept.push(name);
    }
    kept
}

/// `Danish` in `a Danish chemist`.
fn is_nationality(text: &str, name: &Name, words: &[Range<usize>]) -> bool {
    const ENDINGS: &[&str] = &[
        "ish",
        "ese",
        "ian",
        "ean",
        "ican",
        "French",
        "Dutch",
        "German",
        "Greek",
        "Swiss",
        "Israeli",
        "Iraqi",
        "Pakistani",
        "Thai",
        "Welsh",
        "Czech",
    ];
    if name.text.contains(' ') || !ENDINGS.iter().any(|e| name.text.ends_with(e)) {
        return false;
    }
    let at = words.partition_point(|w| w.start < name.range.end);
    words.get(at).is_some_and(|next| {
        let noun = &text[next.clone()];
        &text[name.range.end..next.start] == " "
            && noun.starts_with(char::is_lowercase)
            && !is_function_word(noun)
            && !super::answer::is_verb_like(noun)
    })
}

pub(super) fn is_auxiliary(word: &str) -> bool {
    matches!(
        word,
        "is" | "are"
            | "was"
            | "were"
            | "do"
            | "does"
            | "did"
            | "has"
            | "have"
            | "had"
            | "can"
            | "could"
            | "will"
            | "would"
            | "should"
            | "may"
            | "might"
            | "be"
            | "been"
            | "isn't"
            | "aren't"
            | "wasn't"
            | "weren't"
            | "don't"
            | "doesn't"
            | "didn't"
            | "hasn't"
            | "haven't"
    )
}

pub(super) fn is_question_word(word: &str) -> bool {
    matches!(
        word,
        "what"
            | "which"
            | "who"
            | "whom"
            | "whose"
            | "where"
            | "when"
            | "why"
            | "how"
            | "what's"
            | "who's"
            | "where's"
            | "when's"
    )
}
