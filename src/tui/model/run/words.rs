//! Events, edits and steering in words for people.

use indago_core::{Event, GraphEdit, NodeId, RunState, Spend};

use super::Tone;

pub(super) fn about(edit: &GraphEdit) -> Option<NodeId> {
    match edit {
        GraphEdit::Link(edge) => Some(edge.from),
        GraphEdit::Reword { node, .. }
        | GraphEdit::Prune { node, .. }
        | GraphEdit::Reopen { node, .. } => Some(*node),
        GraphEdit::Add { .. } | GraphEdit::Finish { .. } => None,
    }
}

pub(super) fn in_words(edit: &GraphEdit) -> String {
    match edit {
        GraphEdit::Add { text, reason, .. } => format!("added: {text} ({reason})"),
        GraphEdit::Link(edge) => format!("waits for {}: {}", edge.on, edge.reason),
        GraphEdit::Reword { text, reason, .. } => format!("reworded: {text} ({reason})"),
        GraphEdit::Prune { reason, .. } => format!("taken out: {reason}"),
        GraphEdit::Reopen { reason, .. } => format!("asked again: {reason}"),
        GraphEdit::Finish { reason } => format!("the plan is complete: {reason}"),
    }
}

/// What somebody asked of a run, in words.
pub(crate) fn steering_in_words(steering: &indago_core::Steering) -> String {
    use indago_core::Steering;
    match steering {
        Steering::Edit { edits } => {
            let edits: Vec<String> = edits.iter().map(in_words).collect();
            format!("by hand: {}", edits.join("; "))
        }
        Steering::Pause => "paused by hand".to_owned(),
        Steering::Resume => "goes on, by hand".to_owned(),
        Steering::FinishNow => "asked to finish with what there is".to_owned(),
        Steering::Cancel => "cancelled by hand".to_owned(),
        Steering::Approve => "the plan is approved".to_owned(),
        Steering::SetBudget { change } => {
            let limits = serde_json::to_string(change).unwrap_or_default();
            format!("budget set by hand: {}", limits.replace('"', ""))
        }
        Steering::Distrust { document, reason } => {
            format!("not trusted: {document} ({reason})")
        }
        Steering::FollowUp { question } => format!("asked further: {question}"),
        Steering::Clarify { reading } => format!("read as: {reading}"),
    }
}

/// An event of any kind as its name and its fields, so that kinds made later are shown too.
pub(super) fn plainly(event: &Event) -> (Option<NodeId>, Tone, String) {
    let value = serde_json::to_value(event).unwrap_or_default();
    let node = value["node"].as_u64().and_then(|n| u32::try_from(n).ok());
    let mut text = value["event"].as_str().unwrap_or("event").replace('_', " ");
    for (key, field) in value.as_object().into_iter().flatten() {
        if key == "event" || key == "node" {
            continue;
        }
        let shown = field
            .as_str()
            .map_or_else(|| field.to_string(), str::to_owned);
        text.push_str(&format!(
            " · {} {}",
            key.replace('_', " "),
            shown.replace('"', "")
        ));
    }
    (node.map(NodeId), Tone::Note, text)
}

/// What a budget counts, for people.
pub(super) fn spend_word(what: Spend) -> &'static str {
    match what {
        Spend::Queries => "queries",
        Spend::Pages => "pages",
        Spend::LmCalls => "model calls",
        Spend::LmTokens => "model tokens",
        Spend::Money => "millionths of a dollar",
        Spend::WallTime => "milliseconds",
        Spend::Nodes => "sub-questions",
    }
}

/// The state of a run, for people.
pub(crate) fn state_word(state: RunState) -> &'static str {
    match state {
        RunState::Running => "running",
        RunState::Finished => "finished",
        RunState::Stopped => "stopped",
        RunState::Interrupted => "interrupted",
    }
}
