//! Makes one ranked list of several.
//!
//! Scores of different retrievers live on different scales, so plain fusion uses ranks only:
//! reciprocal rank fusion (Cormack, Clarke and Buettcher, SIGIR 2009) gives a hit at rank `r`
//! (from 1) `weight / (k + r)`.
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
    /// Best first.
    pub hits: Vec<Hit>,
}

/// How lists become one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FusionRule {
    /// Reciprocal rank fusion.
    ReciprocalRank {
        /// The larger, the less the first ranks stand out; 60 in the paper.
        k: f32,
    },
}

impl Default for FusionRule {
    fn default() -> Self {
        Self::ReciprocalRank { k: 60.0 }
    }
}

/// Fuses `lists`; best first, ties by passage id, with the rank and score of each list as why.
pub fn fuse(lists: &[RankedList], rule: &FusionRule) -> Vec<Hit> {
    let FusionRule::ReciprocalRank { k } = *rule;
    let mut fused: BTreeMap<PassageId, (f32, Vec<Provenance>)> = BTreeMap::new();
    for list in lists {
        for (i, hit) in list.hits.iter().enumerate() {
            let rank = i as u32 + 1;
            let entry = fused.entry(hit.passage).or_default();
            entry.0 += list.weight / (k + rank as f32);
            let why = Provenance { retriever: list.name.clone(), rank, score: hit.score };
            entry.1.push(why);
        }
    }
    let mut hits: Vec<Hit> = fused
        .into_iter()
        .filter(|(_, (score, _))| *score > 0.0)
        .map(|(passage, (score, why))| Hit { passage, score, why, duplicates: Vec::new() })
        .collect();
    hits.sort_by(Hit::best_first);
    hits
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
        RankedList { name: name.into(), weight, hits: hits.collect() }
    }

    fn order(hits: &[Hit]) -> Vec<u8> {
        hits.iter().map(|hit| hit.passage.0[0]).collect()
    }

    #[test]
    fn agreement_beats_a_single_first_place() {
        let lists = [list("a", 1.0, &[1, 2]), list("b", 1.0, &[3, 2])];
        let hits = fuse(&lists, &FusionRule::default());
        assert_eq!(order(&hits), [2, 1, 3]);
        assert_eq!(hits[0].why.len(), 2);
        assert_eq!((hits[0].why[0].rank, hits[0].why[0].retriever.as_str()), (2, "a"));
        assert_eq!(hits[0].score, 2.0 / 62.0);
    }

    #[test]
    fn a_list_without_weight_only_explains() {
        let lists = [list("a", 1.0, &[1, 2]), list("b", 0.0, &[2, 3])];
        let hits = fuse(&lists, &FusionRule::default());
        assert_eq!(order(&hits), [1, 2]);
        assert_eq!(hits[1].why.len(), 2);
    }

    proptest! {
        #[test]
        fn one_list_keeps_its_order_and_lists_commute(
            a in prop::sample::subsequence((0u8..40).collect::<Vec<_>>(), 0..20),
            b in prop::sample::subsequence((0u8..40).rev().collect::<Vec<_>>(), 0..20),
        ) {
            let alone = fuse(&[list("a", 1.0, &a)], &FusionRule::default());
            prop_assert_eq!(order(&alone), a.clone());
            let ab = fuse(&[list("a", 1.0, &a), list("b", 1.0, &b)], &FusionRule::default());
            let ba = fuse(&[list("b", 1.0, &b), list("a", 1.0, &a)], &FusionRule::default());
            prop_assert_eq!(order(&ab), order(&ba));
        }
    }
}
