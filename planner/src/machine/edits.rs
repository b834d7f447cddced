//! Edits from policies and from outside, on their way into the graph.

use indago_core::{Dependency, EditRefused, Event, GraphEdit, NodeId, NodeState};

use super::{Action, Alike, Phase, Planner, warn};
use crate::question::differs_in_detail;

/// Cosine of two questions' vectors from which they may be one question in other words.
pub const ALIKE_FROM: f32 = 0.95;

/// Edits of one turn that are looked at, for each node that the budget allows; at least
/// [`FEWEST_EDITS`].
const EDITS_PER_NODE: usize = 4;
const FEWEST_EDITS: usize = 64;

impl Planner {
    pub(super) fn planned(
        &mut self,
        edits: Vec<GraphEdit>,
        alike: &[Alike],
        now_ms: u64,
        events: &mut Vec<Event>,
    ) {
        let Some(asked) = self.asked.take() else {
            warn(events, "a plan came that nobody asked for".into());
            return;
        };
        self.apply(edits, alike, asked.base, events);
        self.await_approval(now_ms, events);
    }

    /// Applies edits whose author saw `base` nodes and numbers those that the edits add from there.
    pub(super) fn apply(
        &mut self,
        mut edits: Vec<GraphEdit>,
        alike: &[Alike],
        base: u32,
        events: &mut Vec<Event>,
    ) {
        if self.phase != Phase::Searching {
            return;
        }
        let most = (self.limits.budget.nodes as usize)
            .saturating_mul(EDITS_PER_NODE)
            .max(FEWEST_EDITS);
        if edits.len() > most {
            warn(
                events,
                format!(
                    "{} edits at once: all after the first {most} are ignored",
                    edits.len()
                ),
            );
            edits.truncate(most);
        }
        // Where the nodes that the author counts from `base` on came to stand.
        let mut placed: Vec<Option<NodeId>> = Vec::new();
        for (nth, mut edit) in edits.into_iter().enumerate() {
            let is_addition = matches!(edit, GraphEdit::Add { .. });
            let outcome = match renumber(&mut edit, base, &placed) {
                Ok(()) => self.apply_one(edit.clone(), nth, alike, events),
                Err(unknown) => Err(EditRefused::UnknownNode(unknown)),
            };
            let place = match outcome {
                Ok(node) => node,
                Err(reason) => {
                    events.push(Event::Refused { edit, reason });
                    None
                }
            };
            if is_addition {
                placed.push(place);
            }
            self.drain_moves(events);
        }
        if self.graph.is_finished() {
            self.phase = Phase::Draining;
        }
    }

    /// Gives the node that stands for an added question.
    fn apply_one(
        &mut self,
        edit: GraphEdit,
        nth: usize,
        alike: &[Alike],
        events: &mut Vec<Event>,
    ) -> Result<Option<NodeId>, EditRefused> {
        if !self.graph.is_finished()
            && let Some((into, reason)) = self.same_question(&edit, nth, alike)
        {
            events.push(Event::Merged { edit, into, reason });
            return Ok(Some(into));
        }
        let pruned = match &edit {
            GraphEdit::Prune { node, .. } => Some(*node),
            _ => None,
        };
        let node = self.graph.apply(edit.clone())?;
        events.push(Event::Edited { edit, node });
        if let Some(node) = pruned
            && self.running.remove(&node).is_some()
        {
            self.account.release(node);
            self.cancel.push(Action::Cancel(node));
        }
        Ok(node)
    }

    /// The node that asks the same as the question this edit adds, and how that is seen.
    fn same_question(
        &self,
        edit: &GraphEdit,
        nth: usize,
        alike: &[Alike],
    ) -> Option<(NodeId, String)> {
        let GraphEdit::Add { text, .. } = edit else {
            return None;
        };
        if let Some(twin) = self.graph.twin(text) {
            return Some((twin, "the same words".into()));
        }
        let like = alike
            .iter()
            .find(|like| like.edit == nth && like.cosine >= ALIKE_FROM)?;
        let twin = self.graph.node(like.node)?;
        let may = twin.state != NodeState::Pruned && !differs_in_detail(text, &twin.text);
        may.then(|| {
            (
                like.node,
                format!("means the same: cosine {:.2}", like.cosine),
            )
        })
    }
}

/// Replaces the numbers of nodes that the author counted on by those they got.
fn renumber(edit: &mut GraphEdit, base: u32, placed: &[Option<NodeId>]) -> Result<(), NodeId> {
    let place = |node: &mut NodeId| {
        if node.0 >= base {
            *node = placed
                .get((node.0 - base) as usize)
                .copied()
                .flatten()
                .ok_or(*node)?;
        }
        Ok(())
    };
    match edit {
        GraphEdit::Add { depends_on, .. } => depends_on.iter_mut().try_for_each(place),
        GraphEdit::Link(Dependency { from, on, .. }) => {
            place(from)?;
            place(on)
        }
        GraphEdit::Reword { node, .. }
        | GraphEdit::Prune { node, .. }
        | GraphEdit::Reopen { node, .. } => place(node),
        GraphEdit::Finish { .. } => Ok(()),
    }
}
