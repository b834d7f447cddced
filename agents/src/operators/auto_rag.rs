//! Auto-RAG (Yu et al., 2024): one model in a dialogue with the retriever decides what is known,
//! what is missing, and when to stop.
//!
//! The dialogue is append-only: each request begins with all bytes of the one before it.

use indago_core::ports::{BoxFuture, Request, TaskError};
use indago_core::{DocumentId, Passage, PassageId, Prompt};

use super::loops::is_not_found;
use super::state::{Draft, Origin, QuerySet, SearchState, Stop};
use super::{Guards, Loop, retrieve};
use crate::model::prompts::{
    AutoRag as Task, AutoRagElicit, AutoRagFormat, AutoRagLast, AutoRagPassages, opening, passage,
    role, said,
};
use crate::model::{Ask, Ports, Role, complete, complete_expecting};
use crate::operators::read::asked_part;

/// Auto-RAG with its bounds.
#[derive(Clone, Copy, Debug)]
pub struct AutoRag {
    /// Retrievals at most (`T`).
    pub retrievals: u32,
    /// Rounds of passages from the model's own knowledge after that (`m_p`).
    pub elicitations: u32,
    /// Unseen passages shown for each query (`m`).
    pub per_turn: usize,
    /// Tokens of a turn.
    pub turn_tokens: u32,
}

impl Default for AutoRag {
    /// The paper's bounds, with five elicitations cut to one: what they bring is never cited.
    fn default() -> Self {
        Self {
            retrievals: 10,
            elicitations: 1,
            per_turn: 6,
            turn_tokens: 300,
        }
    }
}

/// How a turn ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    Query(String),
    Answer(String),
    Unmarked,
}

/// Reads the first marker that stands at the start of a line.
pub(crate) fn turn(text: &str) -> Turn {
    for line in text.lines() {
        let line = line.trim();
        let after = |marker: &str| {
            let head = line.get(..marker.len())?;
            head.eq_ignore_ascii_case(marker)
                .then(|| line[marker.len()..].trim())
                // The prompt's own marks of what is to be filled in.
                .map(|text| text.trim_matches(['<', '>']).trim().to_owned())
        };
        if let Some(query) = after("Refined Query:").or_else(|| after("Query:")) {
            if !query.is_empty() {
                return Turn::Query(query);
            }
        } else if let Some(answer) = after("Final Answer:") {
            return Turn::Answer(answer);
        }
    }
    Turn::Unmarked
}

impl Loop for AutoRag {
    fn name(&self) -> &'static str {
        "auto_rag"
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
            let ended = self.converse(ports, state, guards, &mut prompt).await;
            state.dialogue = Some(prompt);
            ended
        })
    }
}

impl AutoRag {
    async fn converse(
        &self,
        ports: &mut Ports<'_>,
        state: &mut SearchState,
        guards: &mut Guards,
        prompt: &mut Prompt,
    ) -> Result<(), TaskError> {
        let mut elicited = 0;
        let mut turns = 0;
        let mut ending: Option<Stop> = None;
        loop {
            if let Some(stop) = guards.spent(state) {
                state.stop = Some(stop);
                return Ok(());
            }
            turns += 1;
            let (next, text) = self.take_turn(ports, state, prompt, turns).await?;
            let query = match next {
                Turn::Answer(answer) => {
                    state.draft = Some(Draft {
                        answer: (!is_not_found(&answer)).then_some(answer),
                        text,
                    });
                    state.stop = Some(ending.unwrap_or(Stop::Answered));
                    return Ok(());
                }
                Turn::Unmarked => {
                    state.stop = Some(Stop::FormatError);
                    return Ok(());
                }
                Turn::Query(query) => query,
            };
            if let Some(stop) = ending {
                // It was told that nothing more can be retrieved and asked again.
                state.stop = Some(stop);
                return Ok(());
            }
            let out_of_retrievals = state.round >= self.retrievals;
            let stop = guards
                .check(ports.cx, state)
                .or_else(|| out_of_retrievals.then_some(Stop::BudgetRounds));
            match stop {
                Some(Stop::BudgetRounds) if elicited < self.elicitations => {
                    elicited += 1;
                    let before = std::mem::take(prompt);
                    *prompt = self.elicit(ports, state, before, &query, elicited).await?;
                }
                Some(stop) => {
                    *prompt = std::mem::take(prompt).user(AutoRagLast::new().render());
                    ending = Some(stop);
                }
                None if !guards.admit(&query) => {
                    *prompt = std::mem::take(prompt).user(AutoRagLast::new().render());
                    ending = Some(Stop::NoProgress);
                }
                None => {
                    let set = QuerySet::one(query);
                    let new =
                        retrieve::round(ports, state, "auto_rag", &set, self.per_turn).await?;
                    guards.progress(!new.is_empty());
                    let mut next = std::mem::take(prompt).user(AutoRagPassages::new().render());
                    for shown in state.evidence.iter().filter(|s| new.contains(&s.n)) {
                        next = passage(next, shown.n, &shown.passage);
                    }
                    if new.is_empty() {
                        next = next.user("(no further passage was found)");
                    }
                    *prompt = next;
                }
            }
        }
    }

    /// The model's next turn; asked once more when it has no marker.
    async fn take_turn(
        &self,
        ports: &mut Ports<'_>,
        state: &mut SearchState,
        prompt: &mut Prompt,
        turns: u32,
    ) -> Result<(Turn, String), TaskError> {
        let ask = |prompt: &Prompt, purpose: String| Ask {
            role: Role::Searcher,
            purpose,
            request: Request {
                prompt: prompt.clone(),
                max_tokens: Some(self.turn_tokens),
                temperature: Some(0.0),
                ..Request::default()
            },
        };
        let first = ask(prompt, format!("auto_rag/turn/{turns}"));
        let done = if turns == 1 {
            // The first query is often the sub-question itself.
            let set = QuerySet::one(state.question.clone());
            let guessed = retrieve::queries(state, &set);
            complete_expecting(ports, first, &mut state.usage, guessed, self.per_turn).await?
        } else {
            complete(ports, first, &mut state.usage).await?
        };
        *prompt = said(std::mem::take(prompt), done.text.clone());
        let mut read = turn(&done.text);
        let mut text = done.text;
        if read == Turn::Unmarked {
            *prompt = std::mem::take(prompt).user(AutoRagFormat::new().render());
            let again = ask(prompt, format!("auto_rag/turn/{turns}/format"));
            let done = complete(ports, again, &mut state.usage).await?;
            *prompt = said(std::mem::take(prompt), done.text.clone());
            read = turn(&done.text);
            text = done.text;
        }
        Ok((read, text))
    }

    /// A passage from the model's own knowledge, shown as if it had been found and never cited.
    async fn elicit(
        &self,
        ports: &mut Ports<'_>,
        state: &mut SearchState,
        prompt: Prompt,
        query: &str,
        nth: u32,
    ) -> Result<Prompt, TaskError> {
        let task = role(opening(&state.whole), AutoRagElicit::new(query).render());
        let ask = Ask {
            role: Role::Searcher,
            purpose: format!("auto_rag/elicit/{nth}"),
            request: Request {
                prompt: task,
                max_tokens: Some(self.turn_tokens),
                ..Request::default()
            },
        };
        let done = complete(ports, ask, &mut state.usage).await?;
        let document = DocumentId::new("parametric");
        let text = done.text.trim().to_owned();
        let end = text.len() as u64;
        let imagined = Passage {
            id: PassageId::of(&document, u64::from(nth), end, &text),
            document,
            title: "From the model's own knowledge, not from the corpus".to_owned(),
            span: 0..end,
            text,
            ordinal: 0,
            location: indago_core::Location::default(),
            date: None,
            metadata: std::collections::BTreeMap::new(),
        };
        let mut prompt = prompt.user(AutoRagPassages::new().render());
        let numbers = state.show(vec![imagined], Origin::Parametric);
        for shown in state.evidence.iter().filter(|s| numbers.contains(&s.n)) {
            // No passage id: nothing in the corpus stands behind it.
            prompt = prompt.data(
                "parametric",
                None,
                format!("{}\n{}", shown.passage.title, shown.passage.text),
            );
        }
        Ok(prompt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_count_only_at_the_start_of_a_line() {
        assert_eq!(turn("My query: none yet"), Turn::Unmarked);
        assert_eq!(
            turn("I need more.\nRefined query: Ada Quill born"),
            Turn::Query("Ada Quill born".into())
        );
        assert_eq!(turn("Query:\nFinal Answer: x"), Turn::Answer("x".into()));
        assert_eq!(turn("Final Answer: <Hamar>"), Turn::Answer("Hamar".into()));
        assert_eq!(turn("é"), Turn::Unmarked);
    }
}
