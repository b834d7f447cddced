//! The product of 8-bit activations, one row by one panel at a time.

use std::arch::aarch64::{vdupq_n_s32, vget_low_s8, vld4q_s8, vmovl_high_s8, vmovl_s8, vsubq_s32};

use super::{PanelSums, add_products, pad, store_scaled};
use crate::product::PANEL;
use crate::w8a8::{PackedW8, RowsU8, STEP};

#[target_feature(enable = "neon")]
pub(crate) fn linear_w8a8(x: &RowsU8, w: &PackedW8, bias: &[f32], out: &mut [f32]) {
    let (n, stride) = (w.outputs(), x.stride());
    for (p, panel) in w.panels().chunks_exact(stride * PANEL).enumerate() {
        let columns = p * PANEL..(p * PANEL + PANEL).min(n);
        let (scales, bias) = (
            pad(&w.scales()[columns.clone()]),
            pad(&bias[columns.clone()]),
        );
        let rows = x
            .codes()
            .chunks_exact(stride)
            .zip(x.scales())
            .zip(x.zeros());
        for (((codes, &scale), &zero), out) in rows.zip(out.chunks_exact_mut(n)) {
            let mut sums = products(codes, panel);
            // What the rows' zero points added.
            let mut lacking = [0; PANEL];
            for (lacking, total) in lacking.iter_mut().zip(&w.sums()[columns.clone()]) {
                *lacking = zero.wrapping_mul(*total);
            }
            for (sum, four) in sums.iter_mut().zip(lacking.as_chunks::<4>().0) {
                // SAFETY: the reference covers the 16 bytes read.
                *sum = vsubq_s32(*sum, unsafe {
                    std::arch::aarch64::vld1q_s32(four.as_ptr())
                });
            }
            store_scaled(sums, scale, &scales, &bias, &mut out[columns.clone()]);
        }
    }
}

/// A row's codes by a panel's weights.
#[target_feature(enable = "neon")]
#[inline]
fn products(codes: &[u8], panel: &[i8]) -> PanelSums {
    let mut sums = [vdupq_n_s32(0); PANEL / 4];
    let steps = panel.as_chunks::<{ STEP * PANEL }>().0;
    for (four, weights) in codes.as_chunks::<STEP>().0.iter().zip(steps) {
        // SAFETY: the reference covers the 64 bytes read. Of each output's four weights the load
        // puts the first into the first vector, and so on.
        let w = unsafe { vld4q_s8(weights.as_ptr()) };
        for (&code, w) in four.iter().zip([w.0, w.1, w.2, w.3]) {
            let wide = [vmovl_s8(vget_low_s8(w)), vmovl_high_s8(w)];
            add_products(&mut sums, wide, i16::from(code));
        }
    }
    sums
}
