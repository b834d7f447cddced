//! A language model that says what it was told to, and remembers what it was asked.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use indago_core::ports::{
    BoxFuture, Completion, DeltaSink, FinishReason, LanguageModel, LanguageModelError, Request,
    TokenLogprob, TokenUsage,
};
use indago_core::{Cancel, SegmentKind, Speaker};

/// Replies by task: the first queue whose mark stands in the prompt gives its next reply. A queue's
/// last reply is repeated when it begins with `...`. `!` fails the call.
#[derive(Default)]
pub struct Script {
    rules: Mutex<Vec<(String, VecDeque<String>)>>,
    pub requests: Mutex<Vec<Request>>,
    pub logprobs: Mutex<Vec<TokenLogprob>>,
}

impl Script {
    pub fn new(rules: &[(&str, &[&str])]) -> Arc<Self> {
        let rules = rules
            .iter()
            .map(|(mark, replies)| {
                let replies = replies.iter().map(|&r| r.to_owned()).collect();
                ((*mark).to_owned(), replies)
            })
            .collect();
        Arc::new(Self {
            rules: Mutex::new(rules),
            ..Self::default()
        })
    }

    /// The texts of the requests whose prompts have `mark`, as one would read them.
    pub fn asked(&self, mark: &str) -> Vec<String> {
        let requests = self.requests.lock().unwrap();
        let texts = requests.iter().map(laid_out);
        texts.filter(|text| is_about(text, mark)).collect()
    }
}

/// Whether a prompt's last task is `mark`, or its last words have it.
fn is_about(text: &str, mark: &str) -> bool {
    if !mark.starts_with("Task: ") {
        return text.contains(mark);
    }
    text.lines()
        .rev()
        .find(|line| line.starts_with("Task: "))
        .is_some_and(|line| line.trim() == mark)
}

/// A prompt as one text: speakers, and marks around data.
pub fn laid_out(request: &Request) -> String {
    let mut out = String::new();
    let mut speaker = None;
    for segment in &request.prompt.segments {
        if speaker != Some(segment.speaker) {
            out.push_str(match segment.speaker {
                Speaker::System => "== system\n",
                Speaker::User => "== user\n",
                Speaker::Assistant => "== assistant\n",
                Speaker::Tool => "== tool\n",
            });
            speaker = Some(segment.speaker);
        }
        match &segment.kind {
            SegmentKind::Data { label, .. } => {
                out.push_str(&format!("[data: {label}]\n{}\n[end]\n", segment.text));
            }
            _ => {
                out.push_str(&segment.text);
                out.push('\n');
            }
        }
    }
    out
}

impl LanguageModel for Script {
    fn name(&self) -> &'static str {
        "script"
    }

    fn fingerprint(&self) -> &'static str {
        "script"
    }

    fn window(&self) -> Option<u64> {
        None
    }

    fn count(&self, request: &Request) -> (u64, bool) {
        (laid_out(request).len() as u64 / 4, true)
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
            let text = laid_out(&request);
            self.requests.lock().unwrap().push(request);
            let mut rules = self.rules.lock().unwrap();
            let reply = rules
                .iter_mut()
                .find(|(mark, replies)| is_about(&text, mark) && !replies.is_empty())
                .and_then(|(_, replies)| match replies.front() {
                    Some(last) if last.starts_with("...") => Some(last[3..].to_owned()),
                    _ => replies.pop_front(),
                });
            match reply {
                Some(reply) if reply != "!" => Ok(Completion {
                    text: reply,
                    tool_calls: Vec::new(),
                    finish: FinishReason::Stop,
                    usage: TokenUsage {
                        prompt: text.len() as u64 / 4,
                        completion: 1,
                        ..TokenUsage::default()
                    },
                    logprobs: self.logprobs.lock().unwrap().clone(),
                }),
                _ => Err(LanguageModelError::Refused {
                    model: "script".to_owned(),
                    reason: "nothing is left to say".to_owned(),
                }),
            }
        })
    }
}
