//! A segment: the suffix array over the folded texts of a batch of documents.
//!
//! ```text
//! keys        per text its key: the first 16 bytes of its BLAKE3 hash
//! starts      per text where it begins in the segment, u32, and the end
//! positions   the places of all characters but white space, in the order of the folded texts that
//!             begin there, u32
//! sums        xxh3 of each 64 KiB of positions, u64
//! ```
//! Places count bytes of the original texts, one text after the other, so that neither the folded
//! text nor a map from it is stored. The texts themselves stand in the document store.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering as Memory};

use indago_core::ports::RetrieveError;
use indago_core::{Cancel, Cancelled};
use xxhash_rust::xxh3::xxh3_64;

use super::fold::{Folding, compare};
use super::suffix_sort::suffix_array;
use crate::disk::bytes::{id_at, u32_at, u64_at};
use crate::disk::sealed::{Kind, SealedFile, SealedWriter};
use crate::error::{IndexError, corrupt};

const KIND: Kind = Kind {
    name: "substr",
    version: 1,
};
/// Bytes of positions that are verified at once.
const BLOCK: usize = 64 << 10;
/// Ends a text where texts are sorted; no byte of UTF-8.
const END: u8 = 0xff;
/// Texts longer than this are left to reading: their memory would be ten times as much.
pub(crate) const MAX_TEXT: u64 = 256 << 20;

/// What names a text, whichever documents have it.
pub(crate) type Key = [u8; 16];

/// The key of a text.
pub(crate) fn key_of(text: &[u8]) -> Key {
    let mut key = [0; 16];
    key.copy_from_slice(&blake3::hash(text).as_bytes()[..16]);
    key
}

/// A segment in memory, as it is made.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    keys: Vec<Key>,
    starts: Vec<u32>,
    positions: Vec<u32>,
}

/// The segment of `texts`, all together shorter than 4 GiB.
pub(crate) fn sort(texts: &[&[u8]], cancel: &Cancel) -> Result<Draft, Cancelled> {
    let bytes: usize = texts.iter().map(|text| text.len()).sum();
    let mut folded: Vec<u8> = Vec::with_capacity(bytes + texts.len());
    // Where a folded byte came from, where a quote may begin with it.
    let mut origin: Vec<u32> = Vec::with_capacity(bytes + texts.len());
    let mut draft = Draft::default();
    let mut start = 0_u32;
    for text in texts {
        draft.keys.push(key_of(text));
        draft.starts.push(start);
        let mut pieces = Folding::from(text, 0);
        loop {
            let at = start + pieces.at() as u32;
            let Some(piece) = pieces.next() else {
                break;
            };
            let piece = piece.bytes();
            folded.extend(piece);
            let is_space = piece == b" ";
            origin.push(if is_space { u32::MAX } else { at });
            origin.resize(folded.len(), u32::MAX);
        }
        folded.push(END);
        origin.push(u32::MAX);
        start += text.len() as u32;
        cancel.check()?;
    }
    draft.starts.push(start);
    let mut suffixes = suffix_array(&folded, cancel)?;
    drop(folded);
    suffixes.retain_mut(|suffix| {
        *suffix = origin[*suffix as usize];
        *suffix != u32::MAX
    });
    draft.positions = suffixes;
    Ok(draft)
}

impl Draft {
    pub(crate) fn write(&self, path: &Path) -> Result<(), IndexError> {
        let mut file = SealedWriter::create(path, KIND)?;
        file.begin("keys")?;
        for key in &self.keys {
            file.write(key)?;
        }
        file.begin("starts")?;
        for start in &self.starts {
            file.write(&start.to_le_bytes())?;
        }
        file.begin("positions")?;
        let mut sums = Vec::new();
        let mut block = Vec::with_capacity(BLOCK);
        for positions in self.positions.chunks(BLOCK / 4) {
            block.clear();
            for position in positions {
                block.extend(position.to_le_bytes());
            }
            file.write(&block)?;
            sums.extend(xxh3_64(&block).to_le_bytes());
        }
        file.begin("sums")?;
        file.write(&sums)?;
        file.finish()
    }

    /// Bytes of the texts.
    pub(crate) fn text_bytes(&self) -> u64 {
        self.starts.last().copied().unwrap_or_default().into()
    }

    pub(crate) fn keys(&self) -> &[Key] {
        &self.keys
    }
}

/// A segment on disk. Tables are verified when it is opened, positions when they are first touched.
#[derive(Debug)]
pub(crate) struct Segment {
    file: SealedFile,
    keys: Vec<Key>,
    starts: Vec<u32>,
    positions: Range<usize>,
    sums: Range<usize>,
    /// Blocks that match their checksum.
    verified: Vec<AtomicBool>,
}

impl Segment {
    pub(crate) fn open(path: &Path) -> Result<Self, RetrieveError> {
        let file = SealedFile::open(path, KIND)?;
        for section in ["keys", "starts", "sums"] {
            file.verify(section)?;
        }
        let (keys, starts) = (file.span("keys")?, file.span("starts")?);
        let (positions, sums) = (file.span("positions")?, file.span("sums")?);
        let bytes = file.bytes();
        let ids = |range: &Range<usize>| (0..range.len() / 16).map(move |i| 16 * i);
        let keys: Vec<Key> = ids(&keys).map(|at| id_at(bytes, keys.start + at)).collect();
        let starts: Vec<u32> = (0..starts.len() / 4)
            .map(|i| u32_at(bytes, starts.start + 4 * i))
            .collect();
        let blocks = positions.len().div_ceil(BLOCK);
        let fits = starts.len() == keys.len() + 1
            && starts.is_sorted()
            && starts.first() == Some(&0)
            && positions.len().is_multiple_of(4)
            && sums.len() == 8 * blocks;
        if !fits {
            return Err(corrupt(path, "table lengths do not agree"));
        }
        Ok(Self {
            keys,
            starts,
            positions,
            sums,
            verified: (0..blocks).map(|_| AtomicBool::new(false)).collect(),
            file,
        })
    }

    /// Length of the file.
    pub(crate) fn bytes(&self) -> u64 {
        self.file.bytes().len() as u64
    }

    /// Reads all of it through.
    pub(crate) fn verify(&self) -> Result<(), RetrieveError> {
        self.file.verify("positions")?;
        let limit = self.starts.last().copied().unwrap_or_default();
        let stray = (0..self.len()).find(|i| self.raw(*i) >= limit);
        stray.map_or(Ok(()), |_| Err(self.bad("a position is out of bounds")))
    }

    fn bad(&self, reason: &str) -> RetrieveError {
        corrupt(self.file.path(), reason)
    }

    pub(crate) fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// Number of positions.
    fn len(&self) -> usize {
        self.positions.len() / 4
    }

    fn raw(&self, i: usize) -> u32 {
        u32_at(self.file.bytes(), self.positions.start + 4 * i)
    }

    /// The `i`th position, whose block is verified first.
    fn position(&self, i: usize) -> Result<u32, RetrieveError> {
        let block = 4 * i / BLOCK;
        let known = self.verified.get(block);
        if !known.is_some_and(|known| known.load(Memory::Relaxed)) {
            let start = self.positions.start + block * BLOCK;
            let bytes = start..self.positions.end.min(start + BLOCK);
            let bytes = self.file.bytes().get(bytes).unwrap_or_default();
            if xxh3_64(bytes) != u64_at(self.file.bytes(), self.sums.start + 8 * block) {
                return Err(self.bad("section `positions` does not match its checksum"));
            }
            if let Some(known) = known {
                known.store(true, Memory::Relaxed);
            }
        }
        Ok(self.raw(i))
    }

    /// The text that a position is in, and where in it.
    pub(super) fn place(&self, position: u32) -> (usize, usize) {
        let after = self.starts.partition_point(|start| *start <= position);
        let text = after.saturating_sub(1);
        let start = self.starts.get(text).copied().unwrap_or_default();
        (text, (position - start) as usize)
    }

    /// The positions at which texts, folded, begin with `quote`. `text_of` gives the texts by their
    /// place in [`Self::keys`].
    pub(super) fn range<'a>(
        &self,
        quote: &[u8],
        text_of: impl Fn(usize) -> Result<&'a [u8], RetrieveError>,
    ) -> Result<Range<usize>, RetrieveError> {
        let first_that = |pass: &dyn Fn(Ordering) -> bool, from: usize| {
            let (mut low, mut high) = (from, self.len());
            while low < high {
                let middle = low + (high - low) / 2;
                let (text, start) = self.place(self.position(middle)?);
                if pass(compare(text_of(text)?, start, quote)) {
                    high = middle;
                } else {
                    low = middle + 1;
                }
            }
            Ok::<usize, RetrieveError>(low)
        };
        let start = first_that(&|order| order != Ordering::Less, 0)?;
        let end = first_that(&|order| order == Ordering::Greater, start)?;
        Ok(start..end)
    }

    /// The positions of a range, ascending.
    pub(super) fn positions(&self, range: Range<usize>) -> Result<Vec<u32>, RetrieveError> {
        let positions: Result<Vec<u32>, _> = range.map(|i| self.position(i)).collect();
        let mut positions = positions?;
        positions.sort_unstable();
        Ok(positions)
    }

    /// The same without the texts that `keep` has no keys of, in the same order: nothing is sorted.
    pub(crate) fn only(&self, keep: &HashSet<Key>, cancel: &Cancel) -> Result<Draft, IndexError> {
        let mut draft = Draft::default();
        let mut end = 0;
        // Of each text, how far its places move towards the front; none where it goes.
        let mut moved: Vec<Option<u32>> = Vec::with_capacity(self.keys.len());
        for (key, bounds) in self.keys.iter().zip(self.starts.windows(2)) {
            let kept = keep.contains(key);
            moved.push(kept.then(|| bounds[0] - end));
            if kept {
                draft.keys.push(*key);
                draft.starts.push(end);
                end += bounds[1] - bounds[0];
            }
        }
        draft.starts.push(end);
        for i in 0..self.len() {
            if i.is_multiple_of(1 << 20) {
                cancel.check()?;
            }
            let position = self.position(i)?;
            if let Some(Some(by)) = moved.get(self.place(position).0) {
                draft.positions.push(position - by);
            }
        }
        Ok(draft)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(texts: &[&str], dir: &Path) -> Segment {
        let texts: Vec<&[u8]> = texts.iter().map(|text| text.as_bytes()).collect();
        let path = dir.join("a.bin");
        let draft = sort(&texts, &Cancel::new()).unwrap();
        draft.write(&path).unwrap();
        Segment::open(&path).unwrap()
    }

    #[test]
    fn every_flipped_byte_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let texts = ["The old lighthouse", "", "na\u{ef}ve  caf\u{e9}"];
        written(&texts, dir.path());
        let whole = std::fs::read(dir.path().join("a.bin")).unwrap();
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            let path = dir.path().join("b.bin");
            std::fs::write(&path, &damaged).unwrap();
            let error = Segment::open(&path).and_then(|segment| segment.verify());
            let error = error.expect_err(&at.to_string()).to_string();
            assert!(error.contains("b.bin"), "{error}");
        }
        for length in 0..whole.len() {
            let path = dir.path().join("c.bin");
            std::fs::write(&path, &whole[..length]).unwrap();
            assert!(Segment::open(&path).is_err());
        }
    }

    #[test]
    fn a_damaged_position_is_found_by_who_touches_it() {
        let dir = tempfile::tempdir().unwrap();
        let text = "some words of a text ".repeat(4000);
        let segment = written(&[&text], dir.path());
        let at = segment.positions.end - 1;
        drop(segment);
        let path = dir.path().join("a.bin");
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[at] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        let segment = Segment::open(&path).unwrap();
        assert!(segment.position(0).is_ok());
        assert!(segment.position(segment.len() - 1).is_err());
    }

    proptest! {
        #[test]
        fn what_is_left_is_what_sorting_the_rest_gives(
            texts in prop::collection::vec("[aB \u{130}\u{e9}\n]{0,12}", 1..6),
            keep in prop::collection::vec(any::<bool>(), 6),
        ) {
            let dir = tempfile::tempdir().unwrap();
            let mut texts = texts;
            texts.sort();
            texts.dedup();
            let whole: Vec<&str> = texts.iter().map(String::as_str).collect();
            let rest: Vec<&[u8]> =
                texts.iter().zip(&keep).filter(|(_, k)| **k).map(|(t, _)| t.as_bytes()).collect();
            let keys = rest.iter().map(|text| key_of(text)).collect();
            let left = written(&whole, dir.path()).only(&keys, &Cancel::new()).unwrap();
            let anew = sort(&rest, &Cancel::new()).unwrap();
            prop_assert_eq!(&left.keys, &anew.keys);
            prop_assert_eq!(&left.starts, &anew.starts);
            // Suffixes that are equal to the end of their texts may stand in any order.
            let mut left = left.positions;
            let mut anew = anew.positions;
            left.sort_unstable();
            anew.sort_unstable();
            prop_assert_eq!(left, anew);
        }
    }
}
