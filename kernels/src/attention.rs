//! Self-attention over one short sequence.

use std::ops::Range;

use crate::{Isa, cpu};

/// How many heads of which width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heads {
    /// Number of heads.
    pub count: usize,
    /// Width of a head.
    pub dim: usize,
}

impl Heads {
    /// Width of all heads side by side.
    pub fn width(self) -> usize {
        self.count * self.dim
    }

    /// What scores are multiplied with: `1 / sqrt(dim)`.
    pub(crate) fn scale(self) -> f32 {
        1.0 / (self.dim as f32).sqrt()
    }
}

/// What the distance of a key from the query changes in [`attention`]: what it adds to the key's score
/// (Shaw et al., NAACL 2018, with one number a head and distance, as T5 and MPNet have it), and
/// whether the key counts at all (Beltagy et al. 2020, "Longformer", section 3.1).
#[derive(Clone, Copy, Debug)]
pub struct ByDistance<'a> {
    /// `[heads, 2 * n - 1]` for sequences of at most `n` tokens, added to scaled scores: the key that
    /// stands furthest before the query first.
    pub bias: Option<&'a [f32]>,
    /// Most tokens to each side that are attended to.
    pub reach: usize,
    /// What a distance adds by what stands at both of its ends; all keys count then.
    pub content: Option<ByContent<'a>>,
}

impl ByDistance<'_> {
    /// Distances change nothing.
    pub const NOTHING: Self = Self {
        bias: None,
        reach: usize::MAX,
        content: None,
    };
}

/// What queries and keys make of distances, each for itself: the two terms of disentangled attention
/// (He et al., ICLR 2021, "DeBERTa", section 3.1). Added to products that are not scaled yet.
#[derive(Clone, Copy, Debug)]
pub struct ByContent<'a> {
    /// `[heads, rows, buckets]`: what each query adds to keys by the bucket of their distance.
    pub queries: &'a [f32],
    /// `[heads, seen, buckets]`: what each key adds to its own scores by that bucket.
    pub keys: &'a [f32],
    /// How many buckets there are.
    pub count: usize,
    /// `[2 * n - 1]` for sequences of at most `n` tokens: the bucket of each distance, the key that
    /// stands furthest before the query first.
    pub buckets: &'a [u16],
}

impl ByContent<'_> {
    /// Adds the terms of a query, the `row`th of all and at place `at` among the keys.
    #[inline]
    fn weigh(&self, heads: Heads, head: usize, (row, at): (usize, usize), scores: &mut [f32]) {
        let (seen, count) = (scores.len(), self.count);
        let n_rows = self.queries.len() / (heads.count * count);
        let query = &self.queries[(head * n_rows + row) * count..][..count];
        let keys = self.keys[head * seen * count..].chunks_exact(count);
        // The key at 0 stands `at` before the query.
        let buckets = &self.buckets[self.buckets.len() / 2 - at..];
        for ((score, key), &bucket) in scores.iter_mut().zip(keys).zip(buckets) {
            let bucket = usize::from(bucket);
            *score += query[bucket] + key[bucket];
        }
    }

    /// # Panics
    /// When the shapes do not fit.
    fn check(&self, heads: Heads, rows: usize, (seen, len): (usize, usize)) {
        assert_eq!(
            self.queries.len(),
            heads.count * rows * self.count,
            "queries"
        );
        assert_eq!(self.keys.len(), heads.count * seen * self.count, "keys");
        let odd = self.buckets.len() % 2 == 1;
        assert!(odd && self.buckets.len() / 2 + 1 >= len, "buckets");
    }
}

/// Tokens that attend.
#[derive(Clone, Copy)]
pub(crate) struct Queries<'a> {
    /// Their rows of `qkv`.
    pub rows: &'a [f32],
    /// Where the first of them stands, counted from the first key.
    pub first: usize,
    pub by: ByDistance<'a>,
}

impl Queries<'_> {
    /// Changes the scores, not scaled yet, of the `row`th query in `head` for each key by the keys'
    /// distances, and returns which of the keys count; the scores of others become 0.
    #[inline]
    pub(crate) fn weigh(
        &self,
        heads: Heads,
        head: usize,
        row: usize,
        scores: &mut [f32],
    ) -> Range<usize> {
        let at = self.first + row;
        let end = at.saturating_add(self.by.reach).saturating_add(1);
        let end = end.min(scores.len());
        let keys = at.saturating_sub(self.by.reach).min(end)..end;
        scores[..keys.start].fill(0.0);
        scores[keys.end..].fill(0.0);
        if let Some(bias) = self.by.bias {
            let distances = bias.len() / heads.count;
            // The key at 0 stands `at` before the query.
            let bias = &bias[head * distances + distances / 2 - at..][keys.clone()];
            let unscaled = 1.0 / heads.scale();
            for (score, bias) in scores[keys.clone()].iter_mut().zip(bias) {
                *score += bias * unscaled;
            }
        }
        if let Some(content) = &self.by.content {
            content.weigh(heads, head, (row, at), scores);
        }
        keys
    }
}

/// Rows that are computed with the keys around them where not all of a sequence's count.
const BLOCK: usize = 64;

/// Bidirectional attention of some tokens of a sequence on all of it, or on its first tokens alone:
/// `out[i] = sum_{j < seen} softmax_j(q[i] . k[j] / sqrt(dim)) * v[j]` for `i` in `rows`, for each
/// head; `by` may add to the products and leave out distant keys.
///
/// | argument  | shape                       | layout                                         |
/// |-----------|-----------------------------|------------------------------------------------|
/// | `qkv`     | `[len, 3, heads, dim]`      | row-major: a row holds queries, keys, values   |
/// | `seen`    | 1 to `len`                  | how many leading tokens are attended to        |
/// | `rows`    | within `0..len`             | the tokens to compute                          |
/// | `by`      | bias `[heads, 2 * n - 1]`   | `n` is at least `len`; with content no `reach` |
/// | `out`     | `[rows.len(), heads, dim]`  | row-major, overwritten                         |
/// | `scratch` |                             | reused memory; content means nothing           |
///
/// A token's outcome is the same whatever other tokens are computed with it, so threads may share
/// a sequence; each of them copies the keys and values again.
///
/// A token that no key counts for becomes zeros.
///
/// Does `4 * rows.len() * min(seen, 64 + 2 * reach) * heads * dim` operations. Scores of six or twelve
/// query rows at a time live in scratch (`48 * seen` bytes), never the whole matrix; keys and values
/// of one head are copied into panels (`8 * seen * dim` bytes). Error about that of two f32 products.
/// Twin: [`crate::reference::attention`].
///
/// # Panics
/// When the shapes do not fit.
pub fn attention(
    qkv: &[f32],
    heads: Heads,
    seen: usize,
    rows: Range<usize>,
    by: ByDistance<'_>,
    scratch: &mut Vec<f32>,
    out: &mut [f32],
) {
    let width = heads.width();
    assert!(width > 0, "no heads");
    assert!(qkv.len().is_multiple_of(3 * width), "qkv");
    assert!(
        rows.start <= rows.end && rows.end * 3 * width <= qkv.len(),
        "rows"
    );
    assert_eq!(out.len(), rows.len() * width, "out");
    let len = qkv.len() / (3 * width);
    assert!(seen <= len, "seen");
    assert!(seen > 0 || rows.is_empty(), "nothing to attend to");
    if let Some(bias) = by.bias {
        let distances = bias.len() / heads.count;
        assert!(
            bias.len().is_multiple_of(heads.count) && distances % 2 == 1,
            "bias"
        );
        assert!(distances / 2 + 1 >= len, "bias");
    }
    if let Some(content) = &by.content {
        assert!(by.reach >= len, "reach");
        content.check(heads, rows.len(), (seen, len));
    }
    let block = if by.reach < seen { BLOCK } else { rows.len() };
    let blocks = rows.clone().step_by(block.max(1));
    for (first, out) in blocks.zip(out.chunks_mut(block.max(1) * width)) {
        let last = (first + block).min(rows.end);
        let end = last.saturating_add(by.reach).min(seen);
        let start = first.saturating_sub(by.reach).min(end);
        if start == end {
            out.fill(0.0);
            continue;
        }
        let queries = Queries {
            rows: &qkv[first * 3 * width..last * 3 * width],
            first: first - start,
            by,
        };
        let keys = &qkv[start * 3 * width..end * 3 * width];
        cpu::attention(Isa::active(), queries, keys, heads, scratch, out);
    }
}
