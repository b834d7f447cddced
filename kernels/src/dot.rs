//! Dot products of two vectors.

use crate::{Isa, cpu};

/// `sum a[i] * b[i]`.
///
/// Moves `8 * n` bytes, does `2 * n` operations. Summed in 8 lanes (lane `i % 8`), the lanes then
/// pairwise: the same order on every CPU and the same as [`crate::scan::top_k_f32`], so a score of
/// the scan equals this value bit for bit. Error at most about `n / 8 + 3` roundings of the sum of
/// absolute products. Twin: [`crate::reference::dot_f32`].
///
/// # Panics
/// When the lengths differ.
pub fn dot_f32(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(
        a.len(),
        b.len(),
        "dot product of vectors of different lengths"
    );
    let mut score = [0.0];
    cpu::scores_f32(
        Isa::active(),
        a,
        b,
        a.len().max(1),
        &mut score[..usize::from(!a.is_empty())],
    );
    score[0]
}

/// `sum a[i] * b[i]`, exact.
///
/// Moves `2 * n` bytes. Twin: [`crate::reference::dot_i8`].
///
/// # Panics
/// When the lengths differ or exceed 131,071, beyond which the sum might not fit 32 bits.
pub fn dot_i8(a: &[i8], b: &[i8]) -> i32 {
    assert_eq!(
        a.len(),
        b.len(),
        "dot product of vectors of different lengths"
    );
    assert!(a.len() < 131_072, "dot product of more than 131,071 codes");
    cpu::dot_i8(Isa::active(), a, b)
}
