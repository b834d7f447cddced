//! Retrieval when the model's own tokens are unlikely (the portable form of ATLAS, Srinivasan et
//! al., 2025, and of FLARE): a first answer is written, and its content words are looked at.

use indago_core::ports::{BoxFuture, Request, TaskError, TokenLogprob};

use super::retrieve;
use crate::model::prompts::{SelfAsked, opening, role};
use crate::model::{Ask, Ports, Role, complete};
use crate::operators::read::asked_part;
use crate::operators::state::SearchState;
use crate::operators::{Decision, RetrievalPolicy, is_fatal};

/// Thresholds on probabilities.
#[derive(Clone, Copy, Debug)]
pub struct TokenConfidence {
    /// A content word less likely than this asks for retrieval.
    pub word: f32,
    /// Whether answers need sources.
    pub citations: bool,
}

impl Default for TokenConfidence {
    fn default() -> Self {
        Self {
            word: 0.4,
            citations: true,
        }
    }
}

/// The first word that carries content (no function word, no punctuation) and has a token less
/// likely than `threshold`, with that probability.
pub fn needy_span(tokens: &[TokenLogprob], threshold: f32) -> Option<(String, f32)> {
    let mut word = String::new();
    let mut least = 1.0_f32;
    let mut words: Vec<(String, f32)> = Vec::new();
    for token in tokens {
        for c in token.token.chars() {
            if c.is_alphanumeric() {
                word.push(c);
                least = least.min(token.logprob.exp());
            } else if !word.is_empty() {
                words.push((std::mem::take(&mut word), least));
                least = 1.0;
            }
        }
    }
    if !word.is_empty() {
        words.push((word, least));
    }
    words
        .into_iter()
        .filter(|(word, _)| !indago_text::is_function_word(&word.to_lowercase()))
        .filter(|(word, _)| {
            word.starts_with(char::is_uppercase) || word.starts_with(|c: char| c.is_ascii_digit())
        })
        .find(|(_, p)| *p < threshold)
}

impl RetrievalPolicy for TokenConfidence {
    fn name(&self) -> &'static str {
        "token_confidence"
    }

    fn decide<'a>(
        &'a self,
        ports: &'a mut Ports<'_>,
        state: &'a mut SearchState,
    ) -> BoxFuture<'a, Result<Decision, TaskError>> {
        Box::pin(async move {
            if !ports.models.get(Role::Searcher).gives_logprobs() {
                return Ok(retrieve("the model gives no log-probabilities"));
            }
            let prompt = asked_part(
                role(opening(&state.whole), SelfAsked::new().render()),
                state,
            );
            let ask = Ask {
                role: Role::Searcher,
                purpose: "token_confidence".to_owned(),
                request: Request {
                    prompt,
                    max_tokens: Some(60),
                    temperature: Some(0.0),
                    top_logprobs: 1,
                    ..Request::default()
                },
            };
            let done = match complete(ports, ask, &mut state.usage).await {
                Ok(done) => done,
                Err(error) if is_fatal(&error) => return Err(error),
                Err(error) => return Ok(retrieve(format!("the model failed: {error}"))),
            };
            if done.logprobs.is_empty() || done.text.contains("<RET>") {
                return Ok(retrieve("the model is not sure"));
            }
            if let Some((word, p)) = needy_span(&done.logprobs, self.word) {
                return Ok(retrieve(format!("`{word}` has probability {p:.2}")));
            }
            Ok(Decision {
                retrieve: self.citations,
                reason: "every content word is likely".to_owned(),
                direct: Some(done.text.trim().to_owned()),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dip_on_a_name_counts_and_one_on_a_small_word_does_not() {
        let token = |token: &str, p: f32| TokenLogprob {
            token: token.to_owned(),
            logprob: p.ln(),
            top: Vec::new(),
        };
        let calm = [
            token("However", 0.9),
            token(", the", 0.1),
            token(" tower", 0.2),
        ];
        assert_eq!(needy_span(&calm, 0.4), None);
        let dip = [token("It is", 0.9), token(" Zar", 0.3), token("now.", 0.9)];
        let (word, p) = needy_span(&dip, 0.4).unwrap();
        assert_eq!(word, "Zarnow");
        assert!((p - 0.3).abs() < 1e-6);
    }
}
