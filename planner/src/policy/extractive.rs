//! Grows the graph from the question's structure: one node for each thing that is compared, each
//! source or clause that is asked, and each step of a chain, the next step being worded with the
//! name that the step before has found.

use indago_core::ports::{BoxFuture, PlanPolicy, Purse, TaskCtx, TaskError};
use indago_core::{
    Answer, AnswerKind, Finding, GraphEdit, GraphView, NodeId, NodeState, SubQuestion,
};
use indago_text::question::{Hop, Question, Shape, analyze};

use super::phrase::{inner, substitute};
use crate::ROOT;

/// Nodes that one question is divided into at first.
const MAX_PARTS: usize = 4;

/// Longest chain of nodes before the root.
const MAX_STEPS: usize = 3;

/// Rules over [`indago_text::question::analyze`]; no model. The root stays the question as asked:
/// it waits for the parts and is searched with their findings.
#[derive(Clone, Copy, Debug, Default)]
pub struct Extractive;

impl PlanPolicy for Extractive {
    fn name(&self) -> &'static str {
        "extractive"
    }

    fn plan<'a>(
        &'a self,
        _cx: &'a mut dyn TaskCtx,
        graph: &'a GraphView,
        news: &'a [NodeId],
        _purse: Purse<'a>,
    ) -> BoxFuture<'a, Result<Vec<GraphEdit>, TaskError>> {
        let edits = edits(graph, news);
        Box::pin(async { Ok(edits) })
    }
}

pub(super) fn edits(graph: &GraphView, news: &[NodeId]) -> Vec<GraphEdit> {
    let Some(root) = graph.node(ROOT) else {
        return Vec::new();
    };
    let question = analyze(&root.text);
    let mut plan = Plan {
        next: graph.nodes.len() as u32,
        edits: Vec::new(),
    };
    if news.is_empty() {
        if graph.nodes.len() == 1 {
            first(&question, &root.text, &mut plan);
        }
    } else {
        for id in news.iter().filter(|id| **id != ROOT) {
            if let Some(node) = graph.node(*id).filter(|n| n.state == NodeState::Answered) {
                grow(&question, &root.text, graph, node, &mut plan);
            }
        }
    }
    plan.edits
}

/// Edits under way, and the number that the next added node will get.
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
        self.edits.push(GraphEdit::Link(indago_core::Dependency {
            from: ROOT,
            on: NodeId(self.next),
            reason,
        }));
        self.next += 1;
    }
}

/// The parts that are known from the question alone.
fn first(question: &Question, whole: &str, plan: &mut Plan) {
    if question.options.len() >= 2 {
        for option in question.options.iter().take(MAX_PARTS) {
            let text = step(&option.text, question.hops.first());
            plan.add(text, format!("option: {}", option.text), Vec::new());
        }
    } else if question.sources.len() >= 2 {
        let mut clauses: Vec<&str> = Vec::new();
        for source in &question.sources {
            let clause = source.clause.text.as_str();
            if clauses.len() < MAX_PARTS && !clauses.contains(&clause) {
                clauses.push(clause);
                plan.add(
                    clause.to_owned(),
                    format!("source: {}", source.name),
                    Vec::new(),
                );
            }
        }
    } else if question.hops.len() >= 2 {
        if let Some((hop, anchor)) = question
            .hops
            .first()
            .and_then(|hop| Some((hop, hop.anchor.as_deref()?)))
        {
            let text = inner(whole, anchor)
                .map_or_else(|| step(anchor, Some(hop)), |range| whole[range].to_owned());
            plan.add(text, format!("first step: {anchor}"), Vec::new());
        }
    } else if matches!(question.shape, Shape::Conjunction | Shape::Temporal)
        && question.clauses.len() >= 2
    {
        for clause in question.clauses.iter().take(MAX_PARTS) {
            plan.add(
                clause.text.clone(),
                "one of several conditions".to_owned(),
                Vec::new(),
            );
        }
    }
}

/// The step after `node`, worded with the name it found.
fn grow(question: &Question, whole: &str, graph: &GraphView, node: &SubQuestion, plan: &mut Plan) {
    let done = depth(graph, node.id);
    let chain = question.options.len() >= 2 || question.sources.len() < 2;
    let Some(hop) = question
        .hops
        .get(done + 1)
        .filter(|_| chain && done + 1 < MAX_STEPS)
    else {
        return;
    };
    let Some(name) = node.finding.as_ref().and_then(|f| bridge(f, &node.text)) else {
        return;
    };
    let first = question.hops.first().and_then(|hop| hop.anchor.as_deref());
    let asked = first
        .filter(|_| question.options.len() < 2 && hop.anchor.is_none())
        .and_then(|anchor| reduced(whole, anchor, graph, node, &name));
    let text = match &hop.anchor {
        _ if asked.is_some() => asked.unwrap_or_default(),
        // The hop starts from another name of the question; the one found belongs beside it.
        Some(anchor) => format!("{} {name}", step(anchor, Some(hop))),
        None => step(&name, Some(hop)),
    };
    let known = |other: &SubQuestion| other.text == text;
    if !graph.nodes.iter().any(known) {
        plan.add(text, format!("bridge entity: {name}"), vec![node.id]);
    }
}

/// The next part of the question: what has been found stands in the place of the phrases that led
/// to it. `None` where the words of the question do not divide so.
fn reduced(
    whole: &str,
    anchor: &str,
    graph: &GraphView,
    node: &SubQuestion,
    name: &str,
) -> Option<String> {
    let mut names = vec![name.to_owned()];
    let mut at = node.id;
    for _ in 0..MAX_STEPS {
        let Some(before) = graph.dependencies(at).next() else {
            break;
        };
        at = before.id;
        let earlier = graph.node(at)?;
        names.push(bridge(earlier.finding.as_ref()?, &earlier.text)?);
    }
    let mut text = whole.to_owned();
    let mut anchor = anchor.to_owned();
    for name in names.into_iter().rev() {
        text = substitute(&text, &anchor, &name)?;
        anchor = name;
    }
    Some(inner(&text, &anchor).map_or(text.clone(), |range| text[range].to_owned()))
}

/// The name that leads on from a finding: its short answer, else the best bridge that its question
/// does not have already.
fn bridge(finding: &Finding, question: &str) -> Option<String> {
    let normal = indago_text::normalize_name(question);
    let new = |name: &&str| {
        let name = indago_text::normalize_name(name);
        !name.is_empty() && !normal.contains(&name)
    };
    // A number names nothing that could be looked up.
    let names = |a: &&Answer| a.kind != AnswerKind::Quantity;
    let answer = finding.answer.iter().filter(names);
    let answer = answer.map(|a| a.text.as_str());
    let bridges = finding.bridges.iter().map(|b| b.name.as_str());
    answer.chain(bridges).find(new).map(str::to_owned)
}

/// Nodes that lead to `id`, the longest chain of them.
fn depth(graph: &GraphView, id: NodeId) -> usize {
    // Edges point to older nodes only, but a person's edits may differ: bounded by the steps.
    fn walk(graph: &GraphView, id: NodeId, left: usize) -> usize {
        if left == 0 {
            return 0;
        }
        graph
            .dependencies(id)
            .map(|on| 1 + walk(graph, on.id, left - 1))
            .max()
            .unwrap_or(0)
    }
    walk(graph, id, MAX_STEPS)
}

/// A step in words where the question has none for it: `What is the director of Copper Moon?`.
fn step(start: &str, hop: Option<&Hop>) -> String {
    let words = hop.map(|h| h.relation.join(" ")).unwrap_or_default();
    let others = hop.map(|h| h.others.join(", ")).unwrap_or_default();
    let mut text = match hop.map(|h| h.relation.as_slice()) {
        Some([noun]) if is_office(noun) => format!("Who is the {noun} of {start}"),
        Some([_, ..]) => format!("What is said about {start} ({words})"),
        _ => format!("What is said about {start}"),
    };
    if !others.is_empty() {
        text = format!("{text}, {others}");
    }
    text.push('?');
    text
}

/// Whether a relation word names the person that stands in the relation: `director`, `father`.
fn is_office(word: &str) -> bool {
    let ends = ["or", "er", "ist", "band"]
        .iter()
        .any(|e| word.ends_with(e));
    ends && !word.ends_with("ier")
        && !matches!(word, "earlier" | "later" | "older" | "first")
        && !matches!(
            word,
            "longer" | "larger" | "higher" | "younger" | "number" | "river"
        )
        || matches!(word, "wife" | "spouse" | "child" | "daughter" | "son")
}

#[cfg(test)]
mod tests {
    use indago_core::{Budget, StopReason};

    use super::*;
    use crate::QuestionGraph;

    fn budget() -> Budget {
        Budget {
            nodes: 16,
            depth: 6,
            rounds: 3,
            queries: 100,
            sources: 10,
            wall_ms: None,
            ..Budget::STANDARD
        }
    }

    fn apply(graph: &mut QuestionGraph, edits: Vec<GraphEdit>) {
        for edit in edits {
            graph.apply(edit).unwrap();
        }
    }

    fn texts(graph: &QuestionGraph) -> Vec<String> {
        graph.view().nodes.into_iter().map(|n| n.text).collect()
    }

    fn answered(view: &mut GraphView, id: u32, text: &str) {
        let node = &mut view.nodes[id as usize];
        node.state = NodeState::Answered;
        node.finding = Some(Finding {
            node: NodeId(id),
            answer: Some(Answer {
                text: text.to_owned(),
                kind: AnswerKind::Person,
            }),
            claims: Vec::new(),
            confidence: 1.0,
            bridges: Vec::new(),
            open: Vec::new(),
            tried: Vec::new(),
            rounds: 1,
            stop: StopReason::Answered,
        });
    }

    #[test]
    fn a_comparison_has_a_node_for_each_option() {
        let mut graph = QuestionGraph::new(
            "Which film came out first, Broken Threads or Copper Moon?",
            &budget(),
        );
        let view = graph.view();
        apply(&mut graph, edits(&view, &[]));
        let view = graph.view();
        assert_eq!(view.dependencies(ROOT).count(), 2);
        assert!(
            texts(&graph)[1].contains("Broken Threads"),
            "{:?}",
            texts(&graph)
        );
        assert!(
            texts(&graph)[2].contains("Copper Moon"),
            "{:?}",
            texts(&graph)
        );
    }

    #[test]
    fn a_bridge_grows_with_the_name_that_was_found() {
        let question = "When was the director of film Copper Moon born?";
        let mut graph = QuestionGraph::new(question, &budget());
        let view = graph.view();
        apply(&mut graph, edits(&view, &[]));
        let mut view = graph.view();
        assert_eq!(view.nodes.len(), 2);
        answered(&mut view, 1, "Ada Quill");
        let next = edits(&view, &[NodeId(1)]);
        assert!(
            matches!(&next[0], GraphEdit::Add { text, reason, depends_on }
                if text == "When was Ada Quill born?" && reason == "bridge entity: Ada Quill"
                    && depends_on == &[NodeId(1)]),
            "{next:?}"
        );
        apply(&mut graph, next);
        assert_eq!(graph.view().dependencies(ROOT).count(), 2);
    }

    #[test]
    fn parts_are_phrases_of_the_question() {
        let question = "Who founded the company that made the vehicle bought with the RAIN grant?";
        let mut graph = QuestionGraph::new(question, &budget());
        let view = graph.view();
        apply(&mut graph, edits(&view, &[]));
        assert_eq!(texts(&graph)[1], "the vehicle bought with the RAIN grant");
        let mut view = graph.view();
        answered(&mut view, 1, "Otter");
        let next = edits(&view, &[NodeId(1)]);
        assert!(
            matches!(&next[0], GraphEdit::Add { text, .. } if text == "the company that made Otter"),
            "{next:?}"
        );
    }

    #[test]
    fn a_plain_question_stays_one_node() {
        let graph = QuestionGraph::new("Who founded Harbour Works?", &budget());
        assert_eq!(edits(&graph.view(), &[]), []);
    }
}
