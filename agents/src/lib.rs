//! Operators and the extractive reasoner: deterministic async functions over the ports of
//! `indago-core`. Nothing here names a runtime, a clock or a socket.
//!
//! [`search_sub_question`] works on one node of the question graph and returns its [`Finding`];
//! [`write()`] turns the graph's findings into a report; [`verify()`] re-reads every quote first.
//!
//! [`Finding`]: indago_core::Finding

mod abstain;
mod answer;
mod asked;
mod bridge;
pub mod calibration;
mod clarify;
mod contradict;
mod entail;
mod judge;
pub mod model;
pub mod operators;
pub mod planning;
mod pool;
mod read;
mod reasoner;
mod retrieve;
mod rewrite;
mod search;
mod select;
mod task;
mod verify;
mod weights;
mod write;

pub use clarify::{Ambiguity, Clarifier, ModelClarifier, Reading};
pub use entail::{Verdict, entails};
pub use reasoner::{Author, Extractive, SectionInput, WrittenSection};
pub use search::search_sub_question;
pub use task::{Limits, SearchInput, Searched, WriteInput};
pub use verify::{Verified, Verifier, verify};
pub use write::write;
pub(crate) use write::{drop_claim, write_from};
