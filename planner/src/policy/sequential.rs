//! One hop at a time: what [`Extractive`](super::Extractive) would ask at once is asked in turn,
//! each question seeing what the one before found. The baseline that parallel plans have to beat.

use indago_core::ports::{BoxFuture, PlanPolicy, Purse, TaskCtx, TaskError};
use indago_core::{Dependency, GraphEdit, GraphView, NodeId, NodeState};

use super::extractive;
use crate::ROOT;

/// Asks the parts of the question one after the other.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sequential;

impl PlanPolicy for Sequential {
    fn name(&self) -> &'static str {
        "sequential"
    }

    fn plan<'a>(
        &'a self,
        _cx: &'a mut dyn TaskCtx,
        graph: &'a GraphView,
        _news: &'a [NodeId],
        _purse: Purse<'a>,
    ) -> BoxFuture<'a, Result<Vec<GraphEdit>, TaskError>> {
        let edits = next(graph);
        Box::pin(async { Ok(edits) })
    }
}

/// The next question that has not been asked, waiting for the last one that was.
fn next(graph: &GraphView) -> Vec<GraphEdit> {
    let parts = || graph.nodes.iter().filter(|node| node.id != ROOT);
    let is_over = |state| {
        matches!(
            state,
            NodeState::Answered | NodeState::Unanswerable | NodeState::Pruned
        )
    };
    let Some(root) = graph.nodes.first() else {
        return Vec::new();
    };
    if root.finding.is_some() || !parts().all(|node| is_over(node.state)) {
        return Vec::new();
    }
    // The parts known from the question alone, then the steps that findings lead to.
    let alone = GraphView {
        nodes: vec![root.clone()],
        edges: Vec::new(),
    };
    let answered: Vec<NodeId> = parts()
        .filter(|node| node.state == NodeState::Answered)
        .map(|node| node.id)
        .collect();
    let mut proposed = extractive::edits(&alone, &[]);
    if !answered.is_empty() {
        proposed.extend(extractive::edits(graph, &answered));
    }
    let new = proposed.into_iter().find_map(|edit| match edit {
        GraphEdit::Add { text, reason, .. } => {
            let is_known = graph.nodes.iter().any(|node| node.text == text);
            (!is_known).then_some((text, reason))
        }
        _ => None,
    });
    let Some((text, reason)) = new else {
        return Vec::new();
    };
    let last = parts()
        .filter(|node| node.state != NodeState::Pruned)
        .map(|node| node.id)
        .next_back();
    vec![
        GraphEdit::Add {
            text,
            reason: reason.clone(),
            depends_on: last.into_iter().collect(),
        },
        GraphEdit::Link(Dependency {
            from: ROOT,
            on: NodeId(graph.nodes.len() as u32),
            reason,
        }),
    ]
}

#[cfg(test)]
mod tests {
    use indago_core::{Budget, StopReason};

    use super::*;
    use crate::QuestionGraph;
    use crate::graph::failed_finding;

    #[test]
    fn parts_are_asked_in_turn_and_each_waits_for_the_one_before() {
        let question = "Which film came out first, Broken Threads or Copper Moon?";
        let mut graph = QuestionGraph::new(question, &Budget::STANDARD);
        for n in 1..=2 {
            let edits = next(&graph.view());
            assert_eq!(edits.len(), 2, "part {n}");
            for edit in edits {
                graph.apply(edit).unwrap();
            }
            assert!(next(&graph.view()).is_empty(), "one at a time");
            assert_eq!(graph.startable().collect::<Vec<_>>(), [NodeId(n)]);
            graph.start(NodeId(n)).unwrap();
            let finding = failed_finding(NodeId(n), "?".into(), StopReason::NothingFound);
            graph.settle(finding).unwrap();
        }
        assert_eq!(next(&graph.view()), []);
        assert_eq!(graph.dependencies(NodeId(2)), [NodeId(1)]);
        assert_eq!(graph.dependencies(ROOT).len(), 2);
    }
}
