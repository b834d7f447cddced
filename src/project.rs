//! Where things live: one folder `.indago/` beside the documents.
//!
//! ```text
//! .indago/
//! ├── corpora/NAME/   indexes of one corpus; derived, may be deleted
//! ├── journal.sqlite  recorded runs
//! └── blobs/          the passages that reports cite
//! ```

use std::path::{Path, PathBuf};

use crate::Error;

/// Longest name of a corpus, in bytes.
const MAX_NAME_BYTES: usize = 64;

/// A folder with an `.indago/` inside, which need not exist yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    root: PathBuf,
}

impl Project {
    /// The project in `root`.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder it is in.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where corpora live.
    pub fn corpora_dir(&self) -> PathBuf {
        self.root.join(".indago").join("corpora")
    }

    /// Where runs are recorded.
    pub fn journal_dir(&self) -> PathBuf {
        self.root.join(".indago")
    }

    /// Where the corpus `name` lives.
    ///
    /// # Errors
    /// [`Error::BadName`] for a name that could leave the folder or confuse a shell.
    pub fn corpus_dir(&self, name: &str) -> Result<PathBuf, Error> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let sound = !name.is_empty()
            && name.len() <= MAX_NAME_BYTES
            && name.chars().all(plain)
            && !name.starts_with(['.', '-']);
        if !sound {
            return Err(Error::BadName(name.to_owned()));
        }
        Ok(self.corpora_dir().join(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_the_folder() {
        let project = Project::at("/p");
        for bad in [
            "",
            ".",
            "..",
            "a/b",
            "../x",
            "-x",
            ".x",
            "a b",
            "é",
            &"x".repeat(65),
        ] {
            assert!(project.corpus_dir(bad).is_err(), "{bad}");
        }
        for good in ["default", "a-b_c.2"] {
            assert!(project.corpus_dir(good).is_ok(), "{good}");
        }
    }
}
