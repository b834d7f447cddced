//! Scalar twins of every kernel: obvious, slow, and accumulated in f64 (or i64) where the fast
//! path rounds. Public so that tests of other crates can compare against them.

mod layer;
mod product;
mod scan;

pub use layer::{add_layer_norm, add_scaled_codes, erf, gelu, l2_normalize, mean_rows, softmax};
pub use product::{attention, linear_f32, linear_i8};
pub use scan::{dot_f32, dot_i8, top_k};
