//! BM25 over one segment's postings: weights added up term by term in windows of documents.
//!
//! A window's sums stay in the second cache and need no order among the terms, which is what makes
//! this several times faster than walking the postings of a long question document by document.
//! Terms come with the heaviest first. A term's weight bounds what it can add to a passage, so once
//! the weights of the last terms together stay below the worst kept score, their postings are only
//! looked up for passages that the terms before them have brought near it (MaxScore: Turtle and
//! Flood 1995, "Query evaluation: strategies and optimizations", section 4.2).
//!
//! Scores do not depend on windows, pruning or segments: a passage's terms are added in one order.

use std::sync::Arc;

use indago_core::{Cancel, Cancelled};
use tantivy::DocId;
use tantivy::fieldnorm::FieldNormReader;
use tantivy::postings::BlockSegmentPostings;

const K1: f32 = 1.2;
const B: f32 = 0.75;

/// Passages per window: 64 KB of sums.
const WINDOW: usize = 1 << 14;
/// Term frequencies whose share of a weight is looked up instead of divided.
const TABLE: usize = 8;
/// Candidates are looked up one by one when that many postings would have to be read for each.
const POSTINGS_PER_SEEK: usize = 12;
/// Above the rounding of a sum of [`super::MAX_QUERY_TERMS`] weights.
const SLACK: f32 = 1.0 + 1e-4;

/// `ln(1 + (N - n + 0.5) / (n + 0.5))`, always above zero.
pub(super) fn idf(frequency: u64, n_passages: u64) -> f32 {
    let (n, all) = (frequency as f64, n_passages.max(frequency) as f64);
    ((all - n + 0.5) / (n + 0.5)).ln_1p() as f32
}

/// What an occurrence of a term counts at each length of a passage: `tf / (tf + norm)`.
#[derive(Debug)]
pub(super) struct Saturation {
    /// `k1 * (1 - b + b * length / mean)` by tantivy's code of the length.
    norms: [f32; 256],
    /// The quotient for frequencies up to [`TABLE`].
    shares: Vec<[f32; 256]>,
}

/// What an occurrence in a field counts at each length of the field: `weight / norm`, to be added
/// up before it saturates.
#[derive(Clone, Debug)]
pub(super) struct FieldGain([f32; 256]);

impl FieldGain {
    pub(super) fn new(weight: f32, mean_length: f32) -> Self {
        Self(norms(mean_length).map(|norm| weight / norm))
    }
}

/// `k1 * (1 - b + b * length / mean)` by tantivy's code of the length.
fn norms(mean_length: f32) -> [f32; 256] {
    std::array::from_fn(|code| {
        let length = FieldNormReader::id_to_fieldnorm(code as u8) as f32;
        K1 * (1.0 - B + B * length / mean_length)
    })
}

impl Saturation {
    pub(super) fn new(mean_length: f32) -> Self {
        let norms = norms(mean_length);
        let share = |tf: usize| norms.map(|norm| tf as f32 / (tf as f32 + norm));
        Self {
            norms,
            shares: (0..=TABLE).map(share).collect(),
        }
    }

    /// The same with what the term counts in fields added before it saturates.
    #[inline]
    fn share_with(
        &self,
        frequency: u32,
        length_code: u8,
        fields: &mut [FieldPostings],
        doc: DocId,
    ) -> f32 {
        if fields.is_empty() {
            return self.share(frequency, length_code);
        }
        let worth: f32 = fields.iter_mut().map(|field| field.worth(doc)).sum();
        let x = frequency as f32 / self.norms[usize::from(length_code)] + worth;
        x / (x + 1.0)
    }

    #[inline]
    fn share(&self, frequency: u32, length_code: u8) -> f32 {
        match self.shares.get(frequency as usize) {
            Some(shares) => shares[usize::from(length_code)],
            None => frequency as f32 / (frequency as f32 + self.norms[usize::from(length_code)]),
        }
    }
}

/// Where one list is being read, front to back.
struct Cursor {
    block: BlockSegmentPostings,
    /// Position within the block.
    at: usize,
}

impl Cursor {
    fn new(block: BlockSegmentPostings) -> Self {
        Self { block, at: 0 }
    }

    /// Moves to the first posting at or behind `doc`; whether there is one.
    fn seek(&mut self, doc: DocId) -> bool {
        match self.block.docs().last() {
            None => return false,
            Some(&last) if last < doc => self.at = self.block.seek(doc),
            Some(_) => {
                let rest = self.block.docs().get(self.at..).unwrap_or_default();
                self.at += rest.partition_point(|&other| other < doc);
            }
        }
        self.at < self.block.docs().len()
    }

    /// How often `doc`, which never descends, has the term.
    fn frequency(&mut self, doc: DocId) -> Option<u32> {
        let there = self.seek(doc) && self.block.doc(self.at) == doc;
        there.then(|| self.block.freq(self.at))
    }
}

/// A term's postings in a field that counts on top of the passage.
pub(super) struct FieldPostings {
    postings: Cursor,
    lengths: FieldNormReader,
    gain: Arc<FieldGain>,
}

impl FieldPostings {
    pub(super) fn new(
        block: BlockSegmentPostings,
        lengths: FieldNormReader,
        gain: Arc<FieldGain>,
    ) -> Self {
        Self {
            postings: Cursor::new(block),
            lengths,
            gain,
        }
    }

    fn worth(&mut self, doc: DocId) -> f32 {
        let frequency = self.postings.frequency(doc);
        let gain = self.gain.0[usize::from(self.lengths.fieldnorm_id(doc))];
        frequency.map_or(0.0, |frequency| frequency as f32 * gain)
    }
}

/// A term's postings in a segment.
pub(super) struct Postings {
    whole: Cursor,
    weight: f32,
    fields: Vec<FieldPostings>,
}

impl Postings {
    /// `boost`: idf times how often the query has the term.
    pub(super) fn new(block: BlockSegmentPostings, boost: f32, fields: Vec<FieldPostings>) -> Self {
        Self {
            whole: Cursor::new(block),
            weight: boost * (K1 + 1.0),
            fields,
        }
    }

    /// Bound of what the term adds to any passage.
    pub(super) fn weight(&self) -> f32 {
        self.weight
    }

    /// Adds to `sums` what the term is worth in the passages from `first` on.
    fn add_all(
        &mut self,
        first: DocId,
        lengths: &FieldNormReader,
        saturation: &Saturation,
        sums: &mut [f32],
    ) {
        if !self.whole.seek(first) {
            return;
        }
        let end = first + sums.len() as DocId;
        loop {
            let docs = self.whole.block.docs();
            let docs = docs.get(self.whole.at..).unwrap_or_default();
            let Some(&last) = docs.last() else { return };
            let whole = last < end;
            let n = if whole {
                docs.len()
            } else {
                docs.partition_point(|&doc| doc < end)
            };
            let frequencies = self.whole.block.freqs();
            let frequencies = frequencies.get(self.whole.at..).unwrap_or_default();
            for (&doc, &frequency) in docs[..n].iter().zip(frequencies) {
                let code = lengths.fieldnorm_id(doc);
                let share = saturation.share_with(frequency, code, &mut self.fields, doc);
                if let Some(sum) = sums.get_mut((doc - first) as usize) {
                    *sum += self.weight * share;
                }
            }
            if !whole {
                self.whole.at += n;
                return;
            }
            self.whole.block.advance();
            self.whole.at = 0;
        }
    }

    /// Adds what the term is worth in one passage.
    fn add_one(
        &mut self,
        doc: DocId,
        lengths: &FieldNormReader,
        saturation: &Saturation,
        sum: &mut f32,
    ) {
        if let Some(frequency) = self.whole.frequency(doc) {
            let code = lengths.fieldnorm_id(doc);
            *sum += self.weight * saturation.share_with(frequency, code, &mut self.fields, doc);
        }
    }
}

/// Scores every passage that may reach the best: calls `offer` with its number and score, and gets
/// back the score below which passages are of no interest.
///
/// `terms` have the greatest weight first. `bar` is that score so far.
pub(super) fn score_segment(
    n_docs: DocId,
    lengths: &FieldNormReader,
    saturation: &Saturation,
    terms: &mut [Postings],
    mut bar: f32,
    cancel: &Cancel,
    mut offer: impl FnMut(DocId, f32) -> f32,
) -> Result<(), Cancelled> {
    // `rest[i]`: what the terms from `i` on can add together.
    let mut rest = vec![0.0; terms.len() + 1];
    for (i, term) in terms.iter().enumerate().rev() {
        rest[i] = rest[i + 1] + term.weight() * SLACK;
    }
    let mut sums = vec![0.0_f32; WINDOW.min(n_docs as usize)];
    let mut near: Vec<DocId> = Vec::new();
    for first in (0..n_docs).step_by(WINDOW) {
        cancel.check()?;
        let len = WINDOW.min((n_docs - first) as usize);
        let sums = &mut sums[..len];
        // A passage needs one of the terms before `split`.
        let split = rest.partition_point(|rest| *rest >= bar).min(terms.len());
        if split == 0 {
            return Ok(());
        }
        let (heavy, light) = terms.split_at_mut(split);
        for term in heavy {
            term.add_all(first, lengths, saturation, sums);
        }
        if light.is_empty() {
            each_from(sums, bar, |i, score| {
                if score >= bar {
                    bar = offer(first + i as DocId, score);
                }
            });
        } else {
            near.clear();
            each_from(sums, bar - rest[split], |i, _| {
                near.push(first + i as DocId);
            });
            for (j, term) in light.iter_mut().enumerate() {
                let postings = term.whole.block.doc_freq() as usize * len / n_docs as usize;
                if near.len() * POSTINGS_PER_SEEK < postings {
                    for &doc in &near {
                        let sum = &mut sums[(doc - first) as usize];
                        term.add_one(doc, lengths, saturation, sum);
                    }
                } else {
                    // Also raises sums that nobody will look at.
                    term.add_all(first, lengths, saturation, sums);
                }
                let still_to_come = rest[split + j + 1];
                near.retain(|&doc| sums[(doc - first) as usize] + still_to_come >= bar);
            }
            for &doc in &near {
                let score = sums[(doc - first) as usize];
                if score >= bar {
                    bar = offer(doc, score);
                }
            }
        }
        sums.fill(0.0);
    }
    Ok(())
}

/// Calls `found` for each sum above zero that is at least `bar`.
fn each_from(sums: &[f32], bar: f32, mut found: impl FnMut(usize, f32)) {
    let bar = bar.max(f32::MIN_POSITIVE);
    let (chunks, _) = sums.as_chunks::<16>();
    for (c, chunk) in chunks.iter().enumerate() {
        // Counted without a branch, which becomes a few vector comparisons.
        let n: u32 = chunk.iter().map(|sum| u32::from(*sum >= bar)).sum();
        if n > 0 {
            for (i, &sum) in chunk.iter().enumerate() {
                if sum >= bar {
                    found(16 * c + i, sum);
                }
            }
        }
    }
    let start = chunks.len() * 16;
    for (i, &sum) in sums[start..].iter().enumerate() {
        if sum >= bar {
            found(start + i, sum);
        }
    }
}
