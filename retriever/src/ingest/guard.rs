//! Runs other people's parsers where their failures cannot reach us.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Name of the threads that parse untrusted files. A panic there is caught and becomes a
/// [`SkipReason::ParserFailed`](super::SkipReason::ParserFailed); a panic hook that does not want
/// to print it can tell by this name.
pub const PARSER_THREAD: &str = "indago-parse";

/// Stack of such a thread: parsers that recurse on nested input would overflow a small one, and an
/// overflow cannot be caught. Only touched pages cost memory.
const STACK_BYTES: usize = 256 << 20;

/// The work gave no result.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum GuardError {
    /// It panicked, with this message.
    Panicked(String),
    /// It ran past the limit. Its thread is left behind and ends when the parser does.
    TimedOut,
    /// No thread could be started.
    NoThread(String),
}

/// Runs `work` on a thread of its own, for at most `limit`.
pub(super) fn run<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, GuardError> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let spawned = thread::Builder::new()
        .name(PARSER_THREAD.into())
        .stack_size(STACK_BYTES)
        .spawn(move || {
            let result = catch_unwind(AssertUnwindSafe(work))
                .map_err(|payload| GuardError::Panicked(message(payload.as_ref())));
            // Nobody listens any more after a time-out.
            let _ = sender.send(result);
        });
    spawned.map_err(|error| GuardError::NoThread(error.to_string()))?;
    receiver
        .recv_timeout(limit)
        .unwrap_or(Err(GuardError::TimedOut))
}

fn message(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panic".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_value() {
        let result = run(Duration::from_mins(1), || -> u8 {
            panic!("bad glyph {}", 3)
        });
        assert_eq!(result, Err(GuardError::Panicked("bad glyph 3".into())));
    }

    #[test]
    fn endless_work_is_left_behind() {
        let (release, wait) = mpsc::channel::<()>();
        let result = run(Duration::from_millis(5), move || wait.recv().is_ok());
        assert_eq!(result, Err(GuardError::TimedOut));
        drop(release);
    }
}
