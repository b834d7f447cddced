//! What passages are read for: the phrases of each, kept so that no text is read twice.

use std::collections::HashMap;

use indago_core::ports::Facts;
use indago_text::normalize_name;
use serde::{Deserialize, Serialize};

/// What is read; another number, and everything is read again.
pub(crate) const READING: u32 = 1;
/// Phrases of a passage that are used.
const MAX_PHRASES: usize = 64;

/// The normalised phrases of a text, each once.
pub(crate) fn phrases_of(text: &str) -> Vec<String> {
    let mut found: Vec<String> = indago_text::names(text)
        .into_iter()
        .take(MAX_PHRASES)
        .map(|name| normalize_name(&name.text))
        .filter(|name| name.chars().count() >= 3)
        .collect();
    found.sort();
    found.dedup();
    found
}

/// One phrase, normalised; `None` where it is too short to lead anywhere.
pub(super) fn phrase_of(text: &str) -> Option<String> {
    Some(normalize_name(text)).filter(|phrase| phrase.chars().count() >= 3)
}

/// What names a title and a text, whichever passages have them.
pub(crate) type Key = [u8; 16];

pub(crate) fn key_of(title: &str, text: &str) -> Key {
    let mut hash = blake3::Hasher::new();
    hash.update(&(title.len() as u64).to_le_bytes());
    hash.update(title.as_bytes());
    hash.update(text.as_bytes());
    let mut key = [0; 16];
    key.copy_from_slice(&hash.finalize().as_bytes()[..16]);
    key
}

/// What rules read off one passage.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reading {
    /// Its title, normalised; empty where it has none.
    title: String,
    n_sentences: u32,
    /// The phrases of the sentences that have some.
    sentences: Vec<Vec<String>>,
}

impl Reading {
    pub(crate) fn of(title: &str, text: &str) -> Self {
        let mut reading = Self {
            title: normalize_name(title),
            ..Self::default()
        };
        for range in indago_text::sentences(text) {
            let Some(sentence) = text.get(range) else {
                continue;
            };
            reading.n_sentences += 1;
            let phrases = phrases_of(sentence);
            if !phrases.is_empty() {
                reading.sentences.push(phrases);
            }
        }
        reading
    }
}

/// A reading in numbers of phrases: the title's number and one, or 0; the number of sentences; then
/// of each sentence with phrases how many and which.
pub(super) struct Numbered<'a>(pub(super) &'a [u32]);

impl<'a> Numbered<'a> {
    pub(super) fn title(&self) -> Option<u32> {
        self.0.first()?.checked_sub(1)
    }

    pub(super) fn n_sentences(&self) -> u32 {
        self.0.get(1).copied().unwrap_or_default()
    }

    pub(super) fn sentences(&self) -> impl Iterator<Item = &'a [u32]> + use<'a> {
        let mut rest = self.0.get(2..).unwrap_or_default();
        std::iter::from_fn(move || {
            let (count, after) = rest.split_first()?;
            let (phrases, after) = after.split_at_checked(*count as usize)?;
            rest = after;
            Some(phrases)
        })
    }

    /// The same with other numbers for phrases; `None` where it is no reading.
    pub(super) fn renumbered(
        &self,
        mut number: impl FnMut(u32) -> Option<u32>,
    ) -> Option<Vec<u32>> {
        let title = match self.title() {
            Some(title) => number(title)? + 1,
            None => 0,
        };
        let mut out = vec![title, self.n_sentences()];
        for phrases in self.sentences() {
            out.push(phrases.len() as u32);
            for phrase in phrases {
                out.push(number(*phrase)?);
            }
        }
        (out.len() == self.0.len()).then_some(out)
    }
}

/// What one passage adds to the graph.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// What rules read off this text.
    Rules(Key),
    /// Its phrases, and those that facts connect.
    Facts(Vec<u32>, Vec<(u32, u32)>),
}

/// All that was read, phrases by number.
#[derive(Debug, Default)]
pub(crate) struct Readings {
    numbers: HashMap<String, u32>,
    pub(super) phrases: Vec<String>,
    places: HashMap<Key, usize>,
    pub(super) keys: Vec<Key>,
    pub(super) starts: Vec<usize>,
    pub(super) stream: Vec<u32>,
    /// By row of the store.
    pub(super) rows: Vec<Source>,
}

impl Readings {
    pub(super) fn number(&mut self, phrase: &str) -> u32 {
        if let Some(number) = self.numbers.get(phrase) {
            return *number;
        }
        let number = self.phrases.len() as u32;
        self.numbers.insert(phrase.to_owned(), number);
        self.phrases.push(phrase.to_owned());
        number
    }

    /// Whether a text has been read.
    pub(super) fn has(&self, key: &Key) -> bool {
        self.places.contains_key(key)
    }

    fn keep(&mut self, key: Key, numbered: &[u32]) {
        self.places.insert(key, self.keys.len());
        self.keys.push(key);
        self.starts.push(self.stream.len());
        self.stream.extend(numbered);
    }

    pub(super) fn push(&mut self, key: Key, reading: &Reading) {
        let mut numbered = vec![0, reading.n_sentences];
        if !reading.title.is_empty() {
            numbered[0] = self.number(&reading.title) + 1;
        }
        for phrases in &reading.sentences {
            numbered.push(phrases.len() as u32);
            numbered.extend(phrases.iter().map(|phrase| self.number(phrase)));
        }
        self.keep(key, &numbered);
    }

    /// Takes over what was read before, whose phrases `phrase` gives by their numbers then.
    pub(super) fn carry<'a>(
        &mut self,
        key: Key,
        numbered: &Numbered<'_>,
        phrase: impl Fn(u32) -> Option<&'a str>,
    ) -> Option<()> {
        let numbered = numbered.renumbered(|number| Some(self.number(phrase(number)?)))?;
        self.keep(key, &numbered);
        Some(())
    }

    /// The next passage of the store: one whose text is read, sooner or later.
    pub(super) fn row(&mut self, key: Key) {
        self.rows.push(Source::Rules(key));
    }

    /// The next passage of the store: one whose names and facts were extracted.
    pub(super) fn row_with_facts(&mut self, title: &str, facts: &Facts) {
        let mut own = Vec::new();
        for phrase in std::iter::once(title).chain(facts.names.iter().map(String::as_str)) {
            if let Some(phrase) = phrase_of(phrase) {
                own.push(self.number(&phrase));
            }
        }
        let mut pairs = Vec::new();
        for triple in &facts.triples {
            let ends = (phrase_of(&triple.subject), phrase_of(&triple.object));
            let (Some(subject), Some(object)) = ends else {
                continue;
            };
            let (a, b) = (self.number(&subject), self.number(&object));
            own.extend([a, b]);
            if a != b {
                pairs.push((a, b));
            }
        }
        self.rows.push(Source::Facts(own, pairs));
    }

    /// Numbers phrases by their order and puts readings in that of their keys, so that equal passages
    /// give equal files however they came.
    pub(super) fn sort(&mut self) {
        let mut order: Vec<u32> = (0..self.phrases.len() as u32).collect();
        order.sort_by(|a, b| self.phrases[*a as usize].cmp(&self.phrases[*b as usize]));
        let mut ranks = vec![0; order.len()];
        for (rank, number) in order.iter().enumerate() {
            ranks[*number as usize] = rank as u32;
        }
        let rank = |number: u32| ranks.get(number as usize).copied();
        self.numbers.clear();
        self.phrases.sort_unstable();
        let mut places: Vec<(Key, usize)> = self.places.drain().collect();
        places.sort_unstable();
        let ends = self.starts.iter().skip(1).copied();
        let ends: Vec<usize> = ends.chain([self.stream.len()]).collect();
        let mut stream = Vec::with_capacity(self.stream.len());
        let mut starts = Vec::with_capacity(places.len() + 1);
        for (now, (key, before)) in places.iter().enumerate() {
            starts.push(stream.len());
            let reading = Numbered(&self.stream[self.starts[*before]..ends[*before]]);
            stream.extend(reading.renumbered(rank).unwrap_or_default());
            self.places.insert(*key, now);
        }
        starts.push(stream.len());
        self.keys = places.into_iter().map(|(key, _)| key).collect();
        self.starts = starts;
        self.stream = stream;
        for source in &mut self.rows {
            if let Source::Facts(own, pairs) = source {
                for phrase in own
                    .iter_mut()
                    .chain(pairs.iter_mut().flat_map(|(a, b)| [a, b]))
                {
                    *phrase = rank(*phrase).unwrap_or_default();
                }
            }
        }
    }

    /// What was read of a text; nothing where it was not.
    pub(super) fn reading(&self, key: &Key) -> Numbered<'_> {
        let bounds = self.places.get(key).and_then(|place| {
            let end = self.starts.get(place + 1)?;
            self.stream.get(*self.starts.get(*place)?..*end)
        });
        Numbered(bounds.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_that_are_no_reading_do_no_harm(
            numbers in prop::collection::vec(0u32..9, 0..20),
        ) {
            let numbered = Numbered(&numbers);
            let _ = numbered.renumbered(Some);
            prop_assert!(numbered.sentences().map(<[u32]>::len).sum::<usize>() <= numbers.len());
        }
    }
}
