//! Boosted regression trees (Friedman 2001, "Greedy function approximation: a gradient boosting
//! machine", section 4.3): a sum of small trees, each fitted to what those before it left over.
//!
//! Evaluated only; tables come from training scripts. They are what a linear judgement of passages
//! cannot say: that one feature means something else where another is high.

/// A tree: splits from the root, and the values of its leaves.
#[derive(Clone, Copy, Debug)]
pub struct Tree {
    /// The first is the root; a tree without splits has one leaf.
    pub splits: &'static [Split],
    /// One more than there are splits.
    pub leaves: &'static [f32],
}

/// Where to go on from a split.
#[derive(Clone, Copy, Debug)]
pub struct Split {
    /// The feature that is looked at.
    pub feature: usize,
    /// The largest value that goes the first way.
    pub threshold: f32,
    /// For values up to the threshold, then for those above: a split's number, or a leaf's number
    /// below zero, from -1 on.
    pub next: [i8; 2],
}

/// A split, in short for tables.
pub const fn split(feature: usize, threshold: f32, low: i8, high: i8) -> Split {
    Split {
        feature,
        threshold,
        next: [low, high],
    }
}

impl Tree {
    /// The value of the leaf that `values` lead to. A feature that is not there counts as 0.
    pub fn value<V: Copy + Into<f64>>(&self, values: &[V]) -> f32 {
        let mut at = if self.splits.is_empty() { -1 } else { 0 };
        // No way is longer than there are splits.
        for _ in self.splits {
            let Ok(i) = usize::try_from(at) else { break };
            let Some(split) = self.splits.get(i) else {
                break;
            };
            let value = values.get(split.feature).map_or(0.0, |v| (*v).into());
            at = split.next[usize::from(value > f64::from(split.threshold))];
        }
        let leaf = usize::try_from(!at).ok().and_then(|i| self.leaves.get(i));
        leaf.copied().unwrap_or(0.0)
    }

    /// Whether every leaf is reached in exactly one way and every split looks at one of `features`
    /// features: what a table has to be.
    pub fn is_sound(&self, features: usize) -> bool {
        let mut reached = vec![0_usize; self.leaves.len()];
        let mut open = vec![if self.splits.is_empty() { -1 } else { 0 }];
        let mut visited = 0;
        while let Some(at) = open.pop() {
            if at < 0 {
                let leaf = usize::try_from(!at).ok();
                let Some(count) = leaf.and_then(|i| reached.get_mut(i)) else {
                    return false;
                };
                *count += 1;
                continue;
            }
            visited += 1;
            let split = usize::try_from(at).ok().and_then(|i| self.splits.get(i));
            match split {
                Some(split)
                    if visited <= self.splits.len()
                        && split.feature < features
                        && split.threshold.is_finite() =>
                {
                    open.extend(split.next);
                }
                _ => return false,
            }
        }
        reached.iter().all(|&n| n == 1)
    }
}

/// What all trees say together.
pub fn sum<V: Copy + Into<f64>>(trees: &[Tree], values: &[V]) -> f32 {
    trees.iter().map(|tree| tree.value(values)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: Tree = Tree {
        splits: &[split(0, 0.5, -1, 1), split(1, 2.0, -2, -3)],
        leaves: &[1.0, 2.0, 3.0],
    };

    #[test]
    fn values_up_to_the_threshold_go_the_first_way() {
        assert!(TREE.is_sound(2));
        for (values, leaf) in [
            ([0.5, 9.0], 1.0),
            ([0.6, 2.0], 2.0),
            ([0.6, 2.1], 3.0),
            ([f64::NAN, 0.0], 1.0),
        ] {
            assert_eq!(TREE.value(&values), leaf);
        }
        assert_eq!(TREE.value(&[1.0_f32]), 2.0);
        assert_eq!(sum(&[TREE, TREE], &[0.0_f32, 0.0]), 2.0);
    }

    #[test]
    fn a_tree_without_splits_is_its_leaf() {
        const LEAF: &[f32] = &[0.25];
        let tree = Tree {
            splits: &[],
            leaves: LEAF,
        };
        assert!(tree.is_sound(0));
        assert_eq!(tree.value::<f32>(&[]), 0.25);
    }

    #[test]
    fn tables_that_loop_or_leave_something_out_are_told() {
        const LOOPING: &[Split] = &[split(0, 0.0, 0, -1)];
        const TWICE: &[Split] = &[split(0, 0.0, -1, -1)];
        const BEYOND: &[Split] = &[split(7, 0.0, -1, -2)];
        for splits in [LOOPING, TWICE, BEYOND] {
            let tree = Tree {
                splits,
                leaves: &[1.0, 2.0],
            };
            assert!(!tree.is_sound(2));
            assert!(tree.value(&[0.0, 0.0]).is_finite());
        }
    }
}
