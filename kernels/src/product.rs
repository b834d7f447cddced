//! Products of activations with packed weights: `out = x * w^T + bias`, the linear layer.
//!
//! Weights are packed once into panels of 16 outputs, in the order in which a register tile reads
//! them. Two kinds:
//!
//! - **f32** ([`PackedF32`], [`linear_f32`]);
//! - **int8** ([`PackedI8`], [`linear_i8`]): weights have 8 bits and a scale per output, activations
//!   are quantised per row to 16 bits ([`QuantizedRows`]), limited so that a sum cannot leave 32
//!   bits. One multiply-add instruction (`vpmaddwd`, or `vpdpwssd` where the CPU has it) takes two
//!   inputs at a time, which is the rate of the 8-by-8-bit product on AVX2 without its saturation,
//!   with the same integers on every CPU and with only the weights' rounding in the result.
//!
//! [`mod@crate::w8a8`] has the faster and less exact product of 8-bit activations.

use crate::quantize::limit_i16;
use crate::{Isa, ShapeError, cpu};

/// Outputs per panel: one 512-bit or two 256-bit vectors of sums.
pub const PANEL: usize = 16;

/// Longest sum for which activations keep at least 8 bits.
pub const MAX_INPUTS: usize = 65_536;

/// 8-bit weights of a linear layer with `k` inputs and `n` outputs, unpacked to 16 bits.
///
/// Layout: `[n / 16][k / 2][16][2]` codes, `n` and `k` rounded up and filled with zeros, so one
/// step of a panel is two inputs of 16 outputs. Takes `2 * n * k` bytes.
#[derive(Clone)]
pub struct PackedI8 {
    panels: Vec<i16>,
    scales: Vec<f32>,
    n: usize,
    k: usize,
}

impl PackedI8 {
    /// Packs `codes` (`[n, k]`, row-major: one row per output), scaled by `scales` (`[n]`).
    ///
    /// # Errors
    /// When there is no scale, `k` is 0 or above [`MAX_INPUTS`], or `codes` has another length
    /// than `n * k`.
    pub fn pack(codes: &[i8], scales: &[f32], k: usize) -> Result<Self, ShapeError> {
        let n = scales.len();
        check_inputs(n, k)?;
        ShapeError::check("weights", codes.len(), n * k)?;
        let steps = k.div_ceil(2);
        let mut panels = vec![0; n.div_ceil(PANEL) * steps * 2 * PANEL];
        let blocks = codes
            .chunks(PANEL * k)
            .zip(panels.chunks_exact_mut(steps * 2 * PANEL));
        for (rows, panel) in blocks {
            for (j, row) in rows.chunks_exact(k).enumerate() {
                let (panel, _) = panel.as_chunks_mut::<{ 2 * PANEL }>();
                let (pairs, last) = row.as_chunks::<2>();
                for (step, pair) in panel.iter_mut().zip(pairs) {
                    step[2 * j] = i16::from(pair[0]);
                    step[2 * j + 1] = i16::from(pair[1]);
                }
                if let (Some(step), [code]) = (panel.last_mut(), last) {
                    step[2 * j] = i16::from(*code);
                }
            }
        }
        Ok(Self {
            panels,
            scales: scales.to_vec(),
            n,
            k,
        })
    }

    /// Number of outputs.
    pub fn outputs(&self) -> usize {
        self.n
    }

    /// Number of inputs.
    pub fn inputs(&self) -> usize {
        self.k
    }

    pub(crate) fn panels(&self) -> &[i16] {
        &self.panels
    }

    pub(crate) fn scales(&self) -> &[f32] {
        &self.scales
    }
}

impl std::fmt::Debug for PackedI8 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PackedI8[{}, {}]", self.n, self.k)
    }
}

/// f32 weights of a linear layer. Layout: `[n / 16][k][16]`, `n` rounded up and filled with zeros.
#[derive(Clone)]
pub struct PackedF32 {
    panels: Vec<f32>,
    n: usize,
    k: usize,
}

impl PackedF32 {
    /// Packs `weights` (`[n, k]`, row-major: one row per output).
    ///
    /// # Errors
    /// When `k` is 0 or above [`MAX_INPUTS`], or the length of `weights` is no positive multiple
    /// of it.
    pub fn pack(weights: &[f32], k: usize) -> Result<Self, ShapeError> {
        let n = weights.len() / k.max(1);
        check_inputs(n, k)?;
        ShapeError::check("weights", weights.len(), n * k)?;
        let mut panels = vec![0.0; n.div_ceil(PANEL) * k * PANEL];
        let blocks = weights
            .chunks(PANEL * k)
            .zip(panels.chunks_exact_mut(k * PANEL));
        for (rows, panel) in blocks {
            for (j, row) in rows.chunks_exact(k).enumerate() {
                for (step, weight) in panel.chunks_exact_mut(PANEL).zip(row) {
                    step[j] = *weight;
                }
            }
        }
        Ok(Self { panels, n, k })
    }

    /// Number of outputs.
    pub fn outputs(&self) -> usize {
        self.n
    }

    /// Number of inputs.
    pub fn inputs(&self) -> usize {
        self.k
    }

    pub(crate) fn panels(&self) -> &[f32] {
        &self.panels
    }
}

impl std::fmt::Debug for PackedF32 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PackedF32[{}, {}]", self.n, self.k)
    }
}

pub(crate) fn check_inputs(n: usize, k: usize) -> Result<(), ShapeError> {
    if n == 0 {
        return Err(ShapeError {
            what: "outputs",
            found: 0,
            expected: 1,
        });
    }
    if k == 0 || k > MAX_INPUTS {
        return Err(ShapeError {
            what: "inputs",
            found: k,
            expected: MAX_INPUTS,
        });
    }
    Ok(())
}

/// Rows of activations as 16-bit codes with a scale each. A buffer: refill it, it keeps its memory.
///
/// `scale = max|x| / limit` with the limit of [`limit_i16`]; the error of a value is at most half
/// a scale. Infinite values make the row's scale 0.
#[derive(Clone, Debug, Default)]
pub struct QuantizedRows {
    codes: Vec<i16>,
    scales: Vec<f32>,
    dim: usize,
}

impl QuantizedRows {
    /// Replaces the content by the rows of `x`, `dim` values each. Reads `4 * m * dim` bytes twice,
    /// writes half as many.
    ///
    /// # Panics
    /// When `dim` is 0 or does not divide the length of `x`.
    pub fn fill(&mut self, x: &[f32], dim: usize) {
        self.resize(x.len(), dim);
        self.quantize(x, false);
    }

    /// [`crate::gelu`] of `x` in place, then [`QuantizedRows::fill`] of the outcome, in one pass
    /// less.
    ///
    /// # Panics
    /// As [`QuantizedRows::fill`].
    pub fn fill_gelu(&mut self, x: &mut [f32], dim: usize) {
        self.resize(x.len(), dim);
        cpu::gelu_peaks(Isa::active(), x, dim, &mut self.scales);
        self.quantize(x, true);
    }

    /// [`QuantizedRows::fill`] without asking which instructions there are: for the comparison that
    /// decides just that.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn fill_portable(&mut self, x: &[f32], dim: usize) {
        self.resize(x.len(), dim);
        self.quantize_on(Isa::Portable, x, false);
    }

    fn resize(&mut self, len: usize, dim: usize) {
        assert!(
            dim > 0 && len.is_multiple_of(dim),
            "{len} values are no rows of {dim}"
        );
        self.dim = dim;
        self.scales.resize(len / dim, 0.0);
        self.codes.resize(len / dim * self.stride(), 0);
    }

    fn quantize(&mut self, x: &[f32], peaks_known: bool) {
        self.quantize_on(Isa::active(), x, peaks_known);
    }

    fn quantize_on(&mut self, isa: Isa, x: &[f32], peaks_known: bool) {
        let limit = f32::from(limit_i16(self.dim));
        let stride = self.stride();
        let (codes, scales) = (&mut self.codes, &mut self.scales);
        cpu::quantize_i16(isa, x, self.dim, limit, peaks_known, stride, codes, scales);
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.scales.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.scales.is_empty()
    }

    /// Length of a row.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Codes per row: the dim rounded up to an even number.
    pub(crate) fn stride(&self) -> usize {
        self.dim.next_multiple_of(2)
    }

    /// All codes; rows of odd length end in a zero.
    pub fn codes(&self) -> &[i16] {
        &self.codes
    }

    /// One scale per row.
    pub fn scales(&self) -> &[f32] {
        &self.scales
    }
}

/// `out[r][j] = scale_x[r] * scale_w[j] * (x[r] . w[j]) + bias[j]`
///
/// | argument | shape    | type      | layout                   |
/// |----------|----------|-----------|--------------------------|
/// | `x`      | `[m, k]` | i16 codes | row-major, scale per row |
/// | `w`      | `[n, k]` | i8 codes  | panels, scale per output |
/// | `bias`   | `[n]`    | f32       | contiguous               |
/// | `out`    | `[m, n]` | f32       | row-major, overwritten   |
///
/// Does `2 * m * n * k` integer operations; reads the weights (`2 * n * k` bytes) once and `x` once
/// for each panel, so keep `m * k` within the second cache (blocks of 48 to 96 rows). Exact in the
/// integer part, then two f32 roundings (three without fused multiply-add). Twin:
/// [`crate::reference::linear_i8`].
///
/// # Panics
/// When the shapes do not fit.
pub fn linear_i8(x: &QuantizedRows, w: &PackedI8, bias: &[f32], out: &mut [f32]) {
    assert_eq!(x.dim(), w.k, "inputs");
    assert_eq!(bias.len(), w.n, "bias");
    assert_eq!(out.len(), x.len() * w.n, "out");
    cpu::linear_i8(Isa::active(), x, w, bias, out);
}

/// `out[r][j] = x[r] . w[j] + bias[j]`
///
/// | argument | shape    | type | layout                 |
/// |----------|----------|------|------------------------|
/// | `x`      | `[m, k]` | f32  | row-major              |
/// | `w`      | `[n, k]` | f32  | panels                 |
/// | `bias`   | `[n]`    | f32  | contiguous             |
/// | `out`    | `[m, n]` | f32  | row-major, overwritten |
///
/// Does `2 * m * n * k` operations; reads the weights (`4 * n * k` bytes) once and `x` once for
/// each panel. Summed over inputs in order; error at most `k + 1` roundings of the sum of absolute
/// products. Twin: [`crate::reference::linear_f32`].
///
/// # Panics
/// When the shapes do not fit.
pub fn linear_f32(x: &[f32], w: &PackedF32, bias: &[f32], out: &mut [f32]) {
    assert!(x.len().is_multiple_of(w.k), "inputs");
    assert_eq!(bias.len(), w.n, "bias");
    assert_eq!(out.len(), x.len() / w.k * w.n, "out");
    cpu::linear_f32(Isa::active(), x, w, bias, out);
}
