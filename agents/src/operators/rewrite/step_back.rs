//! Step-back prompting (Zheng et al., 2023): the question beside a more general one.

use indago_core::ports::{BoxFuture, TaskError};
use serde::Deserialize;

use super::{call, or_question, tidy};
use crate::model::prompts::StepBack as Prompt;
use crate::model::{Ports, complete_json};
use crate::operators::Rewrite;
use crate::operators::state::{QuerySet, SearchState};

/// Asks the general question too.
#[derive(Clone, Copy, Debug, Default)]
pub struct StepBack;

#[derive(Debug, Default, Deserialize)]
struct General {
    question: String,
}

impl Rewrite for StepBack {
    fn name(&self) -> &'static str {
        "step_back"
    }

    fn rewrite<'a>(
        &'a self,
        ports: &'a mut Ports<'_>,
        state: &'a mut SearchState,
    ) -> BoxFuture<'a, Result<QuerySet, TaskError>> {
        Box::pin(async move {
            let purpose = format!("step_back/{}", state.round + 1);
            let ask = call(state, purpose, Prompt::new().render(), 100);
            let schema = serde_json::json!({
                "type": "object", "properties": {"question": {"type": "string"}},
                "required": ["question"], "additionalProperties": false
            });
            let done: General = or_question(
                complete_json(ports, ask, "step_back", schema, &mut state.usage).await,
            )?;
            Ok(QuerySet {
                queries: tidy(vec![state.question.clone(), done.question], 2),
                imagined: Vec::new(),
            })
        })
    }
}
