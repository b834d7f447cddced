//! Which passages say least, whatever is asked: those that a corpus may leave without vectors.
//!
//! Passage quality pruning ("could this answer anything?") drops the lowest quarter before the
//! expensive encoder runs. The published scorers are small models trained on judged passages; this
//! one is not trained and looks at the corpus alone: a passage is worth the sum of the inverse
//! document frequencies, `ln(1 + N / df)`, of its different index terms. Sentences that stand in
//! several passages of different text are boilerplate and count for nothing. So short passages,
//! lists of links, navigation, licences and running headers come first to go. It says nothing about
//! whether a passage is true or well written.
//!
//! The choice is a function of the corpus and the share alone: the same corpus leaves out the same
//! passages, however it came about.

use std::collections::{BTreeMap, HashMap, HashSet};

use indago_core::Cancel;
use indago_core::ports::RetrieveError;
use xxhash_rust::xxh3::xxh3_64;

use crate::store::Store;

/// Key of an embedded text.
type Key = [u8; 16];

/// Different texts with the same sentence from which on it is boilerplate.
const REPEATED: u32 = 3;
/// Bytes below which a sentence is too short to be called boilerplate.
const SHORT: usize = 20;
/// Parts of a whole that shares are given in.
pub(crate) const WHOLE: u32 = 1000;

/// The texts that a share of `per_mille` leaves out, by key: the lowest, ties by key. Passages of
/// equal indexed text go together, and never more than the share goes.
///
/// # Errors
/// When the store is corrupt, or cancelled.
pub(crate) fn lowest(
    store: &Store,
    per_mille: u32,
    cancel: &Cancel,
) -> Result<HashSet<Key>, RetrieveError> {
    let most = u64::from(store.n_passages()) * u64::from(per_mille.min(WHOLE)) / u64::from(WHOLE);
    if most == 0 {
        return Ok(HashSet::new());
    }
    let mut units: BTreeMap<Key, (u32, u64)> = BTreeMap::new();
    for row in 0..store.n_passages() {
        let key = store.passage_row(row).embed_key;
        units.entry(key).or_insert((row, 0)).1 += 1;
    }
    let rows: Vec<u32> = units.values().map(|(row, _)| *row).collect();
    let text = |row: u32| store.passage_text(&store.passage_row(row));
    let scores = scores(rows.len(), |i| text(rows[i]), cancel)?;
    let mut order: Vec<(f64, Key, u64)> = units
        .into_iter()
        .zip(scores)
        .map(|((key, (_, passages)), score)| (score, key, passages))
        .collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut left = most;
    let mut out = HashSet::new();
    for (_, key, passages) in order {
        let Some(rest) = left.checked_sub(passages) else {
            break;
        };
        left = rest;
        out.insert(key);
    }
    Ok(out)
}

/// What each of `n` texts is worth, in nats.
fn scores<'a>(
    n: usize,
    text: impl Fn(usize) -> Result<&'a str, RetrieveError>,
    cancel: &Cancel,
) -> Result<Vec<f64>, RetrieveError> {
    let mut having: HashMap<u64, u32> = HashMap::new();
    let mut repeated: HashMap<u64, u32> = HashMap::new();
    for i in 0..n {
        cancel.check()?;
        let text = text(i)?;
        for term in terms(text) {
            *having.entry(term).or_default() += 1;
        }
        let own: HashSet<u64> = sentences(text).filter_map(|(hash, _)| hash).collect();
        for sentence in own {
            *repeated.entry(sentence).or_default() += 1;
        }
    }
    let mut scores = Vec::with_capacity(n);
    for i in 0..n {
        cancel.check()?;
        let telling: HashSet<u64> = sentences(text(i)?)
            .filter(|(hash, _)| {
                hash.is_none_or(|hash| repeated.get(&hash).is_none_or(|times| *times < REPEATED))
            })
            .flat_map(|(_, sentence)| terms(sentence))
            .collect();
        // In a fixed order, because sums of floats depend on it.
        let mut worth: Vec<f64> = telling
            .iter()
            .filter_map(|term| having.get(term))
            .map(|having| (n as f64 / f64::from(*having)).ln_1p())
            .collect();
        worth.sort_by(f64::total_cmp);
        scores.push(worth.iter().sum());
    }
    Ok(scores)
}

/// The different index terms of a text, hashed.
fn terms(text: &str) -> HashSet<u64> {
    let mut found = HashSet::new();
    indago_text::for_each_term(text, |term, _| {
        found.insert(xxh3_64(term.as_bytes()));
    });
    found
}

/// The sentences of a text, with the hash of their letters and digits where they are long enough.
fn sentences(text: &str) -> impl Iterator<Item = (Option<u64>, &str)> {
    let ranges = indago_text::sentences(text).into_iter();
    ranges.map(|range| {
        let sentence = text.get(range).unwrap_or_default();
        let long = sentence.len() >= SHORT;
        let hash = long.then(|| crate::near_duplicate::text_hash(sentence));
        (hash, sentence)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(texts: &[&str]) -> Vec<f64> {
        scores(texts.len(), |i| Ok(texts[i]), &Cancel::new()).unwrap()
    }

    #[test]
    fn telling_words_count_once_and_boilerplate_does_not() {
        const FOOTER: &str = "All rights reserved by the publisher of this page.";
        let boiler = |text: &str| format!("{text} {FOOTER}");
        let texts = [
            boiler("The Skerry lighthouse was lit in 1889."),
            boiler("Ines Falk studied engineering in Trondheim."),
            boiler(""),
            "Harbour harbour harbour harbour harbour.".to_owned(),
            String::new(),
        ];
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let found = of(&texts);
        assert_eq!(found[2], 0.0, "nothing but boilerplate");
        assert_eq!(found[4], 0.0);
        assert!(
            (found[3] - 6.0_f64.ln()).abs() < 1e-12,
            "one word in one of five"
        );
        assert!(found[0] > found[3] && found[1] > found[3], "{found:?}");
    }

    #[test]
    fn a_frequent_word_is_worth_less_than_a_rare_one() {
        let found = of(&["boat", "boat", "boat", "lighthouse"]);
        assert!(found[3] > found[0]);
        assert!((found[0] - (1.0 + 4.0_f64 / 3.0).ln()).abs() < 1e-12);
    }
}
