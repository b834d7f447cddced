//! Adapt-LLM (Labruna et al., 2024), without its training: the model answers, or says `<RET>`.

use indago_core::ports::{BoxFuture, Request, TaskError};

use super::retrieve;
use crate::model::prompts::{SelfAsked as Prompt, opening, role};
use crate::model::{Ask, Ports, Role, complete};
use crate::operators::read::asked_part;
use crate::operators::state::SearchState;
use crate::operators::{Decision, RetrievalPolicy, is_fatal};

/// Asks the model itself. A direct answer rests on no source, so with `citations` it is noted and
/// retrieval happens all the same.
#[derive(Clone, Copy, Debug)]
pub struct SelfAsked {
    /// Whether answers need sources.
    pub citations: bool,
}

impl Default for SelfAsked {
    fn default() -> Self {
        Self { citations: true }
    }
}

impl RetrievalPolicy for SelfAsked {
    fn name(&self) -> &'static str {
        "self_asked"
    }

    fn decide<'a>(
        &'a self,
        ports: &'a mut Ports<'_>,
        state: &'a mut SearchState,
    ) -> BoxFuture<'a, Result<Decision, TaskError>> {
        Box::pin(async move {
            let prompt = asked_part(role(opening(&state.whole), Prompt::new().render()), state);
            let ask = Ask {
                role: Role::Searcher,
                purpose: "self_asked".to_owned(),
                request: Request {
                    prompt,
                    max_tokens: Some(60),
                    temperature: Some(0.0),
                    ..Request::default()
                },
            };
            let text = match complete(ports, ask, &mut state.usage).await {
                Ok(done) => done.text.trim().to_owned(),
                Err(error) if is_fatal(&error) => return Err(error),
                Err(error) => return Ok(retrieve(format!("the model failed: {error}"))),
            };
            if text.is_empty() || text.contains("<RET>") {
                return Ok(retrieve("the model asked for retrieval"));
            }
            Ok(Decision {
                retrieve: self.citations,
                reason: if self.citations {
                    "the model would answer, but answers need sources".to_owned()
                } else {
                    "the model answers from memory".to_owned()
                },
                direct: Some(text),
            })
        })
    }
}
