//! The graph as a run's events tell it: at any moment of a run, also one that never finished.

use indago_core::{Dependency, Event, GraphEdit, GraphView, NodeId, NodeState, SubQuestion};

use crate::question::tidy_reason;

/// The graph after `events`, which begin with the run's first. Findings are not in events: nodes
/// have their states and no answers. Events that do not fit (from a damaged journal) are passed
/// over.
pub fn from_events<'a>(events: impl IntoIterator<Item = &'a Event>) -> GraphView {
    let mut view = GraphView::default();
    for event in events {
        match event {
            Event::Started { question, .. } if view.nodes.is_empty() => {
                view.nodes.push(SubQuestion {
                    id: NodeId(0),
                    text: question.clone(),
                    state: NodeState::Ready,
                    reason: "the question".into(),
                    finding: None,
                });
            }
            Event::Edited { edit, node } => edited(&mut view, edit, *node),
            Event::Moved { node, state } => {
                if let Some(node) = view.nodes.get_mut(node.0 as usize) {
                    node.state = *state;
                }
            }
            _ => {}
        }
    }
    view
}

fn edited(view: &mut GraphView, edit: &GraphEdit, added: Option<NodeId>) {
    match edit {
        GraphEdit::Add {
            text,
            reason,
            depends_on,
        } => {
            let id = NodeId(view.nodes.len() as u32);
            if added != Some(id) {
                return;
            }
            let reason = tidy_reason(reason);
            let mut on = depends_on.clone();
            on.sort_unstable();
            on.dedup();
            view.edges
                .extend(on.into_iter().filter(|on| *on < id).map(|on| Dependency {
                    from: id,
                    on,
                    reason: reason.clone(),
                }));
            view.nodes.push(SubQuestion {
                id,
                text: text.clone(),
                state: NodeState::Ready,
                reason,
                finding: None,
            });
        }
        GraphEdit::Link(Dependency { from, on, reason }) => {
            let is_known = |edge: &Dependency| edge.from == *from && edge.on == *on;
            let both = view.node(*from).is_some() && view.node(*on).is_some();
            if both && !view.edges.iter().any(is_known) {
                view.edges.push(Dependency {
                    from: *from,
                    on: *on,
                    reason: tidy_reason(reason),
                });
            }
        }
        GraphEdit::Reword { node, text, reason } => {
            if let Some(node) = view.nodes.get_mut(node.0 as usize) {
                node.text.clone_from(text);
                node.reason = tidy_reason(reason);
            }
        }
        GraphEdit::Prune { node, reason } | GraphEdit::Reopen { node, reason } => {
            if let Some(node) = view.nodes.get_mut(node.0 as usize) {
                node.reason = tidy_reason(reason);
            }
        }
        GraphEdit::Finish { .. } => {}
    }
}
