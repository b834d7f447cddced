//! With a language model: it names the readings, and retrieval says whether they matter.

use indago_core::ports::{BoxFuture, Library, Request, TaskCtx, TaskError};
use indago_core::{Allowance, Usage};
use serde::Deserialize;
use serde_json::json;

use super::{Ambiguity, Clarifier, MOST_READINGS, Reading, differ, found};
use crate::model::prompts::{Clarify, one_line, opening, role};
use crate::model::{Ask, Models, Ports, Role, complete_json};

/// Asks the planner's model.
#[derive(Debug)]
pub struct ModelClarifier {
    models: Models,
}

impl ModelClarifier {
    /// With the planner among `models`.
    pub fn new(models: Models) -> Self {
        Self { models }
    }
}

#[derive(Deserialize)]
struct Verdict {
    ambiguous: bool,
    #[serde(default)]
    ask: String,
    #[serde(default)]
    readings: Vec<Reading>,
    #[serde(default)]
    likeliest: usize,
}

impl Clarifier for ModelClarifier {
    fn name(&self) -> &'static str {
        "model"
    }

    fn clarify<'a>(
        &'a self,
        cx: &'a mut dyn TaskCtx,
        library: &'a dyn Library,
        question: &'a str,
        allowance: Allowance,
        spent: &'a mut Usage,
    ) -> BoxFuture<'a, Result<Option<Ambiguity>, TaskError>> {
        Box::pin(async move {
            let mut ports = Ports::new(cx, library, &self.models).within(allowance);
            let ask = Ask {
                role: Role::Planner,
                purpose: "clarify".to_owned(),
                request: Request {
                    prompt: role(opening(question), Clarify::new().render()),
                    max_tokens: Some(600),
                    temperature: Some(0.0),
                    ..Request::default()
                },
            };
            let verdict: Verdict =
                complete_json(&mut ports, ask, "clarify", schema(), spent).await?;
            let Some(asked) = ambiguity(verdict) else {
                return Ok(None);
            };
            let questions: Vec<&str> = asked.readings.iter().map(|r| r.question.as_str()).collect();
            let lists = found(ports.cx, library, &questions).await?;
            Ok(differ(&lists).then_some(asked))
        })
    }
}

/// What the model said, where it makes sense.
fn ambiguity(verdict: Verdict) -> Option<Ambiguity> {
    let mut readings: Vec<Reading> = Vec::new();
    for Reading { reading, question } in verdict.readings {
        let (reading, question) = (one_line(&reading), one_line(&question));
        let is_new = readings.iter().all(|r| r.question != question);
        if !reading.is_empty() && !question.is_empty() && is_new && readings.len() < MOST_READINGS {
            readings.push(Reading { reading, question });
        }
    }
    let ask = one_line(&verdict.ask);
    let likeliest = verdict
        .likeliest
        .saturating_sub(1)
        .min(readings.len().saturating_sub(1));
    (verdict.ambiguous && readings.len() >= 2 && !ask.is_empty()).then_some(Ambiguity {
        question: ask,
        readings,
        likeliest,
    })
}

fn schema() -> serde_json::Value {
    json!({
        "type": "object",
        "properties": {
            "ambiguous": {"type": "boolean"},
            "ask": {"type": "string"},
            "readings": {"type": "array", "items": {
                "type": "object",
                "properties": {
                    "reading": {"type": "string"},
                    "question": {"type": "string"}
                },
                "required": ["reading", "question"], "additionalProperties": false
            }},
            "likeliest": {"type": "integer"}
        },
        "required": ["ambiguous"], "additionalProperties": false
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_without_two_readings_asks_nothing() {
        let verdict = |json: &str| ambiguity(serde_json::from_str(json).unwrap());
        assert_eq!(verdict(r#"{"ambiguous": false}"#), None);
        let one = r#"{"ambiguous": true, "ask": "Which?", "likeliest": 9,
            "readings": [{"reading": "a", "question": "A?"}, {"reading": "b", "question": "A?"}]}"#;
        assert_eq!(verdict(one), None);
        let two = one.replace(r#""b", "question": "A?""#, r#""b", "question": "B?""#);
        assert_eq!(verdict(&two).unwrap().likeliest, 1);
    }
}
