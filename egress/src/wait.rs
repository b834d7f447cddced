//! Waiting that ends: for time, for a limit, for a cancellation.

use std::future::Future;
use std::time::Duration;

use indago_core::{Cancel, Cancelled};
use tokio::time::Instant;

/// How often a wait looks whether it was cancelled.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Why a wait ended without its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Cancelled,
    TimeIsUp,
}

/// Waits for `work` unless `cancel` is set or `deadline` passes first.
pub(crate) async fn until<T>(
    work: impl Future<Output = T>,
    deadline: Option<Instant>,
    cancel: &Cancel,
) -> Result<T, Ended> {
    tokio::pin!(work);
    loop {
        let look = Instant::now() + LOOK_EVERY;
        let wake = deadline.map_or(look, |deadline| deadline.min(look));
        tokio::select! {
            biased;
            done = &mut work => return Ok(done),
            () = tokio::time::sleep_until(wake) => {}
        }
        if cancel.is_cancelled() {
            return Err(Ended::Cancelled);
        }
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Err(Ended::TimeIsUp);
        }
    }
}

/// Waits for `work` unless `cancel` is set first. Needs a tokio runtime.
pub async fn or_cancelled<T>(
    work: impl Future<Output = T>,
    cancel: &Cancel,
) -> Result<T, Cancelled> {
    until(work, None, cancel).await.map_err(|_ended| Cancelled)
}

/// Sleeps unless `cancel` is set first. Needs a tokio runtime.
pub async fn sleep(time: Duration, cancel: &Cancel) -> Result<(), Cancelled> {
    or_cancelled(tokio::time::sleep(time), cancel).await
}
