//! Scores of rows against queries, in register tiles of R rows by Q queries.
//!
//! Each pair has one accumulator, so a score does not depend on the tile it was computed in; tiles
//! are chosen so that enough accumulators (8 to 12) hide the latency of a fused multiply-add.

use std::arch::x86_64::{
    __m256, _MM_HINT_T0, _mm_loadu_si128, _mm_prefetch, _mm256_add_epi32, _mm256_cvtepi8_epi16,
    _mm256_cvtph_ps, _mm256_fmadd_ps, _mm256_madd_epi16, _mm256_setzero_ps, _mm256_setzero_si256,
};

use crate::cpu::body;

use super::{load_f32, load_i16, load_tail_f32, sum_f32, sum_i32};

/// Cuts `n` into as many tiles as fit, largest first.
macro_rules! tiles {
    ($n:expr, $at:ident, [$($size:literal => $body:expr),+]) => {{
        let mut $at = 0;
        $(
            while $n - $at >= $size {
                $body;
                $at += $size;
            }
        )+
    }};
}

/// How far a scan for one query is ahead of itself in fetching rows.
const STREAM_AHEAD: usize = 2048;

/// Asks for the `len` values that stand [`STREAM_AHEAD`] bytes behind the first of `from`: one query
/// does too little with a row to hide its way from memory. Past the end of the rows that is
/// harmless.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn fetch_ahead<T>(from: &[T], len: usize) {
    let ahead = from.as_ptr().cast::<i8>().wrapping_add(STREAM_AHEAD);
    for line in (0..len * size_of::<T>()).step_by(64) {
        _mm_prefetch::<_MM_HINT_T0>(ahead.wrapping_add(line));
    }
}

#[target_feature(enable = "avx2,fma")]
pub(crate) fn scores_f32(rows: &[f32], queries: &[f32], dim: usize, out: &mut [f32]) {
    let n = rows.len() / dim;
    let m = queries.len() / dim;
    tiles!(m, q, [
        4 => tiles!(n, r, [
            3 => tile_f32::<3, 4>(rows, r, queries, q, dim, n, out),
            1 => tile_f32::<1, 4>(rows, r, queries, q, dim, n, out)
        ]),
        1 => tiles!(n, r, [
            8 => tile_f32::<8, 1>(rows, r, queries, q, dim, n, out),
            1 => tile_f32::<1, 1>(rows, r, queries, q, dim, n, out)
        ])
    ]);
}

#[target_feature(enable = "avx2,fma")]
#[inline]
fn tile_f32<const R: usize, const Q: usize>(
    rows: &[f32],
    r: usize,
    queries: &[f32],
    q: usize,
    dim: usize,
    n: usize,
    out: &mut [f32],
) {
    let mut row: [(&[[f32; 8]], &[f32]); R] = [(&[], &[]); R];
    for (i, row) in row.iter_mut().enumerate() {
        *row = rows[(r + i) * dim..(r + i + 1) * dim].as_chunks();
    }
    let mut query: [(&[[f32; 8]], &[f32]); Q] = [(&[], &[]); Q];
    for (j, query) in query.iter_mut().enumerate() {
        *query = queries[(q + j) * dim..(q + j + 1) * dim].as_chunks();
    }
    if Q == 1 {
        fetch_ahead(&rows[r * dim..], R * dim);
    }
    let mut sums = [[_mm256_setzero_ps(); Q]; R];
    for c in 0..dim / 8 {
        let mut y = [_mm256_setzero_ps(); Q];
        for j in 0..Q {
            y[j] = load_f32(&query[j].0[c]);
        }
        for i in 0..R {
            let x = load_f32(&row[i].0[c]);
            for j in 0..Q {
                sums[i][j] = _mm256_fmadd_ps(x, y[j], sums[i][j]);
            }
        }
    }
    for i in 0..R {
        for j in 0..Q {
            if !dim.is_multiple_of(8) {
                let (x, y) = (load_tail_f32(row[i].1), load_tail_f32(query[j].1));
                sums[i][j] = _mm256_fmadd_ps(x, y, sums[i][j]);
            }
            out[(q + j) * n + r + i] = sum_f32(sums[i][j]);
        }
    }
}

#[target_feature(enable = "avx2,fma,f16c,popcnt")]
pub(crate) fn scores_f16(rows: &[u16], queries: &[f32], dim: usize, out: &mut [f32]) {
    let n = rows.len() / dim;
    let m = queries.len() / dim;
    tiles!(m, q, [
        4 => tiles!(n, r, [
            3 => tile_f16::<3, 4>(rows, r, queries, q, dim, n, out),
            1 => tile_f16::<1, 4>(rows, r, queries, q, dim, n, out)
        ]),
        1 => tiles!(n, r, [
            8 => tile_f16::<8, 1>(rows, r, queries, q, dim, n, out),
            1 => tile_f16::<1, 1>(rows, r, queries, q, dim, n, out)
        ])
    ]);
}

/// Eight 16-bit floats, widened.
#[target_feature(enable = "avx2,fma,f16c,popcnt")]
#[inline]
fn load_f16(from: &[u16; 8]) -> __m256 {
    // SAFETY: the reference covers the 16 bytes read; the load needs no alignment.
    _mm256_cvtph_ps(unsafe { _mm_loadu_si128(from.as_ptr().cast()) })
}

/// As `tile_f32`, in the same order, so that a score equals that of the widened row.
#[target_feature(enable = "avx2,fma,f16c,popcnt")]
#[inline]
fn tile_f16<const R: usize, const Q: usize>(
    rows: &[u16],
    r: usize,
    queries: &[f32],
    q: usize,
    dim: usize,
    n: usize,
    out: &mut [f32],
) {
    let mut row: [(&[[u16; 8]], &[u16]); R] = [(&[], &[]); R];
    for (i, row) in row.iter_mut().enumerate() {
        *row = rows[(r + i) * dim..(r + i + 1) * dim].as_chunks();
    }
    let mut query: [(&[[f32; 8]], &[f32]); Q] = [(&[], &[]); Q];
    for (j, query) in query.iter_mut().enumerate() {
        *query = queries[(q + j) * dim..(q + j + 1) * dim].as_chunks();
    }
    if Q == 1 {
        fetch_ahead(&rows[r * dim..], R * dim);
    }
    let mut sums = [[_mm256_setzero_ps(); Q]; R];
    for c in 0..dim / 8 {
        let mut y = [_mm256_setzero_ps(); Q];
        for j in 0..Q {
            y[j] = load_f32(&query[j].0[c]);
        }
        for i in 0..R {
            let x = load_f16(&row[i].0[c]);
            for j in 0..Q {
                sums[i][j] = _mm256_fmadd_ps(x, y[j], sums[i][j]);
            }
        }
    }
    for i in 0..R {
        let mut padded = [0; 8];
        padded[..row[i].1.len()].copy_from_slice(row[i].1);
        for j in 0..Q {
            if !dim.is_multiple_of(8) {
                let (x, y) = (load_f16(&padded), load_tail_f32(query[j].1));
                sums[i][j] = _mm256_fmadd_ps(x, y, sums[i][j]);
            }
            out[(q + j) * n + r + i] = sum_f32(sums[i][j]);
        }
    }
}

/// One instruction counts the bits of a word.
#[target_feature(enable = "avx2,fma,f16c,popcnt")]
pub(crate) fn hamming(rows: &[u64], queries: &[u64], words: usize, out: &mut [u32]) {
    body::hamming(rows, queries, words, out);
}

#[target_feature(enable = "avx2,fma")]
pub(crate) fn scores_i8(rows: &[i8], queries: &[i16], dim: usize, out: &mut [i32]) {
    let n = rows.len() / dim;
    let m = queries.len() / dim;
    tiles!(m, q, [
        4 => tiles!(n, r, [
            2 => tile_i8::<2, 4>(rows, r, queries, q, dim, n, out),
            1 => tile_i8::<1, 4>(rows, r, queries, q, dim, n, out)
        ]),
        1 => tiles!(n, r, [
            4 => tile_i8::<4, 1>(rows, r, queries, q, dim, n, out),
            1 => tile_i8::<1, 1>(rows, r, queries, q, dim, n, out)
        ])
    ]);
}

#[target_feature(enable = "avx2,fma")]
#[inline]
fn tile_i8<const R: usize, const Q: usize>(
    rows: &[i8],
    r: usize,
    queries: &[i16],
    q: usize,
    dim: usize,
    n: usize,
    out: &mut [i32],
) {
    let mut row: [(&[[i8; 16]], &[i8]); R] = [(&[], &[]); R];
    for (i, row) in row.iter_mut().enumerate() {
        *row = rows[(r + i) * dim..(r + i + 1) * dim].as_chunks();
    }
    let mut query: [(&[[i16; 16]], &[i16]); Q] = [(&[], &[]); Q];
    for (j, query) in query.iter_mut().enumerate() {
        *query = queries[(q + j) * dim..(q + j + 1) * dim].as_chunks();
    }
    if Q == 1 {
        fetch_ahead(&rows[r * dim..], R * dim);
    }
    let mut sums = [[_mm256_setzero_si256(); Q]; R];
    for c in 0..dim / 16 {
        let mut y = [_mm256_setzero_si256(); Q];
        for j in 0..Q {
            y[j] = load_i16(&query[j].0[c]);
        }
        for i in 0..R {
            // SAFETY: the chunk is a reference to the 16 bytes read.
            let codes = unsafe { _mm_loadu_si128(row[i].0[c].as_ptr().cast()) };
            let x = _mm256_cvtepi8_epi16(codes);
            for j in 0..Q {
                sums[i][j] = _mm256_add_epi32(sums[i][j], _mm256_madd_epi16(x, y[j]));
            }
        }
    }
    for i in 0..R {
        for j in 0..Q {
            let tail = row[i].1.iter().zip(query[j].1);
            let tail: i32 = tail.map(|(&a, &b)| i32::from(a) * i32::from(b)).sum();
            out[(q + j) * n + r + i] = sum_i32(sums[i][j]) + tail;
        }
    }
}

/// Rows that are fetched from memory while those before them are multiplied.
const AHEAD: usize = 4;

#[target_feature(enable = "avx2,fma")]
pub(crate) fn scores_i8_at(rows: &[i8], query: &[i16], at: &[u32], out: &mut [i32]) {
    let dim = query.len();
    let prefetch = |row: u32| {
        let row = &rows[row as usize * dim..(row as usize + 1) * dim];
        for line in row.chunks(64) {
            _mm_prefetch::<_MM_HINT_T0>(line.as_ptr());
        }
    };
    at.iter().take(AHEAD).for_each(|&row| prefetch(row));
    for (i, (&row, out)) in at.iter().zip(out).enumerate() {
        if let Some(&later) = at.get(i + AHEAD) {
            prefetch(later);
        }
        let row = &rows[row as usize * dim..(row as usize + 1) * dim];
        *out = dot_i8_i16(row, query);
    }
}

/// `a . b`; the caller bounds the codes so that no sum leaves 32 bits.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn dot_i8_i16(a: &[i8], b: &[i16]) -> i32 {
    let (a, a_tail) = a.as_chunks::<16>();
    let (b, b_tail) = b.as_chunks::<16>();
    // Two sums, so that an addition need not wait for the one before.
    let mut sums = [_mm256_setzero_si256(); 2];
    for (i, (a, b)) in a.iter().zip(b).enumerate() {
        // SAFETY: the chunk is a reference to the 16 bytes read.
        let codes = unsafe { _mm_loadu_si128(a.as_ptr().cast()) };
        let products = _mm256_madd_epi16(_mm256_cvtepi8_epi16(codes), load_i16(b));
        sums[i % 2] = _mm256_add_epi32(sums[i % 2], products);
    }
    let tail = a_tail
        .iter()
        .zip(b_tail)
        .map(|(&a, &b)| i32::from(a) * i32::from(b));
    sum_i32(_mm256_add_epi32(sums[0], sums[1])) + tail.sum::<i32>()
}

#[target_feature(enable = "avx2,fma")]
pub(crate) fn dot_i8(a: &[i8], b: &[i8]) -> i32 {
    let (a, a_tail) = a.as_chunks::<16>();
    let (b, b_tail) = b.as_chunks::<16>();
    let mut sum = _mm256_setzero_si256();
    for (a, b) in a.iter().zip(b) {
        // SAFETY: the chunks are references to the 16 bytes read.
        let (a, b) = unsafe {
            (
                _mm_loadu_si128(a.as_ptr().cast()),
                _mm_loadu_si128(b.as_ptr().cast()),
            )
        };
        let products = _mm256_madd_epi16(_mm256_cvtepi8_epi16(a), _mm256_cvtepi8_epi16(b));
        sum = _mm256_add_epi32(sum, products);
    }
    let tail = a_tail
        .iter()
        .zip(b_tail)
        .map(|(&a, &b)| i32::from(a) * i32::from(b));
    sum_i32(sum) + tail.sum::<i32>()
}
