//! An index of token vectors on disk, and its passages as the store numbers them.
//!
//! ```text
//! shape      u32 each: length of a vector, bits a value, passages, passages at training
//! centroids  f32 [centroids, dim]
//! words      f32 [256, 8 / bits]: what the bytes of residuals stand for
//! keys       16 bytes a passage: the hash of the text that was encoded
//! bounds     u32 [passages + 1]: where each passage's tokens begin
//! codes      u32 a token: its centroid
//! residuals  bytes, dim * bits / 8 a token
//! factors    i16 two a token: of its centroid and of its shape
//! fixed      one byte a value: fixed dimensional encodings
//! scales     f32 a passage: of its fixed dimensional encoding
//! ```
//! Passages are known by key, so that the file outlives generations of the store.

use std::collections::HashMap;
use std::path::Path;

use indago_core::ports::RetrieveError;
use indago_kernels::unpack::WORDS;

use super::codebook::Codebook;
use super::codec::{Codec, FACTOR_BYTES};
use super::index::{Bytes, Index, fixed};
use crate::disk::bytes::{f32_at, id_at, u32_at};
use crate::disk::sealed::{Kind, SealedFile, SealedWriter};
use crate::error::{IndexError, corrupt};
use crate::store::Store;

const KIND: Kind = Kind {
    name: "tokens",
    version: 2,
};
/// Longest vector that is believed.
const MAX_DIM: usize = 1 << 14;

/// Writes an index whose passages have `keys`; `trained` were there when its codec was made.
pub(crate) fn write(
    path: &Path,
    index: &Index,
    keys: &[[u8; 16]],
    trained: u32,
) -> Result<(), IndexError> {
    let mut file = SealedWriter::create(path, KIND)?;
    let codec = &index.codec;
    let shape = [
        codec.dim as u32,
        codec.bits as u32,
        keys.len() as u32,
        trained,
    ];
    let numbers = |values: &mut dyn Iterator<Item = [u8; 4]>, file: &mut SealedWriter| {
        let mut chunk = Vec::with_capacity(1 << 16);
        for value in values {
            chunk.extend(value);
            if chunk.len() >= 1 << 16 {
                file.write(&chunk)?;
                chunk.clear();
            }
        }
        file.write(&chunk)
    };
    file.begin("shape")?;
    numbers(&mut shape.iter().map(|x| x.to_le_bytes()), &mut file)?;
    file.begin("centroids")?;
    numbers(
        &mut codec.centroids.iter().map(|x| x.to_le_bytes()),
        &mut file,
    )?;
    file.begin("words")?;
    let words = codec.codebook.words.iter();
    numbers(&mut words.map(|x| x.to_le_bytes()), &mut file)?;
    file.begin("keys")?;
    file.write(keys.as_flattened())?;
    file.begin("bounds")?;
    numbers(&mut index.bounds.iter().map(|x| x.to_le_bytes()), &mut file)?;
    file.begin("codes")?;
    numbers(&mut index.codes.iter().map(|x| x.to_le_bytes()), &mut file)?;
    file.begin("residuals")?;
    file.write(index.residuals.get())?;
    file.begin("factors")?;
    file.write(index.factors.get())?;
    file.begin("fixed")?;
    file.write(index.fixed_codes.get())?;
    file.begin("scales")?;
    numbers(
        &mut index.fixed_scales.iter().map(|x| x.to_le_bytes()),
        &mut file,
    )?;
    file.finish()
}

/// An index read from disk.
#[derive(Debug)]
pub(crate) struct TokenFile {
    pub(crate) index: Index,
    pub(crate) keys: Vec<[u8; 16]>,
    pub(crate) trained: u32,
    /// Length of the file.
    pub(crate) bytes: u64,
}

impl TokenFile {
    /// Opens and verifies a file.
    pub(crate) fn open(path: &Path) -> Result<Self, RetrieveError> {
        let file = SealedFile::open(path, KIND)?;
        let section = |name: &str| -> Result<&[u8], RetrieveError> {
            file.verify(name)?;
            Ok(&file.bytes()[file.span(name)?])
        };
        let bad = || corrupt(path, "table lengths do not agree");
        let u32s = |name: &str| -> Result<Vec<u32>, RetrieveError> {
            let bytes = section(name)?;
            Ok((0..bytes.len() / 4).map(|i| u32_at(bytes, 4 * i)).collect())
        };
        let f32s = |name: &str| -> Result<Vec<f32>, RetrieveError> {
            let bytes = section(name)?;
            Ok((0..bytes.len() / 4).map(|i| f32_at(bytes, 4 * i)).collect())
        };
        let shape = u32s("shape")?;
        let [dim, bits, passages, trained] = shape[..] else {
            return Err(bad());
        };
        let (dim, bits, passages) = (dim as usize, bits as usize, passages as usize);
        let words = f32s("words")?;
        let centroids = f32s("centroids")?;
        if dim == 0 || dim > MAX_DIM || ![1, 2, 4, 8].contains(&bits) {
            return Err(bad());
        }
        let width = 8 / bits;
        if words.len() != WORDS * width || !centroids.len().is_multiple_of(dim) {
            return Err(bad());
        }
        let codec = Codec {
            dim,
            bits,
            centroids,
            codebook: Codebook { width, words },
        };
        let keys = section("keys")?;
        let keys: Vec<[u8; 16]> = (0..keys.len() / 16).map(|i| id_at(keys, 16 * i)).collect();
        let (bounds, codes, scales) = (u32s("bounds")?, u32s("codes")?, f32s("scales")?);
        let residual_bytes = section("residuals")?.len();
        let factor_bytes = section("factors")?.len();
        let fixed_bytes = section("fixed")?.len();
        let fits = keys.len() == passages
            && bounds.len() == passages + 1
            && bounds.first() == Some(&0)
            && bounds.is_sorted()
            && bounds.last().map(|&last| last as usize) == Some(codes.len())
            && codes
                .iter()
                .all(|&code| (code as usize) < codec.n_centroids())
            && residual_bytes == codes.len() * codec.residual_bytes()
            && factor_bytes == codes.len() * FACTOR_BYTES
            && scales.len() == passages
            && fixed_bytes == passages * fixed(dim).len();
        if !fits {
            return Err(bad());
        }
        let residuals = Bytes::Mapped(file.clone(), file.span("residuals")?);
        let factors = Bytes::Mapped(file.clone(), file.span("factors")?);
        let fixed = (Bytes::Mapped(file.clone(), file.span("fixed")?), scales);
        Ok(Self {
            index: Index::of_parts(codec, bounds, codes, [residuals, factors], fixed),
            keys,
            trained,
            bytes: file.bytes().len() as u64,
        })
    }
}

/// Which rows of the store have a passage of the index, and the other way round.
#[derive(Debug)]
pub(crate) struct Rows {
    /// Passage `i` of the index is at the store's rows `of_store[starts[i]..starts[i + 1]]`.
    starts: Vec<u32>,
    of_store: Vec<u32>,
    /// By row of the store; `u32::MAX` where a row has no token vectors.
    passages: Vec<u32>,
}

/// Finds the rows of the passages that have `keys`.
pub(crate) fn link_rows(store: &Store, keys: &[[u8; 16]]) -> Rows {
    let numbers: HashMap<[u8; 16], u32> = keys.iter().copied().zip(0..).collect();
    let passages: Vec<u32> = (0..store.n_passages())
        .map(|row| {
            let key = store.passage_row(row).embed_key;
            numbers.get(&key).copied().unwrap_or(u32::MAX)
        })
        .collect();
    let mut pairs: Vec<(u32, u32)> = passages.iter().copied().zip(0..).collect();
    pairs.retain(|(passage, _)| *passage != u32::MAX);
    pairs.sort_unstable();
    let mut starts = vec![0; keys.len() + 1];
    for &(passage, _) in &pairs {
        starts[passage as usize + 1] += 1;
    }
    for i in 1..starts.len() {
        starts[i] += starts[i - 1];
    }
    Rows {
        starts,
        of_store: pairs.into_iter().map(|(_, row)| row).collect(),
        passages,
    }
}

impl Rows {
    /// The store's rows of a passage of the index.
    pub(crate) fn of(&self, passage: u32) -> &[u32] {
        let i = passage as usize;
        match (self.starts.get(i), self.starts.get(i + 1)) {
            (Some(&start), Some(&end)) => &self.of_store[start as usize..end as usize],
            _ => &[],
        }
    }

    /// The passage of the index at a row of the store.
    pub(crate) fn passage(&self, row: u32) -> Option<u32> {
        let passage = self.passages.get(row as usize).copied();
        passage.filter(|&passage| passage != u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use indago_core::Cancel;

    use super::*;
    use crate::multivector::IndexBuilder;

    /// Passages of 0 to 4 tokens, empty ones at both ends among them.
    fn index() -> Index {
        let row = |i: usize| {
            let x = (i as f32 * 0.7).sin();
            [x, (1.0 - x * x).sqrt(), 0.0]
        };
        let sizes = [0, 0, 3, 0, 1, 4, 0, 2, 0];
        let mut next = 0..;
        let passages: Vec<Vec<f32>> = sizes
            .iter()
            .map(|&size| next.by_ref().take(size).flat_map(row).collect())
            .collect();
        let cancel = Cancel::new();
        let codec = Codec::train(&passages.concat(), 3, 4, 10, &cancel).unwrap();
        let mut builder = IndexBuilder::new(codec);
        let views: Vec<&[f32]> = passages.iter().map(Vec::as_slice).collect();
        builder.push(&views, &cancel).unwrap();
        builder.finish()
    }

    #[test]
    fn a_file_gives_back_what_was_written_and_one_of_another_version_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tokens.bin");
        let index = index();
        let keys: Vec<[u8; 16]> = (0..index.len() as u8).map(|i| [i; 16]).collect();
        write(&path, &index, &keys, 9).unwrap();
        let read = TokenFile::open(&path).unwrap();
        assert_eq!((&read.keys, read.trained), (&keys, 9));
        assert_eq!(read.index.codec, index.codec);
        let (mut a, mut b) = (Vec::new(), Vec::new());
        for passage in 0..index.len() as u32 {
            index.decode(passage, &mut a);
            read.index.decode(passage, &mut b);
        }
        assert_eq!((a.len(), &a), (30, &b));
        for token in a.chunks_exact(3) {
            let length = token.iter().map(|x| x * x).sum::<f32>().sqrt();
            assert!((length - 1.0).abs() < 1e-3, "{token:?}");
        }

        let mut older = SealedWriter::create(&path, Kind { version: 1, ..KIND }).unwrap();
        older.begin("shape").unwrap();
        older.finish().unwrap();
        let error = TokenFile::open(&path).unwrap_err();
        let told = error.to_string();
        assert!(
            matches!(error, RetrieveError::FormatVersion { .. }),
            "{told}"
        );
        assert!(told.contains("tokens.bin"), "{told}");
    }

    #[test]
    fn factors_or_words_that_are_missing_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tokens.bin");
        let whole = index();
        let keys = vec![[0; 16]; whole.len()];
        let mut short = whole.clone();
        short.factors = Bytes::Owned(whole.factors.get()[4..].to_vec());
        let mut narrow = whole.clone();
        narrow.codec.codebook.words.pop();
        for broken in [short, narrow] {
            write(&path, &broken, &keys, 1).unwrap();
            let error = TokenFile::open(&path).unwrap_err();
            assert!(error.to_string().contains("do not agree"), "{error}");
        }
    }

    #[test]
    fn tokens_know_their_passage_also_beside_empty_ones() {
        let index = index();
        for passage in 0..index.len() as u32 {
            for token in index.tokens(passage) {
                assert_eq!(index.passage_of(token as u32), passage);
            }
        }
        // Many more tokens than are noted, and more passages than tokens.
        let codec = index.codec.clone();
        let mut builder = IndexBuilder::new(codec);
        for i in 0..900 {
            builder.copy(&index, [2, 3, 5, 0, 0, 7, 4][i % 7]);
        }
        let index = builder.finish();
        for passage in 0..index.len() as u32 {
            for token in index.tokens(passage) {
                assert_eq!(index.passage_of(token as u32), passage);
            }
        }
    }
}
