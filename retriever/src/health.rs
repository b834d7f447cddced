//! Whether what is on the disk is what was published.

use std::path::Path;
use std::sync::Arc;

use indago_core::ports::RetrieveError;

use crate::build::names;
use crate::dense::Vectors;
use crate::error::corrupt;
use crate::graph::PhraseFile;
use crate::manifest::{FileSum, Manifest, SparseSet};
use crate::multivector;
use crate::sparse::SparseFile;
use crate::store::Store;
use crate::substring::Substrings;

/// Size of an inverted index up to which it is checked whenever it is opened.
const MAX_CHECKED_BYTES: u64 = 512 << 20;

/// States that are tried, one after another, while a writer replaces them faster than they are read.
const ATTEMPTS: usize = 20;

/// Reads every file of a corpus through and compares it with its checksum, also where the corpus
/// cannot be opened. What a writer replaces meanwhile is no damage: then its new state is read.
///
/// # Errors
/// When the manifest itself cannot be read.
pub fn verify(dir: &Path) -> Result<Vec<RetrieveError>, RetrieveError> {
    let mut read = Manifest::read(dir)?;
    for _ in 1..ATTEMPTS {
        let Some(manifest) = &read else {
            return Ok(Vec::new());
        };
        let problems = check(dir, manifest);
        if problems.is_empty() {
            return Ok(problems);
        }
        let now = Manifest::read(dir)?;
        if now == read {
            return Ok(problems);
        }
        read = now;
    }
    Ok(read.map_or_else(Vec::new, |manifest| check(dir, &manifest)))
}

/// Compares a file with what the manifest says of it.
fn check_file(dir: &Path, sum: &FileSum) -> Result<(), RetrieveError> {
    let path = dir.join(&sum.path);
    let (xxh3, bytes) = crate::disk::hash_file(&path)?;
    if bytes != sum.bytes {
        return Err(corrupt(
            &path,
            format!("{bytes} bytes, should be {}", sum.bytes),
        ));
    }
    if xxh3 != sum.xxh3 {
        return Err(corrupt(&path, "does not match its checksum"));
    }
    Ok(())
}

/// tantivy takes the bytes of its files for granted and may panic on damaged ones, so they are
/// compared with their checksums before it sees them; that reads some 10 GB/s from memory.
pub(crate) fn verify_lexical(dir: &Path, manifest: &Manifest) -> Result<(), RetrieveError> {
    let folder = format!("/{}/", names::LEXICAL);
    let files: Vec<&FileSum> = manifest
        .files
        .iter()
        .filter(|sum| sum.path.contains(&folder))
        .collect();
    // An index beyond this size would take longer to check than to search.
    let bytes = files.iter().map(|sum| sum.bytes);
    if bytes.fold(0, u64::saturating_add) > MAX_CHECKED_BYTES {
        return Ok(());
    }
    files.into_iter().try_for_each(|sum| check_file(dir, sum))
}

fn check(dir: &Path, manifest: &Manifest) -> Vec<RetrieveError> {
    let mut problems: Vec<RetrieveError> = manifest
        .files
        .iter()
        .filter_map(|sum| check_file(dir, sum).err())
        .collect();
    let generation = dir.join(Manifest::generation_dir(manifest.generation));
    let store = Store::open(&generation.join(names::STORE)).map(Arc::new);
    for set in &manifest.vectors {
        if let Ok(store) = &store {
            problems.extend(Vectors::open(dir, set, Arc::clone(store)).err());
        }
        let log = dir.join(&set.log);
        problems.extend(crate::dense::check_log(&log, &set.fingerprint, set.dim).err());
    }
    for set in manifest.tokens.iter().filter(|set| !set.is_forgotten()) {
        problems.extend(multivector::TokenFile::open(&dir.join(&set.file)).err());
    }
    for file in manifest.sparse.iter().flat_map(SparseSet::files) {
        problems.extend(SparseFile::open(&dir.join(file)).err());
    }
    if let Some(set) = &manifest.substrings {
        problems.extend(Substrings::verify(dir, set));
    }
    let phrases = manifest.phrases.iter().filter(|set| !set.file.is_empty());
    for set in phrases {
        let file = PhraseFile::open(&dir.join(&set.file));
        problems.extend(file.and_then(|file| file.verify()).err());
    }
    if let Some(set) = &manifest.facts {
        problems.extend(crate::facts::read(dir, set).err());
    }
    problems
}
