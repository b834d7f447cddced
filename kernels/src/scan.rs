//! Exact search over all rows: the best `k` by dot product.
//!
//! Results are ordered by (score descending, row ascending) and depend neither on the number of
//! threads nor on which other queries share the call. A score that is no number counts as minus
//! infinity. The rows are cut into blocks that the rayon pool works through; each thread keeps a
//! bounded heap per query, and the heaps are merged under the same order.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use indago_core::{Cancel, Cancelled};
use rayon::prelude::*;

use crate::quantize::push_row_i16;
use crate::{Isa, RowsBits, RowsF16, RowsF32, RowsI8, ShapeError, cpu};

/// Rows scored between two looks at the heap. 256 scores of 8 queries stay in the first cache.
const BLOCK: usize = 256;

/// Fewest multiplications worth waking another thread for.
const GRAIN: usize = 1 << 18;

/// A row with its score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scored {
    /// Which row, from 0.
    pub row: usize,
    /// Its dot product with the query; minus infinity where that is no number.
    pub score: f32,
}

impl Scored {
    pub(crate) fn new(row: usize, score: f32) -> Self {
        // `+ 0.0` makes the two zeros one, so that they tie.
        Self {
            row,
            score: if score.is_nan() {
                f32::NEG_INFINITY
            } else {
                score + 0.0
            },
        }
    }
}

/// A scan gave no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    /// The queries do not fit the rows.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// Cancelled.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// For each query the best `k` rows, best first; fewer when there are fewer rows.
///
/// | argument  | shape      | type | layout    |
/// |-----------|------------|------|-----------|
/// | `rows`    | `[n, dim]` | f32  | row-major |
/// | `queries` | `[q, dim]` | f32  | row-major |
///
/// Moves `4 * n * dim` bytes for every 4 queries, does `2 * n * dim * q` operations: bound by
/// memory for few queries, so batch them. Scores equal [`crate::dot_f32`] bit for bit. Checks
/// `cancel` once a block of 256 rows. Twin: [`crate::reference::top_k`].
///
/// # Errors
/// When the length of `queries` is no multiple of the rows' dim, or when cancelled.
pub fn top_k_f32(
    rows: RowsF32<'_>,
    queries: &[f32],
    k: usize,
    cancel: &Cancel,
) -> Result<Vec<Vec<Scored>>, ScanError> {
    top_k_f32_where(rows, queries, k, |_| true, cancel)
}

/// [`top_k_f32`] over the rows that `keep` allows.
///
/// # Errors
/// As [`top_k_f32`].
pub fn top_k_f32_where(
    rows: RowsF32<'_>,
    queries: &[f32],
    k: usize,
    keep: impl Fn(usize) -> bool + Sync,
    cancel: &Cancel,
) -> Result<Vec<Vec<Scored>>, ScanError> {
    let dim = rows.dim();
    let n_queries = RowsF32::new(queries, dim)?.len();
    let isa = Isa::active();
    let score = |first: usize, n: usize, out: &mut [f32]| {
        cpu::scores_f32(
            isa,
            &rows.data()[first * dim..(first + n) * dim],
            queries,
            dim,
            out,
        );
    };
    scan(
        Extent {
            n: rows.len(),
            n_queries,
            dim,
        },
        k,
        &keep,
        cancel,
        &score,
    )
}

/// [`top_k_f32`] over rows of 8-bit codes: a quarter of the bytes.
///
/// Queries are quantised to 16 bits, so the error of a score is that of the rows: at most
/// `scale / 2 * sum|query|` and about `1e-4` of the query's largest value beside it. The sum of
/// products is exact, the score two f32 roundings of it: the same on every CPU.
///
/// # Errors
/// As [`top_k_f32`].
pub fn top_k_i8(
    rows: RowsI8<'_>,
    queries: &[f32],
    k: usize,
    cancel: &Cancel,
) -> Result<Vec<Vec<Scored>>, ScanError> {
    top_k_i8_where(rows, queries, k, |_| true, cancel)
}

/// [`top_k_i8`] over the rows that `keep` allows.
///
/// # Errors
/// As [`top_k_f32`].
pub fn top_k_i8_where(
    rows: RowsI8<'_>,
    queries: &[f32],
    k: usize,
    keep: impl Fn(usize) -> bool + Sync,
    cancel: &Cancel,
) -> Result<Vec<Vec<Scored>>, ScanError> {
    let dim = rows.dim();
    let n_queries = RowsF32::new(queries, dim)?.len();
    let mut codes = Vec::with_capacity(queries.len());
    let query_scales: Vec<f32> = queries
        .chunks_exact(dim)
        .map(|query| push_row_i16(query, &mut codes))
        .collect();
    let isa = Isa::active();
    let score = |first: usize, n: usize, out: &mut [f32]| {
        let block = &rows.codes()[first * dim..(first + n) * dim];
        let mut sums = vec![0; out.len()];
        cpu::scores_i8(isa, block, &codes, dim, &mut sums);
        let scales = &rows.scales()[first..first + n];
        for ((out, sums), query_scale) in out
            .chunks_exact_mut(n)
            .zip(sums.chunks_exact(n))
            .zip(&query_scales)
        {
            for ((out, &sum), scale) in out.iter_mut().zip(sums).zip(scales) {
                *out = sum as f32 * (scale * query_scale);
            }
        }
    };
    scan(
        Extent {
            n: rows.len(),
            n_queries,
            dim,
        },
        k,
        &keep,
        cancel,
        &score,
    )
}

/// [`top_k_f32`] over rows of 16-bit floats that `keep` allows: half of the bytes. A score equals
/// that of the widened row bit for bit.
///
/// # Errors
/// As [`top_k_f32`].
pub fn top_k_f16(
    rows: RowsF16<'_>,
    queries: &[f32],
    k: usize,
    keep: impl Fn(usize) -> bool + Sync,
    cancel: &Cancel,
) -> Result<Vec<Vec<Scored>>, ScanError> {
    let dim = rows.dim();
    let n_queries = RowsF32::new(queries, dim)?.len();
    let isa = Isa::active();
    let score = |first: usize, n: usize, out: &mut [f32]| {
        let block = &rows.bits()[first * dim..(first + n) * dim];
        cpu::scores_f16(isa, block, queries, dim, out);
    };
    let extent = Extent {
        n: rows.len(),
        n_queries,
        dim,
    };
    scan(extent, k, &keep, cancel, &score)
}

/// The nearest `k` of the binary codes that `keep` allows: the score is the number of bits in which
/// code and query agree minus those in which they differ, which is the dot product of their signs.
///
/// Moves a bit a value. Meant for finding candidates: score several times as many as are wanted
/// again with [`rescore`].
///
/// # Errors
/// When the queries have codes of another length, or when cancelled.
pub fn top_k_bits(
    rows: RowsBits<'_>,
    queries: RowsBits<'_>,
    k: usize,
    keep: impl Fn(usize) -> bool + Sync,
    cancel: &Cancel,
) -> Result<Vec<Vec<Scored>>, ScanError> {
    ShapeError::check("bits of a query", queries.dim(), rows.dim())?;
    let words = rows.words_per_row();
    let isa = Isa::active();
    let score = |first: usize, n: usize, out: &mut [f32]| {
        let block = &rows.words()[first * words..(first + n) * words];
        let mut differing = vec![0; out.len()];
        cpu::hamming(isa, block, queries.words(), words, &mut differing);
        for (out, differing) in out.iter_mut().zip(differing) {
            *out = (rows.dim() as i64 - 2 * i64::from(differing)) as f32;
        }
    };
    let extent = Extent {
        n: rows.len(),
        n_queries: queries.len(),
        dim: words,
    };
    scan(extent, k, &keep, cancel, &score)
}

/// The best `k` of `candidates` by their exact scores, in the order of a scan.
pub fn rescore(candidates: Vec<Scored>, k: usize, exact: impl Fn(usize) -> f32) -> Vec<Scored> {
    let mut scored: Vec<Scored> = candidates
        .into_iter()
        .map(|candidate| Scored::new(candidate.row, exact(candidate.row)))
        .collect();
    scored.sort_unstable_by(order);
    scored.truncate(k);
    scored
}

#[derive(Clone, Copy)]
struct Extent {
    n: usize,
    n_queries: usize,
    dim: usize,
}

/// Runs `score(first_row, n_rows, out[q * n_rows + r])` over all blocks and keeps the best.
fn scan(
    extent: Extent,
    k: usize,
    keep: &(impl Fn(usize) -> bool + Sync),
    cancel: &Cancel,
    score: &(impl Fn(usize, usize, &mut [f32]) + Sync),
) -> Result<Vec<Vec<Scored>>, ScanError> {
    let Extent { n, n_queries, dim } = extent;
    if k == 0 || n == 0 || n_queries == 0 {
        cancel.check()?;
        return Ok(vec![Vec::new(); n_queries]);
    }
    let part = part_len(extent);
    let scan_part = |part_no: usize| -> Result<Vec<Best>, Cancelled> {
        let mut best = vec![Best::new(k.min(part)); n_queries];
        let mut scores = vec![0.0; BLOCK.min(part) * n_queries];
        let end = ((part_no + 1) * part).min(n);
        for first in (part_no * part..end).step_by(BLOCK) {
            cancel.check()?;
            let len = BLOCK.min(end - first);
            let scores = &mut scores[..len * n_queries];
            score(first, len, scores);
            for (best, scores) in best.iter_mut().zip(scores.chunks_exact(len)) {
                best.offer_all(first, scores, keep);
            }
        }
        Ok(best)
    };
    debug_assert!(dim > 0);
    let n_parts = n.div_ceil(part);
    let parts: Vec<Vec<Best>> = if n_parts == 1 {
        vec![scan_part(0)?]
    } else {
        (0..n_parts)
            .into_par_iter()
            .map(scan_part)
            .collect::<Result<_, _>>()?
    };
    let mut merged = vec![Vec::new(); n_queries];
    for part in parts {
        for (all, best) in merged.iter_mut().zip(part) {
            all.extend(best.heap.into_iter().map(|worst_first| worst_first.0));
        }
    }
    for all in &mut merged {
        all.sort_unstable_by(order);
        all.truncate(k);
    }
    Ok(merged)
}

/// Rows per piece of work: whole blocks, at least [`GRAIN`] multiplications, and about four pieces
/// a thread so that a slow one does not hold up the rest.
fn part_len(extent: Extent) -> usize {
    let fair = extent.n.div_ceil(4 * rayon::current_num_threads());
    let worth = GRAIN.div_ceil(extent.dim * extent.n_queries);
    fair.max(worth).next_multiple_of(BLOCK)
}

/// Best first.
fn order(a: &Scored, b: &Scored) -> Ordering {
    b.score.total_cmp(&a.score).then(a.row.cmp(&b.row))
}

/// Orders by [`order`], so that the greatest element of a heap is the worst kept.
#[derive(Clone, Copy, Debug, PartialEq)]
struct WorstFirst(Scored);

impl Eq for WorstFirst {}

impl PartialOrd for WorstFirst {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for WorstFirst {
    fn cmp(&self, other: &Self) -> Ordering {
        order(&self.0, &other.0)
    }
}

/// The best `k` rows seen so far.
#[derive(Clone, Debug)]
pub(crate) struct Best {
    heap: BinaryHeap<WorstFirst>,
    k: usize,
}

impl Best {
    pub(crate) fn new(k: usize) -> Self {
        Self {
            heap: BinaryHeap::new(),
            k,
        }
    }

    /// What is kept, best first.
    pub(crate) fn into_sorted(self) -> Vec<Scored> {
        let worst_last = self.heap.into_sorted_vec();
        worst_last.into_iter().map(|kept| kept.0).collect()
    }

    pub(crate) fn offer_all(
        &mut self,
        first: usize,
        scores: &[f32],
        keep: &impl Fn(usize) -> bool,
    ) {
        // Rows come in ascending order, so a later row that ties with the worst kept loses.
        let mut bar = self.bar();
        for (row, &score) in (first..).zip(scores) {
            if score <= bar || !keep(row) {
                continue;
            }
            let scored = WorstFirst(Scored::new(row, score));
            if self.heap.len() < self.k {
                self.heap.push(scored);
            } else if let Some(mut worst) = self.heap.peek_mut()
                && scored < *worst
            {
                *worst = scored;
            }
            bar = self.bar();
        }
    }

    /// Scores at or below it are not worth a look; NaN (which compares as false) while there is
    /// room.
    pub(crate) fn bar(&self) -> f32 {
        match self.heap.peek() {
            Some(worst) if self.heap.len() >= self.k => worst.0.score,
            _ => f32::NAN,
        }
    }
}
