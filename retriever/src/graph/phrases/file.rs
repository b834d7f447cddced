//! The graph of phrases on disk, with what it was made of.
//!
//! ```text
//! keys       per text that rules read its key, 16 bytes
//! starts     per text where its reading begins in `readings`, u32, and the end
//! readings   see `Numbered`, u32
//! phrases    all phrases in order, UTF-8, one after the other
//! phrase-ends  where each ends, u32
//! held       passages that hold each phrase, u32
//! edges      per node where its edges begin, u32, and the end; passages first, by row, then phrases
//! targets    u32
//! weights    f32
//! ```

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;

use indago_core::ports::RetrieveError;

use super::draft::Edges;
use super::read::{Key, Numbered, READING, Readings};
use crate::disk::bytes::{id_at, u32_at};
use crate::disk::sealed::{Kind, SealedFile, SealedWriter};
use crate::error::{IndexError, corrupt};

const KIND: Kind = Kind {
    name: "phrases",
    version: READING,
};
const SECTIONS: [&str; 9] = [
    "keys",
    "starts",
    "readings",
    "phrases",
    "phrase-ends",
    "held",
    "edges",
    "targets",
    "weights",
];

pub(super) fn write(path: &Path, readings: &Readings, edges: &Edges) -> Result<(), IndexError> {
    let fits = |n: usize, what| match u32::try_from(n) {
        Ok(_) => Ok(()),
        Err(_) => Err(IndexError::TooMany(u64::from(u32::MAX), what)),
    };
    let phrase_bytes: usize = readings.phrases.iter().map(String::len).sum();
    fits(readings.stream.len(), "phrases in sentences")?;
    fits(phrase_bytes, "bytes of phrases")?;
    let starts: Vec<u32> = readings.starts.iter().map(|start| *start as u32).collect();
    let mut end = 0;
    let ends = readings.phrases.iter().map(|phrase| {
        end += phrase.len() as u32;
        end
    });
    let ends: Vec<u32> = ends.collect();
    let numbers =
        |numbers: &[u32]| -> Vec<u8> { numbers.iter().flat_map(|n| n.to_le_bytes()).collect() };
    let mut file = SealedWriter::create(path, KIND)?;
    file.begin("keys")?;
    for key in &readings.keys {
        file.write(key)?;
    }
    file.begin("starts")?;
    file.write(&numbers(&starts))?;
    file.begin("readings")?;
    file.write(&numbers(&readings.stream))?;
    file.begin("phrases")?;
    for phrase in &readings.phrases {
        file.write(phrase.as_bytes())?;
    }
    file.begin("phrase-ends")?;
    file.write(&numbers(&ends))?;
    file.begin("held")?;
    file.write(&numbers(&edges.held_by))?;
    file.begin("edges")?;
    file.write(&numbers(&edges.starts))?;
    file.begin("targets")?;
    file.write(&numbers(&edges.targets))?;
    file.begin("weights")?;
    for weight in &edges.weights {
        file.write(&weight.to_le_bytes())?;
    }
    file.finish()
}

/// The file, mapped. Its sections are verified by [`Self::verify`].
#[derive(Clone, Debug)]
pub(crate) struct PhraseFile {
    file: SealedFile,
    phrases: Range<usize>,
    ends: Range<usize>,
}

impl PhraseFile {
    pub(crate) fn open(path: &Path) -> Result<Self, RetrieveError> {
        let file = SealedFile::open(path, KIND)?;
        Ok(Self {
            phrases: file.span("phrases")?,
            ends: file.span("phrase-ends")?,
            file,
        })
    }

    /// Reads all of it through.
    pub(crate) fn verify(&self) -> Result<(), RetrieveError> {
        for section in SECTIONS {
            self.file.verify(section)?;
        }
        let n = self.n_phrases();
        let mut ends = (0..n).map(|i| u32_at(self.file.bytes(), self.ends.start + 4 * i));
        let (keys, starts) = (self.section("keys")?, self.numbers("starts")?);
        let whole = str::from_utf8(self.section("phrases")?).is_ok()
            && starts.len() == keys.len() / 16 + 1
            && starts.first() == Some(&0)
            && starts.is_sorted()
            && starts.last().map(|&last| last as usize) == Some(self.numbers("readings")?.len())
            && ends.clone().is_sorted()
            && ends.next_back().unwrap_or_default() as usize == self.phrases.len()
            && self.section("held")?.len() == 4 * n;
        if whole {
            Ok(())
        } else {
            Err(corrupt(self.file.path(), "tables do not agree"))
        }
    }

    fn section(&self, name: &str) -> Result<&[u8], RetrieveError> {
        let span = self.file.span(name)?;
        Ok(self.file.bytes().get(span).unwrap_or_default())
    }

    pub(super) fn path(&self) -> &Path {
        self.file.path()
    }

    pub(super) fn numbers(&self, name: &str) -> Result<&[u32], RetrieveError> {
        let bytes = self.section(name)?;
        bytemuck::try_cast_slice(bytes).map_err(|e| corrupt(self.path(), e.to_string()))
    }

    pub(super) fn weights(&self) -> Result<&[f32], RetrieveError> {
        let bytes = self.section("weights")?;
        bytemuck::try_cast_slice(bytes).map_err(|e| corrupt(self.path(), e.to_string()))
    }

    pub(super) fn n_phrases(&self) -> usize {
        self.ends.len() / 4
    }

    pub(super) fn phrase(&self, number: u32) -> Option<&str> {
        let end = |i: usize| u32_at(self.file.bytes(), self.ends.start + 4 * i) as usize;
        let number = number as usize;
        if number >= self.n_phrases() {
            return None;
        }
        let start = number.checked_sub(1).map_or(0, end);
        let phrases = self.file.bytes().get(self.phrases.clone())?;
        str::from_utf8(phrases.get(start..end(number))?).ok()
    }

    /// The number of a phrase, and of the passages that hold it.
    pub(super) fn find(&self, phrase: &str) -> Option<(usize, u32)> {
        let (mut low, mut high) = (0, self.n_phrases());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.phrase(middle as u32)?.cmp(phrase) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => {
                    let held = self.numbers("held").ok()?;
                    return Some((middle, *held.get(middle)?));
                }
            }
        }
        None
    }

    /// What was read of each text.
    pub(super) fn readings(&self) -> Result<HashMap<Key, Numbered<'_>>, RetrieveError> {
        let (keys, stream) = (self.section("keys")?, self.numbers("readings")?);
        let starts = self.numbers("starts")?;
        let mut readings = HashMap::with_capacity(keys.len() / 16);
        for (i, bounds) in starts.windows(2).enumerate() {
            if let Some(reading) = stream.get(bounds[0] as usize..bounds[1] as usize) {
                readings.insert(id_at(keys, 16 * i), Numbered(reading));
            }
        }
        Ok(readings)
    }
}
