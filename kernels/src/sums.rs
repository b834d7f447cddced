//! Sums of documents' scores: which are worth a look.

use crate::{Isa, cpu};

/// Sums that are looked at together.
pub const GROUP: usize = 32;
/// Groups that one call looks at: one for each bit of its answer.
pub const GROUPS: usize = 64;

/// A bit for each group of [`GROUP`] values that has one above `bar`, the first group's the lowest;
/// the values of the other groups become zero, for the next search.
///
/// What is no number is above nothing. Reads and writes `4 * GROUP * GROUPS` bytes. Twin:
/// [`crate::reference::groups_above`].
pub fn groups_above(values: &mut [f32; GROUP * GROUPS], bar: f32) -> u64 {
    cpu::groups_above(Isa::active(), values, bar)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::reference;

    proptest! {
        #[test]
        fn every_path_finds_the_groups_that_the_twin_finds(
            places in prop::collection::vec((0..GROUP * GROUPS, -1.0f32..3.0), 0..40),
            bar in prop_oneof![Just(0.0f32), -2.0f32..2.0],
        ) {
            let mut values = [bar.min(0.0); GROUP * GROUPS];
            for &(at, value) in &places {
                values[at] = value;
            }
            values[7] = f32::NAN;
            let mut left = values;
            let expected = reference::groups_above(&mut left, bar);
            let bits = |values: &[f32]| values.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            for &isa in Isa::available() {
                let mut found = values;
                let groups = cpu::groups_above(isa, &mut found, bar);
                prop_assert_eq!(groups, expected, "{}", isa.name());
                prop_assert_eq!(bits(&found), bits(&left), "{}", isa.name());
            }
            prop_assert_eq!(groups_above(&mut values, bar), expected);
        }
    }
}
