//! Attention by panels: keys of one head transposed into panels of 16, values cut into panels of
//! 16 columns, six query rows at a time.

use std::arch::x86_64::{
    __m256, _mm256_loadu_ps, _mm256_mul_ps, _mm256_permute2f128_ps, _mm256_set1_ps,
    _mm256_shuffle_ps, _mm256_storeu_ps, _mm256_unpackhi_ps, _mm256_unpacklo_ps,
};

use super::layer::softmax;
use super::product::store;
use super::tile::{ROWS, tile_f32};
use crate::attention::{Heads, Queries};
use crate::product::PANEL;

#[target_feature(enable = "avx2,fma")]
pub(crate) fn attention(
    queries: Queries<'_>,
    others: &[f32],
    heads: Heads,
    scratch: &mut Vec<f32>,
    out: &mut [f32],
) {
    let width = heads.width();
    let d = heads.dim;
    let len = others.len() / (3 * width);
    let n_rows = queries.rows.len() / (3 * width);
    if n_rows == 0 {
        return;
    }
    let padded_len = len.next_multiple_of(PANEL);
    let padded_d = d.next_multiple_of(PANEL);
    scratch.resize(padded_len * d + len * padded_d + ROWS * padded_len, 0.0);
    let (keys, rest) = scratch.split_at_mut(padded_len * d);
    let (values, scores) = rest.split_at_mut(len * padded_d);
    for head in 0..heads.count {
        fill_panels(others, heads, head, keys, values);
        let mut first = 0;
        while first < n_rows {
            let tile = Tile {
                queries,
                heads,
                head,
                len,
                first,
            };
            match n_rows - first {
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

/// Copies the keys and values of one head into panels of 16: of keys, `[len / 16][d][16]`, and of
/// columns of values, `[d / 16][len][16]`, both rounded up.
#[target_feature(enable = "avx2,fma")]
pub(in crate::cpu) fn fill_panels(
    qkv: &[f32],
    heads: Heads,
    head: usize,
    keys: &mut [f32],
    values: &mut [f32],
) {
    let (width, d) = (heads.width(), heads.dim);
    let len = qkv.len() / (3 * width);
    let turned = turn_eights(&qkv[width + head * d..], 3 * width, len, d, keys);
    for (j, row) in qkv.chunks_exact(3 * width).enumerate() {
        let panel = &mut keys[j / PANEL * PANEL * d..];
        let key = &row[width + head * d..width + (head + 1) * d];
        let done = if j < turned { d / 8 * 8 } else { 0 };
        for (step, key) in panel.chunks_exact_mut(PANEL).zip(key).skip(done) {
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
}

/// Copies rows into panels of 16 columns, eight rows by eight values at a time; returns how many
/// rows. `rows` holds `len` rows of `d` values, `stride` apart; the values beyond a multiple of
/// eight are left out.
#[target_feature(enable = "avx2,fma")]
fn turn_eights(rows: &[f32], stride: usize, len: usize, d: usize, panels: &mut [f32]) -> usize {
    let eights = len / 8 * 8;
    for j in (0..eights).step_by(8) {
        let panel = &mut panels[j / PANEL * PANEL * d..][..PANEL * d];
        for at in (0..d / 8 * 8).step_by(8) {
            let block = &rows[j * stride + at..];
            let target = &mut panel[at * PANEL + j % PANEL..];
            assert!(block.len() >= 7 * stride + 8 && target.len() >= 7 * PANEL + 8);
            // SAFETY: the assertion covers eight vectors, `stride` and 16 values apart; neither
            // loads nor stores need alignment.
            unsafe {
                let row = |i: usize| _mm256_loadu_ps(block.as_ptr().add(i * stride));
                let columns = turned([
                    row(0),
                    row(1),
                    row(2),
                    row(3),
                    row(4),
                    row(5),
                    row(6),
                    row(7),
                ]);
                for (i, column) in columns.into_iter().enumerate() {
                    _mm256_storeu_ps(target.as_mut_ptr().add(i * PANEL), column);
                }
            }
        }
    }
    eights
}

/// The columns of eight rows.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn turned(r: [__m256; 8]) -> [__m256; 8] {
    // Pairs of rows, then fours, then the two halves.
    let low = |i: usize| _mm256_unpacklo_ps(r[2 * i], r[2 * i + 1]);
    let high = |i: usize| _mm256_unpackhi_ps(r[2 * i], r[2 * i + 1]);
    let four = |a: __m256, b: __m256| {
        (
            _mm256_shuffle_ps::<0b01_00_01_00>(a, b),
            _mm256_shuffle_ps::<0b11_10_11_10>(a, b),
        )
    };
    let (a0, a1) = four(low(0), low(1));
    let (a2, a3) = four(high(0), high(1));
    let (b0, b1) = four(low(2), low(3));
    let (b2, b3) = four(high(2), high(3));
    [
        _mm256_permute2f128_ps::<0x20>(a0, b0),
        _mm256_permute2f128_ps::<0x20>(a1, b1),
        _mm256_permute2f128_ps::<0x20>(a2, b2),
        _mm256_permute2f128_ps::<0x20>(a3, b3),
        _mm256_permute2f128_ps::<0x31>(a0, b0),
        _mm256_permute2f128_ps::<0x31>(a1, b1),
        _mm256_permute2f128_ps::<0x31>(a2, b2),
        _mm256_permute2f128_ps::<0x31>(a3, b3),
    ]
}

/// Query rows from `first` of one head.
struct Tile<'a> {
    queries: Queries<'a>,
    heads: Heads,
    head: usize,
    /// Keys.
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
        let queries = &self.queries.rows[self.first * 3 * width + self.head * d..];
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
            let at = self.first + r;
            let counted = self.queries.weigh(self.heads, self.head, at, row);
            if !counted.is_empty() {
                *inverse = 1.0 / softmax(&mut row[counted], self.heads.scale());
            }
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
