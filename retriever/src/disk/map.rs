//! Read-only memory maps: the only `unsafe` of this crate.
#![expect(
    unsafe_code,
    reason = "mapping a file is unsafe by nature; see `Map::open`"
)]

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use indago_core::ports::RetrieveError;
use memmap2::Mmap;

use crate::error::read_error;

/// A file as bytes. Clones share one mapping.
#[derive(Clone, Debug)]
pub(crate) struct Map(Arc<Mmap>);

impl Map {
    /// Maps the whole of `path`.
    pub(crate) fn open(path: &Path) -> Result<Self, RetrieveError> {
        let file = File::open(path).map_err(|e| read_error(path, e))?;
        // SAFETY: the mapping is sound as long as nobody shrinks or rewrites the file while it is
        // mapped. indago never does: files of a corpus are written under a name that no manifest
        // mentions, never changed after they are published (the vector log only grows, and the
        // mapping covers what was there), and removed by unlinking, which leaves mappings intact.
        // Another program that damages files in place is outside that contract; checksums catch
        // changed bytes.
        let map = unsafe { Mmap::map(&file) }.map_err(|e| read_error(path, e))?;
        Ok(Self(Arc::new(map)))
    }

    /// The bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}
