//! The best `k` passages of a query, ties broken by passage id.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use indago_core::{Cancel, PassageId};
use tantivy::collector::{Collector, SegmentCollector};
use tantivy::columnar::Column;
use tantivy::query::Weight;
use tantivy::{DocId, Score, SegmentOrdinal, SegmentReader};

use crate::filter::Allowed;

/// Collects up to `k` passages.
pub(super) struct BestPassages {
    pub(super) k: usize,
    pub(super) allowed: Option<Arc<Allowed>>,
    pub(super) cancel: Cancel,
}

/// Orders as `Hit::best_first` reversed: the greatest is the best.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scored {
    pub(super) score: Score,
    pub(super) id: PassageId,
}

impl Eq for Scored {}

impl PartialOrd for Scored {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Scored {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.score
            .total_cmp(&other.score)
            .then(other.id.cmp(&self.id))
    }
}

/// What one segment contributes.
pub(super) struct Best {
    k: usize,
    allowed: Option<Arc<Allowed>>,
    cancel: Cancel,
    high: Column,
    low: Column,
    /// The worst kept passage on top.
    heap: BinaryHeap<Reverse<Scored>>,
}

impl Best {
    /// Considers a passage and returns the score that the next one must exceed.
    fn offer(&mut self, doc: DocId, score: Score) -> Score {
        let half = |column: &Column, doc| column.first(doc).unwrap_or(0);
        let id = (u128::from(half(&self.high, doc)) << 64) | u128::from(half(&self.low, doc));
        let scored = Scored {
            score,
            id: PassageId(id.to_be_bytes()),
        };
        let full = self.heap.len() >= self.k;
        let better = !full || self.heap.peek().is_some_and(|worst| scored > worst.0);
        if better
            && self
                .allowed
                .as_ref()
                .is_none_or(|allowed| allowed.passage(scored.id))
        {
            if full {
                self.heap.pop();
            }
            self.heap.push(Reverse(scored));
        }
        self.threshold()
    }

    /// A passage of exactly the worst kept score may still win by its id, so the threshold lies
    /// just below it. Cancelled searches let nothing through.
    fn threshold(&self) -> Score {
        if self.cancel.is_cancelled() {
            return Score::INFINITY;
        }
        match self.heap.peek() {
            Some(worst) if self.heap.len() >= self.k => worst.0.score.next_down(),
            _ => Score::MIN,
        }
    }
}

impl Collector for BestPassages {
    type Fruit = Vec<Scored>;
    type Child = Best;

    fn for_segment(
        &self,
        _: SegmentOrdinal,
        segment: &SegmentReader,
    ) -> tantivy::Result<Self::Child> {
        let columns = segment.fast_fields();
        Ok(Best {
            k: self.k,
            allowed: self.allowed.clone(),
            cancel: self.cancel.clone(),
            high: columns.u64("id_high")?,
            low: columns.u64("id_low")?,
            heap: BinaryHeap::with_capacity(self.k.min(1 << 12) + 1),
        })
    }

    fn requires_scoring(&self) -> bool {
        true
    }

    fn merge_fruits(&self, fruits: Vec<Vec<Scored>>) -> tantivy::Result<Vec<Scored>> {
        let mut all = fruits.concat();
        all.sort_unstable_by(|a, b| b.cmp(a));
        all.truncate(self.k);
        Ok(all)
    }

    fn collect_segment(
        &self,
        weight: &dyn Weight,
        ordinal: u32,
        reader: &SegmentReader,
    ) -> tantivy::Result<Vec<Scored>> {
        let mut best = self.for_segment(ordinal, reader)?;
        if self.k > 0 {
            let alive = reader.alive_bitset();
            weight.for_each_pruning(best.threshold(), reader, &mut |doc, score| {
                if alive.is_none_or(|alive| alive.is_alive(doc)) {
                    best.offer(doc, score)
                } else {
                    best.threshold()
                }
            })?;
        }
        Ok(best.harvest())
    }
}

impl SegmentCollector for Best {
    type Fruit = Vec<Scored>;

    fn collect(&mut self, doc: DocId, score: Score) {
        self.offer(doc, score);
    }

    fn harvest(self) -> Vec<Scored> {
        self.heap
            .into_iter()
            .map(|Reverse(scored)| scored)
            .collect()
    }
}
