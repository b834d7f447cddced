//! Whether quotes support a claim.

use serde::{Deserialize, Serialize};

use super::BoxFuture;
use crate::Cancel;

/// What quotes say about a claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// The quotes say it.
    Supported,
    /// The quotes say otherwise.
    Contradicted {
        /// What differs.
        reason: String,
    },
    /// Nobody knows: not said, or the check itself failed. Never counts as support, never as
    /// refutation.
    Unknown {
        /// Why.
        reason: String,
    },
}

/// Judges whether quotes support a claim: by rules, by a cross-encoder, or by a language model.
pub trait Entailment: Send + Sync {
    /// Registered name, such as `rules`.
    fn name(&self) -> &str;

    /// The verdict on `claim` given the texts of its quotes. Failures are [`Verdict::Unknown`].
    fn judge<'a>(
        &'a self,
        claim: &'a str,
        quotes: &'a [&'a str],
        cancel: &'a Cancel,
    ) -> BoxFuture<'a, Verdict>;
}
