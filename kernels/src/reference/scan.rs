//! Twins of the dense scan.

use crate::RowsI8;
use crate::quantize::push_row_i16;
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

/// Scores of chosen rows with the query in 16-bit codes. Twin of [`crate::gather::scores_i8_at`].
pub fn scores_i8_at(rows: RowsI8<'_>, query: &[f32], at: &[u32]) -> Vec<f32> {
    let mut codes = Vec::new();
    let scale = push_row_i16(query, &mut codes);
    let score = |&row: &u32| {
        let of_row = &rows.codes()[row as usize * rows.dim()..][..rows.dim()];
        let products = of_row.iter().zip(&codes);
        let sum: i64 = products.map(|(&a, &b)| i64::from(a) * i64::from(b)).sum();
        sum as f32 * (rows.scales()[row as usize] * scale)
    };
    at.iter().map(score).collect()
}

/// The value of a 16-bit float. Twin of the conversion in [`crate::scan::top_k_f16`].
pub fn f32_of_f16(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023) / 1024.0);
    match exponent {
        0 => sign * fraction * 2.0_f32.powi(-14),
        31 if fraction == 0.0 => sign * f32::INFINITY,
        31 => f32::NAN,
        _ => sign * (1.0 + fraction) * 2.0_f32.powi(exponent - 15),
    }
}

/// Bits in which two codes differ, bit by bit. Twin of the distance in
/// [`crate::scan::top_k_bits`].
pub fn hamming(a: &[u64], b: &[u64]) -> u32 {
    let bits = |word: u64| (0..64).map(move |i| word >> i & 1);
    let a = a.iter().copied().flat_map(bits);
    let b = b.iter().copied().flat_map(bits);
    a.zip(b).map(|(a, b)| u32::from(a != b)).sum()
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
