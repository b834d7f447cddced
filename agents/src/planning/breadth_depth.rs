//! Breadth and depth: the question has so many branches, each answer half as many, down to a depth.
//!
//! The shape of tree-of-thought search over questions as open deep-research programs have it
//! (breadth 4, depth 2, halving). Branches grow as soon as their node is answered, without waiting
//! for their siblings.

use indago_core::ports::{BoxFuture, PlanPolicy, Purse, TaskCtx, TaskError};
use indago_core::{GraphEdit, GraphView, NodeId, NodeState, Prompt, SubQuestion};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Additions, ROOT, Turn, consult, finding, may_grow, whole};
use crate::model::Models;
use crate::model::prompts::{Deepen, opening, role};

/// Plans a tree of questions.
#[derive(Debug)]
pub struct BreadthDepth {
    models: Models,
    breadth: usize,
    depth: usize,
}

impl BreadthDepth {
    /// Four branches and two levels, with the planner among `models`.
    pub fn new(models: Models) -> Self {
        Self {
            models,
            breadth: 4,
            depth: 2,
        }
    }

    /// `breadth` branches of the question, half as many of each answer, `depth` levels; at least 1.
    #[must_use]
    pub fn sized(mut self, breadth: usize, depth: usize) -> Self {
        self.breadth = breadth.max(1);
        self.depth = depth.max(1);
        self
    }

    /// Branches of a node on `level`; the question is on level 0.
    fn branches(&self, level: usize) -> usize {
        if level >= self.depth {
            return 0;
        }
        self.breadth
            .checked_shr(u32::try_from(level).unwrap_or(u32::MAX))
            .unwrap_or(0)
            .max(1)
    }
}

#[derive(Deserialize)]
struct Questions {
    questions: Vec<Question>,
}

#[derive(Deserialize)]
struct Question {
    ask: String,
}

impl PlanPolicy for BreadthDepth {
    fn name(&self) -> &'static str {
        "breadth_depth"
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
        Box::pin(async move {
            if !may_grow(graph) {
                return Ok(Vec::new());
            }
            let grow: Vec<(Option<&SubQuestion>, usize)> = if news.is_empty() {
                vec![(None, self.branches(0))]
            } else {
                let nodes = news.iter().filter(|id| **id != ROOT);
                nodes
                    .filter_map(|id| graph.node(*id))
                    .filter(|node| node.state == NodeState::Answered)
                    .map(|node| (Some(node), self.branches(level(graph, node.id, self.depth))))
                    .filter(|(_, n)| *n > 0)
                    .collect()
            };
            let prompts = grow
                .iter()
                .map(|(node, n)| branch(graph, *node, *n))
                .collect();
            let mut turn = Turn {
                cx,
                models: &self.models,
                allowance: purse.allowance,
                spent: purse.spent,
            };
            let said = consult::<Questions>(&mut turn, "plan/deepen", prompts, &schema()).await?;
            let mut plan = Additions::to(graph);
            for ((node, n), said) in grow.into_iter().zip(said) {
                let asks = said.into_iter().flat_map(|said| said.questions);
                for question in asks.take(n) {
                    let (reason, on) = match node {
                        Some(node) => (format!("follows {}", node.id), vec![node.id]),
                        None => ("branch of the question".to_owned(), Vec::new()),
                    };
                    plan.add(&question.ask, reason, on);
                }
            }
            Ok(plan.edits)
        })
    }
}

/// Levels between the question and a node: 1 for its branches. At most `most`.
fn level(graph: &GraphView, node: NodeId, most: usize) -> usize {
    let mut level = 1;
    let mut at = node;
    while let Some(before) = graph.dependencies(at).next().filter(|_| level < most) {
        level += 1;
        at = before.id;
    }
    level
}

/// What is asked of the model to grow from `node`; from the question itself without one.
fn branch(graph: &GraphView, node: Option<&SubQuestion>, n: usize) -> Prompt {
    let mut prompt = role(opening(whole(graph)), Deepen::new(&n.to_string()).render());
    let mut path: Vec<&SubQuestion> = node.into_iter().collect();
    while let Some(before) = path
        .last()
        .and_then(|last| graph.dependencies(last.id).next())
        .filter(|_| path.len() < 16)
    {
        path.push(before);
    }
    for node in path.into_iter().rev() {
        prompt = finding(prompt, node);
    }
    prompt
}

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {"questions": {"type": "array", "items": {
            "type": "object",
            "properties": {"ask": {"type": "string"}},
            "required": ["ask"], "additionalProperties": false
        }}},
        "required": ["questions"], "additionalProperties": false
    })
}
