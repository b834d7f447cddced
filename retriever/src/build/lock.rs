//! One writer at a time: an advisory lock of the operating system, which a dead process gives up.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Seek as _, Write as _};
use std::path::Path;

use crate::error::IndexError;

const FILE: &str = "lock";

/// Held until dropped.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    pub(super) fn take(dir: &Path) -> Result<Self, IndexError> {
        let path = dir.join(FILE);
        let failed = |e| IndexError::write(&path, e);
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = fs::read_to_string(&path).unwrap_or_default();
                let holder = match holder.trim() {
                    pid if !pid.is_empty() && pid.bytes().all(|b| b.is_ascii_digit()) => pid,
                    _ => "unknown",
                };
                return Err(IndexError::Locked {
                    path: dir.to_owned(),
                    holder: holder.to_owned(),
                });
            }
            Err(TryLockError::Error(e)) => return Err(failed(e)),
        }
        // The holder's id is a courtesy to whoever waits; the lock itself is the system's.
        file.set_len(0).map_err(failed)?;
        file.rewind().map_err(failed)?;
        file.write_all(format!("{}\n", std::process::id()).as_bytes())
            .map_err(failed)?;
        file.flush().map_err(failed)?;
        Ok(Self { _file: file })
    }
}
