//! Wording queries.

mod beams;
mod decompose;
mod ensemble;
mod hyde;
mod step_back;

pub use beams::{Beams, weighted_terms};
pub use decompose::Decompose;
pub use ensemble::{Ensemble, INSTRUCTIONS};
pub use hyde::Hyde;
pub use step_back::StepBack;

use indago_core::ports::{BoxFuture, Request, TaskError};

use super::state::{QuerySet, SearchState};
use super::{Rewrite, is_fatal};
use crate::model::prompts::{opening, role};
use crate::model::{Ask, Ports, Role};
use crate::operators::read::asked_part;

/// The question as it stands.
#[derive(Clone, Copy, Debug, Default)]
pub struct AsIs;

impl Rewrite for AsIs {
    fn name(&self) -> &'static str {
        "as_is"
    }

    fn rewrite<'a>(
        &'a self,
        _ports: &'a mut Ports<'_>,
        state: &'a mut SearchState,
    ) -> BoxFuture<'a, Result<QuerySet, TaskError>> {
        Box::pin(async move { Ok(QuerySet::one(state.question.clone())) })
    }
}

/// A call of a rewriter: the question first, the instruction last, so that calls that differ in
/// their instruction share everything before it.
fn call(state: &SearchState, purpose: String, instruction: String, max_tokens: u32) -> Ask {
    let prompt = role(asked_part(opening(&state.whole), state), instruction);
    Ask {
        role: Role::Searcher,
        purpose,
        request: Request {
            prompt,
            max_tokens: Some(max_tokens),
            ..Request::default()
        },
    }
}

/// Trimmed, non-empty, each once (by terms), at most `most`.
fn tidy(queries: Vec<String>, most: usize) -> Vec<String> {
    let mut seen: Vec<Vec<String>> = Vec::new();
    let mut out = Vec::new();
    for query in queries {
        let query = query.trim().to_owned();
        let mut terms = indago_text::terms(&query);
        terms.sort();
        terms.dedup();
        if !query.is_empty() && !seen.contains(&terms) && out.len() < most {
            seen.push(terms);
            out.push(query);
        }
    }
    out
}

/// What a failed call gives: the question itself. Only what ends the task is an error.
fn or_question<T: Default>(result: Result<T, TaskError>) -> Result<T, TaskError> {
    match result {
        Err(error) if is_fatal(&error) => Err(error),
        Err(_call_failed) => Ok(T::default()),
        done => done,
    }
}
