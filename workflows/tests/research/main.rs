//! Whole runs over a dozen passages, with the real planner, policy and agents.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod clarify;
mod forks;
mod killed;
mod library;
mod limits;
mod misbehaviour;
mod policies;
mod runs;
mod trust;
