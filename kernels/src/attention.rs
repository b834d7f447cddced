//! Self-attention over one short sequence.

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

/// Bidirectional attention of a sequence on itself:
/// `out[i] = sum_j softmax_j(q[i] . k[j] / sqrt(dim)) * v[j]`, for each head.
///
/// | argument  | shape                    | layout                                         |
/// |-----------|--------------------------|------------------------------------------------|
/// | `qkv`     | `[len, 3, heads, dim]`   | row-major: a row holds queries, keys, values   |
/// | `out`     | `[len, heads, dim]`      | row-major, overwritten                         |
/// | `scratch` |                          | reused memory; content means nothing           |
///
/// Does `4 * len^2 * heads * dim` operations. Scores of six query rows at a time live in scratch
/// (`24 * len` bytes), never the whole matrix; keys and values of one head are copied into panels
/// (`8 * len * dim` bytes). Error about that of two f32 products. Twin:
/// [`crate::reference::attention`].
///
/// # Panics
/// When the shapes do not fit.
pub fn attention(qkv: &[f32], heads: Heads, scratch: &mut Vec<f32>, out: &mut [f32]) {
    let width = heads.width();
    assert!(width > 0, "no heads");
    assert!(qkv.len().is_multiple_of(3 * width), "qkv");
    assert_eq!(out.len() * 3, qkv.len(), "out");
    cpu::attention(Isa::active(), qkv, heads, scratch, out);
}
