//! Makes the files that the repository ships from the published weights.

mod quantize;

pub use quantize::quantize;
