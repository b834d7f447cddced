//! Plain Rust, written in lanes so that the compiler can vectorise it.

mod scan;

pub(super) use scan::{dot_i8, scores_f32, scores_i8};
