//! A runtime of the door's own, for callers that are plain threads.

use std::future::Future;
use std::sync::OnceLock;
use std::sync::mpsc;

use crate::EgressError;

/// One thread with a runtime, started when first needed.
#[derive(Debug, Default)]
pub(crate) struct Background(OnceLock<Result<Owned, String>>);

#[derive(Debug)]
struct Owned(Option<tokio::runtime::Runtime>);

impl Drop for Owned {
    fn drop(&mut self) {
        // A runtime that is dropped inside another one's task must not wait.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Background {
    /// Runs `work` there and waits for it, whatever thread this is.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, EgressError> {
        let made = self.0.get_or_init(|| {
            tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .thread_name("egress")
                .enable_all()
                .build()
                .map(|runtime| Owned(Some(runtime)))
                .map_err(|e| e.to_string())
        });
        let gone = || EgressError::Setup {
            reason: "the network thread is gone".to_owned(),
        };
        let owned = made.as_ref().map_err(|reason| EgressError::Setup {
            reason: reason.clone(),
        })?;
        let runtime = owned.0.as_ref().ok_or_else(gone)?;
        let (done, result) = mpsc::sync_channel(1);
        runtime.spawn(async move {
            // Nobody waits any more: the result has no reader.
            let _ = done.send(work.await);
        });
        result.recv().map_err(|_closed| gone())
    }
}
