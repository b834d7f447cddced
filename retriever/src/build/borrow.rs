//! Vectors that are there already: the same text costs an encoder nothing a second time.
//!
//! Another corpus may have a text's vector of the same encoder, and a truncated encoder's vectors
//! are the first values of those of the whole one, wherever these are stored. Never the other way
//! round: what was cut off is gone.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use indago_core::Cancel;
use indago_core::ports::Encoder;

use super::CorpusWriter;
use crate::dense::{self, LogReader, VectorLog};
use crate::error::IndexError;

/// Hash of a text that is embedded.
type Key = [u8; 16];

impl CorpusWriter {
    /// Has vectors copied from the corpora in these folders before any is made. What cannot be read
    /// there, or belongs to another encoder, is passed over: it is a cache.
    #[must_use]
    pub fn borrowing_from(mut self, corpora: Vec<PathBuf>) -> Self {
        self.lenders = corpora;
        self
    }

    /// Copies into `log` what the lenders have of `wanted`, the keys of texts without a vector, and
    /// says how many that were.
    pub(super) fn borrow_vectors(
        &self,
        log: &mut VectorLog,
        fingerprint: &str,
        wanted: &HashSet<Key>,
        cancel: &Cancel,
    ) -> Result<u64, IndexError> {
        let readers = readers(self.others(), fingerprint, log.dim());
        let copy = |log: &mut VectorLog, key: Key, record: &[u8]| log.append_record(key, record);
        take(log, readers, wanted, copy, cancel)
    }

    /// The same with vectors cut from those of the encoder `whole`, which this corpus may have too.
    pub(super) fn cut_vectors(
        &self,
        log: &mut VectorLog,
        whole: &dyn Encoder,
        wanted: &HashSet<Key>,
        cancel: &Cancel,
    ) -> Result<u64, IndexError> {
        let folders = std::iter::once(&self.dir).chain(self.others());
        let readers = readers(folders, whole.fingerprint(), whole.dim() as u32);
        let cut = |log: &mut VectorLog, key: Key, record: &[u8]| {
            log.append_cut(key, &dense::vector(record))
        };
        take(log, readers, wanted, cut, cancel)
    }

    fn others(&self) -> impl Iterator<Item = &PathBuf> {
        self.lenders.iter().filter(|lender| **lender != self.dir)
    }
}

/// Has `put` append the records of `wanted` keys that `log` lacks, and counts them.
fn take(
    log: &mut VectorLog,
    readers: impl Iterator<Item = LogReader>,
    wanted: &HashSet<Key>,
    put: impl Fn(&mut VectorLog, Key, &[u8]) -> Result<(), IndexError>,
    cancel: &Cancel,
) -> Result<u64, IndexError> {
    let mut left: HashSet<&Key> = wanted
        .iter()
        .filter(|key| log.find(key).is_none())
        .collect();
    let before = left.len();
    for reader in readers {
        for (key, record) in reader.whole_records() {
            if left.is_empty() {
                break;
            }
            cancel.check()?;
            if left.remove(&key) {
                put(log, key, record)?;
            }
        }
    }
    log.sync()?;
    Ok((before - left.len()) as u64)
}

/// The logs of an encoder in the corpora in these folders, opened one after another.
fn readers<'a>(
    folders: impl Iterator<Item = &'a PathBuf>,
    fingerprint: &str,
    dim: u32,
) -> impl Iterator<Item = LogReader> {
    let paths = folders.flat_map(move |folder| logs(folder, fingerprint));
    paths.filter_map(move |path| {
        LogReader::open(&path, fingerprint, dim)
            .inspect_err(|error| tracing::debug!(%error, "no vectors are taken from this log"))
            .ok()
    })
}

/// The logs of an encoder in the corpus folder `folder`, by name.
fn logs(folder: &Path, fingerprint: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder.join(dense::FOLDER)) else {
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
