//! Plain Rust, written in lanes so that the compiler can vectorise it.

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
