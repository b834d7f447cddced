//! Scalar twins of every kernel: obvious, slow, and accumulated in f64 (or i64) where the fast
//! path rounds. Public so that tests of other crates can compare against them.

mod layer;
mod maxsim;
mod pagerank;
mod product;
mod scan;
mod sparse;

pub use layer::{add_layer_norm, add_scaled_codes, erf, gelu, l2_normalize, mean_rows, softmax};
pub use maxsim::maxsim;
pub use pagerank::pagerank;
pub use product::{attention, linear_f32, linear_i8, linear_w8a8};
pub use scan::{dot_f32, dot_i8, f32_of_f16, hamming, scores_i8_at, top_k};
pub use sparse::{groups_above, sparse_scores};
