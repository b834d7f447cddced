//! What is configured for a model: `[models.NAME]` in `indago.toml`.

use std::time::Duration;

use indago_core::ports::TokenUsage;
use serde::{Deserialize, Serialize};

/// What a model is asked to do in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelRole {
    /// Takes questions apart and decides what is asked next.
    Planner,
    /// Reads passages and answers sub-questions.
    Reader,
    /// Writes the report.
    Writer,
    /// Judges whether evidence suffices and whether it supports a claim.
    Judge,
}

impl ModelRole {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Planner, Self::Reader, Self::Writer, Self::Judge];
}

/// What a server's endpoint gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelTask {
    /// Text: `/chat/completions`.
    #[default]
    Chat,
    /// Vectors: `/embeddings`.
    Embeddings,
    /// Scores: `/rerank`.
    Rerank,
}

/// How a server is brought to write JSON that fits a schema.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Structured {
    /// Tries the forms below in their order and keeps the first that the server accepts.
    #[default]
    Auto,
    /// `response_format: json_schema`, enforced by the server.
    JsonSchema,
    /// `response_format: json_object` with the schema beside it and in the prompt.
    JsonObject,
    /// One tool that has to be called, with the schema as its parameters.
    Tool,
    /// The schema in the prompt and nothing else.
    Prompt,
}

/// Price of a million tokens, in any currency as long as it is one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Of tokens read.
    pub input: f64,
    /// Of tokens read whose state was cached; as `input` when left out.
    #[serde(default)]
    pub cached: Option<f64>,
    /// Of tokens written.
    pub output: f64,
}

impl Price {
    /// What a call cost.
    pub fn of(&self, usage: TokenUsage) -> f64 {
        let cached = usage.cached.min(usage.prompt);
        let fresh = (usage.prompt - cached) as f64;
        let read = fresh * self.input + cached as f64 * self.cached.unwrap_or(self.input);
        (read + usage.completion as f64 * self.output) / 1e6
    }
}

/// How long is waited, and how often tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For the first token, connecting included.
    pub first_token: Duration,
    /// Between two tokens.
    pub between_tokens: Duration,
    /// For one attempt from its start to its end.
    pub call: Duration,
    /// Attempts in all, at least 1.
    pub attempts: u32,
    /// Before the second attempt; doubles after each.
    pub backoff: Duration,
    /// Longest wait between attempts. A server that asks for more is not waited for: the error says
    /// how long it asked.
    pub longest_wait: Duration,
    /// Rounds in which a model may mend JSON that does not fit its schema.
    pub repairs: u32,
}

/// A model as configured. Unknown keys are errors: a misspelt limit is worse than none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// Where the server is, up to and including `/v1`.
    pub base_url: String,
    /// The model's name there.
    pub model: String,
    /// What it gives.
    #[serde(default)]
    pub task: ModelTask,
    /// Environment variable that holds the key; none for servers that ask for none.
    #[serde(default)]
    pub key_env: Option<String>,
    /// What it is used for; empty for everything that no other model is named for.
    #[serde(default, alias = "role", deserialize_with = "one_or_many")]
    pub roles: Vec<ModelRole>,
    /// Models that are asked when this one fails, in order.
    #[serde(default)]
    pub fallback: Vec<String>,

    /// Tokens it reads and writes at most in one call.
    #[serde(default)]
    pub window: Option<u64>,
    /// Tokens it writes at most, where a request does not say.
    #[serde(default = "default_max_tokens")]
    pub max_tokens: u32,
    /// Temperature, where a request does not say; left to the server when absent.
    #[serde(default)]
    pub temperature: Option<f32>,
    /// `reasoning_effort`, for models that take it.
    #[serde(default)]
    pub reasoning_effort: Option<String>,

    /// How it is brought to write JSON.
    #[serde(default)]
    pub structured: Structured,
    /// Whether it can call tools.
    #[serde(default = "yes")]
    pub tools: bool,
    /// Whether it gives log-probabilities.
    #[serde(default)]
    pub logprobs: bool,
    /// Whether it takes a seed.
    #[serde(default = "yes")]
    pub seed: bool,
    /// Whether answers are streamed.
    #[serde(default = "yes")]
    pub stream: bool,
    /// `max_completion_tokens` instead of `max_tokens`, as newer hosted models want it.
    #[serde(default)]
    pub max_completion_tokens: bool,

    /// Requests under way at once, shared by all models of this server.
    #[serde(default = "default_concurrent")]
    pub concurrent: usize,
    /// Requests in a minute.
    #[serde(default)]
    pub requests_per_minute: Option<u32>,
    /// Tokens in a minute, read and written.
    #[serde(default)]
    pub tokens_per_minute: Option<u32>,

    /// Longest wait for the first token.
    #[serde(default = "default_first_token_ms")]
    pub first_token_ms: u64,
    /// Longest wait between two tokens.
    #[serde(default = "default_between_tokens_ms")]
    pub between_tokens_ms: u64,
    /// Longest time of one attempt.
    #[serde(default = "default_call_ms")]
    pub call_ms: u64,
    /// Attempts in all.
    #[serde(default = "default_attempts")]
    pub attempts: u32,
    /// Wait before the second attempt; doubles after each.
    #[serde(default = "default_backoff_ms")]
    pub backoff_ms: u64,
    /// Longest wait between attempts.
    #[serde(default = "default_longest_wait_ms")]
    pub longest_wait_ms: u64,
    /// Rounds in which it may mend JSON.
    #[serde(default = "default_repairs")]
    pub repairs: u32,

    /// Price of a million tokens.
    #[serde(default)]
    pub price: Option<Price>,
    /// Length of its vectors, for embedding models that can shorten them.
    #[serde(default)]
    pub dimensions: Option<usize>,
    /// Put before queries, for embedding models that want it.
    #[serde(default)]
    pub query_prefix: String,
    /// Put before passages, for embedding models that want it.
    #[serde(default)]
    pub passage_prefix: String,
}

fn yes() -> bool {
    true
}
fn default_max_tokens() -> u32 {
    2048
}
fn default_concurrent() -> usize {
    4
}
fn default_first_token_ms() -> u64 {
    120_000
}
fn default_between_tokens_ms() -> u64 {
    60_000
}
fn default_call_ms() -> u64 {
    600_000
}
fn default_attempts() -> u32 {
    4
}
fn default_backoff_ms() -> u64 {
    1000
}
fn default_longest_wait_ms() -> u64 {
    60_000
}
fn default_repairs() -> u32 {
    2
}

fn one_or_many<'de, D: serde::Deserializer<'de>>(d: D) -> Result<Vec<ModelRole>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Roles {
        One(ModelRole),
        Many(Vec<ModelRole>),
    }
    Ok(match Roles::deserialize(d)? {
        Roles::One(role) => vec![role],
        Roles::Many(roles) => roles,
    })
}

/// A configuration cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("model `{model}`: {reason}")]
pub struct ConfigProblem {
    /// The model's configured name.
    pub model: String,
    /// What is wrong and what to do.
    pub reason: String,
}

impl ModelConfig {
    /// A model with defaults for everything that has one.
    pub fn new(base_url: impl Into<String>, model: impl Into<String>) -> Self {
        Self {
            base_url: base_url.into(),
            model: model.into(),
            task: ModelTask::Chat,
            key_env: None,
            roles: Vec::new(),
            fallback: Vec::new(),
            window: None,
            max_tokens: default_max_tokens(),
            temperature: None,
            reasoning_effort: None,
            structured: Structured::Auto,
            tools: true,
            logprobs: false,
            seed: true,
            stream: true,
            max_completion_tokens: false,
            concurrent: default_concurrent(),
            requests_per_minute: None,
            tokens_per_minute: None,
            first_token_ms: default_first_token_ms(),
            between_tokens_ms: default_between_tokens_ms(),
            call_ms: default_call_ms(),
            attempts: default_attempts(),
            backoff_ms: default_backoff_ms(),
            longest_wait_ms: default_longest_wait_ms(),
            repairs: default_repairs(),
            price: None,
            dimensions: None,
            query_prefix: String::new(),
            passage_prefix: String::new(),
        }
    }

    /// What cannot work, before anything is sent.
    ///
    /// # Errors
    /// The first problem, with what to do.
    pub fn check(&self, name: &str) -> Result<(), ConfigProblem> {
        let problem = |reason: String| {
            Err(ConfigProblem {
                model: name.to_owned(),
                reason,
            })
        };
        let bounded = [
            ("attempts", u64::from(self.attempts), 1, 20),
            ("concurrent", self.concurrent as u64, 1, 1000),
            ("call_ms", self.call_ms, 100, 24 * 3_600_000),
            ("first_token_ms", self.first_token_ms, 100, 24 * 3_600_000),
            (
                "between_tokens_ms",
                self.between_tokens_ms,
                100,
                24 * 3_600_000,
            ),
            ("longest_wait_ms", self.longest_wait_ms, 0, 24 * 3_600_000),
            ("repairs", u64::from(self.repairs), 0, 10),
            ("max_tokens", u64::from(self.max_tokens), 1, 1_000_000),
        ];
        for (key, value, least, most) in bounded {
            if !(least..=most).contains(&value) {
                return problem(format!(
                    "`{key}` is {value}; it has to be from {least} to {most}"
                ));
            }
        }
        if self.model.trim().is_empty() {
            return problem("`model` is empty; name the model as its server does".to_owned());
        }
        if self
            .window
            .is_some_and(|window| window <= u64::from(self.max_tokens))
        {
            return problem(
                "`window` leaves no room beside `max_tokens`; lower `max_tokens`".to_owned(),
            );
        }
        if let Err(error) = indago_egress::Origin::of(&self.base_url) {
            return problem(format!("`base_url`: {error}"));
        }
        Ok(())
    }

    /// How long is waited, and how often tried.
    pub fn patience(&self) -> Patience {
        Patience {
            first_token: Duration::from_millis(self.first_token_ms),
            between_tokens: Duration::from_millis(self.between_tokens_ms),
            call: Duration::from_millis(self.call_ms),
            attempts: self.attempts.max(1),
            backoff: Duration::from_millis(self.backoff_ms),
            longest_wait: Duration::from_millis(self.longest_wait_ms),
            repairs: self.repairs,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_count_cached_tokens_at_their_own_rate() {
        let price = Price {
            input: 2.0,
            cached: Some(0.5),
            output: 10.0,
        };
        let usage = TokenUsage {
            prompt: 1_000_000,
            cached: 400_000,
            completion: 100_000,
            ..TokenUsage::default()
        };
        assert!((price.of(usage) - (1.2 + 0.2 + 1.0)).abs() < 1e-9);
    }

    #[test]
    fn what_cannot_work_is_refused_with_its_key() {
        let good = ModelConfig::new("http://localhost:8000/v1", "m");
        assert_eq!(good.check("x"), Ok(()));
        let bad = ModelConfig {
            attempts: 0,
            ..good.clone()
        };
        assert!(bad.check("x").unwrap_err().reason.contains("`attempts`"));
        let bad = ModelConfig {
            base_url: "http://user:hunter2@host/v1".into(),
            ..good
        };
        let reason = bad.check("x").unwrap_err().reason;
        assert!(
            reason.contains("base_url") && !reason.contains("hunter2"),
            "{reason}"
        );
    }
}
