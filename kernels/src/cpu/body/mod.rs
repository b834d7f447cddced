//! Element-wise kernels written once in plain Rust, in lanes that the compiler turns into vectors.
//!
//! Each set of instructions compiles these bodies for itself: the functions are always inlined
//! into wrappers that enable its features.
#![expect(
    clippy::inline_always,
    reason = "a body that is not inlined loses its caller's features"
)]

mod bits;
mod groups;
mod layer;
mod math;

pub(super) use bits::hamming;
pub(super) use groups::groups_above;
pub(super) use layer::{
    add_layer_norm, add_scaled_codes, gelu, gelu_peaks, quantize_gelu_u8, quantize_i16,
    quantize_u8, softmax,
};

/// How `a * b + c` is computed.
pub(super) trait MulAdd {
    fn mul_add(a: f32, b: f32, c: f32) -> f32;
}

/// Product rounded, then sum: for CPUs without a fused instruction, where `f32::mul_add` is a call
/// into the C library.
pub(super) struct Rounded;

impl MulAdd for Rounded {
    #[inline(always)]
    fn mul_add(a: f32, b: f32, c: f32) -> f32 {
        a * b + c
    }
}

/// One rounding.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub(super) struct Fused;

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
impl MulAdd for Fused {
    #[inline(always)]
    fn mul_add(a: f32, b: f32, c: f32) -> f32 {
        a.mul_add(b, c)
    }
}
