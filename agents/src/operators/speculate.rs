//! Speculative retrieval with batched verification (RaLMSpec; Zhang et al., 2024): while the true
//! retriever is slow, steps go on with what a local cache ranks best, and a batch of true
//! retrievals confirms them. The output is the same as without, byte for byte: what does not agree
//! is thrown away and done again.

use std::collections::VecDeque;

/// One retrieval point of a generation: given the passage for the query of this point, the
/// generator gives its next state.
pub trait Generator: Clone {
    /// The query at this point; `None` at the end.
    fn query(&self) -> Option<String>;

    /// Goes one step on with the passage that was retrieved.
    fn advance(&mut self, passage: u64);
}

/// The slow knowledge base, and its scoring of known passages, which has to be the same.
pub trait KnowledgeBase {
    /// For each query the best passages, best first. One round trip, however many queries.
    fn batch(&mut self, queries: &[String], top: usize) -> Vec<Vec<u64>>;

    /// The score of a passage for a query.
    fn score(&self, query: &str, passage: u64) -> f64;
}

/// Bounds and estimates.
#[derive(Clone, Copy, Debug)]
pub struct Speculation {
    /// Passages taken into the cache from each verified query.
    pub prefetch: usize,
    /// Longest stride.
    pub max_stride: usize,
    /// Verifications over which matches are counted.
    pub window: usize,
    /// Cost of a speculative step and of a verification, in any one unit.
    pub step_cost: f64,
    /// See `step_cost`.
    pub verify_cost: f64,
}

impl Default for Speculation {
    fn default() -> Self {
        Self {
            prefetch: 20,
            max_stride: 8,
            window: 5,
            step_cost: 1.0,
            verify_cost: 1.0,
        }
    }
}

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// Retrieval points that were committed.
    pub committed: usize,
    /// Steps that were done, those thrown away included.
    pub steps: usize,
    /// Round trips to the knowledge base.
    pub round_trips: usize,
    /// Steps that were thrown away.
    pub rolled_back: usize,
    /// The last stride.
    pub stride: usize,
}

impl Speculation {
    /// The stride that commits most steps for its cost when each speculative step matches with
    /// probability `match_rate`: the expected number of steps committed, `(1 - m^s) / (1 - m)`,
    /// over `s` steps and one verification.
    pub fn stride(&self, match_rate: f64) -> usize {
        let value = |s: usize| {
            let expected: f64 = (0..s).map(|i| match_rate.powi(i as i32)).sum();
            expected / (s as f64 * self.step_cost + self.verify_cost)
        };
        (1..=self.max_stride.max(1))
            .max_by(|a, b| value(*a).total_cmp(&value(*b)).then(b.cmp(a)))
            .unwrap_or(1)
    }

    /// Runs `generator` to its end with speculation.
    pub fn run<G: Generator, K: KnowledgeBase>(&self, generator: &mut G, kb: &mut K) -> Trace {
        let mut trace = Trace {
            stride: 1,
            ..Trace::default()
        };
        let mut cache: Vec<u64> = Vec::new();
        let mut history: VecDeque<(usize, bool)> = VecDeque::new();
        let add = |cache: &mut Vec<u64>, list: &[u64], most: usize| {
            for passage in list.iter().take(most) {
                if !cache.contains(passage) {
                    cache.push(*passage);
                }
            }
        };
        if let Some(first) = generator.query() {
            trace.round_trips += 1;
            let lists = kb.batch(std::slice::from_ref(&first), self.prefetch.max(1));
            for list in &lists {
                add(&mut cache, list, self.prefetch.max(1));
            }
        }
        loop {
            // Speculate with the best of the cache.
            let mut pending: Vec<(G, String, u64)> = Vec::new();
            while pending.len() < trace.stride {
                let Some(query) = generator.query() else {
                    break;
                };
                let best = cache.iter().copied().max_by(|a, b| {
                    kb.score(&query, *a)
                        .total_cmp(&kb.score(&query, *b))
                        .then(b.cmp(a))
                });
                let Some(best) = best else { break };
                let before = generator.clone();
                generator.advance(best);
                trace.steps += 1;
                pending.push((before, query, best));
            }
            if pending.is_empty() {
                return trace;
            }
            // Verify all of them in one round trip.
            let queries: Vec<String> = pending.iter().map(|(_, q, _)| q.clone()).collect();
            trace.round_trips += 1;
            let lists = kb.batch(&queries, self.prefetch.max(1));
            let wrong = pending
                .iter()
                .zip(&lists)
                .position(|((_, _, used), list)| list.first() != Some(used));
            for list in &lists {
                add(&mut cache, list, self.prefetch.max(1));
            }
            let matched = wrong.unwrap_or(pending.len());
            trace.committed += matched;
            if let Some(i) = wrong {
                trace.rolled_back += pending.len() - i;
                *generator = pending[i].0.clone();
                match lists.get(i).and_then(|list| list.first()) {
                    Some(truth) => {
                        generator.advance(*truth);
                        trace.steps += 1;
                        trace.committed += 1;
                    }
                    // The knowledge base has nothing at all for this query.
                    None => return trace,
                }
            }
            history.push_back((matched, wrong.is_some()));
            if history.len() > self.window.max(1) {
                history.pop_front();
            }
            let all: usize = history.iter().map(|(m, _)| m).sum();
            let missed = history.iter().filter(|(_, missed)| *missed).count();
            trace.stride = self.stride(all as f64 / (all + missed).max(1) as f64);
        }
    }

    /// Runs `generator` to its end without speculation: the baseline.
    pub fn plain<G: Generator, K: KnowledgeBase>(generator: &mut G, kb: &mut K) -> Trace {
        let mut trace = Trace::default();
        while let Some(query) = generator.query() {
            trace.round_trips += 1;
            let lists = kb.batch(&[query], 1);
            let Some(best) = lists.first().and_then(|list| list.first()) else {
                break;
            };
            generator.advance(*best);
            trace.steps += 1;
            trace.committed += 1;
        }
        trace
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A generator whose next query depends on every passage before it.
    #[derive(Clone, Debug, PartialEq)]
    struct Walk {
        text: Vec<u64>,
        left: usize,
        /// How far a step may lead from the topic.
        jump: u64,
    }

    impl Generator for Walk {
        fn query(&self) -> Option<String> {
            let at = self.text.last().copied().unwrap_or(7);
            let sum: u64 = self
                .text
                .iter()
                .fold(0, |a, b| a.wrapping_mul(31).wrapping_add(*b));
            (self.left > 0).then(|| ((at + sum % self.jump.max(1)) % 997).to_string())
        }

        fn advance(&mut self, passage: u64) {
            self.text.push(passage);
            self.left -= 1;
        }
    }

    /// A thousand passages on a line: the closest to the query is the best.
    #[derive(Default)]
    struct Line;

    impl KnowledgeBase for Line {
        fn batch(&mut self, queries: &[String], top: usize) -> Vec<Vec<u64>> {
            queries
                .iter()
                .map(|query| {
                    let mut all: Vec<u64> = (0..200).map(|i| i * 5).collect();
                    all.sort_by(|a, b| {
                        self.score(query, *b)
                            .total_cmp(&self.score(query, *a))
                            .then(a.cmp(b))
                    });
                    all.truncate(top);
                    all
                })
                .collect()
        }

        fn score(&self, query: &str, passage: u64) -> f64 {
            let at: f64 = query.parse().unwrap();
            -(at - passage as f64).abs()
        }
    }

    #[test]
    fn the_output_is_that_of_the_plain_run_over_a_hundred_seeds() {
        let (mut trips, mut points) = (0, 0);
        for seed in 0..100 {
            let start = Walk {
                text: vec![seed * 9],
                left: 24,
                jump: 1 + seed % 40,
            };
            let (mut plain, mut fast) = (start.clone(), start);
            Speculation::plain(&mut plain, &mut Line);
            let trace = Speculation::default().run(&mut fast, &mut Line);
            assert_eq!(plain, fast, "seed {seed}");
            assert_eq!(trace.committed, 24);
            assert_eq!(trace.steps, trace.committed + trace.rolled_back);
            trips += trace.round_trips;
            points += trace.committed;
        }
        assert!(trips < points, "{trips} round trips for {points} points");
    }

    #[test]
    fn the_stride_follows_the_match_rate() {
        let speculation = Speculation {
            step_cost: 1.0,
            verify_cost: 10.0,
            ..Speculation::default()
        };
        assert_eq!(speculation.stride(0.0), 1);
        assert_eq!(speculation.stride(1.0), speculation.max_stride);
        assert!(speculation.stride(0.5) < speculation.stride(0.9));
    }
}
