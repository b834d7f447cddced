//! Where kernels run: memory, copies and launches, and nothing else.

use super::DeviceError;
use super::float16::Float16;

/// An argument of a kernel, in the order of its parameters.
#[derive(Debug)]
pub enum Arg<'a, M> {
    /// The address of this memory.
    Memory(&'a M),
    /// The null pointer.
    Null,
    /// A 32-bit number.
    U32(u32),
    /// A 32-bit float.
    F32(f32),
}

impl<'a, M> Arg<'a, M> {
    /// The memory's address, or null where there is none.
    pub(crate) fn optional(memory: Option<&'a M>) -> Self {
        memory.map_or(Self::Null, Self::Memory)
    }
}

/// One kernel launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Launch {
    /// Name of the kernel: one of [`KERNELS`](super::KERNELS).
    pub kernel: &'static str,
    /// Blocks along x and y.
    pub grid: [u32; 2],
    /// Threads a block.
    pub block: u32,
    /// Bytes of dynamic shared memory.
    pub shared: u32,
}

/// A product for [`Launcher::multiply`]: `out[m, n] = x[m, k] weights[n, k]^T + bias[n]`, everything
/// row-major in one 16-bit format, sums in 32-bit floats.
#[derive(Debug)]
pub struct Product<'a, M> {
    /// Format of all four.
    pub format: Float16,
    /// m, n and k; n and k are multiples of 8.
    pub shape: [usize; 3],
    /// `[m, k]`.
    pub x: &'a M,
    /// `[n, k]`.
    pub weights: &'a M,
    /// `[n]`.
    pub bias: &'a M,
    /// `[m, n]`, none of the others.
    pub out: &'a M,
}

/// A device, or something that stands in for one. Launches and copies happen in order.
pub trait Launcher {
    /// A piece of device memory, aligned to at least 16 bytes.
    type Memory;

    /// Blocks that can work at the same time, roughly: grids are sized by it.
    fn parallel_blocks(&self) -> u32;

    /// Bytes of shared memory a block may have at most.
    fn shared_limit(&self) -> u32;

    /// Bytes of device memory that are free.
    ///
    /// # Errors
    /// When the device failed.
    fn free_bytes(&self) -> Result<u64, DeviceError>;

    /// `bytes` of memory whose content means nothing; at least 1 byte is allocated.
    ///
    /// # Errors
    /// [`DeviceError::OutOfMemory`].
    fn alloc(&self, bytes: usize) -> Result<Self::Memory, DeviceError>;

    /// Copies `from` into the memory at byte `offset`.
    ///
    /// # Errors
    /// When the range is not inside the memory, or the device failed.
    fn write(&self, to: &Self::Memory, offset: usize, from: &[u8]) -> Result<(), DeviceError>;

    /// Copies the memory from byte `offset` on into `to`, after all launches before it.
    ///
    /// # Errors
    /// When the range is not inside the memory, or the device failed.
    fn read(&self, from: &Self::Memory, offset: usize, to: &mut [u8]) -> Result<(), DeviceError>;

    /// Starts a kernel; may return before it is done.
    ///
    /// # Safety
    /// The arguments must be those the kernel declares, and every address it computes from them
    /// must lie inside the memory given.
    ///
    /// # Errors
    /// When the source does not compile or the device failed.
    unsafe fn launch(
        &self,
        launch: Launch,
        args: &[Arg<'_, Self::Memory>],
    ) -> Result<(), DeviceError>;

    /// Name and version of the library that makes [`Launcher::multiply`]'s products here.
    ///
    /// # Errors
    /// [`DeviceError::NoLibrary`] with the reason, where there is none.
    fn library(&self) -> Result<String, DeviceError> {
        Err(DeviceError::NoLibrary("this launcher has none".to_owned()))
    }

    /// Starts a product of that library; may return before it is done.
    ///
    /// # Errors
    /// [`DeviceError::NoLibrary`]; [`DeviceError::NoAlgorithm`] when it does not do this shape;
    /// memory that is too short; what the library says.
    fn multiply(&self, product: &Product<'_, Self::Memory>) -> Result<(), DeviceError> {
        let _ = product;
        self.library().map(drop)
    }
}

/// A launcher that copies from page-locked host memory beside its kernels: what indexes larger than
/// the device need.
pub trait Staging: Launcher {
    /// Page-locked host memory.
    type Pinned;

    /// A copy under way.
    type Copy;

    /// `bytes` of page-locked host memory whose content means nothing.
    ///
    /// # Errors
    /// When the host or the driver has not the memory.
    fn pinned(&self, bytes: usize) -> Result<Self::Pinned, DeviceError>;

    /// The bytes.
    ///
    /// # Errors
    /// When the device failed.
    fn bytes<'a>(&self, pinned: &'a mut Self::Pinned) -> Result<&'a mut [u8], DeviceError>;

    /// Starts copying the first `len` bytes of `from` to the start of `to`: behind all launches so
    /// far, beside those that follow.
    ///
    /// # Safety
    /// Until [`Staging::finish_copy`] both stay where they are, nothing writes to `from`, and
    /// nothing that is launched uses `to`.
    ///
    /// # Errors
    /// When the range is not inside both, or the device failed.
    unsafe fn start_copy(
        &self,
        from: &Self::Pinned,
        len: usize,
        to: &Self::Memory,
    ) -> Result<Self::Copy, DeviceError>;

    /// Waits for a copy; launches that follow see it.
    ///
    /// # Errors
    /// When the device failed.
    fn finish_copy(&self, copy: Self::Copy) -> Result<(), DeviceError>;
}

/// Copies `values` to fresh device memory.
pub(crate) fn upload<L: Launcher, T: bytemuck::NoUninit>(
    device: &L,
    values: &[T],
) -> Result<L::Memory, DeviceError> {
    let bytes: &[u8] = bytemuck::cast_slice(values);
    let memory = device.alloc(bytes.len())?;
    device.write(&memory, 0, bytes)?;
    Ok(memory)
}

/// Copies `n` values from the start of device memory.
pub(crate) fn download<L: Launcher, T: bytemuck::AnyBitPattern + bytemuck::NoUninit>(
    device: &L,
    memory: &L::Memory,
    n: usize,
) -> Result<Vec<T>, DeviceError> {
    let mut values = vec![T::zeroed(); n];
    device.read(memory, 0, bytemuck::cast_slice_mut(&mut values))?;
    Ok(values)
}

/// Blocks for `work` pieces of which a block takes `per_block`: no more than keep the device busy,
/// at least one.
pub(crate) fn blocks<L: Launcher>(device: &L, work: usize, per_block: usize) -> u32 {
    let wanted = work.div_ceil(per_block.max(1)).max(1);
    u32::try_from(wanted)
        .unwrap_or(u32::MAX)
        .min(device.parallel_blocks().max(1))
}
