//! Names met in a text that some passage of the corpus is about.
//!
//! A name can be read in several ways ("King Henry III of England"): as it stands, by its
//! alternatives, or as a shorter run of its words. Of overlapping readings that the corpus knows,
//! the longest is what the text means.

use std::ops::Range;

use indago_core::ports::{CorpusStats, NameHit, NameIndex};
use indago_text::Name;

use super::question::is_abbreviation;

/// Passages that one name may lead to.
const MAX_DEFINITIONS: usize = 6;
/// Readings of one name that are looked up.
const MAX_READINGS: usize = 12;
/// Names of one text that are looked up; long texts are read from their beginning.
const MAX_NAMES: usize = 64;
/// Least score of a match for a reading that was made from a name's words rather than written:
/// exact but for a parenthesis.
const EXACT: f32 = 0.8;

/// Part of the corpus that may have a name of one word for it to lead anywhere, and the passages of
/// which it may always.
const COMMON: (u64, u64) = (20, 20);

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

/// The mentions of running text that are worth following, with the passages they lead to.
///
/// Left out are abbreviations; words that one in twenty passages has (`Data` opens sentences, and
/// some passage defines it); and definitions of common nouns, which running text writes with a
/// capital in titles and at the start of sentences only.
pub(crate) fn followed(mut mentions: Vec<Mention>, stats: &dyn CorpusStats) -> Vec<Mention> {
    let (part, always) = COMMON;
    let most = (stats.n_passages() / part).max(always);
    for mention in &mut mentions {
        mention.about.retain(|hit| !is_common_noun(&hit.name));
    }
    let is_common = |name: &str| {
        let one_word = !name.contains(char::is_whitespace);
        one_word && stats.document_frequency(&name.to_lowercase()) > most
    };
    mentions.retain(|mention| {
        let name = &mention.name;
        !mention.about.is_empty() && !is_abbreviation(name) && !is_common(name)
    });
    mentions
}

/// Whether a definition writes its name as no name is written: in small letters.
fn is_common_noun(name: &str) -> bool {
    name.contains(char::is_lowercase)
        && !name.contains(|c: char| c.is_uppercase() || c.is_numeric())
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

#[cfg(test)]
mod tests {
    use indago_core::PassageId;

    use super::*;

    struct Thousand;

    impl CorpusStats for Thousand {
        fn n_passages(&self) -> u64 {
            1000
        }

        fn document_frequency(&self, term: &str) -> u64 {
            match term {
                "data" => 51,
                "paris" => 50,
                _ => 1,
            }
        }
    }

    fn mention(name: &str, defined_as: &[&str]) -> Mention {
        let hit = |name: &&str| NameHit {
            passage: PassageId([1; 16]),
            score: 1.0,
            name: (*name).to_owned(),
        };
        Mention {
            range: 0..name.len(),
            name: name.to_owned(),
            about: defined_as.iter().map(hit).collect(),
        }
    }

    #[test]
    fn what_is_no_telling_name_is_not_followed() {
        let mentions = vec![
            mention("Paris", &["Paris"]),
            mention("Data", &["Data"]),
            mention("Retrieval System", &["retrieval system"]),
            mention("Time Sharing", &["time sharing", "Time Sharing"]),
            mention("UCB (n = 60)", &["UCB"]),
            mention("iPhone", &["iPhone"]),
            mention("東京", &["東京"]),
        ];
        let kept = followed(mentions, &Thousand);
        let names: Vec<&str> = kept.iter().map(|m| m.name.as_str()).collect();
        assert_eq!(names, ["Paris", "Time Sharing", "iPhone", "東京"]);
        assert_eq!(kept[1].about.len(), 1);
    }

    #[test]
    fn a_name_of_one_word_may_be_common_in_a_small_corpus() {
        struct Ten;
        impl CorpusStats for Ten {
            fn n_passages(&self) -> u64 {
                10
            }
            fn document_frequency(&self, _: &str) -> u64 {
                10
            }
        }
        assert_eq!(followed(vec![mention("Vinda", &["Vinda"])], &Ten).len(), 1);
    }
}
