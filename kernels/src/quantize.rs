//! Symmetric quantisation: `value ~ scale * code`, rounded to nearest, ties to even.
//!
//! Stored things (weights, vectors) take 8 bits; things that live for one product (activations,
//! queries) take 16, limited so that no sum of products can leave 32 bits. The 8-bit side is then
//! the only one whose rounding shows.

use crate::{RowsF32, ShapeError};

/// Largest 8-bit code used: -128 is left out, so that codes are symmetric.
pub const MAX_CODE: i8 = i8::MAX;

/// Largest 16-bit code for which `k` products with 8-bit codes stay inside an i32:
/// `k * 128 * limit <= 2^31 - 1`, at most 32,767. (128 and not 127: codes read from a file may be
/// anything that 8 bits can hold.)
///
/// For k = 384 that is 32,767 and for k = 1536 it is 10,922: more than 13 bits and a sign.
pub fn limit_i16(k: usize) -> i16 {
    let limit = i64::from(i32::MAX) / (128 * k.max(1) as i64);
    limit.clamp(1, i64::from(i16::MAX)) as i16
}

/// Rows as 8-bit codes with a scale each: `scale = max|x| / 127`.
///
/// A row of zeros (or with an infinite value) gets scale 0. Error per value: at most
/// `scale / 2`.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantized {
    /// Codes, row-major.
    pub codes: Vec<i8>,
    /// One scale per row.
    pub scales: Vec<f32>,
    /// Length of a row.
    pub dim: usize,
}

impl Quantized {
    /// Quantises `rows`.
    pub fn of(rows: RowsF32<'_>) -> Self {
        let mut codes = Vec::with_capacity(rows.data().len());
        let mut scales = Vec::with_capacity(rows.len());
        for row in rows.data().chunks_exact(rows.dim()) {
            scales.push(push_row_i8(row, &mut codes));
        }
        Self {
            codes,
            scales,
            dim: rows.dim(),
        }
    }

    /// The codes as a scannable matrix.
    ///
    /// # Errors
    /// When rows are longer than [`crate::RowsI8::MAX_DIM`].
    pub fn rows(&self) -> Result<crate::RowsI8<'_>, ShapeError> {
        crate::RowsI8::new(&self.codes, &self.scales, self.dim)
    }
}

/// The same memory read as signed codes: how codes come out of a file.
pub fn codes_of_bytes(bytes: &[u8]) -> &[i8] {
    crate::cpu::codes_of_bytes(bytes)
}

/// Appends the codes of `row` to `codes` and returns its scale.
pub fn push_row_i8(row: &[f32], codes: &mut Vec<i8>) -> f32 {
    let (scale, inverse) = scale_for(row, f32::from(MAX_CODE));
    codes.extend(row.iter().map(|x| nearest(x * inverse) as i8));
    scale
}

/// Appends 16-bit codes of `row` to `codes`, at most [`limit_i16`] of its length, and returns the
/// scale.
pub fn push_row_i16(row: &[f32], codes: &mut Vec<i16>) -> f32 {
    let (scale, inverse) = scale_for(row, f32::from(limit_i16(row.len())));
    codes.extend(row.iter().map(|x| nearest(x * inverse) as i16));
    scale
}

/// The low bits of the nearest integer, ties to even, of a value of at most 2^22: without the call into
/// the C library that `round_ties_even` is where the CPU's least instructions are asked for.
pub(crate) fn nearest(x: f32) -> i32 {
    const ROUNDER: f32 = 12_582_912.0; // 1.5 * 2^23 leaves the integer in the low bits
    (x + ROUNDER).to_bits().cast_signed()
}

/// Appends the signs of `row` as a binary code: a bit is 1 where the value is above 0.
pub fn push_row_bits(row: &[f32], words: &mut Vec<u64>) {
    for chunk in row.chunks(64) {
        let bit = |(i, x): (usize, &f32)| u64::from(*x > 0.0) << i;
        words.push(chunk.iter().enumerate().map(bit).sum());
    }
}

/// `(max|x| / limit, limit / max|x|)`, or zeros where that is no finite number.
pub(crate) fn scale_for(row: &[f32], limit: f32) -> (f32, f32) {
    let peak = row.iter().fold(0.0_f32, |peak, x| peak.max(x.abs()));
    scale_of_peak(peak, limit)
}

/// See [`scale_for`]. Peaks below 1e-30 count as zero, since their inverse would overflow.
pub(crate) fn scale_of_peak(peak: f32, limit: f32) -> (f32, f32) {
    if peak.is_finite() && peak > 1e-30 {
        (peak / limit, limit / peak)
    } else {
        (0.0, 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_integer_is_that_of_the_standard_library() {
        for quarter in -131_068..=131_068 {
            let x = quarter as f32 / 4.0;
            assert_eq!(nearest(x) as i16, x.round_ties_even() as i16, "{x}");
            if x.abs() <= 127.0 {
                assert_eq!(nearest(x) as i8, x.round_ties_even() as i8, "{x}");
            }
        }
    }

    #[test]
    fn the_limit_keeps_the_largest_sum_inside_32_bits() {
        for k in [0, 1, 384, 1536, 4096, 65_536, 1 << 20] {
            let largest = i64::from(limit_i16(k)) * 128 * k as i64;
            assert!(largest <= i64::from(i32::MAX), "{k}");
        }
        assert_eq!((limit_i16(384), limit_i16(1536)), (32_767, 10_922));
    }

    #[test]
    fn codes_are_within_half_a_step_and_zeros_stay_zero() {
        let data = [0.5, -1.0, 0.25, 0.0, 0.0, 0.0];
        let quantized = Quantized::of(RowsF32::new(&data, 3).unwrap());
        assert_eq!(quantized.codes, [64, -127, 32, 0, 0, 0]);
        assert_eq!(quantized.scales, [1.0 / 127.0, 0.0]);
    }
}
