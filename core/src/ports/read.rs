//! Where in a passage an answer stands.

use std::ops::Range;

use super::EncodeError;
use crate::Cancel;

/// Longest span that is taken for an answer, in tokens.
const LONGEST: usize = 24;

/// A token of a passage, and what speaks for the answer starting or ending with it: logits, from
/// which those of "the answer is not here" are taken.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenScore {
    /// Bytes of the passage's text: the word that the token is of.
    pub range: Range<usize>,
    /// For an answer that starts here.
    pub start: f32,
    /// For an answer that ends here.
    pub end: f32,
}

/// What a reader sees in one passage.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SpanScores {
    /// In the order of the text; tokens of one word have the same range.
    pub tokens: Vec<TokenScore>,
}

impl SpanScores {
    /// Logarithm of the odds that the bytes of `range` are the answer, against its not being in the
    /// passage; `None` where no token is in the range.
    pub fn log_odds(&self, range: &Range<usize>) -> Option<f32> {
        let first = self.tokens.partition_point(|t| t.range.end <= range.start);
        let end = self.tokens.partition_point(|t| t.range.start < range.end);
        let (first, last) = (
            self.tokens.get(first..end)?.first()?,
            self.tokens.get(end - 1)?,
        );
        Some(first.start + last.end)
    }

    /// The most probable spans that share no word, at most `n`, the best first, with their
    /// [`Self::log_odds`]; ties by place.
    pub fn best(&self, n: usize) -> Vec<(Range<usize>, f32)> {
        let mut best: Vec<(Range<usize>, f32)> = Vec::new();
        while best.len() < n {
            let free = |t: &TokenScore| {
                best.iter()
                    .all(|(taken, _)| t.range.end <= taken.start || taken.end <= t.range.start)
            };
            let mut found: Option<(Range<usize>, f32)> = None;
            for (i, first) in self.tokens.iter().enumerate() {
                let reach = &self.tokens[i..self.tokens.len().min(i + LONGEST)];
                for last in reach.iter().take_while(|t| free(t)) {
                    let odds = first.start + last.end;
                    if found.as_ref().is_none_or(|(_, most)| odds > *most) {
                        found = Some((first.range.start..last.range.end, odds));
                    }
                }
            }
            match found {
                Some(span) => best.push(span),
                None => break,
            }
        }
        best
    }
}

/// Reads passages for an answer: extractive question answering, a score for each token that it
/// starts or ends there (Devlin et al., NAACL 2019, section 4.3).
pub trait SpanReader: Send + Sync {
    /// Name for people.
    fn name(&self) -> &str;

    /// What stands in each passage, a title and a text, for `question`.
    ///
    /// # Errors
    /// When the model cannot be used, or `cancel` was asked for.
    fn read(
        &self,
        question: &str,
        passages: &[(&str, &str)],
        cancel: &Cancel,
    ) -> Result<Vec<SpanScores>, EncodeError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores() -> SpanScores {
        let token = |range, start, end| TokenScore { range, start, end };
        // "led by Ada Quill" with two tokens in the last word.
        SpanScores {
            tokens: vec![
                token(0..3, -4.0, -5.0),
                token(4..6, -2.0, -3.0),
                token(7..10, 3.0, 0.5),
                token(11..16, 1.0, -1.0),
                token(11..16, -3.0, 2.0),
            ],
        }
    }

    #[test]
    fn a_span_is_scored_by_its_first_and_last_token() {
        let scores = scores();
        assert_eq!(scores.log_odds(&(7..16)), Some(5.0));
        assert_eq!(scores.log_odds(&(7..10)), Some(3.5));
        assert_eq!(scores.log_odds(&(11..16)), Some(3.0));
        // Half a word counts as the word.
        assert_eq!(scores.log_odds(&(12..14)), Some(3.0));
        assert_eq!(scores.log_odds(&(6..7)), None);
        assert_eq!(scores.log_odds(&(20..24)), None);
        assert_eq!(SpanScores::default().log_odds(&(0..1)), None);
    }

    #[test]
    fn the_best_spans_share_no_word() {
        let best = scores().best(3);
        assert_eq!(best, [(7..16, 5.0), (4..6, -5.0), (0..3, -9.0)]);
        assert!(SpanScores::default().best(2).is_empty());
    }
}
