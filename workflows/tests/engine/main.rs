//! What every engine owes a run, checked against the journal in memory and the one on disk.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod conformance;
#[cfg(unix)]
mod controls;
mod crash;
mod disk;
mod paid;
mod tasks;
mod transfer;
mod versions;
