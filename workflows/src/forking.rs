//! Another course from some event on: a run that shares a beginning with a recorded one.

use indago_core::ports::{RunError, TaskError};
use indago_core::{Event, NodeState, RunId, Steering};
use serde_json::{Value, json};

use crate::deep_research::steering_signal;
use crate::journal::{Created, Entry, Journal, RunMeta, StoredEvent};
use crate::{Engine, Run};

/// A fork to be made of a research run.
#[derive(Clone, Debug, PartialEq)]
pub struct Fork {
    /// Id of the new run.
    pub id: RunId,
    /// Last event that both runs share; `None` for the latest at which the plan can still be
    /// changed ([`fork_point`]).
    pub at: Option<u64>,
    /// What is asked of the new run before it goes on: edits, another budget, a follow-up.
    pub steerings: Vec<Steering>,
}

/// The last event after which the plan of a run could still be changed: the one before its last
/// search ended, or the last event of all where the report is not written. `None` without events.
pub fn fork_point(events: &[StoredEvent]) -> Option<u64> {
    let written = events
        .iter()
        .position(|stored| matches!(stored.event, Event::Reported { .. } | Event::Ended { .. }))
        .unwrap_or(events.len());
    let last = events.last()?.seq;
    if written == events.len() {
        return Some(last);
    }
    let settles = |stored: &&StoredEvent| {
        let is_end = matches!(
            stored.event,
            Event::Moved {
                state: NodeState::Answered | NodeState::Unanswerable,
                ..
            }
        );
        is_end && stored.path.is_empty()
    };
    let settled = events[..written].iter().rev().find(settles)?.seq;
    Some(settled.saturating_sub(1))
}

impl<J: Journal> Engine<J> {
    /// Records a run that begins like `from` and is then steered another way. It does not run yet:
    /// [`Run::resume`] lets it, in a process that has what its tasks work with.
    ///
    /// What is shared is not done or paid for again. The steerings take effect at the fork itself:
    /// the new run is paused there, obeys them in order, and goes on.
    ///
    /// # Errors
    /// [`RunError::CannotFork`] for an event that is not there or a run that an older build
    /// recorded, [`RunError::BadSteering`], [`RunError::WrongState`] for a run of another version
    /// of the research code.
    pub async fn fork(&self, from: &RunId, fork: Fork) -> Result<Run<J>, RunError> {
        crate::engine::check_id(&fork.id)?;
        for steering in &fork.steerings {
            steering.check().map_err(RunError::BadSteering)?;
        }
        let journal = self.journal();
        let meta = journal.meta(from)?;
        self.check_version(&meta)?;
        let refuse = |reason: &str| RunError::CannotFork {
            id: from.clone(),
            reason: reason.to_owned(),
        };
        let at = match fork.at {
            Some(at) => at,
            None => fork_point(&self.events(from)?)
                .ok_or_else(|| refuse("it has no event at which its plan could be changed"))?,
        };
        let new = RunMeta {
            id: fork.id.clone(),
            started_ms: crate::engine::now_ms(),
            outcome: None,
            events: at + 1,
            parent: Some((from.clone(), at)),
            kept: false,
            ..meta
        };
        let lock = match journal.fork(from, at, new).await? {
            Created::New(lock) => lock,
            Created::AlreadyThere => return Err(refuse("the new run's id is taken")),
        };
        if !fork.steerings.is_empty() {
            self.steer_fork(&fork)?;
            journal.flush(crate::journal::Durability::Process).await?;
        }
        drop(lock);
        self.handle(&fork.id)
    }

    /// Pauses the fork where it begins, by recording that its task of listening heard so, and
    /// leaves the rest to be heard one by one.
    fn steer_fork(&self, fork: &Fork) -> Result<(), RunError> {
        let journal = self.journal();
        let record = journal.load(&fork.id)?;
        let heard = record
            .tasks
            .values()
            .flat_map(|task| &task.steps)
            .filter(|(key, _)| key.starts_with(&format!("signal/{}", crate::engine::STEER)))
            .filter(|(_, result)| {
                result
                    .as_ref()
                    .is_ok_and(|sent| sent.get("value").is_some())
            })
            .count();
        let mut number = u32::try_from(heard).unwrap_or(u32::MAX);
        let value = |steering: &Steering| -> Result<Value, RunError> {
            serde_json::to_value(steering)
                .map_err(|error| RunError::Failed(TaskError::Terminal(error.to_string())))
        };
        let mut steerings = fork.steerings.clone();
        let listening = record
            .tasks
            .iter()
            .find(|(_, task)| task.name == "control" && task.done.is_none());
        if let Some((path, _)) = listening {
            let name = steering_signal(number);
            let heard = json!({ "value": value(&Steering::Pause)? });
            journal.append(
                &fork.id,
                Entry::Step {
                    path: path.clone(),
                    key: format!("signal/{name}#0"),
                    result: Ok(heard.clone()),
                },
            );
            journal.append(
                &fork.id,
                Entry::Done {
                    path: path.clone(),
                    order: record.done,
                    result: Ok(heard),
                },
            );
            // So that nobody else takes the number.
            journal.signal(&fork.id, &name, &value(&Steering::Pause)?)?;
            number += 1;
            steerings.push(Steering::Resume);
        }
        for steering in &steerings {
            journal.signal(&fork.id, &steering_signal(number), &value(steering)?)?;
            number += 1;
        }
        Ok(())
    }
}
