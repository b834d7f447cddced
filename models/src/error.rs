//! What can be wrong with a model.

use std::io;
use std::path::PathBuf;

use indago_core::ports::EncodeError;

/// A model's files cannot be read, or are not what they should be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The operating system refused.
    #[error("cannot read or write `{}`", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Its answer.
        source: io::Error,
    },
    /// The content is not of the form it should have.
    #[error("{what} cannot be used: {reason}")]
    Format {
        /// Which file or part.
        what: String,
        /// What does not fit.
        reason: String,
    },
    /// The file was written by another version of the format. Make it anew.
    #[error(
        "{what} has format {found}, this build reads {expected}: make it anew with `indago models`"
    )]
    Version {
        /// Which file.
        what: String,
        /// What it says.
        found: u32,
        /// What this build reads.
        expected: u32,
    },
    /// The bytes are not those that were written.
    #[error("{what} is damaged: checksum {found:016x}, expected {expected:016x}")]
    Checksum {
        /// Which file.
        what: String,
        /// Checksum of the bytes there are.
        found: u64,
        /// Checksum of the bytes that were written.
        expected: u64,
    },
    /// Encoding failed while a model was being made from another.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

impl ModelError {
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl Fn(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io {
            path: path.clone(),
            source,
        }
    }

    pub(crate) fn format(what: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Format {
            what: what.into(),
            reason: reason.into(),
        }
    }

    /// The same as an encoder's failure, under the model's name.
    pub(crate) fn of_model(&self, model: &str) -> EncodeError {
        let mut reason = self.to_string();
        if let Self::Io { source, .. } = self {
            reason = format!("{reason}: {source}");
        }
        EncodeError::Model {
            model: model.to_owned(),
            reason,
        }
    }
}
