//! IRCoT (Trivedi et al., 2023): retrieval interleaved with a chain of thought, one sentence at a
//! time; each new sentence is the next query.

use indago_core::ports::{BoxFuture, Request, TaskError};

use super::loops::is_not_found;
use super::state::{Draft, QuerySet, SearchState, Stop};
use super::{Guards, Loop, retrieve};
use crate::model::prompts::{Interleave as Task, InterleaveNext, opening, passage, role, said};
use crate::model::{Ask, Ports, Role, complete};
use crate::operators::read::asked_part;

/// IRCoT with its bounds.
#[derive(Clone, Copy, Debug)]
pub struct Interleave {
    /// Sentences at most.
    pub sentences: u32,
    /// Unseen passages after each.
    pub k: usize,
}

impl Default for Interleave {
    fn default() -> Self {
        Self { sentences: 8, k: 4 }
    }
}

const MARKER: &str = "so the answer is:";

/// The first sentence of `text`, and the answer where it is the last of the chain.
fn step(text: &str) -> (String, Option<String>) {
    let line = text.lines().map(str::trim).find(|l| !l.is_empty());
    let line = line.unwrap_or_default();
    if let Some(at) = line.to_ascii_lowercase().find(MARKER) {
        let answer = line.get(at + MARKER.len()..).unwrap_or_default();
        return (
            line.to_owned(),
            Some(answer.trim().trim_end_matches('.').to_owned()),
        );
    }
    let first = indago_text::sentences(line).into_iter().next();
    (first.map_or(line, |r| &line[r]).to_owned(), None)
}

impl Loop for Interleave {
    fn name(&self) -> &'static str {
        "interleave"
    }

    fn run<'a>(
        &'a self,
        ports: &'a mut Ports<'_>,
        state: &'a mut SearchState,
        guards: &'a mut Guards,
    ) -> BoxFuture<'a, Result<(), TaskError>> {
        Box::pin(async move {
            let mut prompt = asked_part(role(opening(&state.whole), Task::new().render()), state);
            let mut query = state.question.clone();
            let mut chain = String::new();
            for sentence in 1..=self.sentences {
                if let Some(stop) = guards.check(ports.cx, state) {
                    state.stop = Some(stop);
                    break;
                }
                if !guards.admit(&query) {
                    state.stop = Some(Stop::NoProgress);
                    break;
                }
                let set = QuerySet::one(query);
                let new = retrieve::round(ports, state, "interleave", &set, self.k).await?;
                guards.progress(!new.is_empty());
                if sentence > 1 {
                    prompt = prompt.user(InterleaveNext::new().render());
                }
                for shown in state.evidence.iter().filter(|s| new.contains(&s.n)) {
                    prompt = passage(prompt, shown.n, &shown.passage);
                }
                let ask = Ask {
                    role: Role::Searcher,
                    purpose: format!("interleave/{sentence}"),
                    request: Request {
                        prompt: prompt.clone(),
                        max_tokens: Some(120),
                        temperature: Some(0.0),
                        ..Request::default()
                    },
                };
                let done = complete(ports, ask, &mut state.usage).await?;
                let (written, answer) = step(&done.text);
                prompt = said(prompt, written.clone());
                chain.push_str(&written);
                chain.push(' ');
                if let Some(answer) = answer {
                    state.draft = Some(Draft {
                        text: chain,
                        answer: (!is_not_found(&answer)).then_some(answer),
                    });
                    state.stop = Some(Stop::Answered);
                    break;
                }
                query = written;
            }
            state.stop.get_or_insert(Stop::BudgetRounds);
            state.dialogue = Some(prompt);
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_sentence_is_taken_and_the_answer_seen() {
        assert_eq!(step("It is A. It is B.").0.trim(), "It is A.");
        assert_eq!(step("So the answer is: X.").1.as_deref(), Some("X"));
        assert_eq!(step("").0, "");
    }
}
