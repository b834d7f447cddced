//! Model-driven plan policies beside MindSearch's: one published way to ask a file, registered in
//! [`registry::plan_policy`](crate::operators::registry::plan_policy).
//!
//! All of them see questions and short answers, never passages; write typed edits, never code; and
//! read what they planned before off the graph itself (a node's reason says who asked it), so that
//! a resumed run plans on.

mod breadth_depth;
mod opposing;
mod perspectives;

pub use breadth_depth::BreadthDepth;
pub use opposing::Opposing;
pub use perspectives::Perspectives;

use indago_core::ports::{Request, TaskCtx, TaskError};
use indago_core::{
    Allowance, Dependency, Event, GraphEdit, GraphView, NodeId, NodeState, Prompt, SubQuestion,
    Usage,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::model::prompts::{note, one_line};
use crate::model::{Ask, Models, Ports, Role, complete_all, parse_json};
use crate::operators::nothing::Nothing;

pub(crate) const ROOT: NodeId = NodeId(0);

/// Whether work on the node goes on or is to come.
fn is_open(node: &SubQuestion) -> bool {
    matches!(
        node.state,
        NodeState::Proposed | NodeState::Ready | NodeState::Running | NodeState::Reopened
    )
}

/// The sub-questions, without the question itself.
fn parts(graph: &GraphView) -> impl Iterator<Item = &SubQuestion> {
    graph.nodes.iter().filter(|node| node.id != ROOT)
}

fn whole(graph: &GraphView) -> &str {
    graph.node(ROOT).map_or("", |root| root.text.as_str())
}

/// Whether the question itself is still to be searched, so that parts may come before it.
fn may_grow(graph: &GraphView) -> bool {
    graph
        .node(ROOT)
        .is_some_and(|root| root.finding.is_none() && root.state != NodeState::Running)
}

/// Appends what was asked and answered in `node`, as data.
fn finding(prompt: Prompt, node: &SubQuestion) -> Prompt {
    let answer = match &node.finding {
        _ if node.state == NodeState::Pruned => "dropped".to_owned(),
        Some(found) => match (&found.answer, found.claims.first()) {
            (Some(answer), _) => answer.text.clone(),
            (None, Some(claim)) => claim.text().to_owned(),
            (None, None) => "not found".to_owned(),
        },
        None => "not answered yet".to_owned(),
    };
    let label = format!("finding {}", node.id);
    note(
        prompt,
        &label,
        format!("Question: {}\nAnswer: {answer}", node.text),
    )
}

/// Additions that the root waits for, numbered on from the graph they were thought of in.
struct Additions {
    next: u32,
    asked: Vec<String>,
    edits: Vec<GraphEdit>,
}

impl Additions {
    fn to(graph: &GraphView) -> Self {
        Self {
            next: graph.nodes.len() as u32,
            asked: graph.nodes.iter().map(|n| key(&n.text)).collect(),
            edits: Vec::new(),
        }
    }

    /// Adds a question; nothing when it is empty or was asked before.
    fn add(&mut self, ask: &str, reason: String, depends_on: Vec<NodeId>) -> bool {
        let ask = one_line(ask);
        let key = key(&ask);
        if key.is_empty() || self.asked.contains(&key) {
            return false;
        }
        self.asked.push(key);
        self.edits.push(GraphEdit::Add {
            text: ask,
            reason: reason.clone(),
            depends_on,
        });
        self.edits.push(GraphEdit::Link(Dependency {
            from: ROOT,
            on: NodeId(self.next),
            reason,
        }));
        self.next += 1;
        true
    }
}

fn key(question: &str) -> String {
    indago_text::normalize_name(question)
}

/// What a policy's turn acts through, and what it may spend.
struct Turn<'a> {
    cx: &'a mut dyn TaskCtx,
    models: &'a Models,
    allowance: Allowance,
    spent: &'a mut Usage,
}

/// Asks the planner several things at once and reads each reply as JSON. A reply that cannot be had
/// or read is a warning and `None`: the plan goes on without it.
async fn consult<T: DeserializeOwned>(
    turn: &mut Turn<'_>,
    purpose: &str,
    prompts: Vec<Prompt>,
    schema: &Value,
) -> Result<Vec<Option<T>>, TaskError> {
    let asks = prompts
        .into_iter()
        .map(|prompt| Ask {
            role: Role::Planner,
            purpose: purpose.to_owned(),
            request: Request {
                prompt,
                max_tokens: Some(800),
                temperature: Some(0.0),
                schema: Some(indago_core::ports::OutputSchema {
                    name: purpose.rsplit('/').next().unwrap_or(purpose).to_owned(),
                    schema: schema.clone(),
                }),
                ..Request::default()
            },
        })
        .collect();
    let library = Nothing;
    let mut ports = Ports::new(turn.cx, &library, turn.models).within(turn.allowance);
    let replies = complete_all(&mut ports, purpose, asks, turn.spent).await?;
    let mut read = Vec::with_capacity(replies.len());
    for reply in replies {
        let value = reply
            .map_err(|error| error.to_string())
            .and_then(|done| parse_json(&done.text));
        read.push(match value {
            Ok(value) => Some(value),
            Err(reason) => {
                let message = format!("{purpose}: the planner's reply is of no use: {reason}");
                ports.cx.emit(Event::Warned { message });
                None
            }
        });
    }
    Ok(read)
}
