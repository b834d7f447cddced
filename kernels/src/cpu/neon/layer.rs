//! The shared bodies, compiled for NEON with fused multiply-add.

use crate::cpu::CodedRows;
use crate::cpu::body;
use crate::cpu::body::Fused;
use crate::sums::{GROUP, GROUPS};

#[target_feature(enable = "neon")]
pub(crate) fn gelu(x: &mut [f32]) {
    body::gelu::<Fused>(x);
}

#[target_feature(enable = "neon")]
pub(crate) fn gelu_peaks(x: &mut [f32], dim: usize, peaks: &mut [f32]) {
    body::gelu_peaks::<Fused>(x, dim, peaks);
}

#[target_feature(enable = "neon")]
pub(crate) fn quantize_i16(
    x: &[f32],
    dim: usize,
    limit: f32,
    peaks_known: bool,
    stride: usize,
    codes: &mut [i16],
    scales: &mut [f32],
) {
    body::quantize_i16(x, dim, limit, peaks_known, stride, codes, scales);
}

#[target_feature(enable = "neon")]
pub(crate) fn quantize_u8(x: &[f32], dim: usize, rows: CodedRows<'_>) {
    body::quantize_u8(x, dim, rows);
}

#[target_feature(enable = "neon")]
pub(crate) fn quantize_gelu_u8(x: &mut [f32], dim: usize, rows: CodedRows<'_>) {
    body::quantize_gelu_u8::<Fused>(x, dim, rows);
}

#[target_feature(enable = "neon")]
pub(crate) fn softmax(row: &mut [f32], scale: f32) -> f32 {
    body::softmax::<Fused>(row, scale)
}

#[target_feature(enable = "neon")]
pub(crate) fn add_layer_norm(
    x: &mut [f32],
    residual: &[f32],
    gain: &[f32],
    bias: &[f32],
    eps: f32,
) {
    body::add_layer_norm::<Fused>(x, residual, gain, bias, eps);
}

#[target_feature(enable = "neon")]
pub(crate) fn add_scaled_codes(out: &mut [f32], codes: &[i8], scale: f32) {
    body::add_scaled_codes::<Fused>(out, codes, scale);
}

#[target_feature(enable = "neon")]
pub(crate) fn groups_above(values: &mut [f32; GROUP * GROUPS], bar: f32) -> u64 {
    body::groups_above(values, bar)
}
