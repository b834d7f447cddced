//! Calls to a language model that are never paid twice.
//!
//! A finished step is recorded and not run again; this covers the call in flight. Before a call an
//! intent is written to the disk, right after it the response, both under a name that a retried
//! step finds again. So whatever dies and whenever: a finished call is reused, a call still in
//! flight in this process is joined, and what remains (made, and lost with the process) is known
//! and counted as possibly spent ([`Journal::possibly_spent`]).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indago_core::ports::{
    BoxFuture, Completion, DeltaSink, LanguageModel, LanguageModelError, Request, TokenUsage,
};
use indago_core::{Cancel, ContentHash, RunId};
use serde_json::json;
use tokio::sync::watch;

use crate::engine::{Place, now_ms};
use crate::journal::{Intent, Journal};
use crate::live::{LiveCall, Telling};

type Answer = Result<Completion, LanguageModelError>;

/// Calls in flight in this process, with where their answers will be.
type Flights = HashMap<(RunId, ContentHash), watch::Receiver<Option<Answer>>>;
type InFlight = Mutex<Flights>;

/// A language model whose calls within the steps of a run are recorded around the call itself.
/// Calls outside of any run go straight through.
///
/// A call goes on when the step that made it is dropped (cancelled runs included): what is paid
/// for is kept. Needs a tokio runtime.
pub struct PaidModel {
    inner: Arc<dyn LanguageModel>,
    journal: Arc<dyn Journal>,
    in_flight: Arc<InFlight>,
}

impl std::fmt::Debug for PaidModel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PaidModel({})", self.inner.name())
    }
}

impl PaidModel {
    /// Records the calls of `inner` in `journal`.
    pub fn new(inner: Arc<dyn LanguageModel>, journal: Arc<dyn Journal>) -> Self {
        Self {
            inner,
            journal,
            in_flight: Arc::default(),
        }
    }

    async fn call(
        &self,
        place: Place,
        request: Request,
        deltas: Option<DeltaSink>,
        cancel: Cancel,
    ) -> Answer {
        let model = self.inner.name().to_owned();
        let unrecorded = |reason: String| LanguageModelError::Unavailable {
            model: model.clone(),
            reason: format!("no call is made that could not be recorded: {reason}"),
            retry_after_ms: None,
        };
        let content = serde_json::to_vec(&(self.inner.fingerprint(), &request))
            .map_err(|error| unrecorded(error.to_string()))?;
        let name = place.name(&content);
        let slot = (place.run.clone(), name);
        let mut flying = {
            let mut in_flight = lock(&self.in_flight);
            if let Some(flying) = in_flight.get(&slot) {
                flying.clone()
            } else {
                let (done, flying) = watch::channel(None);
                in_flight.insert(slot.clone(), flying.clone());
                // Detached: dropping the step must not drop a call that is paid for.
                tokio::spawn(place.clone().scope(fly(
                    Arc::clone(&self.inner),
                    Arc::clone(&self.journal),
                    Arc::clone(&self.in_flight),
                    slot,
                    place,
                    (request, deltas, cancel),
                    done,
                )));
                flying
            }
        };
        match flying.wait_for(Option::is_some).await {
            Ok(answer) => answer.clone().unwrap_or(Err(LanguageModelError::Cancelled)),
            Err(_runtime_gone) => Err(LanguageModelError::Cancelled),
        }
    }
}

fn lock(in_flight: &InFlight) -> MutexGuard<'_, Flights> {
    // A map of handles is sound whatever panicked beside it.
    in_flight.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One call from its intent to its stored response.
async fn fly(
    model: Arc<dyn LanguageModel>,
    journal: Arc<dyn Journal>,
    in_flight: Arc<InFlight>,
    slot: (RunId, ContentHash),
    place: Place,
    call: (Request, Option<DeltaSink>, Cancel),
    done: watch::Sender<Option<Answer>>,
) {
    let answer = answer(model.as_ref(), journal.as_ref(), slot.1, &place, call).await;
    // Removed first: whoever comes later finds the stored response, not this handle.
    lock(&in_flight).remove(&slot);
    done.send_replace(Some(answer));
}

async fn answer(
    model: &dyn LanguageModel,
    journal: &dyn Journal,
    name: ContentHash,
    place: &Place,
    (request, deltas, cancel): (Request, Option<DeltaSink>, Cancel),
) -> Answer {
    let run = &place.run;
    let unrecorded = |error: &dyn std::fmt::Display| LanguageModelError::Unavailable {
        model: model.name().to_owned(),
        reason: format!("no call is made that could not be recorded: {error}"),
        retry_after_ms: None,
    };
    match journal.response(run, name) {
        Ok(Some(Some(bytes))) => match serde_json::from_slice(&bytes) {
            Ok(completion) => return Ok(completion),
            Err(error) => tracing::warn!(%run, %error, "a stored response cannot be read"),
        },
        Ok(Some(None)) => tracing::warn!(%run, "a call was possibly paid for and lost; made again"),
        Ok(None) => {}
        // Its blob is damaged or gone: paying again is all that is left.
        Err(error) => tracing::warn!(%run, %error, "a stored response cannot be read"),
    }
    let (prompt_tokens, _is_estimate) = model.count(&request);
    let intent = Intent {
        request: name,
        path: place.path.clone(),
        key: place.key.clone(),
        reserved: json!({
            "model": model.name(),
            "prompt_tokens": prompt_tokens,
            "max_tokens": request.max_tokens,
        }),
        at_ms: now_ms(),
    };
    journal
        .intend(run, intent)
        .await
        .map_err(|error| unrecorded(&error))?;
    // Whoever watches the run sees what is written, whether or not the caller wants to know.
    let telling = journal.folder().map(|folder| {
        let call = LiveCall {
            model: model.name().to_owned(),
            step: place.key.clone(),
            text: String::new(),
        };
        Telling::begin(folder, run, name, call)
    });
    let deltas = match &telling {
        Some(telling) => Some(telling.sink(deltas)),
        None => deltas,
    };
    let answer = model.complete(request, deltas, cancel).await;
    drop(telling);
    match &answer {
        Ok(completion) => match serde_json::to_vec(completion) {
            Ok(bytes) => {
                if let Err(error) = journal.respond(run, name, bytes).await {
                    // The answer is here and the step goes on with it.
                    tracing::warn!(%run, %error, "a paid response is not stored");
                }
            }
            Err(error) => tracing::warn!(%run, %error, "a paid response is not stored"),
        },
        Err(error) if is_free(error) => journal.unpaid(run, name),
        Err(_possibly_spent) => {}
    }
    answer
}

/// Whether a call that failed like this is known to have cost nothing.
fn is_free(error: &LanguageModelError) -> bool {
    matches!(
        error,
        LanguageModelError::RateLimited { .. }
            | LanguageModelError::ContextWindow { .. }
            | LanguageModelError::Refused { .. }
            | LanguageModelError::Unsupported { .. }
    )
}

impl LanguageModel for PaidModel {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn fingerprint(&self) -> &str {
        self.inner.fingerprint()
    }

    fn window(&self) -> Option<u64> {
        self.inner.window()
    }

    fn count(&self, request: &Request) -> (u64, bool) {
        self.inner.count(request)
    }

    fn gives_logprobs(&self) -> bool {
        self.inner.gives_logprobs()
    }

    fn price_micros(&self, usage: TokenUsage) -> u64 {
        self.inner.price_micros(usage)
    }

    fn complete(
        &self,
        request: Request,
        deltas: Option<DeltaSink>,
        cancel: Cancel,
    ) -> BoxFuture<'_, Answer> {
        Box::pin(async move {
            match Place::current() {
                Some(place) => self.call(place, request, deltas, cancel).await,
                None => self.inner.complete(request, deltas, cancel).await,
            }
        })
    }
}
