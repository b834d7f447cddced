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
    // As many as can be paid for when each takes what it may; the others fail alone.
    let mut planned = *usage;
    let mut refused: Vec<Option<TaskError>> = Vec::with_capacity(asks.len());
    let mut calls = Vec::new();
    let mut purposes = Vec::new();
    for ask in asks {
        let model = Arc::clone(ports.models.get(ask.role));
        let no = ports.unaffordable(model.as_ref(), &ask.request, &planned);
        if no.is_none() {
            planned.lm_calls += 1;
            planned.lm_tokens +=
                model.count(&ask.request).0 + u64::from(ask.request.max_tokens.unwrap_or(0));
            purposes.push(if ask.purpose.is_empty() {
                purpose.to_owned()
            } else {
                ask.purpose
            });
            calls.push((model, ask.request));
        }
        refused.push(no);
    }
    if calls.is_empty() {
        return Ok(refused.into_iter().flatten().map(Err).collect());
    }
    let models: Vec<_> = calls.iter().map(|(model, _)| Arc::clone(model)).collect();
    let keyed: Vec<_> = calls.iter().map(|(m, r)| (m.fingerprint(), r)).collect();
    let key = StepKey::new(format!("lm/{purpose}"), &keyed);
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
    let outcomes: Vec<Outcome> = from_value(purpose, recorded?)?;
    let mut ended = Vec::with_capacity(refused.len());
    for ((outcome, model), purpose) in outcomes.into_iter().zip(models).zip(purposes) {
        let took = match &outcome {
            Outcome::Done(done) => Ok(done.usage),
            Outcome::Failed(reason) => Err(reason.clone()),
        };
        ports.called(model.as_ref(), &purpose, took, usage);
        ended.push(match outcome {
            Outcome::Done(done) => Ok(done),
            Outcome::Failed(reason) => Err(TaskError::Terminal(reason)),
        });
    }
    let mut ended = ended.into_iter();
    let mut all = Vec::with_capacity(refused.len());
    for no in refused {
        match no {
            Some(no) => all.push(Err(no)),
            None => all.extend(ended.next()),
        }
    }
    Ok(all)
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
