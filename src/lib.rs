//! indago: ask a hard question of your own documents; every sentence of the answer is cited.

mod asking;
pub mod cli;
mod corpora;
pub mod env;
mod error;
pub mod eval;
mod indexing;
mod project;
pub mod report;
pub mod wire;

pub use asking::{AskSettings, Asker, ask};
pub use corpora::{MAX_QUESTION_BYTES, check_question, documents, open, remove, roots_of};
pub use error::Error;
pub use indago_core as core;
pub use indago_retriever::Corpus;
pub use indexing::{IndexRequest, Indexed, Progress, embed, index};
pub use project::Project;
