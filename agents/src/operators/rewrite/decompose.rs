//! Query Rewriter+ of ERM4 (Shi et al., 2024): a restatement without ambiguity and queries for its
//! facets.

use indago_core::ports::{BoxFuture, TaskError};
use serde::Deserialize;

use super::{call, or_question, tidy};
use crate::model::prompts::Decompose as Prompt;
use crate::model::{Ports, complete_json};
use crate::operators::Rewrite;
use crate::operators::state::{QuerySet, SearchState};

/// Asks for facets.
#[derive(Clone, Copy, Debug)]
pub struct Decompose {
    /// Queries at most.
    pub n: usize,
}

impl Default for Decompose {
    fn default() -> Self {
        Self { n: 4 }
    }
}

#[derive(Debug, Default, Deserialize)]
struct Facets {
    #[serde(default)]
    restated: String,
    #[serde(default)]
    queries: Vec<String>,
}

impl Rewrite for Decompose {
    fn name(&self) -> &'static str {
        "decompose"
    }

    fn rewrite<'a>(
        &'a self,
        ports: &'a mut Ports<'_>,
        state: &'a mut SearchState,
    ) -> BoxFuture<'a, Result<QuerySet, TaskError>> {
        Box::pin(async move {
            let n = self.n.to_string();
            let purpose = format!("decompose/{}", state.round + 1);
            let ask = call(state, purpose, Prompt::new(&n).render(), 400);
            let schema = serde_json::json!({
                "type": "object",
                "properties": {
                    "restated": {"type": "string"},
                    "queries": {"type": "array", "items": {"type": "string"}}
                },
                "required": ["restated", "queries"], "additionalProperties": false
            });
            let done: Facets =
                or_question(complete_json(ports, ask, "facets", schema, &mut state.usage).await)?;
            let first = if done.restated.trim().is_empty() {
                state.question.clone()
            } else {
                done.restated
            };
            let mut all = vec![first];
            all.extend(done.queries);
            Ok(QuerySet {
                queries: tidy(all, self.n + 1),
                imagined: Vec::new(),
            })
        })
    }
}
