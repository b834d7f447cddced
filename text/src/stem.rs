//! The Snowball stemmers, each behind a small cache.
//!
//! Natural text repeats its words, so a per-thread cache of short words (two ways, 1.5 MB for
//! English, 400 kB for any other language that is met) answers nine times in ten; the stemmer
//! itself would be the slowest part of indexing by far.

use std::cell::RefCell;

use frostem::{Algorithm, Stemmer};

use crate::language::Language;

const SETS: usize = 1 << 14;
/// For languages other than English.
const FEWER_SETS: usize = 1 << 12;
/// Longest word that is cached, in bytes; longer words are rare.
const WIDTH: usize = 24;

#[derive(Clone, Copy)]
struct Slot {
    /// The word, zero-filled; all zero in an empty slot.
    word: [u64; 3],
    stem: [u8; WIDTH - 1],
    stem_len: u8,
}

const EMPTY: Slot = Slot {
    word: [0; 3],
    stem: [0; WIDTH - 1],
    stem_len: 0,
};

/// Stems words; one per thread, reached through [`with_stemmer`].
pub(crate) struct CachedStemmer {
    stemmer: Stemmer,
    /// Each set holds the two words seen last, the later one first.
    sets: Vec<[Slot; 2]>,
}

impl CachedStemmer {
    fn new(algorithm: Algorithm, sets: usize) -> Self {
        Self {
            stemmer: Stemmer::new(algorithm),
            sets: vec![[EMPTY; 2]; sets],
        }
    }

    fn english() -> Self {
        Self::new(Algorithm::English, SETS)
    }

    /// Calls `visit` with the stem of a lower-case `word`.
    pub(crate) fn stem<R>(&mut self, word: &str, visit: impl FnOnce(&str) -> R) -> R {
        let Some(key) = pack(word) else {
            return visit(&self.stemmer.stem(word));
        };
        let sets = self.sets.len();
        let Some([slot, older]) = self.sets.get_mut(set_of(key, sets)) else {
            return visit(&self.stemmer.stem(word));
        };
        if slot.word != key {
            std::mem::swap(slot, older);
            if slot.word != key {
                let stem = self.stemmer.stem(word);
                if stem.len() >= WIDTH {
                    return visit(&stem);
                }
                slot.word = key;
                slot.stem_len = stem.len() as u8;
                slot.stem[..stem.len()].copy_from_slice(stem.as_bytes());
            }
        }
        let stem = &slot.stem[..usize::from(slot.stem_len)];
        visit(std::str::from_utf8(stem).unwrap_or(word))
    }
}

/// Where a word is kept among `sets`, a power of two: multiply and rotate; quality only affects the
/// hit rate.
fn set_of(key: [u64; 3], sets: usize) -> usize {
    const K: u64 = 0x9e37_79b9_7f4a_7c15;
    let mixed = key.iter().fold(0u64, |state, part| {
        (state.rotate_left(23) ^ part).wrapping_mul(K)
    });
    (mixed >> 40) as usize & (sets - 1)
}

/// The word as a key; `None` for words that are not cached.
fn pack(word: &str) -> Option<[u64; 3]> {
    let bytes = word.as_bytes();
    if bytes.is_empty() || bytes.len() > WIDTH || bytes.contains(&0) {
        return None;
    }
    let mut block = [0u8; WIDTH];
    block[..bytes.len()].copy_from_slice(bytes);
    let mut key = [0u64; 3];
    for (part, chunk) in key.iter_mut().zip(block.chunks_exact(8)) {
        let mut eight = [0u8; 8];
        eight.copy_from_slice(chunk);
        *part = u64::from_le_bytes(eight);
    }
    Some(key)
}

thread_local! {
    static STEMMER: RefCell<CachedStemmer> = RefCell::new(CachedStemmer::english());
}

/// Runs `work` with this thread's stemmer; a nested call gets a fresh one.
pub(crate) fn with_stemmer<R>(work: impl FnOnce(&mut CachedStemmer) -> R) -> R {
    STEMMER.with(|cell| match cell.try_borrow_mut() {
        Ok(mut stemmer) => work(&mut stemmer),
        Err(_nested) => work(&mut CachedStemmer::english()),
    })
}

type Stemmers = [Option<Box<CachedStemmer>>; Language::ALL.len()];

thread_local! {
    static OTHERS: RefCell<Stemmers> = const { RefCell::new([const { None }; Language::ALL.len()]) };
}

/// Runs `work` with this thread's stemmer of a language; `None` for those without one.
pub(crate) fn with_stemmer_of<R>(
    language: Language,
    work: impl FnOnce(Option<&mut CachedStemmer>) -> R,
) -> R {
    let Some(algorithm) = language.algorithm() else {
        return work(None);
    };
    let made = || CachedStemmer::new(algorithm, FEWER_SETS);
    OTHERS.with(|cell| match cell.try_borrow_mut() {
        Ok(mut stemmers) => {
            let slot = stemmers.get_mut(language as usize);
            work(slot.map(|slot| &mut **slot.get_or_insert_with(|| Box::new(made()))))
        }
        Err(_nested) => work(Some(&mut made())),
    })
}

/// The Snowball English stem of one word, lower-cased first: `Running` gives `run`.
pub fn stem(word: &str) -> String {
    with_stemmer(|stemmer| stemmer.stem(&word.to_lowercase(), str::to_owned))
}
