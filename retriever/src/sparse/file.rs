//! Sparse vectors of a corpus on disk, and the search over them.
//!
//! ```text
//! keys       per row the key of its text, 16 bytes
//! starts     per row where its vector begins, u32, and the end
//! vectors    term u32, weight f32; over words how often the word occurs
//! lengths    for vectors over words: mean length f32, then terms per row, u32
//! lists, blocks, members, summaries, terms, codes, scales     see `blocks`
//! words      for vectors over words: the words, sorted, a line each; a word's line is its term
//! ```

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::ops::Range;
use std::path::Path;

use indago_core::Cancel;
use indago_core::ports::{RetrieveError, SparseVector};

use super::blocks::{Cut, cut};
use crate::disk::bytes::{f32_at, id_at, u32_at};
use crate::disk::sealed::{Kind, SealedFile, SealedWriter};
use crate::error::{IndexError, corrupt};

const KIND: Kind = Kind {
    name: "sparse",
    version: 2,
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

/// Cuts the vectors into blocks and writes both.
///
/// # Errors
/// When the file cannot be written, or there are more than 2^32 weights.
pub fn write(path: &Path, content: &Content<'_>, how: Cut) -> Result<(), IndexError> {
    let entries: usize = content.vectors.iter().map(Vec::len).sum();
    if u32::try_from(entries).is_err() {
        return Err(IndexError::TooMany(u64::from(u32::MAX), "sparse weights"));
    }
    let blocks = match content.lengths {
        None => cut(content.vectors, content.vocabulary, how),
        Some((lengths, mean)) => {
            let weighted = content
                .vectors
                .iter()
                .zip(lengths)
                .map(|(vector, &length)| {
                    let weight = |&(term, times): &(u32, f32)| (term, impact(times, length, mean));
                    vector.iter().map(weight).collect()
                });
            let weighted: Vec<SparseVector> = weighted.collect();
            cut(&weighted, content.vocabulary, how)
        }
    };
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
    file.begin("vectors")?;
    for (term, weight) in content.vectors.iter().flatten() {
        file.write(&term.to_le_bytes())?;
        file.write(&weight.to_le_bytes())?;
    }
    file.begin("lengths")?;
    if let Some((lengths, mean)) = content.lengths {
        file.write(&mean.to_le_bytes())?;
        for length in lengths {
            file.write(&length.to_le_bytes())?;
        }
    }
    let numbers = [
        ("lists", &blocks.lists),
        ("blocks", &blocks.starts),
        ("members", &blocks.members),
        ("summaries", &blocks.summaries),
        ("terms", &blocks.terms),
    ];
    for (name, values) in numbers {
        file.begin(name)?;
        for value in values {
            file.write(&value.to_le_bytes())?;
        }
    }
    file.begin("codes")?;
    file.write(&blocks.codes)?;
    file.begin("scales")?;
    for scale in &blocks.scales {
        file.write(&scale.to_le_bytes())?;
    }
    file.begin("words")?;
    file.write(content.words.join("\n").as_bytes())?;
    file.finish()
}

/// How a search goes through the blocks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Effort {
    /// Terms of the query, the heaviest, whose lists are gone through. All terms score.
    pub terms: usize,
    /// A block is left out when its summary is below this times the worst kept score; 0 leaves
    /// none out.
    pub factor: f32,
}

impl Default for Effort {
    fn default() -> Self {
        Self {
            terms: 10,
            factor: 0.8,
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
    lengths: Range<usize>,
    lists: Range<usize>,
    blocks: Range<usize>,
    members: Range<usize>,
    summaries: Range<usize>,
    terms: Range<usize>,
    codes: Range<usize>,
    scales: Range<usize>,
    words: HashMap<String, u32>,
    /// Mean length of a passage now, and what that can have raised weights by since the blocks were
    /// cut; for vectors over words.
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
        let opened = Self {
            lengths,
            mean,
            keys: section("keys")?,
            starts: section("starts")?,
            vectors: section("vectors")?,
            lists: section("lists")?,
            blocks: section("blocks")?,
            members: section("members")?,
            summaries: section("summaries")?,
            terms: section("terms")?,
            codes: section("codes")?,
            scales: section("scales")?,
            words,
            file,
        };
        let rows = opened.rows() as usize;
        let lengths_fit = opened.mean.is_none_or(|(mean, _)| {
            opened.lengths.len() == 4 * (rows + 1) && mean.is_finite() && mean >= 1.0
        });
        if opened.starts.len() == 4 * (rows + 1) && lengths_fit {
            Ok(opened)
        } else {
            Err(corrupt(path, "table lengths do not agree"))
        }
    }

    /// The same in a corpus whose passages have `mean` terms now; for vectors over words.
    #[must_use]
    pub(crate) fn at_mean(mut self, mean: f32) -> Self {
        if let Some((before, _)) = self.mean {
            // A weight grows at most as much as the mean does, so that summaries stay bounds.
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

    fn entries(&self, row: u32) -> impl Iterator<Item = (u32, f32)> + '_ {
        let range = self.range(&self.starts, row as usize);
        let bytes = self.section(&self.vectors);
        let bytes = bytes
            .get(8 * range.start..8 * range.end)
            .unwrap_or_default();
        bytes
            .chunks_exact(8)
            .map(|entry| (u32_at(entry, 0), f32_at(entry, 4)))
    }

    fn product(&self, row: u32, query: &Weights) -> f32 {
        let entries = self.entries(row);
        match self.length(row) {
            None => entries.map(|(term, w)| w * query.of(term)).sum(),
            Some((length, mean)) => entries
                .map(|(term, times)| (query.of(term), times))
                .filter(|(asked, _)| *asked > 0.0)
                .map(|(asked, times)| impact(times, length, mean) * asked)
                .sum(),
        }
    }

    fn summary_product(&self, block: usize, query: &Weights) -> f32 {
        let range = self.range(&self.summaries, block);
        let terms = self.section(&self.terms);
        let terms = terms
            .get(4 * range.start..4 * range.end)
            .unwrap_or_default();
        let codes = self.section(&self.codes).get(range).unwrap_or_default();
        let sum: f32 = terms
            .chunks_exact(4)
            .zip(codes)
            .map(|(term, code)| query.of(u32_at(term, 0)) * f32::from(*code))
            .sum();
        let raised = self.mean.map_or(1.0, |(_, raised)| raised);
        sum * raised * f32_at(self.section(&self.scales), 4 * block)
    }

    /// The best `k` rows that `keep` lets through, best first, ties by row. Approximate: lists
    /// were pruned and blocks are left out by [`Effort`].
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
        let mut walked = query.clone();
        walked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        walked.truncate(effort.terms);
        let mut best = Best::new(k);
        let mut seen = vec![0_u64; self.rows().div_ceil(64) as usize];
        for (i, (term, _)) in walked.iter().enumerate() {
            cancel.check()?;
            let blocks = self.range(&self.lists, *term as usize);
            if blocks.end > self.scales.len() / 4 {
                continue;
            }
            let mut order: Vec<(f32, usize)> = blocks
                .map(|block| (self.summary_product(block, &weights), block))
                .collect();
            if i == 0 {
                // The bar is low at first: the most promising blocks raise it soonest.
                order.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            }
            for (promise, block) in order {
                if best.is_full() && promise < effort.factor * best.bar() {
                    continue;
                }
                let range = self.range(&self.blocks, block);
                let members = self.section(&self.members);
                let members = members
                    .get(4 * range.start..4 * range.end)
                    .unwrap_or_default();
                for member in members.chunks_exact(4) {
                    let row = u32_at(member, 0);
                    let (word, bit) = (row as usize / 64, 1 << (row % 64));
                    let Some(word) = seen.get_mut(word).filter(|word| **word & bit == 0) else {
                        continue;
                    };
                    *word |= bit;
                    if row < self.rows() && keep(row) {
                        best.offer(row, self.product(row, &weights));
                    }
                }
            }
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

/// A query's weights by term, for products with many vectors.
struct Weights(Vec<f32>);

impl Weights {
    /// Terms beyond this are looked for in no vector: encoders' vocabularies are far smaller.
    const MAX_TERM: u32 = 1 << 24;

    fn of_query(query: &SparseVector) -> Self {
        let known = || query.iter().filter(|(term, _)| *term < Self::MAX_TERM);
        let n = known().map(|(term, _)| *term as usize + 1).max();
        let mut weights = vec![0.0; n.unwrap_or(0)];
        for (term, weight) in known() {
            weights[*term as usize] = *weight;
        }
        Self(weights)
    }

    fn of(&self, term: u32) -> f32 {
        self.0.get(term as usize).copied().unwrap_or(0.0)
    }
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
