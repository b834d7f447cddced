//! The int8 product: twelve rows by one panel of sixteen outputs.

use std::arch::x86_64::{
    __m512i, _mm512_cvtepi32_ps, _mm512_dpwssd_epi32, _mm512_fmadd_ps, _mm512_loadu_si512,
    _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps, _mm512_mul_ps, _mm512_set1_epi32, _mm512_set1_ps,
    _mm512_setzero_si512,
};

use crate::product::{PANEL, PackedI8, QuantizedRows};

/// Rows of a full tile: enough sums under way to hide the latency of `vpdpwssd` (4 or 5 cycles).
const ROWS: usize = 12;

#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512vl,avx512vnni")]
pub(crate) fn linear_i8(x: &QuantizedRows, w: &PackedI8, bias: &[f32], out: &mut [f32]) {
    let n = w.outputs();
    for (p, weights) in w.panels().chunks_exact(x.stride() * PANEL).enumerate() {
        let columns = p * PANEL..(p * PANEL + PANEL).min(n);
        let panel = Panel {
            weights,
            scales: &w.scales()[columns.clone()],
            bias: &bias[columns.clone()],
            first: columns.start,
            n,
        };
        let mut row = 0;
        while row < x.len() {
            let out = &mut out[row * n..];
            match x.len() - row {
                rest if rest >= ROWS => row += rows_i8::<ROWS>(x, row, &panel, out),
                rest if rest >= 4 => row += rows_i8::<4>(x, row, &panel, out),
                _ => row += rows_i8::<1>(x, row, &panel, out),
            }
        }
    }
}

/// Sixteen outputs, or fewer at the end of the layer.
struct Panel<'a> {
    weights: &'a [i16],
    scales: &'a [f32],
    bias: &'a [f32],
    /// Its first output.
    first: usize,
    /// Outputs of the whole layer: the length of a row of `out`.
    n: usize,
}

/// Computes R rows of the panel's outputs from `row` and returns R.
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512vl,avx512vnni")]
#[inline]
fn rows_i8<const R: usize>(
    x: &QuantizedRows,
    row: usize,
    panel: &Panel<'_>,
    out: &mut [f32],
) -> usize {
    let stride = x.stride();
    let sums = tile_i8::<R>(
        &x.codes()[row * stride..],
        stride,
        stride / 2,
        panel.weights,
    );
    let len = panel.bias.len();
    assert!(panel.scales.len() == len && len <= PANEL);
    assert!(out.len() >= (R - 1) * panel.n + panel.first + len);
    let mask = ((1_u32 << len) - 1) as u16;
    // SAFETY: the mask covers `len` values, which both slices hold; masked-out lanes are not read.
    let (scales, bias) = unsafe {
        (
            _mm512_maskz_loadu_ps(mask, panel.scales.as_ptr()),
            _mm512_maskz_loadu_ps(mask, panel.bias.as_ptr()),
        )
    };
    for (r, sum) in sums.into_iter().enumerate() {
        let step = _mm512_mul_ps(_mm512_set1_ps(x.scales()[row + r]), scales);
        let y = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), step, bias);
        // SAFETY: the mask covers `len` values, which `out` holds behind this offset, as asserted
        // above for the last row; masked-out lanes are not written.
        unsafe {
            _mm512_mask_storeu_ps(out.as_mut_ptr().add(r * panel.n + panel.first), mask, y);
        }
    }
    R
}

/// `x[r] . panel[j]` for R rows of `pairs` pairs of codes that begin `stride` codes apart in `x`.
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512vl,avx512vnni")]
#[inline(never)]
fn tile_i8<const R: usize>(x: &[i16], stride: usize, pairs: usize, panel: &[i16]) -> [__m512i; R] {
    assert!(x.len() >= (R - 1) * stride + 2 * pairs && panel.len() >= 2 * pairs * PANEL);
    let (x, panel) = (x.as_ptr(), panel.as_ptr());
    let mut sums = [_mm512_setzero_si512(); R];
    for step in 0..pairs {
        // SAFETY: `step < pairs`, so the 32 codes of the step are inside the panel, and each row's
        // pair is inside `x`: both lengths are asserted above. No read needs alignment.
        unsafe {
            let w = _mm512_loadu_si512(panel.add(step * 2 * PANEL).cast());
            for (r, sum) in sums.iter_mut().enumerate() {
                let pair = x.add(r * stride + 2 * step).cast::<i32>().read_unaligned();
                *sum = _mm512_dpwssd_epi32(*sum, w, _mm512_set1_epi32(pair));
            }
        }
    }
    sums
}
