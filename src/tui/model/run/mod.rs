//! A run as far as its events tell: a fold over them, and where the reader is in it.
//!
//! The same events in the same order give the same state, however they arrive: one by one while a
//! run lives, or all at once from its record. Events that were seen are skipped, a gap is noticed
//! and asked for again. What is kept in memory is bounded; the journal has the rest.

mod node;
mod words;

use indago_core::{
    Budget, Dependency, Event, GraphEdit, NodeId, NodeState, RunId, RunState, StopReason, Usage,
};

use super::scroll::{Recent, Scroll};
use crate::report::stop_in_words;
use crate::tui::text::{clean, clean_bounded};
pub(crate) use node::{Call, Detail, Entry, Node, ReadHit, Tone};
use words::{about, in_words, plainly, spend_word};
pub(crate) use words::{state_word, steering_in_words};

/// Lines of the log that are kept.
const MAX_LOG: usize = 2_000;
/// Bytes of one entry.
const MAX_ENTRY_BYTES: usize = 800;
/// Nodes that are drawn; a budget of more is no graph to look at.
pub(crate) const MAX_NODES: usize = 10_000;
/// Dependencies that are drawn.
pub(crate) const MAX_EDGES: usize = 40_000;

/// An event with its number in the run and its time.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Numbered {
    /// From 0 without gaps.
    pub(crate) seq: u64,
    /// Milliseconds since the Unix epoch.
    pub(crate) at_ms: u64,
    /// What happened.
    pub(crate) event: Event,
}

/// The panes of the run screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pane {
    /// The question graph.
    Graph,
    /// The selected node's trail.
    Trail,
    /// The log.
    Log,
}

impl Pane {
    pub(crate) const ALL: [Self; 3] = [Self::Graph, Self::Trail, Self::Log];
}

/// What became of an event that was handed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Folded {
    /// It is part of the state now.
    New,
    /// It was already.
    Seen,
    /// Events before it are missing; ask again from the number given.
    Gap(u64),
}

/// A run and the reader's place in it.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    /// Which run.
    pub(crate) id: RunId,
    /// The question, cleaned.
    pub(crate) question: String,
    /// The corpus.
    pub(crate) corpus: String,
    /// Where it stands, as its engine says.
    pub(crate) state: RunState,
    /// When it began, in milliseconds since the Unix epoch.
    pub(crate) started_ms: u64,
    /// When it ended.
    pub(crate) ended_ms: Option<u64>,
    /// What it may spend.
    pub(crate) budget: Budget,
    /// What it spent, as far as events tell.
    pub(crate) usage: Usage,
    /// Tokens that models read, those from a cache included.
    pub(crate) prompt_tokens: u64,
    /// Calls of models that are under way.
    pub(crate) calls: Vec<Call>,
    /// Nodes by number.
    pub(crate) nodes: Vec<Node>,
    /// What waits for what.
    pub(crate) edges: Vec<Dependency>,
    /// Changes whenever the places of nodes could: with nodes and edges, not with states.
    pub(crate) version: u64,
    /// Number of the next event.
    pub(crate) next_seq: u64,
    /// What happened.
    pub(crate) log: Recent<Entry>,
    /// Whether it is paused.
    pub(crate) is_paused: bool,
    /// What the run asks back, and the reading it assumes when nobody answers.
    pub(crate) asks_back: Option<(String, String)>,
    /// Why it ended.
    pub(crate) stop: Option<StopReason>,
    /// The selected node.
    pub(crate) selected: usize,
    /// Whether the selection goes with the work; ends with the reader's first key.
    pub(crate) follows: bool,
    /// The selected line of the log; `None` follows its end.
    pub(crate) log_line: Option<usize>,
    /// Where the reader is in the trail.
    pub(crate) trail_scroll: Scroll,
    /// The pane with the focus.
    pub(crate) pane: Pane,
    /// Whether that pane has all the room.
    pub(crate) is_zoomed: bool,
    /// Whether the graph is shown as a tree even where the drawing fits.
    pub(crate) wants_tree: bool,
}

impl Run {
    /// A run of which nothing has been seen yet.
    pub(crate) fn new(id: RunId, question: &str, corpus: &str) -> Self {
        Self {
            id,
            question: clean(question),
            corpus: clean(corpus),
            state: RunState::Running,
            started_ms: 0,
            ended_ms: None,
            budget: Budget::default(),
            usage: Usage::default(),
            prompt_tokens: 0,
            calls: Vec::new(),
            nodes: Vec::new(),
            edges: Vec::new(),
            version: 0,
            next_seq: 0,
            log: Recent::new(MAX_LOG),
            is_paused: false,
            asks_back: None,
            stop: None,
            selected: 0,
            follows: true,
            log_line: None,
            trail_scroll: Scroll::TOP,
            pane: Pane::Graph,
            is_zoomed: false,
            wants_tree: false,
        }
    }

    /// Whether it has ended for good.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.state, RunState::Finished | RunState::Stopped)
    }

    /// The selected node.
    pub(crate) fn node(&self) -> Option<&Node> {
        self.nodes.get(self.selected)
    }

    /// Share of what models read that came from a cache, in per cent; `None` before the first call.
    pub(crate) fn reused(&self) -> Option<u64> {
        let part = self.usage.lm_cached.min(self.prompt_tokens);
        part.saturating_mul(100).checked_div(self.prompt_tokens)
    }

    /// Nodes that are being worked on.
    pub(crate) fn running(&self) -> usize {
        let is_running = |node: &&Node| node.state == NodeState::Running;
        self.nodes.iter().filter(is_running).count()
    }

    /// Nodes on which work has ended, and nodes that count.
    pub(crate) fn progress(&self) -> (usize, usize) {
        let counted = self.nodes.iter().filter(|n| n.state != NodeState::Pruned);
        let ended = counted.clone().filter(|n| n.has_ended()).count();
        (ended, counted.count())
    }

    /// Milliseconds since it began, or that it took.
    pub(crate) fn elapsed_ms(&self, now_ms: u64) -> u64 {
        self.ended_ms
            .unwrap_or(now_ms.max(self.started_ms))
            .saturating_sub(self.started_ms)
    }

    /// Takes the next event into the state.
    pub(crate) fn fold(&mut self, numbered: &Numbered) -> Folded {
        if numbered.seq < self.next_seq {
            return Folded::Seen;
        }
        if numbered.seq > self.next_seq {
            return Folded::Gap(self.next_seq);
        }
        self.next_seq += 1;
        if self.started_ms == 0 {
            self.started_ms = numbered.at_ms;
        }
        let after_ms = numbered.at_ms.saturating_sub(self.started_ms);
        let (node, tone, text) = self.apply(&numbered.event, after_ms);
        if self.follows {
            self.follow(&numbered.event);
        }
        let entry = Entry {
            seq: numbered.seq,
            after_ms,
            node,
            tone,
            text: clean_bounded(&text, MAX_ENTRY_BYTES),
        };
        if let Some(node) = node.and_then(|id| self.nodes.get_mut(id.0 as usize)) {
            node.trail.push(entry.clone());
        }
        self.log.push(entry);
        Folded::New
    }

    /// Selects what is being worked on, and the question itself once all is done.
    fn follow(&mut self, event: &Event) {
        let to = match event {
            Event::Moved {
                node,
                state: NodeState::Running,
            } => node.0 as usize,
            Event::Ended { .. } => 0,
            _ => return,
        };
        if to < self.nodes.len() && to != self.selected {
            self.selected = to;
            self.trail_scroll = Scroll::TOP;
        }
    }

    /// Changes the state and says what happened: about which node, of which kind, in words.
    fn apply(&mut self, event: &Event, after_ms: u64) -> (Option<NodeId>, Tone, String) {
        match event {
            Event::Started { question, corpus } => {
                self.question = clean(question);
                self.corpus = clean(corpus);
                self.node_mut(NodeId(0)).text = clean(question);
                (
                    Some(NodeId(0)),
                    Tone::Note,
                    format!("asked of corpus `{corpus}`"),
                )
            }
            Event::Edited { edit, node } => {
                let (about, text) = self.edit(edit, *node);
                (about, Tone::Plan, text)
            }
            Event::Refused { edit, reason } => (
                about(edit),
                Tone::Rejected,
                format!("refused: {}; {reason}", in_words(edit)),
            ),
            Event::Merged { into, reason, .. } => {
                (Some(*into), Tone::Plan, format!("asks the same: {reason}"))
            }
            Event::Steered { steering } => {
                self.steered(steering);
                (None, Tone::Steered, steering_in_words(steering))
            }
            Event::Moved { node, state } => {
                let moved = self.node_mut(*node);
                moved.state = *state;
                match state {
                    NodeState::Running => {
                        moved.started_ms = Some(after_ms);
                        moved.ended_ms = None;
                        moved.detail = None;
                        moved.is_asked = false;
                    }
                    NodeState::Answered | NodeState::Unanswerable => {
                        moved.ended_ms = Some(after_ms);
                    }
                    _ => {}
                }
                let word = crate::tui::theme::word(*state);
                (Some(*node), Tone::State(*state), word.to_owned())
            }
            Event::Searched {
                node,
                round,
                queries,
                new_passages,
            } => {
                let n = queries.len() as u64;
                self.usage.queries += n;
                self.usage.rounds += 1;
                self.usage.passages += u64::from(*new_passages);
                let searched = self.node_mut(*node);
                searched.rounds = searched.rounds.max(*round);
                searched.queries = searched.queries.saturating_add(n as u32);
                searched.passages = searched.passages.saturating_add(*new_passages);
                (
                    Some(*node),
                    Tone::Search,
                    format!(
                        "round {round}, {new_passages} new passages: {}",
                        queries.join(" | ")
                    ),
                )
            }
            Event::Quoted { node, text, .. } => {
                let quoted = self.node_mut(*node);
                quoted.quotes = quoted.quotes.saturating_add(1);
                (Some(*node), Tone::Quote, text.clone())
            }
            Event::Called {
                node,
                purpose,
                model,
                prompt,
                cached,
                completion,
                money_micros,
                error,
            } => {
                self.usage.lm_calls += 1;
                self.prompt_tokens = self.prompt_tokens.saturating_add(*prompt);
                let usage = &mut self.usage;
                let tokens = prompt.saturating_add(*completion);
                usage.lm_tokens = usage.lm_tokens.saturating_add(tokens);
                usage.lm_cached = usage.lm_cached.saturating_add(*cached);
                usage.money_micros = usage.money_micros.saturating_add(*money_micros);
                if let Some(asked) = node.map(|id| self.node_mut(id)) {
                    asked.calls = asked.calls.saturating_add(1);
                    asked.tokens = asked.tokens.saturating_add(tokens);
                }
                match error {
                    None => (
                        *node,
                        Tone::Search,
                        format!("{purpose}: {model} read {prompt} tokens, wrote {completion}"),
                    ),
                    Some(error) => (
                        *node,
                        Tone::Warning,
                        format!("{purpose}: {model} failed: {error}"),
                    ),
                }
            }
            Event::Clarifying {
                question,
                options,
                assumed,
            } => {
                self.asks_back = Some((clean(question), clean(assumed)));
                let text = format!("asks back: {question} ({})", options.join(" | "));
                (None, Tone::Warning, text)
            }
            Event::Clarified { reading, .. } => {
                self.asks_back = None;
                (None, Tone::Plan, format!("read as: {reading}"))
            }
            Event::Dropped { claim, reason } => {
                (None, Tone::Rejected, format!("dropped: {claim} ({reason})"))
            }
            Event::Warned { message } => (None, Tone::Warning, message.clone()),
            Event::Spent {
                node,
                what,
                spent,
                limit,
            } => {
                let whose = if node.is_some() { "it" } else { "the run" };
                let text = format!("{whose} has spent {spent} of {limit} {}", spend_word(*what));
                (*node, Tone::Warning, text)
            }
            Event::Ended { reason } => {
                self.stop = Some(*reason);
                (
                    None,
                    Tone::Note,
                    format!("ended: {}", stop_in_words(*reason)),
                )
            }
            other => plainly(other),
        }
    }

    fn edit(&mut self, edit: &GraphEdit, made: Option<NodeId>) -> (Option<NodeId>, String) {
        self.version += 1;
        match edit {
            GraphEdit::Add {
                text,
                reason,
                depends_on,
            } => {
                let Some(id) = made else {
                    return (None, in_words(edit));
                };
                let node = self.node_mut(id);
                *node = Node::new(clean(text), clean(reason));
                let edges = depends_on.iter().map(|on| Dependency {
                    from: id,
                    on: *on,
                    reason: String::new(),
                });
                let room = MAX_EDGES.saturating_sub(self.edges.len());
                self.edges.extend(edges.take(room));
                return (Some(id), in_words(edit));
            }
            GraphEdit::Link(edge) if self.edges.len() < MAX_EDGES => self.edges.push(edge.clone()),
            GraphEdit::Reword { node, text, .. } => self.node_mut(*node).text = clean(text),
            GraphEdit::Link(_)
            | GraphEdit::Prune { .. }
            | GraphEdit::Reopen { .. }
            | GraphEdit::Finish { .. } => {}
        }
        (about(edit), in_words(edit))
    }

    fn steered(&mut self, steering: &indago_core::Steering) {
        use indago_core::Steering;
        match steering {
            Steering::Pause => self.is_paused = true,
            Steering::Resume | Steering::Approve => self.is_paused = false,
            Steering::SetBudget { change } => self.budget = change.apply(self.budget),
            _ => {}
        }
    }

    /// The node of a number, made if events name it before they make it. A number beyond what is
    /// drawn gives the last node.
    fn node_mut(&mut self, id: NodeId) -> &mut Node {
        let at = (id.0 as usize).min(MAX_NODES - 1);
        while self.nodes.len() <= at {
            self.version += 1;
            self.nodes.push(Node::new(String::new(), String::new()));
        }
        &mut self.nodes[at]
    }

    /// Keeps what the journal has of a node.
    pub(crate) fn keep_detail(&mut self, id: NodeId, detail: Detail) {
        if let Some(node) = self.nodes.get_mut(id.0 as usize) {
            node.detail = Some(detail);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::node::MAX_TRAIL;
    use super::*;

    fn number(seq: u64, event: Event) -> Numbered {
        Numbered {
            seq,
            at_ms: 1_000 + seq,
            event,
        }
    }

    fn warned(n: u64) -> Event {
        Event::Warned {
            message: format!("w{n}"),
        }
    }

    #[test]
    fn repeated_events_count_once_and_gaps_are_noticed() {
        let mut run = Run::new(RunId::new("r"), "", "");
        assert_eq!(run.fold(&number(0, warned(0))), Folded::New);
        assert_eq!(run.fold(&number(0, warned(0))), Folded::Seen);
        assert_eq!(run.fold(&number(2, warned(2))), Folded::Gap(1));
        assert_eq!(run.fold(&number(1, warned(1))), Folded::New);
        assert_eq!(run.log.total(), 2);
    }

    #[test]
    fn a_flood_is_counted_whole_and_kept_in_bounds() {
        let mut run = Run::new(RunId::new("r"), "", "");
        let text = "long ".repeat(1000);
        for seq in 0..100_000 {
            let event = Event::Quoted {
                node: NodeId((seq % 64) as u32),
                passage: indago_core::PassageId([0; 16]),
                text: text.clone(),
            };
            assert_eq!(run.fold(&number(seq, event)), Folded::New);
        }
        assert_eq!(run.next_seq, 100_000);
        assert_eq!(run.log.total(), 100_000);
        assert_eq!(run.log.iter().len(), MAX_LOG);
        let quotes: u32 = run.nodes.iter().map(|node| node.quotes).sum();
        assert_eq!(quotes, 100_000);
        let kept = |entries: &Recent<Entry>| entries.iter().map(|e| e.text.len()).sum::<usize>();
        let bytes = kept(&run.log) + run.nodes.iter().map(|n| kept(&n.trail)).sum::<usize>();
        assert!(
            bytes <= (MAX_LOG + 64 * MAX_TRAIL) * (MAX_ENTRY_BYTES + 8),
            "{bytes}"
        );
    }

    #[test]
    fn numbers_from_outside_do_not_make_nodes_without_end() {
        let mut run = Run::new(RunId::new("r"), "", "");
        let event = Event::Moved {
            node: NodeId(u32::MAX),
            state: NodeState::Running,
        };
        run.fold(&number(0, event));
        assert_eq!(run.nodes.len(), MAX_NODES);
    }

    #[test]
    fn an_unknown_kind_is_shown_by_its_name() {
        let event = Event::Reported {
            claims: 3,
            sources: 2,
        };
        let (_, _, text) = plainly(&event);
        assert_eq!(text, "reported · claims 3 · sources 2");
    }
}
