//! Language models at work: which model plays which role, calls as journaled steps, JSON that is
//! checked before it is believed, and prompts as files.

mod author;
mod call;
mod json;
mod parallel;
pub mod prompts;
mod support;

pub use author::ModelAuthor;
pub(crate) use author::stop_reason;
pub use call::{Ask, Models, Ports, Role, complete, complete_expecting};
pub(crate) use call::{is_unaffordable, is_unusable};
pub(crate) use json::clipped;
pub use json::{complete_json, parse_json};
pub use parallel::complete_all;
