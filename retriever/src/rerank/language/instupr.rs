//! Soft judgements of a language model (Huang and Chen 2024, "InstUPR: Instruction-based
//! Unsupervised Passage Reranking with Large Language Models"): ratings by their expectation, which
//! has no ties, and every pair of the best by its probability, asked in both orders.

use indago_core::ports::{Candidate, Completion, LanguageModelError, Reranker, RetrieveError};
use indago_core::{Cancel, Prompt};

use super::{LanguageJudge, MAX_PASSAGE, MAX_QUERY, ROLE, failed, head, share};

/// Largest rating.
const RATINGS: u8 = 5;
/// Passages of which every pair is compared: so many times one less calls.
const COMPARED: usize = 20;

/// Rates every passage from 1 to 5; of the best 20, where `pairs` are asked for, each is compared
/// with each.
pub(super) struct Soft {
    pub(super) judge: LanguageJudge,
    pub(super) pairs: bool,
}

/// The expected rating over the ratings' probabilities; the written one where there are none; the
/// middle where neither is told.
fn expected_rating(done: &Completion) -> f32 {
    let rating = |text: &str| -> Option<u8> {
        let rating = text.trim().parse().ok()?;
        (1..=RATINGS).contains(&rating).then_some(rating)
    };
    let (mut all, mut sum) = (0.0, 0.0);
    for (token, logprob) in done.logprobs.first().iter().flat_map(|first| &first.top) {
        if let Some(rating) = rating(token) {
            all += logprob.exp();
            sum += logprob.exp() * f32::from(rating);
        }
    }
    if all > 0.0 {
        return sum / all;
    }
    let mut numbers = done.text.split(|c: char| !c.is_ascii_digit());
    f32::from(numbers.find_map(rating).unwrap_or(RATINGS.div_ceil(2)))
}

impl Soft {
    fn rating(&self, query: &str, text: &str, cancel: &Cancel) -> Result<f32, LanguageModelError> {
        let prompt = Prompt::default()
            .system(ROLE)
            .user(format!("Query: {}", head(query, MAX_QUERY)))
            .data("passage", None, head(text, MAX_PASSAGE))
            .user("How relevant is the passage to the query? Answer with one number from 1 to 5.");
        Ok(expected_rating(&self.judge.ask(prompt, 1, cancel)?))
    }

    /// How probably the first of two passages is better, by one order of asking.
    fn one_way(
        &self,
        query: &str,
        a: &str,
        b: &str,
        cancel: &Cancel,
    ) -> Result<f32, LanguageModelError> {
        let prompt = LanguageJudge::which_is_better(query, a, b);
        let done = self.judge.ask(prompt, 1, cancel)?;
        Ok(share(&done, "a", "b"))
    }
}

impl Reranker for Soft {
    fn name(&self) -> &str {
        &self.judge.name
    }

    /// Scores are expected ratings, 1 to 5; of passages that were compared, 5 and the sum of the
    /// probabilities that they are better than each other one.
    fn rerank(
        &self,
        query: &str,
        candidates: &[Candidate<'_>],
        cancel: &Cancel,
    ) -> Result<Vec<f32>, RetrieveError> {
        let rate = |candidate: &Candidate<'_>| {
            let rating = self.rating(query, candidate.text, cancel);
            rating.map_err(failed)
        };
        let mut scores = candidates
            .iter()
            .map(rate)
            .collect::<Result<Vec<f32>, _>>()?;
        if !self.pairs {
            return Ok(scores);
        }
        let mut best: Vec<usize> = (0..scores.len()).collect();
        best.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
        best.truncate(COMPARED);
        let mut wins = vec![0.0; best.len()];
        for i in 0..best.len() {
            for j in i + 1..best.len() {
                let (a, b) = (candidates[best[i]].text, candidates[best[j]].text);
                // Models favour a place: the mean of both orders has that taken out.
                let there = self.one_way(query, a, b, cancel).map_err(failed)?;
                let back = self.one_way(query, b, a, cancel).map_err(failed)?;
                let better = (there + 1.0 - back) / 2.0;
                wins[i] += better;
                wins[j] += 1.0 - better;
            }
        }
        for (i, wins) in best.into_iter().zip(wins) {
            scores[i] = f32::from(RATINGS) + wins;
        }
        Ok(scores)
    }
}
