//! Zip containers (DOCX, EPUB), opened with limits on what they unpack to.

use std::io::{Cursor, Read};

use zip::ZipArchive;
use zip::result::ZipError;

use super::LoadLimits;
use crate::ingest::SkipReason;
use crate::ingest::skipped::human_bytes;

/// Unpacked bytes below which no ratio is asked for.
const FREE_EXPANSION_BYTES: u64 = 16 << 20;
/// First bytes of the container in which office programs encrypt a document.
const COMPOUND_FILE: [u8; 4] = [0xd0, 0xcf, 0x11, 0xe0];

pub(super) type Problem = (SkipReason, String);

/// An open container with what is left of its allowance.
pub(super) struct Archive {
    zip: ZipArchive<Cursor<Vec<u8>>>,
    /// Bytes that may still be unpacked.
    left: u64,
    allowance: u64,
}

impl Archive {
    /// Opens a container. Declared sizes are checked here; what really comes out is counted while
    /// reading, because declarations may lie.
    pub(super) fn open(bytes: Vec<u8>, limits: &LoadLimits) -> Result<Self, Problem> {
        if bytes.starts_with(&COMPOUND_FILE) {
            let detail = "is encrypted, or in the format of before 2007; save it as a plain DOCX";
            return Err((SkipReason::Encrypted, detail.to_owned()));
        }
        let packed = bytes.len() as u64;
        let by_ratio = FREE_EXPANSION_BYTES.max(packed.saturating_mul(limits.expansion));
        let allowance = by_ratio.min(limits.file_bytes);
        let zip = ZipArchive::new(Cursor::new(bytes)).map_err(zip_problem)?;
        if zip.len() > limits.archive_entries {
            let (n, limit) = (zip.len(), limits.archive_entries);
            let detail = format!("has {n} entries, over `max_archive_entries` of {limit}");
            return Err((SkipReason::ExpandsTooFar, detail));
        }
        Ok(Self {
            zip,
            left: allowance,
            allowance,
        })
    }

    /// The entry of this name; `None` when there is none.
    pub(super) fn read(&mut self, name: &str) -> Result<Option<Vec<u8>>, Problem> {
        let file = match self.zip.by_name(name) {
            Ok(file) => file,
            Err(ZipError::FileNotFound) => return Ok(None),
            Err(error) => return Err(zip_problem(error)),
        };
        let too_far = |allowance: u64| {
            let limit = human_bytes(allowance);
            let detail = format!(
                "`{name}` unpacks to more than the {limit} that a file of this size may; raise `max_expansion` if it is sound"
            );
            (SkipReason::ExpandsTooFar, detail)
        };
        if file.size() > self.left {
            return Err(too_far(self.allowance));
        }
        let mut bytes = Vec::new();
        let damaged = |error: std::io::Error| {
            (
                SkipReason::Damaged,
                format!("`{name}` cannot be unpacked: {error}"),
            )
        };
        file.take(self.left + 1)
            .read_to_end(&mut bytes)
            .map_err(damaged)?;
        self.left = self
            .left
            .checked_sub(bytes.len() as u64)
            .ok_or_else(|| too_far(self.allowance))?;
        Ok(Some(bytes))
    }
}

fn zip_problem(error: ZipError) -> Problem {
    match error {
        ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED) => {
            (SkipReason::Encrypted, "needs a password".to_owned())
        }
        other => (
            SkipReason::Damaged,
            format!("is no sound container, perhaps cut short: {other}"),
        ),
    }
}
