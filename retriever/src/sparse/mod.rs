//! Sparse vectors: made on request beside the other indexes, searched through pruned lists and scored
//! by whole vectors.
//!
//! Two kinds: those of a [`SparseEncoder`] (SPLADE-type), and BM25's own weights as vectors over
//! words, which need no model. An index follows its corpus: what is gone is skipped, what came is in
//! a small file beside the large one; weights of words are computed from their counts, so that they
//! are those of the corpus as it is.

mod candidates;
mod file;
mod lists;
mod parts;
mod weights;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;

use indago_core::Cancel;
use indago_core::ports::{RetrieveError, Role, SparseEncoder, SparseVector};

pub use file::{Content, Effort, SparseFile, write};
pub use lists::Cut;

use crate::disk::bytes::{f32_at, u32_at};
use crate::disk::records::RecordLog;
use crate::encoded;
use crate::error::IndexError;
use crate::manifest::{Manifest, SparseSet};
use crate::multivector::{Rows, link_rows};
use crate::prepare::indexed_text;
use crate::store::Store;

/// Fingerprint of vectors of BM25's weights.
pub(crate) const IMPACTS: &str = "bm25-impacts/1";
/// Texts that are encoded at once.
const BATCH: usize = 64;
/// Of so many texts of the large file one may be gone before all is made again.
const MAX_GONE: usize = 4;
/// For so many texts of the large file one may be in the small one ...
const MAX_NEW: usize = 8;
/// ... or so many whatever the large one has.
const SMALL: usize = 1024;
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

/// A sparse index, open for searching: its file, and that of what came since.
#[derive(Debug)]
pub(crate) struct SparseIndex {
    /// Each with the rows of the store that have its texts; none where a text is gone.
    pub(crate) parts: Vec<(SparseFile, Rows)>,
}

impl SparseIndex {
    /// Opens the files of `set` over a corpus of `terms` terms.
    pub(crate) fn open(
        dir: &Path,
        set: &SparseSet,
        store: &Store,
        terms: u64,
    ) -> Result<Self, RetrieveError> {
        let open = |file: &str| -> Result<(SparseFile, Rows), RetrieveError> {
            let file = SparseFile::open(&dir.join(file))?.at_mean(mean_length(store, terms));
            let rows = link_rows(store, &file.keys());
            Ok((file, rows))
        };
        Ok(Self {
            parts: set.files().map(open).collect::<Result<_, _>>()?,
        })
    }
}

/// Terms of a passage in the mean.
fn mean_length(store: &Store, terms: u64) -> f32 {
    (terms as f32 / store.n_passages().max(1) as f32).max(1.0)
}

/// How many passages of `store` have a text of these files.
pub(crate) fn covered(dir: &Path, set: &SparseSet, store: &Store) -> Result<u64, RetrieveError> {
    let mut there = HashSet::new();
    for file in set.files() {
        there.extend(SparseFile::open(&dir.join(file))?.keys());
    }
    let keys = (0..store.n_passages()).map(|row| store.passage_row(row).embed_key);
    Ok(keys.filter(|key| there.contains(key)).count() as u64)
}

/// Brings the sparse index of `store` up to date, or makes it, with its entry for the manifest.
///
/// What came goes into a small file beside the large one, which stays as it is until too much of it
/// is gone or the small one has grown: then both are made one.
pub(crate) fn build(
    dir: &Path,
    store: &Store,
    manifest: &Manifest,
    encoder: Option<&dyn SparseEncoder>,
    cancel: &Cancel,
) -> Result<(SparseSet, SparseBuilt), IndexError> {
    let fingerprint = encoder.map_or(IMPACTS, SparseEncoder::fingerprint);
    let known = manifest
        .sparse
        .iter()
        .find(|set| set.fingerprint == fingerprint);
    // A file that cannot be read is made again, not trusted.
    let before = known.and_then(|set| {
        let open = |file: &str| SparseFile::open(&dir.join(file));
        let files: Result<Vec<SparseFile>, RetrieveError> = set.files().map(open).collect();
        files.ok().filter(|files| !files.is_empty())
    });
    let mut wanted: HashSet<[u8; 16]> = HashSet::new();
    let mut rows: Vec<u32> = Vec::new();
    for row in 0..store.n_passages() {
        if wanted.insert(store.passage_row(row).embed_key) {
            rows.push(row);
        }
    }
    let key_of = |row: u32| store.passage_row(row).embed_key;
    let mut set = SparseSet {
        fingerprint: fingerprint.to_owned(),
        name: encoder.map_or("bm25", SparseEncoder::name).to_owned(),
        passages: u64::from(store.n_passages()),
        file: String::new(),
        tail: None,
        recall: known.map_or(0.0, |set| set.recall),
    };
    let mut built = SparseBuilt {
        passages: set.passages,
        encoded: 0,
        recall: set.recall,
    };
    let mut build = Build {
        dir,
        store,
        mean: mean_length(store, manifest.terms),
        edition: manifest.edition + 1,
        encoder,
        before: before.as_deref().unwrap_or_default(),
        encoded: 0,
    };
    if let (Some(known), Some(files)) = (known, &before) {
        let there: HashSet<[u8; 16]> = files[0].keys().into_iter().collect();
        let gone = there.iter().filter(|key| !wanted.contains(*key)).count();
        let new: Vec<u32> = rows
            .iter()
            .copied()
            .filter(|row| !there.contains(&key_of(*row)))
            .collect();
        if gone <= there.len() / MAX_GONE && new.len() <= (there.len() / MAX_NEW).max(SMALL) {
            set.file.clone_from(&known.file);
            let tail = files.get(1).map(SparseFile::keys).unwrap_or_default();
            let as_it_is = tail.len() == new.len()
                && tail.iter().zip(&new).all(|(key, row)| *key == key_of(*row));
            set.tail = match (new.is_empty(), as_it_is) {
                (true, _) => None,
                (false, true) => known.tail.clone(),
                (false, false) => Some(build.write("tail-", &new, cancel)?),
            };
            built.encoded = build.encoded;
            return Ok((set, built));
        }
    }
    set.file = build.write("", &rows, cancel)?;
    built.encoded = build.encoded;
    let written = SparseFile::open(&dir.join(&set.file))?;
    set.recall = recall(&written, cancel)?;
    built.recall = set.recall;
    Ok((set, built))
}

/// What files are made from.
struct Build<'a> {
    dir: &'a Path,
    store: &'a Store,
    mean: f32,
    edition: u64,
    encoder: Option<&'a dyn SparseEncoder>,
    before: &'a [SparseFile],
    encoded: u64,
}

impl Build<'_> {
    /// Writes the vectors of some rows to a new file.
    fn write(&mut self, kind: &str, rows: &[u32], cancel: &Cancel) -> Result<String, IndexError> {
        let keys: Vec<[u8; 16]> = rows
            .iter()
            .map(|row| self.store.passage_row(*row).embed_key)
            .collect();
        let made = match self.encoder {
            None => impacts(self.store, rows, cancel)?,
            Some(encoder) => self.encode(rows, &keys, encoder, cancel)?,
        };
        self.encoded = made.encoded;
        let folder = self.dir.join(crate::dense::FOLDER);
        std::fs::create_dir_all(&folder).map_err(|e| IndexError::write(&folder, e))?;
        let fingerprint = self.encoder.map_or(IMPACTS, SparseEncoder::fingerprint);
        let file = format!(
            "{}/sparse-{}-{kind}{}.bin",
            crate::dense::FOLDER,
            stem(fingerprint),
            self.edition
        );
        let content = Content {
            keys: &keys,
            vectors: &made.vectors,
            lengths: made
                .lengths
                .as_ref()
                .map(|lengths| (&lengths[..], self.mean)),
            vocabulary: made.vocabulary,
            words: &made.words,
        };
        write(&self.dir.join(&file), &content, Cut::default())?;
        Ok(file)
    }

    /// Vectors by an encoder; those of texts that were encoded before are taken from there. A killed
    /// program loses the batch it was in.
    fn encode(
        &self,
        rows: &[u32],
        keys: &[[u8; 16]],
        encoder: &dyn SparseEncoder,
        cancel: &Cancel,
    ) -> Result<Made, IndexError> {
        let mut known: HashMap<[u8; 16], SparseVector> = HashMap::new();
        let sound = |vector: &SparseVector| encoded::is_sound(vector, encoder.vocabulary());
        for file in self.before {
            let there = (0..file.rows()).map(|row| (file.key(row), file.vector(row)));
            known.extend(there.filter(|(_, vector)| sound(vector)));
        }
        let missing: Vec<([u8; 16], u32)> = keys
            .iter()
            .copied()
            .zip(rows.iter().copied())
            .filter(|(key, _)| !known.contains_key(key))
            .collect();
        let path = self.dir.join(crate::dense::FOLDER);
        let path = path.join(format!("sparse-{}.pending", stem(encoder.fingerprint())));
        let mut pending = RecordLog::open(&path, &format!("sparse {}", encoder.fingerprint()))?;
        let mut encoded = 0;
        for batch in missing.chunks(BATCH) {
            cancel.check()?;
            let mut fresh = Vec::new();
            for &(key, row) in batch {
                let kept = pending.get(&key)?.map(|bytes| {
                    let entries = (0..bytes.len() / 8)
                        .map(|i| (u32_at(&bytes, 8 * i), f32_at(&bytes, 8 * i + 4)));
                    entries.collect::<SparseVector>()
                });
                match kept.filter(sound) {
                    Some(vector) => drop(known.insert(key, vector)),
                    None => fresh.push((key, text_of(self.store, row)?)),
                }
            }
            let texts: Vec<&str> = fresh.iter().map(|(_, text)| text.as_str()).collect();
            let vectors = if texts.is_empty() {
                Vec::new()
            } else {
                encoded::encode_sparse(encoder, &texts, Role::Passage, cancel)?
            };
            encoded += vectors.len() as u64;
            for ((key, _), vector) in fresh.iter().zip(vectors) {
                let entries = vector.iter();
                let bytes: Vec<u8> = entries
                    .flat_map(|(term, w)| [term.to_le_bytes(), w.to_le_bytes()].concat())
                    .collect();
                pending.append(*key, &bytes)?;
                known.insert(*key, vector);
            }
            pending.sync()?;
        }
        drop(pending);
        // What stays behind is taken for what it is next time.
        let _ = std::fs::remove_file(&path);
        let vector = |key| known.get(key).cloned().unwrap_or_default();
        Ok(Made {
            vectors: keys.iter().map(vector).collect(),
            lengths: None,
            vocabulary: encoder.vocabulary(),
            words: Vec::new(),
            encoded,
        })
    }
}

/// Names the files of an encoder.
fn stem(fingerprint: &str) -> String {
    blake3::hash(fingerprint.as_bytes()).to_hex()[..16].to_owned()
}

struct Made {
    vectors: Vec<SparseVector>,
    /// Terms of each text, where vectors are of how often words occur.
    lengths: Option<Vec<u32>>,
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

/// How often each word occurs in the text of each row.
fn impacts(store: &Store, rows: &[u32], cancel: &Cancel) -> Result<Made, IndexError> {
    let mut counted: Vec<BTreeMap<String, u32>> = Vec::with_capacity(rows.len());
    let mut lengths = Vec::with_capacity(rows.len());
    let mut words: BTreeSet<String> = BTreeSet::new();
    for &row in rows {
        cancel.check()?;
        let mut times: BTreeMap<String, u32> = BTreeMap::new();
        let mut length = 0;
        let language = store.language(store.passage_row(row).document)?;
        indago_text::for_each_term_in(language, &text_of(store, row)?, |term, _| {
            length += 1;
            match times.get_mut(term) {
                Some(n) => *n += 1,
                None => {
                    times.insert(term.to_owned(), 1);
                }
            }
        });
        for term in times.keys() {
            if !words.contains(term) {
                words.insert(term.clone());
            }
        }
        counted.push(times);
        lengths.push(length);
    }
    let words: Vec<String> = words.into_iter().collect();
    let vectors = counted.into_iter().map(|times| {
        let entry = |(word, times): (String, u32)| {
            let term = words.binary_search(&word).ok()? as u32;
            Some((term, times as f32))
        };
        times.into_iter().filter_map(entry).collect()
    });
    Ok(Made {
        vectors: vectors.collect(),
        vocabulary: words.len(),
        encoded: rows.len() as u64,
        lengths: Some(lengths),
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
