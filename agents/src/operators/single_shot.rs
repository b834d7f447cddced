//! One retrieval with the question as it stands, then reading: the baseline of every loop.

use indago_core::ports::{BoxFuture, TaskError};

use super::state::{QuerySet, SearchState, Stop};
use super::{Guards, Loop, retrieve};
use crate::model::Ports;

/// Retrieves once.
#[derive(Clone, Copy, Debug)]
pub struct SingleShot {
    /// Passages to read.
    pub k: usize,
}

impl Default for SingleShot {
    fn default() -> Self {
        Self { k: 10 }
    }
}

impl Loop for SingleShot {
    fn name(&self) -> &'static str {
        "single_shot"
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
            let set = QuerySet::one(state.question.clone());
            let shown = retrieve::round(ports, state, "single_shot", &set, self.k).await?;
            state.stop = Some(if shown.is_empty() {
                Stop::NothingFound
            } else {
                Stop::Answered
            });
            Ok(())
        })
    }
}
