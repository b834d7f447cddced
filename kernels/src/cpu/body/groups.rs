//! Which groups of values are worth a look.

use crate::sums::{GROUP, GROUPS};

/// A bit for each group with a value above `bar`; the others become zero.
#[inline(always)]
pub(in crate::cpu) fn groups_above(values: &mut [f32; GROUP * GROUPS], bar: f32) -> u64 {
    let mut found = 0;
    for (i, group) in values.as_chunks_mut::<GROUP>().0.iter_mut().enumerate() {
        let mut most = [f32::NEG_INFINITY; 8];
        for eight in group.as_chunks::<8>().0 {
            for (most, value) in most.iter_mut().zip(eight) {
                *most = if *value > *most { *value } else { *most };
            }
        }
        if most.iter().any(|value| *value > bar) {
            found |= 1 << i;
        } else {
            *group = [0.0; GROUP];
        }
    }
    found
}
