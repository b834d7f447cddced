//! Twins of the dense scan.

use crate::scan::Scored;

/// `sum a[i] * b[i]` in f64. Twin of [`crate::dot_f32`].
pub fn dot_f32(a: &[f32], b: &[f32]) -> f64 {
    a.iter()
        .zip(b)
        .map(|(&a, &b)| f64::from(a) * f64::from(b))
        .sum()
}

/// `sum a[i] * b[i]` in i64. Twin of [`crate::dot_i8`].
pub fn dot_i8(a: &[i8], b: &[i8]) -> i64 {
    a.iter()
        .zip(b)
        .map(|(&a, &b)| i64::from(a) * i64::from(b))
        .sum()
}

/// The best `k` of `scores` by sorting all of them. Twin of the selection in [`crate::scan`].
pub fn top_k(scores: &[f32], k: usize) -> Vec<Scored> {
    let mut all: Vec<Scored> = scores
        .iter()
        .enumerate()
        .map(|(row, &score)| Scored::new(row, score))
        .collect();
    all.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.row.cmp(&b.row)));
    all.truncate(k);
    all
}
