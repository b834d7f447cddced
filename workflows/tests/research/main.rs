//! Whole runs over a dozen passages, with the real planner, policy and agents.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod forks;
mod killed;
mod library;
mod misbehaviour;
mod runs;
