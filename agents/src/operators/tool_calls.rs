//! A dialogue with tools: the model itself calls search, open, find and read-around, and what they
//! show becomes evidence with a number (the tool loop of ReAct, Yao et al., 2022, on the servers'
//! own tool calls).
//!
//! A call outside the grant does not run; the model is told so and the run's log too. Calls are
//! journaled steps. What a tool returns is data, and only passages of the corpus can be cited.

use std::sync::Arc;

use indago_core::ports::{
    BoxFuture, Library, Request, StepKey, TaskCtxExt as _, TaskError, ToolScope, Toolbox,
};
use indago_core::{
    Cancel, Event, Filters, Observation, Passage, Prompt, Query, Reuse, Segment, SegmentKind,
    Speaker, ToolCall,
};
use serde::{Deserialize, Serialize};

use super::auto_rag::{Turn, turn as ending};
use super::loops::is_not_found;
use super::state::{Draft, Origin, SearchState, Stop};
use super::{Guards, Loop};
use crate::model::prompts::{AutoRagLast, ToolDialogue, opening, role, said};
use crate::model::{Ask, Ports, Role, complete};
use crate::operators::read::asked_part;

/// Calls of one turn that are answered; the model is told that the others were not.
const CALLS_OF_A_TURN: usize = 4;

/// Passages that stand for what was opened or found in a document.
const PASSAGES_OF_A_DOCUMENT: usize = 8;

/// Text of a document by which its passages are looked up.
const LOOKED_UP_BYTES: usize = 400;

/// The loop with its tools.
pub struct ToolCalls {
    /// What the model may call.
    pub tools: Arc<dyn Toolbox>,
    /// Turns at most.
    pub turns: u32,
}

impl ToolCalls {
    /// A dialogue with `tools`.
    pub fn new(tools: Arc<dyn Toolbox>) -> Self {
        Self { tools, turns: 12 }
    }
}

impl std::fmt::Debug for ToolCalls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ToolCalls({} turns)", self.turns)
    }
}

/// What came of a call, as it is recorded.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answered {
    Seen(Observation),
    Refused { say: String, cause: String },
}

impl Loop for ToolCalls {
    fn name(&self) -> &'static str {
        "tool_calls"
    }

    fn run<'a>(
        &'a self,
        ports: &'a mut Ports<'_>,
        state: &'a mut SearchState,
        guards: &'a mut Guards,
    ) -> BoxFuture<'a, Result<(), TaskError>> {
        Box::pin(self.converse(ports, state, guards))
    }
}

impl ToolCalls {
    async fn converse(
        &self,
        ports: &mut Ports<'_>,
        state: &mut SearchState,
        guards: &mut Guards,
    ) -> Result<(), TaskError> {
        let task = ToolDialogue::new().render();
        let mut prompt = asked_part(role(opening(&state.whole), task), state);
        let mut stop: Option<Stop> = None;
        for turn in 1.. {
            // The last turn is asked without tools: it can only answer.
            let ask = Ask {
                role: Role::Searcher,
                purpose: format!("tool_calls/{turn}"),
                request: Request {
                    prompt: prompt.clone(),
                    tools: if stop.is_none() {
                        self.tools.specs()
                    } else {
                        Vec::new()
                    },
                    max_tokens: Some(400),
                    temperature: Some(0.0),
                    ..Request::default()
                },
            };
            let done = complete(ports, ask, &mut state.usage).await?;
            if done.tool_calls.is_empty() || stop.is_some() {
                let answer = match ending(&done.text) {
                    Turn::Answer(answer) => Some(answer),
                    Turn::Query(_) | Turn::Unmarked => None,
                };
                state.draft = Some(Draft {
                    answer: answer.filter(|a| !is_not_found(a)),
                    text: done.text,
                });
                state.stop = Some(stop.unwrap_or(Stop::Answered));
                return Ok(());
            }
            prompt = called(prompt, done.text, done.tool_calls.clone());
            let before = state.evidence.len();
            for (i, call) in done.tool_calls.into_iter().enumerate() {
                let text = if i >= CALLS_OF_A_TURN {
                    "Not run: too many calls in one turn. Make it in the next.".to_owned()
                } else if !guards.admit(&format!("{} {}", call.name, call.arguments)) {
                    "Not run: the same call was made before, and its answer stands above."
                        .to_owned()
                } else {
                    self.answer(ports, state, turn, i, &call).await?
                };
                prompt = observed(prompt, call.id, text);
            }
            guards.progress(state.evidence.len() > before);
            stop = guards
                .check(ports.cx, state)
                .or_else(|| (turn + 1 >= self.turns).then_some(Stop::BudgetRounds));
            if stop.is_some() {
                prompt = prompt.user(AutoRagLast::new().render());
            }
        }
        Ok(())
    }

    /// Runs a call as a recorded step, and gives what the model is shown.
    async fn answer(
        &self,
        ports: &mut Ports<'_>,
        state: &mut SearchState,
        turn: u32,
        i: usize,
        call: &ToolCall,
    ) -> Result<String, TaskError> {
        let scope = ToolScope {
            filters: state.filters.clone(),
            documents: if state.filters.is_empty() {
                Vec::new()
            } else {
                let mut seen: Vec<_> = state
                    .evidence
                    .iter()
                    .map(|shown| shown.passage.document.clone())
                    .collect();
                seen.sort();
                seen.dedup();
                seen
            },
        };
        let key = StepKey::new(format!("tool/{turn}/{i}"), &(call, &scope));
        let (tools, asked) = (Arc::clone(&self.tools), call.clone());
        let answered: Answered = ports
            .cx
            .run_step(key, async move {
                Ok(match tools.call(&asked, &scope, Cancel::new()).await {
                    Ok(observation) => Answered::Seen(observation),
                    Err(error) => Answered::Refused {
                        say: error.say,
                        cause: error.cause,
                    },
                })
            })
            .await?;
        let observation = match answered {
            Answered::Seen(observation) => observation,
            Answered::Refused { say, cause } => {
                let name: String = call.name.chars().take(64).collect();
                ports.cx.emit(Event::Warned {
                    message: format!("{}: the call of `{name}` was refused: {cause}", state.node),
                });
                return Ok(say);
            }
        };
        state.round += 1;
        state.usage.rounds += 1;
        state.usage.queries += 1;
        let words = format!("{} {}", call.name, call.arguments);
        let words = crate::model::prompts::one_line(&words);
        state.tried.push(words.clone());
        let found = passages(ports.library, state, &observation).await?;
        let new = state.show(found.clone(), Origin::Retrieved).len();
        state.usage.passages += new as u64;
        ports.cx.emit(Event::Searched {
            node: state.node,
            round: state.round,
            queries: vec![words],
            new_passages: new as u32,
        });
        Ok(numbered(state, observation.text, &found))
    }
}

/// The passages that an observation showed; of an opened document those that overlap with it.
async fn passages(
    library: &dyn Library,
    state: &SearchState,
    observation: &Observation,
) -> Result<Vec<Passage>, TaskError> {
    let shown = library.passages(observation.passages.clone()).await?;
    if !shown.is_empty() || observation.quotes.is_empty() {
        return Ok(shown);
    }
    let queries = observation.quotes.iter().take(CALLS_OF_A_TURN);
    let queries: Vec<Query> = queries
        .map(|quote| Query {
            filters: Filters {
                paths: vec![literally(quote.document.as_str())],
                ..state.filters.clone()
            },
            ..Query::new(crate::model::clipped(&quote.text, LOOKED_UP_BYTES))
        })
        .collect();
    let lists = library.search(queries, PASSAGES_OF_A_DOCUMENT).await?;
    let mut ids = Vec::new();
    for hit in lists.into_iter().flatten() {
        if !ids.contains(&hit.passage) {
            ids.push(hit.passage);
        }
    }
    let mut found = library.passages(ids).await?;
    found.retain(|passage| {
        observation.quotes.iter().any(|quote| {
            quote.document == passage.document
                && quote.start < passage.span.end
                && passage.span.start < quote.end
        })
    });
    found.sort_by_key(|passage| passage.span.start);
    Ok(found)
}

/// A pattern that matches this path only.
fn literally(path: &str) -> String {
    let mut pattern = String::with_capacity(path.len());
    for c in path.chars() {
        if matches!(c, '*' | '?' | '[' | ']' | '{' | '}') {
            pattern.extend(['[', c, ']']);
        } else {
            pattern.push(c);
        }
    }
    pattern
}

/// An observation in which passages have the numbers by which they are cited.
fn numbered(state: &SearchState, mut text: String, found: &[Passage]) -> String {
    let mut others = Vec::new();
    for passage in found {
        let Some(shown) = state.evidence.iter().find(|s| s.passage.id == passage.id) else {
            continue;
        };
        let mark = format!("[passage {}]", passage.id);
        if text.contains(&mark) {
            text = text.replace(&mark, &format!("[{}] (passage {})", shown.n, passage.id));
        } else {
            others.push(format!("[{}] (passage {})", shown.n, passage.id));
        }
    }
    if !others.is_empty() {
        text.push_str(&format!("\nThis text is cited as {}.", others.join(", ")));
    }
    text
}

/// Appends the calls that the model made.
fn called(mut prompt: Prompt, text: String, calls: Vec<ToolCall>) -> Prompt {
    if calls.is_empty() {
        return said(prompt, text);
    }
    prompt.segments.push(Segment {
        speaker: Speaker::Assistant,
        kind: SegmentKind::ToolCalls(calls),
        text,
        reuse: Reuse::Prefix,
    });
    prompt
}

/// Appends what came of a call.
fn observed(mut prompt: Prompt, call: String, text: String) -> Prompt {
    prompt.segments.push(Segment {
        speaker: Speaker::Tool,
        kind: SegmentKind::ToolResult { call },
        text,
        reuse: Reuse::Prefix,
    });
    prompt
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_the_signs_of_patterns_matches_itself_only() {
        assert_eq!(literally("a/b [1]*.md"), "a/b [[]1[]][*].md");
    }
}
