//! An answer, taken from the protocol's objects with nothing taken for granted.

use indago_core::ToolCall;
use indago_core::ports::{Completion, Delta, DeltaSink, FinishReason, TokenLogprob, TokenUsage};
use serde_json::Value;

use super::endpoint::Endpoint;
use super::think::{Part, Splitter, without_orphan_end};

/// Longest text of one answer; what is longer is no answer to a question.
const MAX_TEXT: usize = 512 << 10;
/// Most tools that one answer asks for.
const MAX_TOOLS: usize = 32;

/// An answer as it comes in.
pub(super) struct Reading<'a> {
    endpoint: &'a Endpoint,
    deltas: Option<DeltaSink>,
    splitter: Splitter,
    text: String,
    /// Bytes of `text` that were shown.
    shown: usize,
    reasoning_bytes: usize,
    tools: Vec<ToolCall>,
    finish: Option<FinishReason>,
    usage: Option<TokenUsage>,
    logprobs: Vec<TokenLogprob>,
}

/// An object of the protocol that is an error.
pub(super) struct ServerError(pub(super) Value);

impl<'a> Reading<'a> {
    pub(super) fn new(endpoint: &'a Endpoint, deltas: Option<DeltaSink>) -> Self {
        Self {
            endpoint,
            deltas,
            splitter: Splitter::default(),
            text: String::new(),
            shown: 0,
            reasoning_bytes: 0,
            tools: Vec::new(),
            finish: None,
            usage: None,
            logprobs: Vec::new(),
        }
    }

    /// Whether something of the answer has come.
    pub(super) fn has_begun(&self) -> bool {
        !self.text.is_empty() || self.reasoning_bytes > 0 || !self.tools.is_empty()
    }

    /// Whether the server said why it stopped.
    pub(super) fn is_finished(&self) -> bool {
        self.finish.is_some()
    }

    /// Takes an object: a whole completion, or a piece of a stream.
    ///
    /// # Errors
    /// What is wrong with it; the inner error is one the server reported.
    pub(super) fn take(&mut self, object: &Value) -> Result<Result<(), ServerError>, String> {
        if let Some(error) = object.get("error").filter(|e| !e.is_null()) {
            return Ok(Err(ServerError(error.clone())));
        }
        if let Some(usage) = object.get("usage").filter(|u| u.is_object()) {
            self.usage = Some(read_usage(usage));
        }
        let choices = match object.get("choices") {
            Some(Value::Array(choices)) => choices,
            // Pings and usage reports come without.
            None if object.is_object() => return Ok(Ok(())),
            _ => return Err("an object without a list of choices".to_owned()),
        };
        let Some(choice) = choices.first() else {
            return Ok(Ok(()));
        };
        let said = choice.get("delta").or_else(|| choice.get("message"));
        let said = said
            .filter(|s| s.is_object())
            .ok_or("a choice without a message")?;
        for key in ["reasoning_content", "reasoning"] {
            if let Some(reasoning) = said[key].as_str() {
                self.reason(reasoning);
                break;
            }
        }
        if let Some(text) = said["content"].as_str() {
            let parts = self.splitter.push(text);
            self.write(parts)?;
        }
        for (place, call) in said["tool_calls"]
            .as_array()
            .into_iter()
            .flatten()
            .enumerate()
        {
            self.tool(place, call)?;
        }
        for entry in choice["logprobs"]["content"]
            .as_array()
            .into_iter()
            .flatten()
        {
            self.logprobs.extend(read_logprob(entry));
        }
        if let Some(reason) = choice["finish_reason"].as_str() {
            self.finish = Some(match reason {
                "length" => FinishReason::Length,
                "tool_calls" | "function_call" => FinishReason::ToolCalls,
                "content_filter" => FinishReason::ContentFilter,
                _ => FinishReason::Stop,
            });
        }
        Ok(Ok(()))
    }

    fn reason(&mut self, text: &str) {
        self.reasoning_bytes += text.len();
        if let Some(show) = &self.deltas
            && !text.is_empty()
        {
            show(Delta::Reasoning(self.endpoint.clean(text.to_owned())));
        }
    }

    fn write(&mut self, parts: Vec<Part>) -> Result<(), String> {
        for part in parts {
            match part {
                Part::Reasoning(text) => self.reason(&text),
                Part::Text(text) => self.text.push_str(&text),
            }
        }
        if self.text.len() > MAX_TEXT {
            return Err(format!("more than {MAX_TEXT} bytes of text"));
        }
        let held = self
            .endpoint
            .key
            .as_ref()
            .map_or(0, |key| key.begins_at_end_of(&self.text[self.shown..]));
        self.show(self.text.len() - held);
        Ok(())
    }

    /// Shows the text up to `end`.
    fn show(&mut self, end: usize) {
        if let Some(show) = &self.deltas
            && self.shown < end
        {
            show(Delta::Text(
                self.endpoint.clean(self.text[self.shown..end].to_owned()),
            ));
        }
        self.shown = end;
    }

    /// A tool call, or a piece of one: pieces carry their call's index.
    fn tool(&mut self, place: usize, call: &Value) -> Result<(), String> {
        let index = call["index"].as_u64().map_or(place, |i| i as usize);
        if index >= MAX_TOOLS {
            return Err(format!("more than {MAX_TOOLS} tool calls"));
        }
        while self.tools.len() <= index {
            let id = format!("call_{}", self.tools.len());
            self.tools.push(ToolCall {
                id,
                name: String::new(),
                arguments: String::new(),
            });
        }
        let function = &call["function"];
        let entry = &mut self.tools[index];
        if let Some(id) = call["id"].as_str().filter(|id| !id.is_empty()) {
            id.clone_into(&mut entry.id);
        }
        if let Some(name) = function["name"].as_str()
            // llama-cpp-python says the whole name again with every piece of the arguments.
            && entry.name != name
        {
            entry.name.push_str(name);
        }
        match &function["arguments"] {
            Value::String(piece) => entry.arguments.push_str(piece),
            // Some servers send the object itself.
            object @ Value::Object(_) => entry.arguments.push_str(&object.to_string()),
            _ => {}
        }
        if entry.arguments.len() > MAX_TEXT || entry.name.len() > 256 || entry.id.len() > 256 {
            return Err("a tool call that is too long".to_owned());
        }
        Ok(())
    }

    /// The whole answer; `prompt_tokens` stands in for a server that counts nothing.
    pub(super) fn finish(
        mut self,
        prompt_tokens: u64,
        estimate: impl Fn(&str) -> u64,
    ) -> Result<Completion, String> {
        let rest = self.splitter.finish();
        self.write(rest)?;
        self.show(self.text.len());
        let text = self
            .endpoint
            .clean(without_orphan_end(&self.text).trim().to_owned());
        self.tools.retain(|call| !call.name.is_empty());
        for call in &mut self.tools {
            call.name = self.endpoint.clean(std::mem::take(&mut call.name));
            call.arguments = self.endpoint.clean(std::mem::take(&mut call.arguments));
            call.id = self.endpoint.clean(std::mem::take(&mut call.id));
        }
        if text.is_empty() && self.tools.is_empty() {
            return Err(if self.reasoning_bytes > 0 {
                "reasoning and no answer"
            } else {
                "an empty answer"
            }
            .to_owned());
        }
        // Log-probabilities of reasoning or of a key have no place beside the text.
        let joined: String = self.logprobs.iter().map(|l| l.token.as_str()).collect();
        if joined.trim() != text {
            self.logprobs.clear();
        }
        let usage = self.usage.unwrap_or_else(|| TokenUsage {
            prompt: prompt_tokens,
            completion: estimate(&text)
                + self
                    .tools
                    .iter()
                    .map(|t| estimate(&t.arguments))
                    .sum::<u64>(),
            reasoning: 0,
            cached: 0,
            estimated: true,
            money_micros: 0,
        });
        let finish = match self.finish {
            _ if !self.tools.is_empty() => FinishReason::ToolCalls,
            Some(FinishReason::ToolCalls) | None => FinishReason::Stop,
            Some(finish) => finish,
        };
        Ok(Completion {
            text,
            tool_calls: self.tools,
            finish,
            usage,
            logprobs: self.logprobs,
        })
    }
}

fn read_usage(usage: &Value) -> TokenUsage {
    let number = |value: &Value| value.as_u64().unwrap_or(0);
    let cached = &usage["prompt_tokens_details"]["cached_tokens"];
    TokenUsage {
        prompt: number(&usage["prompt_tokens"]),
        // DeepSeek names it otherwise.
        cached: cached
            .as_u64()
            .unwrap_or_else(|| number(&usage["prompt_cache_hit_tokens"])),
        completion: number(&usage["completion_tokens"]),
        reasoning: number(&usage["completion_tokens_details"]["reasoning_tokens"]),
        ..TokenUsage::default()
    }
}

fn read_logprob(entry: &Value) -> Option<TokenLogprob> {
    let pair = |value: &Value| {
        Some((
            value["token"].as_str()?.to_owned(),
            value["logprob"].as_f64()? as f32,
        ))
    };
    let (token, logprob) = pair(entry)?;
    let top = entry["top_logprobs"]
        .as_array()
        .into_iter()
        .flatten()
        .take(20)
        .filter_map(pair)
        .collect();
    Some(TokenLogprob {
        token,
        logprob,
        top,
    })
}
