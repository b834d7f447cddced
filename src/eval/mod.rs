//! Measures retrieval and answers on data with known answers.
//!
//! Questions are split into two halves by the hash of their `_id`: one to develop on, one to report
//! on. Only `_id` and `text` of a question reach the system; answers and metadata are for scoring.

pub mod answers;
pub mod ask;
pub mod data;
pub mod retrieval;
mod workplace;

pub use data::Half;
pub use workplace::Workplace;

/// Seed of intervals and tests, so that the same scores give the same ones.
pub const SEED: u64 = 11;
