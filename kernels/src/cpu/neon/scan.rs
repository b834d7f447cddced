//! Scores of rows against queries, in register tiles of R rows by Q queries.
//!
//! Each pair has accumulators of its own, so a score does not depend on the tile it was computed in.

use std::arch::aarch64::{
    float32x4_t, int16x8_t, int32x4_t, vaddq_s32, vaddvq_s32, vcvt_f32_f16, vcvt_high_f32_f16,
    vdupq_n_f32, vdupq_n_s32, vfmaq_f32, vget_low_f16, vget_low_s16, vld1_s8, vld1q_u16,
    vmlal_high_s16, vmlal_s16, vmovl_s8, vreinterpretq_f16_u16,
};

use super::{load_f32, load_i16, padded, sum_f32};
use crate::cpu::body;

/// Rows and queries of a full tile.
const ROWS: usize = 4;
const QUERIES: usize = 2;

/// Runs `$tile::<R, Q>` over all rows and queries, full tiles first.
macro_rules! for_tiles {
    ($n:expr, $m:expr, $r:ident, $q:ident, $tile:ident ( $($arg:expr),* )) => {{
        let mut $q = 0;
        while $q < $m {
            let pair = $m - $q >= QUERIES;
            let mut $r = 0;
            while $r < $n {
                let full = $n - $r >= ROWS;
                match (full, pair) {
                    (true, true) => $tile::<ROWS, QUERIES>($($arg),*),
                    (true, false) => $tile::<ROWS, 1>($($arg),*),
                    (false, true) => $tile::<1, QUERIES>($($arg),*),
                    (false, false) => $tile::<1, 1>($($arg),*),
                }
                $r += if full { ROWS } else { 1 };
            }
            $q += if pair { QUERIES } else { 1 };
        }
    }};
}

#[target_feature(enable = "neon")]
pub(crate) fn scores_f32(rows: &[f32], queries: &[f32], dim: usize, out: &mut [f32]) {
    let (n, m) = (rows.len() / dim, queries.len() / dim);
    for_tiles!(
        n,
        m,
        r,
        q,
        tile_f32(
            &rows[r * dim..],
            &queries[q * dim..],
            dim,
            n,
            &mut out[q * n + r..]
        )
    );
}

/// `out[q * n + r]` of the first R rows and Q queries.
#[target_feature(enable = "neon")]
#[inline]
fn tile_f32<const R: usize, const Q: usize>(
    rows: &[f32],
    queries: &[f32],
    dim: usize,
    n: usize,
    out: &mut [f32],
) {
    tile::<f32, R, Q>(rows, queries, dim, n, out, |eight| load_f32(eight));
}

/// The same over rows of any kind that `load` widens.
#[target_feature(enable = "neon")]
#[inline]
fn tile<T: Copy + Default, const R: usize, const Q: usize>(
    rows: &[T],
    queries: &[f32],
    dim: usize,
    n: usize,
    out: &mut [f32],
    load: impl Fn(&[T; 8]) -> [float32x4_t; 2],
) {
    let mut sums = [[[vdupq_n_f32(0.0); 2]; Q]; R];
    for c in 0..dim.div_ceil(8) {
        let y: [_; Q] = std::array::from_fn(|q| load_f32(&eight(queries, q, c, dim)));
        for (r, sums) in sums.iter_mut().enumerate() {
            add_f32(sums, load(&eight(rows, r, c, dim)), &y);
        }
    }
    for (r, sums) in sums.into_iter().enumerate() {
        for (q, sum) in sums.into_iter().enumerate() {
            out[q * n + r] = sum_f32(sum);
        }
    }
}

/// The eight values from `8 * c` of the row `i`, zeros behind its last.
#[inline]
fn eight<T: Copy + Default>(rows: &[T], i: usize, c: usize, dim: usize) -> [T; 8] {
    let values = &rows[i * dim + 8 * c..(i + 1) * dim];
    values
        .first_chunk()
        .copied()
        .unwrap_or_else(|| padded(values))
}

/// Adds the products of a row's eight values with those of Q queries.
#[target_feature(enable = "neon")]
#[inline]
fn add_f32<const Q: usize>(
    sums: &mut [[float32x4_t; 2]; Q],
    x: [float32x4_t; 2],
    y: &[[float32x4_t; 2]; Q],
) {
    for (sum, y) in sums.iter_mut().zip(y) {
        *sum = [vfmaq_f32(sum[0], x[0], y[0]), vfmaq_f32(sum[1], x[1], y[1])];
    }
}

#[target_feature(enable = "neon")]
pub(crate) fn scores_f16(rows: &[u16], queries: &[f32], dim: usize, out: &mut [f32]) {
    let (n, m) = (rows.len() / dim, queries.len() / dim);
    for_tiles!(
        n,
        m,
        r,
        q,
        tile_f16(
            &rows[r * dim..],
            &queries[q * dim..],
            dim,
            n,
            &mut out[q * n + r..]
        )
    );
}

/// Eight 16-bit floats, widened.
#[target_feature(enable = "neon")]
#[inline]
fn load_f16(from: &[u16; 8]) -> [float32x4_t; 2] {
    // SAFETY: the reference covers the 16 bytes read; the load needs no alignment.
    let halves = vreinterpretq_f16_u16(unsafe { vld1q_u16(from.as_ptr()) });
    [
        vcvt_f32_f16(vget_low_f16(halves)),
        vcvt_high_f32_f16(halves),
    ]
}

/// As [`tile_f32`], in the same order, so that a score equals that of the widened row.
#[target_feature(enable = "neon")]
#[inline]
fn tile_f16<const R: usize, const Q: usize>(
    rows: &[u16],
    queries: &[f32],
    dim: usize,
    n: usize,
    out: &mut [f32],
) {
    tile::<u16, R, Q>(rows, queries, dim, n, out, |eight| load_f16(eight));
}

/// The compiler counts sixteen bytes' bits at once.
#[target_feature(enable = "neon")]
pub(crate) fn hamming(rows: &[u64], queries: &[u64], words: usize, out: &mut [u32]) {
    body::hamming(rows, queries, words, out);
}

#[target_feature(enable = "neon")]
pub(crate) fn scores_i8(rows: &[i8], queries: &[i16], dim: usize, out: &mut [i32]) {
    let (n, m) = (rows.len() / dim, queries.len() / dim);
    for_tiles!(
        n,
        m,
        r,
        q,
        tile_i8(
            &rows[r * dim..],
            &queries[q * dim..],
            dim,
            n,
            &mut out[q * n + r..]
        )
    );
}

/// Eight codes, widened.
#[target_feature(enable = "neon")]
#[inline]
fn load_i8(from: &[i8; 8]) -> int16x8_t {
    // SAFETY: the reference covers the 8 bytes read; the load needs no alignment.
    vmovl_s8(unsafe { vld1_s8(from.as_ptr()) })
}

/// `sum + x * y`, lane `i` of the sums taking products `i` and `i + 4`.
#[target_feature(enable = "neon")]
#[inline]
fn add_i16(sum: int32x4_t, x: int16x8_t, y: int16x8_t) -> int32x4_t {
    vmlal_high_s16(vmlal_s16(sum, vget_low_s16(x), vget_low_s16(y)), x, y)
}

#[target_feature(enable = "neon")]
#[inline]
fn tile_i8<const R: usize, const Q: usize>(
    rows: &[i8],
    queries: &[i16],
    dim: usize,
    n: usize,
    out: &mut [i32],
) {
    let row: [_; R] = std::array::from_fn(|r| rows[r * dim..(r + 1) * dim].as_chunks::<8>());
    let query: [_; Q] = std::array::from_fn(|q| queries[q * dim..(q + 1) * dim].as_chunks::<8>());
    let mut sums = [[vdupq_n_s32(0); Q]; R];
    for c in 0..dim / 8 {
        let y: [_; Q] = std::array::from_fn(|q| load_i16(&query[q].0[c]));
        for (row, sums) in row.iter().zip(&mut sums) {
            let x = load_i8(&row.0[c]);
            for (sum, y) in sums.iter_mut().zip(y) {
                *sum = add_i16(*sum, x, y);
            }
        }
    }
    for r in 0..R {
        for q in 0..Q {
            out[q * n + r] = vaddvq_s32(sums[r][q]) + plain(row[r].1, query[q].1);
        }
    }
}

fn plain<T: Copy + Into<i32>>(a: &[i8], b: &[T]) -> i32 {
    let each = a.iter().zip(b).map(|(&a, &b)| i32::from(a) * b.into());
    each.sum()
}

#[target_feature(enable = "neon")]
pub(crate) fn scores_i8_at(rows: &[i8], query: &[i16], at: &[u32], out: &mut [i32]) {
    let dim = query.len();
    for (&row, out) in at.iter().zip(out) {
        let row = &rows[row as usize * dim..(row as usize + 1) * dim];
        tile_i8::<1, 1>(row, query, dim, 1, std::slice::from_mut(out));
    }
}

#[target_feature(enable = "neon")]
pub(crate) fn dot_i8(a: &[i8], b: &[i8]) -> i32 {
    let (a, a_tail) = a.as_chunks::<8>();
    let (b, b_tail) = b.as_chunks::<8>();
    // Two sums, so that an addition need not wait for the one before.
    let mut sums = [vdupq_n_s32(0); 2];
    for (i, (a, b)) in a.iter().zip(b).enumerate() {
        sums[i % 2] = add_i16(sums[i % 2], load_i8(a), load_i8(b));
    }
    vaddvq_s32(vaddq_s32(sums[0], sums[1])) + plain(a_tail, b_tail)
}
