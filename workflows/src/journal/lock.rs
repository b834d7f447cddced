//! One lock file per run: whoever hosts the run holds it, and the operating system lets go of it
//! when the process dies, however it dies.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use indago_core::RunId;
use indago_core::ports::RunError;

/// How long a host waits for a reader that is just looking whether the lock is free.
const PATIENCE: Duration = Duration::from_millis(200);

/// The lock of one run; dropping it lets go and removes the file.
#[derive(Debug)]
pub(crate) struct RunLock {
    _file: File,
    path: PathBuf,
}

impl Drop for RunLock {
    fn drop(&mut self) {
        // Removed while still held, so nobody can lock a file that is about to vanish. If it stays
        // behind, it is an unlocked file, which reads as free.
        let _still_there = fs::remove_file(&self.path);
    }
}

pub(crate) fn path_of(folder: &Path, run: &RunId) -> PathBuf {
    folder.join(format!("{run}.lock"))
}

/// Takes the lock; `Ok(None)` when another process has it.
pub(crate) fn acquire(folder: &Path, run: &RunId) -> Result<Option<RunLock>, RunError> {
    let path = path_of(folder, run);
    let io = |error: std::io::Error| RunError::Journal {
        path: path.display().to_string(),
        reason: error.to_string(),
    };
    let mut waited = Duration::ZERO;
    loop {
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(io)?;
        match file.try_lock() {
            // The file may have been removed between opening and locking by the host that ended.
            Ok(()) if is_same_file(&file, &path) => {
                return Ok(Some(RunLock { _file: file, path }));
            }
            Ok(()) => {}
            Err(TryLockError::WouldBlock) if waited >= PATIENCE => return Ok(None),
            Err(TryLockError::WouldBlock) => {
                let pause = Duration::from_millis(5);
                std::thread::sleep(pause);
                waited += pause;
            }
            Err(TryLockError::Error(error)) => return Err(io(error)),
        }
    }
}

/// Whether some process holds the lock. A shared lock of a moment: readers do not see each other.
pub(crate) fn is_held(folder: &Path, run: &RunId) -> bool {
    let Ok(file) = File::open(path_of(folder, run)) else {
        return false;
    };
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}

/// A run of which some process holds the lock, if there is one.
pub(crate) fn any_held(folder: &Path) -> Option<RunId> {
    let entries = fs::read_dir(folder).ok()?;
    entries.flatten().find_map(|entry| {
        let name = entry.file_name();
        let run = RunId::new(name.to_str()?.strip_suffix(".lock")?);
        is_held(folder, &run).then_some(run)
    })
}

#[cfg(unix)]
fn is_same_file(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), fs::metadata(path)) {
        (Ok(open), Ok(named)) => open.ino() == named.ino() && open.dev() == named.dev(),
        _ => false,
    }
}

#[cfg(not(unix))]
fn is_same_file(_file: &File, path: &Path) -> bool {
    path.exists()
}
