//! Deciding whether to retrieve.

mod confidence;
mod frequency;
mod self_asked;

pub use confidence::{TokenConfidence, needy_span};
pub use frequency::Frequency;
pub use self_asked::SelfAsked;

use indago_core::ports::{BoxFuture, TaskError};

use super::state::SearchState;
use super::{Decision, RetrievalPolicy};
use crate::model::Ports;

/// Retrieves whatever is asked: the default, since an answer without retrieval has no source.
#[derive(Clone, Copy, Debug, Default)]
pub struct Always;

/// Never retrieves: only for comparison.
#[derive(Clone, Copy, Debug, Default)]
pub struct Never;

impl RetrievalPolicy for Always {
    fn name(&self) -> &'static str {
        "always"
    }

    fn decide<'a>(
        &'a self,
        _ports: &'a mut Ports<'_>,
        _state: &'a mut SearchState,
    ) -> BoxFuture<'a, Result<Decision, TaskError>> {
        Box::pin(async { Ok(retrieve("always")) })
    }
}

impl RetrievalPolicy for Never {
    fn name(&self) -> &'static str {
        "never"
    }

    fn decide<'a>(
        &'a self,
        _ports: &'a mut Ports<'_>,
        _state: &'a mut SearchState,
    ) -> BoxFuture<'a, Result<Decision, TaskError>> {
        Box::pin(async {
            Ok(Decision {
                retrieve: false,
                reason: "never".to_owned(),
                direct: None,
            })
        })
    }
}

fn retrieve(reason: impl Into<String>) -> Decision {
    Decision {
        retrieve: true,
        reason: reason.into(),
        direct: None,
    }
}
