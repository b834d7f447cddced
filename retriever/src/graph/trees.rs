//! Boosted regression trees (Friedman 2001, "Greedy function approximation", section 4.3) on top of
//! the linear weights: what one feature means where others are high or low. A link from a probable
//! passage, say, stops to count once its target is probable by itself, and a weak link is worse than
//! none.
//!
//! Fitted to what the linear part leaves over (`retriever/training/fit.py`, which writes the table),
//! and never against the fused list: of two passages that differ only there, the better placed one
//! has the higher score.

mod table;

use super::evidence::Features;

/// A tree: splits from the root, and the values of its leaves.
struct Tree {
    splits: &'static [Split],
    leaves: &'static [f32],
}

/// Where to go on from a split.
struct Split {
    feature: usize,
    threshold: f32,
    /// For values up to the threshold, then for those above: a split's number, or a leaf's number
    /// below zero, from -1 on.
    next: [i8; 2],
}

const fn split(feature: usize, threshold: f32, low: i8, high: i8) -> Split {
    Split {
        feature,
        threshold,
        next: [low, high],
    }
}

impl Tree {
    fn value(&self, values: &Features) -> f32 {
        let mut at = 0;
        // A tree has no more levels than splits.
        for _ in self.splits {
            let Some(split) = self.splits.get(at as usize) else {
                break;
            };
            let value = values.get(split.feature).copied().unwrap_or(0.0);
            at = split.next[usize::from(value > split.threshold)];
            if at < 0 {
                break;
            }
        }
        let leaf = self.leaves.get(!at as usize);
        leaf.copied().unwrap_or(0.0)
    }
}

/// The sum over all trees, to be added to the logarithm of the odds.
pub(super) fn sum(values: &Features) -> f32 {
    table::TREES.iter().map(|tree| tree.value(values)).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::evidence::FEATURES;
    use super::*;

    #[test]
    fn every_tree_leads_to_each_of_its_leaves_once() {
        assert!(!table::TREES.is_empty());
        for tree in table::TREES {
            assert_eq!(tree.splits.len() + 1, tree.leaves.len());
            let mut reached = vec![0; tree.leaves.len()];
            let mut open = vec![0_i8];
            while let Some(at) = open.pop() {
                if at < 0 {
                    reached[!at as usize] += 1;
                } else {
                    let split = &tree.splits[at as usize];
                    assert!(split.feature < FEATURES.len() && split.threshold.is_finite());
                    open.extend(split.next);
                }
            }
            assert!(reached.iter().all(|&n| n == 1));
        }
    }

    proptest! {
        #[test]
        fn a_better_place_in_the_fused_list_never_costs(
            values in prop::array::uniform15(0.0_f32..1.0),
            (score, rank) in (0.0_f32..0.5, 0.0_f32..4.0),
        ) {
            let mut better = values;
            better[1] = -values[1];
            let mut worse = better;
            worse[0] -= score;
            worse[1] -= rank;
            prop_assert!(sum(&better) >= sum(&worse) - 1e-4);
        }
    }
}
