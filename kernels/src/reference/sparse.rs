//! Twins of the sparse dot product and of the look at its sums.

use crate::sums::{GROUP, GROUPS};

/// Each document's sum over the lists of `query weight * weight`, in f64. Twin of
/// [`crate::sparse::top_k`].
pub fn sparse_scores(lists: &[(Vec<(u32, f32)>, f32)], n_documents: usize) -> Vec<f64> {
    let mut scores = vec![0.0; n_documents];
    for (postings, weight) in lists {
        for &(document, value) in postings {
            scores[document as usize] += f64::from(*weight) * f64::from(value);
        }
    }
    scores
}

/// A bit for each group with a value above `bar`; the others become zero. Twin of
/// [`crate::sums::groups_above`].
pub fn groups_above(values: &mut [f32; GROUP * GROUPS], bar: f32) -> u64 {
    let mut found = 0;
    for (i, group) in values.chunks_mut(GROUP).enumerate() {
        if group.iter().any(|value| *value > bar) {
            found |= 1 << i;
        } else {
            group.fill(0.0);
        }
    }
    found
}
