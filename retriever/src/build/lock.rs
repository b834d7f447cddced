//! One writer at a time: an advisory lock of the operating system, which a dead process gives up.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::error::IndexError;

const FILE: &str = "lock";
/// How often and how long is waited for a new holder to say who it is.
const LOOKS: usize = 50;
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Held until dropped.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
    path: PathBuf,
}

impl Lock {
    /// Takes the lock of the corpus in `dir`, which is made where there is none.
    pub(super) fn take(dir: &Path) -> Result<Self, IndexError> {
        let path = dir.join(FILE);
        let mut looks = 0;
        loop {
            let file = match open(dir, &path) {
                Ok(file) => file,
                // The folder was removed while it was made or opened.
                Err(e) if is_gone(&e) && looks < LOOKS => {
                    looks += 1;
                    continue;
                }
                Err(e) => return Err(IndexError::write(&path, e)),
            };
            match file.try_lock() {
                Ok(()) if is_at(&file, &path) => return Self::held(file, path),
                // Whoever held it has removed the corpus with it: this one locks nothing any more.
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    let holder = holder(&path);
                    if holder.is_some() || looks == LOOKS {
                        return Err(IndexError::Locked {
                            path: dir.to_owned(),
                            holder: holder.unwrap_or_else(|| "unknown".to_owned()),
                        });
                    }
                    looks += 1;
                    thread::sleep(LOOK_EVERY);
                }
                Err(TryLockError::Error(e)) => return Err(IndexError::write(&path, e)),
            }
        }
    }

    /// The holder's id is a courtesy to whoever waits; the lock itself is the system's.
    fn held(mut file: File, path: PathBuf) -> Result<Self, IndexError> {
        let written = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(format!("{}\n", std::process::id()).as_bytes()));
        written.map_err(|e| IndexError::write(&path, e))?;
        Ok(Self { file, path })
    }

    /// Whether `path` is the lock's file.
    pub(super) fn is_file(&self, path: &Path) -> bool {
        self.path == path
    }

    /// Removes the lock's file and then `dir`, in which nothing else is left, while the lock is held.
    pub(super) fn remove(self, dir: &Path) -> Result<(), IndexError> {
        fs::remove_file(&self.path).map_err(|e| IndexError::write(&self.path, e))?;
        match fs::remove_dir(dir) {
            // Another process begins the same corpus anew, or has removed that one too.
            Err(e) if e.kind() == io::ErrorKind::DirectoryNotEmpty || is_gone(&e) => Ok(()),
            other => other.map_err(|e| IndexError::write(dir, e)),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // So that nobody is told of this holder once there is another one. Best effort, as above.
        let _ = self.file.set_len(0);
    }
}

fn open(dir: &Path, path: &Path) -> io::Result<File> {
    fs::create_dir_all(dir)?;
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true).open(path)
}

/// What making or opening something in a folder says that is being removed.
fn is_gone(error: &io::Error) -> bool {
    [io::ErrorKind::NotFound, io::ErrorKind::AlreadyExists].contains(&error.kind())
}

/// Who says that it holds the lock; `None` in the moment before it does.
fn holder(path: &Path) -> Option<String> {
    let said = fs::read_to_string(path).unwrap_or_default();
    let pid = said.trim();
    (!pid.is_empty() && pid.bytes().all(|b| b.is_ascii_digit())).then(|| pid.to_owned())
}

/// Whether an open file still is the one that `path` names.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let (Ok(opened), Ok(named)) = (file.metadata(), fs::metadata(path)) else {
        return false;
    };
    (opened.dev(), opened.ino()) == (named.dev(), named.ino())
}

/// Where open files cannot be replaced, it does as long as there is one.
#[cfg(not(unix))]
fn is_at(_: &File, path: &Path) -> bool {
    path.exists()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn a_lock_that_was_removed_with_its_folder_locks_nothing() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("corpus");
        let path = dir.join(FILE);
        let first = Lock::take(&dir).unwrap();
        let waiting = open(&dir, &path).unwrap();
        assert!(is_at(&waiting, &path));
        first.remove(&dir).unwrap();
        assert!(!dir.exists());
        waiting.try_lock().unwrap();
        assert!(!is_at(&waiting, &path));
        let second = Lock::take(&dir).unwrap();
        assert!(is_at(&second.file, &path) && !is_at(&waiting, &path));
    }

    #[test]
    fn there_is_one_holder_at_a_time_also_while_the_folder_comes_and_goes() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("corpus");
        let (inside, taken) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let take = |removes: bool| {
            for _ in 0..400 {
                match Lock::take(&dir) {
                    Ok(lock) => {
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two holders");
                        thread::yield_now();
                        inside.fetch_sub(1, Ordering::SeqCst);
                        taken.fetch_add(1, Ordering::SeqCst);
                        if removes {
                            lock.remove(&dir).unwrap();
                        }
                    }
                    Err(IndexError::Locked { holder, .. }) => {
                        let me = std::process::id().to_string();
                        assert!(
                            [me.as_str(), "unknown"].contains(&holder.as_str()),
                            "{holder}"
                        );
                    }
                    Err(other) => panic!("{other:?}"),
                }
            }
        };
        thread::scope(|scope| {
            for thread in 0..4 {
                scope.spawn(move || take(thread % 2 == 0));
            }
        });
        assert!(taken.into_inner() > 0);
    }
}
