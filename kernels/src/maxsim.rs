//! Late interaction: how well the tokens of documents answer the tokens of a query.
//!
//! `score(query, document) = sum over query tokens of the largest dot product with any of the
//! document's tokens` (Khattab and Zaharia 2020, "ColBERT", section 3.3). The maximum goes over the
//! document's tokens, the sum over the query's.

use indago_core::Cancel;
use rayon::prelude::*;

use crate::quantize::push_row_i16;
use crate::scan::ScanError;
use crate::{Isa, RowsF32, RowsI8, ShapeError, cpu};

/// Document tokens scored between two folds into the maxima: 64 x 32 scores stay in the first
/// cache.
const TILE: usize = 64;
/// Fewest multiplications worth waking another thread for.
const GRAIN: usize = 1 << 18;

/// Where the tokens of each document stand: document `i` has the rows `bounds[i]..bounds[i + 1]`.
#[derive(Clone, Copy, Debug)]
pub struct Ragged<'a> {
    bounds: &'a [u32],
}

impl<'a> Ragged<'a> {
    /// Views `bounds` (one more than there are documents, ascending from 0) over `n_rows` rows.
    ///
    /// # Errors
    /// When the bounds do not ascend from 0 to `n_rows`.
    pub fn new(bounds: &'a [u32], n_rows: usize) -> Result<Self, ShapeError> {
        let last = bounds.last().map_or(usize::MAX, |&last| last as usize);
        ShapeError::check("bounds of documents", last, n_rows)?;
        if bounds.first() != Some(&0) || !bounds.is_sorted() {
            return Err(ShapeError {
                what: "ascending bounds of documents from",
                found: bounds.first().map_or(0, |&first| first as usize),
                expected: 0,
            });
        }
        Ok(Self { bounds })
    }

    /// Number of documents.
    pub fn len(&self) -> usize {
        self.bounds.len() - 1
    }

    /// Whether there are no documents.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The rows of a document; none for a number beyond the last.
    fn rows(&self, document: u32) -> std::ops::Range<usize> {
        let i = document as usize;
        match (self.bounds.get(i), self.bounds.get(i + 1)) {
            (Some(&start), Some(&end)) => start as usize..end as usize,
            _ => 0..0,
        }
    }
}

/// The score of each of `documents`, in their order.
///
/// | argument | shape           | type | layout                        |
/// |----------|-----------------|------|-------------------------------|
/// | `query`  | `[tokens, dim]` | f32  | row-major                     |
/// | `tokens` | `[rows, dim]`   | f32  | row-major, documents in a row |
///
/// Moves `4 * dim` bytes a document token, does `2 * dim` operations for each pair of tokens: bound
/// by arithmetic from some eight query tokens on. Documents are spread over the rayon pool. A
/// document without tokens scores minus infinity, a query without tokens 0; dot products that are
/// no numbers count as minus infinity. Twin: [`crate::reference::maxsim`].
///
/// # Errors
/// When the length of `query` is no multiple of the tokens' dim, or when cancelled.
pub fn maxsim_f32(
    query: &[f32],
    tokens: RowsF32<'_>,
    documents_at: Ragged<'_>,
    documents: &[u32],
    cancel: &Cancel,
) -> Result<Vec<f32>, ScanError> {
    let dim = tokens.dim();
    let n_query = RowsF32::new(query, dim)?.len();
    ShapeError::check(
        "bounds of documents",
        documents_at.rows_total(),
        tokens.len(),
    )?;
    let isa = Isa::active();
    let score = |first: usize, n: usize, out: &mut [f32]| {
        let rows = &tokens.data()[first * dim..(first + n) * dim];
        cpu::scores_f32(isa, rows, query, dim, out);
    };
    each(documents_at, documents, n_query, dim, cancel, &score)
}

/// [`maxsim_f32`] over tokens of 8-bit codes. The query is quantised to 16 bits a token, so the
/// error is that of the codes: at most `scale / 2 * sum|query token|` for each query token.
///
/// # Errors
/// As [`maxsim_f32`].
pub fn maxsim_i8(
    query: &[f32],
    tokens: RowsI8<'_>,
    documents_at: Ragged<'_>,
    documents: &[u32],
    cancel: &Cancel,
) -> Result<Vec<f32>, ScanError> {
    let dim = tokens.dim();
    let n_query = RowsF32::new(query, dim)?.len();
    ShapeError::check(
        "bounds of documents",
        documents_at.rows_total(),
        tokens.len(),
    )?;
    let mut codes = Vec::with_capacity(query.len());
    let query_scales: Vec<f32> = query
        .chunks_exact(dim)
        .map(|token| push_row_i16(token, &mut codes))
        .collect();
    let isa = Isa::active();
    let score = |first: usize, n: usize, out: &mut [f32]| {
        let rows = &tokens.codes()[first * dim..(first + n) * dim];
        let mut sums = [0; 1024];
        let scales = &tokens.scales()[first..first + n];
        // A few query tokens at a time, so that the sums need no memory of their own.
        let step = (sums.len() / n).max(1);
        let parts = codes
            .chunks(step * dim)
            .zip(query_scales.chunks(step))
            .zip(out.chunks_mut(step * n));
        for ((codes, query_scales), out) in parts {
            let sums = &mut sums[..out.len()];
            cpu::scores_i8(isa, rows, codes, dim, sums);
            for ((out, sums), query_scale) in out
                .chunks_exact_mut(n)
                .zip(sums.chunks_exact(n))
                .zip(query_scales)
            {
                for ((out, &sum), scale) in out.iter_mut().zip(sums).zip(scales) {
                    *out = sum as f32 * (scale * query_scale);
                }
            }
        }
    };
    each(documents_at, documents, n_query, dim, cancel, &score)
}

impl Ragged<'_> {
    fn rows_total(&self) -> usize {
        self.bounds.last().map_or(0, |&last| last as usize)
    }
}

/// Runs `score(first_row, n_rows, out[q * n_rows + r])` over the documents' tokens and folds.
fn each(
    documents_at: Ragged<'_>,
    documents: &[u32],
    n_query: usize,
    dim: usize,
    cancel: &Cancel,
    score: &(impl Fn(usize, usize, &mut [f32]) + Sync),
) -> Result<Vec<f32>, ScanError> {
    cancel.check()?;
    let one = |&document: &u32| -> Result<f32, ScanError> {
        cancel.check()?;
        let rows = documents_at.rows(document);
        let mut best = vec![f32::NEG_INFINITY; n_query];
        let mut scores = vec![0.0; n_query * TILE.min(rows.len())];
        for first in rows.clone().step_by(TILE) {
            let n = TILE.min(rows.end - first);
            let scores = &mut scores[..n_query * n];
            if scores.is_empty() {
                break;
            }
            score(first, n, scores);
            for (best, scores) in best.iter_mut().zip(scores.chunks_exact(n)) {
                *best = largest(*best, scores);
            }
        }
        Ok(best.iter().sum())
    };
    let rows: usize = documents.iter().map(|&d| documents_at.rows(d).len()).sum();
    if rows * n_query * dim < GRAIN {
        return documents.iter().map(one).collect();
    }
    documents.par_iter().with_min_len(4).map(one).collect()
}

/// The largest of `start` and `scores`, values that are no numbers left out.
fn largest(start: f32, scores: &[f32]) -> f32 {
    let mut lanes = [start; 8];
    let (chunks, tail) = scores.as_chunks::<8>();
    for chunk in chunks {
        for (lane, &score) in lanes.iter_mut().zip(chunk) {
            *lane = if score > *lane { score } else { *lane };
        }
    }
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    let start = lanes.into_iter().fold(start, larger);
    tail.iter().copied().fold(start, larger)
}
