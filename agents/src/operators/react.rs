//! ReAct (Yao et al., 2022): thought, action, observation in one growing context. The baseline that
//! others are compared with: it shows every hit of every search, seen before or not.

use indago_core::ports::{BoxFuture, Request, TaskError};

use super::loops::is_not_found;
use super::retrieve::{note_round, search};
use super::state::{Draft, Origin, QuerySet, SearchState, Stop};
use super::{Guards, Loop, retrieve};
use crate::model::prompts::{React as Task, opening, passage, role, said};
use crate::model::{Ask, Ports, Role, complete, complete_expecting};
use crate::operators::read::asked_part;

/// ReAct with its bounds.
#[derive(Clone, Copy, Debug)]
pub struct React {
    /// Hits of each search.
    pub k: usize,
}

impl Default for React {
    fn default() -> Self {
        Self { k: 12 }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Action {
    Search(String),
    Finish(String),
    None,
}

/// The first action that stands at the start of a line.
fn action(text: &str) -> Action {
    for line in text.lines() {
        let Some(call) = line.trim().strip_prefix("Action:") else {
            continue;
        };
        let inner = |name: &str| {
            let rest = call.trim().strip_prefix(name)?.strip_prefix('[')?;
            Some(rest.trim_end().trim_end_matches(']').trim().to_owned())
        };
        if let Some(query) = inner("search").filter(|q| !q.is_empty()) {
            return Action::Search(query);
        }
        if let Some(answer) = inner("finish") {
            return Action::Finish(answer);
        }
    }
    Action::None
}

impl Loop for React {
    fn name(&self) -> &'static str {
        "react"
    }

    fn expects(&self) -> bool {
        true
    }

    fn run<'a>(
        &'a self,
        ports: &'a mut Ports<'_>,
        state: &'a mut SearchState,
        guards: &'a mut Guards,
    ) -> BoxFuture<'a, Result<(), TaskError>> {
        Box::pin(async move {
            let mut prompt = asked_part(role(opening(&state.whole), Task::new().render()), state);
            for turn in 1.. {
                if let Some(stop) = guards.check(ports.cx, state) {
                    state.stop = Some(stop);
                    break;
                }
                let ask = Ask {
                    role: Role::Searcher,
                    purpose: format!("react/{turn}"),
                    request: Request {
                        prompt: prompt.clone(),
                        max_tokens: Some(300),
                        temperature: Some(0.0),
                        ..Request::default()
                    },
                };
                let done = if turn == 1 {
                    let guessed = retrieve::queries(state, &QuerySet::one(state.question.clone()));
                    complete_expecting(ports, ask, &mut state.usage, guessed, self.k).await?
                } else {
                    complete(ports, ask, &mut state.usage).await?
                };
                prompt = said(prompt, done.text.clone());
                let query = match action(&done.text) {
                    Action::Search(query) => query,
                    Action::Finish(answer) => {
                        state.draft = Some(Draft {
                            answer: (!is_not_found(&answer)).then_some(answer),
                            text: done.text,
                        });
                        state.stop = Some(Stop::Answered);
                        break;
                    }
                    Action::None => {
                        state.stop = Some(Stop::FormatError);
                        break;
                    }
                };
                if !guards.admit(&query) {
                    state.stop = Some(Stop::NoProgress);
                    break;
                }
                let set = QuerySet::one(query);
                let found = search(ports, state, "react", &set, self.k, |_, _| true).await?;
                state.round += 1;
                let new = state.show(found.clone(), Origin::Retrieved);
                note_round(ports, state, &set, new.len());
                guards.progress(!new.is_empty());
                prompt = prompt.user("Observation:");
                for hit in &found {
                    let n = state
                        .evidence
                        .iter()
                        .find(|s| s.passage.id == hit.id)
                        .map_or(0, |s| s.n);
                    prompt = passage(prompt, n, hit);
                }
                if found.is_empty() {
                    prompt = prompt.user("(nothing was found)");
                }
            }
            state.dialogue = Some(prompt);
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_read_from_their_own_line() {
        assert_eq!(
            action("Thought: a\nAction: search[b [c]]"),
            Action::Search("b [c".into())
        );
        assert_eq!(action("Action: finish[x]"), Action::Finish("x".into()));
        assert_eq!(action("I would do Action: search[x]"), Action::None);
    }
}
