//! Prompts as segments: what a language model reads, and which parts of it are worth keeping.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{PassageId, Quote};

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Speaker {
    /// The program: instructions that hold for the whole call.
    System,
    /// Whoever asks.
    User,
    /// The model itself, in an earlier turn.
    Assistant,
    /// A tool's observation.
    Tool,
}

/// Whether the computed state of a segment is worth keeping.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reuse {
    /// Same bytes at the same place in many calls: reused as part of a common prefix.
    Prefix,
    /// Same bytes at changing places: reused as a block of its own.
    Chunk,
    /// Seen once.
    #[default]
    None,
}

/// What a segment is to the model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SegmentKind {
    /// Words of the program or of its user: may instruct.
    Instruction,
    /// Text that came from outside (retrieved, or returned by a tool): marked as data when the
    /// prompt is laid out, and never obeyed.
    Data {
        /// What the text is, such as `passage` or `observation`.
        label: String,
        /// The passage it stands in, when it is one.
        passage: Option<PassageId>,
    },
    /// Tool calls the model made in an earlier turn.
    ToolCalls(Vec<ToolCall>),
    /// The observation that answers the tool call of this id.
    ToolResult {
        /// [`ToolCall::id`].
        call: String,
    },
}

/// A piece of a prompt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// Who speaks.
    pub speaker: Speaker,
    /// What it is.
    pub kind: SegmentKind,
    /// Its text.
    pub text: String,
    /// Whether its state is worth keeping.
    #[serde(default)]
    pub reuse: Reuse,
}

/// What a model is asked to continue: segments in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prompt {
    /// The segments; neighbours of one speaker become one message.
    pub segments: Vec<Segment>,
}

impl Prompt {
    /// Appends words of the program that many calls share from their first byte on.
    #[must_use]
    pub fn system(mut self, text: impl Into<String>) -> Self {
        self.segments.push(Segment {
            speaker: Speaker::System,
            kind: SegmentKind::Instruction,
            text: text.into(),
            reuse: Reuse::Prefix,
        });
        self
    }

    /// Appends words of the user, or of the program on the user's behalf.
    #[must_use]
    pub fn user(mut self, text: impl Into<String>) -> Self {
        self.segments.push(Segment {
            speaker: Speaker::User,
            kind: SegmentKind::Instruction,
            text: text.into(),
            reuse: Reuse::None,
        });
        self
    }

    /// Appends text from outside, to be marked as data and never obeyed.
    #[must_use]
    pub fn data(
        mut self,
        label: impl Into<String>,
        passage: Option<PassageId>,
        text: impl Into<String>,
    ) -> Self {
        self.segments.push(Segment {
            speaker: Speaker::User,
            kind: SegmentKind::Data {
                label: label.into(),
                passage,
            },
            text: text.into(),
            reuse: Reuse::Chunk,
        });
        self
    }
}

/// A tool as a model sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolSpec {
    /// Name: letters, digits, underscores and dashes, at most 64.
    pub name: String,
    /// What it does and when to use it.
    pub description: String,
    /// JSON schema of its arguments: an object.
    pub parameters: Value,
}

/// A call that a model asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    /// Names the call within its turn.
    pub id: String,
    /// The tool's name; may name a tool that does not exist.
    pub name: String,
    /// Arguments as the model wrote them: may be no JSON at all.
    pub arguments: String,
}

/// What a tool saw.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// Text for the model: data, never instruction.
    pub text: String,
    /// Where it stands in the corpus.
    #[serde(default)]
    pub quotes: Vec<Quote>,
    /// The passages it showed.
    #[serde(default)]
    pub passages: Vec<PassageId>,
}
