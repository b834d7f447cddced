//! A strategy composed of operators by name: decide, rewrite, retrieve, work on the evidence,
//! judge; again, or stop. ERM4 and the plain adaptive schemes are such compositions.

use std::fmt;

use indago_core::Event;
use indago_core::ports::{BoxFuture, TaskError};

use super::reservoir::Reservoir;
use super::state::{Draft, QuerySet, SearchState, Stop};
use super::{Guards, Loop, Operator, RetrievalPolicy, Rewrite, StopPolicy, is_fatal, retrieve};
use crate::model::Ports;

/// Operators in the order of the card.
pub struct Pipeline {
    /// Registered name.
    pub name: &'static str,
    /// Whether to retrieve at all.
    pub decide: Box<dyn RetrievalPolicy>,
    /// Words the queries of each round.
    pub rewrite: Box<dyn Rewrite>,
    /// Serves queries from what was kept before.
    pub reservoir: Option<Reservoir>,
    /// Work on the evidence after each round, in order.
    pub after: Vec<Box<dyn Operator>>,
    /// Whether the evidence suffices.
    pub stop: Box<dyn StopPolicy>,
    /// Work on the evidence before it is read, in order.
    pub before_reading: Vec<Box<dyn Operator>>,
    /// Passages of a round.
    pub k: usize,
}

impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let after: Vec<&str> = self.after.iter().map(|o| o.name()).collect();
        write!(
            f,
            "Pipeline({}: {}, {}, {after:?}, {})",
            self.name,
            self.decide.name(),
            self.rewrite.name(),
            self.stop.name()
        )
    }
}

impl Loop for Pipeline {
    fn name(&self) -> &'static str {
        self.name
    }

    fn run<'a>(
        &'a self,
        ports: &'a mut Ports<'_>,
        state: &'a mut SearchState,
        guards: &'a mut Guards,
    ) -> BoxFuture<'a, Result<(), TaskError>> {
        Box::pin(async move {
            let decision = self.decide.decide(ports, state).await?;
            ports.cx.emit(Event::Warned {
                message: format!("{}: {}", self.decide.name(), decision.reason),
            });
            if !decision.retrieve {
                state.draft = decision.direct.map(|text| Draft {
                    answer: Some(text.clone()),
                    text,
                });
                state
                    .missing
                    .push("answered from memory: no source stands behind it".to_owned());
                state.stop = Some(Stop::NothingFound);
                return Ok(());
            }
            loop {
                if let Some(stop) = guards.check(ports.cx, state) {
                    state.stop = Some(stop);
                    break;
                }
                let mut set = self.rewrite.rewrite(ports, state).await?;
                set.queries.extend(std::mem::take(&mut state.follow_up));
                set.queries.retain(|query| guards.admit(query));
                if set.queries.is_empty() {
                    state.stop = Some(Stop::NoProgress);
                    break;
                }
                let kept = match &self.reservoir {
                    Some(reservoir) => reservoir.serve(ports, &mut set).await?,
                    None => Vec::new(),
                };
                let served = state.show(kept, super::Origin::Retrieved).len();
                let new = if set.queries.is_empty() {
                    state.round += 1;
                    retrieve::note_round(
                        ports,
                        state,
                        &QuerySet {
                            queries: Vec::new(),
                            imagined: Vec::new(),
                        },
                        served,
                    );
                    served
                } else {
                    retrieve::round(ports, state, self.name, &set, self.k)
                        .await?
                        .len()
                        + served
                };
                guards.progress(new > 0);
                for operator in &self.after {
                    tolerate(operator.apply(ports, state).await)?;
                }
                if let Some(reservoir) = &self.reservoir {
                    reservoir.keep(ports, state);
                }
                let verdict = self.stop.judge(ports, state).await?;
                if verdict.enough {
                    state.stop = Some(if state.evidence.is_empty() {
                        Stop::NothingFound
                    } else {
                        Stop::Answered
                    });
                    break;
                }
                state.follow_up.clone_from(&state.missing);
            }
            for operator in &self.before_reading {
                tolerate(operator.apply(ports, state).await)?;
            }
            Ok(())
        })
    }
}

/// An operator that fails leaves the evidence as it was.
fn tolerate(result: Result<(), TaskError>) -> Result<(), TaskError> {
    match result {
        Err(error) if is_fatal(&error) => Err(error),
        _ => Ok(()),
    }
}
