//! Several calls at once, as one journaled step.

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::Poll;

use indago_core::ports::{Completion, RetryPolicy, StepKey, StepWork, TaskError};
use indago_core::{Cancel, Usage};
use serde::{Deserialize, Serialize};

use super::call::{Ask, Ports, checked, from_value, task_error, to_value};

/// One call's outcome as it is recorded.
#[derive(Serialize, Deserialize)]
enum Outcome {
    Done(Completion),
    Failed(String),
}

/// Makes all calls at once and gives each its own outcome, in their order: one that fails takes no
/// other with it.
///
/// # Errors
/// [`TaskError::Cancelled`], or a journal that cannot be used.
pub async fn complete_all(
    ports: &mut Ports<'_>,
    purpose: &str,
    asks: Vec<Ask>,
    usage: &mut Usage,
) -> Result<Vec<Result<Completion, TaskError>>, TaskError> {
    if asks.is_empty() {
        return Ok(Vec::new());
    }
    let calls: Vec<_> = asks
        .into_iter()
        .map(|ask| (Arc::clone(ports.models.get(ask.role)), ask.request))
        .collect();
    let keyed: Vec<_> = calls.iter().map(|(m, r)| (m.fingerprint(), r)).collect();
    let key = StepKey::new(format!("lm/{purpose}"), &keyed);
    let n = calls.len() as u64;
    let work: StepWork<'_> = Box::new(move || {
        let calls = calls.clone();
        Box::pin(async move {
            let started = calls
                .iter()
                .map(|(model, request)| model.complete(request.clone(), None, Cancel::new()));
            let ended = join_all(started.collect()).await;
            let mut outcomes = Vec::with_capacity(ended.len());
            for result in ended {
                let result = result.map_err(|e| task_error(&e)).and_then(checked);
                outcomes.push(match result {
                    Ok(done) => Outcome::Done(done),
                    Err(TaskError::Cancelled) => return Err(TaskError::Cancelled),
                    Err(error) => Outcome::Failed(error.to_string()),
                });
            }
            to_value(&outcomes)
        })
    });
    let recorded = ports.cx.step(key, RetryPolicy::ONCE, work).await;
    usage.lm_calls += n;
    let outcomes: Vec<Outcome> = from_value(purpose, recorded?)?;
    Ok(outcomes
        .into_iter()
        .map(|outcome| match outcome {
            Outcome::Done(done) => {
                usage.lm_tokens += done.usage.prompt + done.usage.completion;
                Ok(done)
            }
            Outcome::Failed(reason) => Err(TaskError::Terminal(reason)),
        })
        .collect())
}

/// Waits for all of `futures` at once.
pub(crate) async fn join_all<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut waiting: Vec<_> = futures
        .into_iter()
        .map(|future| (Box::pin(future), None))
        .collect();
    poll_fn(move |cx| {
        let mut pending = false;
        for (future, output) in &mut waiting {
            if output.is_none() {
                match future.as_mut().poll(cx) {
                    Poll::Ready(value) => *output = Some(value),
                    Poll::Pending => pending = true,
                }
            }
        }
        if pending {
            return Poll::Pending;
        }
        Poll::Ready(waiting.iter_mut().filter_map(|(_, o)| o.take()).collect())
    })
    .await
}
