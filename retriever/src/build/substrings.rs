//! Making the index of substrings behind the others, and keeping it up to date.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;

use indago_core::Cancel;
use indago_core::ports::RetrieveError;

use super::CorpusWriter;
use crate::error::IndexError;
use crate::manifest::{Manifest, SubstringSegment, SubstringSet};
use crate::store::Store;
use crate::substring::{self, Draft, FOLDER, Key, MAX_TEXT, Segment};

/// Bytes of text that are sorted together: what a kill may lose, and a tenth of the memory that a
/// thread needs.
const BATCH_BYTES: u64 = 16 << 20;
/// A segment is taken up into a new one that is at least this part of it: texts are sorted again a
/// few times in all, and there are never many segments.
const TAKEN_UP: u64 = 2;

/// What an index of substrings came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct SubstringsBuilt {
    /// Documents of the corpus that it has.
    pub documents: u64,
    /// Documents of the corpus; those that it lacks are too large for it.
    pub of: u64,
    /// Bytes of text that were sorted now.
    pub sorted_bytes: u64,
    /// Suffix arrays that it consists of.
    pub segments: usize,
}

/// A segment's entry in the manifest, and the texts it has.
#[derive(Clone, Debug)]
struct Part {
    entry: SubstringSegment,
    keys: Vec<Key>,
}

/// Which documents have a text.
type Rows = HashMap<Key, Vec<u32>>;

impl CorpusWriter {
    /// Makes the index of substrings, where it is `wanted`, or brings the one that the corpus has up
    /// to date; `None` where it has none. Texts that are in it are not sorted again, but for small
    /// segments that a new one takes up. Each batch is published as soon as it is sorted, and readers
    /// use what is there. `progress` is told the bytes sorted, and how many there are to sort.
    ///
    /// # Errors
    /// [`IndexError::Cancelled`] soon after `cancel` is set; what was published stays.
    pub fn build_substrings(
        &mut self,
        wanted: bool,
        mut progress: impl FnMut(u64, u64),
        cancel: &Cancel,
    ) -> Result<Option<SubstringsBuilt>, IndexError> {
        let Some(store) = self.current.as_ref().map(|current| current.store.clone()) else {
            return Ok(None);
        };
        let before = self.manifest.substrings.clone();
        if before.is_none() && !wanted {
            return Ok(None);
        }
        let mut parts = self.readable_parts();
        let whole = before.as_ref().is_some_and(|set| {
            set.documents == u64::from(store.n_documents()) && set.segments.len() == parts.len()
        });
        let mut sorted_bytes = 0;
        if !whole {
            let rows = rows_by_text(&store, cancel)?;
            let mut batches = missing(&store, &parts, &rows);
            let taken = batches.last_mut().map_or(0, |last| {
                // The smallest stand first.
                parts.sort_by_key(|part| part.entry.text_bytes);
                take_up(&parts, last, &store, &rows)
            });
            if batches.is_empty() {
                self.publish_substrings(&parts, &rows)?;
            }
            sorted_bytes =
                self.sort_batches(&store, &batches, parts, taken, &rows, &mut progress, cancel)?;
            self.remove_leftovers();
        }
        let set = self.manifest.substrings.as_ref();
        Ok(set.map(|set| SubstringsBuilt {
            documents: set.documents,
            of: u64::from(store.n_documents()),
            sorted_bytes,
            segments: set.segments.len(),
        }))
    }

    /// Sorts each batch and publishes it beside `parts`. The last one has the texts of the first
    /// `taken` of these, whose place it takes. Gives the bytes sorted.
    #[expect(
        clippy::too_many_arguments,
        reason = "one caller, which it is a part of"
    )]
    fn sort_batches(
        &mut self,
        store: &Store,
        batches: &[Vec<u32>],
        mut parts: Vec<Part>,
        mut taken: usize,
        rows: &Rows,
        progress: &mut impl FnMut(u64, u64),
        cancel: &Cancel,
    ) -> Result<u64, IndexError> {
        let bytes = |row: &u32| store.document_row(*row).text_bytes;
        let to_sort: u64 = batches.iter().flatten().map(bytes).sum();
        let folder = self.dir.join(FOLDER);
        std::fs::create_dir_all(&folder).map_err(|e| IndexError::write(&folder, e))?;
        let edition = self.manifest.edition + 1;
        let dir = self.dir.clone();
        let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
        let (sender, finished) = mpsc::channel();
        std::thread::scope(|scope| {
            for _ in 0..self.threads.min(batches.len()) {
                let sender = sender.clone();
                let (next, stop, dir) = (&next, &stop, &dir);
                scope.spawn(move || {
                    while !stop.load(Ordering::SeqCst) {
                        let number = next.fetch_add(1, Ordering::SeqCst);
                        let Some(batch) = batches.get(number) else {
                            return;
                        };
                        let file = segment_file(edition, number);
                        let made = make(store, batch, &dir.join(&file), cancel);
                        let made = made.map(|draft| part(file, &draft));
                        // Nobody listens any more when the writer gave up.
                        if sender.send((number, made)).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(sender);
            let mut sorted_bytes = 0;
            let mut outcome = Ok(());
            for (number, made) in finished {
                let published = made.and_then(|part| {
                    if number + 1 == batches.len() {
                        parts.drain(..std::mem::take(&mut taken));
                    }
                    sorted_bytes += part.entry.text_bytes;
                    parts.push(part);
                    self.publish_substrings(&parts, rows)?;
                    progress(sorted_bytes, to_sort);
                    Ok(())
                });
                if let (Err(error), Ok(())) = (published, &outcome) {
                    outcome = Err(error);
                    stop.store(true, Ordering::SeqCst);
                }
            }
            outcome.map(|()| sorted_bytes)
        })
    }

    /// Has the corpus no index of substrings from now on.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn forget_substrings(&mut self) -> Result<(), IndexError> {
        if self.manifest.substrings.is_some() {
            let mut manifest = self.manifest.clone();
            manifest.edition += 1;
            manifest.substrings = None;
            self.publish(manifest)?;
            self.remove_leftovers();
        }
        Ok(())
    }

    /// The index over the documents of a new generation: what went is left out of its segment, what
    /// came is missing until [`Self::build_substrings`] is called.
    pub(super) fn carry_substrings(
        &self,
        store: &Store,
        edition: u64,
    ) -> Result<Option<SubstringSet>, IndexError> {
        let Some(set) = &self.manifest.substrings else {
            return Ok(None);
        };
        let rows = rows_by_text(store, &Cancel::new())?;
        let keep: HashSet<Key> = rows.keys().copied().collect();
        let mut parts = Vec::new();
        for (number, entry) in set.segments.iter().enumerate() {
            match self.carry_segment(entry, &keep, &segment_file(edition, number)) {
                Ok(carried) => parts.extend(carried),
                Err(IndexError::Read(error)) => {
                    tracing::warn!(%error, "these texts have to be sorted again");
                }
                Err(error) => return Err(error),
            }
        }
        self.write_set(&parts, &rows, edition).map(Some)
    }

    /// What is left of a segment, in `file` where something went.
    fn carry_segment(
        &self,
        entry: &SubstringSegment,
        keep: &HashSet<Key>,
        file: &str,
    ) -> Result<Option<Part>, IndexError> {
        let segment = Segment::open(&self.dir.join(&entry.file))?;
        let left = segment.keys().iter().filter(|key| keep.contains(*key));
        let left = left.count();
        if left == 0 {
            return Ok(None);
        }
        if left == segment.keys().len() {
            let keys = segment.keys().to_vec();
            let entry = entry.clone();
            return Ok(Some(Part { entry, keys }));
        }
        let draft = segment.only(keep, &Cancel::new())?;
        draft.write(&self.dir.join(file))?;
        Ok(Some(part(file.to_owned(), &draft)))
    }

    /// Forgets segments that are damaged.
    pub(super) fn check_substrings(manifest: &mut Manifest, dir: &Path) {
        let Some(set) = &mut manifest.substrings else {
            return;
        };
        set.segments.retain(|part| {
            let read = Segment::open(&dir.join(&part.file)).and_then(|s| s.verify());
            read.inspect_err(|error| tracing::warn!(%error, "a damaged segment is forgotten"))
                .is_ok()
        });
    }

    /// The segments that can be opened.
    fn readable_parts(&self) -> Vec<Part> {
        let set = self.manifest.substrings.iter();
        let entries = set.flat_map(|set| &set.segments);
        let read = |entry: &SubstringSegment| {
            let segment = Segment::open(&self.dir.join(&entry.file))
                .inspect_err(|error| tracing::warn!(%error, "these texts are sorted again"))
                .ok()?;
            let entry = entry.clone();
            let keys = segment.keys().to_vec();
            Some(Part { entry, keys })
        };
        entries.filter_map(read).collect()
    }

    /// Writes which documents have the texts of `parts`.
    fn write_set(
        &self,
        parts: &[Part],
        rows: &Rows,
        edition: u64,
    ) -> Result<SubstringSet, IndexError> {
        let file = format!("{FOLDER}/rows-{edition:06}.bin");
        let path = self.dir.join(&file);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|e| IndexError::write(folder, e))?;
        }
        let keys = parts.iter().flat_map(|part| &part.keys);
        let texts: Vec<Vec<u32>> = keys
            .map(|key| rows.get(key).cloned().unwrap_or_default())
            .collect();
        substring::write_rows(&path, &texts)?;
        Ok(SubstringSet {
            segments: parts.iter().map(|part| part.entry.clone()).collect(),
            rows: file,
            documents: texts.iter().map(|rows| rows.len() as u64).sum(),
        })
    }

    fn publish_substrings(&mut self, parts: &[Part], rows: &Rows) -> Result<(), IndexError> {
        let mut manifest = self.manifest.clone();
        manifest.edition += 1;
        manifest.substrings = Some(self.write_set(parts, rows, manifest.edition)?);
        self.publish(manifest)
    }
}

fn part(file: String, draft: &Draft) -> Part {
    let text_bytes = draft.text_bytes();
    Part {
        entry: SubstringSegment { file, text_bytes },
        keys: draft.keys().to_vec(),
    }
}

/// Path of a segment, relative to the corpus folder.
fn segment_file(edition: u64, number: usize) -> String {
    format!("{FOLDER}/text-{edition:06}.{number}.bin")
}

fn rows_by_text(store: &Store, cancel: &Cancel) -> Result<Rows, IndexError> {
    let mut rows = Rows::new();
    for row in 0..store.n_documents() {
        cancel.check()?;
        let key = substring::key_of(store.text(row)?);
        rows.entry(key).or_default().push(row);
    }
    Ok(rows)
}

/// The texts that are in none of `parts`, each by one row, in batches in the order of the store.
fn missing(store: &Store, parts: &[Part], rows: &Rows) -> Vec<Vec<u32>> {
    let there: HashSet<&Key> = parts.iter().flat_map(|part| &part.keys).collect();
    let bytes = |row: u32| store.document_row(row).text_bytes;
    let mut missing: Vec<u32> = rows
        .iter()
        .filter(|(key, _)| !there.contains(key))
        .filter_map(|(_, rows)| rows.first().copied())
        .filter(|row| bytes(*row) <= MAX_TEXT)
        .collect();
    missing.sort_unstable();
    let mut batches: Vec<Vec<u32>> = Vec::new();
    let mut filled = 0;
    for row in missing {
        match batches.last_mut() {
            Some(batch) if filled + bytes(row) <= BATCH_BYTES => batch.push(row),
            _ => {
                filled = 0;
                batches.push(vec![row]);
            }
        }
        filled += bytes(row);
    }
    batches
}

/// Adds to `batch` the texts of the first of `parts`, smallest first, as long as these are not much
/// larger than it. Gives how many.
fn take_up(parts: &[Part], batch: &mut Vec<u32>, store: &Store, rows: &Rows) -> usize {
    let bytes = batch.iter().map(|row| store.document_row(*row).text_bytes);
    let mut filled: u64 = bytes.sum();
    let mut taken = 0;
    for part in parts {
        let more = part.entry.text_bytes;
        if more > TAKEN_UP * filled || filled + more > BATCH_BYTES {
            break;
        }
        filled += more;
        taken += 1;
        let row = |key| rows.get(key).and_then(|rows: &Vec<u32>| rows.first());
        batch.extend(part.keys.iter().filter_map(row));
    }
    taken
}

/// Sorts a batch and writes its segment.
fn make(store: &Store, batch: &[u32], path: &Path, cancel: &Cancel) -> Result<Draft, IndexError> {
    let texts: Result<Vec<&[u8]>, RetrieveError> =
        batch.iter().map(|row| store.text(*row)).collect();
    let draft = substring::sort(&texts?, cancel)?;
    draft.write(path)?;
    Ok(draft)
}
