//! Questions from the opposing side, on top of any plan policy: when its plan is complete, what
//! would speak against the findings is asked as well, before the whole question is answered.
//!
//! The idea is that of seeking disconfirming evidence (RetroRAG, Xiao et al. 2025, re-examines
//! inferences only when contradicting passages happen to come; this goes looking for them). What
//! these questions find stands beside the findings it doubts, so that a report shows both.

use std::fmt;

use indago_core::ports::{BoxFuture, PlanPolicy, Purse, TaskCtx, TaskError};
use indago_core::{GraphEdit, GraphView, NodeId, NodeState, SubQuestion};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Additions, Turn, consult, finding, is_open, may_grow, parts, whole};
use crate::model::Models;
use crate::model::prompts::{Oppose, opening, role};

/// Questions that oppose, in a run.
const MOST: usize = 4;

/// What a node's reason begins with.
const MARK: &str = "opposing ";

/// A plan policy, and then what speaks against its findings.
pub struct Opposing {
    name: String,
    inner: Box<dyn PlanPolicy>,
    models: Models,
}

impl fmt::Debug for Opposing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opposing({})", self.inner.name())
    }
}

impl Opposing {
    /// Opposes what `inner` plans, with the planner among `models`. Registered as
    /// `NAME+opposing`.
    pub fn new(inner: Box<dyn PlanPolicy>, models: Models) -> Self {
        Self {
            name: format!("{}+opposing", inner.name()),
            inner,
            models,
        }
    }
}

#[derive(Deserialize)]
struct Questions {
    questions: Vec<Question>,
}

#[derive(Deserialize)]
struct Question {
    about: String,
    ask: String,
}

impl PlanPolicy for Opposing {
    fn name(&self) -> &str {
        &self.name
    }

    fn paraphrases(&self) -> bool {
        true
    }

    fn plan<'a>(
        &'a self,
        cx: &'a mut dyn TaskCtx,
        graph: &'a GraphView,
        news: &'a [NodeId],
        purse: Purse<'a>,
    ) -> BoxFuture<'a, Result<Vec<GraphEdit>, TaskError>> {
        let Purse { allowance, spent } = purse;
        Box::pin(async move {
            if news.is_empty() || self.inner.reacts() {
                let all = Purse {
                    allowance,
                    spent: &mut *spent,
                };
                let edits = self.inner.plan(cx, graph, news, all).await?;
                if !edits.is_empty() {
                    return Ok(edits);
                }
            }
            let is_asked = parts(graph).any(|node| node.reason.starts_with(MARK));
            if is_asked || !may_grow(graph) || parts(graph).any(is_open) {
                return Ok(Vec::new());
            }
            let mut turn = Turn {
                cx,
                models: &self.models,
                allowance,
                spent,
            };
            oppose(&mut turn, graph).await
        })
    }
}

/// Asks for what would speak against the findings.
async fn oppose(turn: &mut Turn<'_>, graph: &GraphView) -> Result<Vec<GraphEdit>, TaskError> {
    let answered: Vec<&SubQuestion> = parts(graph)
        .filter(|node| node.state == NodeState::Answered)
        .collect();
    if answered.is_empty() {
        return Ok(Vec::new());
    }
    let text = Oppose::new(&MOST.to_string()).render();
    let mut prompt = role(opening(whole(graph)), text);
    for node in &answered {
        prompt = finding(prompt, node);
    }
    let said = consult::<Questions>(turn, "plan/oppose", vec![prompt], &schema()).await?;
    let mut plan = Additions::to(graph);
    for question in said
        .into_iter()
        .flatten()
        .flat_map(|q| q.questions)
        .take(MOST)
    {
        let about = answered
            .iter()
            .find(|node| node.id.to_string() == question.about.trim());
        if let Some(node) = about {
            plan.add(&question.ask, format!("{MARK}{}", node.id), vec![node.id]);
        }
    }
    Ok(plan.edits)
}

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {"questions": {"type": "array", "items": {
            "type": "object",
            "properties": {"about": {"type": "string"}, "ask": {"type": "string"}},
            "required": ["about", "ask"], "additionalProperties": false
        }}},
        "required": ["questions"], "additionalProperties": false
    })
}
