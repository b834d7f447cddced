//! The launcher of all tests: the host shim, or with `INDAGO_TEST_DEVICE=cuda:0` that device.

use std::sync::OnceLock;

use indago_kernels::cuda::{Arg, DeviceError, Gpu, Launch, Launcher, Product, Staging};
use indago_kernels::{Device, pick};

use super::launcher::{HostCopy, HostMemory, Shim};

/// The device that the environment names. A name that cannot be used fails the tests: a run on a
/// device must not pass by running here.
fn device() -> Option<&'static Gpu> {
    static DEVICE: OnceLock<Option<Gpu>> = OnceLock::new();
    let opened = DEVICE.get_or_init(|| {
        let name = std::env::var("INDAGO_TEST_DEVICE").ok()?;
        match pick(name.parse().unwrap()).unwrap().device {
            Device::Cuda(gpu) => Some(gpu),
            Device::Cpu(_) => panic!("`{name}` names no GPU"),
        }
    });
    opened.as_ref()
}

/// See [`Shim`], whose order of threads and number of blocks a device does not heed.
pub(crate) struct Host {
    pub(crate) order: u32,
    pub(crate) blocks: u32,
}

impl Host {
    fn shim(&self) -> Shim {
        Shim {
            order: self.order,
            blocks: self.blocks,
        }
    }
}

pub(crate) enum Memory {
    Here(HostMemory),
    There(<Gpu as Launcher>::Memory),
}

pub(crate) enum Pinned {
    Here(Vec<u8>),
    There(<Gpu as Staging>::Pinned),
}

pub(crate) enum Copy {
    Here(HostCopy),
    There(<Gpu as Staging>::Copy),
}

const MIXED: &str = "all memory of a test is on one side";

impl Launcher for Host {
    type Memory = Memory;

    fn parallel_blocks(&self) -> u32 {
        device().map_or(self.blocks, Launcher::parallel_blocks)
    }

    fn shared_limit(&self) -> u32 {
        device().map_or_else(|| self.shim().shared_limit(), Launcher::shared_limit)
    }

    fn free_bytes(&self) -> Result<u64, DeviceError> {
        device().map_or_else(|| self.shim().free_bytes(), Launcher::free_bytes)
    }

    fn alloc(&self, bytes: usize) -> Result<Memory, DeviceError> {
        match device() {
            Some(gpu) => gpu.alloc(bytes).map(Memory::There),
            None => self.shim().alloc(bytes).map(Memory::Here),
        }
    }

    fn write(&self, to: &Memory, offset: usize, from: &[u8]) -> Result<(), DeviceError> {
        match (to, device()) {
            (Memory::Here(to), _) => self.shim().write(to, offset, from),
            (Memory::There(to), Some(gpu)) => gpu.write(to, offset, from),
            (Memory::There(..), None) => panic!("{MIXED}"),
        }
    }

    fn read(&self, from: &Memory, offset: usize, to: &mut [u8]) -> Result<(), DeviceError> {
        match (from, device()) {
            (Memory::Here(from), _) => self.shim().read(from, offset, to),
            (Memory::There(from), Some(gpu)) => gpu.read(from, offset, to),
            (Memory::There(..), None) => panic!("{MIXED}"),
        }
    }

    unsafe fn launch(&self, launch: Launch, args: &[Arg<'_, Memory>]) -> Result<(), DeviceError> {
        if let Some(gpu) = device() {
            let args: Vec<_> = args
                .iter()
                .map(|arg| match arg {
                    Arg::Memory(Memory::There(memory)) => Arg::Memory(memory),
                    Arg::Memory(Memory::Here(_)) => panic!("{MIXED}"),
                    Arg::Null => Arg::Null,
                    Arg::U32(x) => Arg::U32(*x),
                    Arg::F32(x) => Arg::F32(*x),
                })
                .collect();
            // SAFETY: passed on as it came.
            return unsafe { gpu.launch(launch, &args) };
        }
        let args: Vec<_> = args
            .iter()
            .map(|arg| match arg {
                Arg::Memory(Memory::Here(memory)) => Arg::Memory(memory),
                Arg::Memory(Memory::There(..)) => panic!("{MIXED}"),
                Arg::Null => Arg::Null,
                Arg::U32(x) => Arg::U32(*x),
                Arg::F32(x) => Arg::F32(*x),
            })
            .collect();
        // SAFETY: passed on as it came.
        unsafe { self.shim().launch(launch, &args) }
    }

    fn library(&self) -> Result<String, DeviceError> {
        device().map_or_else(|| self.shim().library(), Launcher::library)
    }

    fn multiply(&self, product: &Product<'_, Memory>) -> Result<(), DeviceError> {
        fn there(memory: &Memory) -> &<Gpu as Launcher>::Memory {
            match memory {
                Memory::There(memory) => memory,
                Memory::Here(_) => panic!("{MIXED}"),
            }
        }
        let Some(gpu) = device() else {
            return self.library().map(drop);
        };
        gpu.multiply(&Product {
            format: product.format,
            shape: product.shape,
            x: there(product.x),
            weights: there(product.weights),
            bias: there(product.bias),
            out: there(product.out),
        })
    }
}

impl Staging for Host {
    type Pinned = Pinned;
    type Copy = Copy;

    fn pinned(&self, bytes: usize) -> Result<Pinned, DeviceError> {
        match device() {
            Some(gpu) => gpu.pinned(bytes).map(Pinned::There),
            None => self.shim().pinned(bytes).map(Pinned::Here),
        }
    }

    fn bytes<'a>(&self, pinned: &'a mut Pinned) -> Result<&'a mut [u8], DeviceError> {
        match (pinned, device()) {
            (Pinned::Here(bytes), _) => Ok(bytes),
            (Pinned::There(pinned), Some(gpu)) => gpu.bytes(pinned),
            (Pinned::There(..), None) => panic!("{MIXED}"),
        }
    }

    unsafe fn start_copy(
        &self,
        from: &Pinned,
        len: usize,
        to: &Memory,
    ) -> Result<Copy, DeviceError> {
        match (from, to, device()) {
            (Pinned::Here(from), Memory::Here(to), _) => {
                // SAFETY: passed on as it came.
                unsafe { self.shim().start_copy(from, len, to) }.map(Copy::Here)
            }
            (Pinned::There(from), Memory::There(to), Some(gpu)) => {
                // SAFETY: passed on as it came.
                unsafe { gpu.start_copy(from, len, to) }.map(Copy::There)
            }
            _ => panic!("{MIXED}"),
        }
    }

    fn finish_copy(&self, copy: Copy) -> Result<(), DeviceError> {
        match (copy, device()) {
            (Copy::Here(copy), _) => self.shim().finish_copy(copy),
            (Copy::There(copy), Some(gpu)) => gpu.finish_copy(copy),
            (Copy::There(..), None) => panic!("{MIXED}"),
        }
    }
}
