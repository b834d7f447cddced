//! Attention by panels: keys of one head transposed into panels of 16, values cut into panels of
//! 16 columns, six query rows at a time.

use std::arch::x86_64::{_mm256_mul_ps, _mm256_set1_ps};

use super::layer::softmax;
use super::product::store;
use super::tile::{ROWS, tile_f32};
use crate::attention::Heads;
use crate::product::PANEL;

#[target_feature(enable = "avx2,fma")]
pub(crate) fn attention(qkv: &[f32], heads: Heads, scratch: &mut Vec<f32>, out: &mut [f32]) {
    let width = heads.width();
    let d = heads.dim;
    let len = qkv.len() / (3 * width);
    let padded_len = len.next_multiple_of(PANEL);
    let padded_d = d.next_multiple_of(PANEL);
    scratch.resize(padded_len * d + len * padded_d + ROWS * padded_len, 0.0);
    let (keys, rest) = scratch.split_at_mut(padded_len * d);
    let (values, scores) = rest.split_at_mut(len * padded_d);
    for head in 0..heads.count {
        for (j, row) in qkv.chunks_exact(3 * width).enumerate() {
            let panel = &mut keys[j / PANEL * PANEL * d..];
            let key = &row[width + head * d..width + (head + 1) * d];
            for (step, key) in panel.chunks_exact_mut(PANEL).zip(key) {
                step[j % PANEL] = *key;
            }
            let value = &row[2 * width + head * d..2 * width + (head + 1) * d];
            let (whole, rest) = value.as_chunks::<PANEL>();
            for (p, value) in whole.iter().enumerate() {
                values[(p * len + j) * PANEL..][..PANEL].copy_from_slice(value);
            }
            if !rest.is_empty() {
                values[(whole.len() * len + j) * PANEL..][..rest.len()].copy_from_slice(rest);
            }
        }
        let mut first = 0;
        while first < len {
            let tile = Tile {
                qkv,
                heads,
                head,
                len,
                first,
            };
            match len - first {
                1 => tile.attend::<1>(keys, values, scores, out),
                2 => tile.attend::<2>(keys, values, scores, out),
                3 => tile.attend::<3>(keys, values, scores, out),
                4 => tile.attend::<4>(keys, values, scores, out),
                5 => tile.attend::<5>(keys, values, scores, out),
                _ => tile.attend::<ROWS>(keys, values, scores, out),
            }
            first += ROWS;
        }
    }
}

/// Query rows from `first` of one head.
struct Tile<'a> {
    qkv: &'a [f32],
    heads: Heads,
    head: usize,
    len: usize,
    first: usize,
}

impl Tile<'_> {
    #[target_feature(enable = "avx2,fma")]
    fn attend<const R: usize>(
        &self,
        keys: &[f32],
        values: &[f32],
        scores: &mut [f32],
        out: &mut [f32],
    ) {
        let (len, d, width) = (self.len, self.heads.dim, self.heads.width());
        let padded_len = len.next_multiple_of(PANEL);
        let queries = &self.qkv[self.first * 3 * width + self.head * d..];
        for (p, panel) in keys.chunks_exact(d * PANEL).enumerate() {
            let sums = tile_f32::<R>(queries, 3 * width, d, panel);
            for (r, sums) in sums.into_iter().enumerate() {
                let at = r * padded_len + p * PANEL;
                store(sums, &mut scores[at..at + PANEL]);
            }
        }
        let mut inverses = [0.0; R];
        for (r, inverse) in inverses.iter_mut().enumerate() {
            let row = &mut scores[r * padded_len..r * padded_len + len];
            *inverse = 1.0 / softmax(row, self.heads.scale());
        }
        for (p, panel) in values.chunks_exact(len * PANEL).enumerate() {
            let sums = tile_f32::<R>(scores, padded_len, len, panel);
            let columns = p * PANEL..(p * PANEL + PANEL).min(d);
            for (r, sums) in sums.into_iter().enumerate() {
                let inverse = _mm256_set1_ps(inverses[r]);
                let y = [
                    _mm256_mul_ps(sums[0], inverse),
                    _mm256_mul_ps(sums[1], inverse),
                ];
                let at = (self.first + r) * width + self.head * d;
                store(y, &mut out[at + columns.start..at + columns.end]);
            }
        }
    }
}
