//! Token vectors in few bits: the nearest centroid and what is left, value by value.

use indago_core::Cancel;
use indago_kernels::l2_normalize;
use indago_kernels::scan::ScanError;

use super::k_means::{k_means, nearest};

/// Rounds of clustering.
const ROUNDS: usize = 4;
/// Sampled rows a centroid is made from.
const ROWS_PER_CENTROID: usize = 24;
/// Values of residuals that buckets are cut by.
const VALUES: usize = 1 << 18;

/// Centroids and the buckets of residuals. A bucket holds an equal share of the values it was made
/// from and stands for their mean.
#[derive(Clone, Debug, PartialEq)]
pub struct Codec {
    pub(super) dim: usize,
    /// Bits a value: 1, 2, 4 or 8.
    pub(super) bits: usize,
    pub(super) centroids: Vec<f32>,
    /// Upper ends of all buckets but the last.
    pub(super) cuts: Vec<f32>,
    pub(super) weights: Vec<f32>,
}

impl Codec {
    /// Learns from a sample of token vectors of length 1, `[tokens, dim]`; `expected` tokens will be
    /// stored, for which there are `2^floor(log2(4 sqrt(expected)))` centroids.
    ///
    /// # Errors
    /// When cancelled, or lengths do not fit.
    pub fn train(
        sample: &[f32],
        dim: usize,
        bits: usize,
        expected: usize,
        cancel: &Cancel,
    ) -> Result<Self, ScanError> {
        let bits = [1, 2, 4].into_iter().find(|b| *b >= bits).unwrap_or(8);
        let wanted = (4 * expected.isqrt()).max(1);
        let wanted = 1 << wanted.ilog2();
        let count = sample.len() / dim.max(1);
        let step = (count / (wanted * ROWS_PER_CENTROID)).max(1);
        let rows: Vec<f32> = sample
            .chunks_exact(dim.max(1))
            .step_by(step)
            .flatten()
            .copied()
            .collect();
        let centroids = k_means(&rows, dim, wanted, ROUNDS, cancel)?;
        let mut codec = Self {
            dim,
            bits,
            centroids,
            cuts: Vec::new(),
            weights: vec![0.0; 1 << bits],
        };
        let take = (VALUES / dim.max(1)).max(1) * dim;
        let rows = &rows[..rows.len().min(take)];
        let mut values: Vec<f32> = Vec::with_capacity(rows.len());
        let assigned = nearest(&codec.centroids, rows, dim, cancel)?;
        for (row, centroid) in rows.chunks_exact(dim).zip(assigned) {
            let centroid = codec.centroid(centroid);
            values.extend(row.iter().zip(centroid).map(|(x, c)| x - c));
        }
        values.sort_unstable_by(f32::total_cmp);
        let levels = 1 << bits;
        if values.is_empty() {
            codec.cuts = vec![0.0; levels - 1];
            return Ok(codec);
        }
        let at = |i: usize| i * values.len() / levels;
        codec.cuts = (1..levels).map(|i| values[at(i)]).collect();
        for (i, weight) in codec.weights.iter_mut().enumerate() {
            let bucket = &values[at(i)..at(i + 1)];
            *weight = if bucket.is_empty() {
                values[at(i).min(values.len() - 1)]
            } else {
                bucket.iter().sum::<f32>() / bucket.len() as f32
            };
        }
        Ok(codec)
    }

    /// Length of a vector.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Number of centroids.
    pub fn n_centroids(&self) -> usize {
        self.centroids.len() / self.dim.max(1)
    }

    /// Bytes of a residual.
    pub fn residual_bytes(&self) -> usize {
        (self.dim * self.bits).div_ceil(8)
    }

    /// A centroid; zeros for one beyond the last are never asked for.
    pub(super) fn centroid(&self, i: u32) -> &[f32] {
        let start = i as usize * self.dim;
        self.centroids.get(start..start + self.dim).unwrap_or(&[])
    }

    /// Appends the codes of `rows` to `codes` and their residuals to `residuals`.
    ///
    /// # Errors
    /// When cancelled, or lengths do not fit.
    pub fn encode(
        &self,
        rows: &[f32],
        codes: &mut Vec<u32>,
        residuals: &mut Vec<u8>,
        cancel: &Cancel,
    ) -> Result<(), ScanError> {
        let assigned = nearest(&self.centroids, rows, self.dim, cancel)?;
        let per_byte = 8 / self.bits;
        for (row, &code) in rows.chunks_exact(self.dim).zip(&assigned) {
            let centroid = self.centroid(code);
            let left: Vec<f32> = row.iter().zip(centroid).map(|(x, c)| x - c).collect();
            for values in left.chunks(per_byte) {
                let mut byte = 0_u8;
                for (i, value) in values.iter().enumerate() {
                    let bucket = self.cuts.partition_point(|cut| cut < value);
                    byte |= (bucket as u8) << (i * self.bits);
                }
                residuals.push(byte);
            }
        }
        codes.extend(assigned);
        Ok(())
    }

    /// Writes the vector of a code and its residual to `out`, at length 1.
    pub fn decode(&self, code: u32, residual: &[u8], out: &mut [f32]) {
        let per_byte = 8 / self.bits;
        let mask = self.weights.len() - 1;
        let values = out
            .chunks_mut(per_byte)
            .zip(self.centroid(code).chunks(per_byte));
        for ((out, centroid), &byte) in values.zip(residual) {
            for (i, (out, c)) in out.iter_mut().zip(centroid).enumerate() {
                let bucket = (usize::from(byte) >> (i * self.bits)) & mask;
                *out = c + self.weights.get(bucket).copied().unwrap_or(0.0);
            }
        }
        l2_normalize(out);
    }
}
