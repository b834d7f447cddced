//! Vectors that another corpus has already: the same text costs an encoder nothing a second time.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::CorpusWriter;
use crate::dense::{self, LogReader, VectorLog};
use crate::error::IndexError;

impl CorpusWriter {
    /// Has vectors copied from the corpora in these folders before any is made. What cannot be read
    /// there, or belongs to another encoder, is passed over: it is a cache.
    #[must_use]
    pub fn borrowing_from(mut self, corpora: Vec<PathBuf>) -> Self {
        self.lenders = corpora;
        self
    }

    /// Copies into `log` what the lenders have of `wanted`, the keys of texts without a vector.
    pub(super) fn borrow_vectors(
        &self,
        log: &mut VectorLog,
        fingerprint: &str,
        wanted: &HashSet<[u8; 16]>,
    ) -> Result<(), IndexError> {
        let mut left = wanted.len();
        for lender in self.lenders.iter().filter(|lender| **lender != self.dir) {
            for path in logs(lender, fingerprint) {
                if left == 0 {
                    return log.sync();
                }
                let reader = match LogReader::open(&path, fingerprint, log.dim()) {
                    Ok(reader) => reader,
                    Err(error) => {
                        tracing::debug!(%error, "no vectors are borrowed from this log");
                        continue;
                    }
                };
                for (key, record) in reader.whole_records() {
                    if wanted.contains(&key) && log.find(&key).is_none() {
                        log.append_record(key, record)?;
                        left -= 1;
                    }
                }
            }
        }
        log.sync()
    }
}

/// The logs of an encoder in the corpus folder `lender`, by name.
fn logs(lender: &Path, fingerprint: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(lender.join(dense::FOLDER)) else {
        return Vec::new();
    };
    let mut found: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| dense::is_log_of(path, fingerprint))
        .collect();
    found.sort();
    found
}
