//! Panel products: for each panel of weights all rows of activations, four at a time, so that the
//! panel stays in the first cache.

use std::arch::aarch64::{
    float32x4_t, vdupq_n_f32, vdupq_n_s32, vfmaq_n_f32, vld1q_f32, vld2q_s16, vst1q_f32,
};

use super::{PanelSums, add_products, pad, store_scaled};
use crate::product::{PANEL, PackedF32, PackedI8, QuantizedRows};

/// Rows of a full tile: sixteen sums of the thirty-two registers.
const ROWS: usize = 4;

#[target_feature(enable = "neon")]
pub(crate) fn linear_i8(x: &QuantizedRows, w: &PackedI8, bias: &[f32], out: &mut [f32]) {
    let (n, stride) = (w.outputs(), x.stride());
    for (p, weights) in w.panels().chunks_exact(stride * PANEL).enumerate() {
        let columns = p * PANEL..(p * PANEL + PANEL).min(n);
        let (scales, bias) = (
            pad(&w.scales()[columns.clone()]),
            pad(&bias[columns.clone()]),
        );
        let mut row = 0;
        while row < x.len() {
            let codes = &x.codes()[row * stride..];
            let mut sums = [[vdupq_n_s32(0); 4]; ROWS];
            let rows = ROWS.min(x.len() - row);
            match rows {
                ROWS => tile_i8::<ROWS>(codes, stride, weights, &mut sums),
                _ => (0..rows).for_each(|r| {
                    tile_i8::<1>(&codes[r * stride..], stride, weights, &mut sums[r..]);
                }),
            }
            for (r, sums) in sums[..rows].iter().enumerate() {
                let out = &mut out[(row + r) * n..][columns.clone()];
                store_scaled(*sums, x.scales()[row + r], &scales, &bias, out);
            }
            row += rows;
        }
    }
}

/// Adds the products of R rows of `stride` codes with a panel.
#[target_feature(enable = "neon")]
#[inline]
fn tile_i8<const R: usize>(codes: &[i16], stride: usize, panel: &[i16], sums: &mut [PanelSums]) {
    let rows: [_; R] =
        std::array::from_fn(|r| codes[r * stride..(r + 1) * stride].as_chunks::<2>().0);
    for (step, weights) in panel.as_chunks::<{ 2 * PANEL }>().0.iter().enumerate() {
        // SAFETY: the reference covers the 64 bytes read; the loads need no alignment. Of each pair
        // of weights they put the first into one vector and the second into the other.
        let (low, high) = unsafe {
            (
                vld2q_s16(weights.as_ptr()),
                vld2q_s16(weights.as_ptr().add(PANEL)),
            )
        };
        for (row, sums) in rows.iter().zip(&mut *sums) {
            let [a, b] = row[step];
            add_products(sums, [low.0, high.0], a);
            add_products(sums, [low.1, high.1], b);
        }
    }
}

#[target_feature(enable = "neon")]
pub(crate) fn linear_f32(x: &[f32], w: &PackedF32, bias: &[f32], out: &mut [f32]) {
    let (n, k) = (w.outputs(), w.inputs());
    for (p, panel) in w.panels().chunks_exact(k * PANEL).enumerate() {
        let columns = p * PANEL..(p * PANEL + PANEL).min(n);
        let bias = pad(&bias[columns.clone()]);
        for (rows, outs) in x.chunks(ROWS * k).zip(out.chunks_mut(ROWS * n)) {
            let mut sums = [[vdupq_n_f32(0.0); 4]; ROWS];
            let count = rows.len() / k;
            match count {
                ROWS => tile_f32::<ROWS>(rows, k, panel, &mut sums),
                _ => (0..count).for_each(|r| {
                    tile_f32::<1>(&rows[r * k..], k, panel, &mut sums[r..]);
                }),
            }
            for (sums, out) in sums.iter().zip(outs.chunks_exact_mut(n)) {
                let mut done = [0.0; PANEL];
                for (done, sum) in done.as_chunks_mut::<4>().0.iter_mut().zip(sums) {
                    // SAFETY: the reference covers the 16 bytes written.
                    unsafe { vst1q_f32(done.as_mut_ptr(), *sum) };
                }
                let sums = done.iter().zip(&bias).map(|(sum, bias)| sum + bias);
                for (out, sum) in out[columns.clone()].iter_mut().zip(sums) {
                    *out = sum;
                }
            }
        }
    }
}

/// Adds the products of R rows of `k` values with a panel.
#[target_feature(enable = "neon")]
#[inline]
fn tile_f32<const R: usize>(x: &[f32], k: usize, panel: &[f32], sums: &mut [[float32x4_t; 4]]) {
    let rows: [_; R] = std::array::from_fn(|r| &x[r * k..(r + 1) * k]);
    for (step, weights) in panel.as_chunks::<PANEL>().0.iter().enumerate() {
        // SAFETY: the reference covers the 64 bytes read; the loads need no alignment.
        let w: [_; 4] = std::array::from_fn(|i| unsafe { vld1q_f32(weights.as_ptr().add(4 * i)) });
        for (row, sums) in rows.iter().zip(&mut *sums) {
            for (sum, w) in sums.iter_mut().zip(w) {
                *sum = vfmaq_n_f32(*sum, w, row[step]);
            }
        }
    }
}
