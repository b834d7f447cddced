//! Attention by panels, as on AVX2, with tiles of twelve query rows by two panels.

use std::arch::x86_64::{
    __m512, _mm512_mask_storeu_ps, _mm512_mul_ps, _mm512_set1_ps, _mm512_storeu_ps,
};

use super::super::avx2::{fill_panels, softmax};
use super::tile::{ROWS, for_row_tiles, tile_f32};
use crate::attention::{Heads, Queries};
use crate::product::PANEL;

#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512vl,avx512vnni")]
pub(crate) fn attention(
    queries: Queries<'_>,
    others: &[f32],
    heads: Heads,
    scratch: &mut Vec<f32>,
    out: &mut [f32],
) {
    let (width, d) = (heads.width(), heads.dim);
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
        let panels = Panels {
            queries,
            heads,
            head,
            keys,
            values,
            len,
        };
        for_row_tiles!(0..n_rows, row, R => {
            let out = &mut out[row * width + head * d..];
            panels.attend::<R>(row, scores, out);
        });
    }
}

/// One head's keys and values, and the rows that attend to them.
struct Panels<'a> {
    queries: Queries<'a>,
    heads: Heads,
    head: usize,
    keys: &'a [f32],
    values: &'a [f32],
    /// Keys.
    len: usize,
}

impl Panels<'_> {
    /// R rows of queries from `first` on into `out`, where they are a width of all heads apart.
    #[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512vl,avx512vnni")]
    fn attend<const R: usize>(&self, first: usize, scores: &mut [f32], out: &mut [f32]) {
        let (len, d, width) = (self.len, self.heads.dim, self.heads.width());
        let queries = &self.queries.rows[first * 3 * width + self.head * d..];
        let padded_len = len.next_multiple_of(PANEL);
        for (p, panels) in self.keys.chunks(2 * d * PANEL).enumerate() {
            let scores = &mut scores[p * 2 * PANEL..];
            if panels.len() == 2 * d * PANEL {
                let sums = tile_f32::<R, 2>(queries, 3 * width, d, panels);
                store_scores(&sums, scores, padded_len);
            } else {
                let sums = tile_f32::<R, 1>(queries, 3 * width, d, panels);
                store_scores(&sums, scores, padded_len);
            }
        }
        let mut inverses = [0.0; R];
        for (r, inverse) in inverses.iter_mut().enumerate() {
            let row = &mut scores[r * padded_len..r * padded_len + len];
            let counted = self.queries.weigh(self.heads, self.head, first + r, row);
            if !counted.is_empty() {
                *inverse = 1.0 / softmax(&mut row[counted], self.heads.scale());
            }
        }
        for (p, panels) in self.values.chunks(2 * len * PANEL).enumerate() {
            let columns = p * 2 * PANEL..(p * 2 * PANEL + 2 * PANEL).min(d);
            let out = &mut out[columns.start..];
            if panels.len() == 2 * len * PANEL {
                let sums = tile_f32::<R, 2>(scores, padded_len, len, panels);
                store_columns(&sums, &inverses, columns.len(), width, out);
            } else {
                let sums = tile_f32::<R, 1>(scores, padded_len, len, panels);
                store_columns(&sums, &inverses, columns.len(), width, out);
            }
        }
    }
}

/// Writes whole panels of sums, a row of them each `stride` values.
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512vl,avx512vnni")]
#[inline]
fn store_scores<const R: usize, const P: usize>(
    sums: &[[__m512; P]; R],
    out: &mut [f32],
    stride: usize,
) {
    assert!(out.len() >= (R - 1) * stride + P * PANEL);
    for (r, sums) in sums.iter().enumerate() {
        for (p, &sum) in sums.iter().enumerate() {
            // SAFETY: the assertion covers P panels behind the last row's offset; the stores need
            // no alignment.
            unsafe { _mm512_storeu_ps(out.as_mut_ptr().add(r * stride + p * PANEL), sum) };
        }
    }
}

/// Writes the first `len` sums of each row, times the row's factor.
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512vl,avx512vnni")]
#[inline]
fn store_columns<const R: usize, const P: usize>(
    sums: &[[__m512; P]; R],
    factors: &[f32; R],
    len: usize,
    stride: usize,
    out: &mut [f32],
) {
    assert!(len <= P * PANEL && out.len() >= (R - 1) * stride + len);
    for (r, (sums, &factor)) in sums.iter().zip(factors).enumerate() {
        let factor = _mm512_set1_ps(factor);
        for (p, &sum) in sums.iter().enumerate() {
            let rest = len.saturating_sub(p * PANEL).min(PANEL);
            let mask = ((1_u32 << rest) - 1) as u16;
            let y = _mm512_mul_ps(sum, factor);
            // SAFETY: the mask covers those of the panel's values that are below `len`, which the
            // assertion covers for the last row; masked-out lanes are not written.
            unsafe {
                _mm512_mask_storeu_ps(out.as_mut_ptr().add(r * stride + p * PANEL), mask, y);
            }
        }
    }
}
