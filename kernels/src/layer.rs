//! The element-wise pieces of a transformer layer.

use crate::{Isa, cpu};

/// `x = x / 2 * (1 + erf(x / sqrt(2)))` for every value: the exact GELU, not its tanh
/// approximation.
///
/// Reads and writes `4 * n` bytes. Absolute error below `4e-7 * max(1, |x|)`. Twin:
/// [`crate::reference::gelu`].
pub fn gelu(x: &mut [f32]) {
    cpu::gelu(Isa::active(), x);
}

/// `row = exp(scale * row - max) / sum` for each row of `dim` values.
///
/// Relative error of a weight below 1e-6; weights below about 1e-38 of the largest come out as that.
/// Twin: [`crate::reference::softmax`].
///
/// # Panics
/// When `dim` is 0 or does not divide the length of `x`.
pub fn softmax_rows(x: &mut [f32], dim: usize, scale: f32) {
    assert!(
        dim > 0 && x.len().is_multiple_of(dim),
        "{} values are no rows of {dim}",
        x.len()
    );
    for row in x.chunks_exact_mut(dim) {
        let inverse = 1.0 / cpu::softmax(Isa::active(), row, scale);
        for x in row {
            *x *= inverse;
        }
    }
}

/// Each row `x = (x + residual - mean) / sqrt(variance + eps) * gain + bias`, mean and (biased)
/// variance taken over the row.
///
/// | argument       | shape      | layout                    |
/// |----------------|------------|---------------------------|
/// | `x`            | `[m, dim]` | row-major, read, written  |
/// | `residual`     | `[m, dim]` | row-major                 |
/// | `gain`, `bias` | `[dim]`    | contiguous                |
///
/// Reads `8 * m * dim` bytes, writes half as many. Two passes over the row, so no cancellation in
/// the variance. Twin: [`crate::reference::add_layer_norm`].
///
/// # Panics
/// When the shapes do not fit.
pub fn add_layer_norm(x: &mut [f32], residual: &[f32], gain: &[f32], bias: &[f32], eps: f32) {
    assert!(
        !gain.is_empty() && x.len().is_multiple_of(gain.len()),
        "rows"
    );
    assert_eq!(residual.len(), x.len(), "residual");
    assert_eq!(bias.len(), gain.len(), "bias");
    cpu::add_layer_norm(Isa::active(), x, residual, gain, bias, eps);
}

/// `out = out + scale * codes`: sums rows of an 8-bit table.
///
/// Reads `5 * n` bytes, writes `4 * n`. One or two roundings a value. Twin:
/// [`crate::reference::add_scaled_codes`].
///
/// # Panics
/// When the lengths differ.
pub fn add_scaled_codes(out: &mut [f32], codes: &[i8], scale: f32) {
    assert_eq!(out.len(), codes.len(), "codes");
    cpu::add_scaled_codes(Isa::active(), out, codes, scale);
}

/// `out = mean of the rows of x` (`[m, out.len()]`, row-major); zeros when there are no rows.
///
/// Twin: [`crate::reference::mean_rows`].
///
/// # Panics
/// When the length of `out` is 0 or does not divide that of `x`.
pub fn mean_rows(x: &[f32], out: &mut [f32]) {
    assert!(!out.is_empty() && x.len().is_multiple_of(out.len()), "rows");
    out.fill(0.0);
    for row in x.chunks_exact(out.len()) {
        out.iter_mut().zip(row).for_each(|(out, x)| *out += x);
    }
    let inverse = 1.0 / (x.len() / out.len()).max(1) as f32;
    for out in out {
        *out *= inverse;
    }
}

/// Scales `x` to length 1; leaves a vector of zeros (or one whose length is no number) at zeros.
///
/// Twin: [`crate::reference::l2_normalize`].
pub fn l2_normalize(x: &mut [f32]) {
    let square = crate::dot_f32(x, x);
    let inverse = if square > 0.0 && square.is_finite() {
        1.0 / square.sqrt()
    } else {
        0.0
    };
    for x in x {
        *x = if inverse == 0.0 { 0.0 } else { *x * inverse };
    }
}
