//! One call of a language model as a journaled step.

use std::fmt;
use std::sync::Arc;

use indago_core::ports::{
    Completion, LanguageModel, LanguageModelError, Library, Request, RetryPolicy, StepKey,
    StepWork, TaskCtx, TaskError,
};
use indago_core::{Cancel, Usage};
use serde_json::Value;

/// Longest output that is looked at. What is longer is a fault, not an answer.
const MAX_OUTPUT_BYTES: usize = 256 * 1024;

/// How often a call that failed for a passing reason is made.
const RETRY: RetryPolicy = RetryPolicy {
    attempts: 3,
    backoff_ms: 500,
};

/// What a model is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Takes the question apart.
    Planner,
    /// Words queries and decides what to look for.
    Searcher,
    /// Turns passages into quotes, claims and answers.
    Reader,
    /// Writes the report.
    Writer,
    /// Says yes or no.
    Judge,
}

/// The models by role. Cheap to clone.
#[derive(Clone)]
pub struct Models {
    default: Arc<dyn LanguageModel>,
    special: Vec<(Role, Arc<dyn LanguageModel>)>,
}

impl Models {
    /// One model for every role.
    pub fn one(model: Arc<dyn LanguageModel>) -> Self {
        Self {
            default: model,
            special: Vec::new(),
        }
    }

    /// Gives `role` a model of its own.
    #[must_use]
    pub fn with(mut self, role: Role, model: Arc<dyn LanguageModel>) -> Self {
        self.special.retain(|(known, _)| *known != role);
        self.special.push((role, model));
        self
    }

    /// The model of `role`.
    pub fn get(&self, role: Role) -> &Arc<dyn LanguageModel> {
        self.special
            .iter()
            .find(|(known, _)| *known == role)
            .map_or(&self.default, |(_, model)| model)
    }
}

impl fmt::Debug for Models {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Models({}", self.default.name())?;
        for (role, model) in &self.special {
            write!(f, ", {role:?}: {}", model.name())?;
        }
        f.write_str(")")
    }
}

/// What operators act through. Every effect goes through `cx`, so a resumed run repeats none.
pub struct Ports<'a> {
    /// The task they run in.
    pub cx: &'a mut dyn TaskCtx,
    /// The corpus.
    pub library: &'a dyn Library,
    /// The models.
    pub models: &'a Models,
}

impl fmt::Debug for Ports<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ports({:?})", self.models)
    }
}

/// A call to make.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Whose work it is.
    pub role: Role,
    /// Names the step: operator and round, such as `auto_rag/turn/2`.
    pub purpose: String,
    /// What is sent.
    pub request: Request,
}

/// Makes a call once, records what came of it, and counts what it took. A recorded call is not made
/// again.
///
/// # Errors
/// [`TaskError::Cancelled`] when the run was; otherwise the call failed for good and the caller goes
/// on without it.
pub async fn complete(
    ports: &mut Ports<'_>,
    ask: Ask,
    usage: &mut Usage,
) -> Result<Completion, TaskError> {
    let model = Arc::clone(ports.models.get(ask.role));
    let key = StepKey::new(
        format!("lm/{}", ask.purpose),
        &(model.fingerprint(), &ask.request),
    );
    let request = ask.request;
    let work: StepWork<'_> = Box::new(move || {
        let (model, request) = (Arc::clone(&model), request.clone());
        Box::pin(async move {
            let done = model
                .complete(request, None, Cancel::new())
                .await
                .map_err(|error| task_error(&error))?;
            to_value(&checked(done)?)
        })
    });
    let recorded = ports.cx.step(key, RETRY, work).await;
    usage.lm_calls += 1;
    let done: Completion = from_value(&ask.purpose, recorded?)?;
    usage.lm_tokens += done.usage.prompt + done.usage.completion;
    Ok(done)
}

/// A completion that is not larger than any answer is.
pub(super) fn checked(done: Completion) -> Result<Completion, TaskError> {
    if done.text.len() > MAX_OUTPUT_BYTES {
        return Err(TaskError::Terminal(format!(
            "the model wrote {} bytes, at most {MAX_OUTPUT_BYTES} are read",
            done.text.len()
        )));
    }
    Ok(done)
}

/// What a failed call means for its step.
pub(super) fn task_error(error: &LanguageModelError) -> TaskError {
    match error {
        LanguageModelError::Cancelled => TaskError::Cancelled,
        transient if transient.is_transient() => TaskError::Retryable(transient.to_string()),
        lasting => TaskError::Terminal(lasting.to_string()),
    }
}

pub(super) fn to_value<T: serde::Serialize>(value: &T) -> Result<Value, TaskError> {
    serde_json::to_value(value).map_err(|error| TaskError::Terminal(error.to_string()))
}

pub(super) fn from_value<T: serde::de::DeserializeOwned>(
    step: &str,
    value: Value,
) -> Result<T, TaskError> {
    serde_json::from_value(value).map_err(|error| TaskError::Incompatible {
        step: step.to_owned(),
        reason: error.to_string(),
    })
}
