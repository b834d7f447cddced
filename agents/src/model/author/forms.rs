//! What the writer's model is asked to fill in: an outline, and the sentences of a section.

use serde::Deserialize;
use serde_json::json;

/// Sections, and a short answer where the question has one.
#[derive(Debug, Deserialize)]
pub(super) struct Planned {
    pub(super) sections: Vec<PlannedSection>,
    #[serde(default)]
    pub(super) answer: Option<String>,
}

/// A section and the statements it rests on, from 1.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct PlannedSection {
    pub(super) heading: String,
    #[serde(default)]
    pub(super) evidence: Vec<usize>,
}

/// What a section says.
#[derive(Debug, Deserialize)]
pub(super) struct Sentences {
    pub(super) sentences: Vec<Sentence>,
}

/// A sentence and the statements that say it, from 1.
#[derive(Debug, Deserialize)]
pub(super) struct Sentence {
    pub(super) text: String,
    #[serde(default)]
    pub(super) evidence: Vec<usize>,
}

pub(super) fn outline_schema() -> serde_json::Value {
    json!({
        "type": "object",
        "properties": {
            "sections": {"type": "array", "items": {
                "type": "object",
                "properties": {
                    "heading": {"type": "string"},
                    "evidence": {"type": "array", "items": {"type": "integer"}}
                },
                "required": ["heading", "evidence"], "additionalProperties": false
            }},
            "answer": {"type": ["string", "null"]}
        },
        "required": ["sections", "answer"], "additionalProperties": false
    })
}

pub(super) fn section_schema() -> serde_json::Value {
    json!({
        "type": "object",
        "properties": {"sentences": {"type": "array", "items": {
            "type": "object",
            "properties": {
                "text": {"type": "string"},
                "evidence": {"type": "array", "items": {"type": "integer"}}
            },
            "required": ["text", "evidence"], "additionalProperties": false
        }}},
        "required": ["sentences"], "additionalProperties": false
    })
}
