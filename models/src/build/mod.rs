//! Makes the files that the repository ships from the published weights.

mod distill;
mod pca;
mod quantize;

pub use distill::distill;
pub(crate) use distill::vocabulary_hash;
pub use quantize::quantize;
