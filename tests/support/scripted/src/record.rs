//! What was received, and how much of each prompt a cache of prefixes would have held.

use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use crate::Call;

/// Bytes that make a token here. Real tokenizers differ; ratios hardly do.
const BYTES_PER_TOKEN: usize = 4;

/// Tokens that are cached at a time, as in vLLM's blocks.
const BLOCK: usize = 16;

/// Tokens of a text under this server's count.
pub fn tokens_of(text: &str) -> usize {
    text.len().div_ceil(BYTES_PER_TOKEN)
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Path, such as `/v1/chat/completions`.
    pub path: String,
    /// `Authorization` as sent.
    pub authorization: Option<String>,
    /// The body as it came, for what depends on the order of members.
    pub sent: String,
    /// The body; null when it was no JSON.
    pub body: Value,
    /// The prompt as one text, tools first: what a model reads.
    pub prompt: String,
    /// Tokens of the prompt.
    pub prompt_tokens: usize,
    /// Of these, tokens in whole blocks that stand at the start of an earlier prompt too.
    pub cached_tokens: usize,
}

impl Recorded {
    /// The request as a brain sees it.
    pub fn call(&self, number: usize) -> Call {
        Call {
            number,
            body: self.body.clone(),
        }
    }
}

/// Everything a server received.
#[derive(Debug, Default)]
pub(crate) struct Log(Mutex<Vec<Recorded>>);

impl Log {
    /// Records a request and counts its tokens.
    pub(crate) fn add(&self, path: &str, authorization: Option<String>, sent: &[u8]) -> Recorded {
        let body = serde_json::from_slice(sent).unwrap_or(Value::Null);
        let prompt = rendered(&body);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let common = all
            .iter()
            .map(|earlier| common_prefix(&earlier.prompt, &prompt))
            .max()
            .unwrap_or(0);
        let recorded = Recorded {
            path: path.to_owned(),
            authorization,
            sent: String::from_utf8_lossy(sent).into_owned(),
            body,
            prompt_tokens: tokens_of(&prompt),
            cached_tokens: common / BYTES_PER_TOKEN / BLOCK * BLOCK,
            prompt,
        };
        all.push(recorded.clone());
        recorded
    }

    pub(crate) fn all(&self) -> Vec<Recorded> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

fn common_prefix(a: &str, b: &str) -> usize {
    a.bytes().zip(b.bytes()).take_while(|(x, y)| x == y).count()
}

/// A conversation as a chat template would lay it out: tools and schema first, then the messages.
fn rendered(body: &Value) -> String {
    let mut text = String::new();
    for part in ["tools", "response_format"] {
        if !body[part].is_null() {
            text.push_str(&format!("<|{part}|>\n{}\n", body[part]));
        }
    }
    for message in body["messages"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default()
    {
        let role = message["role"].as_str().unwrap_or_default();
        let content = match &message["content"] {
            Value::String(content) => content.clone(),
            Value::Null => String::new(),
            other => other.to_string(),
        };
        text.push_str(&format!("<|{role}|>\n{content}\n"));
        if !message["tool_calls"].is_null() {
            text.push_str(&format!("{}\n", message["tool_calls"]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn cached_tokens_are_the_whole_blocks_of_the_longest_common_prefix() {
        let log = Log::default();
        let shared = "x".repeat(640);
        let ask = |tail: &str| {
            let content = format!("{shared}{tail}");
            let sent = json!({ "messages": [{ "role": "user", "content": content }] });
            log.add("/", None, sent.to_string().as_bytes())
        };
        assert_eq!(ask("a").cached_tokens, 0);
        let second = ask("b");
        // `<|user|>\n` and 640 letters: 649 bytes, 162 tokens, 10 blocks.
        assert_eq!(second.cached_tokens, 160);
        let empty = log.add("/", None, br#"{"messages": []}"#);
        assert_eq!(empty.cached_tokens, 0);
    }
}
