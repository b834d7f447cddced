//! MindSearch's planner (Chen et al., 2024): a model grows the question graph; searchers work on
//! its nodes in isolation; only questions and answers come back.
//!
//! The model writes typed edits, never code. It is asked when everything it asked for is answered,
//! and never sees a passage.

use indago_core::ports::{BoxFuture, PlanPolicy, Purse, Request, TaskCtx, TaskError};
use indago_core::{
    Dependency, GraphEdit, GraphView, NodeId, NodeState, Reuse, Segment, SegmentKind, Speaker,
};
use serde::Deserialize;
use serde_json::json;

use crate::model::prompts::{Plan, Repair, note, opening, role};
use crate::model::{Ask, Models, Ports, Role, complete_json};
use crate::operators::nothing::Nothing;

const ROOT: NodeId = NodeId(0);

/// Planner turns of a run.
const MAX_TURNS: usize = 10;

/// Repairs of one turn's edits.
const REPAIRS: usize = 2;

/// Plans with a language model.
#[derive(Debug)]
pub struct MindSearch {
    models: Models,
}

impl MindSearch {
    /// Plans with the planner among `models`.
    pub fn new(models: Models) -> Self {
        Self { models }
    }
}

#[derive(Clone, Debug, Deserialize)]
struct Ops {
    ops: Vec<Op>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
enum Op {
    Add {
        id: String,
        ask: String,
        #[serde(default)]
        after: Vec<String>,
    },
    Drop {
        id: String,
        #[serde(default)]
        reason: String,
    },
    Finish,
}

impl PlanPolicy for MindSearch {
    fn name(&self) -> &'static str {
        "mind_search"
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
            let parts = || graph.nodes.iter().filter(|n| n.id != ROOT);
            let busy = parts().any(|n| {
                matches!(
                    n.state,
                    NodeState::Proposed
                        | NodeState::Ready
                        | NodeState::Running
                        | NodeState::Reopened
                )
            });
            let root_done = graph.node(ROOT).is_none_or(|n| n.finding.is_some());
            let waves = parts().count();
            // It waits until all it asked for is answered; the root's own end is no news to it.
            if busy || root_done || news.contains(&ROOT) || waves > MAX_TURNS * 4 {
                return Ok(Vec::new());
            }
            self.turn(cx, graph, purse).await
        })
    }
}

impl MindSearch {
    async fn turn(
        &self,
        cx: &mut dyn TaskCtx,
        graph: &GraphView,
        Purse {
            allowance,
            spent: usage,
        }: Purse<'_>,
    ) -> Result<Vec<GraphEdit>, TaskError> {
        let question = graph.node(ROOT).map_or("", |n| n.text.as_str());
        let mut prompt = role(opening(question), Plan::new().render());
        for node in graph.nodes.iter().filter(|n| n.id != ROOT) {
            let answer = match &node.finding {
                _ if node.state == NodeState::Pruned => "dropped".to_owned(),
                Some(f) => f
                    .answer
                    .as_ref()
                    .map_or_else(|| "not found".to_owned(), |a| a.text.clone()),
                None => "not found".to_owned(),
            };
            prompt = note(
                prompt,
                &format!("finding {}", node.id),
                format!("Question: {}\nAnswer: {answer}", node.text),
            );
        }
        let library = Nothing;
        let mut ports = Ports::new(cx, &library, &self.models).within(allowance);
        let mut ask = Ask {
            role: Role::Planner,
            purpose: "plan/edits".to_owned(),
            request: Request {
                prompt,
                max_tokens: Some(800),
                temperature: Some(0.0),
                ..Request::default()
            },
        };
        for repair in 0..=REPAIRS {
            let ops: Ops = complete_json(&mut ports, ask.clone(), "plan", schema(), usage).await?;
            let wrong = match edits(&ops.ops, graph) {
                Ok(edits) => return Ok(edits),
                Err(wrong) => wrong,
            };
            ask.purpose = format!("plan/edits/invalid/{}", repair + 1);
            for (speaker, text) in [
                (
                    Speaker::Assistant,
                    json!({ "ops": describe(&ops.ops) }).to_string(),
                ),
                (Speaker::User, Repair::new(&wrong).render()),
            ] {
                ask.request.prompt.segments.push(Segment {
                    speaker,
                    kind: SegmentKind::Instruction,
                    text,
                    reuse: Reuse::None,
                });
            }
        }
        // The plan stays as it is: the question is answered from what there is.
        ports.cx.emit(indago_core::Event::Warned {
            message: "the planner's edits do not fit after two repairs; planning ends".to_owned(),
        });
        Ok(Vec::new())
    }
}

fn describe(ops: &[Op]) -> Vec<serde_json::Value> {
    ops.iter()
        .map(|op| match op {
            Op::Add { id, ask, after } => {
                json!({"op": "add", "id": id, "ask": ask, "after": after})
            }
            Op::Drop { id, .. } => json!({"op": "drop", "id": id}),
            Op::Finish => json!({"op": "finish"}),
        })
        .collect()
}

/// The edits that `ops` mean, or what is wrong with them.
fn edits(ops: &[Op], graph: &GraphView) -> Result<Vec<GraphEdit>, String> {
    let adds = ops.iter().filter(|op| matches!(op, Op::Add { .. })).count();
    if ops.contains(&Op::Finish) {
        if adds > 0 {
            return Err("`finish` stands beside `add`: finish alone, or add only".to_owned());
        }
        return Ok(Vec::new());
    }
    let key = indago_text::normalize_name;
    let mut asked: Vec<String> = graph.nodes.iter().map(|n| key(&n.text)).collect();
    let mut named: Vec<(String, NodeId)> = graph
        .nodes
        .iter()
        .map(|n| (n.id.to_string(), n.id))
        .collect();
    let mut next = graph.nodes.len() as u32;
    let mut out = Vec::new();
    for op in ops {
        match op {
            Op::Finish => {}
            Op::Drop { id, reason } => {
                let node = find(&named, id)?;
                if node == ROOT {
                    return Err("the question itself cannot be dropped".to_owned());
                }
                out.push(GraphEdit::Prune {
                    node,
                    reason: reason.clone(),
                });
            }
            Op::Add { id, ask, after } => {
                let ask = ask.trim();
                if ask.is_empty() {
                    return Err(format!("`{id}` asks nothing"));
                }
                if named.iter().any(|(known, _)| known == id) {
                    return Err(format!("the id `{id}` is taken"));
                }
                if asked.contains(&key(ask)) {
                    return Err(format!("`{ask}` was asked already"));
                }
                let depends_on = after
                    .iter()
                    .map(|on| find(&named, on))
                    .collect::<Result<Vec<_>, _>>()?;
                if depends_on.contains(&ROOT) {
                    return Err(format!("`{id}` waits for the question itself"));
                }
                asked.push(key(ask));
                let node = NodeId(next);
                next += 1;
                named.push((id.clone(), node));
                out.push(GraphEdit::Add {
                    text: ask.to_owned(),
                    reason: "asked by the planner".to_owned(),
                    depends_on,
                });
                out.push(GraphEdit::Link(Dependency {
                    from: ROOT,
                    on: node,
                    reason: "part of the question".to_owned(),
                }));
            }
        }
    }
    Ok(out)
}

fn find(named: &[(String, NodeId)], id: &str) -> Result<NodeId, String> {
    named
        .iter()
        .find(|(known, _)| known == id)
        .map(|(_, node)| *node)
        .ok_or_else(|| format!("there is no part `{id}`"))
}

fn schema() -> serde_json::Value {
    json!({
        "type": "object",
        "properties": {"ops": {"type": "array", "items": {
            "type": "object",
            "properties": {
                "op": {"enum": ["add", "drop", "finish"]},
                "id": {"type": "string"},
                "ask": {"type": "string"},
                "after": {"type": "array", "items": {"type": "string"}}
            },
            "required": ["op"], "additionalProperties": false
        }}},
        "required": ["ops"], "additionalProperties": false
    })
}

#[cfg(test)]
mod tests {
    use indago_core::SubQuestion;

    use super::*;

    fn graph() -> GraphView {
        let node = |id: u32, text: &str| SubQuestion {
            id: NodeId(id),
            text: text.to_owned(),
            state: NodeState::Answered,
            reason: String::new(),
            finding: None,
        };
        GraphView {
            nodes: vec![node(0, "Who built it?"), node(1, "Which tower?")],
            edges: Vec::new(),
        }
    }

    fn add(id: &str, ask: &str, after: &[&str]) -> Op {
        Op::Add {
            id: id.to_owned(),
            ask: ask.to_owned(),
            after: after.iter().map(|&a| a.to_owned()).collect(),
        }
    }

    #[test]
    fn edits_may_build_on_each_other_and_the_root_waits_for_all() {
        let ops = [add("a", "When?", &["q1"]), add("b", "Where?", &["a"])];
        let edits = edits(&ops, &graph()).unwrap();
        assert!(
            matches!(&edits[2], GraphEdit::Add { depends_on, .. } if depends_on == &[NodeId(2)])
        );
        assert!(matches!(&edits[3], GraphEdit::Link(d) if d.from == ROOT && d.on == NodeId(3)));
    }

    #[test]
    fn unsound_edits_are_named() {
        let wrong = |ops: &[Op]| edits(ops, &graph()).unwrap_err();
        assert!(wrong(&[add("q1", "When?", &[])]).contains("is taken"));
        assert!(wrong(&[add("a", "which tower", &[])]).contains("asked already"));
        assert!(wrong(&[add("a", "When?", &["z"])]).contains("no part `z`"));
        assert!(wrong(&[add("a", "When?", &[]), Op::Finish]).contains("beside"));
        assert_eq!(edits(&[Op::Finish], &graph()), Ok(Vec::new()));
    }
}
