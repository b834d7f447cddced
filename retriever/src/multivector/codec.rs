//! Token vectors in few bits: the nearest centroid and what is left, a few values to a byte.

use indago_core::Cancel;
use indago_kernels::dot_f32;
use indago_kernels::scan::ScanError;

use super::codebook::Codebook;
use super::k_means::{k_means, nearest};

/// Rounds of clustering.
const ROUNDS: usize = 4;
/// Sampled rows a centroid is made from.
const ROWS_PER_CENTROID: usize = 24;
/// Values of residuals that codewords are made from.
const VALUES: usize = 1 << 17;
/// What 1 is as a factor.
const ONE: f32 = 16_384.0;

/// Centroids and the codewords of residuals.
///
/// A vector is stored as `a * centroid + b * shape`: the shape is the residual at length
/// `sqrt(dim)`, rounded to codewords, so that long and short residuals share them; the factors `a`
/// and `b` are those whose sum is nearest to the vector's direction, and give it length 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Codec {
    pub(super) dim: usize,
    /// Bits a value: 1, 2, 4 or 8.
    pub(super) bits: usize,
    pub(super) centroids: Vec<f32>,
    pub(super) codebook: Codebook,
}

/// Compressed token vectors.
#[derive(Clone, Debug, Default)]
pub struct CodedTokens {
    /// The centroid of each.
    pub codes: Vec<u32>,
    /// [`Codec::residual_bytes`] each.
    pub residuals: Vec<u8>,
    /// Factors of the centroid and of the shape, two numbers of 16 bits each: in parts of 16,384, the
    /// shape's of `16,384 * sqrt(dim)`; the lower byte first.
    pub factors: Vec<u8>,
}

/// Bytes of a token's factors.
pub(super) const FACTOR_BYTES: usize = 4;

impl Codec {
    /// Learns from a sample of token vectors of length 1, `[tokens, dim]`; `expected` tokens will be
    /// stored, for which there are `2^floor(log2(8 sqrt(expected)))` centroids.
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
        let wanted = expected.isqrt().saturating_mul(8).max(1);
        let wanted = 1_usize << wanted.ilog2();
        let count = sample.len() / dim.max(1);
        let step = (count / wanted.saturating_mul(ROWS_PER_CENTROID)).max(1);
        let rows: Vec<f32> = sample
            .chunks_exact(dim.max(1))
            .step_by(step)
            .flatten()
            .copied()
            .collect();
        let centroids = k_means(&rows, dim, wanted, ROUNDS, cancel)?;
        let count = rows.len() / dim;
        let step = count.div_ceil((VALUES / dim).max(1)).max(1);
        let rows: Vec<f32> = rows
            .chunks_exact(dim)
            .step_by(step)
            .flatten()
            .copied()
            .collect();
        let mut shapes = Vec::with_capacity(rows.len());
        let assigned = nearest(&centroids, &rows, dim, cancel)?;
        for (row, code) in rows.chunks_exact(dim).zip(assigned) {
            let centroid = &centroids[code as usize * dim..][..dim];
            push_shape(row, centroid, &mut shapes);
        }
        Ok(Self {
            codebook: Codebook::train(&shapes, dim, bits, cancel)?,
            dim,
            bits,
            centroids,
        })
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

    /// Appends `rows` (`[tokens, dim]`), compressed, to `out`.
    ///
    /// # Errors
    /// When cancelled, or lengths do not fit.
    pub fn encode(
        &self,
        rows: &[f32],
        out: &mut CodedTokens,
        cancel: &Cancel,
    ) -> Result<(), ScanError> {
        let assigned = nearest(&self.centroids, rows, self.dim, cancel)?;
        let whole = self.dim.next_multiple_of(self.codebook.width);
        let mut shapes = Vec::with_capacity(assigned.len() * whole);
        for (row, &code) in rows.chunks_exact(self.dim).zip(&assigned) {
            push_shape(row, self.centroid(code), &mut shapes);
            shapes.resize(shapes.len().next_multiple_of(self.codebook.width), 0.0);
        }
        let start = out.residuals.len();
        self.codebook.encode(&shapes, &mut out.residuals, cancel)?;
        let residuals = out.residuals[start..].chunks_exact(self.residual_bytes().max(1));
        let mut shape = vec![0.0; self.dim];
        let tokens = rows.chunks_exact(self.dim).zip(&assigned).zip(residuals);
        for ((row, &code), residual) in tokens {
            self.shape(residual, &mut shape);
            let factors = factors(row, self.centroid(code), &shape);
            let scale = [1.0, (self.dim as f32).sqrt()];
            for (factor, scale) in factors.into_iter().zip(scale) {
                // Casts cut what is outside.
                let factor = (factor * scale * ONE).round() as i16;
                out.factors.extend(factor.to_le_bytes());
            }
        }
        out.codes.extend(assigned);
        Ok(())
    }

    /// The rounded shape of a residual.
    fn shape(&self, residual: &[u8], out: &mut [f32]) {
        out.fill(0.0);
        let places = out.chunks_mut(self.codebook.width);
        for (out, &byte) in places.zip(residual) {
            for (out, x) in out.iter_mut().zip(self.codebook.word(byte)) {
                *out = *x;
            }
        }
    }

    /// The factors of the centroid and of the shape.
    pub(super) fn factors(&self, stored: [u8; FACTOR_BYTES]) -> [f32; 2] {
        let [a, b, c, d] = stored;
        let number = |bytes| f32::from(i16::from_le_bytes(bytes)) / ONE;
        [number([a, b]), number([c, d]) / (self.dim as f32).sqrt()]
    }

    /// Writes the vector of a code, its residual and its factors to `out`, at length 1 up to the
    /// rounding of factors.
    pub fn decode(&self, code: u32, residual: &[u8], factors: [u8; FACTOR_BYTES], out: &mut [f32]) {
        let [a, b] = self.factors(factors);
        self.shape(residual, out);
        for (x, c) in out.iter_mut().zip(self.centroid(code)) {
            *x = a * c + b * *x;
        }
    }

    /// `[residual bytes, 256]`: what each byte at each place adds to the product of a vector with
    /// the shape.
    pub(super) fn products(&self, vector: &[f32]) -> Vec<f32> {
        let places = vector.chunks(self.codebook.width);
        places
            .flat_map(|place| {
                let words = self.codebook.words.chunks_exact(self.codebook.width);
                words.map(|word| place.iter().zip(word).map(|(a, b)| a * b).sum())
            })
            .collect()
    }
}

/// Appends what a centroid leaves of a row, at length `sqrt(dim)`.
fn push_shape(row: &[f32], centroid: &[f32], out: &mut Vec<f32>) {
    let start = out.len();
    out.extend(row.iter().zip(centroid).map(|(x, c)| x - c));
    let left = &mut out[start..];
    let square = dot_f32(left, left);
    let scale = if square > 0.0 && square.is_finite() {
        (left.len() as f32 / square).sqrt()
    } else {
        0.0
    };
    for x in left {
        *x = if scale == 0.0 { 0.0 } else { *x * scale };
    }
}

/// The factors of the vector of length 1 that is nearest to `row` of all `a * centroid + b * shape`:
/// least squares, then length 1. Zeros where there is no such vector.
fn factors(row: &[f32], centroid: &[f32], shape: &[f32]) -> [f32; 2] {
    let (cc, hh, ch) = (
        dot_f32(centroid, centroid),
        dot_f32(shape, shape),
        dot_f32(centroid, shape),
    );
    let (xc, xh) = (dot_f32(row, centroid), dot_f32(row, shape));
    let determinant = cc * hh - ch * ch;
    let (a, b) = (
        (xc * hh - xh * ch) / determinant,
        (xh * cc - xc * ch) / determinant,
    );
    let square = a * a * cc + 2.0 * a * b * ch + b * b * hh;
    let inverse = 1.0 / square.sqrt();
    let [a, b] = [a * inverse, b * inverse];
    let largest = a.abs().max(b.abs() * (shape.len() as f32).sqrt());
    if determinant > 1e-4 * cc * hh && square > 0.0 && largest < f32::from(i16::MAX) / ONE {
        return [a, b];
    }
    // They stand along one line, or nearly: the nearer of the two alone.
    let alone = |x: f32, square: f32| if square > 0.0 { x / square.sqrt() } else { 0.0 };
    let (c, h) = (alone(xc, cc), alone(xh, hh));
    if c.abs() >= h.abs() {
        [alone(c.signum(), cc), 0.0]
    } else {
        [0.0, alone(h.signum(), hh)]
    }
}
