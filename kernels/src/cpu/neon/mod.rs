//! NEON: 128-bit vectors, thirty-two registers, on every 64-bit Arm CPU.
//!
//! Compiled for that target by `.ci/arm`, which also runs these paths' tests under an emulator where
//! one is installed. **Never run on an Arm CPU**: nothing is known of its speed.

mod attention;
mod layer;
mod product;
mod scan;
mod w8a8;

pub(super) use attention::attention;
pub(super) use layer::{
    add_layer_norm, add_scaled_codes, gelu, gelu_peaks, groups_above, quantize_gelu_u8,
    quantize_i16, quantize_u8, softmax,
};
pub(super) use product::{linear_f32, linear_i8};
pub(super) use scan::{dot_i8, hamming, scores_f16, scores_f32, scores_i8, scores_i8_at};
pub(super) use w8a8::linear_w8a8;

use std::arch::aarch64::{
    float32x4_t, int16x8_t, int32x4_t, vadd_f32, vaddq_f32, vcvtq_f32_s32, vdupq_n_f32, vfmaq_f32,
    vfmaq_n_f32, vget_high_f32, vget_lane_f32, vget_low_f32, vget_low_s16, vld1q_f32, vld1q_s16,
    vmlal_high_n_s16, vmlal_n_s16, vmulq_f32, vst1q_f32,
};

use crate::product::PANEL;

/// Eight values.
#[target_feature(enable = "neon")]
#[inline]
fn load_f32(from: &[f32; 8]) -> [float32x4_t; 2] {
    // SAFETY: the reference covers the 32 bytes read; the loads need no alignment.
    unsafe { [vld1q_f32(from.as_ptr()), vld1q_f32(from.as_ptr().add(4))] }
}

/// Eight 16-bit values.
#[target_feature(enable = "neon")]
#[inline]
fn load_i16(from: &[i16; 8]) -> int16x8_t {
    // SAFETY: the reference covers the 16 bytes read; the load needs no alignment.
    unsafe { vld1q_s16(from.as_ptr()) }
}

/// The first `tail.len() <= 8` values, zeros behind them.
fn padded<T: Copy + Default>(tail: &[T]) -> [T; 8] {
    let mut padded = [T::default(); 8];
    padded[..tail.len()].copy_from_slice(tail);
    padded
}

/// Sum of eight lanes: `i` with `i + 4`, then `i` with `i + 2`, then the last two.
#[target_feature(enable = "neon")]
#[inline]
fn sum_f32([low, high]: [float32x4_t; 2]) -> f32 {
    let four = vaddq_f32(low, high);
    let two = vadd_f32(vget_low_f32(four), vget_high_f32(four));
    vget_lane_f32::<0>(two) + vget_lane_f32::<1>(two)
}

/// Sums of a panel's sixteen outputs, four to a vector.
type PanelSums = [int32x4_t; PANEL / 4];

/// Adds `factor` times sixteen weights.
#[target_feature(enable = "neon")]
#[inline]
fn add_products(sums: &mut PanelSums, weights: [int16x8_t; 2], factor: i16) {
    for (half, weights) in weights.into_iter().enumerate() {
        let (low, high) = (2 * half, 2 * half + 1);
        sums[low] = vmlal_n_s16(sums[low], vget_low_s16(weights), factor);
        sums[high] = vmlal_high_n_s16(sums[high], weights, factor);
    }
}

/// `sums * (scale * scales) + bias`, as many as `out` has room for.
#[target_feature(enable = "neon")]
#[inline]
fn store_scaled(
    sums: PanelSums,
    scale: f32,
    scales: &[f32; PANEL],
    bias: &[f32; PANEL],
    out: &mut [f32],
) {
    let mut done = [0.0; PANEL];
    let (scales, bias) = (scales.as_chunks::<4>().0, bias.as_chunks::<4>().0);
    for (i, done) in done.as_chunks_mut::<4>().0.iter_mut().enumerate() {
        // SAFETY: each reference covers the 16 bytes that are read or written.
        unsafe {
            let step = vmulq_f32(vdupq_n_f32(scale), vld1q_f32(scales[i].as_ptr()));
            let y = vfmaq_f32(vld1q_f32(bias[i].as_ptr()), vcvtq_f32_s32(sums[i]), step);
            vst1q_f32(done.as_mut_ptr(), y);
        }
    }
    out.copy_from_slice(&done[..out.len()]);
}

/// `out += factor * values`, both of one length.
#[target_feature(enable = "neon")]
#[inline]
fn add_scaled(out: &mut [f32], values: &[f32], factor: f32) {
    let (outs, out_tail) = out.as_chunks_mut::<8>();
    let (values, tail) = values.as_chunks::<8>();
    for (out, values) in outs.iter_mut().zip(values) {
        let (sum, x) = (load_f32(out), load_f32(values));
        // SAFETY: the reference covers the 32 bytes written.
        unsafe {
            vst1q_f32(out.as_mut_ptr(), vfmaq_n_f32(sum[0], x[0], factor));
            vst1q_f32(out.as_mut_ptr().add(4), vfmaq_n_f32(sum[1], x[1], factor));
        }
    }
    for (out, value) in out_tail.iter_mut().zip(tail) {
        *out = factor.mul_add(*value, *out);
    }
}

/// Sixteen values from the front, zeros where there are fewer.
fn pad(values: &[f32]) -> [f32; PANEL] {
    let mut padded = [0.0; PANEL];
    padded[..values.len()].copy_from_slice(values);
    padded
}
