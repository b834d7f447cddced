//! Files that are written once, checksummed, and read through a memory map.

pub(crate) mod bytes;
#[cfg(test)]
pub(crate) mod forge;
pub(crate) mod map;
pub(crate) mod positioned;
pub(crate) mod records;
pub(crate) mod sealed;

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use crate::error::IndexError;

/// Makes the names in a folder durable. Without it a rename may be undone by a power cut.
pub(crate) fn sync_dir(dir: &Path) -> Result<(), IndexError> {
    // Windows cannot open folders as files and orders metadata itself.
    if cfg!(unix) {
        let handle = File::open(dir).map_err(|e| IndexError::write(dir, e))?;
        handle.sync_all().map_err(|e| IndexError::write(dir, e))?;
    }
    Ok(())
}

/// Replaces `path` by `bytes` so that a reader sees either the old or the new file, whole.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), IndexError> {
    let beside = path.with_extension("new");
    let failed = |e| IndexError::write(&beside, e);
    let mut file = File::create(&beside).map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    drop(file);
    fs::rename(&beside, path).map_err(|e| IndexError::write(path, e))?;
    path.parent().map_or(Ok(()), sync_dir)
}

/// Whether a file is one of tantivy's locks, which belong to no generation.
pub(crate) fn is_lock(name: &str) -> bool {
    has_extension(name, "lock")
}

/// Whether a file name ends in `.extension`.
pub(crate) fn has_extension(name: &str, extension: &str) -> bool {
    Path::new(name)
        .extension()
        .is_some_and(|found| found == extension)
}

/// Hash and length of a whole file.
pub(crate) fn hash_file(path: &Path) -> Result<(u64, u64), indago_core::ports::RetrieveError> {
    let map = map::Map::open(path)?;
    Ok((
        xxhash_rust::xxh3::xxh3_64(map.bytes()),
        map.bytes().len() as u64,
    ))
}
