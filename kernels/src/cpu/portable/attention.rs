//! Attention, one query row at a time.

use super::softmax;
use crate::attention::{Heads, Queries};

pub(crate) fn attention(
    queries: Queries<'_>,
    others: &[f32],
    heads: Heads,
    scratch: &mut Vec<f32>,
    out: &mut [f32],
) {
    let width = heads.width();
    let (d, scale) = (heads.dim, heads.scale());
    let len = others.len() / (3 * width);
    scratch.resize(len, 0.0);
    let weights = &mut scratch[..len];
    for head in 0..heads.count {
        let rows = queries.rows.chunks_exact(3 * width).enumerate();
        for ((i, row), out) in rows.zip(out.chunks_exact_mut(width)) {
            let query = &row[head * d..(head + 1) * d];
            let out = &mut out[head * d..(head + 1) * d];
            for (weight, other) in weights.iter_mut().zip(others.chunks_exact(3 * width)) {
                let key = &other[width + head * d..width + (head + 1) * d];
                *weight = query.iter().zip(key).map(|(q, k)| q * k).sum();
            }
            let counted = queries.weigh(heads, head, i, weights);
            let others = others[counted.start * 3 * width..].chunks_exact(3 * width);
            let weights = &mut weights[counted];
            let inverse = 1.0 / softmax(weights, scale);
            out.fill(0.0);
            for (weight, other) in weights.iter().zip(others) {
                let value = &other[2 * width + head * d..2 * width + (head + 1) * d];
                for (out, value) in out.iter_mut().zip(value) {
                    *out += weight * inverse * value;
                }
            }
        }
    }
}
