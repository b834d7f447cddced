//! The oracle behind the `LanguageModel` port, with a record of what it was sent.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use indago_core::ports::{
    BoxFuture, Completion, DeltaSink, FinishReason, LanguageModel, LanguageModelError, Request,
    TokenUsage,
};
use indago_core::{Cancel, PassageId, SegmentKind, Speaker};

use crate::answer::Oracle;

/// One request and what came back.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Tokens of the whole prompt as one text, in order.
    pub tokens: Vec<String>,
    /// The texts of its segments, as tokens.
    pub segments: Vec<Vec<String>>,
    /// Passages in it.
    pub passages: Vec<PassageId>,
    /// The reply.
    pub reply: String,
}

/// Changes replies before they are sent.
pub type Spoil = Arc<dyn Fn(&Request, String) -> String + Send + Sync>;

/// The oracle as a language model. Counts words and marks as tokens and says that it estimates.
#[derive(Clone)]
pub struct OracleModel {
    oracle: Arc<Oracle>,
    spoil: Option<Spoil>,
    recorded: Arc<Mutex<Vec<Recorded>>>,
}

impl std::fmt::Debug for OracleModel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OracleModel")
    }
}

impl OracleModel {
    /// A model that answers as `oracle` does.
    pub fn new(oracle: Arc<Oracle>) -> Self {
        Self {
            oracle,
            spoil: None,
            recorded: Arc::default(),
        }
    }

    /// Has its replies changed.
    #[must_use]
    pub fn spoilt(mut self, spoil: Spoil) -> Self {
        self.spoil = Some(spoil);
        self
    }

    /// What it was sent since the last call of this function.
    pub fn take_recorded(&self) -> Vec<Recorded> {
        std::mem::take(&mut self.recorded.lock().unwrap())
    }
}

/// Words and marks of a text: the unit that is counted here.
pub fn words_of(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut word = String::new();
    for c in text.chars() {
        if c.is_alphanumeric() {
            word.push(c);
            continue;
        }
        if !word.is_empty() {
            out.push(std::mem::take(&mut word));
        }
        if !c.is_whitespace() {
            out.push(c.to_string());
        }
    }
    if !word.is_empty() {
        out.push(word);
    }
    out
}

/// Messages as a server would get them: neighbours of one speaker joined, data marked.
fn messages(request: &Request) -> Vec<(String, String)> {
    let mut out: Vec<(String, String)> = Vec::new();
    for segment in &request.prompt.segments {
        let role = match segment.speaker {
            Speaker::System => "system",
            Speaker::User => "user",
            Speaker::Assistant => "assistant",
            Speaker::Tool => "tool",
        };
        let text = match &segment.kind {
            SegmentKind::Data { label, .. } => {
                format!("<data label=\"{label}\">\n{}\n</data>", segment.text)
            }
            _ => segment.text.clone(),
        };
        match out.last_mut() {
            Some((last, joined)) if last == role => {
                joined.push_str("\n\n");
                joined.push_str(&text);
            }
            _ => out.push((role.to_owned(), text)),
        }
    }
    out
}

impl LanguageModel for OracleModel {
    fn name(&self) -> &'static str {
        "oracle"
    }

    fn fingerprint(&self) -> &'static str {
        "oracle/1"
    }

    fn window(&self) -> Option<u64> {
        None
    }

    fn count(&self, request: &Request) -> (u64, bool) {
        let n: usize = messages(request)
            .iter()
            .map(|(_, t)| words_of(t).len())
            .sum();
        (n as u64, true)
    }

    fn price_micros(&self, _usage: TokenUsage) -> u64 {
        0
    }

    fn complete(
        &self,
        request: Request,
        _deltas: Option<DeltaSink>,
        _cancel: Cancel,
    ) -> BoxFuture<'_, Result<Completion, LanguageModelError>> {
        Box::pin(async move {
            let messages = messages(&request);
            let all: Vec<String> = messages
                .iter()
                .map(|(role, text)| format!("{role}\n{text}"))
                .collect();
            let tokens = words_of(&all.join("\n"));
            let mut reply = self.oracle.reply(messages);
            if let Some(spoil) = &self.spoil {
                reply = spoil(&request, reply);
            }
            let usage = TokenUsage {
                prompt: tokens.len() as u64,
                completion: words_of(&reply).len() as u64,
                estimated: true,
                ..TokenUsage::default()
            };
            let passages = request
                .prompt
                .segments
                .iter()
                .filter_map(|s| match &s.kind {
                    SegmentKind::Data { passage, .. } => *passage,
                    _ => None,
                });
            self.recorded.lock().unwrap().push(Recorded {
                tokens,
                segments: request
                    .prompt
                    .segments
                    .iter()
                    .map(|s| words_of(&s.text))
                    .collect(),
                passages: passages.collect(),
                reply: reply.clone(),
            });
            Ok(Completion {
                text: reply,
                tool_calls: Vec::new(),
                finish: FinishReason::Stop,
                usage,
                logprobs: Vec::new(),
            })
        })
    }
}

/// Prompt tokens that a perfect prefix cache would have served, and all that were sent: for each
/// request from the `from`th on, the longest beginning it has in common with any earlier one.
pub fn common_prefix(requests: &[Recorded], from: usize) -> (usize, usize) {
    // Every beginning of every earlier request, by a rolling hash.
    let mut known: HashSet<u64> = HashSet::new();
    let (mut shared, mut sent) = (0, 0);
    for (i, request) in requests.iter().enumerate() {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        let mut begun = Vec::with_capacity(request.tokens.len());
        for token in &request.tokens {
            for byte in token.bytes().chain([0]) {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
            begun.push(hash);
        }
        if i >= from {
            shared += begun.iter().take_while(|h| known.contains(h)).count();
            sent += begun.len();
        }
        known.extend(begun);
    }
    (shared, sent)
}

/// Prompt tokens that had been sent before within a segment of the same text, wherever it stood:
/// no layout of the same segments could have shared more. Without the first `from` requests.
pub fn repeated(requests: &[Recorded], from: usize) -> usize {
    let mut known: HashSet<&[String]> = HashSet::new();
    let mut sum = 0;
    for (i, request) in requests.iter().enumerate() {
        if i >= from {
            let again = request
                .segments
                .iter()
                .filter(|s| known.contains(s.as_slice()));
            sum += again.map(Vec::len).sum::<usize>();
        }
        known.extend(request.segments.iter().map(Vec::as_slice));
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_beginnings_are_counted_in_tokens() {
        let request = |text: &str| Recorded {
            tokens: words_of(text),
            segments: vec![words_of(text)],
            passages: Vec::new(),
            reply: String::new(),
        };
        let all = [
            request("a b c"),
            request("a b d"),
            request("a b d e"),
            request("x"),
        ];
        assert_eq!(common_prefix(&all, 1), (2 + 3, 3 + 4 + 1));
    }
}
