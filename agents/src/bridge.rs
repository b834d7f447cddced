//! Names that lead from one passage to the passages that are about them.

use std::collections::BTreeMap;
use std::ops::Range;

use indago_core::PassageId;
use indago_core::ports::{Library, NameHit, RetrieveError};
use indago_text::Name;

use crate::asked::{Asked, rarity};
use crate::pool::{Lead, Pool};

/// Passages that one name may lead to.
const DEFINITIONS: usize = 6;

/// Readings of one name that are looked up.
const MAX_READINGS: usize = 12;

/// Names of one passage that are looked up; long passages are read from their beginning.
const MAX_NAMES: usize = 64;

/// Least score of a match that is exact but for a parenthesis: what is asked of a reading that the
/// text does not have as a name of its own.
const EXACT: f32 = 0.8;

/// One way to read a name.
struct Reading {
    range: Range<usize>,
    name: String,
    /// Made from the name's words rather than written as a name.
    derived: bool,
}

/// A name of a text that the corpus knows.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) name: String,
    /// First byte in the text.
    pub(crate) at: usize,
    /// Passages about it, best first.
    pub(crate) about: Vec<NameHit>,
}

/// The names of `text` that some passage is about: of overlapping readings, the longest.
pub(crate) async fn known_names(
    library: &dyn Library,
    names: &[Name],
    text: &str,
) -> Result<Vec<Known>, RetrieveError> {
    let readings: Vec<Reading> = names
        .iter()
        .take(MAX_NAMES)
        .flat_map(|name| readings(name, text))
        .collect();
    if readings.is_empty() {
        return Ok(Vec::new());
    }
    let asked = readings.iter().map(|r| r.name.clone()).collect();
    let about = library.defining(asked, DEFINITIONS).await?;
    let mut hits: Vec<(Range<usize>, String, Vec<NameHit>)> = readings
        .into_iter()
        .zip(about)
        .filter_map(|(reading, mut about)| {
            if reading.derived {
                about.retain(|hit| hit.score >= EXACT);
            }
            (!about.is_empty()).then_some((reading.range, reading.name, about))
        })
        .collect();
    // Longest first; a reading inside an accepted one is not what the text means.
    hits.sort_by(|a, b| (b.0.len(), a.0.start).cmp(&(a.0.len(), b.0.start)));
    let mut taken: Vec<Range<usize>> = Vec::new();
    let mut known = Vec::new();
    for (range, name, about) in hits {
        if taken
            .iter()
            .any(|t| t.start < range.end && range.start < t.end)
        {
            continue;
        }
        known.push(Known {
            name,
            at: range.start,
            about,
        });
        taken.push(range);
    }
    known.sort_by_key(|k| k.at);
    Ok(known)
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
    let capital = |r: &Range<usize>| {
        name.text[r.clone()]
            .chars()
            .next()
            .is_some_and(|c| c.is_uppercase() || c.is_numeric())
    };
    'all: for length in (1..words.len()).rev() {
        for window in words.windows(length) {
            let (Some(first), Some(last)) = (window.first(), window.last()) else {
                continue;
            };
            if !capital(first) || !capital(last) {
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
        let next = indago_text::words(rest.get(..40.min(rest.len())).unwrap_or_default());
        let goes_on = |w: &&Range<usize>| {
            rest[..w.start] == *" " && !indago_text::is_function_word(&rest[w.start..w.end])
        };
        if let Some(word) = next.first().filter(goes_on) {
            found.push(reading(
                start,
                &text[start..name.range.end + word.end],
                true,
            ));
        }
    }
    found
}

/// Follows the names of the passages `from` and notes on every passage they lead to how it was
/// reached. Gives the passages that are not in the pool yet.
pub(crate) async fn follow(
    library: &dyn Library,
    asked: &Asked,
    pool: &Pool,
    from: &[PassageId],
) -> Result<BTreeMap<PassageId, Vec<Lead>>, RetrieveError> {
    let mut leads: BTreeMap<PassageId, Vec<Lead>> = BTreeMap::new();
    for &id in from {
        let Some(candidate) = pool.get(id) else {
            continue;
        };
        let text = &candidate.passage.text;
        let names = indago_text::names(text);
        let mut best: BTreeMap<PassageId, Lead> = BTreeMap::new();
        for known in known_names(library, &names, text).await? {
            let share = 1.0 / (known.about.len() as f64).sqrt();
            let own = asked.terms_in(&known.name);
            let sentence = candidate
                .sentence_at(known.at)
                .map_or(0.0, |s| asked.share(s.terms & !own));
            let in_question = asked.mentions(&known.name);
            for hit in known.about {
                let strength = f64::from(hit.score) * share;
                let better = best.get(&hit.passage).is_none_or(|l| l.strength < strength);
                if hit.passage != id && better {
                    best.insert(
                        hit.passage,
                        Lead {
                            from: id,
                            name: known.name.clone(),
                            strength,
                            at: known.at,
                            sentence,
                            asked: in_question,
                        },
                    );
                }
            }
        }
        for (target, lead) in best {
            leads.entry(target).or_default().push(lead);
        }
    }
    Ok(leads)
}

/// The passages that the question's own names are about, with the weight of the name (its rarest
/// word's, scaled to 1 for a word that occurs about once in 20,000 passages) and one over the
/// number of passages about it.
pub(crate) async fn named(
    library: &dyn Library,
    asked: &Asked,
) -> Result<BTreeMap<PassageId, (f64, f64)>, RetrieveError> {
    let known = known_names(library, &asked.analysis.names, &asked.text).await?;
    let mut named: BTreeMap<PassageId, (f64, f64)> = BTreeMap::new();
    for name in known {
        let words: Vec<String> = indago_text::words(&name.name)
            .into_iter()
            .map(|r| name.name[r].to_lowercase())
            .collect();
        let frequencies = library.frequencies(words).await?;
        let weight = frequencies
            .into_iter()
            .map(|df| rarity(asked.passages, df))
            .fold(0.0, f64::max);
        let share = 1.0 / name.about.len() as f64;
        for hit in name.about {
            let value = f64::from(hit.score) * (weight / 10.0).min(1.0);
            let entry = named.entry(hit.passage).or_insert((value, share));
            if entry.0 < value {
                *entry = (value, share);
            }
        }
    }
    Ok(named)
}
