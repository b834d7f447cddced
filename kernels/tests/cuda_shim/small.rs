//! A device with little memory that may fail in mid-run.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use indago_kernels::cuda::{Arg, DeviceError, Launch, Launcher, Staging};

use super::anywhere::{Copy, Host, Memory, Pinned};

/// A host launcher that counts.
pub(crate) struct Small {
    pub(crate) host: Host,
    /// Bytes it has.
    pub(crate) memory: usize,
    /// Bytes in use; shared, so that a test sees what is freed.
    pub(crate) used: Arc<AtomicUsize>,
    /// Launches until it is lost.
    pub(crate) launches_left: AtomicUsize,
}

impl Small {
    pub(crate) fn new(order: u32, memory: usize) -> Self {
        Self {
            host: Host { order, blocks: 2 },
            memory,
            used: Arc::default(),
            launches_left: AtomicUsize::new(usize::MAX),
        }
    }
}

pub(crate) struct Counted {
    memory: Memory,
    bytes: usize,
    used: Arc<AtomicUsize>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.used.fetch_sub(self.bytes, Ordering::SeqCst);
    }
}

impl Launcher for Small {
    type Memory = Counted;

    fn parallel_blocks(&self) -> u32 {
        self.host.parallel_blocks()
    }

    fn shared_limit(&self) -> u32 {
        self.host.shared_limit()
    }

    fn free_bytes(&self) -> Result<u64, DeviceError> {
        Ok((self.memory - self.used.load(Ordering::SeqCst)) as u64)
    }

    fn alloc(&self, bytes: usize) -> Result<Counted, DeviceError> {
        let free = self.memory - self.used.load(Ordering::SeqCst);
        if bytes > free {
            return Err(DeviceError::OutOfMemory {
                asked: bytes as u64,
                free: free as u64,
            });
        }
        self.used.fetch_add(bytes, Ordering::SeqCst);
        Ok(Counted {
            memory: self.host.alloc(bytes)?,
            bytes,
            used: Arc::clone(&self.used),
        })
    }

    fn write(&self, to: &Counted, offset: usize, from: &[u8]) -> Result<(), DeviceError> {
        self.host.write(&to.memory, offset, from)
    }

    fn read(&self, from: &Counted, offset: usize, to: &mut [u8]) -> Result<(), DeviceError> {
        self.host.read(&from.memory, offset, to)
    }

    unsafe fn launch(&self, launch: Launch, args: &[Arg<'_, Counted>]) -> Result<(), DeviceError> {
        if self.launches_left.fetch_sub(1, Ordering::SeqCst) == 0 {
            return Err(DeviceError::Lost("an uncorrectable error".to_owned()));
        }
        let args: Vec<_> = args
            .iter()
            .map(|arg| match arg {
                Arg::Memory(counted) => Arg::Memory(&counted.memory),
                Arg::Null => Arg::Null,
                Arg::U32(x) => Arg::U32(*x),
                Arg::F32(x) => Arg::F32(*x),
            })
            .collect();
        // SAFETY: passed on as it came.
        unsafe { self.host.launch(launch, &args) }
    }
}

impl Staging for Small {
    type Pinned = Pinned;
    type Copy = Copy;

    fn pinned(&self, bytes: usize) -> Result<Pinned, DeviceError> {
        self.host.pinned(bytes)
    }

    fn bytes<'a>(&self, pinned: &'a mut Pinned) -> Result<&'a mut [u8], DeviceError> {
        self.host.bytes(pinned)
    }

    unsafe fn start_copy(
        &self,
        from: &Pinned,
        len: usize,
        to: &Counted,
    ) -> Result<Copy, DeviceError> {
        // SAFETY: passed on as it came.
        unsafe { self.host.start_copy(from, len, &to.memory) }
    }

    fn finish_copy(&self, copy: Copy) -> Result<(), DeviceError> {
        self.host.finish_copy(copy)
    }
}
