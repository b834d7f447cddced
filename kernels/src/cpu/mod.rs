//! The fast paths, one file for each set of instructions and kind of kernel, and the choice among
//! them. Entry points check shapes before they come here.
#![expect(
    unsafe_code,
    reason = "vector instructions: each block states what its caller checked"
)]

mod body;
mod portable;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;

use crate::Isa;
use crate::attention::{Heads, Queries};
use crate::product::{PackedF32, PackedI8, QuantizedRows};
use crate::sums::{GROUP, GROUPS};
use crate::w8a8::{PackedW8, RowsU8};

/// Calls the path of `$isa`; the paths of other architectures than the target's do not exist.
macro_rules! dispatch {
    ($isa:expr, $kernel:ident ( $($arg:expr),* )) => {{
        let isa: Isa = $isa;
        debug_assert!(isa == Isa::Portable || isa.is_available());
        match isa {
            // SAFETY: `Isa::available` lists a set only after the CPU was asked for each of its
            // features, and every `Isa` that reaches a kernel comes from that list.
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 | Isa::Avx512 => unsafe { avx2::$kernel($($arg),*) },
            // SAFETY: as above.
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => unsafe { neon::$kernel($($arg),*) },
            _ => portable::$kernel($($arg),*),
        }
    }};
}

/// See [`crate::quantize::codes_of_bytes`].
pub(crate) fn codes_of_bytes(bytes: &[u8]) -> &[i8] {
    // SAFETY: u8 and i8 have the same size, alignment and validity, and the borrow is unchanged.
    unsafe { std::slice::from_raw_parts(bytes.as_ptr().cast(), bytes.len()) }
}

/// `out[q * n + r] = rows[r] . queries[q]` for `n` rows; all slices checked by the caller.
pub(crate) fn scores_f32(isa: Isa, rows: &[f32], queries: &[f32], dim: usize, out: &mut [f32]) {
    assert_eq!((rows.len() / dim) * (queries.len() / dim), out.len());
    dispatch!(isa, scores_f32(rows, queries, dim, out));
}

/// `out[q * n + r] = rows[r] . queries[q]` for `n` rows of 8-bit codes and 16-bit queries within
/// [`crate::quantize::limit_i16`].
pub(crate) fn scores_i8(isa: Isa, rows: &[i8], queries: &[i16], dim: usize, out: &mut [i32]) {
    assert_eq!((rows.len() / dim) * (queries.len() / dim), out.len());
    dispatch!(isa, scores_i8(rows, queries, dim, out));
}

/// `out[i] = rows[at[i]] . query` for 8-bit codes and one query within
/// [`crate::quantize::limit_i16`]. Panics where a row is beyond the last.
pub(crate) fn scores_i8_at(isa: Isa, rows: &[i8], query: &[i16], at: &[u32], out: &mut [i32]) {
    assert_eq!(at.len(), out.len());
    dispatch!(isa, scores_i8_at(rows, query, at, out));
}

/// [`scores_f32`] of rows of 16-bit floats.
pub(crate) fn scores_f16(isa: Isa, rows: &[u16], queries: &[f32], dim: usize, out: &mut [f32]) {
    assert_eq!((rows.len() / dim) * (queries.len() / dim), out.len());
    dispatch!(isa, scores_f16(rows, queries, dim, out));
}

/// `out[q * n + r]`: in how many bits `rows[r]` and `queries[q]`, of `words` words each, differ.
pub(crate) fn hamming(isa: Isa, rows: &[u64], queries: &[u64], words: usize, out: &mut [u32]) {
    assert_eq!((rows.len() / words) * (queries.len() / words), out.len());
    dispatch!(isa, hamming(rows, queries, words, out));
}

/// See [`crate::sums::groups_above`].
pub(crate) fn groups_above(isa: Isa, values: &mut [f32; GROUP * GROUPS], bar: f32) -> u64 {
    dispatch!(isa, groups_above(values, bar))
}

/// `a . b`, both of one length below 131,072.
pub(crate) fn dot_i8(isa: Isa, a: &[i8], b: &[i8]) -> i32 {
    assert_eq!(a.len(), b.len());
    dispatch!(isa, dot_i8(a, b))
}

/// See [`crate::product::linear_i8`], which checks the shapes.
pub(crate) fn linear_i8(isa: Isa, x: &QuantizedRows, w: &PackedI8, bias: &[f32], out: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    if isa == Isa::Avx512 {
        debug_assert!(isa.is_available());
        // SAFETY: `Isa::available` lists the set only after the CPU was asked for its features.
        return unsafe { avx512::linear_i8(x, w, bias, out) };
    }
    dispatch!(isa, linear_i8(x, w, bias, out));
}

/// See [`crate::w8a8::linear_w8a8`], which checks the shapes.
pub(crate) fn linear_w8a8(isa: Isa, x: &RowsU8, w: &PackedW8, bias: &[f32], out: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    if isa == Isa::Avx512 {
        debug_assert!(isa.is_available());
        // SAFETY: `Isa::available` lists the set only after the CPU was asked for its features.
        return unsafe { avx512::linear_w8a8(x, w, bias, out) };
    }
    dispatch!(isa, linear_w8a8(x, w, bias, out));
}

/// Whether the AVX-512 path may be used on this CPU: it has the features, and the path gives there
/// what the others give.
#[cfg(target_arch = "x86_64")]
pub(crate) fn avx512_is_sound() -> bool {
    is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("fma")
        && is_x86_feature_detected!("f16c")
        && is_x86_feature_detected!("popcnt")
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512vnni")
        // SAFETY: the features were just asked for.
        && unsafe { avx512::agrees() }
}

/// See [`crate::product::linear_f32`], which checks the shapes.
pub(crate) fn linear_f32(isa: Isa, x: &[f32], w: &PackedF32, bias: &[f32], out: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    if isa == Isa::Avx512 {
        debug_assert!(isa.is_available());
        // SAFETY: `Isa::available` lists the set only after the CPU was asked for its features.
        return unsafe { avx512::linear_f32(x, w, bias, out) };
    }
    dispatch!(isa, linear_f32(x, w, bias, out));
}

/// See [`crate::attention::attention`], which checks the shapes: `keys` are rows of `qkv`, too.
pub(crate) fn attention(
    isa: Isa,
    queries: Queries<'_>,
    keys: &[f32],
    heads: Heads,
    scratch: &mut Vec<f32>,
    out: &mut [f32],
) {
    assert_eq!(out.len() * 3, queries.rows.len());
    #[cfg(target_arch = "x86_64")]
    if isa == Isa::Avx512 {
        debug_assert!(isa.is_available());
        // SAFETY: `Isa::available` lists the set only after the CPU was asked for its features.
        return unsafe { avx512::attention(queries, keys, heads, scratch, out) };
    }
    dispatch!(isa, attention(queries, keys, heads, scratch, out));
}

/// See [`crate::gelu`].
pub(crate) fn gelu(isa: Isa, x: &mut [f32]) {
    dispatch!(isa, gelu(x));
}

/// GELU of each row of `dim` values in place, and the largest magnitude of the outcome.
pub(crate) fn gelu_peaks(isa: Isa, x: &mut [f32], dim: usize, peaks: &mut [f32]) {
    dispatch!(isa, gelu_peaks(x, dim, peaks));
}

/// Rows of `dim` values as 16-bit codes up to `limit`, `stride` codes a row. `scales` holds the
/// rows' peaks when `peaks_known`, and their scales afterwards.
#[expect(
    clippy::too_many_arguments,
    reason = "one call site, which names them all"
)]
pub(crate) fn quantize_i16(
    isa: Isa,
    x: &[f32],
    dim: usize,
    limit: f32,
    peaks_known: bool,
    stride: usize,
    codes: &mut [i16],
    scales: &mut [f32],
) {
    dispatch!(
        isa,
        quantize_i16(x, dim, limit, peaks_known, stride, codes, scales)
    );
}

/// The parts of [`RowsU8`] that are written: `stride` codes, a scale and a zero point for each row.
pub(crate) struct CodedRows<'a> {
    pub codes: &'a mut [u8],
    pub scales: &'a mut [f32],
    pub zeros: &'a mut [i32],
    pub stride: usize,
    /// Largest code.
    pub levels: u8,
}

/// Rows of `dim` values as 8-bit codes.
pub(crate) fn quantize_u8(isa: Isa, x: &[f32], dim: usize, rows: CodedRows<'_>) {
    dispatch!(isa, quantize_u8(x, dim, rows));
}

/// [`gelu`] of rows of `dim` values in place, and the outcome as 8-bit codes.
pub(crate) fn quantize_gelu_u8(isa: Isa, x: &mut [f32], dim: usize, rows: CodedRows<'_>) {
    dispatch!(isa, quantize_gelu_u8(x, dim, rows));
}

/// `row = exp(scale * row - max)`; returns the sum to divide by.
pub(crate) fn softmax(isa: Isa, row: &mut [f32], scale: f32) -> f32 {
    dispatch!(isa, softmax(row, scale))
}

/// See [`crate::add_layer_norm`], which checks the shapes.
pub(crate) fn add_layer_norm(
    isa: Isa,
    x: &mut [f32],
    residual: &[f32],
    gain: &[f32],
    bias: &[f32],
    eps: f32,
) {
    dispatch!(isa, add_layer_norm(x, residual, gain, bias, eps));
}

/// See [`crate::add_scaled_codes`], which checks the lengths.
pub(crate) fn add_scaled_codes(isa: Isa, out: &mut [f32], codes: &[i8], scale: f32) {
    dispatch!(isa, add_scaled_codes(out, codes, scale));
}

#[cfg(test)]
mod tests;
