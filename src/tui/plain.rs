//! The twins without a screen: the same facts as lines.

use std::time::Duration;

use indago_core::{Event, RunId, RunState};

use super::journal;
use super::keymap::{ACTIONS, KeyMap};
use super::model::run::{Folded, Numbered, Run, Tone};
use crate::{Error, Project};

/// How often a run's record is looked at for news.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Events that are read at once.
const BATCH: usize = 256;

/// Every action with its keys and what it does, for `--keys`: name, where, keys, words.
pub fn key_table(keys: &KeyMap) -> Vec<[String; 4]> {
    ACTIONS
        .iter()
        .map(|entry| {
            let bound: Vec<String> = keys
                .keys(entry.action)
                .iter()
                .map(ToString::to_string)
                .collect();
            [
                entry.name.to_owned(),
                entry.scope.title().to_owned(),
                bound.join(" "),
                entry.doc.to_owned(),
            ]
        })
        .collect()
}

/// A run's events as lines: JSON, or words.
#[derive(Debug)]
pub struct EventLines {
    shown: Run,
    json: bool,
}

impl EventLines {
    /// Lines for the events of a run, from the first on.
    pub fn new(run: &RunId, json: bool) -> Self {
        Self {
            shown: Run::new(run.clone(), "", ""),
            json,
        }
    }

    /// The line of the next event; `None` for one that had its line before.
    pub fn line(&mut self, seq: u64, at_ms: u64, event: &Event) -> Option<String> {
        let numbered = Numbered {
            seq,
            at_ms,
            event: event.clone(),
        };
        if self.shown.fold(&numbered) != Folded::New {
            return None;
        }
        if self.json {
            let value = serde_json::json!({ "seq": seq, "at_ms": at_ms, "event": event });
            return Some(value.to_string());
        }
        let entry = self.shown.log.iter().next_back()?;
        let node = entry.node.map_or_else(String::new, |node| node.to_string());
        let mark = if entry.tone == Tone::Warning {
            "! "
        } else {
            ""
        };
        let seconds = entry.after_ms as f64 / 1000.0;
        Some(format!("{seconds:>8.2}  {node:<4} {mark}{}", entry.text))
    }
}

/// Gives a recorded run's events as lines, from the first on and until it ends.
///
/// # Errors
/// When there is no such run, its record cannot be read, or `say` fails.
pub fn follow_events(
    project: &Project,
    run: &str,
    json: bool,
    say: &mut dyn FnMut(&str) -> std::io::Result<()>,
) -> Result<RunState, Error> {
    let id = RunId::new(run);
    let unknown = || indago_core::ports::RunError::Unknown(id.clone());
    let runs = journal::open(project)?.ok_or_else(unknown)?;
    let mut lines = EventLines::new(&id, json);
    let mut next = 0;
    loop {
        // The state first: events that come before an end are all there once it is.
        let (status, _) = journal::status(&runs, &id)?;
        loop {
            let events = journal::events(&runs, &id, next, BATCH)?;
            let Some(last) = events.last() else { break };
            next = last.seq + 1;
            for event in &events {
                if let Some(line) = lines.line(event.seq, event.at_ms, &event.event) {
                    say(&line).map_err(|e| Error::io("write", "the output", e))?;
                }
            }
        }
        if status.state != RunState::Running {
            return Ok(status.state);
        }
        std::thread::sleep(LOOK_EVERY);
    }
}
