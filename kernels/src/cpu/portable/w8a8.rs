//! The product of 8-bit activations, one row by one panel at a time.

use crate::product::PANEL;
use crate::w8a8::{PackedW8, RowsU8, STEP};

pub(crate) fn linear_w8a8(x: &RowsU8, w: &PackedW8, bias: &[f32], out: &mut [f32]) {
    let (n, stride) = (w.outputs(), x.stride());
    let rows = x.codes().chunks_exact(stride).zip(x.scales());
    let rows = rows.zip(x.zeros()).zip(out.chunks_exact_mut(n));
    for (((codes, &scale), &zero), out) in rows {
        let columns = out.chunks_mut(PANEL).zip(bias.chunks(PANEL));
        let panels = w.panels().chunks_exact(stride * PANEL);
        let panels = panels.zip(w.scales().chunks(PANEL).zip(w.sums().chunks(PANEL)));
        for ((out, bias), (panel, (scales, totals))) in columns.zip(panels) {
            let mut sums = [0_i32; PANEL];
            let (fours, _) = codes.as_chunks::<STEP>();
            let (steps, _) = panel.as_chunks::<{ STEP * PANEL }>();
            for (four, step) in fours.iter().zip(steps) {
                let (weights, _) = step.as_chunks::<STEP>();
                for (sum, weights) in sums.iter_mut().zip(weights) {
                    for (&a, &w) in four.iter().zip(weights) {
                        *sum = sum.wrapping_add(i32::from(a) * i32::from(w));
                    }
                }
            }
            for (j, out) in out.iter_mut().enumerate() {
                let sum = sums[j].wrapping_sub(zero.wrapping_mul(totals[j]));
                *out = sum as f32 * (scale * scales[j]) + bias[j];
            }
        }
    }
}
