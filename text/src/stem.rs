//! The Snowball English stemmer behind a small cache.
//!
//! Natural text repeats its words, so a direct-mapped, per-thread cache of short ASCII words
//! answers nearly always; the stemmer itself would be the slowest part of indexing by far.

use std::cell::RefCell;

use frostem::{Algorithm, Stemmer};

const SLOTS: usize = 1 << 13;
/// Longest word that is cached, in bytes; longer words are rare.
const WIDTH: usize = 22;

#[derive(Clone, Copy)]
struct Slot {
    word_len: u8,
    stem_len: u8,
    word: [u8; WIDTH],
    stem: [u8; WIDTH],
}

const EMPTY: Slot = Slot {
    word_len: 0,
    stem_len: 0,
    word: [0; WIDTH],
    stem: [0; WIDTH],
};

/// Stems words; one per thread, reached through [`with_stemmer`].
pub(crate) struct CachedStemmer {
    stemmer: Stemmer,
    slots: Vec<Slot>,
}

impl CachedStemmer {
    fn new() -> Self {
        Self {
            stemmer: Stemmer::new(Algorithm::English),
            slots: vec![EMPTY; SLOTS],
        }
    }

    /// Calls `visit` with the stem of a lower-case `word`.
    pub(crate) fn stem<R>(&mut self, word: &str, visit: impl FnOnce(&str) -> R) -> R {
        let bytes = word.as_bytes();
        if bytes.len() > WIDTH || bytes.is_empty() || !word.is_ascii() {
            return visit(&self.stemmer.stem(word));
        }
        let index = hash(bytes) & (SLOTS - 1);
        let Some(slot) = self.slots.get_mut(index) else {
            return visit(&self.stemmer.stem(word));
        };
        let hit = usize::from(slot.word_len) == bytes.len() && slot.word[..bytes.len()] == *bytes;
        if !hit {
            let stem = self.stemmer.stem(word);
            if stem.len() > WIDTH || !stem.is_ascii() {
                return visit(&stem);
            }
            slot.word_len = bytes.len() as u8;
            slot.stem_len = stem.len() as u8;
            slot.word[..bytes.len()].copy_from_slice(bytes);
            slot.stem[..stem.len()].copy_from_slice(stem.as_bytes());
        }
        let stem = &slot.stem[..usize::from(slot.stem_len)];
        visit(std::str::from_utf8(stem).unwrap_or(word))
    }
}

/// Multiply-and-rotate over eight bytes at a time; quality only affects the hit rate.
fn hash(bytes: &[u8]) -> usize {
    const K: u64 = 0x517c_c1b7_2722_0a95;
    let mut state = bytes.len() as u64;
    for chunk in bytes.chunks(8) {
        let mut block = [0u8; 8];
        block[..chunk.len()].copy_from_slice(chunk);
        state = (state.rotate_left(5) ^ u64::from_le_bytes(block)).wrapping_mul(K);
    }
    (state >> 40) as usize
}

thread_local! {
    static STEMMER: RefCell<CachedStemmer> = RefCell::new(CachedStemmer::new());
}

/// Runs `work` with this thread's stemmer; a nested call gets a fresh one.
pub(crate) fn with_stemmer<R>(work: impl FnOnce(&mut CachedStemmer) -> R) -> R {
    STEMMER.with(|cell| match cell.try_borrow_mut() {
        Ok(mut stemmer) => work(&mut stemmer),
        Err(_nested) => work(&mut CachedStemmer::new()),
    })
}

/// The Snowball English stem of one word, lower-cased first: `Running` gives `run`.
pub fn stem(word: &str) -> String {
    with_stemmer(|stemmer| stemmer.stem(&word.to_lowercase(), str::to_owned))
}
