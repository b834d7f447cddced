//! The knowledge filter of ERM4 (Shi et al., 2024): each passage is judged by itself, all at once.
//! What does not help goes on a shelf. A judge that fails is no verdict: the passage stays.

use indago_core::ports::{BoxFuture, Request, TaskError};
use serde::Deserialize;

use super::Operator;
use super::state::{Origin, SearchState};
use crate::model::prompts::{Useful, opening, passage, role};
use crate::model::{Ask, Ports, Role, complete_all, parse_json};
use crate::operators::read::asked_part;

/// Judges passages that were not judged yet.
#[derive(Clone, Copy, Debug, Default)]
pub struct KnowledgeFilter;

#[derive(Debug, Deserialize)]
struct Judged {
    verdict: String,
}

impl Operator for KnowledgeFilter {
    fn name(&self) -> &'static str {
        "knowledge_filter"
    }

    fn apply<'a>(
        &'a self,
        ports: &'a mut Ports<'_>,
        state: &'a mut SearchState,
    ) -> BoxFuture<'a, Result<(), TaskError>> {
        Box::pin(async move {
            let open: Vec<u32> = state
                .evidence
                .iter()
                .filter(|s| s.origin == Origin::Retrieved && s.round == state.round)
                .map(|s| s.n)
                .collect();
            let base = asked_part(role(opening(&state.whole), Useful::new().render()), state);
            let asks = state
                .evidence
                .iter()
                .filter(|s| open.contains(&s.n))
                .map(|s| Ask {
                    role: Role::Judge,
                    purpose: String::new(),
                    request: Request {
                        prompt: passage(base.clone(), s.n, &s.passage),
                        max_tokens: Some(40),
                        temperature: Some(0.0),
                        ..Request::default()
                    },
                })
                .collect();
            let purpose = format!("filter/{}", state.round);
            let done = complete_all(ports, &purpose, asks, &mut state.usage).await?;
            for (n, verdict) in open.into_iter().zip(done) {
                let Ok(done) = verdict else { continue };
                let drops = parse_json::<Judged>(&done.text)
                    .is_ok_and(|j| matches!(j.verdict.as_str(), "neutral" | "contradiction"));
                if drops {
                    state.shelved.push(n);
                }
            }
            Ok(())
        })
    }
}
