//! The best `k` passages of a query, ties broken by passage id.

use std::cmp::Ordering;

use indago_core::PassageId;
use tantivy::DocId;
use tantivy::columnar::Column;

use crate::filter::Allowed;

/// Where a segment keeps the ids of its passages, as two halves.
pub(super) struct Ids {
    pub(super) high: Column,
    pub(super) low: Column,
}

impl Ids {
    pub(super) fn get(&self, doc: DocId) -> PassageId {
        let half = |column: &Column| u128::from(column.first(doc).unwrap_or(0));
        PassageId(((half(&self.high) << 64) | half(&self.low)).to_be_bytes())
    }
}

/// A passage that may be among the best.
#[derive(Clone, Copy)]
struct Candidate {
    score: f32,
    segment: u32,
    doc: DocId,
}

/// Keeps the best `k`. Reads the ids of few passages: of those that are filtered, of those that
/// tie, and of those that are left at the end.
pub(super) struct Best<'a> {
    k: usize,
    ids: &'a [Ids],
    allowed: Option<&'a Allowed>,
    /// Unordered; all reach `bar`.
    kept: Vec<Candidate>,
    room: usize,
    bar: f32,
}

impl<'a> Best<'a> {
    /// `k` is at least 1.
    pub(super) fn new(k: usize, ids: &'a [Ids], allowed: Option<&'a Allowed>) -> Self {
        Self {
            k,
            ids,
            allowed,
            kept: Vec::new(),
            room: k.saturating_mul(2).max(k.saturating_add(64)),
            bar: 0.0,
        }
    }

    /// The score that a passage must reach.
    pub(super) fn bar(&self) -> f32 {
        self.bar
    }

    /// Considers a passage that reaches the bar; returns the bar for the next.
    pub(super) fn offer(&mut self, segment: u32, doc: DocId, score: f32) -> f32 {
        let passes = |allowed: &Allowed| {
            let ids = self.ids.get(segment as usize);
            ids.is_some_and(|ids| allowed.passage(ids.get(doc)))
        };
        if self.allowed.is_none_or(passes) {
            self.kept.push(Candidate {
                score,
                segment,
                doc,
            });
            if self.kept.len() >= self.room {
                self.shrink();
            }
        }
        self.bar
    }

    /// Drops what cannot be among the best `k` any more.
    fn shrink(&mut self) {
        if self.kept.len() <= self.k {
            return;
        }
        let by_score = |a: &Candidate, b: &Candidate| b.score.total_cmp(&a.score);
        let (_, worst, _) = self.kept.select_nth_unstable_by(self.k - 1, by_score);
        self.bar = worst.score;
        self.kept.retain(|candidate| candidate.score >= self.bar);
        if self.kept.len() > self.k + (self.room - self.k) / 2 {
            // Many tie for the last places: their ids decide.
            let mut kept = self.with_ids();
            kept.sort_unstable_by(order);
            kept.truncate(self.k);
            self.kept = kept.into_iter().map(|(_, candidate)| candidate).collect();
        }
    }

    fn with_ids(&self) -> Vec<(PassageId, Candidate)> {
        let id = |candidate: &Candidate| {
            let ids = self.ids.get(candidate.segment as usize)?;
            Some((ids.get(candidate.doc), *candidate))
        };
        self.kept.iter().filter_map(id).collect()
    }

    /// The best, best first.
    pub(super) fn finish(mut self) -> Vec<(PassageId, f32)> {
        self.shrink();
        let mut kept = self.with_ids();
        kept.sort_unstable_by(order);
        kept.truncate(self.k);
        kept.into_iter()
            .map(|(id, candidate)| (id, candidate.score))
            .collect()
    }
}

/// Best first.
fn order(a: &(PassageId, Candidate), b: &(PassageId, Candidate)) -> Ordering {
    b.1.score.total_cmp(&a.1.score).then(a.0.cmp(&b.0))
}
