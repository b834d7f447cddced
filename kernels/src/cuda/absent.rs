//! What stands in for a device in a build without the feature `cuda`: its type, which cannot be had.

use super::{Arg, DeviceError, Launch, Launcher, Staging};

/// A device. This build has no support for any, so that none can be opened.
#[derive(Clone, Debug)]
pub struct Gpu(Never);

#[derive(Clone, Debug)]
enum Never {}

impl Gpu {
    /// Opens device `ordinal`.
    ///
    /// # Errors
    /// Always [`DeviceError::NotCompiled`].
    pub fn open(ordinal: usize) -> Result<Self, DeviceError> {
        let _ = ordinal;
        Err(DeviceError::NotCompiled)
    }

    /// Names of all devices.
    ///
    /// # Errors
    /// Always [`DeviceError::NotCompiled`].
    pub fn list() -> Result<Vec<String>, DeviceError> {
        Err(DeviceError::NotCompiled)
    }

    /// The newest CUDA that the driver supports.
    ///
    /// # Errors
    /// Always [`DeviceError::NotCompiled`].
    pub fn driver() -> Result<String, DeviceError> {
        Err(DeviceError::NotCompiled)
    }

    /// Name and version of the library for matrix products.
    ///
    /// # Errors
    /// Always [`DeviceError::NotCompiled`].
    pub fn matrix_library() -> Result<String, DeviceError> {
        Err(DeviceError::NotCompiled)
    }

    /// What the driver calls it, with its memory.
    pub fn name(&self) -> &str {
        match self.0 {}
    }
}

impl Launcher for Gpu {
    type Memory = ();

    fn parallel_blocks(&self) -> u32 {
        match self.0 {}
    }

    fn shared_limit(&self) -> u32 {
        match self.0 {}
    }

    fn free_bytes(&self) -> Result<u64, DeviceError> {
        match self.0 {}
    }

    fn alloc(&self, _: usize) -> Result<(), DeviceError> {
        match self.0 {}
    }

    fn write(&self, (): &(), _: usize, _: &[u8]) -> Result<(), DeviceError> {
        match self.0 {}
    }

    fn read(&self, (): &(), _: usize, _: &mut [u8]) -> Result<(), DeviceError> {
        match self.0 {}
    }

    unsafe fn launch(&self, _: Launch, _: &[Arg<'_, ()>]) -> Result<(), DeviceError> {
        match self.0 {}
    }
}

impl Staging for Gpu {
    type Pinned = ();
    type Copy = ();

    fn pinned(&self, _: usize) -> Result<(), DeviceError> {
        match self.0 {}
    }

    fn bytes<'a>(&self, (): &'a mut ()) -> Result<&'a mut [u8], DeviceError> {
        match self.0 {}
    }

    unsafe fn start_copy(&self, (): &(), _: usize, (): &()) -> Result<(), DeviceError> {
        match self.0 {}
    }

    fn finish_copy(&self, (): ()) -> Result<(), DeviceError> {
        match self.0 {}
    }
}
