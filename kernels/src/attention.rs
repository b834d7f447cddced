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

/// Bidirectional attention of some tokens of a sequence on all of it, or on its first tokens alone:
/// `out[i] = sum_{j < seen} softmax_j(q[i] . k[j] / sqrt(dim)) * v[j]` for `i` in `rows`, for each
/// head.
///
/// | argument  | shape                       | layout                                         |
/// |-----------|-----------------------------|------------------------------------------------|
/// | `qkv`     | `[len, 3, heads, dim]`      | row-major: a row holds queries, keys, values   |
/// | `seen`    | 1 to `len`                  | how many leading tokens are attended to        |
/// | `rows`    | within `0..len`             | the tokens to compute                          |
/// | `out`     | `[rows.len(), heads, dim]`  | row-major, overwritten                         |
/// | `scratch` |                             | reused memory; content means nothing           |
///
/// A token's outcome is the same whatever other tokens are computed with it, so threads may share
/// a sequence; each of them copies the keys and values again.
///
/// Does `4 * rows.len() * seen * heads * dim` operations. Scores of six or twelve query rows at a
/// time live in scratch (`48 * seen` bytes), never the whole matrix; keys and values of one head are
/// copied into panels (`8 * seen * dim` bytes). Error about that of two f32 products. Twin:
/// [`crate::reference::attention`].
///
/// # Panics
/// When the shapes do not fit.
pub fn attention(
    qkv: &[f32],
    heads: Heads,
    seen: usize,
    rows: Range<usize>,
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
    let keys = &qkv[..seen * 3 * width];
    assert!(seen > 0 || rows.is_empty(), "nothing to attend to");
    let queries = &qkv[rows.start * 3 * width..rows.end * 3 * width];
    cpu::attention(Isa::active(), queries, keys, heads, scratch, out);
}
