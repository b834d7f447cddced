//! What a reader sees in the passages that answers are looked for in.

use std::collections::BTreeMap;
use std::ops::Range;

use indago_core::PassageId;
use indago_core::ports::{Library, RetrieveError, SpanScores};

/// Odds beyond which it does not matter how large they are, as logarithms, and the unit that
/// features have them in.
const MOST: f64 = 20.0;
const UNIT: f64 = 10.0;

/// Where in each passage the answer may stand. Empty where nothing was read: without a reader, and
/// for questions that rules answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// With the best odds in each, as a feature.
    passages: BTreeMap<PassageId, (SpanScores, f64)>,
    best: f64,
}

impl Seen {
    /// Has the first `most` of `selected` read for `question`.
    pub(crate) async fn read(
        library: &dyn Library,
        question: &str,
        selected: &[PassageId],
        most: usize,
    ) -> Result<Self, RetrieveError> {
        let first = selected.iter().take(most).copied().collect();
        let passages = library.read_spans(question.to_owned(), first).await?;
        // Found once: hundreds of spans are compared with it.
        let passages: BTreeMap<PassageId, (SpanScores, f64)> = passages
            .into_iter()
            .map(|(id, scores)| {
                let best = best(&scores);
                (id, (scores, best))
            })
            .collect();
        let best = passages.values().map(|(_, best)| *best);
        Ok(Self {
            best: best.reduce(f64::max).unwrap_or(0.0),
            passages,
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.passages.is_empty()
    }

    pub(super) fn passage(&self, id: PassageId) -> Option<&SpanScores> {
        self.passages.get(&id).map(|(scores, _)| scores)
    }

    /// The odds of `range` of passage `id` against the answer's not being there, as a feature. What
    /// stands in no text (a title) is as likely as that.
    pub(crate) fn odds(&self, id: PassageId, range: &Range<usize>) -> f64 {
        let odds = self.passage(id).and_then(|p| p.log_odds(range));
        odds.map_or(0.0, feature)
    }

    /// The best odds in passage `id`.
    pub(super) fn best_of(&self, id: PassageId) -> f64 {
        self.passages.get(&id).map_or(0.0, |(_, best)| *best)
    }

    /// The best odds in any passage.
    pub(crate) fn best(&self) -> f64 {
        self.best
    }
}

fn best(scores: &SpanScores) -> f64 {
    let best = scores.best(1);
    best.first().map_or(0.0, |(_, odds)| feature(*odds))
}

fn feature(odds: f32) -> f64 {
    f64::from(odds).clamp(-MOST, MOST) / UNIT
}
