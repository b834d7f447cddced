//! Disentangled attention of one layer: what its queries and keys make of the buckets of distances.

use std::ops::Range;

use indago_kernels::product::{PackedF32, linear_f32};
use indago_kernels::{ByContent, Heads};

use crate::ModelError;
use crate::weights::{DenseTensors, Relative};

/// The buckets' vectors as one layer sees them.
#[derive(Debug)]
pub(super) struct Distances {
    /// For each head what queries are multiplied with, `[buckets, head]`.
    toward: Vec<PackedF32>,
    /// For each head what keys are multiplied with.
    from: Vec<PackedF32>,
    nothing: Vec<f32>,
}

/// Reused memory.
#[derive(Debug, Default)]
pub(super) struct DistanceMemory {
    rows: Vec<f32>,
    queries: Vec<f32>,
    keys: Vec<f32>,
}

/// Makes up for the two further terms that scores have: the scale of three products instead of one
/// (section 3.1), as part of the queries, in which every term is linear.
pub(super) fn scale_queries(qkv: &mut DenseTensors) {
    let (hidden, inputs) = (
        qkv.bias.len() / 3,
        qkv.weights.len() / qkv.bias.len().max(1),
    );
    let scale = 1.0 / 3.0_f32.sqrt();
    let queries = &mut qkv.weights[..hidden * inputs];
    for x in queries.iter_mut().chain(&mut qkv.bias[..hidden]) {
        *x *= scale;
    }
}

impl Distances {
    /// Projects the vectors of `relative` as queries and keys of the layer with `qkv` are, whose queries
    /// are scaled.
    pub(super) fn new(
        relative: &Relative,
        qkv: &DenseTensors,
        heads: Heads,
    ) -> Result<Self, ModelError> {
        let unfit = |error: indago_kernels::ShapeError| {
            ModelError::format("vectors of distances", error.to_string())
        };
        let hidden = heads.width();
        let count = relative.vectors.len() / hidden;
        let both = PackedF32::pack(&qkv.weights[..2 * hidden * hidden], hidden).map_err(unfit)?;
        let mut projected = vec![0.0; count * 2 * hidden];
        linear_f32(
            &relative.vectors,
            &both,
            &qkv.bias[..2 * hidden],
            &mut projected,
        );
        let of_heads = |first: usize| {
            let head = |head: usize| {
                let at = first + head * heads.dim;
                let rows = projected.chunks_exact(2 * hidden);
                let own: Vec<f32> = rows
                    .flat_map(|row| &row[at..at + heads.dim])
                    .copied()
                    .collect();
                PackedF32::pack(&own, heads.dim).map_err(unfit)
            };
            (0..heads.count).map(head).collect::<Result<Vec<_>, _>>()
        };
        Ok(Self {
            from: of_heads(0)?,
            toward: of_heads(hidden)?,
            nothing: vec![0.0; count],
        })
    }

    /// What the queries of `own` and the first `seen` keys of a sequence add to scores.
    pub(super) fn terms<'m>(
        &self,
        buckets: &'m [u16],
        qkv: &[f32],
        own: Range<usize>,
        seen: usize,
        heads: Heads,
        memory: &'m mut DistanceMemory,
    ) -> ByContent<'m> {
        let DistanceMemory {
            rows,
            queries,
            keys,
        } = memory;
        self.multiply(&self.toward, (qkv, 0), own, heads, rows, queries);
        self.multiply(&self.from, (qkv, 1), 0..seen, heads, rows, keys);
        ByContent {
            queries,
            keys,
            count: self.nothing.len(),
            buckets,
        }
    }

    /// `out = rows * weights`, `[heads, rows, buckets]`, for the queries (0) or keys (1) of a sequence.
    fn multiply(
        &self,
        weights: &[PackedF32],
        (qkv, which): (&[f32], usize),
        range: Range<usize>,
        heads: Heads,
        rows: &mut Vec<f32>,
        out: &mut Vec<f32>,
    ) {
        let (width, count) = (heads.width(), self.nothing.len());
        let of_sequence = &qkv[range.start * 3 * width..range.end * 3 * width];
        out.resize(heads.count * range.len() * count, 0.0);
        let tables = out.chunks_exact_mut((range.len() * count).max(1));
        for (head, (weights, out)) in weights.iter().zip(tables).enumerate() {
            let at = which * width + head * heads.dim;
            rows.clear();
            for row in of_sequence.chunks_exact(3 * width) {
                rows.extend_from_slice(&row[at..at + heads.dim]);
            }
            linear_f32(rows, weights, &self.nothing, out);
        }
    }
}
