//! Where a piece of text stands, by suffix arrays over the stored texts (Manber and Myers, "Suffix
//! Arrays: A New Method for On-Line String Searches", SIAM Journal on Computing, 1993).
//!
//! Texts stand in segments: a batch of documents each, sorted once, with a file of its own. What
//! comes goes into a new segment, into which small ones are taken up; what goes is left out of its
//! segment, whose order stays. Sorted is the text without regard to letter case and runs of white
//! space, so one array answers for quotes as written (those that stand so are picked out) and for
//! quotes regardless of both. A text that several documents have is there once.

mod fold;
mod segment;
mod suffix_sort;

use std::ops::Range;
use std::path::Path;

use indago_core::Cancel;
use indago_core::ports::RetrieveError;

pub(crate) use fold::{Folded, folded};
pub(crate) use segment::{Draft, Key, MAX_TEXT, Segment, key_of, sort};

use crate::disk::bytes::u32_at;
use crate::disk::sealed::{Kind, SealedFile, SealedWriter};
use crate::error::{IndexError, corrupt};
use crate::manifest::SubstringSet;
use crate::store::Store;

/// The folder of segments within a corpus.
pub(crate) const FOLDER: &str = "substrings";
/// Occurrences that are told of one document.
pub(crate) const MAX_PER_DOCUMENT: usize = 10_000;

const ROWS: Kind = Kind {
    name: "substrow",
    version: 1,
};

/// Writes which rows of the store have which text: per text of each segment a list of rows.
///
/// ```text
/// counts   per text, segment by segment, the number of its rows, u32
/// rows     u32
/// ```
pub(crate) fn write_rows(path: &Path, texts: &[Vec<u32>]) -> Result<(), IndexError> {
    let mut file = SealedWriter::create(path, ROWS)?;
    file.begin("counts")?;
    for rows in texts {
        file.write(&(rows.len() as u32).to_le_bytes())?;
    }
    file.begin("rows")?;
    for row in texts.iter().flatten() {
        file.write(&row.to_le_bytes())?;
    }
    file.finish()
}

/// What [`write_rows`] wrote.
struct RowFile {
    /// Per text where its rows begin, and the end.
    starts: Vec<u32>,
    rows: Vec<u32>,
    /// Length of the file.
    bytes: u64,
}

fn read_rows(path: &Path) -> Result<RowFile, RetrieveError> {
    let file = SealedFile::open(path, ROWS)?;
    let numbers = |section: &str| {
        file.verify(section)?;
        let span = file.span(section)?;
        let numbers = (0..span.len() / 4).map(|i| u32_at(file.bytes(), span.start + 4 * i));
        Ok::<Vec<u32>, RetrieveError>(numbers.collect())
    };
    let (counts, rows) = (numbers("counts")?, numbers("rows")?);
    let mut starts = vec![0_u32];
    let mut at = 0_u32;
    for count in counts {
        at = at.saturating_add(count);
        starts.push(at);
    }
    if at as usize != rows.len() {
        return Err(corrupt(path, "table lengths do not agree"));
    }
    let bytes = file.bytes().len() as u64;
    Ok(RowFile {
        starts,
        rows,
        bytes,
    })
}

/// The index, open for reading, and which documents it has.
#[derive(Debug)]
pub(crate) struct Substrings {
    /// With the number of the first text of each.
    segments: Vec<(Segment, usize)>,
    starts: Vec<u32>,
    rows: Vec<u32>,
    /// Documents that are in no segment, ascending.
    missing: Vec<u32>,
    /// Of all files, which a writer may remove later.
    bytes: u64,
}

impl Substrings {
    pub(crate) fn open(
        dir: &Path,
        set: &SubstringSet,
        store: &Store,
    ) -> Result<Self, RetrieveError> {
        let path = dir.join(&set.rows);
        let RowFile {
            starts,
            rows,
            mut bytes,
        } = read_rows(&path)?;
        let mut segments = Vec::with_capacity(set.segments.len());
        let mut texts = 0;
        for part in &set.segments {
            let segment = Segment::open(&dir.join(&part.file))?;
            let first = texts;
            texts += segment.keys().len();
            bytes += segment.bytes();
            segments.push((segment, first));
        }
        let mut there = vec![false; store.n_documents() as usize];
        for row in &rows {
            match there.get_mut(*row as usize) {
                Some(there) if *there => return Err(corrupt(&path, "a document has two texts")),
                Some(there) => *there = true,
                None => return Err(corrupt(&path, "a document is out of bounds")),
            }
        }
        if starts.len() != texts + 1 || starts.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(corrupt(
                &path,
                "texts of the segments are not accounted for",
            ));
        }
        let missing = (0..store.n_documents()).filter(|row| !there[*row as usize]);
        Ok(Self {
            missing: missing.collect(),
            segments,
            starts,
            rows,
            bytes,
        })
    }

    /// Length of its files.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Reads every file through.
    pub(crate) fn verify(dir: &Path, set: &SubstringSet) -> Vec<RetrieveError> {
        let mut problems: Vec<RetrieveError> = set
            .segments
            .iter()
            .filter_map(|part| {
                let segment = Segment::open(&dir.join(&part.file));
                segment.and_then(|segment| segment.verify()).err()
            })
            .collect();
        problems.extend(read_rows(&dir.join(&set.rows)).err());
        problems
    }

    /// Documents that it does not have, ascending: they have to be read.
    pub(crate) fn missing(&self) -> &[u32] {
        &self.missing
    }

    /// Rows of the documents that have a text.
    fn rows_of(&self, text: usize) -> &[u32] {
        let bound = |i: usize| self.starts.get(i).copied().unwrap_or_default() as usize;
        self.rows
            .get(bound(text)..bound(text + 1))
            .unwrap_or_default()
    }

    /// Where texts, folded, begin with `quote`, which is folded and does not begin with white space:
    /// for each segment a range, for [`Self::places`].
    pub(crate) fn ranges(
        &self,
        store: &Store,
        quote: &[u8],
        cancel: &Cancel,
    ) -> Result<Vec<Range<usize>>, RetrieveError> {
        let range = |(segment, first): &(Segment, usize)| {
            cancel.check()?;
            segment.range(quote, |text| self.text(store, first + text))
        };
        self.segments.iter().map(range).collect()
    }

    fn text<'a>(&self, store: &'a Store, text: usize) -> Result<&'a [u8], RetrieveError> {
        self.rows_of(text)
            .first()
            .map_or(Ok(&[][..]), |row| store.text(*row))
    }

    /// The places of what [`Self::ranges`] found where `end_of` gives an end (from a text and a start
    /// in it): documents by row and bytes of their texts, none within another, ascending.
    pub(crate) fn places(
        &self,
        store: &Store,
        ranges: &[Range<usize>],
        end_of: impl Fn(&[u8], usize) -> Option<usize>,
        cancel: &Cancel,
    ) -> Result<Vec<(u32, Range<usize>)>, RetrieveError> {
        let mut found = Vec::new();
        for ((segment, first), range) in self.segments.iter().zip(ranges) {
            cancel.check()?;
            let positions = segment.positions(range.clone())?;
            let places = positions.iter().map(|position| segment.place(*position));
            let places: Vec<(usize, usize)> = places.collect();
            for of_text in places.chunk_by(|a, b| a.0 == b.0) {
                cancel.check()?;
                let Some((text, _)) = of_text.first() else {
                    continue;
                };
                let bytes = self.text(store, first + text)?;
                let mut after = 0;
                let mut ends = Vec::new();
                for (_, start) in of_text {
                    if ends.len() == MAX_PER_DOCUMENT {
                        break;
                    }
                    if *start >= after
                        && let Some(end) = end_of(bytes, *start)
                    {
                        ends.push(*start..end);
                        after = end;
                    }
                }
                for row in self.rows_of(first + text) {
                    found.extend(ends.iter().map(|place| (*row, place.clone())));
                }
            }
        }
        found.sort_by_key(|(row, place)| (*row, place.start));
        Ok(found)
    }
}

/// Where a folded quote ends that begins at `start` of `text`, if it ends with a character.
pub(crate) fn end_of(text: &[u8], start: usize, quote: &[u8]) -> Option<usize> {
    fold::end_of(text, start, quote)
}
