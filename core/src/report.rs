//! The outcome of a run.

use serde::{Deserialize, Serialize};

use crate::{
    Answer, Claim, DocumentId, GraphView, Location, NodeId, PassageId, RunId, StopReason, Usage,
};

/// What a run has to show. Interfaces render it; the JSON contract is the app's own twin of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The run it came from.
    pub run: RunId,
    /// The question as asked.
    pub question: String,
    /// Which reasoner wrote it, such as `extractive`.
    pub reasoner: String,
    /// Short answer, where the evidence carries one.
    pub answer: Option<Answer>,
    /// True when the corpus does not answer the question; then `answer` is `None`.
    pub abstained: bool,
    /// Probability that the report answers the question, 0 to 1.
    pub confidence: f32,
    /// Claims by sub-question, in reading order. Empty only when nothing was found.
    pub sections: Vec<Section>,
    /// Documents that claims quote, most important first.
    pub sources: Vec<Source>,
    /// What was looked for in vain.
    pub not_found: Vec<NotFound>,
    /// Sources that disagree.
    pub contradictions: Vec<Contradiction>,
    /// Sentences that were written and not believed.
    #[serde(default)]
    pub dropped: Vec<Dropped>,
    /// The question graph at the end.
    pub graph: GraphView,
    /// Why the run ended.
    pub stop_reason: StopReason,
    /// What was spent.
    pub usage: Usage,
    /// How much of the corpus the vector index covered at the time.
    pub coverage: IndexCoverage,
}

/// The claims that answer one sub-question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Section {
    /// The sub-question's node.
    pub node: NodeId,
    /// The sub-question in words.
    pub heading: String,
    /// Verified claims, in reading order; never empty.
    pub claims: Vec<Claim>,
}

/// A document the report stands on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// Number in the report, from 1.
    pub n: u32,
    /// The document's own id.
    pub document: DocumentId,
    /// Its title, or its id when it has none.
    pub title: String,
    /// Where the first quote stands.
    pub location: Location,
    /// The passage of the first quote.
    pub passage: PassageId,
}

/// A sub-question that stayed open.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NotFound {
    /// Its node.
    pub node: NodeId,
    /// The sub-question in words.
    pub question: String,
    /// Queries that were tried, in order.
    pub tried: Vec<String>,
    /// What is missing, in words.
    pub missing: Vec<String>,
}

/// A sentence that the verifier took out of the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// The sentence.
    pub claim: String,
    /// Why it did not survive.
    pub reason: String,
}

/// Two claims that cannot both hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Contradiction {
    /// What they disagree on, in words.
    pub about: String,
    /// The claims.
    pub claims: Vec<Claim>,
}

/// How far the vectors of a corpus are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexCoverage {
    /// Passages in the corpus.
    pub passages: u64,
    /// Passages that have a vector.
    pub embedded: u64,
    /// Passages that are left without one on purpose: they say least.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: u64,
}

impl IndexCoverage {
    /// Passages that should have a vector.
    pub fn wanted(&self) -> u64 {
        self.passages.saturating_sub(self.left_out)
    }

    /// Passages that should have a vector and have none yet.
    pub fn missing(&self) -> u64 {
        self.wanted().saturating_sub(self.embedded)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde wants it")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}
