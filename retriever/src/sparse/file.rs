//! Sparse vectors of a corpus on disk, and the search over them.
//!
//! ```text
//! keys       per row the key of its text, 16 bytes
//! starts     per row where its vector begins, u32, and the end
//! vectors    per row its terms, ascending, then as many codes u16: a weight is its code times the
//!            row's scale; over words how often the word occurs
//! steps      per row its scale, f32
//! lengths    for vectors over words: mean length f32, then terms per row, u32
//! lists, members, codes, scales, tops       see `lists`: starts u32, members u16, codes u8,
//!            scales f32, tops u8
//! words      for vectors over words: the words, sorted, a line each; a word's line is its term
//! ```
//!
//! Terms of vectors are u16 where the vocabulary has no more than 65,536 of them, else u32.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::ops::Range;
use std::path::Path;

use indago_core::Cancel;
use indago_core::ports::{RetrieveError, SparseVector};

use super::candidates::{Candidates, with_sums};
use super::lists::{Cut, Lists, View, WINDOW};
use super::weights::{NARROW, Weights};
use crate::disk::bytes::{f32_at, id_at, u32_at};
use crate::disk::sealed::{Kind, SealedFile, SealedWriter};
use crate::error::{IndexError, corrupt};

const KIND: Kind = Kind {
    name: "sparse",
    version: 4,
};

/// What is written.
#[derive(Clone, Copy, Debug)]
pub struct Content<'a> {
    /// Of each row the key of its text.
    pub keys: &'a [[u8; 16]],
    /// As many.
    pub vectors: &'a [SparseVector],
    /// Where vectors are of how often words occur: as many lengths, and their mean in the corpus.
    pub lengths: Option<(&'a [u32], f32)>,
    /// Number of terms; no vector has one from here up.
    pub vocabulary: usize,
    /// Words by term, where terms are words.
    pub words: &'a [String],
}

/// BM25's weight of a word that occurs `times` in a passage of `length` terms; its idf is left to
/// the query.
pub(crate) fn impact(times: f32, length: u32, mean: f32) -> f32 {
    let norm = 1.2 * (0.25 + 0.75 * length as f32 / mean);
    2.2 * times / (times + norm)
}

/// Writes the vectors and the lists of their largest weights.
///
/// # Errors
/// When the file cannot be written, or there are more than 2^32 weights.
pub fn write(path: &Path, content: &Content<'_>, how: Cut) -> Result<(), IndexError> {
    let entries: usize = content.vectors.iter().map(Vec::len).sum();
    if u32::try_from(entries).is_err() {
        return Err(IndexError::TooMany(u64::from(u32::MAX), "sparse weights"));
    }
    let steps: Vec<f32> = content.vectors.iter().map(step_of).collect();
    // As they are read, so that sums of whole lists are bounds.
    let read = |row: usize, out: &mut SparseVector| {
        let entries = content.vectors[row].iter();
        match content.lengths {
            None => {
                let step = steps[row];
                out.extend(entries.map(|&(term, w)| (term, f32::from(code_of(w, step)) * step)));
            }
            Some((lengths, mean)) => {
                let weight = |&(term, times)| (term, impact(times, lengths[row], mean));
                out.extend(entries.map(weight));
            }
        }
    };
    let lists = Lists::of(content.vectors.len(), content.vocabulary, read, how);
    let mut file = SealedWriter::create(path, KIND)?;
    file.begin("keys")?;
    for key in content.keys {
        file.write(key)?;
    }
    file.begin("starts")?;
    let mut at = 0_u32;
    file.write(&at.to_le_bytes())?;
    for vector in content.vectors {
        at += vector.len() as u32;
        file.write(&at.to_le_bytes())?;
    }
    let narrow = content.vocabulary <= NARROW;
    let of_terms = |terms: &mut dyn Iterator<Item = u32>| -> Vec<u8> {
        if narrow {
            terms.flat_map(|term| (term as u16).to_le_bytes()).collect()
        } else {
            terms.flat_map(u32::to_le_bytes).collect()
        }
    };
    file.begin("vectors")?;
    for (vector, step) in content.vectors.iter().zip(&steps) {
        file.write(&of_terms(&mut vector.iter().map(|(term, _)| *term)))?;
        let codes = vector.iter().map(|(_, weight)| code_of(*weight, *step));
        let codes: Vec<u8> = codes.flat_map(u16::to_le_bytes).collect();
        file.write(&codes)?;
    }
    file.begin("steps")?;
    for step in &steps {
        file.write(&step.to_le_bytes())?;
    }
    file.begin("lengths")?;
    if let Some((lengths, mean)) = content.lengths {
        file.write(&mean.to_le_bytes())?;
        for length in lengths {
            file.write(&length.to_le_bytes())?;
        }
    }
    file.begin("lists")?;
    file.write(&bytes_of(&lists.starts, u32::to_le_bytes))?;
    file.begin("members")?;
    file.write(&bytes_of(&lists.members, u16::to_le_bytes))?;
    file.begin("codes")?;
    file.write(&lists.codes)?;
    file.begin("scales")?;
    file.write(&bytes_of(&lists.scales, f32::to_le_bytes))?;
    file.begin("tops")?;
    file.write(&lists.tops)?;
    file.begin("words")?;
    file.write(content.words.join("\n").as_bytes())?;
    file.finish()
}

fn bytes_of<T: Copy, const N: usize>(numbers: &[T], bytes: impl Fn(T) -> [u8; N]) -> Vec<u8> {
    numbers.iter().flat_map(|number| bytes(*number)).collect()
}

/// What a code of a vector stands for: 1 where all weights are whole numbers that codes hold, so that
/// counts stay exact, else a 65,535th of the largest weight.
fn step_of(vector: &SparseVector) -> f32 {
    let whole = |w: f32| w.fract() == 0.0 && (0.0..=CODES).contains(&w);
    if vector.iter().all(|(_, weight)| whole(*weight)) {
        return 1.0;
    }
    vector.iter().map(|(_, w)| *w).fold(0.0, f32::max) / CODES
}

/// The code of a weight. Those that are not positive, which no encoder gives, are nothing.
fn code_of(weight: f32, step: f32) -> u16 {
    if step > 0.0 {
        (weight / step).round().clamp(0.0, CODES) as u16
    } else {
        0
    }
}

/// Largest code of a weight.
const CODES: f32 = 65_535.0;

/// How much a search looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// Postings to read: the parts of the query's lists that can add most to a score are added up
    /// until there were so many, the last part whole. All terms score.
    pub postings: usize,
    /// Beyond the number that is asked for, so many passages of the next largest sums are scored
    /// exactly; fewer where no other can be among the best.
    pub spare: usize,
}

impl Default for Effort {
    fn default() -> Self {
        Self {
            postings: 1 << 20,
            spare: 50,
        }
    }
}

/// Sparse vectors of a corpus, open for reading.
#[derive(Debug)]
pub struct SparseFile {
    file: SealedFile,
    keys: Range<usize>,
    starts: Range<usize>,
    vectors: Range<usize>,
    steps: Range<usize>,
    lengths: Range<usize>,
    lists: Range<usize>,
    members: Range<usize>,
    codes: Range<usize>,
    scales: Range<usize>,
    tops: Range<usize>,
    /// Bytes of a term.
    width: usize,
    words: HashMap<String, u32>,
    /// Mean length of a passage now, and what that can have raised weights by since the lists were
    /// made; for vectors over words.
    mean: Option<(f32, f32)>,
}

impl SparseFile {
    /// Opens and checks the whole file.
    ///
    /// # Errors
    /// When it is damaged, of another version, or not there.
    pub fn open(path: &Path) -> Result<Self, RetrieveError> {
        let file = SealedFile::open(path, KIND)?;
        let section = |name: &str| {
            file.verify(name)?;
            file.span(name)
        };
        let words = section("words")?;
        let words = str::from_utf8(file.bytes().get(words).unwrap_or_default())
            .map_err(|e| corrupt(path, e.to_string()))?;
        let words = words.lines().map(str::to_owned).zip(0..).collect();
        let lengths = section("lengths")?;
        let table = file.bytes().get(lengths.clone()).unwrap_or_default();
        let mean = (!table.is_empty()).then(|| (f32_at(table, 0), 1.0));
        let mut opened = Self {
            width: 2,
            steps: section("steps")?,
            lengths,
            mean,
            keys: section("keys")?,
            starts: section("starts")?,
            vectors: section("vectors")?,
            lists: section("lists")?,
            members: section("members")?,
            codes: section("codes")?,
            scales: section("scales")?,
            tops: section("tops")?,
            words,
            file,
        };
        let rows = opened.rows() as usize;
        let lengths_fit = opened.mean.is_none_or(|(mean, _)| {
            opened.lengths.len() == 4 * (rows + 1) && mean.is_finite() && mean >= 1.0
        });
        let starts_fit = opened.starts.len() == 4 * (rows + 1) && opened.steps.len() == 4 * rows;
        let entries = if starts_fit {
            u32_at(opened.section(&opened.starts), 4 * rows) as usize
        } else {
            0
        };
        opened.width = if opened.scales.len() <= 4 * NARROW {
            2
        } else {
            4
        };
        let vectors_fit = opened.vectors.len() == (opened.width + 2) * entries;
        if starts_fit && lengths_fit && vectors_fit && opened.lists().fits(rows) {
            Ok(opened)
        } else {
            Err(corrupt(path, "tables do not agree"))
        }
    }

    /// The same in a corpus whose passages have `mean` terms now; for vectors over words.
    #[must_use]
    pub(crate) fn at_mean(mut self, mean: f32) -> Self {
        if let Some((before, _)) = self.mean {
            // A weight grows at most as much as the mean does, so that sums stay bounds.
            self.mean = Some((mean.max(1.0), (mean.max(1.0) / before).max(1.0)));
        }
        self
    }

    fn section(&self, span: &Range<usize>) -> &[u8] {
        self.file.bytes().get(span.clone()).unwrap_or_default()
    }

    /// Number of texts.
    pub fn rows(&self) -> u32 {
        (self.keys.len() / 16) as u32
    }

    /// The term of a word.
    pub(crate) fn word(&self, word: &str) -> Option<u32> {
        self.words.get(word).copied()
    }

    /// The keys of all rows.
    pub(crate) fn keys(&self) -> Vec<[u8; 16]> {
        (0..self.rows()).map(|row| self.key(row)).collect()
    }

    /// The key of a row's text.
    pub(crate) fn key(&self, row: u32) -> [u8; 16] {
        id_at(self.section(&self.keys), 16 * row as usize)
    }

    /// One number and the next of a table: where something begins and ends.
    fn range(&self, table: &Range<usize>, i: usize) -> Range<usize> {
        let table = self.section(table);
        u32_at(table, 4 * i) as usize..u32_at(table, 4 * i + 4) as usize
    }

    /// A row's vector, weighted.
    pub(crate) fn vector(&self, row: u32) -> SparseVector {
        let mut vector: SparseVector = self.entries(row).collect();
        if let Some((length, mean)) = self.length(row) {
            for (_, weight) in &mut vector {
                *weight = impact(*weight, length, mean);
            }
        }
        vector
    }

    /// Terms of a row and their mean, for vectors over words.
    fn length(&self, row: u32) -> Option<(u32, f32)> {
        let (mean, _) = self.mean?;
        let table = self.section(&self.lengths);
        Some((u32_at(table, 4 + 4 * row as usize), mean))
    }

    /// A row's terms and codes.
    fn coded(&self, row: u32) -> (&[u8], &[u8]) {
        let range = self.range(&self.starts, row as usize);
        let each = self.width + 2;
        let bytes = self.section(&self.vectors);
        let bytes = bytes
            .get(each * range.start..each * range.end)
            .unwrap_or_default();
        bytes.split_at(bytes.len() / each * self.width)
    }

    fn entries(&self, row: u32) -> impl Iterator<Item = (u32, f32)> + '_ {
        let (terms, codes) = self.coded(row);
        let step = f32_at(self.section(&self.steps), 4 * row as usize);
        let codes = codes.as_chunks::<2>().0.iter();
        let terms = terms.chunks_exact(self.width).map(term_in);
        terms
            .zip(codes)
            .map(move |(term, code)| (term, f32::from(u16::from_le_bytes(*code)) * step))
    }

    fn product(&self, row: u32, query: &Weights) -> f32 {
        match self.length(row) {
            None => {
                let (terms, codes) = self.coded(row);
                let step = f32_at(self.section(&self.steps), 4 * row as usize);
                step * match query.narrow().filter(|_| self.width == 2) {
                    Some(query) => dot(terms, codes, query),
                    None => {
                        let terms = terms.chunks_exact(self.width).map(term_in);
                        let codes = codes.as_chunks::<2>().0.iter();
                        let each = terms.zip(codes);
                        each.map(|(term, code)| {
                            query.of(term) * f32::from(u16::from_le_bytes(*code))
                        })
                        .sum()
                    }
                }
            }
            Some((length, mean)) => self
                .entries(row)
                .map(|(term, times)| (query.of(term), times))
                .filter(|(asked, _)| *asked > 0.0)
                .map(|(asked, times)| impact(times, length, mean) * asked)
                .sum(),
        }
    }

    fn lists(&self) -> View<'_> {
        View {
            starts: self.section(&self.lists),
            members: self.section(&self.members),
            codes: self.section(&self.codes),
            scales: self.section(&self.scales),
            tops: self.section(&self.tops),
        }
    }

    /// The best `k` rows that `keep` lets through, best first, ties by row. Approximate: lists
    /// were pruned, and [`Effort`] bounds what is looked at. With all postings, all passages spared
    /// and lists that were not pruned it is [`Self::scan`].
    ///
    /// # Errors
    /// When cancelled.
    pub fn search(
        &self,
        query: &SparseVector,
        k: usize,
        effort: Effort,
        keep: impl Fn(u32) -> bool,
        cancel: &Cancel,
    ) -> Result<Vec<(u32, f32)>, RetrieveError> {
        let weights = Weights::of_query(query);
        let lists = self.lists();
        let (walked, rest) = lists.walk(&weights, effort.postings);
        let mut candidates = Candidates::new(k.saturating_add(effort.spare));
        with_sums(|sums| {
            for (window, first) in (0..self.rows()).step_by(WINDOW).enumerate() {
                for walked in &walked {
                    cancel.check()?;
                    lists.add(window, *walked, sums);
                }
                let rows = WINDOW.min((self.rows() - first) as usize);
                candidates.take(first, &mut sums[..rows], &keep);
            }
            Ok::<_, RetrieveError>(())
        })?;
        let raised = self.mean.map_or(1.0, |(_, raised)| raised);
        let mut best = Best::new(k);
        for (bound, row) in candidates.into_bounds(rest) {
            if best.is_full() && bound * raised < best.bar() {
                break;
            }
            best.offer(row, self.product(row, &weights));
        }
        Ok(best.finish())
    }

    /// The same by reading every vector: what [`Self::search`] is measured against.
    ///
    /// # Errors
    /// When cancelled.
    pub fn scan(
        &self,
        query: &SparseVector,
        k: usize,
        cancel: &Cancel,
    ) -> Result<Vec<(u32, f32)>, RetrieveError> {
        let weights = Weights::of_query(query);
        let mut best = Best::new(k);
        for row in 0..self.rows() {
            if row.is_multiple_of(4096) {
                cancel.check()?;
            }
            best.offer(row, self.product(row, &weights));
        }
        Ok(best.finish())
    }
}

/// A term of two or four bytes.
fn term_in(bytes: &[u8]) -> u32 {
    match bytes {
        [a, b] => u32::from(u16::from_le_bytes([*a, *b])),
        _ => u32_at(bytes, 0),
    }
}

/// Sum of a vector's codes by the weights of their terms. In four sums, so that additions need not
/// wait for each other.
fn dot(terms: &[u8], codes: &[u8], query: &[f32; NARROW]) -> f32 {
    let (terms, codes) = (terms.as_chunks::<2>().0, codes.as_chunks::<2>().0);
    let each = |term: &[u8; 2], code: &[u8; 2]| {
        query[usize::from(u16::from_le_bytes(*term))] * f32::from(u16::from_le_bytes(*code))
    };
    let (fours, rest) = terms.as_chunks::<4>();
    let (four_codes, rest_codes) = codes.as_chunks::<4>();
    let mut sums = [0.0_f32; 4];
    for (terms, codes) in fours.iter().zip(four_codes) {
        for i in 0..4 {
            sums[i] += each(&terms[i], &codes[i]);
        }
    }
    let rest: f32 = rest.iter().zip(rest_codes).map(|(t, c)| each(t, c)).sum();
    (sums[0] + sums[1]) + (sums[2] + sums[3]) + rest
}

/// A score that orders: by value, then the lower row first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place(u32, Reverse<u32>);

/// The best `k` of what is offered; only positive scores count.
struct Best {
    k: usize,
    heap: BinaryHeap<Reverse<Place>>,
}

impl Best {
    fn new(k: usize) -> Self {
        Self {
            k,
            heap: BinaryHeap::new(),
        }
    }

    fn is_full(&self) -> bool {
        self.heap.len() >= self.k
    }

    /// The worst kept score.
    fn bar(&self) -> f32 {
        self.heap
            .peek()
            .map_or(0.0, |Reverse(Place(bits, _))| f32::from_bits(*bits))
    }

    fn offer(&mut self, row: u32, score: f32) {
        if !(score > 0.0 && score.is_finite()) || self.k == 0 {
            return;
        }
        // Bits of positive floats order as the floats do.
        let place = Place(score.to_bits(), Reverse(row));
        if !self.is_full() {
            self.heap.push(Reverse(place));
        } else if self
            .heap
            .peek()
            .is_some_and(|Reverse(worst)| place > *worst)
        {
            self.heap.pop();
            self.heap.push(Reverse(place));
        }
    }

    fn finish(self) -> Vec<(u32, f32)> {
        let places = self.heap.into_sorted_vec().into_iter();
        places
            .map(|Reverse(Place(bits, Reverse(row)))| (row, f32::from_bits(bits)))
            .collect()
    }
}
