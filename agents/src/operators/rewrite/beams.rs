//! Several rewrites of a dialogue turn merged into one weighted query (Mo et al., 2024, on ConvGQR's
//! line: multi-query rewriting from beams). Chat servers have no beams: one call gives an ordered
//! list, and the weights fall with the rank.

use std::collections::BTreeMap;

use indago_core::ports::{BoxFuture, TaskError};
use serde::Deserialize;

use super::{call, or_question, tidy};
use crate::model::prompts::Rewrites as Prompt;
use crate::model::{Ports, complete_json};
use crate::operators::Rewrite;
use crate::operators::state::{QuerySet, SearchState};

/// Occurrences of the heaviest term: a bag of words is weighted by repetition.
const HEAVIEST: f64 = 5.0;

/// Merges `n` rewrites.
#[derive(Clone, Copy, Debug)]
pub struct Beams {
    /// Rewrites asked for.
    pub n: usize,
}

impl Default for Beams {
    fn default() -> Self {
        Self { n: 5 }
    }
}

#[derive(Debug, Default, Deserialize)]
struct Rewrites {
    queries: Vec<String>,
}

/// Weight of each term: the summed weights of the rewrites that have it, which are a softmax of
/// `scores`; first-seen spelling, heaviest first, ties by term.
pub fn weighted_terms(rewrites: &[(String, f64)]) -> Vec<(String, f64)> {
    let most = rewrites.iter().map(|(_, s)| *s).fold(f64::MIN, f64::max);
    let sum: f64 = rewrites.iter().map(|(_, s)| (s - most).exp()).sum();
    let mut weights: BTreeMap<String, f64> = BTreeMap::new();
    for (text, score) in rewrites {
        let mut terms = indago_text::terms(text);
        terms.sort();
        terms.dedup();
        for term in terms {
            *weights.entry(term).or_default() += (score - most).exp() / sum;
        }
    }
    let mut out: Vec<(String, f64)> = weights.into_iter().collect();
    out.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    out
}

impl Rewrite for Beams {
    fn name(&self) -> &'static str {
        "beams"
    }

    fn rewrite<'a>(
        &'a self,
        ports: &'a mut Ports<'_>,
        state: &'a mut SearchState,
    ) -> BoxFuture<'a, Result<QuerySet, TaskError>> {
        Box::pin(async move {
            let n = self.n.to_string();
            let purpose = format!("beams/{}", state.round + 1);
            let ask = call(state, purpose, Prompt::new(&n).render(), 400);
            let schema = serde_json::json!({
                "type": "object",
                "properties": {"queries": {"type": "array", "items": {"type": "string"}}},
                "required": ["queries"], "additionalProperties": false
            });
            let done: Rewrites =
                or_question(complete_json(ports, ask, "rewrites", schema, &mut state.usage).await)?;
            let rewrites = tidy(done.queries, self.n);
            let Some(first) = rewrites.first().cloned() else {
                return Ok(QuerySet::one(state.question.clone()));
            };
            // Scores fall with the rank, as a beam's do.
            let scored: Vec<(String, f64)> = rewrites
                .into_iter()
                .enumerate()
                .map(|(rank, text)| (text, -(rank as f64) / 2.0))
                .collect();
            let terms = weighted_terms(&scored);
            let top = terms.first().map_or(1.0, |(_, w)| *w);
            let mut words = vec![first];
            for (term, weight) in terms {
                let times = (HEAVIEST * weight / top).round().max(1.0) as usize;
                words.extend(std::iter::repeat_n(term, times - 1));
            }
            Ok(QuerySet::one(words.join(" ")))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_add_up_over_the_rewrites_that_have_a_term() {
        let rewrites = [
            ("tower height".to_owned(), 0.0),
            ("tower age".to_owned(), 0.0),
        ];
        let weights = weighted_terms(&rewrites);
        assert_eq!(weights[0], ("tower".to_owned(), 1.0));
        assert!((weights[1].1 - 0.5).abs() < 1e-12 && (weights[2].1 - 0.5).abs() < 1e-12);
    }
}
