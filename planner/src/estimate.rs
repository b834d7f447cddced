//! What things take: running averages of what was measured, and the bill before a run starts.

use indago_core::{Budget, Estimate, NodeId, Usage};
use serde::{Deserialize, Serialize};

use crate::graph::ROOT;

/// Weight of the newest measurement in a running average.
const ALPHA: f64 = 0.2;

/// A running average that starts from a guess.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ewma {
    mean: f64,
    n: u32,
}

impl Ewma {
    /// `prior` stands until there are measurements.
    pub fn new(prior: f64) -> Self {
        Self { mean: prior, n: 0 }
    }

    /// Takes a measurement in. The first few count more, so that the guess is soon forgotten.
    pub fn observe(&mut self, value: f64) {
        if !value.is_finite() || value < 0.0 {
            return;
        }
        self.n = self.n.saturating_add(1);
        let weight = ALPHA.max(1.0 / (f64::from(self.n) + 1.0));
        self.mean += weight * (value - self.mean);
    }

    /// The average.
    pub fn mean(&self) -> f64 {
        self.mean
    }
}

/// Expected milliseconds of work on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Costs {
    /// The question itself.
    pub root_ms: u64,
    /// Any other node.
    pub part_ms: u64,
}

impl Costs {
    pub(crate) fn of(&self, node: NodeId) -> u64 {
        let ms = if node == ROOT {
            self.root_ms
        } else {
            self.part_ms
        };
        ms.max(1)
    }

    /// Whether an order by `self` may differ from one by `other` enough to sort again.
    pub(crate) fn is_far_from(&self, other: &Self) -> bool {
        let ratio = |costs: &Self| costs.root_ms.max(1) as f64 / costs.part_ms.max(1) as f64;
        let change = ratio(self) / ratio(other);
        !(0.8..=1.25).contains(&change)
    }
}

impl Default for Costs {
    /// One second each: before anything is measured, the longest chain is the one with most nodes.
    fn default() -> Self {
        Self {
            root_ms: 1_000,
            part_ms: 1_000,
        }
    }
}

/// Running averages of the kinds of work in a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    root: Ewma,
    part: Ewma,
}

impl Default for Measured {
    fn default() -> Self {
        let prior = Costs::default();
        Self {
            root: Ewma::new(prior.root_ms as f64),
            part: Ewma::new(prior.part_ms as f64),
        }
    }
}

impl Measured {
    pub(crate) fn observe(&mut self, node: NodeId, ms: u64) {
        if node == ROOT {
            self.root.observe(ms as f64);
        } else {
            self.part.observe(ms as f64);
            if self.root.n == 0 {
                // Nothing is known of the root: it is a search like the others.
                self.root.mean = self.part.mean;
            }
        }
    }

    pub(crate) fn costs(&self) -> Costs {
        Costs {
            root_ms: self.root.mean() as u64,
            part_ms: self.part.mean() as u64,
        }
    }
}

/// What one call and one sub-question take with a configuration: priors, or what earlier runs took.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// Sub-questions besides the question itself.
    pub parts: f64,
    /// Sub-questions that can only start after another has ended, in the longest chain.
    pub chain: f64,
    /// Retrieval queries for each sub-question.
    pub queries: f64,
    /// Milliseconds for each.
    pub query_ms: f64,
    /// Language-model calls for each sub-question.
    pub lm_calls: f64,
    /// Language-model calls of planning and writing.
    pub lm_calls_around: f64,
    /// Tokens of a call, in and out.
    pub call_tokens: f64,
    /// Milliseconds of a call.
    pub call_ms: f64,
    /// Millionths of a US dollar for a thousand tokens.
    pub money_micros_per_1000: f64,
    /// Pages fetched for each sub-question.
    pub pages: f64,
    /// Milliseconds of each.
    pub page_ms: f64,
}

impl Profile {
    /// The embedded reasoner over an indexed corpus of some ten thousand passages: no model, no page.
    pub const EXTRACTIVE: Self = Self {
        parts: 1.2,
        chain: 1.0,
        queries: 12.0,
        query_ms: 8.0,
        lm_calls: 0.0,
        lm_calls_around: 0.0,
        call_tokens: 0.0,
        call_ms: 0.0,
        money_micros_per_1000: 0.0,
        pages: 0.0,
        page_ms: 0.0,
    };

    /// A model-driven reasoner before anything is measured: a call reads some 3,000 tokens and
    /// takes 4 seconds; a sub-question takes a decision, a rewrite, a reading and a check.
    pub const MODEL_DRIVEN: Self = Self {
        parts: 5.0,
        chain: 2.0,
        queries: 6.0,
        query_ms: 20.0,
        lm_calls: 4.0,
        lm_calls_around: 5.0,
        call_tokens: 3_000.0,
        call_ms: 4_000.0,
        money_micros_per_1000: 0.0,
        pages: 0.0,
        page_ms: 500.0,
    };
}

/// What a run is likely to spend under `budget` with `parallel` sub-questions at once.
pub fn estimate(profile: &Profile, budget: &Budget, parallel: u32) -> Estimate {
    let most_parts = f64::from(budget.nodes.max(1) - 1);
    let parts = profile.parts.min(most_parts);
    let chain = profile.chain.min(parts).min(f64::from(budget.depth));
    let expected = bill(profile, parts, chain, parallel);
    let most_chain = most_parts.min(f64::from(budget.depth));
    let most = bill(profile, most_parts, most_chain, parallel);
    Estimate {
        nodes: parts.round() as u32 + 1,
        expected: within(expected, budget),
        most: within(most, budget),
    }
}

fn bill(profile: &Profile, parts: f64, chain: f64, parallel: u32) -> Usage {
    let nodes = parts + 1.0;
    let calls = nodes * profile.lm_calls + profile.lm_calls_around;
    let tokens = calls * profile.call_tokens;
    let node_ms = profile.queries * profile.query_ms
        + profile.lm_calls * profile.call_ms
        + profile.pages * profile.page_ms;
    // The longer of the chain and of all the work on the slots there are; then the root.
    let parts_ms = (chain * node_ms).max(parts * node_ms / f64::from(parallel.max(1)));
    let wall_ms = parts_ms + node_ms + profile.lm_calls_around * profile.call_ms;
    let whole = |value: f64| value.round().clamp(0.0, 1e15) as u64;
    Usage {
        queries: whole(nodes * profile.queries),
        passages: whole(nodes * profile.queries * 5.0),
        rounds: whole(nodes * 2.0),
        lm_calls: whole(calls),
        lm_tokens: whole(tokens),
        lm_cached: 0,
        money_micros: whole(tokens / 1_000.0 * profile.money_micros_per_1000),
        pages: whole(nodes * profile.pages),
        wall_ms: whole(wall_ms),
    }
}

fn within(mut usage: Usage, budget: &Budget) -> Usage {
    let cap = |value: &mut u64, limit: Option<u64>| {
        *value = (*value).min(limit.unwrap_or(u64::MAX));
    };
    cap(&mut usage.queries, Some(u64::from(budget.queries)));
    cap(&mut usage.lm_calls, budget.lm_calls);
    cap(&mut usage.lm_tokens, budget.lm_tokens);
    cap(&mut usage.money_micros, budget.money_micros);
    cap(&mut usage.pages, budget.pages);
    cap(&mut usage.wall_ms, budget.wall_ms);
    usage
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_average_forgets_its_guess_and_ignores_nonsense() {
        let mut average = Ewma::new(1_000.0);
        for _ in 0..20 {
            average.observe(10.0);
            average.observe(f64::NAN);
            average.observe(-5.0);
        }
        assert!((average.mean() - 10.0).abs() < 30.0, "{average:?}");
    }

    #[test]
    fn an_estimate_grows_with_the_graph_and_stays_within_the_budget() {
        let budget = Budget::STANDARD;
        let one = estimate(&Profile::MODEL_DRIVEN, &Budget { nodes: 1, ..budget }, 8);
        let many = estimate(&Profile::MODEL_DRIVEN, &budget, 8);
        assert_eq!(one.nodes, 1);
        // One node: 4 calls of its own, 5 around.
        assert_eq!(one.expected.lm_calls, 9);
        assert_eq!(one.expected, one.most);
        assert!(many.expected.lm_calls > one.expected.lm_calls);
        assert!(many.most.lm_calls > many.expected.lm_calls);
        let tight = Budget {
            lm_tokens: Some(5_000),
            ..budget
        };
        let capped = estimate(&Profile::MODEL_DRIVEN, &tight, 8);
        assert_eq!(capped.expected.lm_tokens, 5_000);
        let alone = estimate(&Profile::MODEL_DRIVEN, &budget, 1);
        assert!(alone.most.wall_ms > many.most.wall_ms);
    }
}
