//! What is asked of a retriever and what comes back.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::{Date, DocumentId, PassageId};

/// A retrieval request.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Query {
    /// What to look for, in natural language.
    pub text: String,
    /// Task instruction for encoders that take one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instruction: Option<String>,
    /// Imagined passages (HyDE; Gao et al., 2022): dense search uses the mean of their vectors and
    /// the query's own; others ignore them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub imagined: Vec<String>,
    /// Restrictions on which documents may be returned.
    #[serde(default)]
    pub filters: Filters,
    /// Which retrievers to ask, with their weights; empty means the configured default.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retrievers: Vec<RetrieverWeight>,
}

impl Query {
    /// An unfiltered query for `text` by the default retrievers.
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }
}

/// One retriever's say in a fused query.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RetrieverWeight {
    /// The retriever's registered name, such as `bm25`.
    pub name: String,
    /// Non-negative; relative to the others of the query.
    pub weight: f32,
}

/// Restrictions; all of them must hold. The default lets everything through.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filters {
    /// Glob patterns on the document's path; any may match. Empty means every path.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// Documents dated on or after this day; undated documents fail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Date>,
    /// Documents dated on or before this day; undated documents fail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Date>,
    /// Metadata that must be equal, as key and value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metadata: Vec<(String, String)>,
    /// Documents that do not count, whatever else holds: those that somebody distrusts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<DocumentId>,
}

impl Filters {
    /// Whether nothing is restricted.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether every document counts but for those named one by one.
    pub fn is_open(&self) -> bool {
        self.paths.is_empty()
            && self.after.is_none()
            && self.before.is_none()
            && self.metadata.is_empty()
    }
}

/// Why one retriever returned a passage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// The retriever's registered name.
    pub retriever: String,
    /// Rank in that retriever's own list, from 1.
    pub rank: u32,
    /// Score on that retriever's own scale; never comparable with another retriever's.
    pub score: f32,
}

/// A passage that was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hit {
    /// Which passage.
    pub passage: PassageId,
    /// Comparable only within one result list; higher is better.
    pub score: f32,
    /// One entry per retriever that returned it.
    pub why: Vec<Provenance>,
    /// Near-identical passages that were folded into this one, best first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub duplicates: Vec<PassageId>,
}

impl Hit {
    /// Best first: higher score, then lower id, so equal scores never reorder between runs.
    pub fn best_first(&self, other: &Self) -> Ordering {
        other
            .score
            .total_cmp(&self.score)
            .then(self.passage.cmp(&other.passage))
    }
}
