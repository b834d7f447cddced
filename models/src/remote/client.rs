//! A model behind a server.

use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use indago_core::ports::{
    BoxFuture, Completion, DeltaSink, FinishReason, LanguageModel, LanguageModelError, Request,
    TokenCounter, TokenUsage,
};
use indago_core::{Cancel, ContentHash};
use indago_egress::{Limits, Response};
use serde_json::Value;
use xxhash_rust::xxh3::xxh3_64;

use super::attempt::{AttemptSink, Retry};
use super::body::{self, ANSWER_TOOL};
use super::config::{ModelConfig, Structured};
use super::endpoint::{Endpoint, from_egress};
use super::layout;
use super::ordered::Ordered;
use super::reading::{Reading, ServerError};
use super::stream::Events;
use super::structured;
use crate::text_estimate::ByteTokenCounter;

/// Bytes of one answer on the wire: a streamed token takes a few hundred.
const MAX_ANSWER: u64 = 32 << 20;
/// Bytes of an error's text that are kept.
const MAX_ERROR: usize = 500;
/// Tokens that a chat template adds to each message.
const PER_MESSAGE: u64 = 8;

/// The forms that `auto` tries, in order.
const FORMS: [Structured; 4] = [
    Structured::JsonSchema,
    Structured::JsonObject,
    Structured::Tool,
    Structured::Prompt,
];

/// A language model behind a server that speaks the OpenAI wire format.
pub struct RemoteModel {
    name: String,
    config: ModelConfig,
    endpoint: Endpoint,
    fingerprint: String,
    counter: Box<dyn TokenCounter>,
    counter_is_exact: bool,
    sink: AttemptSink,
    /// Index into [`FORMS`] of the form the server is known to accept.
    form: AtomicU8,
}

impl fmt::Debug for RemoteModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteModel")
            .field("name", &self.name)
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

impl RemoteModel {
    /// A model of `endpoint`. Tokens are estimated from bytes until [`Self::counting_with`].
    pub fn new(name: impl Into<String>, config: ModelConfig, endpoint: Endpoint) -> Self {
        let defaults = serde_json::to_vec(&(
            &config.temperature,
            config.max_tokens,
            &config.reasoning_effort,
        ));
        let hash = ContentHash::of(&defaults.unwrap_or_default()).to_string();
        let fingerprint = format!(
            "remote:{}:{}:{}",
            endpoint.base_url,
            config.model,
            &hash[..8]
        );
        Self {
            name: name.into(),
            config,
            endpoint,
            fingerprint,
            counter: Box::new(ByteTokenCounter),
            counter_is_exact: false,
            sink: AttemptSink::default(),
            form: AtomicU8::new(0),
        }
    }

    /// Counts with the model's own tokenizer.
    #[must_use]
    pub fn counting_with(mut self, counter: Box<dyn TokenCounter>) -> Self {
        self.counter = counter;
        self.counter_is_exact = true;
        self
    }

    /// Reports failed attempts to `sink`.
    #[must_use]
    pub fn reporting_to(mut self, sink: AttemptSink) -> Self {
        self.sink = sink;
        self
    }

    /// How it is configured.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    fn tokens(&self, text: &str) -> u64 {
        self.counter.count(text) as u64
    }

    fn count_request(&self, request: &Request) -> u64 {
        let parts = request
            .prompt
            .segments
            .iter()
            .map(|s| self.tokens(&s.text) + PER_MESSAGE)
            .sum::<u64>();
        let tools = request.tools.iter().map(|t| {
            self.tokens(&t.description) + self.tokens(&t.parameters.to_string()) + PER_MESSAGE
        });
        let schema = request
            .schema
            .as_ref()
            .map_or(0, |s| self.tokens(&s.schema.to_string()));
        parts + tools.sum::<u64>() + schema + 6 * PER_MESSAGE
    }

    fn malformed(&self, reason: impl Into<String>) -> LanguageModelError {
        LanguageModelError::Malformed {
            model: self.name.clone(),
            reason: self.endpoint.clean(reason.into()),
        }
    }

    fn unsupported(&self, ability: &str) -> LanguageModelError {
        LanguageModelError::Unsupported {
            model: self.name.clone(),
            ability: ability.to_owned(),
        }
    }

    /// What cannot be asked of this model, and what does not fit its window.
    fn check(&self, request: &Request) -> Result<u64, LanguageModelError> {
        if !request.tools.is_empty() && !self.config.tools {
            return Err(self.unsupported("tool calls"));
        }
        if request.top_logprobs > 0 && !self.config.logprobs {
            return Err(self.unsupported("log-probabilities"));
        }
        let prompt = self.count_request(request);
        let needed = prompt + u64::from(request.max_tokens.unwrap_or(self.config.max_tokens));
        match self.config.window {
            Some(window) if needed > window => Err(LanguageModelError::ContextWindow {
                model: self.name.clone(),
                needed,
                window,
            }),
            _ => Ok(prompt),
        }
    }

    async fn run(
        &self,
        request: Request,
        deltas: Option<DeltaSink>,
        cancel: Cancel,
    ) -> Result<Completion, LanguageModelError> {
        cancel.check()?;
        let prompt_tokens = self.check(&request)?;
        let mut messages = layout::messages(&request.prompt);
        let mut spent = TokenUsage::default();
        let mut repairs = self.config.repairs;
        loop {
            let mut answer = self
                .in_some_form(&request, &messages, prompt_tokens, deltas.as_ref(), &cancel)
                .await?;
            answer.usage.money_micros = self.price_micros(answer.usage);
            add(&mut spent, answer.usage);
            answer.usage = spent;
            let Some(schema) = &request.schema else {
                return Ok(answer);
            };
            if !request.tools.is_empty() && !answer.tool_calls.is_empty() {
                return Ok(answer);
            }
            match structured::read(&answer.text, &schema.schema) {
                Ok(value) => {
                    answer.text = value.to_string();
                    return Ok(answer);
                }
                Err(problem) => {
                    if answer.finish == FinishReason::Length {
                        if let Some(value) = structured::read_cut(&answer.text, &schema.schema) {
                            tracing::warn!(
                                model = self.name,
                                schema = schema.name,
                                "JSON cut off at the most tokens it may write: its complete parts are used"
                            );
                            answer.text = value.to_string();
                            return Ok(answer);
                        }
                        return Err(self.malformed(format!(
                            "JSON cut off at the most tokens it may write: {problem}"
                        )));
                    }
                    if repairs == 0 {
                        return Err(
                            self.malformed(format!("JSON that does not fit its schema: {problem}"))
                        );
                    }
                    repairs -= 1;
                    messages
                        .push(serde_json::json!({ "role": "assistant", "content": answer.text }));
                    layout::add_to_user(&mut messages, &structured::complaint(&problem));
                    // What was written is now read: it has to fit as well.
                    let grown: u64 = messages
                        .iter()
                        .filter_map(|m| m["content"].as_str())
                        .map(|t| self.tokens(t))
                        .sum();
                    let needed =
                        grown + u64::from(request.max_tokens.unwrap_or(self.config.max_tokens));
                    if let Some(window) = self.config.window.filter(|window| needed > *window) {
                        return Err(LanguageModelError::ContextWindow {
                            model: self.name.clone(),
                            needed,
                            window,
                        });
                    }
                }
            }
        }
    }

    /// One answer, asked for in the first form that the server accepts.
    async fn in_some_form(
        &self,
        request: &Request,
        messages: &[Value],
        prompt_tokens: u64,
        deltas: Option<&DeltaSink>,
        cancel: &Cancel,
    ) -> Result<Completion, LanguageModelError> {
        loop {
            let known = self.form.load(Ordering::Relaxed);
            let form = match self.config.structured {
                Structured::Auto => FORMS[usize::from(known).min(FORMS.len() - 1)],
                fixed => fixed,
            };
            let body = body::chat(&self.config, request, messages.to_vec(), form);
            let bytes =
                serde_json::to_vec(&Ordered(&body)).map_err(|e| self.malformed(e.to_string()))?;
            let retry = Retry {
                model: &self.name,
                patience: self.config.patience(),
                limiter: &self.endpoint.limiter,
                tokens: prompt_tokens
                    + u64::from(request.max_tokens.unwrap_or(self.config.max_tokens)),
                seed: xxh3_64(&bytes),
                sink: &self.sink,
            };
            let result = retry
                .run(cancel, || {
                    Box::pin(self.once(
                        bytes.clone(),
                        prompt_tokens,
                        deltas.cloned(),
                        cancel.clone(),
                    ))
                })
                .await;
            match result {
                Err(LanguageModelError::Refused { reason, .. })
                    if request.schema.is_some()
                        && self.config.structured == Structured::Auto
                        && usize::from(known) + 1 < FORMS.len()
                        && about_format(&reason) =>
                {
                    tracing::info!(
                        model = self.name,
                        ?form,
                        reason,
                        "the server does not take this form of structured output"
                    );
                    let mut next = known + 1;
                    if FORMS[usize::from(next)] == Structured::Tool && !self.config.tools {
                        next += 1;
                    }
                    // Another call may have learnt the same meanwhile.
                    self.form.fetch_max(next, Ordering::Relaxed);
                }
                Ok(mut answer) => {
                    if request.schema.is_some() && form == Structured::Tool {
                        take_answer_tool(&mut answer);
                    }
                    return Ok(answer);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// One attempt.
    async fn once(
        &self,
        body: Vec<u8>,
        prompt_tokens: u64,
        deltas: Option<DeltaSink>,
        cancel: Cancel,
    ) -> Result<Completion, LanguageModelError> {
        let patience = self.config.patience();
        let mut request = self.endpoint.post("chat", "/chat/completions", body);
        request.accept = vec!["text/event-stream", "application/json"];
        request.limits = Limits {
            first_byte: patience.first_token,
            between: patience.between_tokens,
            total: patience.call,
            max_bytes: MAX_ANSWER,
            redirects: 0,
        };
        let start = Instant::now();
        let sent = self.endpoint.door.send(request, &cancel).await;
        let mut response = sent.map_err(|e| self.on_the_way(e, "first token"))?;
        if !response.is_success() {
            return Err(self.refusal(response).await);
        }
        let mut reading = Reading::new(&self.endpoint, deltas);
        let streamed = response.content_type() == "text/event-stream";
        if streamed {
            self.stream(&mut response, &mut reading, start).await?;
        } else {
            let bytes = response
                .bytes()
                .await
                .map_err(|e| self.on_the_way(e, "next token"))?;
            let text = String::from_utf8(bytes)
                .map_err(|_bytes| self.malformed("bytes that are no UTF-8"))?;
            self.take(&mut reading, &text)?;
        }
        if !reading.is_finished() {
            return Err(self.malformed("an answer that ends early"));
        }
        reading
            .finish(prompt_tokens, |text| self.tokens(text))
            .map_err(|reason| self.malformed(reason))
    }

    async fn stream(
        &self,
        response: &mut Response,
        reading: &mut Reading<'_>,
        start: Instant,
    ) -> Result<(), LanguageModelError> {
        let patience = self.config.patience();
        let mut events = Events::default();
        // Comments keep a connection alive and are no tokens: the limits count from the last event.
        let mut last = start;
        loop {
            let (limit, phase) = if reading.has_begun() {
                (patience.between_tokens, "next token")
            } else {
                (patience.first_token, "first token")
            };
            let left = limit.saturating_sub(last.elapsed());
            let piece = response.chunk_within(left, phase).await.map_err(|e| {
                match self.on_the_way(e, phase) {
                    LanguageModelError::TimedOut {
                        model, phase: p, ..
                    } if p == phase => LanguageModelError::TimedOut {
                        model,
                        phase: p,
                        limit_ms: millis(limit),
                    },
                    other => other,
                }
            })?;
            let found = match &piece {
                Some(bytes) => events.push(bytes),
                None => events.finish(),
            };
            for event in found.map_err(|reason| self.malformed(reason))? {
                if event.trim() == "[DONE]" {
                    return Ok(());
                }
                self.take(reading, &event)?;
                last = Instant::now();
            }
            if piece.is_none() {
                return Ok(());
            }
        }
    }

    fn take(&self, reading: &mut Reading<'_>, text: &str) -> Result<(), LanguageModelError> {
        let object: Value = serde_json::from_str(text)
            .map_err(|e| self.malformed(format!("what is no JSON: {e}")))?;
        match reading
            .take(&object)
            .map_err(|reason| self.malformed(reason))?
        {
            Ok(()) => Ok(()),
            Err(ServerError(error)) => {
                let code = error["code"]
                    .as_u64()
                    .and_then(|code| u16::try_from(code).ok());
                Err(self.classify(code.unwrap_or(500), &error, None))
            }
        }
    }

    fn on_the_way(&self, error: indago_egress::EgressError, phase: &str) -> LanguageModelError {
        match from_egress(&self.name, error) {
            LanguageModelError::TimedOut {
                model,
                phase: p,
                limit_ms,
            } if p == "answer" || p == "next piece" => LanguageModelError::TimedOut {
                model,
                phase: phase.to_owned(),
                limit_ms,
            },
            other => other,
        }
    }

    /// An answer that is not 2xx.
    async fn refusal(&self, response: Response) -> LanguageModelError {
        let status = response.status();
        let wait = response.retry_after().map(millis);
        let text = match response.bytes().await {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) => error.to_string(),
        };
        let body: Value = serde_json::from_str(&text).unwrap_or(Value::String(text));
        let error = body.get("error").cloned().unwrap_or(body);
        self.classify(status, &error, wait)
    }

    /// A server's error by what the caller can do about it.
    fn classify(
        &self,
        status: u16,
        error: &Value,
        retry_after_ms: Option<u64>,
    ) -> LanguageModelError {
        let model = self.name.clone();
        let said = error["message"]
            .as_str()
            .or(error.as_str())
            .map_or_else(|| error.to_string(), str::to_owned);
        let said = self.endpoint.clean(said);
        let reason = format!(
            "status {status}: {}",
            &said[..said.floor_char_boundary(MAX_ERROR)]
        );
        let code = error["code"]
            .as_str()
            .or(error["type"].as_str())
            .unwrap_or_default();
        let too_long = code == "context_length_exceeded"
            || said.contains("maximum context length")
            || said.contains("exceed context window");
        match status {
            400 | 413 | 422 if too_long => LanguageModelError::ContextWindow {
                model,
                needed: 0,
                window: self.config.window.unwrap_or(0),
            },
            // Some servers report a request they cannot read as a failure of their own: the same
            // request would fail again.
            500 if said.contains("validation error") => {
                LanguageModelError::Refused { model, reason }
            }
            429 if code == "insufficient_quota" => LanguageModelError::Refused { model, reason },
            429 => LanguageModelError::RateLimited {
                model,
                retry_after_ms,
            },
            408 | 409 | 425 | 500.. => LanguageModelError::Unavailable {
                model,
                reason,
                retry_after_ms,
            },
            _ => LanguageModelError::Refused { model, reason },
        }
    }
}

fn millis(time: Duration) -> u64 {
    time.as_millis() as u64
}

fn add(sum: &mut TokenUsage, more: TokenUsage) {
    sum.prompt += more.prompt;
    sum.cached += more.cached;
    sum.completion += more.completion;
    sum.reasoning += more.reasoning;
    sum.estimated |= more.estimated;
    sum.money_micros = sum.money_micros.saturating_add(more.money_micros);
}

/// Whether a refusal is about the form of structured output rather than the request.
fn about_format(reason: &str) -> bool {
    let reason = reason.to_lowercase();
    reason.starts_with("status ")
        && [
            "response_format",
            "json_schema",
            "json_object",
            "schema",
            "tool",
            "grammar",
            // llama.cpp, of a grammar that does not fit the model's vocabulary.
            "samplers",
        ]
        .iter()
        .any(|word| reason.contains(word))
}

/// The answer out of the tool call that stands for it.
fn take_answer_tool(answer: &mut Completion) {
    if let Some(at) = answer
        .tool_calls
        .iter()
        .position(|call| call.name == ANSWER_TOOL)
    {
        answer.text = answer.tool_calls.remove(at).arguments;
        if answer.tool_calls.is_empty() {
            answer.finish = FinishReason::Stop;
        }
    }
}

impl LanguageModel for RemoteModel {
    fn name(&self) -> &str {
        &self.name
    }

    fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    fn window(&self) -> Option<u64> {
        self.config.window
    }

    fn count(&self, request: &Request) -> (u64, bool) {
        (self.count_request(request), !self.counter_is_exact)
    }

    fn gives_logprobs(&self) -> bool {
        self.config.logprobs
    }

    fn price_micros(&self, usage: TokenUsage) -> u64 {
        let price = self.config.price.map_or(0.0, |price| price.of(usage));
        // Rounded up: a call that costs less than a millionth is not free. Casts saturate.
        (price * 1e6).ceil() as u64
    }

    fn complete(
        &self,
        request: Request,
        deltas: Option<DeltaSink>,
        cancel: Cancel,
    ) -> BoxFuture<'_, Result<Completion, LanguageModelError>> {
        Box::pin(self.run(request, deltas, cancel))
    }
}
