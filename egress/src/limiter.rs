//! How much is asked of one server at once and per minute.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indago_core::{Cancel, Cancelled};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::wait::{or_cancelled, sleep};

/// Limits of one server.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rates {
    /// Requests under way at once, at least 1.
    pub concurrent: usize,
    /// Requests in a minute; `None` for any number.
    pub requests_per_minute: Option<u32>,
    /// Tokens (or any other unit the caller counts in) in a minute; `None` for any number.
    pub tokens_per_minute: Option<u32>,
}

impl Default for Rates {
    /// 4 at once, any number per minute.
    fn default() -> Self {
        Self {
            concurrent: 4,
            requests_per_minute: None,
            tokens_per_minute: None,
        }
    }
}

/// Lets requests to one server through at its pace. Clones share the pace.
#[derive(Clone, Debug)]
pub struct Limiter {
    rates: Rates,
    slots: Arc<Semaphore>,
    pace: Arc<Mutex<Pace>>,
}

/// The right to have one request under way; ends when dropped.
#[derive(Debug)]
pub struct Permit(#[expect(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

#[derive(Debug, Default)]
struct Pace {
    requests: Option<Bucket>,
    tokens: Option<Bucket>,
    /// Nothing goes out before this.
    pause: Option<Instant>,
}

/// A token bucket that starts full and may go into debt: what is asked for is taken when the level
/// is above zero, so that one request larger than the bucket still gets through.
#[derive(Debug)]
struct Bucket {
    capacity: f64,
    per_second: f64,
    level: f64,
    filled: Instant,
}

impl Bucket {
    fn new(per_minute: u32, now: Instant) -> Self {
        let per_second = f64::from(per_minute.max(1)) / 60.0;
        // A burst of at most a tenth of a minute, so that a fresh process cannot spend a minute's
        // worth in its first second and again in the next minute.
        let capacity = (per_second * 6.0).max(1.0);
        Self {
            capacity,
            per_second,
            level: capacity,
            filled: now,
        }
    }

    /// How long until something may be taken.
    fn wait(&mut self, now: Instant) -> Duration {
        let gained = now.duration_since(self.filled).as_secs_f64() * self.per_second;
        self.level = (self.level + gained).min(self.capacity);
        self.filled = now;
        let missing = 1.0_f64.min(self.capacity) - self.level;
        if missing <= 1e-9 {
            Duration::ZERO
        } else {
            Duration::from_secs_f64(missing / self.per_second)
        }
    }
}

impl Limiter {
    /// A limiter at rest. `now` is read from tokio's clock when first used.
    pub fn new(rates: Rates) -> Self {
        Self {
            rates,
            slots: Arc::new(Semaphore::new(rates.concurrent.max(1))),
            pace: Arc::default(),
        }
    }

    /// Waits for its turn to send a request of `tokens`. Needs a tokio runtime.
    ///
    /// # Errors
    /// When cancelled first.
    pub async fn acquire(&self, tokens: u64, cancel: &Cancel) -> Result<Permit, Cancelled> {
        cancel.check()?;
        let slot = or_cancelled(self.slots.clone().acquire_owned(), cancel).await?;
        // The semaphore is never closed.
        let slot = slot.map_err(|_closed| Cancelled)?;
        loop {
            let wait = self.take(tokens, Instant::now());
            if wait.is_zero() {
                return Ok(Permit(slot));
            }
            sleep(wait, cancel).await?;
        }
    }

    /// Lets nothing out for `time`: the server asked for it.
    pub fn pause(&self, time: Duration) {
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        let until = Instant::now() + time;
        pace.pause = Some(pace.pause.map_or(until, |earlier| earlier.max(until)));
    }

    /// Takes from both buckets, or says how long to wait.
    fn take(&self, tokens: u64, now: Instant) -> Duration {
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        let pause = pace
            .pause
            .map_or(Duration::ZERO, |until| until.saturating_duration_since(now));
        let Pace {
            requests,
            tokens: token_bucket,
            ..
        } = &mut *pace;
        if requests.is_none() {
            *requests = self
                .rates
                .requests_per_minute
                .map(|rate| Bucket::new(rate, now));
        }
        if token_bucket.is_none() {
            *token_bucket = self
                .rates
                .tokens_per_minute
                .map(|rate| Bucket::new(rate, now));
        }
        let mut wait = pause;
        for bucket in [requests.as_mut(), token_bucket.as_mut()]
            .into_iter()
            .flatten()
        {
            wait = wait.max(bucket.wait(now));
        }
        if wait.is_zero() {
            if let Some(bucket) = requests {
                bucket.level -= 1.0;
            }
            if let Some(bucket) = token_bucket {
                bucket.level -= tokens as f64;
            }
        }
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paused() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap()
    }

    #[test]
    fn requests_keep_the_minute() {
        paused().block_on(async {
            let rates = Rates {
                concurrent: 100,
                requests_per_minute: Some(60),
                tokens_per_minute: None,
            };
            let (limiter, start) = (Limiter::new(rates), Instant::now());
            for _ in 0..66 {
                limiter.acquire(0, &Cancel::new()).await.unwrap();
            }
            // 6 at once from the full bucket, then one a second.
            let took = start.elapsed().as_secs_f64();
            assert!((59.9..61.0).contains(&took), "{took}");
        });
    }

    #[test]
    fn tokens_keep_the_minute_even_in_large_pieces() {
        paused().block_on(async {
            let rates = Rates {
                concurrent: 1,
                requests_per_minute: None,
                tokens_per_minute: Some(6000),
            };
            let (limiter, start) = (Limiter::new(rates), Instant::now());
            for _ in 0..5 {
                limiter.acquire(3000, &Cancel::new()).await.unwrap();
            }
            // 600 at once, then 100 a second: the fifth waits until four were paid for.
            let took = start.elapsed().as_secs_f64();
            assert!((113.0..115.0).contains(&took), "{took}");
        });
    }

    #[test]
    fn slots_and_pauses_hold_and_cancelling_ends_the_wait() {
        paused().block_on(async {
            let limiter = Limiter::new(Rates {
                concurrent: 1,
                ..Rates::default()
            });
            let start = Instant::now();
            let held = limiter.acquire(0, &Cancel::new()).await.unwrap();
            let cancel = Cancel::new();
            let (waiting, ()) = tokio::join!(limiter.acquire(0, &cancel), async {
                tokio::time::sleep(Duration::from_secs(1)).await;
                cancel.cancel();
            });
            assert_eq!(waiting.err(), Some(Cancelled));
            drop(held);
            limiter.pause(Duration::from_secs(7));
            limiter.acquire(0, &Cancel::new()).await.unwrap();
            assert!(start.elapsed() >= Duration::from_secs(8));
        });
    }
}
