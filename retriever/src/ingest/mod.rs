//! From folders to passages: finding files, loading them as documents, cutting those into passages.
//!
//! ```text
//! walk(roots) -> FoundFile -> load(file) -> Parsed { document, outline } -> chunk(..) -> Passage
//! ```
//!
//! A file that cannot be read is a [`Skipped`] with a typed reason and never stops the others;
//! what is changed silently by a loader (an encoding guessed, a bad record left out) is a
//! [`Warning`]. Input is never trusted: sizes, expansion of archives, pages and time are bounded by
//! [`LoadLimits`], and no input panics.
//!
//! Nothing here knows indexes, stores or encoders.

mod chunk;
mod date;
mod decode;
mod guard;
mod load;
mod outline;
mod skipped;
mod token_estimate;
mod walk;

pub use chunk::{ChunkOptions, chunk};
pub use guard::PARSER_THREAD;
pub use load::{Format, Language, LoadLimits, Loaded, Parsed, load};
pub use outline::{Block, BlockKind, Heading, Lines, Outline};
pub use skipped::{SkipReason, Skipped, Warning};
pub use token_estimate::TokenEstimate;
pub use walk::{FoundFile, Walk, WalkError, WalkOptions, walk};
