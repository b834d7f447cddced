//! Perspective-guided questions (STORM; Shao et al., 2024): people who look at the question from
//! different sides each ask, hear the answer, and ask on.
//!
//! The paper finds perspectives in the tables of contents of related articles and simulates each
//! conversation against a search engine. Here a model names them from the question, each
//! conversation is a chain of sub-questions, and conversations run side by side: a perspective sees
//! its own questions and answers only, so that they stay different. As in the paper the first is a
//! writer of basic facts.

use indago_core::ports::{BoxFuture, PlanPolicy, Purse, TaskCtx, TaskError};
use indago_core::{GraphEdit, GraphView, NodeId, NodeState, Prompt, SubQuestion};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Additions, Turn, consult, finding, may_grow, whole};
use crate::model::Models;
use crate::model::prompts::{PerspectiveNext, Perspectives as PerspectivesPrompt, opening, role};

/// People who ask.
const PERSPECTIVES: usize = 4;

/// Questions of each at most (the paper's conversations have five turns).
const TURNS: usize = 3;

/// What a node's reason begins with: then the turn, the name and the focus.
const MARK: &str = "perspective ";

/// Plans with perspectives.
#[derive(Debug)]
pub struct Perspectives {
    models: Models,
}

impl Perspectives {
    /// Plans with the planner among `models`.
    pub fn new(models: Models) -> Self {
        Self { models }
    }
}

#[derive(Deserialize)]
struct Named {
    perspectives: Vec<Perspective>,
}

#[derive(Deserialize)]
struct Perspective {
    name: String,
    #[serde(default)]
    focus: String,
    ask: String,
}

#[derive(Deserialize)]
struct Next {
    #[serde(default)]
    done: bool,
    #[serde(default)]
    ask: String,
}

impl PlanPolicy for Perspectives {
    fn name(&self) -> &'static str {
        "perspectives"
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
            let mut turn = Turn {
                cx,
                models: &self.models,
                allowance: purse.allowance,
                spent: purse.spent,
            };
            if news.is_empty() {
                first(&mut turn, graph).await
            } else {
                go_on(&mut turn, graph, news).await
            }
        })
    }
}

async fn first(turn: &mut Turn<'_>, graph: &GraphView) -> Result<Vec<GraphEdit>, TaskError> {
    let text = PerspectivesPrompt::new(&PERSPECTIVES.to_string()).render();
    let prompt = role(opening(whole(graph)), text);
    let named = consult::<Named>(turn, "plan/perspectives", vec![prompt], &first_schema()).await?;
    let mut plan = Additions::to(graph);
    let perspectives = named.into_iter().flatten().flat_map(|n| n.perspectives);
    for who in perspectives.take(PERSPECTIVES) {
        plan.add(&who.ask, reason(1, &who.name, &who.focus), Vec::new());
    }
    Ok(plan.edits)
}

async fn go_on(
    turn: &mut Turn<'_>,
    graph: &GraphView,
    news: &[NodeId],
) -> Result<Vec<GraphEdit>, TaskError> {
    let answered = news
        .iter()
        .filter_map(|id| graph.node(*id))
        .filter(|node| node.state == NodeState::Answered);
    let speakers: Vec<(&SubQuestion, Speaker<'_>)> = answered
        .filter_map(|node| Some((node, speaker(&node.reason)?)))
        .filter(|(_, who)| who.turn < TURNS)
        .collect();
    let prompts = speakers
        .iter()
        .map(|(node, who)| conversation(graph, node, who))
        .collect();
    let replies = consult::<Next>(turn, "plan/perspective-next", prompts, &next_schema()).await?;
    let mut plan = Additions::to(graph);
    for ((node, who), next) in speakers.iter().zip(replies) {
        if let Some(next) = next.filter(|next| !next.done) {
            let reason = reason(who.turn + 1, who.name, who.focus);
            plan.add(&next.ask, reason, vec![node.id]);
        }
    }
    Ok(plan.edits)
}

/// Who asked a node, as its reason says.
struct Speaker<'a> {
    turn: usize,
    name: &'a str,
    focus: &'a str,
}

fn reason(turn: usize, name: &str, focus: &str) -> String {
    let plain = |text: &str| text.replace([':', '|'], " ");
    format!(
        "{MARK}{turn}: {} | {}",
        plain(name).trim(),
        plain(focus).trim()
    )
}

fn speaker(reason: &str) -> Option<Speaker<'_>> {
    let (turn, rest) = reason.strip_prefix(MARK)?.split_once(": ")?;
    let (name, focus) = rest.split_once(" |")?;
    Some(Speaker {
        turn: turn.parse().ok()?,
        name,
        focus: focus.trim(),
    })
}

/// What one perspective has asked and heard, up to `last`.
fn conversation(graph: &GraphView, last: &SubQuestion, who: &Speaker<'_>) -> Prompt {
    let text = PerspectiveNext::new(who.name, who.focus).render();
    let mut prompt = role(opening(whole(graph)), text);
    let mut turns = vec![last];
    while let Some(before) = turns
        .last()
        .and_then(|node| graph.dependencies(node.id).next())
        .filter(|_| turns.len() < TURNS)
    {
        turns.push(before);
    }
    for node in turns.into_iter().rev() {
        prompt = finding(prompt, node);
    }
    prompt
}

fn first_schema() -> Value {
    json!({
        "type": "object",
        "properties": {"perspectives": {"type": "array", "items": {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "focus": {"type": "string"},
                "ask": {"type": "string"}
            },
            "required": ["name", "ask"], "additionalProperties": false
        }}},
        "required": ["perspectives"], "additionalProperties": false
    })
}

fn next_schema() -> Value {
    json!({
        "type": "object",
        "properties": {"done": {"type": "boolean"}, "ask": {"type": "string"}},
        "required": ["done"], "additionalProperties": false
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_tells_who_asked_whatever_it_is_called() {
        let text = reason(2, "a: b | c", "costs: all | none");
        let who = speaker(&text).unwrap();
        assert_eq!(
            (who.turn, who.name, who.focus),
            (2, "a  b   c", "costs  all   none")
        );
        assert!(speaker("because").is_none());
        assert!(speaker("perspective x: y | z").is_none());
    }
}
