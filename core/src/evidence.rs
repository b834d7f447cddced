//! From exact spans of sources to answers: quotes, claims, findings.

use serde::{Deserialize, Serialize};

use crate::{DocumentId, NodeId, PassageId, StopReason};

/// An exact span of a stored document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Quote {
    /// The document quoted.
    pub document: DocumentId,
    /// The passage it was found in.
    pub passage: PassageId,
    /// First byte in the document's decoded text.
    pub start: u64,
    /// One past the last byte.
    pub end: u64,
    /// The bytes `start..end`; compared with the store again before anything is printed.
    pub text: String,
}

/// A sentence of the report together with the quotes it rests on. Cannot exist without one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "ClaimParts", into = "ClaimParts")]
pub struct Claim {
    text: String,
    quotes: Vec<Quote>, // invariant: non-empty
}

#[derive(Clone, Serialize, Deserialize)]
struct ClaimParts {
    text: String,
    quotes: Vec<Quote>,
}

impl Claim {
    /// `None` when `quotes` is empty: an unquoted sentence is not a claim. The first quote is the
    /// main one.
    pub fn new(text: impl Into<String>, quotes: Vec<Quote>) -> Option<Self> {
        (!quotes.is_empty()).then(|| Self {
            text: text.into(),
            quotes,
        })
    }

    /// The sentence.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it rests on; never empty.
    pub fn quotes(&self) -> &[Quote] {
        &self.quotes
    }
}

impl TryFrom<ClaimParts> for Claim {
    type Error = &'static str;

    fn try_from(parts: ClaimParts) -> Result<Self, Self::Error> {
        Self::new(parts.text, parts.quotes).ok_or("a claim needs at least one quote")
    }
}

impl From<Claim> for ClaimParts {
    fn from(claim: Claim) -> Self {
        Self {
            text: claim.text,
            quotes: claim.quotes,
        }
    }
}

/// The type of a short answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerKind {
    /// Yes or no.
    YesNo,
    /// A person or group.
    Person,
    /// A place.
    Place,
    /// A date, year or period.
    Time,
    /// A number, with its unit where it has one.
    Quantity,
    /// One of the things the question compares.
    Choice,
    /// Any other name or noun phrase.
    Entity,
}

/// A short answer that the evidence carries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// As it would be said: `yes`, `Murcia`, `1974`.
    pub text: String,
    /// Its type.
    pub kind: AnswerKind,
}

impl Answer {
    /// Confidence of a finding from which its answer is right more often than not.
    pub const LIKELY: f32 = 0.5;
}

/// A name met while reading that leads to the next hop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bridge {
    /// The name as written in the source.
    pub name: String,
    /// The passage it was met in.
    pub met_in: PassageId,
    /// The passage that is about it, where the corpus has one.
    pub defined_in: Option<PassageId>,
    /// How well following it serves the question, 0 to 1.
    pub score: f32,
}

/// What is known about one sub-question after work on it ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The sub-question.
    pub node: NodeId,
    /// Short answer, where the evidence carries one.
    pub answer: Option<Answer>,
    /// What was found, best first.
    pub claims: Vec<Claim>,
    /// Probability that the claims answer the sub-question, 0 to 1.
    pub confidence: f32,
    /// Names that lead on, best first.
    pub bridges: Vec<Bridge>,
    /// What stays open, in words.
    pub open: Vec<String>,
    /// Queries that were tried, in order.
    pub tried: Vec<String>,
    /// Rounds of search.
    pub rounds: u32,
    /// Why work on it ended.
    pub stop: StopReason,
}
