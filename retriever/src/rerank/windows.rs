//! Listwise reranking in sliding windows, from the end of the list to its beginning (Sun et al.,
//! EMNLP 2023, "Is ChatGPT good at search?": RankGPT; windows of 20, steps of 10).

use std::sync::Arc;

use indago_core::Cancel;
use indago_core::ports::{Candidate, Reranker, RetrieveError};

/// Orders a few passages by how well they serve a query.
pub trait Listwise: Send + Sync {
    /// Name for people.
    fn name(&self) -> &str;

    /// Positions in `texts`, best first. Positions that are missing, doubled or out of range are
    /// repaired: the missing follow in their old order.
    ///
    /// # Errors
    /// When it cannot be asked.
    fn order(
        &self,
        query: &str,
        texts: &[&str],
        cancel: &Cancel,
    ) -> Result<Vec<usize>, RetrieveError>;
}

/// A reranker that shows overlapping windows of the list to a [`Listwise`] judge, the last first,
/// so that a good passage can travel from the end to the top.
pub struct Windows {
    judge: Arc<dyn Listwise>,
    size: usize,
    step: usize,
}

impl Windows {
    /// Windows of `size` passages that move by `step`; both at least 1, `step` at most `size`.
    pub fn new(judge: Arc<dyn Listwise>, size: usize, step: usize) -> Self {
        let size = size.max(1);
        let step = step.clamp(1, size);
        Self { judge, size, step }
    }
}

impl std::fmt::Debug for Windows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Windows({}, {}, {})",
            self.judge.name(),
            self.size,
            self.step
        )
    }
}

/// `order` made a permutation of `0..n`.
fn repaired(order: Vec<usize>, n: usize) -> Vec<usize> {
    let mut seen = vec![false; n];
    let mut kept = Vec::with_capacity(n);
    for i in order.into_iter().chain(0..n) {
        if let Some(seen) = seen.get_mut(i)
            && !*seen
        {
            *seen = true;
            kept.push(i);
        }
    }
    kept
}

impl Reranker for Windows {
    fn name(&self) -> &str {
        self.judge.name()
    }

    /// Scores are places: the best of n passages gets n.
    fn rerank(
        &self,
        query: &str,
        candidates: &[Candidate<'_>],
        cancel: &Cancel,
    ) -> Result<Vec<f32>, RetrieveError> {
        let n = candidates.len();
        let mut order: Vec<usize> = (0..n).collect();
        let mut end = n;
        while end > 0 {
            cancel.check()?;
            let start = end.saturating_sub(self.size);
            let texts: Vec<&str> = order[start..end]
                .iter()
                .map(|i| candidates[*i].text)
                .collect();
            let judged = repaired(self.judge.order(query, &texts, cancel)?, texts.len());
            let window: Vec<usize> = judged.into_iter().map(|i| order[start + i]).collect();
            order[start..end].copy_from_slice(&window);
            if start == 0 {
                break;
            }
            end = end.saturating_sub(self.step);
        }
        let mut scores = vec![0.0; n];
        for (place, i) in order.into_iter().enumerate() {
            scores[i] = (n - place) as f32;
        }
        Ok(scores)
    }
}

#[cfg(test)]
mod tests {
    use indago_core::{Hit, PassageId};
    use proptest::prelude::*;

    use super::*;

    /// Orders by the number in each text; says less or more than it was asked with `noise`.
    struct ByNumber {
        noise: bool,
    }

    impl Listwise for ByNumber {
        fn name(&self) -> &'static str {
            "by number"
        }

        fn order(&self, _: &str, texts: &[&str], _: &Cancel) -> Result<Vec<usize>, RetrieveError> {
            let number = |i: &usize| texts[*i].parse::<i32>().unwrap();
            let mut order: Vec<usize> = (0..texts.len()).collect();
            order.sort_by_key(|i| -number(i));
            if self.noise {
                order.insert(0, 999);
                order.extend([0, 0]);
            }
            Ok(order)
        }
    }

    fn ranked(numbers: &[i32], size: usize, step: usize, noise: bool) -> Vec<i32> {
        let hit = Hit {
            passage: PassageId([0; 16]),
            score: 0.0,
            why: Vec::new(),
            duplicates: Vec::new(),
        };
        let texts: Vec<String> = numbers.iter().map(i32::to_string).collect();
        let candidates: Vec<Candidate<'_>> = texts
            .iter()
            .map(|text| Candidate { hit: &hit, text })
            .collect();
        let windows = Windows::new(Arc::new(ByNumber { noise }), size, step);
        let scores = windows.rerank("", &candidates, &Cancel::new()).unwrap();
        let mut order: Vec<usize> = (0..numbers.len()).collect();
        order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
        order.into_iter().map(|i| numbers[i]).collect()
    }

    proptest! {
        #[test]
        fn the_best_travel_to_the_top_and_nothing_is_lost(
            mut numbers in prop::collection::vec(any::<i32>(), 0..60),
            size in 1usize..25,
            step in 1usize..25,
            noise in any::<bool>(),
        ) {
            let found = ranked(&numbers, size, step, noise);
            numbers.sort_unstable_by_key(|n| std::cmp::Reverse(*n));
            let mut sorted = found.clone();
            sorted.sort_unstable_by_key(|n| std::cmp::Reverse(*n));
            prop_assert_eq!(&sorted, &numbers);
            // What two neighbouring windows share is carried from one to the next.
            let carried = if size >= numbers.len() {
                numbers.len()
            } else {
                size.saturating_sub(step.min(size))
            };
            prop_assert_eq!(&found[..carried], &numbers[..carried]);
        }
    }
}
