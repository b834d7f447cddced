//! Language models: a prompt of segments in, a stream of text and a completion out.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::BoxFuture;
use crate::{Cancel, Cancelled, Prompt, ToolCall, ToolSpec};

/// A JSON schema that the output has to satisfy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputSchema {
    /// A short name, as servers ask for one.
    pub name: String,
    /// The schema: an object.
    pub schema: Value,
}

/// One call: everything that decides its result, so that its serialisation keys caches and
/// journals.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// What the model reads.
    pub prompt: Prompt,
    /// Tools it may ask for; empty for none.
    #[serde(default)]
    pub tools: Vec<ToolSpec>,
    /// Schema of the output; `None` for free text.
    #[serde(default)]
    pub schema: Option<OutputSchema>,
    /// Most tokens to write; `None` leaves it to the model's configuration.
    #[serde(default)]
    pub max_tokens: Option<u32>,
    /// 0 is greedy; `None` leaves it to the model's configuration.
    #[serde(default)]
    pub temperature: Option<f32>,
    /// Seed, honoured where the model can.
    #[serde(default)]
    pub seed: Option<u64>,
    /// Strings that end the output.
    #[serde(default)]
    pub stop: Vec<String>,
    /// Log-probabilities of this many best tokens at each place; 0 for none.
    #[serde(default)]
    pub top_logprobs: u8,
}

/// Why the model stopped writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// It was done.
    Stop,
    /// It reached the most tokens it may write: the text is cut.
    Length,
    /// It asks for tools.
    ToolCalls,
    /// The server withheld text.
    ContentFilter,
}

/// What one call took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenUsage {
    /// Tokens read.
    pub prompt: u64,
    /// Of these, tokens whose state was reused.
    pub cached: u64,
    /// Tokens written, reasoning included.
    pub completion: u64,
    /// Of these, tokens of reasoning that is not part of the text.
    pub reasoning: u64,
    /// Whether the figures are an estimate because the server gave none.
    pub estimated: bool,
    /// What was paid, in millionths of a US dollar, as far as prices are known. An answer that was
    /// kept from before cost nothing.
    #[serde(default)]
    pub money_micros: u64,
}

/// A token that was written, with its rivals.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TokenLogprob {
    /// The token's text.
    pub token: String,
    /// Its natural-log probability.
    pub logprob: f32,
    /// The most likely tokens at this place with theirs, best first.
    #[serde(default)]
    pub top: Vec<(String, f32)>,
}

/// What came of a call. Reasoning never stands in `text`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Completion {
    /// The text; JSON that satisfies the schema where one was asked for.
    pub text: String,
    /// The tools it asks for.
    #[serde(default)]
    pub tool_calls: Vec<ToolCall>,
    /// Why it ended.
    pub finish: FinishReason,
    /// What it took.
    pub usage: TokenUsage,
    /// One entry per token, where asked for and supported.
    #[serde(default)]
    pub logprobs: Vec<TokenLogprob>,
}

/// A call failed. Sorted by what the caller can do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(tag = "error", rename_all = "snake_case")]
#[non_exhaustive]
pub enum LanguageModelError {
    /// Too many requests or tokens: wait, then try again.
    #[error("`{model}` is rate limited")]
    RateLimited {
        /// Which model.
        model: String,
        /// How long the server asked to wait.
        retry_after_ms: Option<u64>,
    },
    /// The server or the way to it failed: try again.
    #[error("`{model}` failed: {reason}")]
    Unavailable {
        /// Which model.
        model: String,
        /// What happened.
        reason: String,
        /// How long the server asked to wait.
        retry_after_ms: Option<u64>,
    },
    /// A phase took longer than its limit: try again.
    #[error("`{model}` gave no {phase} within {limit_ms} ms")]
    TimedOut {
        /// Which model.
        model: String,
        /// `connection`, `first token`, `next token` or `complete answer`.
        phase: String,
        /// The limit.
        limit_ms: u64,
    },
    /// The output is unusable: broken stream, no text, or JSON that does not fit after repair.
    #[error("`{model}` wrote something unusable: {reason}")]
    Malformed {
        /// Which model.
        model: String,
        /// What is wrong.
        reason: String,
    },
    /// The prompt does not fit the model's window. Nothing was sent and nothing was cut.
    #[error("the prompt has {needed} tokens, `{model}` reads at most {window}")]
    ContextWindow {
        /// Which model.
        model: String,
        /// Tokens of the prompt and of the output that was reserved.
        needed: u64,
        /// The window.
        window: u64,
    },
    /// The request is refused and will be refused again: wrong key, unknown model, bad argument.
    #[error("`{model}` refused the request: {reason}")]
    Refused {
        /// Which model.
        model: String,
        /// What the server said, without secrets.
        reason: String,
    },
    /// The model cannot do what was asked (tools, log-probabilities).
    #[error("`{model}` cannot give {ability}")]
    Unsupported {
        /// Which model.
        model: String,
        /// What it lacks.
        ability: String,
    },
    /// Cancelled.
    #[error("cancelled")]
    Cancelled,
}

impl From<Cancelled> for LanguageModelError {
    fn from(Cancelled: Cancelled) -> Self {
        Self::Cancelled
    }
}

impl LanguageModelError {
    /// Whether the same request may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::RateLimited { .. }
                | Self::Unavailable { .. }
                | Self::TimedOut { .. }
                | Self::Malformed { .. }
        )
    }
}

/// A piece of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delta {
    /// Text as it is written.
    Text(String),
    /// Reasoning as it is written: shown live, never kept as context.
    Reasoning(String),
}

/// Where deltas go: for display only, results never depend on it.
pub type DeltaSink = Arc<dyn Fn(Delta) + Send + Sync>;

/// Reads prompts and writes text.
pub trait LanguageModel: Send + Sync {
    /// Configured name, such as `writer` or `qwen3-8b`.
    fn name(&self) -> &str;

    /// Changes whenever the same request could give another distribution: server, model, defaults.
    /// Keys caches and journals. Holds no secret.
    fn fingerprint(&self) -> &str;

    /// Tokens the model reads and writes at most in one call; `None` when nobody knows.
    fn window(&self) -> Option<u64>;

    /// Tokens of a request before it is sent, and whether that is an estimate.
    fn count(&self, request: &Request) -> (u64, bool);

    /// Whether [`Completion::logprobs`] are given.
    fn gives_logprobs(&self) -> bool {
        false
    }

    /// What a call that takes these tokens is paid with, in millionths of a US dollar; 0 where no
    /// price is known.
    fn price_micros(&self, usage: TokenUsage) -> u64;

    /// One call. Retries that happen inside are of the same call; those between calls are the
    /// caller's.
    fn complete(
        &self,
        request: Request,
        deltas: Option<DeltaSink>,
        cancel: Cancel,
    ) -> BoxFuture<'_, Result<Completion, LanguageModelError>>;
}
