//! Makes one ranked list of several.
//!
//! Two rules. *Convex combination* (the default) brings every list's scores to 0..=1 by its
//! theoretical minimum and its observed maximum and adds them up by weight (Bruch, Gai and Ingber,
//! "An Analysis of Fusion Functions for Hybrid Retrieval", TOIS 2023). It decides per query how far
//! each list is to be trusted: a list whose scores hardly differ hardly reorders anything, and a
//! list whose best score is that of a stranger ([`ScoreScale::silent`]) has next to no say.
//! *Reciprocal rank fusion* (Cormack, Clarke and Buettcher, SIGIR 2009) sees ranks only, so a list
//! that knows nothing about a query weighs as much as one that knows everything.
//!
//! A pure function of its lists. It never looks at texts and never scores again.

use std::collections::BTreeMap;

use indago_core::{Hit, PassageId, Provenance};

/// What one retriever found.
#[derive(Clone, Debug)]
pub struct RankedList {
    /// The retriever's name.
    pub name: String,
    /// Its say, relative to the other lists. A list of weight 0 adds no score and no passages,
    /// but its ranks stay visible in [`Hit::why`].
    pub weight: f32,
    /// What its scores mean.
    pub scale: ScoreScale,
    /// Whether it was cut at the depth that was asked for, so that passages it lacks may still
    /// score up to its last hit.
    pub cut: bool,
    /// Best first.
    pub hits: Vec<Hit>,
}

/// Say that a list keeps whose best score is at [`ScoreScale::silent`]: enough to order the
/// passages that no other list has, too little to reorder the rest.
const WHISPER: f32 = 0.02;

/// The scale of a retriever's scores.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScoreScale {
    /// The least a score can be: 0 for BM25, -1 for a cosine.
    pub floor: f32,
    /// What a passage scores that has nothing to do with the query, or that the retriever does not
    /// hold: 0 for both.
    pub unrelated: f32,
    /// A best score at which the list has recognised nothing; its say is then next to none.
    pub silent: f32,
    /// A best score from which the list has its full say; in between it grows evenly.
    pub sure: f32,
}

impl ScoreScale {
    /// Sums of non-negative term weights.
    pub const TERM_WEIGHTS: Self = Self {
        floor: 0.0,
        unrelated: 0.0,
        silent: 0.0,
        sure: 0.0,
    };
    /// Cosines of sentence encoders. Nine of ten questions that a corpus can answer have a best
    /// cosine above 0.45; where nothing is near, the encoder does not know the words (ADR 0007).
    pub const COSINE: Self = Self {
        floor: -1.0,
        unrelated: 0.0,
        silent: 0.35,
        sure: 0.5,
    };
}

/// How lists become one.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum FusionRule {
    /// Weighted sum of scores, each brought to 0..=1 by its floor and the list's best.
    #[default]
    Convex,
    /// Reciprocal rank fusion.
    ReciprocalRank {
        /// The larger, the less the first ranks stand out; 60 in the paper.
        k: f32,
    },
}

/// Fuses `lists`; best first, ties by passage id, with the rank and score of each list as why.
pub fn fuse(lists: &[RankedList], rule: &FusionRule) -> Vec<Hit> {
    let mut fused: BTreeMap<PassageId, (f32, Vec<Provenance>)> = BTreeMap::new();
    for list in lists {
        let value = Value::of(list, *rule);
        for (i, hit) in list.hits.iter().enumerate() {
            let rank = i as u32 + 1;
            let entry = fused.entry(hit.passage).or_default();
            // Relative to a passage the list lacks, so that lists may be added one by one.
            entry.0 += value.say * (value.present(hit.score, rank) - value.missing);
            let why = Provenance {
                retriever: list.name.clone(),
                rank,
                score: hit.score,
            };
            entry.1.push(why);
        }
    }
    let everywhere: f32 = lists
        .iter()
        .map(|list| Value::of(list, *rule))
        .map(|value| value.say * value.missing)
        .sum();
    let weight = |name: &str| {
        lists
            .iter()
            .any(|list| list.name == name && list.weight > 0.0)
    };
    let mut hits: Vec<Hit> = fused
        .into_iter()
        .filter(|(_, (_, why))| why.iter().any(|why| weight(&why.retriever)))
        .map(|(passage, (score, why))| Hit {
            passage,
            score: score + everywhere,
            why,
            duplicates: Vec::new(),
        })
        .collect();
    hits.sort_by(Hit::best_first);
    hits
}

/// What a place in one list is worth.
struct Value {
    rule: FusionRule,
    /// The list's weight, less where its best score says that it recognised nothing.
    say: f32,
    floor: f32,
    range: f32,
    /// The worth of a passage that the list lacks.
    missing: f32,
}

impl Value {
    fn of(list: &RankedList, rule: FusionRule) -> Self {
        let ScoreScale {
            floor,
            unrelated,
            silent,
            sure,
        } = list.scale;
        let best = list.hits.first().map_or(floor, |hit| hit.score);
        let trust = match rule {
            FusionRule::Convex if best < sure => {
                ((best - silent) / (sure - silent)).clamp(WHISPER, 1.0)
            }
            FusionRule::Convex | FusionRule::ReciprocalRank { .. } => 1.0,
        };
        let mut value = Self {
            rule,
            say: list.weight * trust,
            floor,
            range: best - floor,
            missing: 0.0,
        };
        if rule == FusionRule::Convex && !list.hits.is_empty() {
            let last = list.hits.last().map_or(floor, |hit| hit.score);
            let score = if list.cut { last } else { unrelated.min(last) };
            value.missing = value.present(score, 0);
        }
        value
    }

    fn present(&self, score: f32, rank: u32) -> f32 {
        match self.rule {
            FusionRule::ReciprocalRank { k } => 1.0 / (k + rank as f32),
            // All scores at the floor say nothing: half, as for any list without spread.
            FusionRule::Convex if self.range <= 0.0 => 0.5,
            FusionRule::Convex => (score - self.floor) / self.range,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn list(name: &str, weight: f32, ids: &[u8]) -> RankedList {
        let hits = ids.iter().enumerate().map(|(i, id)| Hit {
            passage: PassageId([*id; 16]),
            score: 1.0 / (i + 1) as f32,
            why: Vec::new(),
            duplicates: Vec::new(),
        });
        RankedList {
            name: name.into(),
            weight,
            scale: ScoreScale::TERM_WEIGHTS,
            cut: false,
            hits: hits.collect(),
        }
    }

    const RANKS: FusionRule = FusionRule::ReciprocalRank { k: 60.0 };

    fn scored(name: &str, scale: ScoreScale, hits: &[(u8, f32)]) -> RankedList {
        let hits = hits.iter().map(|&(id, score)| Hit {
            passage: PassageId([id; 16]),
            score,
            why: Vec::new(),
            duplicates: Vec::new(),
        });
        RankedList {
            name: name.into(),
            weight: 0.5,
            scale,
            cut: false,
            hits: hits.collect(),
        }
    }

    #[test]
    fn a_list_that_hardly_tells_passages_apart_hardly_reorders_them() {
        // The lexical list knows exactly two passages; cosines of all are nearly alike.
        let lexical = scored("bm25", ScoreScale::TERM_WEIGHTS, &[(1, 9.0), (2, 8.0)]);
        let cosines = [
            (3, 0.32),
            (4, 0.31),
            (2, 0.30),
            (5, 0.29),
            (6, 0.285),
            (1, 0.28),
        ];
        let dense = scored("dense", ScoreScale::COSINE, &cosines);
        let lists = [lexical, dense];
        assert_eq!(order(&fuse(&lists, &FusionRule::Convex))[..2], [1, 2]);
        assert_eq!(order(&fuse(&lists, &RANKS))[..2], [2, 1]);
    }

    #[test]
    fn a_list_that_recognises_nothing_orders_only_what_others_lack() {
        let lexical = scored("bm25", ScoreScale::TERM_WEIGHTS, &[(1, 4.0), (2, 3.9)]);
        let dense = scored(
            "dense",
            ScoreScale::COSINE,
            &[(4, 0.3), (3, 0.2), (2, 0.19), (1, 0.1)],
        );
        assert_eq!(
            order(&fuse(&[lexical, dense], &FusionRule::Convex)),
            [1, 2, 4, 3]
        );
    }

    #[test]
    fn convex_scores_follow_the_definition() {
        let lexical = scored("bm25", ScoreScale::TERM_WEIGHTS, &[(1, 4.0), (2, 1.0)]);
        let dense = scored("dense", ScoreScale::COSINE, &[(2, 0.5), (3, 0.2)]);
        let hits = fuse(&[lexical, dense], &FusionRule::Convex);
        let score = |id: u8| {
            hits.iter()
                .find(|hit| hit.passage.0[0] == id)
                .unwrap()
                .score
        };
        let close = |a: f32, b: f32| assert!((a - b).abs() < 1e-6, "{a} {b}");
        close(score(1), 0.5 * 1.0 + 0.5 * (1.0 / 1.5)); // no cosine: as unrelated
        close(score(2), 0.5 * 0.25 + 0.5 * 1.0);
        close(score(3), 0.5 * 0.0 + 0.5 * (1.2 / 1.5));
    }

    fn order(hits: &[Hit]) -> Vec<u8> {
        hits.iter().map(|hit| hit.passage.0[0]).collect()
    }

    #[test]
    fn agreement_beats_a_single_first_place() {
        let lists = [list("a", 1.0, &[1, 2]), list("b", 1.0, &[3, 2])];
        let hits = fuse(&lists, &RANKS);
        assert_eq!(order(&hits), [2, 1, 3]);
        assert_eq!(hits[0].why.len(), 2);
        assert_eq!(
            (hits[0].why[0].rank, hits[0].why[0].retriever.as_str()),
            (2, "a")
        );
        assert_eq!(hits[0].score, 2.0 / 62.0);
    }

    #[test]
    fn a_list_without_weight_only_explains() {
        let lists = [list("a", 1.0, &[1, 2]), list("b", 0.0, &[2, 3])];
        for rule in [FusionRule::Convex, RANKS] {
            let hits = fuse(&lists, &rule);
            assert_eq!(order(&hits), [1, 2]);
            assert_eq!(hits[1].why.len(), 2);
        }
    }

    proptest! {
        #[test]
        fn one_list_keeps_its_order_and_lists_commute(
            a in prop::sample::subsequence((0u8..40).collect::<Vec<_>>(), 0..20),
            b in prop::sample::subsequence((0u8..40).rev().collect::<Vec<_>>(), 0..20),
        ) {
            for rule in [FusionRule::Convex, RANKS] {
                let alone = fuse(&[list("a", 1.0, &a)], &rule);
                prop_assert_eq!(order(&alone), a.clone());
                let ab = fuse(&[list("a", 1.0, &a), list("b", 1.0, &b)], &rule);
                let ba = fuse(&[list("b", 1.0, &b), list("a", 1.0, &a)], &rule);
                prop_assert_eq!(order(&ab), order(&ba));
            }
        }
    }
}
