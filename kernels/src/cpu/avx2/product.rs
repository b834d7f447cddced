//! Panel products: for each panel of weights all rows of activations, six at a time, so that the
//! panel stays in the first cache.

use std::arch::x86_64::{
    __m256, _mm256_add_ps, _mm256_cvtepi32_ps, _mm256_fmadd_ps, _mm256_mul_ps, _mm256_set1_ps,
    _mm256_storeu_ps,
};

use std::ops::Range;

use super::load_f32;
use super::tile::{ROWS, tile_f32, tile_i8};
use crate::product::{PANEL, PackedF32, PackedI8, QuantizedRows};

/// Runs `$tile::<R>` over all rows from `$row`, full tiles first.
macro_rules! for_row_tiles {
    ($m:expr, $row:ident, $tile:ident ( $($arg:expr),* )) => {{
        let mut $row = 0;
        while $row < $m {
            match $m - $row {
                1 => $tile::<1>($($arg),*),
                2 => $tile::<2>($($arg),*),
                3 => $tile::<3>($($arg),*),
                4 => $tile::<4>($($arg),*),
                5 => $tile::<5>($($arg),*),
                _ => $tile::<ROWS>($($arg),*),
            }
            $row += ROWS;
        }
    }};
}

/// A panel of weights with what its outputs need.
struct Panel<'a, T> {
    weights: &'a [T],
    scales: [f32; PANEL],
    bias: [f32; PANEL],
    /// Its outputs, at most 16.
    columns: Range<usize>,
    /// Outputs of the whole layer: the length of a row of `out`.
    n: usize,
}

#[target_feature(enable = "avx2,fma")]
pub(crate) fn linear_i8(x: &QuantizedRows, w: &PackedI8, bias: &[f32], out: &mut [f32]) {
    let n = w.outputs();
    for (p, weights) in w.panels().chunks_exact(x.stride() * PANEL).enumerate() {
        let columns = p * PANEL..(p * PANEL + PANEL).min(n);
        let scales = pad(&w.scales()[columns.clone()]);
        let panel = Panel {
            weights,
            scales,
            bias: pad(&bias[columns.clone()]),
            columns,
            n,
        };
        for_row_tiles!(x.len(), row, rows_i8(x, row, &panel, &mut out[row * n..]));
    }
}

#[target_feature(enable = "avx2,fma")]
#[inline]
fn rows_i8<const R: usize>(x: &QuantizedRows, row: usize, panel: &Panel<'_, i16>, out: &mut [f32]) {
    let stride = x.stride();
    let sums = tile_i8::<R>(
        &x.codes()[row * stride..],
        stride,
        stride / 2,
        panel.weights,
    );
    let (scales, _) = panel.scales.as_chunks::<8>();
    let (bias, _) = panel.bias.as_chunks::<8>();
    for r in 0..R {
        let scale = _mm256_set1_ps(x.scales()[row + r]);
        let mut y = [scale; 2];
        for half in 0..2 {
            let step = _mm256_mul_ps(scale, load_f32(&scales[half]));
            let sum = _mm256_cvtepi32_ps(sums[r][half]);
            y[half] = _mm256_fmadd_ps(sum, step, load_f32(&bias[half]));
        }
        store(
            y,
            &mut out[r * panel.n + panel.columns.start..r * panel.n + panel.columns.end],
        );
    }
}

#[target_feature(enable = "avx2,fma")]
pub(crate) fn linear_f32(x: &[f32], w: &PackedF32, bias: &[f32], out: &mut [f32]) {
    let (n, k) = (w.outputs(), w.inputs());
    for (p, weights) in w.panels().chunks_exact(k * PANEL).enumerate() {
        let columns = p * PANEL..(p * PANEL + PANEL).min(n);
        let scales = [1.0; PANEL];
        let panel = Panel {
            weights,
            scales,
            bias: pad(&bias[columns.clone()]),
            columns,
            n,
        };
        for_row_tiles!(
            x.len() / k,
            row,
            rows_f32(&x[row * k..], k, &panel, &mut out[row * n..])
        );
    }
}

#[target_feature(enable = "avx2,fma")]
#[inline]
fn rows_f32<const R: usize>(x: &[f32], k: usize, panel: &Panel<'_, f32>, out: &mut [f32]) {
    let sums = tile_f32::<R>(x, k, k, panel.weights);
    let (bias, _) = panel.bias.as_chunks::<8>();
    for r in 0..R {
        let y = [
            _mm256_add_ps(sums[r][0], load_f32(&bias[0])),
            _mm256_add_ps(sums[r][1], load_f32(&bias[1])),
        ];
        store(
            y,
            &mut out[r * panel.n + panel.columns.start..r * panel.n + panel.columns.end],
        );
    }
}

/// Sixteen values, zeros behind the last.
pub(super) fn pad(values: &[f32]) -> [f32; PANEL] {
    let mut padded = [0.0; PANEL];
    padded[..values.len()].copy_from_slice(values);
    padded
}

/// Writes the first `out.len() <= 16` of the values.
#[target_feature(enable = "avx2,fma")]
#[inline]
pub(super) fn store(values: [__m256; 2], out: &mut [f32]) {
    if let Some(out) = out.first_chunk_mut::<PANEL>() {
        // SAFETY: the reference covers the 64 bytes written; the stores need no alignment.
        unsafe {
            _mm256_storeu_ps(out.as_mut_ptr(), values[0]);
            _mm256_storeu_ps(out.as_mut_ptr().add(8), values[1]);
        }
    } else {
        let mut padded = [0.0; PANEL];
        store(values, &mut padded);
        out.copy_from_slice(&padded[..out.len()]);
    }
}
