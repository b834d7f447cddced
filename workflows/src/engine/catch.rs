//! Turns a panic inside a future into an error, so that one bad searcher does not end a run.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use indago_core::ports::{BoxFuture, TaskError};

/// A boxed future whose panics become [`TaskError::Terminal`].
pub(crate) struct Catch<'a, T>(Option<BoxFuture<'a, Result<T, TaskError>>>);

impl<'a, T> Catch<'a, T> {
    /// Wraps what `make` gives; a panic in `make` itself is caught too.
    pub(crate) fn new(make: impl FnOnce() -> BoxFuture<'a, Result<T, TaskError>>) -> Self
    where
        T: Send + 'a,
    {
        // What unwinds is dropped whole, and nothing of it is looked at again.
        match catch_unwind(AssertUnwindSafe(make)) {
            Ok(future) => Self(Some(future)),
            Err(panic) => {
                let error = told(panic.as_ref());
                Self(Some(Box::pin(std::future::ready(Err(error)))))
            }
        }
    }
}

impl<T> Future for Catch<'_, T> {
    type Output = Result<T, TaskError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(future) = self.0.as_mut() else {
            return Poll::Ready(Err(TaskError::Terminal("polled after its end".into())));
        };
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(result)) => {
                self.0 = None;
                Poll::Ready(result)
            }
            Err(panic) => {
                self.0 = None;
                Poll::Ready(Err(told(panic.as_ref())))
            }
        }
    }
}

fn told(panic: &(dyn Any + Send)) -> TaskError {
    let message = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned());
    TaskError::Terminal(format!("panicked: {message}"))
}
