//! Plan policies: how the question graph grows. One file and one line in [`by_name`] each.
//!
//! The root (node 0) is a node like any other: it is searched once everything it depends on is
//! answered or unanswerable, with those findings as its input. A policy is asked before the first
//! node starts and after each one ends, so that it can put new sub-questions before the root.

mod extractive;
mod phrase;
mod sequential;
mod single;
mod tree;

pub use extractive::Extractive;
pub use sequential::Sequential;
pub use single::Single;
pub use tree::Tree;

use indago_core::ports::PlanPolicy;

/// The names of all policies that need nothing but the question.
pub const NAMES: [&str; 4] = ["extractive", "single", "sequential", "tree"];

/// The policy registered under `name`.
pub fn by_name(name: &str) -> Option<Box<dyn PlanPolicy>> {
    match name {
        "extractive" => Some(Box::new(Extractive)),
        "single" => Some(Box::new(Single)),
        "sequential" => Some(Box::new(Sequential)),
        "tree" => Some(Box::new(Tree)),
        _ => None,
    }
}
