//! The shared bodies, compiled for the target's baseline.

use crate::cpu::CodedRows;
use crate::cpu::body;
use crate::cpu::body::Rounded;
use crate::sums::{GROUP, GROUPS};

pub(crate) fn gelu(x: &mut [f32]) {
    body::gelu::<Rounded>(x);
}

pub(crate) fn gelu_peaks(x: &mut [f32], dim: usize, peaks: &mut [f32]) {
    body::gelu_peaks::<Rounded>(x, dim, peaks);
}

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

pub(crate) fn quantize_u8(x: &[f32], dim: usize, rows: CodedRows<'_>) {
    body::quantize_u8(x, dim, rows);
}

pub(crate) fn quantize_gelu_u8(x: &mut [f32], dim: usize, rows: CodedRows<'_>) {
    body::quantize_gelu_u8::<Rounded>(x, dim, rows);
}

pub(crate) fn softmax(row: &mut [f32], scale: f32) -> f32 {
    body::softmax::<Rounded>(row, scale)
}

pub(crate) fn add_layer_norm(
    x: &mut [f32],
    residual: &[f32],
    gain: &[f32],
    bias: &[f32],
    eps: f32,
) {
    body::add_layer_norm::<Rounded>(x, residual, gain, bias, eps);
}

pub(crate) fn add_scaled_codes(out: &mut [f32], codes: &[i8], scale: f32) {
    body::add_scaled_codes::<Rounded>(out, codes, scale);
}

pub(crate) fn groups_above(values: &mut [f32; GROUP * GROUPS], bar: f32) -> u64 {
    body::groups_above(values, bar)
}
