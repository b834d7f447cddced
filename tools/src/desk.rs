//! Where calls of a model come in.

use std::sync::{Arc, Mutex, PoisonError};

use indago_core::ports::ToolError;
use indago_core::{Cancel, Observation, ToolCall, ToolSpec};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Grant, Registry};

/// Longest arguments that are read.
const MAX_ARGUMENTS: usize = 64 << 10;
/// Longest observation that is handed to a model; a tool that gives more was asked for too much.
const MAX_OBSERVATION: usize = 256 << 10;
/// Problems of arguments that a model is told of at once.
const TOLD: usize = 4;

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It ran.
    Done,
    /// It ran and failed.
    Failed,
    /// No tool has this name.
    Unknown,
    /// The run may not use this tool, or not what it does.
    NotGranted,
    /// The arguments do not fit.
    BadArguments,
}

/// A call and what became of it, for the run's record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallRecord {
    /// The name that was called.
    pub tool: String,
    /// What became of it.
    pub outcome: Outcome,
    /// The reason, where it did not run or failed.
    pub reason: String,
}

/// Answers the calls of one run within its grant.
#[derive(Debug)]
pub struct Desk {
    registry: Arc<Registry>,
    grant: Grant,
    records: Mutex<Vec<CallRecord>>,
}

impl Desk {
    /// A desk for a run that may use what `grant` says of `registry`.
    pub fn new(registry: Arc<Registry>, grant: Grant) -> Self {
        Self {
            registry,
            grant,
            records: Mutex::default(),
        }
    }

    /// The tools that a model is told of: those it may use, in the order of their names.
    pub fn specs(&self) -> Vec<ToolSpec> {
        let granted = self.registry.0.iter().filter(|(name, entry)| {
            self.grant.tools.contains(*name) && self.grant.lacks(entry.tool.effects()).is_none()
        });
        granted
            .map(|(_, entry)| entry.tool.spec().clone())
            .collect()
    }

    /// Every call so far, refused ones included.
    pub fn records(&self) -> Vec<CallRecord> {
        self.records
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Runs a call that a model asked for.
    ///
    /// # Errors
    /// Why it did not run or failed, with a sentence for the model. Nothing ran unless the outcome
    /// in [`Self::records`] is [`Outcome::Failed`].
    pub async fn call(&self, call: &ToolCall, cancel: &Cancel) -> Result<Observation, ToolError> {
        let result = self.checked(call, cancel).await;
        let (outcome, reason) = match &result {
            Ok(_) => (Outcome::Done, String::new()),
            Err((outcome, error)) => (*outcome, error.cause.clone()),
        };
        let tool = call.name.chars().take(64).collect();
        self.records
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(CallRecord {
                tool,
                outcome,
                reason,
            });
        result.map_err(|(_, error)| error)
    }

    async fn checked(
        &self,
        call: &ToolCall,
        cancel: &Cancel,
    ) -> Result<Observation, (Outcome, ToolError)> {
        let Some(entry) = self.registry.0.get(&call.name) else {
            let names: Vec<String> = self.specs().into_iter().map(|spec| spec.name).collect();
            let say = format!(
                "There is no tool of this name. The tools are: {}.",
                names.join(", ")
            );
            return Err(refuse(Outcome::Unknown, say, "no such tool"));
        };
        if !self.grant.tools.contains(&call.name) {
            let say = "This tool may not be used here. Go on without it.".to_owned();
            return Err(refuse(
                Outcome::NotGranted,
                say,
                "the tool is outside the grant",
            ));
        }
        if let Some(effect) = self.grant.lacks(entry.tool.effects()) {
            let say = "This tool may not be used here. Go on without it.".to_owned();
            return Err(refuse(
                Outcome::NotGranted,
                say,
                &format!("effect {effect:?} is outside the grant"),
            ));
        }
        let arguments = read_arguments(&call.arguments)
            .map_err(|say| refuse(Outcome::BadArguments, say.clone(), &say))?;
        let problems: Vec<String> = entry
            .arguments
            .iter_errors(&arguments)
            .take(TOLD)
            .map(|e| {
                format!(
                    "at `{}`: {}",
                    e.instance_path(),
                    e.to_string().chars().take(200).collect::<String>()
                )
            })
            .collect();
        if !problems.is_empty() {
            let say = format!(
                "The arguments do not fit the tool's schema: {}. Call it again with arguments that do.",
                problems.join("; ")
            );
            return Err(refuse(Outcome::BadArguments, say.clone(), &say));
        }
        let done = entry.tool.call(arguments, cancel.clone()).await;
        let observation = done.map_err(|error| (Outcome::Failed, error))?;
        if observation.text.len() > MAX_OBSERVATION {
            let say = "The tool gave more than can be read. Ask it for less.".to_owned();
            return Err(refuse(
                Outcome::Failed,
                say,
                "an observation that is too long",
            ));
        }
        Ok(observation)
    }
}

fn refuse(outcome: Outcome, say: String, cause: &str) -> (Outcome, ToolError) {
    (
        outcome,
        ToolError {
            say,
            cause: cause.to_owned(),
            transient: false,
        },
    )
}

/// Arguments as models write them; nothing at all means no arguments.
fn read_arguments(text: &str) -> Result<Value, String> {
    if text.len() > MAX_ARGUMENTS {
        return Err("The arguments are too long.".to_owned());
    }
    if text.trim().is_empty() {
        return Ok(Value::Object(serde_json::Map::new()));
    }
    match serde_json::from_str(text) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err("The arguments have to be one JSON object.".to_owned()),
        Err(error) => Err(format!("The arguments are no JSON: {error}.")),
    }
}
