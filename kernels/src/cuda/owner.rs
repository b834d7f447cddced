//! One thread that owns a device: everyone else sends it work.
//!
//! A device's memory, streams and compiled kernels live on its thread, so that nothing of them is
//! shared and launches have one order. Work that fails with [`DeviceError::Lost`] is the last: what
//! comes later fails at once with the same error, because a lost device answers nothing more.

use std::any::Any;
use std::collections::HashMap;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock};

use indago_core::Cancel;

use super::{DeviceError, Launcher};

/// A handle on the thread that owns a device; clones share it. The thread ends with the last handle.
pub struct Owner<L> {
    jobs: Sender<Job<L>>,
    lost: Arc<OnceLock<DeviceError>>,
    name: Arc<str>,
}

type Job<L> = Box<dyn FnOnce(&mut Desk<L>) + Send>;

/// What the thread has: the device, and what was made on it and is used again.
struct Desk<L> {
    device: L,
    kept: HashMap<u64, Box<dyn Any>>,
    next: u64,
}

impl<L: Launcher + 'static> Owner<L> {
    /// Starts a thread and opens the device on it.
    ///
    /// # Errors
    /// What `open` says; [`DeviceError::Lost`] when the thread cannot be started.
    pub fn start(
        name: &str,
        open: impl FnOnce() -> Result<L, DeviceError> + Send + 'static,
    ) -> Result<Self, DeviceError> {
        let (jobs, queue) = channel::<Job<L>>();
        let (opened, answer) = channel();
        std::thread::Builder::new()
            .name(format!("device {name}"))
            .spawn(move || match open() {
                Ok(device) => {
                    let _ = opened.send(Ok(()));
                    work(device, &queue);
                }
                Err(error) => {
                    let _ = opened.send(Err(error));
                }
            })
            .map_err(|e| DeviceError::Lost(format!("its thread cannot be started: {e}")))?;
        answer.recv().map_err(|_closed| gone())??;
        Ok(Self {
            jobs,
            lost: Arc::default(),
            name: name.into(),
        })
    }

    /// What the device is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Sends work and does not wait. It is left out when `cancel` is set before its turn.
    pub fn begin<T: Send + 'static>(
        &self,
        cancel: &Cancel,
        job: impl FnOnce(&L) -> Result<T, DeviceError> + Send + 'static,
    ) -> Pending<T> {
        self.send(cancel, move |desk| job(&desk.device))
    }

    /// Does work on the device's thread and waits for it.
    ///
    /// # Errors
    /// What the work says; [`DeviceError::Lost`] when the device was lost before or the work
    /// panicked; cancelled.
    pub fn run<T: Send + 'static>(
        &self,
        cancel: &Cancel,
        job: impl FnOnce(&L) -> Result<T, DeviceError> + Send + 'static,
    ) -> Result<T, DeviceError> {
        self.begin(cancel, job).wait()
    }

    /// Makes something that stays on the device's thread, such as memory with weights.
    ///
    /// # Errors
    /// As [`Owner::run`].
    pub fn keep<T: 'static>(
        &self,
        cancel: &Cancel,
        make: impl FnOnce(&L) -> Result<T, DeviceError> + Send + 'static,
    ) -> Result<Kept<L, T>, DeviceError> {
        let made = self.send(cancel, move |desk| {
            let value = make(&desk.device)?;
            let id = desk.next;
            desk.next += 1;
            desk.kept.insert(id, Box::new(value));
            Ok(id)
        });
        Ok(Kept {
            id: made.wait()?,
            owner: self.clone(),
            kind: PhantomData,
        })
    }

    fn send<T: Send + 'static>(
        &self,
        cancel: &Cancel,
        job: impl FnOnce(&mut Desk<L>) -> Result<T, DeviceError> + Send + 'static,
    ) -> Pending<T> {
        let (reply, answer) = channel();
        let (cancel, lost) = (cancel.clone(), Arc::clone(&self.lost));
        let work: Job<L> = Box::new(move |desk| {
            let result = match lost.get() {
                Some(error) => Err(error.clone()),
                None => cancel
                    .check()
                    .map_err(DeviceError::from)
                    .and_then(|()| job(desk)),
            };
            if let Err(error @ DeviceError::Lost(_)) = &result {
                let _ = lost.set(error.clone());
            }
            // Nobody waits any more: the result is not needed.
            let _ = reply.send(result);
        });
        // A thread that is gone drops the work and with it the other end of `answer`.
        let _ = self.jobs.send(work);
        Pending(answer)
    }
}

impl<L> Clone for Owner<L> {
    fn clone(&self) -> Self {
        Self {
            jobs: self.jobs.clone(),
            lost: Arc::clone(&self.lost),
            name: Arc::clone(&self.name),
        }
    }
}

impl<L> std::fmt::Debug for Owner<L> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Owner({})", self.name)
    }
}

/// Work under way.
#[derive(Debug)]
pub struct Pending<T>(Receiver<Result<T, DeviceError>>);

impl<T> Pending<T> {
    /// Waits for it.
    ///
    /// # Errors
    /// As [`Owner::run`].
    pub fn wait(self) -> Result<T, DeviceError> {
        self.0.recv().map_err(|_closed| gone())?
    }
}

/// Something on a device's thread; it is given up there when this handle is dropped.
pub struct Kept<L: Launcher + 'static, T> {
    owner: Owner<L>,
    id: u64,
    kind: PhantomData<fn() -> T>,
}

impl<L: Launcher + 'static, T: 'static> Kept<L, T> {
    /// Sends work with it and does not wait.
    pub fn begin<R: Send + 'static>(
        &self,
        cancel: &Cancel,
        job: impl FnOnce(&L, &mut T) -> Result<R, DeviceError> + Send + 'static,
    ) -> Pending<R> {
        let id = self.id;
        self.owner.send(cancel, move |desk| {
            let value = desk.kept.get_mut(&id);
            let value = value.and_then(|value| value.downcast_mut::<T>());
            job(&desk.device, value.ok_or_else(gone)?)
        })
    }

    /// Does work with it and waits.
    ///
    /// # Errors
    /// As [`Owner::run`].
    pub fn with<R: Send + 'static>(
        &self,
        cancel: &Cancel,
        job: impl FnOnce(&L, &mut T) -> Result<R, DeviceError> + Send + 'static,
    ) -> Result<R, DeviceError> {
        self.begin(cancel, job).wait()
    }
}

impl<L: Launcher + 'static, T> Drop for Kept<L, T> {
    fn drop(&mut self) {
        let id = self.id;
        let job: Job<L> = Box::new(move |desk| drop(desk.kept.remove(&id)));
        let _ = self.owner.jobs.send(job);
    }
}

impl<L: Launcher + 'static, T> std::fmt::Debug for Kept<L, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Kept({} on {})", self.id, self.owner.name)
    }
}

fn work<L>(device: L, queue: &Receiver<Job<L>>) {
    let mut desk = Desk {
        device,
        kept: HashMap::new(),
        next: 0,
    };
    while let Ok(job) = queue.recv() {
        // A panic is a defect of this program; it costs whoever sent the work its answer, and the
        // device stays usable.
        let _ = catch_unwind(AssertUnwindSafe(|| job(&mut desk)));
    }
}

fn gone() -> DeviceError {
    DeviceError::Lost("its thread ended, or its work panicked".to_owned())
}
