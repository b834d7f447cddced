//! Which step the code that runs now belongs to.
//!
//! Known to whoever makes paid calls, without a word in any signature: an operator asks its model,
//! and the model's wrapper knows where in the run that happens.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use indago_core::{ContentHash, RunId};

tokio::task_local! {
    static PLACE: Place;
}

/// A step of a task of a run, in one of its attempts.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) run: RunId,
    pub(crate) path: String,
    pub(crate) key: String,
    /// How often the step sent each request in this attempt.
    sent: Arc<Mutex<HashMap<ContentHash, u32>>>,
}

impl Place {
    pub(crate) fn new(run: RunId, path: &str, key: &str) -> Self {
        Self {
            run,
            path: path.to_owned(),
            key: key.to_owned(),
            sent: Arc::default(),
        }
    }

    /// Runs `work` as part of this step.
    pub(crate) fn scope<F: Future>(self, work: F) -> impl Future<Output = F::Output> {
        PLACE.scope(self, work)
    }

    /// The step that this code belongs to; `None` outside of any.
    pub(crate) fn current() -> Option<Self> {
        PLACE.try_with(Clone::clone).ok()
    }

    /// The name of a request sent from here: the same again in another attempt of the step, and
    /// another when one attempt sends the same request twice, which asks for two samples.
    pub(crate) fn name(&self, request: &[u8]) -> ContentHash {
        let content = ContentHash::of(request);
        let nth = {
            let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
            let nth = sent.entry(content).or_default();
            *nth += 1;
            *nth
        };
        ContentHash::of(format!("{}\n{}\n{nth}\n{content}", self.path, self.key).as_bytes())
    }
}
