//! Iter-RetGen (Shao et al., 2023): the whole previous draft is part of the next query.

use std::collections::BTreeSet;

use indago_core::PassageId;
use indago_core::ports::{BoxFuture, Request, TaskError};

use super::loops::is_not_found;
use super::retrieve::{note_round, search};
use super::state::{Draft, Origin, QuerySet, SearchState, Stop};
use super::{Guards, Loop};
use crate::model::prompts::{IterRetGen as Task, opening, passage, role};
use crate::model::{Ask, Ports, Role, complete};
use crate::operators::read::asked_part;

/// Words of the draft that go into a query: more would drown the question in a lexical query.
const DRAFT_WORDS: usize = 64;

/// Iter-RetGen with its bounds.
#[derive(Clone, Copy, Debug)]
pub struct IterRetGen {
    /// Rounds of retrieval and generation (`T`).
    pub rounds: u32,
    /// Passages of each round (`k`).
    pub k: usize,
}

impl Default for IterRetGen {
    fn default() -> Self {
        Self { rounds: 2, k: 5 }
    }
}

/// The query of the next round: draft, then question.
fn query(draft: Option<&Draft>, question: &str) -> String {
    let Some(draft) = draft else {
        return question.to_owned();
    };
    let words: Vec<&str> = draft.text.split_whitespace().take(DRAFT_WORDS).collect();
    format!("{} {question}", words.join(" ")).trim().to_owned()
}

/// The draft with the short answer behind its last marker.
fn read_draft(text: &str) -> Draft {
    const MARKER: &str = "so the answer is:";
    let answer = text.lines().rev().find_map(|line| {
        let line = line.trim();
        let head = line.get(..MARKER.len())?;
        head.eq_ignore_ascii_case(MARKER)
            .then(|| line[MARKER.len()..].trim().trim_end_matches('.').to_owned())
    });
    Draft {
        text: text.trim().to_owned(),
        answer: answer.filter(|a| !is_not_found(a)),
    }
}

impl Loop for IterRetGen {
    fn name(&self) -> &'static str {
        "iter_retgen"
    }

    fn run<'a>(
        &'a self,
        ports: &'a mut Ports<'_>,
        state: &'a mut SearchState,
        guards: &'a mut Guards,
    ) -> BoxFuture<'a, Result<(), TaskError>> {
        Box::pin(self.iterate(ports, state, guards))
    }
}

impl IterRetGen {
    async fn iterate(
        &self,
        ports: &mut Ports<'_>,
        state: &mut SearchState,
        guards: &mut Guards,
    ) -> Result<(), TaskError> {
        let mut before: BTreeSet<PassageId> = BTreeSet::new();
        for round in 1..=self.rounds {
            if let Some(stop) = guards.check(ports.cx, state) {
                state.stop = Some(stop);
                return Ok(());
            }
            let set = QuerySet::one(query(state.draft.as_ref(), &state.question));
            // A fresh list each round; evidence keeps the union, so that numbers stay.
            let found = search(ports, state, "iter_retgen", &set, self.k, |_, _| true).await?;
            state.round += 1;
            let now: BTreeSet<PassageId> = found.iter().map(|p| p.id).collect();
            let new = state.show(found, Origin::Retrieved);
            note_round(ports, state, &set, new.len());
            if now.is_empty() {
                state.stop = Some(Stop::NothingFound);
                return Ok(());
            }
            if now == before {
                state.stop = Some(Stop::NoProgress);
                return Ok(());
            }
            before.clone_from(&now);
            // Passages in the order of their numbers: what stays from the last round stays in place.
            let mut listed: Vec<u32> = state
                .evidence
                .iter()
                .filter(|s| now.contains(&s.passage.id))
                .map(|s| s.n)
                .collect();
            listed.sort_unstable();
            let mut prompt = asked_part(opening(&state.whole), state);
            for shown in listed.into_iter().filter_map(|n| state.shown(n)) {
                prompt = passage(prompt, shown.n, &shown.passage);
            }
            let prompt = role(prompt, Task::new().render());
            let ask = Ask {
                role: Role::Reader,
                purpose: format!("iter_retgen/draft/{round}"),
                request: Request {
                    prompt,
                    max_tokens: Some(400),
                    temperature: Some(0.0),
                    ..Request::default()
                },
            };
            let done = complete(ports, ask, &mut state.usage).await?;
            let draft = read_draft(&done.text);
            let normal = |d: &Draft| d.answer.as_deref().map(indago_text::normalize_name);
            let repeated = state
                .draft
                .as_ref()
                .is_some_and(|old| normal(old).is_some() && normal(old) == normal(&draft));
            state.draft = Some(draft);
            if repeated {
                break;
            }
        }
        let answered = state.draft.as_ref().is_some_and(|d| d.answer.is_some());
        state.stop = Some(if answered {
            Stop::Answered
        } else {
            Stop::BudgetRounds
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_query_is_draft_and_question() {
        let draft = read_draft("It was built by Zarnow.\nSo the answer is: unknown.");
        assert_eq!(draft.answer, None);
        assert_eq!(
            query(Some(&draft), "Who?"),
            "It was built by Zarnow. So the answer is: unknown. Who?"
        );
        assert_eq!(
            read_draft("x\nSo the answer is: 1912.").answer.as_deref(),
            Some("1912")
        );
    }
}
