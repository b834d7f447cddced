//! The question as the searcher sees it: its analysis, and its terms with their weights.

use std::collections::BTreeMap;

use indago_core::ports::{Library, RetrieveError};
use indago_text::NameKind;
use indago_text::question::{Question, analyze};

/// Terms of a question that are weighed; what follows them is ignored.
const MAX_TERMS: usize = 128;

/// Longest text sent as a retrieval query, in bytes.
const MAX_QUERY_BYTES: usize = 2_000;

/// A set of question terms, one bit each.
pub(crate) type TermSet = u128;

/// A question with the weights of its terms in this corpus.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// As asked, trimmed.
    pub(crate) text: String,
    /// [`indago_text::normalize_name`] of the text, for asking whether a name occurs in it.
    pub(crate) normal: String,
    /// Its structure.
    pub(crate) analysis: Question,
    /// Passages in the corpus.
    pub(crate) passages: f64,
    terms: BTreeMap<String, usize>,
    weights: Vec<f64>,
    total: f64,
}

impl Asked {
    /// Analyzes `text` and asks the corpus how rare its words are.
    pub(crate) async fn new(library: &dyn Library, text: &str) -> Result<Self, RetrieveError> {
        let text = text.trim();
        let mut terms: BTreeMap<String, usize> = BTreeMap::new();
        let mut surface = Vec::new();
        indago_text::for_each_term(text, |term, range| {
            if terms.len() < MAX_TERMS && !terms.contains_key(term) {
                terms.insert(term.to_owned(), surface.len());
                surface.push(text[range].to_lowercase());
            }
        });
        let frequencies = library.frequencies(surface).await?;
        let passages = library.coverage().passages.max(1) as f64;
        let weights: Vec<f64> = frequencies.iter().map(|&df| rarity(passages, df)).collect();
        let total = weights.iter().sum::<f64>().max(f64::MIN_POSITIVE);
        Ok(Self {
            text: text.to_owned(),
            normal: indago_text::normalize_name(text),
            analysis: analyze(text),
            passages,
            terms,
            weights,
            total,
        })
    }

    /// The question as a retrieval query, cut to a sane length on a character boundary.
    pub(crate) fn query(&self) -> &str {
        let mut end = self.text.len().min(MAX_QUERY_BYTES);
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        &self.text[..end]
    }

    /// Which of the question's terms `text` contains.
    pub(crate) fn terms_in(&self, text: &str) -> TermSet {
        let mut set = 0;
        indago_text::for_each_term(text, |term, _| set |= self.bit(term));
        set
    }

    /// The term's bit; none for a term that the question does not have.
    pub(crate) fn bit(&self, term: &str) -> TermSet {
        self.terms.get(term).map_or(0, |&i| 1 << i)
    }

    /// All terms of the question.
    pub(crate) fn all(&self) -> TermSet {
        self.terms.values().fold(0, |set, &i| set | 1 << i)
    }

    /// Share of the question's weight that `set` carries, 0 to 1.
    pub(crate) fn share(&self, set: TermSet) -> f64 {
        self.weight(set) / self.total
    }

    /// Summed weights of the terms in `set`.
    pub(crate) fn weight(&self, set: TermSet) -> f64 {
        let mut rest = set;
        let mut sum = 0.0;
        while rest != 0 {
            let i = rest.trailing_zeros() as usize;
            sum += self.weights.get(i).copied().unwrap_or(0.0);
            rest &= rest - 1;
        }
        sum
    }

    /// The largest weight in `set`.
    pub(crate) fn heaviest(&self, set: TermSet) -> f64 {
        self.weights
            .iter()
            .enumerate()
            .filter(|(i, _)| set & (1 << i) != 0)
            .map(|(_, weight)| *weight)
            .fold(0.0, f64::max)
    }

    /// [`Self::heaviest`] on a scale from 0 to 1, the weight of a word that one passage has: the
    /// same in corpora of all sizes.
    pub(crate) fn rarest(&self, set: TermSet) -> f64 {
        self.heaviest(set) / rarity(self.passages, 1).max(1e-9)
    }

    /// The terms of `set`, in the order of the question.
    pub(crate) fn words(&self, set: TermSet) -> Vec<&str> {
        let mut words: Vec<(usize, &str)> = self
            .terms
            .iter()
            .filter(|&(_, &i)| set & (1 << i) != 0)
            .map(|(word, &i)| (i, word.as_str()))
            .collect();
        words.sort_unstable();
        words.into_iter().map(|(_, word)| word).collect()
    }

    /// Whether `name` occurs in the question, whatever its spelling.
    pub(crate) fn mentions(&self, name: &str) -> bool {
        contains_phrase(&self.normal, &indago_text::normalize_name(name))
    }

    /// Whether every term of `text` is one of the question's.
    pub(crate) fn has_all(&self, text: &str) -> bool {
        let terms = indago_text::terms(text);
        !terms.is_empty() && terms.iter().all(|t| self.bit(t) != 0)
    }

    /// Terms that stand in none of the question's names: what it says of them. All terms where
    /// nothing else is left.
    pub(crate) fn relation(&self) -> TermSet {
        let names = self.analysis.names.iter();
        let single = names.filter(|n| n.kind != NameKind::Joined);
        let named = single.fold(0, |set, n| set | self.terms_in(&n.text));
        match self.all() & !named {
            0 => self.all(),
            relation => relation,
        }
    }

    /// Terms of the relation that gives the answer: `founded` in `who founded the company that
    /// made N`, `capital` in `what is the capital of the state where N is`, and the verb at the
    /// end in `when was the director of N born`. The whole question where nothing nests.
    pub(crate) fn outermost(&self) -> TermSet {
        let words: Vec<(&str, std::ops::Range<usize>)> = indago_text::words(&self.text)
            .into_iter()
            .map(|r| (&self.text[r.clone()], r))
            .collect();
        let named = |r: &std::ops::Range<usize>| {
            let names = &self.analysis.names;
            names
                .iter()
                .any(|n| n.range.start <= r.start && r.end <= n.range.end)
        };
        let mut set = 0;
        let asks = [
            "who", "what", "which", "when", "where", "how", "whom", "whose",
        ];
        let first = words
            .iter()
            .position(|(w, r)| !named(r) && asks.contains(&w.to_lowercase().as_str()))
            .map_or(0, |i| i + 1);
        for (word, range) in words.iter().skip(first) {
            let lower = word.to_lowercase();
            let nests = matches!(
                lower.as_str(),
                "the"
                    | "a"
                    | "an"
                    | "of"
                    | "that"
                    | "which"
                    | "who"
                    | "whose"
                    | "whom"
                    | "where"
                    | "when"
                    | "from"
                    | "after"
                    | "before"
            );
            if set != 0 && (nests || named(range)) {
                break;
            }
            if !named(range) {
                set |= self.terms_in(word);
            }
        }
        // The main verb may stand at the end, behind the last name.
        let last = words.iter().rposition(|(_, r)| named(r));
        if let Some(last) = last {
            let rest: Vec<&str> = words.iter().skip(last + 1).map(|(w, _)| *w).collect();
            if rest.len() <= 2
                && let Some(word) = rest.last()
            {
                set |= self.terms_in(word);
            }
        }
        if set == 0 { self.all() } else { set }
    }
}

/// Inverse document frequency in BM25's form: large for rare terms, near zero for common ones.
pub(crate) fn rarity(passages: f64, frequency: u64) -> f64 {
    let df = frequency as f64;
    (1.0 + (passages - df + 0.5).max(0.0) / (df + 0.5)).ln()
}

/// Whether `phrase` occurs in `text` at word boundaries. Both are normalised.
pub(crate) fn contains_phrase(text: &str, phrase: &str) -> bool {
    !phrase.is_empty()
        && text.match_indices(phrase).any(|(at, _)| {
            let end = at + phrase.len();
            (at == 0 || text[..at].ends_with(' '))
                && (end == text.len() || text[end..].starts_with(' '))
        })
}
