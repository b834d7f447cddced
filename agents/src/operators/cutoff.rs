//! Dynamic context cut-off (Xie et al., 2025) by asking the model itself: passages are read best
//! first, in growing prefixes, until it says that they suffice; the rest is not read.

use indago_core::ports::{BoxFuture, Request, TaskError};
use serde::Deserialize;

use super::state::SearchState;
use super::{Operator, is_fatal};
use crate::model::prompts::{Sufficient, opening, passage, role};
use crate::model::{Ask, Ports, Role, complete, parse_json};
use crate::operators::read::asked_part;

/// Reads in chunks.
#[derive(Clone, Copy, Debug)]
pub struct Cutoff {
    /// Passages of a chunk.
    pub chunk: usize,
    /// Times in a row that it has to suffice: multi-hop questions look sufficient too early.
    pub hysteresis: u32,
}

impl Default for Cutoff {
    fn default() -> Self {
        Self {
            chunk: 2,
            hysteresis: 2,
        }
    }
}

#[derive(Debug, Deserialize)]
struct Judged {
    enough: bool,
}

impl Operator for Cutoff {
    fn name(&self) -> &'static str {
        "cutoff"
    }

    fn apply<'a>(
        &'a self,
        ports: &'a mut Ports<'_>,
        state: &'a mut SearchState,
    ) -> BoxFuture<'a, Result<(), TaskError>> {
        Box::pin(async move {
            let read = state.reading();
            let mut prompt = asked_part(
                role(opening(&state.whole), Sufficient::new().render()),
                state,
            );
            let mut positive = 0;
            let chunks: Vec<&[u32]> = read.chunks(self.chunk.max(1)).collect();
            for (i, chunk) in chunks.iter().enumerate() {
                for shown in chunk.iter().filter_map(|n| state.shown(*n)) {
                    prompt = passage(prompt, shown.n, &shown.passage);
                }
                if i + 1 == chunks.len() {
                    break;
                }
                let ask = Ask {
                    role: Role::Judge,
                    purpose: format!("cutoff/{}/{i}", state.round),
                    request: Request {
                        prompt: prompt.clone(),
                        max_tokens: Some(60),
                        temperature: Some(0.0),
                        ..Request::default()
                    },
                };
                let enough = match complete(ports, ask, &mut state.usage).await {
                    Ok(done) => parse_json::<Judged>(&done.text).is_ok_and(|j| j.enough),
                    Err(error) if is_fatal(&error) => return Err(error),
                    // Not known to suffice: read on.
                    Err(_call_failed) => false,
                };
                positive = if enough { positive + 1 } else { 0 };
                if positive >= self.hysteresis {
                    state.order = read[..((i + 1) * self.chunk).min(read.len())].to_vec();
                    return Ok(());
                }
            }
            Ok(())
        })
    }
}
