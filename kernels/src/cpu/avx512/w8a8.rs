//! The product of 8-bit activations: `vpdpbusd` takes a whole step of a panel at once.

use std::arch::x86_64::{
    __m512i, _mm512_cvtepi32_ps, _mm512_dpbusd_epi32, _mm512_fmadd_ps, _mm512_loadu_si512,
    _mm512_mask_storeu_ps, _mm512_maskz_loadu_epi32, _mm512_maskz_loadu_ps, _mm512_mul_ps,
    _mm512_mullo_epi32, _mm512_set1_epi32, _mm512_set1_ps, _mm512_setzero_si512, _mm512_sub_epi32,
};

use crate::product::PANEL;
use crate::w8a8::{PackedW8, RowsU8, STEP};

/// Rows of a full tile, see [`super::product`].
const ROWS: usize = 12;

#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512vl,avx512vnni")]
pub(crate) fn linear_w8a8(x: &RowsU8, w: &PackedW8, bias: &[f32], out: &mut [f32]) {
    let n = w.outputs();
    for (p, weights) in w.panels().chunks_exact(x.stride() * PANEL).enumerate() {
        let columns = p * PANEL..(p * PANEL + PANEL).min(n);
        let panel = Panel {
            weights,
            totals: &w.sums()[columns.clone()],
            scales: &w.scales()[columns.clone()],
            bias: &bias[columns.clone()],
            first: columns.start,
            n,
        };
        let mut row = 0;
        while row < x.len() {
            let out = &mut out[row * n..];
            match x.len() - row {
                rest if rest >= ROWS => row += rows::<ROWS>(x, row, &panel, out),
                rest if rest >= 4 => row += rows::<4>(x, row, &panel, out),
                _ => row += rows::<1>(x, row, &panel, out),
            }
        }
    }
}

/// Sixteen outputs, or fewer at the end of the layer.
struct Panel<'a> {
    weights: &'a [i8],
    totals: &'a [i32],
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
fn rows<const R: usize>(x: &RowsU8, row: usize, panel: &Panel<'_>, out: &mut [f32]) -> usize {
    let stride = x.stride();
    let sums = tile::<R>(&x.codes()[row * stride..], stride, panel.weights);
    let len = panel.bias.len();
    assert!(panel.scales.len() == len && panel.totals.len() == len && len <= PANEL);
    assert!(out.len() >= (R - 1) * panel.n + panel.first + len);
    let mask = ((1_u32 << len) - 1) as u16;
    // SAFETY: the mask covers `len` values, which the slices hold; masked-out lanes are not read.
    let (totals, scales, bias) = unsafe {
        (
            _mm512_maskz_loadu_epi32(mask, panel.totals.as_ptr()),
            _mm512_maskz_loadu_ps(mask, panel.scales.as_ptr()),
            _mm512_maskz_loadu_ps(mask, panel.bias.as_ptr()),
        )
    };
    for (r, sum) in sums.into_iter().enumerate() {
        let step = _mm512_mul_ps(_mm512_set1_ps(x.scales()[row + r]), scales);
        let shift = _mm512_mullo_epi32(_mm512_set1_epi32(x.zeros()[row + r]), totals);
        let sum = _mm512_cvtepi32_ps(_mm512_sub_epi32(sum, shift));
        let y = _mm512_fmadd_ps(sum, step, bias);
        // SAFETY: the mask covers `len` values, which `out` holds behind this offset, as asserted
        // above for the last row; masked-out lanes are not written.
        unsafe {
            _mm512_mask_storeu_ps(out.as_mut_ptr().add(r * panel.n + panel.first), mask, y);
        }
    }
    R
}

/// `x[r] . panel[j]` for R rows of `stride` codes.
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512vl,avx512vnni")]
#[inline(never)]
fn tile<const R: usize>(x: &[u8], stride: usize, panel: &[i8]) -> [__m512i; R] {
    assert!(x.len() >= R * stride && panel.len() >= stride * PANEL);
    let (x, panel) = (x.as_ptr(), panel.as_ptr());
    let mut sums = [_mm512_setzero_si512(); R];
    for step in 0..stride / STEP {
        // SAFETY: `step < stride / STEP`, so the 64 codes of the step are inside the panel, and
        // each row's four are inside `x`: both lengths are asserted above. No read needs alignment.
        unsafe {
            let w = _mm512_loadu_si512(panel.add(step * STEP * PANEL).cast());
            for (r, sum) in sums.iter_mut().enumerate() {
                let four = x.add(r * stride + step * STEP);
                let a = _mm512_set1_epi32(four.cast::<i32>().read_unaligned());
                *sum = _mm512_dpbusd_epi32(*sum, a, w);
            }
        }
    }
    sums
}
