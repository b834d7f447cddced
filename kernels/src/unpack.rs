//! Rows whose every byte stands for several values, as activations of the product of 8-bit codes.
//!
//! A compressed vector is a row of bytes, each the number of a codeword of `width` values; 256
//! codewords serve all places. A codeword's values are rounded to codes once, so unpacking a row is
//! one look-up a byte, and what follows is [`crate::w8a8::linear_w8a8`].

use crate::ShapeError;
use crate::w8a8::RowsU8;

/// Most values that a byte stands for.
const WIDEST: usize = 8;

/// Codewords of a byte.
pub const WORDS: usize = 256;

/// What each byte stands for, as codes `0..=levels` with one scale and zero point:
/// `value = scale * (code - zero)`, within one scale.
#[derive(Clone)]
pub struct ByteCodes {
    words: Box<[[u8; WIDEST]; WORDS]>,
    width: usize,
    levels: u8,
    scale: f32,
    zero: i32,
}

impl ByteCodes {
    /// Rounds `words` (`[256, width]`, row-major).
    ///
    /// # Errors
    /// When `width` is none of 1, 2, 4 and 8, or `levels` is 0.
    pub fn of(words: &[f32], levels: u8) -> Result<Self, ShapeError> {
        let width = words.len() / WORDS;
        if ![1, 2, 4, WIDEST].contains(&width) || levels == 0 {
            return Err(ShapeError {
                what: "values of 256 codewords",
                found: words.len(),
                expected: WORDS,
            });
        }
        ShapeError::check("values of 256 codewords", words.len(), WORDS * width)?;
        let low = words.iter().copied().fold(0.0, f32::min);
        let high = words.iter().copied().fold(0.0, f32::max);
        let scale = (high - low) / f32::from(levels);
        let inverse = if scale > 0.0 && scale.is_finite() {
            1.0 / scale
        } else {
            0.0
        };
        let zero = (-low * inverse).round();
        let mut codes = Box::new([[0; WIDEST]; WORDS]);
        for (codes, word) in codes.iter_mut().zip(words.chunks_exact(width)) {
            for (code, value) in codes.iter_mut().zip(word) {
                let nearest = (value * inverse).round() + zero;
                *code = nearest.clamp(0.0, f32::from(levels)) as u8;
            }
        }
        Ok(Self {
            words: codes,
            width,
            levels,
            scale: if inverse > 0.0 { scale } else { 0.0 },
            zero: zero as i32,
        })
    }

    /// Values that a byte stands for.
    pub fn width(&self) -> usize {
        self.width
    }

    /// What one code is worth.
    pub fn scale(&self) -> f32 {
        self.scale
    }

    /// Writes rows of `per_row` bytes as rows of `stride` codes; W is the width.
    fn write<const W: usize>(&self, bytes: &[u8], per_row: usize, stride: usize, out: &mut [u8]) {
        for (row, bytes) in out
            .chunks_exact_mut(stride)
            .zip(bytes.chunks_exact(per_row))
        {
            let (places, _) = row.as_chunks_mut::<W>();
            for (place, &byte) in places.iter_mut().zip(bytes) {
                place.copy_from_slice(&self.words[usize::from(byte)][..W]);
            }
        }
    }
}

impl std::fmt::Debug for ByteCodes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ByteCodes[256, {}] 0..={}", self.width, self.levels)
    }
}

impl RowsU8 {
    /// Replaces the content by the rows that `bytes` stand for, `dim` values each: `[rows, dim /
    /// width rounded up]`, row-major. What the last byte of a row stands for beyond `dim` means
    /// nothing. Reads a byte and writes `width` for each.
    ///
    /// # Panics
    /// When `dim` is 0 or the bytes are no whole rows.
    pub fn unpack(&mut self, bytes: &[u8], dim: usize, table: &ByteCodes) {
        let per_row = dim.div_ceil(table.width);
        assert!(
            dim > 0 && bytes.len().is_multiple_of(per_row),
            "{} bytes are no rows of {dim} values",
            bytes.len()
        );
        let rows = bytes.len() / per_row;
        let out = self.coded(rows, dim, table.levels, table.scale, table.zero);
        let stride = dim.next_multiple_of(WIDEST);
        match table.width {
            1 => table.write::<1>(bytes, per_row, stride, out),
            2 => table.write::<2>(bytes, per_row, stride, out),
            4 => table.write::<4>(bytes, per_row, stride, out),
            _ => table.write::<WIDEST>(bytes, per_row, stride, out),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::w8a8::{PackedW8, linear_w8a8};

    #[test]
    fn tables_of_other_shapes_are_refused_and_empty_ranges_are_zeros() {
        assert!(ByteCodes::of(&[0.0; 256 * 3], 127).is_err());
        assert!(ByteCodes::of(&[0.0; 256 * 2 + 1], 127).is_err());
        assert!(ByteCodes::of(&[], 127).is_err());
        assert!(ByteCodes::of(&[0.0; 256], 0).is_err());
        for value in [0.0, f32::INFINITY, f32::NAN] {
            let mut words = vec![value; 256];
            words[7] = 0.0;
            assert_eq!(ByteCodes::of(&words, 9).unwrap().scale(), 0.0);
        }
    }

    proptest! {
        #[test]
        fn products_of_unpacked_rows_are_those_of_the_values(
            width in prop::sample::select(vec![1_usize, 2, 4, 8]),
            dim in 1_usize..40,
            rows in 0_usize..8,
            levels in 1_u8..=255,
            seed in any::<u64>(),
        ) {
            let mut state = seed | 1;
            let mut next = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                state >> 40
            };
            let words: Vec<f32> = (0..256 * width).map(|_| next() as f32 / 8e6 - 1.0).collect();
            let per_row = dim.div_ceil(width);
            let bytes: Vec<u8> = (0..rows * per_row).map(|_| next() as u8).collect();
            let weights: Vec<i8> = (0..2 * dim).map(|_| next() as i8 % 16).collect();
            let table = ByteCodes::of(&words, levels).unwrap();
            let mut unpacked = RowsU8::default();
            // What a former use leaves behind is gone.
            unpacked.fill(&vec![1.0; 12 * 64], 64, 255);
            unpacked.unpack(&bytes, dim, &table);
            let packed = PackedW8::pack(&weights, &[1.0, 0.5], dim, levels).unwrap();
            let mut out = vec![0.0; 2 * rows];
            linear_w8a8(&unpacked, &packed, &[0.0; 2], &mut out);
            let weights = packed.codes();
            for (row, out) in bytes.chunks_exact(per_row).zip(out.chunks_exact(2)) {
                let values: Vec<f32> = row
                    .iter()
                    .flat_map(|&byte| &words[usize::from(byte) * width..][..width])
                    .copied()
                    .take(dim)
                    .collect();
                for (j, (weights, &out)) in weights.chunks_exact(dim).zip(out).enumerate() {
                    let pairs = values.iter().zip(weights);
                    let exact: f32 = pairs.map(|(v, &w)| v * f32::from(w)).sum();
                    let size: f32 = weights.iter().map(|&w| f32::from(w).abs()).sum();
                    let scale = packed.scales()[j];
                    let error = (out - scale * exact).abs();
                    prop_assert!(error <= scale * size * table.scale() * 1.001 + 1e-4, "{}", error);
                }
            }
        }
    }
}
