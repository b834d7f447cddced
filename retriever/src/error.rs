//! Why a corpus could not be written. Reading fails with [`RetrieveError`] alone.

use std::io;
use std::path::{Path, PathBuf};

use indago_core::ports::{EncodeError, RetrieveError};
use indago_core::{Cancelled, DocumentId};

/// Indexing failed. Whatever was published before is still there and readable.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {
    /// Another process writes this corpus. Wait for it, or end it.
    #[error("corpus `{}` is being indexed by process {holder}; wait for it to finish", path.display())]
    Locked {
        /// The corpus folder.
        path: PathBuf,
        /// Process id of the holder, or `unknown` when it could not be read.
        holder: String,
    },
    /// The disk is full. The index stays as it was.
    #[error("no space left on the disk of `{}`; the index stays as it was", path.display())]
    DiskFull {
        /// What was being written.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The operating system refused to write.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// What was being written.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// Two sources hold a document of the same id. The first one stays; the writer goes on.
    #[error("document id `{id}` of `{path}` is already used by `{first}`")]
    DuplicateDocument {
        /// The id.
        id: DocumentId,
        /// The later source.
        path: String,
        /// The earlier source.
        first: String,
    },
    /// A passage does not fit its document. A bug of whoever cut it.
    #[error("passage {span:?} does not fit document `{document}` of {len} bytes")]
    BadPassage {
        /// The document.
        document: DocumentId,
        /// The passage's byte range.
        span: std::ops::Range<u64>,
        /// Bytes of the document's text.
        len: u64,
    },
    /// More documents or passages than one corpus holds (2^32 - 1).
    #[error("a corpus holds at most {0} {1}")]
    TooMany(u64, &'static str),
    /// What is on disk cannot be read.
    #[error(transparent)]
    Read(#[from] RetrieveError),
    /// The encoder failed.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// Cancelled. What was published before stays.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl IndexError {
    /// An error of the operating system while writing `path`.
    pub(crate) fn write(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        if matches!(
            source.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
        ) {
            Self::DiskFull { path, source }
        } else {
            Self::Write { path, source }
        }
    }

    /// An error of tantivy while writing below `path`.
    pub(crate) fn tantivy(path: &Path, error: tantivy::TantivyError) -> Self {
        match io_cause(&error) {
            Some(kind) => Self::write(path, io::Error::new(kind, error.to_string())),
            None => Self::Read(engine(path, &error)),
        }
    }
}

/// The kind of the operating system's error behind one of tantivy's, if there is one.
fn io_cause(error: &tantivy::TantivyError) -> Option<io::ErrorKind> {
    use tantivy::TantivyError::{IoError, OpenWriteError};
    use tantivy::directory::error::OpenWriteError::IoError as OpenFailed;
    // What goes wrong in one of its threads arrives as text, also inside of other errors.
    let text = error.to_string();
    if ["No space left on device", "StorageFull"]
        .iter()
        .any(|sign| text.contains(sign))
    {
        return Some(io::ErrorKind::StorageFull);
    }
    match error {
        IoError(io) => Some(io.kind()),
        OpenWriteError(OpenFailed { io_error, .. }) => Some(io_error.kind()),
        _ => None,
    }
}

/// tantivy's error over the index in `path`.
fn engine(path: &Path, error: &tantivy::TantivyError) -> RetrieveError {
    RetrieveError::Engine {
        engine: "tantivy",
        reason: format!("`{}`: {error}", path.display()),
    }
}

/// An error of the operating system while reading `path`.
pub(crate) fn read_error(path: &Path, source: io::Error) -> RetrieveError {
    RetrieveError::Io {
        path: path.to_owned(),
        source,
    }
}

/// Bytes of `path` that do not fit.
pub(crate) fn corrupt(path: &Path, reason: impl Into<String>) -> RetrieveError {
    RetrieveError::Corrupt {
        path: path.to_owned(),
        reason: reason.into(),
    }
}
