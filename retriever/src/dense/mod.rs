//! Dense vectors: made behind the lexical index, kept exactly in a log, scanned as 8-bit codes.
//!
//! Per encoder there is one *log*, which only grows and doubles as the cache (a text that was
//! embedded once is never embedded again), and one *matrix* per publication: the codes of the
//! vectors that the current passages have, in the order of their rows. A search scans the whole
//! matrix and scores the best again with the log's 16-bit floats. A truncated encoder's log is cut
//! from the whole one's as far as that goes.
//!
//! On request a matrix has a *graph* beside it ([`crate::vamana`]), over which an approximate search
//! walks instead. It follows the matrix: rows that came are inserted, rows that went are taken out.
//! Until it has caught up, approximate search scans.

mod approximate;
mod links;
mod log;
mod matrix;

use std::collections::HashSet;
use std::path::Path;

use indago_core::ports::RetrieveError;

pub(crate) use approximate::link;
pub(crate) use log::{LogReader, VectorLog, check as check_log, vector};
pub(crate) use matrix::Vectors;

use crate::error::IndexError;
use crate::manifest::VectorSet;
use crate::store::Store;

/// The folder of vectors within a corpus.
pub(crate) const FOLDER: &str = "vectors";

/// Records in a log that no passage uses any more, as a multiple of those in use, beyond which
/// the log is written anew.
const MAX_STALE: usize = 2;
/// Logs of this size are not worth the trouble.
const SMALL: usize = 1024;

/// Names the files of an encoder.
fn stem(fingerprint: &str) -> String {
    blake3::hash(fingerprint.as_bytes()).to_hex()[..16].to_owned()
}

/// Path of an encoder's file, relative to the corpus folder.
pub(crate) fn file_name(fingerprint: &str, edition: u64, extension: &str) -> String {
    format!("{FOLDER}/{}-{edition}.{extension}", stem(fingerprint))
}

/// Path of a new log, relative to the corpus folder.
pub(crate) fn log_path(fingerprint: &str, edition: u64) -> String {
    format!("{FOLDER}/{}-{edition}.log", stem(fingerprint))
}

/// Whether the file is a log of this encoder, by its name.
pub(crate) fn is_log_of(path: &Path, fingerprint: &str) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let rest = name.strip_prefix(&stem(fingerprint));
    rest.is_some_and(|rest| rest.starts_with('-') && crate::disk::has_extension(rest, "log"))
}

/// Writes the matrix of what `log` holds for the passages of `store`, without those whose texts are
/// `pruned`, and returns its entry for the manifest.
pub(crate) fn seal(
    dir: &Path,
    store: &Store,
    log: &VectorLog,
    set: &VectorSet,
    generation: u64,
    edition: u64,
    pruned: &HashSet<[u8; 16]>,
) -> Result<VectorSet, IndexError> {
    let mut set = set.clone();
    set.generation = generation;
    let mut rows: Vec<(u32, u32)> = Vec::new();
    for row in 0..store.n_passages() {
        let key = store.passage_row(row).embed_key;
        if let Some(index) = log.find(&key).filter(|_| !pruned.contains(&key)) {
            rows.push((row, index));
        }
    }
    set.matrix = format!("{FOLDER}/{}-{edition}.bin", stem(&set.fingerprint));
    set.embedded = rows.len() as u64;
    matrix::write(&dir.join(&set.matrix), log, &rows)?;
    Ok(set)
}

/// The log, written anew under another name when most of it is of no use any more or a part of it
/// is damaged: what a health check complains of does not stay.
pub(crate) fn without_stale(
    dir: &Path,
    store: &Store,
    log: VectorLog,
    set: &VectorSet,
    edition: u64,
) -> Result<(VectorLog, VectorSet), IndexError> {
    let keys = (0..store.n_passages()).map(|row| store.passage_row(row).embed_key);
    let used: HashSet<u32> = keys.filter_map(|key| log.find(&key)).collect();
    let set = set.clone();
    if !log.is_damaged() && log.len() <= (used.len() + SMALL) * (1 + MAX_STALE) {
        return Ok((log, set));
    }
    let set = VectorSet {
        log: log_path(&set.fingerprint, edition),
        ..set
    };
    let mut compact = VectorLog::create(&dir.join(&set.log), &set.fingerprint, log.dim())?;
    let mut used: Vec<u32> = used.into_iter().collect();
    used.sort_unstable();
    for index in used {
        compact.copy_from(&log, index)?;
    }
    compact.sync()?;
    Ok((compact, set))
}

/// A file of vectors that does not fit the rest.
fn misfit(path: &Path, reason: &str) -> RetrieveError {
    crate::error::corrupt(path, reason)
}
