//! Whole runs over a dozen passages, with the real planner, policy and agents.

mod library;
mod runs;
