//! Places among the first hits for what is nearest in meaning.
//!
//! A judgement that weighs many things can push far down what one of them is sure of. Words, names
//! and links agree with each other more often than with the encoder, so it is the encoder's first
//! passages that are lost: the question has no word in common with them and nothing leads there.

use indago_core::Hit;

use crate::fuse::ScoreScale;

/// The hits that a reader sees first, and that measures at the cut-off of ten count.
const FIRST: usize = 10;
/// The nearest passages that have a place among them (0025, "places for the nearest").
const NEAREST: u32 = 2;

/// Raises the scores of the [`NEAREST`] of `list` in [`Hit::why`], a list of cosines, until they are
/// among the [`FIRST`] of `hits`; `scale` says what they mean. Other hits keep their scores, and all are sorted again.
///
/// Nothing happens where the list recognised nothing ([`ScoreScale::silent`]).
pub(crate) fn keep_nearest(hits: &mut [Hit], list: &str, scale: ScoreScale) {
    let cosine = |hit: &Hit, rank: u32| {
        let why = hit.why.iter().find(|why| why.retriever == list);
        why.filter(|why| why.rank <= rank).map(|why| why.score)
    };
    let best = hits.iter().find_map(|hit| cosine(hit, 1));
    if best.is_none_or(|best| best <= scale.silent) {
        return;
    }
    let is_near = |hit: &Hit| cosine(hit, NEAREST).is_some();
    let places = FIRST.saturating_sub(hits.iter().filter(|hit| is_near(hit)).count());
    let Some(displaced) = hits.iter().filter(|hit| !is_near(hit)).nth(places) else {
        return;
    };
    let least = displaced.score.next_up();
    for hit in hits.iter_mut().filter(|hit| is_near(hit)) {
        hit.score = hit.score.max(least);
    }
    hits.sort_by(Hit::best_first);
}

#[cfg(test)]
mod tests {
    use indago_core::{PassageId, Provenance};
    use proptest::prelude::*;

    use super::*;

    /// Hits in order of their scores; `ranks` are their places in the list of cosines.
    fn hits(scores: &[f32], ranks: &[(usize, u32)], best: f32) -> Vec<Hit> {
        let mut hits: Vec<Hit> = scores
            .iter()
            .enumerate()
            .map(|(i, &score)| Hit {
                passage: PassageId([i as u8; 16]),
                score,
                why: Vec::new(),
                duplicates: Vec::new(),
            })
            .collect();
        for &(i, rank) in ranks {
            hits[i].why.push(Provenance {
                retriever: "dense".into(),
                rank,
                score: best - 0.01 * (rank - 1) as f32,
            });
        }
        hits.sort_by(Hit::best_first);
        hits
    }

    fn order(hits: &[Hit]) -> Vec<u8> {
        hits.iter().map(|hit| hit.passage.0[0]).collect()
    }

    fn falling(n: usize) -> Vec<f32> {
        (0..n).map(|i| 0.9 - 0.05 * i as f32).collect()
    }

    #[test]
    fn the_two_nearest_take_the_last_places() {
        let mut found = hits(&falling(16), &[(15, 1), (12, 2), (11, 3)], 0.6);
        keep_nearest(&mut found, "dense", ScoreScale::COSINE);
        let want = [0, 1, 2, 3, 4, 5, 6, 7, 12, 15, 8, 9, 10, 11, 13, 14];
        assert_eq!(order(&found), want);
        assert!(found.is_sorted_by(|a, b| a.score >= b.score));
    }

    #[test]
    fn one_at_the_edge_is_not_pushed_out_by_the_other() {
        let mut found = hits(&falling(14), &[(13, 1), (9, 2)], 0.6);
        keep_nearest(&mut found, "dense", ScoreScale::COSINE);
        assert_eq!(order(&found)[..8], [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(order(&found)[8..10], [9, 13]);
    }

    #[test]
    fn a_list_that_recognised_nothing_keeps_no_places() {
        for best in [0.35, 0.1] {
            let mut found = hits(&falling(14), &[(13, 1), (12, 2)], best);
            let before = found.clone();
            keep_nearest(&mut found, "dense", ScoreScale::COSINE);
            assert_eq!(found, before);
        }
    }

    proptest! {
        #[test]
        fn the_nearest_are_among_the_first_and_others_keep_their_order(
            // Few different scores, so that many are equal.
            mut scores in prop::collection::vec((0u8..6).prop_map(|s| f32::from(s) / 5.0), 0..40),
            places in prop::sample::subsequence((0usize..40).collect::<Vec<_>>(), 2),
        ) {
            scores.sort_by(|a, b| b.total_cmp(a));
            let ranks: Vec<(usize, u32)> = (1u32..)
                .zip(places)
                .map(|(rank, place)| (place, rank))
                .filter(|&(place, _)| place < scores.len())
                .collect();
            let before = hits(&scores, &ranks, 0.8);
            let mut after = before.clone();
            keep_nearest(&mut after, "dense", ScoreScale::COSINE);
            let near = |id: &u8| ranks.iter().any(|(place, _)| *place == usize::from(*id));
            if ranks.iter().any(|(_, rank)| *rank == 1) {
                let first = &order(&after)[..after.len().min(FIRST)];
                prop_assert_eq!(first.iter().filter(|id| near(id)).count(), ranks.len());
            }
            let others = |hits: &[Hit]| -> Vec<(u8, f32)> {
                let others = hits.iter().filter(|hit| hit.why.is_empty());
                others.map(|hit| (hit.passage.0[0], hit.score)).collect()
            };
            prop_assert_eq!(others(&after), others(&before));
            prop_assert!(after.is_sorted_by(|a, b| a.best_first(b).is_le()));
        }
    }
}
