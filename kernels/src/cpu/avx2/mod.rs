//! AVX2 and FMA: 256-bit vectors, sixteen registers.

mod attention;
mod layer;
mod product;
mod scan;
mod tile;
mod w8a8;

pub(super) use attention::{attention, fill_panels};
pub(super) use layer::{
    add_layer_norm, add_scaled_codes, gelu, gelu_peaks, groups_above, quantize_gelu_u8,
    quantize_i16, quantize_u8, softmax,
};
pub(super) use product::{linear_f32, linear_i8};
pub(super) use scan::{dot_i8, hamming, scores_f16, scores_f32, scores_i8, scores_i8_at};
pub(super) use w8a8::linear_w8a8;

use std::arch::x86_64::{
    __m256, __m256i, _mm_add_epi32, _mm_add_ps, _mm_add_ss, _mm_cvtsi128_si32, _mm_cvtss_f32,
    _mm_movehl_ps, _mm_shuffle_epi32, _mm_shuffle_ps, _mm256_castps256_ps128,
    _mm256_castsi256_si128, _mm256_extractf128_ps, _mm256_extracti128_si256, _mm256_loadu_ps,
    _mm256_loadu_si256,
};

/// Sum of eight lanes: `i` with `i + 4`, then `i` with `i + 2`, then the last two.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn sum_f32(v: __m256) -> f32 {
    let four = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v));
    let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps::<0b01>(two, two)))
}

/// Wrapping sum of eight lanes.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn sum_i32(v: __m256i) -> i32 {
    let four = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256::<1>(v));
    let two = _mm_add_epi32(four, _mm_shuffle_epi32::<0b00_00_11_10>(four));
    _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32::<0b01>(two)))
}

/// Eight values at `at`.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn load_f32(from: &[f32; 8]) -> __m256 {
    // SAFETY: the reference covers the 32 bytes read; the load needs no alignment.
    unsafe { _mm256_loadu_ps(from.as_ptr()) }
}

/// Sixteen 16-bit values.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn load_i16(from: &[i16; 16]) -> __m256i {
    // SAFETY: the reference covers the 32 bytes read; the load needs no alignment.
    unsafe { _mm256_loadu_si256(from.as_ptr().cast()) }
}

/// The first `tail.len() <= 8` values, zeros behind them.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn load_tail_f32(tail: &[f32]) -> __m256 {
    let mut padded = [0.0; 8];
    padded[..tail.len()].copy_from_slice(tail);
    load_f32(&padded)
}
