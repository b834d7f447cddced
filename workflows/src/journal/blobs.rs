//! Large values by the hash of their bytes.
//!
//! A blob lies at `blobs/ab/cdef…`: the first two and the other 62 hexadecimal digits of the BLAKE3
//! hash of its bytes, which are also its checksum. It is written to a temporary file and renamed,
//! so a blob is either whole or not there; what is read is hashed again before it is believed.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use indago_core::ContentHash;

/// Largest blob that is read, in bytes: a guard against a corrupted folder, far above any step.
const MAX_BLOB_BYTES: u64 = 1 << 30;

/// A blob could not be stored or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BlobError {
    /// No file of that name.
    #[error("blob {0} is missing")]
    Missing(ContentHash),
    /// The bytes are not those that were stored.
    #[error("blob `{}` is corrupt: its bytes do not have the hash of its name", .0.display())]
    Corrupt(PathBuf),
    /// The operating system refused.
    #[error("cannot use blob `{}`: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Its answer.
        source: io::Error,
    },
}

/// A folder of blobs. Any number of processes may use it at once.
#[derive(Debug)]
pub struct BlobStore {
    root: PathBuf,
    counter: AtomicU64,
}

impl BlobStore {
    /// The store in `root`, which is made when the first blob is.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            counter: AtomicU64::new(0),
        }
    }

    /// Stores `bytes` under their hash. Storing the same bytes again costs a look. With `sync`,
    /// the bytes are on the disk when this returns.
    pub fn put(&self, bytes: &[u8], sync: bool) -> Result<ContentHash, BlobError> {
        let hash = ContentHash::of(bytes);
        let path = self.path_of(hash);
        let io = |source| BlobError::Io {
            path: path.clone(),
            source,
        };
        if fs::metadata(&path).is_ok_and(|meta| meta.len() == bytes.len() as u64) {
            // Young again, so that nobody who removes old blobs takes it from under this row.
            let _reused = File::options()
                .write(true)
                .open(&path)
                .and_then(|file| file.set_modified(std::time::SystemTime::now()));
            return Ok(hash);
        }
        let folder = path.parent().unwrap_or(&self.root);
        fs::create_dir_all(folder).map_err(io)?;
        let number = self.counter.fetch_add(1, Ordering::Relaxed);
        let temporary = folder.join(format!(".{}-{number}.tmp", std::process::id()));
        let written =
            write_whole(&temporary, bytes, sync).and_then(|()| fs::rename(&temporary, &path));
        if let Err(error) = written {
            let _gone = fs::remove_file(&temporary);
            return Err(io(error));
        }
        Ok(hash)
    }

    /// The bytes stored under `hash`, checked.
    pub fn get(&self, hash: ContentHash) -> Result<Vec<u8>, BlobError> {
        let path = self.path_of(hash);
        let meta = match fs::metadata(&path) {
            Ok(meta) => meta,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(BlobError::Missing(hash));
            }
            Err(source) => return Err(BlobError::Io { path, source }),
        };
        if meta.len() > MAX_BLOB_BYTES {
            return Err(BlobError::Corrupt(path));
        }
        let bytes = fs::read(&path).map_err(|source| BlobError::Io {
            path: path.clone(),
            source,
        })?;
        if ContentHash::of(&bytes) == hash {
            Ok(bytes)
        } else {
            Err(BlobError::Corrupt(path))
        }
    }

    /// The folder that holds it all.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where the blob of that hash lies.
    pub fn path_of(&self, hash: ContentHash) -> PathBuf {
        let name = hash.to_string();
        let (folder, rest) = name.split_at(2);
        self.root.join(folder).join(rest)
    }
}

fn write_whole(path: &Path, bytes: &[u8], sync: bool) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    if sync { file.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_comes_back_whole_and_a_damaged_one_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let store = BlobStore::new(folder.path().join("blobs"));
        let hash = store.put(b"some bytes", true).unwrap();
        assert_eq!(store.put(b"some bytes", false).unwrap(), hash);
        assert_eq!(store.get(hash).unwrap(), b"some bytes");
        fs::write(store.path_of(hash), b"some bytez").unwrap();
        assert!(matches!(store.get(hash), Err(BlobError::Corrupt(_))));
        fs::remove_file(store.path_of(hash)).unwrap();
        assert!(matches!(store.get(hash), Err(BlobError::Missing(_))));
    }
}
