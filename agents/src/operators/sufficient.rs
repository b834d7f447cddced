//! Stopping when the model says that the evidence suffices.

use indago_core::ports::{BoxFuture, Request, TaskError};
use serde::Deserialize;

use super::state::SearchState;
use super::{StopPolicy, Sufficiency, is_fatal};
use crate::model::prompts::{Sufficient, opening, passage, role};
use crate::model::{Ask, Ports, Role, complete, parse_json};
use crate::operators::read::asked_part;

/// Asks the judge.
#[derive(Clone, Copy, Debug, Default)]
pub struct SelfJudged;

/// Stops after one round.
#[derive(Clone, Copy, Debug, Default)]
pub struct OneRound;

#[derive(Debug, Deserialize)]
struct Judged {
    enough: bool,
    #[serde(default)]
    missing: Vec<String>,
}

impl StopPolicy for OneRound {
    fn name(&self) -> &'static str {
        "one_round"
    }

    fn judge<'a>(
        &'a self,
        _ports: &'a mut Ports<'_>,
        _state: &'a mut SearchState,
    ) -> BoxFuture<'a, Result<Sufficiency, TaskError>> {
        Box::pin(async {
            Ok(Sufficiency {
                enough: true,
                reason: "one round was asked for".to_owned(),
            })
        })
    }
}

impl StopPolicy for SelfJudged {
    fn name(&self) -> &'static str {
        "self_judged"
    }

    fn judge<'a>(
        &'a self,
        ports: &'a mut Ports<'_>,
        state: &'a mut SearchState,
    ) -> BoxFuture<'a, Result<Sufficiency, TaskError>> {
        Box::pin(async move {
            let mut prompt = asked_part(
                role(opening(&state.whole), Sufficient::new().render()),
                state,
            );
            for shown in state.reading().into_iter().filter_map(|n| state.shown(n)) {
                prompt = passage(prompt, shown.n, &shown.passage);
            }
            let ask = Ask {
                role: Role::Judge,
                purpose: format!("sufficient/{}", state.round),
                request: Request {
                    prompt,
                    max_tokens: Some(200),
                    temperature: Some(0.0),
                    ..Request::default()
                },
            };
            match complete(ports, ask, &mut state.usage).await {
                Ok(done) => Ok(match parse_json::<Judged>(&done.text) {
                    Ok(judged) => {
                        let reason = judged.missing.join("; ");
                        state.missing = judged.missing;
                        Sufficiency {
                            enough: judged.enough,
                            reason,
                        }
                    }
                    Err(wrong) => unknown(&wrong),
                }),
                Err(error) if is_fatal(&error) => Err(error),
                Err(error) => Ok(unknown(&error.to_string())),
            }
        })
    }
}

/// A failed check is no support.
fn unknown(reason: &str) -> Sufficiency {
    Sufficiency {
        enough: false,
        reason: format!("unknown: {reason}"),
    }
}
