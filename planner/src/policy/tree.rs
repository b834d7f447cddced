//! Breadth and depth without a language model: the parts of the question, then the names that
//! their answers lead to, half as many on each level.
//!
//! A broad question has no chain to follow: what is learnt of one thing names the next ones. Each
//! of those is asked about in the words of the question that are no names.

use indago_core::ports::{BoxFuture, PlanPolicy, Purse, TaskCtx, TaskError};
use indago_core::{Dependency, Finding, GraphEdit, GraphView, NodeId, NodeState};
use indago_text::{names_in_question, normalize_name};

use super::extractive;
use crate::ROOT;

/// Branches of an answer on the first level; half as many on the next.
const BREADTH: usize = 4;

/// Levels below the question.
const DEPTH: usize = 2;

/// Grows a tree of questions from names.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tree;

impl PlanPolicy for Tree {
    fn name(&self) -> &'static str {
        "tree"
    }

    fn plan<'a>(
        &'a self,
        _cx: &'a mut dyn TaskCtx,
        graph: &'a GraphView,
        news: &'a [NodeId],
        _purse: Purse<'a>,
    ) -> BoxFuture<'a, Result<Vec<GraphEdit>, TaskError>> {
        let edits = grow(graph, news);
        Box::pin(async { Ok(edits) })
    }
}

fn grow(graph: &GraphView, news: &[NodeId]) -> Vec<GraphEdit> {
    let Some(root) = graph.node(ROOT).filter(|root| root.finding.is_none()) else {
        return Vec::new();
    };
    let mut plan = Plan {
        next: graph.nodes.len() as u32,
        edits: Vec::new(),
    };
    if news.is_empty() {
        let parts = extractive::edits(graph, &[]);
        if !parts.is_empty() {
            return parts;
        }
        // Nothing to divide: the names of the question are the branches.
        for name in names(&root.text).into_iter().take(BREADTH) {
            plan.add(
                about(&name, &root.text),
                format!("names {name}"),
                Vec::new(),
            );
        }
        return plan.edits;
    }
    let mut asked: Vec<String> = graph
        .nodes
        .iter()
        .map(|n| normalize_name(&n.text))
        .collect();
    for id in news.iter().filter(|id| **id != ROOT) {
        let Some(node) = graph.node(*id).filter(|n| n.state == NodeState::Answered) else {
            continue;
        };
        let level = level(graph, *id);
        if level >= DEPTH {
            continue;
        }
        let leads = node.finding.iter().flat_map(leads);
        let mut left = (BREADTH >> level).max(1);
        for name in leads {
            let text = about(&name, &root.text);
            let known = normalize_name(&text);
            // What the question or this node names already leads nowhere new.
            let is_named = [&root.text, &node.text]
                .iter()
                .any(|text| normalize_name(text).contains(&normalize_name(&name)));
            if left == 0 || is_named || asked.contains(&known) {
                continue;
            }
            asked.push(known);
            left -= 1;
            plan.add(text, format!("{} names {name}", node.id), vec![node.id]);
        }
    }
    plan.edits
}

struct Plan {
    next: u32,
    edits: Vec<GraphEdit>,
}

impl Plan {
    /// Adds a node that the root waits for.
    fn add(&mut self, text: String, reason: String, depends_on: Vec<NodeId>) {
        self.edits.push(GraphEdit::Add {
            text,
            reason: reason.clone(),
            depends_on,
        });
        self.edits.push(GraphEdit::Link(Dependency {
            from: ROOT,
            on: NodeId(self.next),
            reason,
        }));
        self.next += 1;
    }
}

/// Names that a finding leads to, best first: its answer, then its bridges.
fn leads(finding: &Finding) -> Vec<String> {
    let answer = finding.answer.iter().map(|answer| answer.text.as_str());
    let bridges = finding.bridges.iter().map(|bridge| bridge.name.as_str());
    let mut leads: Vec<String> = Vec::new();
    for name in answer.chain(bridges) {
        let key = normalize_name(name);
        if !key.is_empty() && leads.iter().all(|known| normalize_name(known) != key) {
            leads.push(name.to_owned());
        }
    }
    leads
}

/// What the question asks, of `name`.
fn about(name: &str, question: &str) -> String {
    let named = names_in_question(question);
    let mut words: Vec<&str> = Vec::new();
    for range in indago_text::words(question) {
        let is_named = named
            .iter()
            .any(|n| n.range.start <= range.start && range.end <= n.range.end);
        let word = &question[range];
        let is_plain = !is_named && !indago_text::is_function_word(&word.to_lowercase());
        if is_plain && words.len() < 8 {
            words.push(word);
        }
    }
    if words.is_empty() {
        format!("What is said about {name}?")
    } else {
        format!("What is said about {name} ({})?", words.join(" "))
    }
}

fn names(question: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in names_in_question(question) {
        if !names.iter().any(|known| known.contains(&name.text)) {
            names.push(name.text);
        }
    }
    names
}

/// Levels between the question and a node: 1 for its branches. At most [`DEPTH`].
fn level(graph: &GraphView, node: NodeId) -> usize {
    let mut level = 1;
    let mut at = node;
    while let Some(before) = graph.dependencies(at).next().filter(|_| level < DEPTH) {
        level += 1;
        at = before.id;
    }
    level
}

#[cfg(test)]
mod tests {
    use indago_core::{Answer, AnswerKind, Bridge, Budget, DocumentId, PassageId, StopReason};

    use super::*;
    use crate::QuestionGraph;

    fn answered(view: &mut GraphView, id: u32, bridges: &[&str]) {
        let passage = PassageId::of(&DocumentId::new("d"), 0, 1, "x");
        let node = &mut view.nodes[id as usize];
        node.state = NodeState::Answered;
        node.finding = Some(Finding {
            node: NodeId(id),
            answer: Some(Answer {
                text: "Ada Quill".into(),
                kind: AnswerKind::Person,
            }),
            claims: Vec::new(),
            confidence: 1.0,
            bridges: bridges
                .iter()
                .map(|&name| Bridge {
                    name: name.to_owned(),
                    met_in: passage,
                    defined_in: None,
                    score: 1.0,
                })
                .collect(),
            open: Vec::new(),
            tried: Vec::new(),
            rounds: 1,
            stop: StopReason::Answered,
        });
    }

    fn texts(edits: &[GraphEdit]) -> Vec<&str> {
        edits
            .iter()
            .filter_map(|edit| match edit {
                GraphEdit::Add { text, .. } => Some(text.as_str()),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn a_tree_halves_on_each_level_and_ends_at_its_depth() {
        let question = "What is known about the history of Harbour Works?";
        let mut graph = QuestionGraph::new(question, &Budget::STANDARD);
        let first = grow(&graph.view(), &[]);
        assert_eq!(texts(&first).len(), 1, "{first:?}");
        assert!(texts(&first)[0].contains("Harbour Works"));
        for edit in first {
            graph.apply(edit).unwrap();
        }
        let mut view = graph.view();
        answered(
            &mut view,
            1,
            &["Ada Quill", "Copper Moon", "Otto Falk", "Harbour Works"],
        );
        let second = grow(&view, &[NodeId(1)]);
        assert_eq!(
            texts(&second),
            [
                "What is said about Ada Quill (known history)?",
                "What is said about Copper Moon (known history)?"
            ]
        );
        for edit in second {
            graph.apply(edit).unwrap();
        }
        let mut view = graph.view();
        answered(&mut view, 2, &["Lund"]);
        assert_eq!(grow(&view, &[NodeId(2)]), [], "two levels are enough");
        assert_eq!(graph.dependencies(ROOT).len(), 3);
    }
}
