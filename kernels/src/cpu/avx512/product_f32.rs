//! The f32 product: twelve rows by two panels of sixteen outputs.

use std::arch::x86_64::{_mm512_add_ps, _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps};

use super::tile::{for_row_tiles, tile_f32};
use crate::product::{PANEL, PackedF32};

#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512vl,avx512vnni")]
pub(crate) fn linear_f32(x: &[f32], w: &PackedF32, bias: &[f32], out: &mut [f32]) {
    let (n, k) = (w.outputs(), w.inputs());
    for (p, weights) in w.panels().chunks(2 * k * PANEL).enumerate() {
        let first = p * 2 * PANEL;
        let panels = Panels {
            weights,
            bias: &bias[first..(first + 2 * PANEL).min(n)],
            first,
            n,
            k,
        };
        if weights.len() == 2 * k * PANEL {
            panels.all_rows::<2>(x, out);
        } else {
            panels.all_rows::<1>(x, out);
        }
    }
}

/// One panel of weights or two, and what their outputs need.
struct Panels<'a> {
    weights: &'a [f32],
    /// One for each output: no more than the panels have, and more than all but the last have.
    bias: &'a [f32],
    /// The first output.
    first: usize,
    /// Outputs of the whole layer: the length of a row of `out`.
    n: usize,
    /// Inputs.
    k: usize,
}

impl Panels<'_> {
    #[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512vl,avx512vnni")]
    #[inline]
    fn all_rows<const P: usize>(&self, x: &[f32], out: &mut [f32]) {
        for_row_tiles!(0..x.len() / self.k, row, R => {
            self.rows::<R, P>(&x[row * self.k..], &mut out[row * self.n..]);
        });
    }

    /// Computes the first R rows.
    #[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512vl,avx512vnni")]
    #[inline]
    fn rows<const R: usize, const P: usize>(&self, x: &[f32], out: &mut [f32]) {
        let sums = tile_f32::<R, P>(x, self.k, self.k, self.weights);
        assert!(self.bias.len() <= P * PANEL);
        assert!(out.len() >= (R - 1) * self.n + self.first + self.bias.len());
        for (p, bias) in self.bias.chunks(PANEL).enumerate() {
            let mask = ((1_u32 << bias.len()) - 1) as u16;
            // SAFETY: the mask covers `bias`; masked-out lanes are not read.
            let shift = unsafe { _mm512_maskz_loadu_ps(mask, bias.as_ptr()) };
            for (r, sums) in sums.iter().enumerate() {
                let at = r * self.n + self.first + p * PANEL;
                // SAFETY: the mask covers `bias.len()` values, which `out` holds behind `at`, as
                // asserted above for the last row; masked-out lanes are not written.
                unsafe {
                    let y = _mm512_add_ps(sums[p], shift);
                    _mm512_mask_storeu_ps(out.as_mut_ptr().add(at), mask, y);
                }
            }
        }
    }
}
