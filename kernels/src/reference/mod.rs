//! Scalar twins of every kernel: obvious, slow, and accumulated in f64 (or i64) where the fast
//! path rounds. Public so that tests of other crates can compare against them.

mod scan;

pub use scan::{dot_f32, dot_i8, top_k};
