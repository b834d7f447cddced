//! The question graph of a run and the machine that decides what to do next.
//!
//! [`QuestionGraph`] holds sub-questions, what waits for what, and findings; it changes only
//! through validated edits. [`Planner`] turns facts (a node ended, edits were proposed, somebody
//! said stop) into actions (start this node, ask the policy, write). [`policy`] holds the plan
//! policies that propose edits, [`slots`] orders the calls of many searches under limits, [`export`]
//! draws the graph.
//!
//! A pure machine: no I/O, no runtime, no clock. Time is an argument, so a run can be recorded,
//! resumed and tested without waiting.

mod budget;
mod estimate;
pub mod export;
mod graph;
mod machine;
pub mod policy;
mod question;
pub mod slots;

pub use budget::Share;
pub use estimate::{Costs, Ewma, Profile, estimate};
pub use graph::{MAX_REOPENS, QuestionGraph, ROOT};
pub use indago_core::Steering;
pub use machine::{ALIKE_FROM, Action, Alike, Fact, Limits, Planner};
pub use question::{MAX_QUESTION_BYTES, differs_in_detail, question_key};
