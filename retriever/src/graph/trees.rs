//! What the linear weights cannot say, as boosted trees ([`indago_core::boosted`]): a link from a
//! probable passage stops to count once its target is probable by itself, and a weak link is worse
//! than none.
//!
//! Fitted to what the linear part leaves over (`retriever/training/fit.py`, which writes the table),
//! and never against the fused list: of two passages that differ only there, the better placed one
//! has the higher score.

mod table;

use indago_core::boosted;

use super::evidence::Features;

/// The sum over all trees, to be added to the logarithm of the odds.
pub(super) fn sum(values: &Features) -> f32 {
    boosted::sum(table::TREES, values)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::evidence::FEATURES;
    use super::*;

    #[test]
    fn the_table_is_sound() {
        assert!(!table::TREES.is_empty());
        assert!(table::TREES.iter().all(|t| t.is_sound(FEATURES.len())));
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
