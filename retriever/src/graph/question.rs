//! A query's terms and their weights in a corpus, as sets of bits.

use std::collections::HashMap;

use indago_core::ports::CorpusStats;

/// Terms of a query that are weighed; what follows them is ignored.
const MAX_TERMS: usize = 128;
/// Greatest weight of a term: that of one that some 20,000th passage has.
const MAX_WEIGHT: f32 = 10.0;

/// A set of the query's terms, one bit each.
pub(crate) type TermSet = u128;

/// A query's terms with the logarithm of how rare each is.
#[derive(Debug)]
pub(crate) struct QueryTerms {
    bits: HashMap<String, usize>,
    weights: Vec<f32>,
    total: f32,
    /// The query with one space around each of its lower-cased words.
    spaced: String,
}

impl QueryTerms {
    pub(crate) fn new(text: &str, stats: &dyn CorpusStats) -> Self {
        let mut bits: HashMap<String, usize> = HashMap::new();
        let mut weights = Vec::new();
        indago_text::for_each_term(text, |term, range| {
            if weights.len() < MAX_TERMS && !bits.contains_key(term) {
                bits.insert(term.to_owned(), weights.len());
                weights.push(rarity(stats, &text[range]));
            }
        });
        let total = weights.iter().sum::<f32>().max(f32::MIN_POSITIVE);
        Self {
            bits,
            weights,
            total,
            spaced: spaced(text),
        }
    }

    /// The query's terms that `text` has.
    pub(crate) fn in_text(&self, text: &str) -> TermSet {
        let mut set = 0;
        indago_text::for_each_term(text, |term, _| {
            set |= self.bits.get(term).map_or(0, |&i| 1 << i);
        });
        set
    }

    pub(crate) fn all(&self) -> TermSet {
        (0..self.weights.len()).fold(0, |set, i| set | 1 << i)
    }

    /// Share of the query's weight that `set` carries, 0 to 1.
    pub(crate) fn share(&self, set: TermSet) -> f32 {
        self.weight(set) / self.total
    }

    pub(crate) fn weight(&self, set: TermSet) -> f32 {
        let one = |(i, w): (usize, &f32)| if set & (1 << i) == 0 { 0.0 } else { *w };
        self.weights.iter().enumerate().map(one).sum()
    }

    /// Whether the query has the words of `name`, in a row.
    pub(crate) fn mentions(&self, name: &str) -> bool {
        let name = spaced(name);
        name.len() > 1 && self.spaced.contains(&name)
    }
}

/// Lower-cased words without possessive `'s`, with a space before, between and after.
fn spaced(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push(' ');
    for range in indago_text::words(text) {
        let word = text[range].to_lowercase();
        let bare = word.strip_suffix("'s").or(word.strip_suffix("\u{2019}s"));
        out.push_str(bare.unwrap_or(&word));
        out.push(' ');
    }
    out
}

/// Logarithm of passages per passage with the word; 0 for a word that no passage has.
fn rarity(stats: &dyn CorpusStats, word: &str) -> f32 {
    let frequency = stats.document_frequency(&word.to_lowercase());
    if frequency == 0 {
        return 0.0;
    }
    let ratio = (stats.n_passages() as f32 + 1.0) / (frequency as f32 + 0.5);
    ratio.ln().clamp(0.0, MAX_WEIGHT)
}

/// How telling a name is: its rarest word's [`rarity`], scaled to 0..=1.
pub(crate) fn specificity(stats: &dyn CorpusStats, name: &str) -> f32 {
    let words = indago_text::words(name).into_iter();
    let rarest = words.map(|r| rarity(stats, &name[r])).fold(0.0, f32::max);
    rarest / MAX_WEIGHT
}

/// Whether a name is an abbreviation: it stands for too many things to say which passage is meant.
pub(crate) fn is_abbreviation(name: &str) -> bool {
    let name = indago_text::strip_disambiguation(name);
    let upper = name.chars().filter(|c| c.is_uppercase()).count();
    let lower = name.chars().filter(|c| c.is_lowercase()).count();
    upper >= 2 && lower <= upper && !name.contains(char::is_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Stats;

    impl CorpusStats for Stats {
        fn n_passages(&self) -> u64 {
            1000
        }

        fn document_frequency(&self, term: &str) -> u64 {
            match term {
                "lighthouse" => 2,
                "built" => 100,
                "the" => 1000,
                _ => 0,
            }
        }
    }

    #[test]
    fn rare_terms_weigh_more_and_unknown_ones_nothing() {
        let terms = QueryTerms::new("Who built the lighthouse at Zzyzx?", &Stats);
        let lighthouse = terms.in_text("Lighthouses of the coast");
        assert!(terms.share(lighthouse) > 0.6);
        assert!((terms.share(terms.all()) - 1.0).abs() < 1e-6);
        assert_eq!(terms.share(terms.in_text("Zzyzx")), 0.0);
        assert!(specificity(&Stats, "the lighthouse") > 2.0 * specificity(&Stats, "built the"));
    }

    #[test]
    fn a_name_is_found_by_whole_words() {
        let terms = QueryTerms::new("Was Ann Lee-Smith older than Bo?", &Stats);
        assert!(terms.mentions("ann lee-smith"));
        // A hyphen makes one word of two: Ann Lee is somebody else.
        assert!(!terms.mentions("Ann Lee"));
        assert!(terms.mentions("Bo"));
        assert!(!terms.mentions("An"));
        assert!(!terms.mentions(""));
        assert!(QueryTerms::new("Who wrote Ann's diary?", &Stats).mentions("Ann"));
    }

    #[test]
    fn abbreviations_are_told_from_names() {
        assert!(
            ["NASA", "IL-10", "mTORC1", "BRCA1", "UCB (n = 60)"]
                .into_iter()
                .all(is_abbreviation)
        );
        assert!(
            !["McAdam", "Ann Lee", "JFK Airport", "Lima (CA)", "X"]
                .into_iter()
                .any(is_abbreviation)
        );
    }

    #[test]
    fn long_queries_are_cut() {
        let long: String = (0..10_000).map(|i| format!("w{i} ")).collect();
        let terms = QueryTerms::new(&long, &Stats);
        assert_eq!(terms.all().count_ones(), 128);
        assert_eq!(QueryTerms::new("", &Stats).share(0), 0.0);
    }
}
