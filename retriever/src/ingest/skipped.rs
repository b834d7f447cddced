//! What was left out, and why: values, not errors, because one bad file never stops the rest.

use std::fmt;
use std::io;

use serde::{Deserialize, Serialize};

/// Why a file, folder or record was left out. Each has one sentence of advice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SkipReason {
    /// The operating system refused access.
    NoPermission,
    /// A symbolic link leads back to a folder above it.
    SymlinkLoop,
    /// A symbolic link leads nowhere, or the file vanished between listing and reading.
    NotFound,
    /// Reading failed for another reason.
    Unreadable,
    /// Over a size limit, which the detail names.
    TooLarge,
    /// Not text, and no format that is read.
    Binary,
    /// No text in it.
    Empty,
    /// Not a sound file of its format: cut short or altered.
    Damaged,
    /// Needs a password.
    Encrypted,
    /// A PDF of pictures: pages without a text layer.
    ScannedPdf,
    /// An archive that unpacks to far more than its size: a zip bomb, or close to one.
    ExpandsTooFar,
    /// Reading took longer than the time limit.
    TooSlow,
    /// The parser of its format failed on it.
    ParserFailed,
    /// One record of a record file is not of the expected form.
    BadRecord,
}

impl SkipReason {
    /// The reason in a few words, for tables.
    pub fn label(self) -> &'static str {
        match self {
            Self::NoPermission => "no permission",
            Self::SymlinkLoop => "symbolic link loop",
            Self::NotFound => "not found",
            Self::Unreadable => "unreadable",
            Self::TooLarge => "too large",
            Self::Binary => "binary",
            Self::Empty => "no text",
            Self::Damaged => "damaged",
            Self::Encrypted => "encrypted",
            Self::ScannedPdf => "scanned",
            Self::ExpandsTooFar => "expands too far",
            Self::TooSlow => "too slow",
            Self::ParserFailed => "parser failed",
            Self::BadRecord => "bad record",
        }
    }

    /// What the user can do about it.
    pub fn advice(self) -> &'static str {
        match self {
            Self::NoPermission => "grant read permission or leave the path out",
            Self::SymlinkLoop => "remove the link; what it points to is indexed once already",
            Self::NotFound => "repair or remove the link",
            Self::Unreadable => "check the disk and try again",
            Self::TooLarge | Self::TooSlow => "split the file or raise the limit named",
            Self::Binary => "convert it to text, PDF, DOCX or HTML first",
            Self::Empty => "nothing to do",
            Self::Damaged => "restore the file from its source",
            Self::Encrypted => "remove the password first",
            Self::ScannedPdf => "run OCR first",
            Self::ExpandsTooFar => "check where it came from; raise the limit named if it is sound",
            Self::ParserFailed => "convert it to another format",
            Self::BadRecord => "repair the record",
        }
    }

    /// The reason that belongs to an answer of the operating system.
    pub(super) fn of_io(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::PermissionDenied => Self::NoPermission,
            io::ErrorKind::NotFound => Self::NotFound,
            _ => Self::Unreadable,
        }
    }
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// Something under the indexed paths that gave no document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{path}: {reason}: {detail}")]
pub struct Skipped {
    /// Which, relative to its root; `path:line` for a record.
    pub path: String,
    /// Why.
    pub reason: SkipReason,
    /// Why, in words, with the figures: sizes, limits, the parser's message.
    pub detail: String,
}

impl Skipped {
    pub(super) fn new(path: &str, reason: SkipReason, detail: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            reason,
            detail: detail.into(),
        }
    }

    pub(super) fn io(path: &str, error: &io::Error) -> Self {
        Self::new(path, SkipReason::of_io(error), error.to_string())
    }
}

/// Something that was read, but not quite as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// Which file, relative to its root; `path:line` for a record.
    pub path: String,
    /// What was done to it.
    pub detail: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.detail)
    }
}

/// A number of bytes for people: `1.5 MB`, powers of 1000.
pub(super) fn human_bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if n < 1000 {
        return format!("{n} B");
    }
    let mut value = n as f64 / 1000.0;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_printed_in_the_unit_a_person_would_choose() {
        for (n, text) in [
            (999, "999 B"),
            (1500, "1.5 kB"),
            (2_000_000_000, "2.0 GB"),
            (999_960, "1.0 MB"),
        ] {
            assert_eq!(human_bytes(n), text);
        }
    }
}
