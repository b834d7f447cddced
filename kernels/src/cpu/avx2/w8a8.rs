//! The product of 8-bit activations: three rows by one panel of sixteen outputs.
//!
//! Six sums of 32 bits, six of 16 that live for [`DEPTH`] steps, two vectors of weights, one
//! broadcast activation and the ones that widen: all sixteen registers.

use std::arch::asm;
use std::arch::x86_64::{
    __m256i, _mm256_add_epi16, _mm256_add_epi32, _mm256_cvtepi32_ps, _mm256_fmadd_ps,
    _mm256_loadu_si256, _mm256_madd_epi16, _mm256_maddubs_epi16, _mm256_mul_ps, _mm256_mullo_epi32,
    _mm256_set1_epi16, _mm256_set1_epi32, _mm256_set1_ps, _mm256_setzero_si256, _mm256_sub_epi32,
};
use std::ops::Range;

use super::load_f32;
use super::product::{pad, store};
use crate::product::PANEL;
use crate::w8a8::{DEPTH, PackedW8, RowsU8, STEP};

/// Rows of a full tile.
const ROWS: usize = 3;

/// A panel of weights with what its outputs need.
struct Panel<'a> {
    weights: &'a [i8],
    /// Sums of the outputs' codes.
    totals: [__m256i; 2],
    scales: [f32; PANEL],
    bias: [f32; PANEL],
    /// Its outputs, at most 16.
    columns: Range<usize>,
    /// Outputs of the whole layer: the length of a row of `out`.
    n: usize,
}

#[target_feature(enable = "avx2,fma")]
pub(crate) fn linear_w8a8(x: &RowsU8, w: &PackedW8, bias: &[f32], out: &mut [f32]) {
    let n = w.outputs();
    for (p, weights) in w.panels().chunks_exact(x.stride() * PANEL).enumerate() {
        let columns = p * PANEL..(p * PANEL + PANEL).min(n);
        let mut totals = [0; PANEL];
        totals[..columns.len()].copy_from_slice(&w.sums()[columns.clone()]);
        // SAFETY: sixteen values of 32 bits are two vectors; the loads need no alignment.
        let totals = unsafe {
            [
                _mm256_loadu_si256(totals.as_ptr().cast()),
                _mm256_loadu_si256(totals.as_ptr().add(8).cast()),
            ]
        };
        let panel = Panel {
            weights,
            totals,
            scales: pad(&w.scales()[columns.clone()]),
            bias: pad(&bias[columns.clone()]),
            columns,
            n,
        };
        let mut row = 0;
        while row < x.len() {
            let out = &mut out[row * n..];
            match x.len() - row {
                1 => rows::<1>(x, row, &panel, out),
                2 => rows::<2>(x, row, &panel, out),
                _ => rows::<ROWS>(x, row, &panel, out),
            }
            row += ROWS;
        }
    }
}

#[target_feature(enable = "avx2,fma")]
#[inline]
fn rows<const R: usize>(x: &RowsU8, row: usize, panel: &Panel<'_>, out: &mut [f32]) {
    let stride = x.stride();
    let sums = tile::<R>(&x.codes()[row * stride..], stride, panel.weights);
    let (scales, _) = panel.scales.as_chunks::<8>();
    let (bias, _) = panel.bias.as_chunks::<8>();
    for r in 0..R {
        let scale = _mm256_set1_ps(x.scales()[row + r]);
        let zero = _mm256_set1_epi32(x.zeros()[row + r]);
        let mut y = [scale; 2];
        for half in 0..2 {
            let step = _mm256_mul_ps(scale, load_f32(&scales[half]));
            let shift = _mm256_mullo_epi32(zero, panel.totals[half]);
            let sum = _mm256_cvtepi32_ps(_mm256_sub_epi32(sums[r][half], shift));
            y[half] = _mm256_fmadd_ps(sum, step, load_f32(&bias[half]));
        }
        store(
            y,
            &mut out[r * panel.n + panel.columns.start..r * panel.n + panel.columns.end],
        );
    }
}

/// `x[r] . panel[j]` for R rows of `stride` codes.
///
/// Never inlined, see [`super::tile`]. That no 16-bit sum overflows or saturates is what the
/// weights were packed for.
#[target_feature(enable = "avx2,fma")]
#[inline(never)]
fn tile<const R: usize>(x: &[u8], stride: usize, panel: &[i8]) -> [[__m256i; 2]; R] {
    assert!(stride.is_multiple_of(STEP * DEPTH));
    assert!(x.len() >= R * stride && panel.len() >= stride * PANEL);
    let (x, panel) = (x.as_ptr(), panel.as_ptr());
    let mut ones = _mm256_set1_epi16(1);
    // SAFETY: no instruction at all. Hides that the vector is a constant: the compiler would
    // otherwise broadcast it anew in each step, which takes a multiplier's slot.
    unsafe { asm!("/* {0} */", inout(ymm_reg) ones, options(nomem, nostack, preserves_flags)) };
    let mut sums = [[_mm256_setzero_si256(); 2]; R];
    for block in 0..stride / (STEP * DEPTH) {
        let mut short = [[_mm256_setzero_si256(); 2]; R];
        for step in block * DEPTH..(block + 1) * DEPTH {
            // SAFETY: `step < stride / STEP`, so the 64 codes of the step are inside the panel, and
            // each row's four are inside `x`: both lengths are asserted above. No read needs
            // alignment.
            unsafe {
                let at = panel.add(step * STEP * PANEL);
                let w = [
                    _mm256_loadu_si256(at.cast()),
                    _mm256_loadu_si256(at.add(STEP * PANEL / 2).cast()),
                ];
                for (r, short) in short.iter_mut().enumerate() {
                    let four = x.add(r * stride + step * STEP);
                    let a = _mm256_set1_epi32(four.cast::<i32>().read_unaligned());
                    short[0] = _mm256_add_epi16(short[0], _mm256_maddubs_epi16(a, w[0]));
                    short[1] = _mm256_add_epi16(short[1], _mm256_maddubs_epi16(a, w[1]));
                }
            }
        }
        for (sums, short) in sums.iter_mut().zip(short) {
            sums[0] = _mm256_add_epi32(sums[0], _mm256_madd_epi16(short[0], ones));
            sums[1] = _mm256_add_epi32(sums[1], _mm256_madd_epi16(short[1], ones));
        }
    }
    sums
}
