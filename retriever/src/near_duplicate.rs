//! Near-duplicate passages: found cheaply by hashes, confirmed on the words.
//!
//! Charikar's simhash (STOC 2002) over index terms is computed when a passage is indexed. In a
//! result list, passages whose simhashes differ in few bits are candidates; they count as
//! duplicates only when their texts have nearly the same words and exactly the same numbers and
//! names, because "revenue was 5 million in 2019" is not "revenue was 7 million in 2020".

use std::collections::HashMap;

use indago_core::Hit;
use indago_core::ports::RetrieveError;
use indago_text::Language;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use crate::store::Store;

/// Bits in which the simhashes of candidates may differ.
const MAX_DISTANCE: u32 = 6;
/// Least share of common words (Jaccard, with multiplicity) of a near-duplicate.
const MIN_OVERLAP: f32 = 0.9;

/// Index terms of a text and what follows from them.
pub(crate) struct Analysed {
    /// The terms, a space after each.
    pub(crate) terms: String,
    pub(crate) n_terms: u32,
    pub(crate) simhash: u64,
}

/// One pass over the index terms of a text in `language`.
pub(crate) fn analyse(language: Language, text: &str) -> Analysed {
    let mut terms = String::with_capacity(text.len());
    let mut n_terms = 0;
    let mut votes = [0i32; 64];
    indago_text::for_each_term_in(language, text, |term, _| {
        terms.push_str(term);
        terms.push(' ');
        n_terms += 1;
        let hash = xxh3_64(term.as_bytes());
        for (bit, vote) in votes.iter_mut().enumerate() {
            *vote += ((hash >> bit & 1) as i32) * 2 - 1;
        }
    });
    let simhash = votes
        .iter()
        .enumerate()
        .fold(0, |hash, (bit, vote)| hash | (u64::from(*vote > 0) << bit));
    Analysed {
        terms,
        n_terms,
        simhash,
    }
}

/// Hash of the text's letters and digits, lower-cased: equal for texts that differ in spacing and
/// punctuation only.
pub(crate) fn text_hash(text: &str) -> u64 {
    let mut hash = Xxh3::new();
    for span in indago_text::words(text) {
        hash.update(text[span].to_lowercase().as_bytes());
        hash.update(&[0]);
    }
    hash.digest()
}

/// Folds near-duplicates of better hits into them. `hits` are best first and stay so.
pub(crate) fn collapse(store: &Store, hits: Vec<Hit>) -> Result<Vec<Hit>, RetrieveError> {
    let mut kept: Vec<(Hit, Option<Print>)> = Vec::with_capacity(hits.len());
    for hit in hits {
        let print = store.row_of(hit.passage).map(|row| Print::of(store, row));
        let mut original = None;
        if let Some(print) = &print {
            for (i, (_, other)) in kept.iter().enumerate() {
                if let Some(other) = other
                    && print.matches(other, store)?
                {
                    original = Some(i);
                    break;
                }
            }
        }
        match original {
            Some(i) => {
                let duplicates = &mut kept[i].0.duplicates;
                duplicates.push(hit.passage);
                duplicates.extend(hit.duplicates);
            }
            None => kept.push((hit, print)),
        }
    }
    Ok(kept.into_iter().map(|(hit, _)| hit).collect())
}

/// What is compared of a passage.
struct Print {
    row: crate::store::rows::PassageRow,
}

impl Print {
    fn of(store: &Store, row: u32) -> Self {
        Self {
            row: store.passage_row(row),
        }
    }

    fn matches(&self, other: &Self, store: &Store) -> Result<bool, RetrieveError> {
        if (self.row.simhash ^ other.row.simhash).count_ones() > MAX_DISTANCE {
            return Ok(false);
        }
        let (a, b) = (
            store.passage_text(&self.row)?,
            store.passage_text(&other.row)?,
        );
        // Same words under another title say something else: the title is part of the sentence.
        let titles = |p: &Self| store.record(p.row.document).map(|record| record.title);
        if titles(self)? != titles(other)? {
            return Ok(false);
        }
        Ok(self.row.text_hash == other.row.text_hash || same_statement(a, b))
    }
}

/// Whether two texts have nearly the same words and exactly the same numbers and capitalised
/// words.
fn same_statement(a: &str, b: &str) -> bool {
    let (a, b) = (bag(a), bag(b));
    let mut common = 0;
    let mut all = 0;
    for (word, n) in &a {
        let m = b.get(word).copied().unwrap_or(0);
        common += *n.min(&m);
        all += *n.max(&m);
        if is_telling(word) && *n != m {
            return false;
        }
    }
    for (word, m) in &b {
        if !a.contains_key(word) {
            if is_telling(word) {
                return false;
            }
            all += m;
        }
    }
    all > 0 && common as f32 / all as f32 >= MIN_OVERLAP
}

/// A word whose change changes the statement: a number or a capitalised word.
fn is_telling(word: &str) -> bool {
    word.chars().next().is_some_and(char::is_uppercase) || word.contains(|c: char| c.is_numeric())
}

fn bag(text: &str) -> HashMap<&str, u32> {
    let mut bag = HashMap::new();
    for span in indago_text::words(text) {
        *bag.entry(&text[span]).or_insert(0) += 1;
    }
    bag
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "The river rises in the northern hills near Alston and runs for about 90 \
                        kilometres through farmland before it meets the sea at the old harbour.";

    #[test]
    fn spacing_and_one_small_word_make_no_difference() {
        assert_eq!(text_hash("A  b,c"), text_hash("a b\nC"));
        assert!(same_statement(TEXT, &TEXT.replace("about ", "")));
    }

    #[test]
    fn another_number_or_name_makes_another_statement() {
        assert!(!same_statement(TEXT, &TEXT.replace("90", "95")));
        assert!(!same_statement(TEXT, &TEXT.replace("Alston", "Hexham")));
    }

    #[test]
    fn small_changes_move_few_bits() {
        let a = analyse(Language::English, TEXT);
        let b = analyse(Language::English, &TEXT.replace("about ", ""));
        let other = analyse(
            Language::English,
            "Bread is baked from flour, water, salt and yeast in a hot oven.",
        );
        assert!((a.simhash ^ b.simhash).count_ones() <= MAX_DISTANCE);
        assert!((a.simhash ^ other.simhash).count_ones() > MAX_DISTANCE);
        assert_eq!(a.n_terms as usize, a.terms.split_terminator(' ').count());
    }
}
