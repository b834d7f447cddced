//! Trying again, where that helps: by the kind of failure, at the server's word, with jitter.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use indago_core::Cancel;
use indago_core::ports::{BoxFuture, LanguageModelError};
use indago_egress::{Limiter, sleep};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::config::Patience;

/// A failed attempt, for the record.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Attempt {
    /// Which model.
    pub model: String,
    /// Which attempt, from 1.
    pub number: u32,
    /// Why it failed.
    pub error: LanguageModelError,
    /// Milliseconds until the next one; `None` when it was the last.
    pub next_in_ms: Option<u64>,
}

/// Where failed attempts go.
#[derive(Clone)]
pub struct AttemptSink(pub Arc<dyn Fn(&Attempt) + Send + Sync>);

impl Default for AttemptSink {
    /// Into the log.
    fn default() -> Self {
        Self(Arc::new(|attempt| {
            tracing::info!(model = attempt.model, number = attempt.number, error = %attempt.error, next_in_ms = attempt.next_in_ms, "attempt failed");
        }))
    }
}

impl fmt::Debug for AttemptSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AttemptSink")
    }
}

/// Everything but the attempt itself.
pub(super) struct Retry<'a> {
    pub(super) model: &'a str,
    pub(super) patience: Patience,
    pub(super) limiter: &'a Limiter,
    /// Tokens that one attempt may take.
    pub(super) tokens: u64,
    /// Spreads the waits of different requests.
    pub(super) seed: u64,
    pub(super) sink: &'a AttemptSink,
}

impl Retry<'_> {
    /// Attempts until one succeeds, fails for good, or was the last. Each waits for its turn at the
    /// server.
    pub(super) async fn run<'w, T>(
        &self,
        cancel: &Cancel,
        mut once: impl FnMut() -> BoxFuture<'w, Result<T, LanguageModelError>>,
    ) -> Result<T, LanguageModelError> {
        let mut number = 1;
        loop {
            let permit = self.limiter.acquire(self.tokens, cancel).await?;
            let error = match once().await {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            drop(permit);
            let wait = (number < self.patience.attempts)
                .then(|| self.wait(number, &error))
                .flatten();
            let next_in_ms = wait.map(|wait| wait.as_millis() as u64);
            (self.sink.0)(&Attempt {
                model: self.model.to_owned(),
                number,
                error: error.clone(),
                next_in_ms,
            });
            let Some(wait) = wait else { return Err(error) };
            if matches!(error, LanguageModelError::RateLimited { .. }) {
                self.limiter.pause(wait);
            }
            sleep(wait, cancel).await?;
            number += 1;
        }
    }

    /// How long before the next attempt; `None` when there is to be none.
    fn wait(&self, number: u32, error: &LanguageModelError) -> Option<Duration> {
        if !error.is_transient() {
            return None;
        }
        let asked = match error {
            LanguageModelError::RateLimited { retry_after_ms, .. }
            | LanguageModelError::Unavailable { retry_after_ms, .. } => *retry_after_ms,
            _ => None,
        };
        if let Some(asked) = asked.map(Duration::from_millis) {
            return (asked <= self.patience.longest_wait).then_some(asked);
        }
        let doubled = self
            .patience
            .backoff
            .saturating_mul(1 << number.saturating_sub(1).min(16));
        let full = doubled.min(self.patience.longest_wait);
        // Half of it surely, half of it by chance, so that clients that failed together do not come
        // back together.
        let dice = xxh3_64_with_seed(&number.to_le_bytes(), self.seed);
        let share = 0.5 + 0.5 * (dice as f64 / u64::MAX as f64);
        Some(full.mul_f64(share))
    }
}

#[cfg(test)]
mod tests {
    use indago_egress::Rates;

    use super::*;
    use crate::remote::ModelConfig;

    #[test]
    fn waits_follow_the_server_then_double_and_end_where_waiting_is_useless() {
        let limiter = Limiter::new(Rates::default());
        let patience = ModelConfig::new("http://x", "m").patience();
        let sink = AttemptSink::default();
        let retry = |seed| Retry {
            model: "m",
            patience,
            limiter: &limiter,
            tokens: 0,
            seed,
            sink: &sink,
        };
        let limited = |ms| LanguageModelError::RateLimited {
            model: "m".into(),
            retry_after_ms: ms,
        };
        assert_eq!(
            retry(1).wait(1, &limited(Some(1500))),
            Some(Duration::from_millis(1500))
        );
        assert_eq!(
            retry(1).wait(1, &limited(Some(3_600_000))),
            None,
            "an hour is not waited for"
        );
        for number in 1..4 {
            let full = 1000 << (number - 1);
            let wait = retry(7).wait(number, &limited(None)).unwrap().as_millis() as u64;
            assert!((full / 2..=full).contains(&wait), "{wait} of {full}");
        }
        assert_ne!(
            retry(1).wait(1, &limited(None)),
            retry(2).wait(1, &limited(None))
        );
        let refused = LanguageModelError::Refused {
            model: "m".into(),
            reason: "key".into(),
        };
        assert_eq!(retry(1).wait(1, &refused), None);
    }
}
