//! indago: ask a hard question of your own documents; every sentence of the answer is cited.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let folder = folder.path();
//! # std::fs::create_dir(folder.join("notes"))?;
//! # std::fs::write(
//! #     folder.join("notes/lighthouse.md"),
//! #     "# Skerry Lighthouse\n\nThe Skerry Lighthouse was designed by Ines Falk in 1888.\n",
//! # )?;
//! use indago::core::Cancel;
//! use indago::{AskSettings, IndexRequest, Project};
//!
//! // Indexes live in `.indago/` of a project folder.
//! let project = Project::at(folder);
//! let request = IndexRequest::new("notes", vec![folder.join("notes")]);
//! let indexed = indago::index(&project, &request, &mut |_progress| {}, &Cancel::new())?;
//! assert_eq!(indexed.documents, 1);
//!
//! let question = "Who designed the Skerry Lighthouse?";
//! let report = indago::ask(&project, "notes", question, &AskSettings::default())?;
//! for claim in report.sections.iter().flat_map(|section| &section.claims) {
//!     println!("{} ({})", claim.text(), claim.quotes()[0].document);
//! }
//! # assert_eq!(report.sources[0].document.as_str(), "lighthouse.md");
//! # Ok(())
//! # }
//! ```
//!
//! [`Run`] is a question under way: events as they happen, and controls. [`Runs`] holds those of the
//! past.
//!
//! [`embed`] adds vectors to a corpus; [`Asker`] answers many questions on one open index;
//! [`report`] renders what comes back. The binary `indago` is [`cli::run`] over the same calls.

mod asking;
pub mod cli;
mod compute;
mod corpora;
pub mod env;
mod error;
pub mod eval;
mod indexing;
mod project;
mod pulling;
mod reasoner;
pub mod remote;
pub mod report;
mod running;
pub mod tui;
pub mod wire;

pub use asking::{AskSettings, Asker, ask};
pub use compute::{AUTO_SCAN_FROM, Compute, Work};
pub use corpora::{MAX_QUESTION_BYTES, check_question, documents, open, remove, roots_of};
pub use error::Error;
pub use indago_agents::model::Models;
pub use indago_core as core;
pub use indago_models::pull::{PullError, Pulled, Pulling};
pub use indago_models::registry::FolderOptions;
pub use indago_models::remote as models;
pub use indago_retriever::{Approximation, Corpus, Extracted, VectorsBuilt};
pub use indexing::{
    IndexRequest, Indexed, Progress, embed, embed_tokens, extract_facts, index, index_phrases,
    index_sparse, index_substrings, link, prune, sparse_behind,
};
pub use project::Project;
pub use pulling::pull;
pub use reasoner::{
    DEFAULT_CALLS, DEFAULT_LOOP, DEFAULT_WORDS, ModelChoice, ModelReasoner, loop_named, loops,
};
pub use running::{Run, Runs};
