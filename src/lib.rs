//! indago: a local-first deep-research engine.

pub use indago_core as core;
