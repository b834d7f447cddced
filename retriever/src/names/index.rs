//! The names of a corpus, sorted, on disk.
//!
//! ```text
//! entries   16 bytes each, sorted by key, then row: string offset u32, key bytes u16,
//!           bytes of the name as the passage has it u16, passage row u32, basis u32
//! strings   per entry the key (`normalize_name`), then the name
//! words     12 bytes each, sorted: xxh3 of a word of the key u64, entry u32
//! ```

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use indago_core::ports::{NameHit, NameIndex, RetrieveError};
use indago_text::{normalize_name, strip_disambiguation};
use xxhash_rust::xxh3::xxh3_64;

use super::{Basis, matching};
use crate::disk::bytes::{u32_at, u64_at};
use crate::disk::sealed::{Kind, SealedFile, SealedWriter};
use crate::error::{IndexError, corrupt};
use crate::store::Store;

const KIND: Kind = Kind {
    name: "names",
    version: 1,
};
const ENTRY: usize = 16;
const WORD: usize = 12;
/// Entries that share a word beyond which the word is too common to link by.
const MAX_SHARED: usize = 512;
/// Score factor of a match that ignores a parenthesis, as in `Mercury (planet)`.
const STRIPPED: f32 = 0.9;

/// Collects the names of every passage of `store` and writes them to `path`.
pub(crate) fn write(store: &Store, path: &Path) -> Result<(), IndexError> {
    let mut entries: Vec<(String, u32, Basis, String)> = Vec::new();
    for row in 0..store.n_passages() {
        let passage = store.passage_row(row);
        for (name, basis) in store.extra(&passage)?.names {
            let key = normalize_name(&name);
            if !key.is_empty() && u16::try_from(key.len()).is_ok() {
                entries.push((key, row, basis, name));
            }
        }
    }
    // The strongest basis first, so that it is the one kept.
    entries.sort_unstable_by(|a, b| (&a.0, a.1, b.2).cmp(&(&b.0, b.1, a.2)));
    entries.dedup_by(|later, first| later.0 == first.0 && later.1 == first.1);

    let mut file = SealedWriter::create(path, KIND)?;
    file.begin("entries")?;
    let mut at = 0u32;
    let mut words = Vec::new();
    for (i, (key, row, basis, name)) in entries.iter().enumerate() {
        let bytes = (key.len() + name.len()) as u32;
        for value in [
            at.to_le_bytes(),
            row.to_le_bytes(),
            (*basis as u32).to_le_bytes(),
        ] {
            file.write(&value)?;
        }
        file.write(&(key.len() as u16).to_le_bytes())?;
        file.write(&(name.len() as u16).to_le_bytes())?;
        at = at
            .checked_add(bytes)
            .ok_or(IndexError::TooMany(u64::from(u32::MAX), "bytes of names"))?;
        // The stripped form is found through its words, so those of the parenthesis are left out.
        let stripped = normalize_name(strip_disambiguation(name));
        words.extend(
            stripped
                .split(' ')
                .map(|word| (xxh3_64(word.as_bytes()), i as u32)),
        );
    }
    file.begin("strings")?;
    for (key, _, _, name) in &entries {
        file.write(key.as_bytes())?;
        file.write(name.as_bytes())?;
    }
    words.sort_unstable();
    words.dedup();
    file.begin("words")?;
    for (hash, entry) in words {
        file.write(&hash.to_le_bytes())?;
        file.write(&entry.to_le_bytes())?;
    }
    file.finish()
}

/// The names, open for reading.
#[derive(Debug)]
pub(crate) struct Names {
    file: SealedFile,
    entries: std::ops::Range<usize>,
    strings: std::ops::Range<usize>,
    words: std::ops::Range<usize>,
    store: std::sync::Arc<Store>,
}

struct Entry<'a> {
    key: &'a str,
    name: &'a str,
    row: u32,
    basis: Basis,
}

impl<'a> Entry<'a> {
    /// The key of the name without its disambiguation: the entry's own key, unless it has one.
    fn bare(&self) -> Cow<'a, str> {
        let stripped = strip_disambiguation(self.name);
        if stripped.len() == self.name.trim_end().len() {
            Cow::Borrowed(self.key)
        } else {
            Cow::Owned(normalize_name(stripped))
        }
    }
}

impl Names {
    pub(crate) fn open(path: &Path, store: std::sync::Arc<Store>) -> Result<Self, RetrieveError> {
        let file = SealedFile::open(path, KIND)?;
        for section in ["entries", "strings", "words"] {
            file.verify(section)?;
        }
        let names = Self {
            entries: file.span("entries")?,
            strings: file.span("strings")?,
            words: file.span("words")?,
            file,
            store,
        };
        let whole =
            names.entries.len().is_multiple_of(ENTRY) && names.words.len().is_multiple_of(WORD);
        if !whole {
            return Err(corrupt(path, "table lengths do not agree"));
        }
        if !names.is_within_bounds() {
            return Err(corrupt(path, "a name or its passage is out of bounds"));
        }
        Ok(names)
    }

    /// Whether every entry has its strings and a passage of the store, and every word an entry.
    fn is_within_bounds(&self) -> bool {
        let passages = self.store.n_passages();
        let entry_fits = |i: usize| {
            let bytes = self.fixed(i);
            let (at, lengths) = (u32_at(bytes, 0) as usize, u32_at(bytes, 12));
            let end = at + (lengths & 0xffff) as usize + (lengths >> 16) as usize;
            end <= self.strings.len() && u32_at(bytes, 4) < passages
        };
        let words = self.file.bytes().get(self.words.clone());
        let mut words = words.unwrap_or_default().chunks_exact(WORD);
        (0..self.len()).all(entry_fits) && words.all(|word| (u32_at(word, 8) as usize) < self.len())
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len() / ENTRY
    }

    fn fixed(&self, i: usize) -> &[u8] {
        let table = self.file.bytes().get(self.entries.clone());
        let row = table.and_then(|table| table.get(i * ENTRY..(i + 1) * ENTRY));
        row.unwrap_or(&[0; ENTRY])
    }

    /// The bytes of an entry's key and name.
    fn strings(&self, i: usize) -> (&[u8], &[u8]) {
        let bytes = self.fixed(i);
        let lengths = u32_at(bytes, 12);
        let (key, name) = ((lengths & 0xffff) as usize, (lengths >> 16) as usize);
        let at = u32_at(bytes, 0) as usize;
        let all = self.file.bytes().get(self.strings.clone());
        let both = all.and_then(|all| all.get(at..at + key + name));
        both.map_or((&[], &[]), |both| both.split_at(key))
    }

    fn entry(&self, i: usize) -> Entry<'_> {
        let bytes = self.fixed(i);
        let (key, name) = self.strings(i);
        let basis = Basis::ALL
            .into_iter()
            .find(|basis| *basis as u32 == u32_at(bytes, 8));
        Entry {
            key: str::from_utf8(key).unwrap_or_default(),
            name: str::from_utf8(name).unwrap_or_default(),
            row: u32_at(bytes, 4),
            basis: basis.unwrap_or(Basis::Alias),
        }
    }

    /// Entries whose key equals `key`.
    fn equal(&self, key: &str) -> std::ops::Range<usize> {
        let key = key.as_bytes();
        let lower = partition_point(self.len(), |i| self.strings(i).0 < key);
        let upper = partition_point(self.len(), |i| self.strings(i).0 <= key);
        lower..upper
    }

    /// Entries that hold `word`, ascending.
    fn holding(&self, word: &str) -> Vec<u32> {
        let table = self
            .file
            .bytes()
            .get(self.words.clone())
            .unwrap_or_default();
        let wanted = xxh3_64(word.as_bytes());
        let start = partition_point(table.len() / WORD, |i| u64_at(table, i * WORD) < wanted);
        (start..table.len() / WORD)
            .take_while(|i| u64_at(table, i * WORD) == wanted)
            .take(MAX_SHARED + 1)
            .map(|i| u32_at(table, i * WORD + 8))
            .collect()
    }
}

fn partition_point(n: usize, less: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, n);
    while low < high {
        let middle = low + (high - low) / 2;
        if less(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

/// The best score per passage.
#[derive(Default)]
struct Found(BTreeMap<u32, (f32, usize)>);

impl Found {
    fn add(&mut self, row: u32, score: f32, entry: usize) {
        let best = self.0.entry(row).or_insert((score, entry));
        if score > best.0 {
            *best = (score, entry);
        }
    }
}

impl NameIndex for Names {
    fn defining(&self, name: &str, k: usize) -> Vec<NameHit> {
        let mut found = Found::default();
        let key = normalize_name(name);
        if key.is_empty() || key.len() > super::MAX_NAME {
            return Vec::new();
        }
        for i in self.equal(&key) {
            let entry = self.entry(i);
            found.add(entry.row, entry.basis.score(), i);
        }
        // "Mercury" also names `Mercury (planet)`, and the other way round.
        let bare = normalize_name(strip_disambiguation(name));
        let words: Vec<&str> = bare.split(' ').collect();
        let lists = words.iter().map(|word| self.holding(word));
        let lists: Vec<Vec<u32>> = lists.filter(|list| list.len() <= MAX_SHARED).collect();
        let rarest = lists
            .iter()
            .min_by_key(|list| list.len())
            .cloned()
            .unwrap_or_default();
        for i in &rarest {
            let i = *i as usize;
            let entry = self.entry(i);
            if entry.bare() == bare {
                found.add(entry.row, STRIPPED * entry.basis.score(), i);
            }
        }
        if found.0.is_empty() {
            let holds_all = |i: &&u32| lists.iter().all(|list| list.binary_search(i).is_ok());
            let mut keys: Vec<&str> = rarest
                .iter()
                .filter(holds_all)
                .map(|i| self.entry(*i as usize).key)
                .collect();
            keys.dedup();
            let unique = keys.len() == 1 && lists.len() == words.len();
            // A shorter entry lacks the rarest word, so entries with any of the words are tried.
            let mut candidates: Vec<u32> = lists.concat();
            candidates.sort_unstable();
            candidates.dedup();
            for i in candidates {
                let i = i as usize;
                let entry = self.entry(i);
                if let Some(score) = matching::loose(&bare, &entry.bare(), unique) {
                    found.add(entry.row, score * entry.basis.score(), i);
                }
            }
        }
        let mut hits: Vec<NameHit> = found
            .0
            .into_iter()
            .map(|(row, (score, entry))| NameHit {
                passage: self.store.passage_id(row),
                score,
                name: self.entry(entry).name.to_owned(),
            })
            .collect();
        hits.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.passage.cmp(&b.passage)));
        hits.truncate(k);
        hits
    }
}
