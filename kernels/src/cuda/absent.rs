//! What stands in for a device in a build without the feature `cuda`: its type, which cannot be had.

use super::{Arg, DeviceError, Launch, Launcher};

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
