//! What the claims of a reading rest on.
//!
//! A claim names its quotes by their positions, from 0. Small models count from 1 instead, or write
//! the number of the passage, or copy a sentence as the claim itself. What they mean can be told
//! from the reading as a whole; what a claim then rests on is checked like everything else.

use indago_core::Quote;

/// How a reading names its quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Numbering {
    /// By positions, from 0: what was asked for.
    FromZero,
    /// By positions, from 1.
    FromOne,
    /// By the numbers of the passages that the quotes stand in.
    Passages,
}

/// The quotes of a reading, each with the number of its passage; `None` for one that does not stand
/// there.
#[derive(Debug)]
pub(super) struct Quoted {
    passages: Vec<u32>,
    quotes: Vec<Option<Quote>>,
    numbering: Numbering,
}

impl Quoted {
    /// Quotes with the numbers of their passages, and all that the claims name them by.
    pub(super) fn new(
        quotes: Vec<(u32, Option<Quote>)>,
        named: impl Iterator<Item = usize> + Clone,
    ) -> Self {
        let (passages, quotes): (Vec<u32>, Vec<Option<Quote>>) = quotes.into_iter().unzip();
        let fits = |is: &dyn Fn(usize) -> bool| named.clone().all(is);
        let numbering = if fits(&|n| n < quotes.len()) {
            Numbering::FromZero
        } else if fits(&|n| (1..=quotes.len()).contains(&n)) {
            Numbering::FromOne
        } else if fits(&|n| passages.iter().any(|p| *p as usize == n)) {
            Numbering::Passages
        } else {
            Numbering::FromZero
        };
        Self {
            passages,
            quotes,
            numbering,
        }
    }

    /// All quotes that stand where they should.
    pub(super) fn into_quotes(self) -> impl Iterator<Item = Quote> {
        self.quotes.into_iter().flatten()
    }

    /// The quotes that a claim names, each once and in the order in which it names them.
    pub(super) fn named(&self, by: &[usize]) -> Vec<Quote> {
        let mut resting: Vec<Quote> = Vec::new();
        for &n in by {
            let places: Vec<usize> = match self.numbering {
                Numbering::FromZero => vec![n],
                Numbering::FromOne => n.checked_sub(1).into_iter().collect(),
                Numbering::Passages => (0..self.passages.len())
                    .filter(|&i| self.passages[i] as usize == n)
                    .collect(),
            };
            for quote in places
                .into_iter()
                .filter_map(|i| self.quotes.get(i)?.clone())
            {
                if !resting.contains(&quote) {
                    resting.push(quote);
                }
            }
        }
        resting
    }
}

#[cfg(test)]
mod tests {
    use indago_core::{DocumentId, PassageId};

    use super::*;

    fn quote(text: &str) -> Quote {
        let document = DocumentId::new("d");
        Quote {
            passage: PassageId::of(&document, 0, 9, text),
            document,
            start: 0,
            end: text.len() as u64,
            text: text.to_owned(),
        }
    }

    /// Texts of what each claim rests on.
    fn resting(quotes: &[(u32, &str)], claims: &[&[usize]]) -> Vec<Vec<String>> {
        let quotes = quotes
            .iter()
            .map(|(passage, text)| (*passage, (!text.is_empty()).then(|| quote(text))))
            .collect();
        let quoted = Quoted::new(quotes, claims.iter().copied().flatten().copied());
        let texts = |by: &&[usize]| quoted.named(by).into_iter().map(|q| q.text).collect();
        claims.iter().map(texts).collect()
    }

    #[test]
    fn positions_count_from_zero_wherever_they_can() {
        let quotes = [(3, "a"), (1, "b")];
        assert_eq!(
            resting(&quotes, &[&[0], &[1, 0, 1]]),
            [vec!["a"], vec!["b", "a"]]
        );
        // One that is not there is left out.
        assert_eq!(resting(&quotes, &[&[0, 7]]), [vec!["a"]]);
        assert_eq!(
            resting(&[(3, ""), (1, "b")], &[&[0], &[1]]),
            [vec![], vec!["b"]]
        );
    }

    #[test]
    fn another_way_of_counting_is_told_from_all_claims() {
        assert_eq!(
            resting(&[(3, "a"), (1, "b")], &[&[1], &[2]]),
            [["a"], ["b"]]
        );
        let quotes = [(4, "a"), (7, "b"), (4, "c")];
        assert_eq!(resting(&quotes, &[&[4], &[7]]), [vec!["a", "c"], vec!["b"]]);
        assert_eq!(resting(&[], &[&[4]]), [Vec::<String>::new()]);
    }
}
