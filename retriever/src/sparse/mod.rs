//! Sparse vectors: made on request beside the other indexes, searched through pruned lists of
//! blocks.
//!
//! Two kinds: those of a [`SparseEncoder`] (SPLADE-type), and BM25's own weights as vectors over
//! words, which need no model. A vector that was made once for a text is taken over when the index
//! is made again.

mod blocks;
mod file;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use indago_core::Cancel;
use indago_core::ports::{Role, SparseEncoder, SparseVector};

pub use blocks::Cut;
pub use file::{Content, Effort, SparseFile, write};

use crate::error::IndexError;
use crate::manifest::{Manifest, SparseSet};
use crate::prepare::indexed_text;
use crate::store::Store;

/// Fingerprint of vectors of BM25's weights.
pub(crate) const IMPACTS: &str = "bm25-impacts/1";
/// Texts that are encoded at once.
const BATCH: usize = 64;
/// Passages whose own heaviest terms are the queries that recall is measured with.
const SAMPLE: u32 = 64;
/// Terms of such a query.
const SAMPLE_TERMS: usize = 12;

/// What making a sparse index did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SparseBuilt {
    /// Passages in it.
    pub passages: u64,
    /// Passages that were encoded; the others' vectors were there.
    pub encoded: u64,
    /// Share of the exact ten best that it finds, over queries of a sample of passages' heaviest
    /// terms; 0 to 1.
    pub recall: f32,
}

/// Makes the sparse index of `store` and its entry for the manifest.
pub(crate) fn build(
    dir: &Path,
    store: &Store,
    manifest: &Manifest,
    encoder: Option<&dyn SparseEncoder>,
    cancel: &Cancel,
) -> Result<(SparseSet, SparseBuilt), IndexError> {
    let fingerprint = encoder
        .map_or(IMPACTS, SparseEncoder::fingerprint)
        .to_owned();
    let known = manifest
        .sparse
        .iter()
        .find(|set| set.fingerprint == fingerprint);
    let keys: Vec<[u8; 16]> = (0..store.n_passages())
        .map(|row| store.passage_row(row).embed_key)
        .collect();
    let made = match encoder {
        None => impacts(store, manifest, cancel)?,
        Some(encoder) => {
            // A file that cannot be read is made again, not trusted.
            let before = known.and_then(|set| SparseFile::open(&dir.join(&set.file)).ok());
            encoded(store, &keys, encoder, before.as_ref(), cancel)?
        }
    };
    let folder = dir.join(crate::dense::FOLDER);
    std::fs::create_dir_all(&folder).map_err(|e| IndexError::write(&folder, e))?;
    let stem = &blake3::hash(fingerprint.as_bytes()).to_hex()[..16];
    let file = format!(
        "{}/sparse-{stem}-{}.bin",
        crate::dense::FOLDER,
        manifest.edition + 1
    );
    let content = Content {
        keys: &keys,
        vectors: &made.vectors,
        vocabulary: made.vocabulary,
        words: &made.words,
    };
    write(&dir.join(&file), &content, Cut::default())?;
    let recall = recall(&SparseFile::open(&dir.join(&file))?, cancel)?;
    let set = SparseSet {
        fingerprint,
        name: encoder.map_or("bm25", SparseEncoder::name).to_owned(),
        generation: manifest.generation,
        file,
        recall,
    };
    let built = SparseBuilt {
        passages: keys.len() as u64,
        encoded: made.encoded,
        recall,
    };
    Ok((set, built))
}

struct Made {
    vectors: Vec<SparseVector>,
    vocabulary: usize,
    words: Vec<String>,
    encoded: u64,
}

fn text_of(store: &Store, row: u32) -> Result<String, IndexError> {
    let row = store.passage_row(row);
    let title = store.record(row.document)?.title;
    let headings = store.extra(&row)?.headings;
    Ok(indexed_text(&title, &headings, store.passage_text(&row)?))
}

/// Vectors by an encoder; those of texts that `before` has are taken from there.
fn encoded(
    store: &Store,
    keys: &[[u8; 16]],
    encoder: &dyn SparseEncoder,
    before: Option<&SparseFile>,
    cancel: &Cancel,
) -> Result<Made, IndexError> {
    let mut known: HashMap<[u8; 16], SparseVector> = HashMap::new();
    if let Some(before) = before {
        known.extend((0..before.rows()).map(|row| (before.key(row), before.vector(row))));
    }
    let missing: BTreeMap<[u8; 16], u32> = (keys.iter().copied().zip(0..))
        .filter(|(key, _)| !known.contains_key(key))
        .collect();
    let missing: Vec<([u8; 16], u32)> = missing.into_iter().collect();
    for batch in missing.chunks(BATCH) {
        cancel.check()?;
        let texts: Vec<String> = batch
            .iter()
            .map(|(_, row)| text_of(store, *row))
            .collect::<Result<_, _>>()?;
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let vectors = encoder.encode(&texts, Role::Passage, cancel)?;
        known.extend(batch.iter().map(|(key, _)| *key).zip(vectors));
    }
    let vector = |key| known.get(key).cloned().unwrap_or_default();
    Ok(Made {
        vectors: keys.iter().map(vector).collect(),
        vocabulary: encoder.vocabulary(),
        words: Vec::new(),
        encoded: missing.len() as u64,
    })
}

/// BM25's weight of each word in each passage, its idf left to the query.
fn impacts(store: &Store, manifest: &Manifest, cancel: &Cancel) -> Result<Made, IndexError> {
    let n = store.n_passages();
    let mut counted: Vec<(BTreeMap<String, u32>, u32)> = Vec::with_capacity(n as usize);
    let mut words: BTreeSet<String> = BTreeSet::new();
    for row in 0..n {
        cancel.check()?;
        let mut times: BTreeMap<String, u32> = BTreeMap::new();
        let mut length = 0;
        indago_text::for_each_term(&text_of(store, row)?, |term, _| {
            length += 1;
            match times.get_mut(term) {
                Some(n) => *n += 1,
                None => {
                    times.insert(term.to_owned(), 1);
                }
            }
        });
        words.extend(
            times
                .keys()
                .filter(|term| !words.contains(*term))
                .cloned()
                .collect::<Vec<_>>(),
        );
        counted.push((times, length));
    }
    let words: Vec<String> = words.into_iter().collect();
    let mean = (manifest.terms as f32 / n.max(1) as f32).max(1.0);
    let vectors = counted.into_iter().map(|(times, length)| {
        let norm = 1.2 * (0.25 + 0.75 * length as f32 / mean);
        let weight = |(word, times): (String, u32)| {
            let term = words.binary_search(&word).ok()? as u32;
            Some((term, 2.2 * times as f32 / (times as f32 + norm)))
        };
        times.into_iter().filter_map(weight).collect()
    });
    Ok(Made {
        vectors: vectors.collect(),
        vocabulary: words.len(),
        encoded: u64::from(n),
        words,
    })
}

/// Share of the exact ten best that a search finds.
fn recall(file: &SparseFile, cancel: &Cancel) -> Result<f32, IndexError> {
    let step = (file.rows() / SAMPLE).max(1);
    let (mut found, mut all) = (0, 0);
    for row in (0..file.rows()).step_by(step as usize) {
        let mut query = file.vector(row);
        query.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        query.truncate(SAMPLE_TERMS);
        let exact = file.scan(&query, 10, cancel)?;
        let ours = file.search(&query, 10, Effort::default(), |_| true, cancel)?;
        all += exact.len();
        found += exact
            .iter()
            .filter(|(row, _)| ours.iter().any(|(r, _)| r == row))
            .count();
    }
    Ok(found as f32 / all.max(1) as f32)
}

#[cfg(test)]
mod tests;
