//! One call of a language model as a journaled step.

use std::fmt;
use std::future::Future as _;
use std::sync::Arc;
use std::task::Poll;

use indago_core::ports::{
    Completion, LanguageModel, LanguageModelError, Library, Request, RetryPolicy, StepKey,
    StepWork, TaskCtx, TaskError, TokenUsage,
};
use indago_core::{Allowance, Cancel, Event, NodeId, Query, Usage};
use serde_json::Value;

/// Longest output that is looked at. What is longer is a fault, not an answer.
const MAX_OUTPUT_BYTES: usize = 256 * 1024;

/// What the refusal of a call begins with that there is no budget for.
const NO_BUDGET: &str = "the budget for language models is used up";

/// What the failure of a call begins with whose answer could not be used, whatever was tried.
const UNUSABLE: &str = "the model's answer cannot be used";

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

    /// The same roles with each model replaced by what `wrap` makes of it.
    #[must_use]
    pub fn map(self, wrap: impl Fn(Arc<dyn LanguageModel>) -> Arc<dyn LanguageModel>) -> Self {
        let special = self.special.into_iter();
        Self {
            default: wrap(self.default),
            special: special.map(|(role, model)| (role, wrap(model))).collect(),
        }
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
    /// The node that is worked on; `None` for planning and writing.
    pub node: Option<NodeId>,
    /// What calls may spend, from the start of the usage that is counted on.
    pub allowance: Allowance,
}

impl<'a> Ports<'a> {
    /// Ports without a node or a limit.
    pub fn new(cx: &'a mut dyn TaskCtx, library: &'a dyn Library, models: &'a Models) -> Self {
        Self {
            cx,
            library,
            models,
            node: None,
            allowance: Allowance::default(),
        }
    }

    /// For work on `node`.
    #[must_use]
    pub fn on(mut self, node: NodeId) -> Self {
        self.node = Some(node);
        self
    }

    /// Within `allowance`.
    #[must_use]
    pub fn within(mut self, allowance: Allowance) -> Self {
        self.allowance = allowance;
        self
    }

    /// Why `request` cannot be paid for after `usage`; `None` when it can.
    pub(super) fn unaffordable(
        &self,
        model: &dyn LanguageModel,
        request: &Request,
        usage: &Usage,
    ) -> Option<TaskError> {
        let left = self.allowance.after(usage);
        let no = |what: &str| Some(TaskError::Terminal(format!("{NO_BUDGET}: {what}")));
        if left.calls == Some(0) {
            return no("calls");
        }
        if left.tokens.is_none() && left.money_micros.is_none() {
            return None;
        }
        let (prompt, _is_estimate) = model.count(request);
        let worst = TokenUsage {
            prompt,
            completion: u64::from(request.max_tokens.unwrap_or(0)),
            ..TokenUsage::default()
        };
        if left
            .tokens
            .is_some_and(|left| worst.prompt.saturating_add(worst.completion) > left)
        {
            return no("tokens");
        }
        let money = left.money_micros;
        if money.is_some_and(|left| left == 0 || model.price_micros(worst) > left) {
            return no("money");
        }
        None
    }

    /// Tells of a call, and counts what it took.
    pub(super) fn called(
        &mut self,
        model: &dyn LanguageModel,
        purpose: &str,
        took: Result<TokenUsage, String>,
        usage: &mut Usage,
    ) {
        usage.lm_calls += 1;
        let (took, error) = match took {
            Ok(took) => (took, None),
            Err(error) => (TokenUsage::default(), Some(error)),
        };
        let tokens = took.prompt.saturating_add(took.completion);
        usage.lm_tokens = usage.lm_tokens.saturating_add(tokens);
        usage.lm_cached = usage.lm_cached.saturating_add(took.cached);
        usage.money_micros = usage.money_micros.saturating_add(took.money_micros);
        self.cx.emit(Event::Called {
            node: self.node,
            purpose: purpose.to_owned(),
            model: model.name().to_owned(),
            prompt: took.prompt,
            cached: took.cached,
            completion: took.completion,
            money_micros: took.money_micros,
            error,
        });
    }
}

/// Whether a call was not made because there is no budget for it.
pub(crate) fn is_unaffordable(error: &TaskError) -> bool {
    matches!(error, TaskError::Terminal(reason) if reason.starts_with(NO_BUDGET))
}

/// Whether a model answered, and what it wrote could not be used.
pub(crate) fn is_unusable(error: &TaskError) -> bool {
    matches!(error, TaskError::Terminal(reason) if reason.starts_with(UNUSABLE))
}

/// The failure of a call whose answer could not be used.
pub(super) fn unusable(why: impl fmt::Display) -> TaskError {
    TaskError::Terminal(format!("{UNUSABLE}: {why}"))
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
    if let Some(refused) = ports.unaffordable(model.as_ref(), &ask.request, usage) {
        return Err(refused);
    }
    let key = StepKey::new(
        format!("lm/{}", ask.purpose),
        &(model.fingerprint(), &ask.request),
    );
    let request = ask.request;
    let asked = Arc::clone(&model);
    // Once: the model has its own patience, and a call that failed after it may have been paid for.
    let work: StepWork<'_> = Box::new(move || {
        let (model, request) = (Arc::clone(&asked), request.clone());
        Box::pin(async move {
            let done = model
                .complete(request, None, Cancel::new())
                .await
                .map_err(|error| task_error(&error))?;
            to_value(&checked(done)?)
        })
    });
    let recorded = ports.cx.step(key, RetryPolicy::ONCE, work).await;
    let done: Result<Completion, TaskError> =
        recorded.and_then(|value| from_value(&ask.purpose, value));
    if !matches!(done, Err(TaskError::Cancelled)) {
        let took = match &done {
            Ok(done) => Ok(done.usage),
            Err(error) => Err(error.to_string()),
        };
        ports.called(model.as_ref(), &ask.purpose, took, usage);
    }
    done
}

/// The same, and while it is waited for, the library hears what will probably be asked of it next.
///
/// # Errors
/// As [`complete`].
pub async fn complete_expecting(
    ports: &mut Ports<'_>,
    ask: Ask,
    usage: &mut Usage,
    queries: Vec<Query>,
    k: usize,
) -> Result<Completion, TaskError> {
    let library = ports.library;
    let mut expected = Some(library.expect(queries, k));
    let mut completed = std::pin::pin!(complete(ports, ask, usage));
    std::future::poll_fn(move |cx| {
        // The call first: a recorded answer is there at once, and nothing is guessed.
        if let Poll::Ready(done) = completed.as_mut().poll(cx) {
            return Poll::Ready(done);
        }
        if let Some(side) = &mut expected
            && side.as_mut().poll(cx).is_ready()
        {
            expected = None;
        }
        Poll::Pending
    })
    .await
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
        LanguageModelError::Malformed { .. } => unusable(error),
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
