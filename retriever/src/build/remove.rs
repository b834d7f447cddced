//! Doing away with a corpus.

use std::fs;
use std::path::Path;

use super::lock::Lock;
use crate::error::IndexError;
use crate::manifest::Manifest;

/// Removes the corpus in `dir`, whatever is damaged in it, with its folder. Who has it open goes on
/// reading; who begins it anew at the same time waits for nothing and loses nothing.
///
/// # Errors
/// [`IndexError::Locked`] while another process writes it; when the disk refuses.
pub fn remove(dir: &Path) -> Result<(), IndexError> {
    let lock = Lock::take(dir)?;
    // First of all, so that what a removal leaves that is cut short is no corpus any more.
    let manifest = Manifest::path(dir);
    if manifest.exists() {
        fs::remove_file(&manifest).map_err(|e| IndexError::write(&manifest, e))?;
    }
    let entries = fs::read_dir(dir).map_err(|e| IndexError::write(dir, e))?;
    for path in entries.flatten().map(|entry| entry.path()) {
        let removed = if path.is_dir() {
            fs::remove_dir_all(&path)
        } else if lock.is_file(&path) {
            Ok(())
        } else {
            fs::remove_file(&path)
        };
        removed.map_err(|e| IndexError::write(&path, e))?;
    }
    lock.remove(dir)
}
