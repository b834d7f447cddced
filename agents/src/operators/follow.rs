//! The search that needs no model: names are followed from passage to passage, and a model only
//! reads what that selected. Multi-hop retrieval, then one reading.
//!
//! For models too small to steer a search, and wherever calls are dear.

use indago_core::ports::{BoxFuture, TaskError};

use super::read::passages_of;
use super::state::{Origin, SearchState, Stop};
use super::{Guards, Loop};
use crate::model::Ports;
use crate::{SearchInput, search_sub_question};

/// Follows names, as [`crate::Extractive`] does.
#[derive(Clone, Copy, Debug)]
pub struct Follow {
    /// Passages to read, the likeliest first.
    pub k: usize,
}

impl Default for Follow {
    fn default() -> Self {
        Self { k: 10 }
    }
}

impl Loop for Follow {
    fn name(&self) -> &'static str {
        "follow"
    }

    fn run<'a>(
        &'a self,
        ports: &'a mut Ports<'_>,
        state: &'a mut SearchState,
        guards: &'a mut Guards,
    ) -> BoxFuture<'a, Result<(), TaskError>> {
        Box::pin(async move {
            if let Some(stop) = guards.check(ports.cx, state) {
                state.stop = Some(stop);
                return Ok(());
            }
            let input = SearchInput {
                node: state.node,
                question: state.question.clone(),
                whole: state.whole.clone(),
                parents: state.parents.clone(),
                parent_questions: state.parent_questions.clone(),
                filters: state.filters.clone(),
                limits: guards.limits(),
            };
            let found = search_sub_question(ports.cx, ports.library, &input).await?;
            state.usage += found.usage;
            state.round = found.finding.rounds;
            state.tried = found.finding.tried;
            let mut ids = passages_of(found.finding.claims.iter());
            ids.truncate(self.k);
            let passages = ports.library.passages(ids).await?;
            let shown = state.show(passages, Origin::Retrieved);
            state.stop = Some(if shown.is_empty() {
                Stop::NothingFound
            } else {
                Stop::Answered
            });
            Ok(())
        })
    }
}
