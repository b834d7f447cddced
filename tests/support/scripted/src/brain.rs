//! What a server answers.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{Call, Fault, instance_of};

/// Decides what is answered. Closures are brains.
pub trait Brain: Send + Sync {
    /// The answer to a chat request.
    fn reply(&self, call: &Call) -> Reply;
}

impl<F: Fn(&Call) -> Reply + Send + Sync> Brain for F {
    fn reply(&self, call: &Call) -> Reply {
        self(call)
    }
}

/// A tool call in an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolUse {
    /// The tool's name.
    pub name: String,
    /// Arguments, as text: may be no JSON.
    pub arguments: String,
}

/// An answer.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// Its text.
    pub text: String,
    /// Reasoning, sent in a field of its own.
    pub reasoning: Option<String>,
    /// Tools it asks for.
    pub tools: Vec<ToolUse>,
    /// Log-probabilities of the text's tokens; made up from their lengths when empty. Their texts
    /// should add up to the answer's.
    pub logprobs: Vec<(String, f32)>,
    /// `finish_reason`, when it is not to follow from the rest.
    pub finish: Option<&'static str>,
    /// Waited before the answer begins.
    pub delay: Duration,
    /// Waited between two pieces of a stream.
    pub pace: Duration,
    /// What goes wrong on the way.
    pub fault: Option<Fault>,
}

impl Reply {
    /// An answer of text.
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }

    /// An answer of JSON.
    pub fn json(value: &Value) -> Self {
        Self::text(value.to_string())
    }

    /// An answer that asks for a tool.
    pub fn tool(name: impl Into<String>, arguments: &Value) -> Self {
        Self::default().and_tool(name, arguments)
    }

    /// Asks for one more tool.
    #[must_use]
    pub fn and_tool(mut self, name: impl Into<String>, arguments: &Value) -> Self {
        self.tools.push(ToolUse {
            name: name.into(),
            arguments: arguments.to_string(),
        });
        self
    }

    /// Something goes wrong on the way.
    pub fn fault(fault: Fault) -> Self {
        Self {
            fault: Some(fault),
            ..Self::default()
        }
    }

    /// What any request is satisfied with: the smallest instance of its schema, else `ok`.
    pub fn plain(call: &Call) -> Self {
        match call.schema() {
            Some(schema) => Self::json(&instance_of(&schema)),
            None => Self::text("ok"),
        }
    }
}

/// A small generator (splitmix64), so that planted noise is the same in every run.
pub(crate) fn noise(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Knows what its inner brain knows and says it badly: talk around JSON, fences, a trailing comma,
/// cut-off objects, wrong keys, empty answers. Which of these depends on seed and request number.
#[derive(Debug)]
pub struct Sloppy<B> {
    inner: B,
    seed: u64,
    /// Of 100 answers, how many are spoilt.
    percent: u64,
}

impl<B: Brain> Sloppy<B> {
    /// Spoils `percent` of 100 answers.
    pub fn new(inner: B, seed: u64, percent: u64) -> Self {
        Self {
            inner,
            seed,
            percent,
        }
    }
}

impl<B: Brain> Brain for Sloppy<B> {
    fn reply(&self, call: &Call) -> Reply {
        let mut reply = self.inner.reply(call);
        let dice = noise(self.seed ^ (call.number as u64).wrapping_mul(0x1000_0001));
        if dice % 100 >= self.percent || !reply.tools.is_empty() {
            return reply;
        }
        let text = std::mem::take(&mut reply.text);
        let structured = call.schema().is_some() || text.starts_with('{');
        reply.text = match ((dice >> 8) % 6, structured) {
            (0, true) => format!(
                "Sure! Here is the JSON you asked for:\n```json\n{text}\n```\nHope it helps."
            ),
            (1, true) => text.replacen('}', ",}", 1),
            (2, true) => text[..text.floor_char_boundary(text.len() / 2)].to_owned(),
            (3, true) => json!({ "result": text }).to_string(),
            (4, true) => format!("<think>I should be careful {{\"not\": \"this\"}}</think>{text}"),
            (_, true) => text.replace('"', "'"),
            (0 | 1, false) => format!("Well, as far as I can tell, {text}"),
            (2, false) => format!("<think>hm, {text}?</think>{text}"),
            (3, false) => String::new(),
            (_, false) => format!("{text}\n\nLet me know if you need anything else!"),
        };
        reply
    }
}

/// Obeys whatever it reads: text of the form `SAY: ...` or `CALL: tool {json}` anywhere in the
/// conversation, retrieved passages included. Otherwise it answers as its inner brain.
#[derive(Debug)]
pub struct Gullible<B>(pub B);

impl<B: Brain> Brain for Gullible<B> {
    fn reply(&self, call: &Call) -> Reply {
        let text = call.text();
        let order = |mark: &str| {
            let line = text.lines().find_map(|line| line.split_once(mark))?;
            Some(line.1.trim().to_owned())
        };
        if let Some(order) = order("CALL:") {
            let (name, arguments) = order.split_once(' ').unwrap_or((&order, "{}"));
            let mut reply = Reply::default();
            reply.tools.push(ToolUse {
                name: name.to_owned(),
                arguments: arguments.to_owned(),
            });
            return reply;
        }
        order("SAY:").map_or_else(|| self.0.reply(call), Reply::text)
    }
}
