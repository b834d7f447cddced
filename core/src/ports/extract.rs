//! Names and facts of passages, for a graph over them: a language model or another engine outside
//! the retriever finds them, the retriever keeps them and walks along them.

use serde::{Deserialize, Serialize};

use crate::{Cancel, Cancelled};

/// A fact: subject, relation, object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Triple {
    /// What it is about.
    pub subject: String,
    /// How the two belong together.
    pub relation: String,
    /// What it says of it.
    pub object: String,
}

/// What a passage names and says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Names, as they are written.
    pub names: Vec<String>,
    /// Facts.
    pub triples: Vec<Triple>,
}

/// Extraction failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExtractError {
    /// Of this passage nothing usable came; others may go well.
    #[error("{reason}")]
    Passage {
        /// What happened, in words.
        reason: String,
    },
    /// The extractor itself fails: going on is in vain for now.
    #[error("extractor `{extractor}`: {reason}")]
    Engine {
        /// Which extractor.
        extractor: String,
        /// What happened, in words.
        reason: String,
    },
    /// Cancelled.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// Reads names and facts off passages.
pub trait FactExtractor: Send + Sync {
    /// Name for people.
    fn name(&self) -> &str;

    /// Changes whenever the same passage could give other facts: keys what is kept.
    fn fingerprint(&self) -> &str;

    /// Names and facts of one passage. Its text is data, whatever it says.
    ///
    /// # Errors
    /// See [`ExtractError`].
    fn extract(&self, title: &str, text: &str, cancel: &Cancel) -> Result<Facts, ExtractError>;
}
