//! What all strategies share: state in, reading at the end, a finding out.

use indago_core::ports::{BoxFuture, Library, TaskCtx, TaskError};
use indago_core::{Allowance, Answer, AnswerKind, Event, Finding, StopReason};

use super::state::{SearchState, Stop};
use super::{Guards, Strategy, is_fatal, read};
use crate::model::{Models, Ports, is_unaffordable, is_unusable};
use crate::{SearchInput, Searched, search_sub_question};

/// Confidence of an answer that stands on at least one exact quote, and of quotes without an
/// answer. Stated, not fitted: a remote model's own figures are no probabilities.
const ANSWERED: f32 = 0.8;
const QUOTED: f32 = 0.4;

/// The body of a strategy: everything between the empty state and the reading.
pub trait Loop: Send + Sync {
    /// Registered name.
    fn name(&self) -> &str;

    /// Searches until `state.stop` is set.
    fn run<'a>(
        &'a self,
        ports: &'a mut Ports<'_>,
        state: &'a mut SearchState,
        guards: &'a mut Guards,
    ) -> BoxFuture<'a, Result<(), TaskError>>;

    /// As [`Strategy::expects`].
    fn expects(&self) -> bool {
        false
    }
}

/// A loop with its models: searches, then reads quotes first, then binds claims to them.
#[derive(Debug)]
pub(super) struct Searcher<L> {
    body: L,
    models: Models,
}

impl<L: Loop> Searcher<L> {
    /// A strategy from a loop.
    pub(super) fn new(body: L, models: Models) -> Self {
        Self { body, models }
    }
}

impl<L: Loop> Strategy for Searcher<L> {
    fn name(&self) -> &str {
        self.body.name()
    }

    fn expects(&self) -> bool {
        self.body.expects()
    }

    fn search<'a>(
        &'a self,
        cx: &'a mut dyn TaskCtx,
        library: &'a dyn Library,
        input: &'a SearchInput,
    ) -> BoxFuture<'a, Result<Searched, TaskError>> {
        Box::pin(async move {
            let mut state = SearchState::new(input);
            let whole = input.limits.allowance();
            let searching = for_searching(whole);
            let limits = crate::Limits {
                lm_calls: searching.calls,
                lm_tokens: searching.tokens,
                money_micros: searching.money_micros,
                ..input.limits
            };
            let mut guards = Guards::new(cx, limits);
            let mut ports = Ports::new(cx, library, &self.models)
                .on(input.node)
                .within(searching);
            let synthesis =
                input.question.trim() == input.whole.trim() && !input.parents.is_empty();
            // The whole question, whose parts are answered, is read from their quotes.
            let searched = if synthesis {
                read::adopt_parents(&mut ports, &mut state).await.map(|()| {
                    state.stop = Some(Stop::Answered);
                })
            } else {
                self.body.run(&mut ports, &mut state, &mut guards).await
            };
            if let Err(error) = searched {
                if is_fatal(&error) {
                    return Err(error);
                }
                state.stop = Some(if is_unaffordable(&error) {
                    Stop::BudgetTokens
                } else {
                    Stop::ModelFailed(error.to_string())
                });
            }
            ports.allowance = whole;
            match read::quotes_first(&mut ports, &mut state).await {
                Ok(read::Outcome::Read) => {}
                Ok(read::Outcome::Unusable) => {
                    let why = "no claim that it wrote stands in the passages";
                    return without_the_model(&mut ports, state, input, &guards, why).await;
                }
                Err(error) if is_fatal(&error) => return Err(error),
                Err(error) if is_unusable(&error) => {
                    let why = error.to_string();
                    return without_the_model(&mut ports, state, input, &guards, &why).await;
                }
                Err(error) => {
                    state
                        .missing
                        .push(format!("the passages could not be read: {error}"));
                    state.stop = Some(if is_unaffordable(&error) {
                        Stop::BudgetTokens
                    } else {
                        Stop::ModelFailed(error.to_string())
                    });
                }
            }
            Ok(conclude(&mut ports, state))
        })
    }
}

/// The finding of the extractive reader, where the model answered and nothing of its reading can be
/// used: a model that cannot keep to a format should not cost what is found without one. It searches
/// with what is left of the limits.
async fn without_the_model(
    ports: &mut Ports<'_>,
    mut state: SearchState,
    input: &SearchInput,
    guards: &Guards,
    why: &str,
) -> Result<Searched, TaskError> {
    let why = format!("the model's reading was left out ({why})");
    ports.cx.emit(Event::Warned {
        message: format!("{}: {why}: read without it", state.node),
    });
    if let Some(limits) = guards.left(ports.cx, &state) {
        let input = SearchInput {
            limits,
            ..input.clone()
        };
        let mut read = search_sub_question(ports.cx, ports.library, &input).await?;
        for query in &read.finding.tried {
            if !state.tried.contains(query) {
                state.tried.push(query.clone());
            }
        }
        state.usage += read.usage;
        if read.finding.stop != StopReason::NothingFound {
            read.finding.tried = state.tried;
            read.finding.open.push(why);
            // The report lists what was refused, with the reason.
            read.finding.claims.extend(state.claims);
            return Ok(Searched {
                finding: read.finding,
                usage: state.usage,
            });
        }
        state.stop = Some(Stop::NothingFound);
    }
    state.missing.push(why);
    Ok(conclude(ports, state))
}

/// What is left to search with when the reading has its part: without it nothing that was found
/// could be said.
fn for_searching(whole: Allowance) -> Allowance {
    Allowance {
        calls: whole.calls.map(|calls| calls.saturating_sub(1)),
        tokens: whole.tokens.map(|tokens| tokens - tokens / 3),
        money_micros: whole.money_micros.map(|money| money - money / 3),
    }
}

/// The state as a finding.
fn conclude(ports: &mut Ports<'_>, state: SearchState) -> Searched {
    for quote in state.claims.iter().flat_map(indago_core::Claim::quotes) {
        ports.cx.emit(Event::Quoted {
            node: state.node,
            passage: quote.passage,
            text: quote.text.clone(),
        });
    }
    let stop = state.stop.clone().unwrap_or(Stop::NothingFound);
    if !matches!(stop, Stop::Answered) {
        ports.cx.emit(Event::Warned {
            message: format!("{}: search ended with {}", state.node, stop.describe()),
        });
    }
    let answer = state
        .draft
        .and_then(|draft| draft.answer)
        .filter(|_| !state.claims.is_empty());
    let confidence = match (&answer, state.claims.is_empty()) {
        (Some(_), _) => ANSWERED,
        (None, false) => QUOTED,
        (None, true) => 0.0,
    };
    let mut open = state.missing;
    if state.claims.is_empty() && open.is_empty() {
        open.push("no passage answers it".to_owned());
    }
    if !matches!(stop, Stop::Answered | Stop::NoProgress | Stop::NothingFound) {
        open.push(stop.describe());
    }
    let finding = Finding {
        node: state.node,
        answer: answer.map(|text| Answer {
            kind: kind(&text),
            text,
        }),
        confidence,
        bridges: Vec::new(),
        open,
        tried: state.tried,
        rounds: state.round,
        stop: match stop.reason() {
            StopReason::Answered if state.claims.is_empty() => StopReason::NothingFound,
            reason => reason,
        },
        claims: state.claims,
    };
    Searched {
        finding,
        usage: state.usage,
    }
}

/// The kind of a short answer by its looks.
pub(crate) fn kind(text: &str) -> AnswerKind {
    let lower = text.trim().to_lowercase();
    if matches!(lower.as_str(), "yes" | "no") {
        AnswerKind::YesNo
    } else if !indago_text::dates(text).is_empty() {
        AnswerKind::Time
    } else if text.starts_with(|c: char| c.is_ascii_digit()) {
        AnswerKind::Quantity
    } else {
        AnswerKind::Entity
    }
}

/// The words of an answer that says there is none.
pub(crate) fn is_not_found(answer: &str) -> bool {
    let plain = answer.trim().trim_end_matches('.').to_lowercase();
    plain.is_empty()
        || matches!(
            plain.as_str(),
            "not found" | "unknown" | "none" | "n/a" | "insufficient information"
        )
}
