//! How probable it is that the answer needs a passage: logistic regression over what speaks for it.
//!
//! The coefficients are fitted on the development halves of the evaluation sets by
//! `agents/calibration/fit.py`; one set of coefficients serves every corpus.

use indago_core::PassageId;

use crate::asked::Asked;
use crate::pool::{Candidate, Pool};
use crate::weights;

/// What a passage is judged by, in the order of the coefficients.
pub const FEATURES: [&str; 20] = [
    "lexical score over the best lexical score",
    "dense score",
    "dense score minus the best dense score",
    "reciprocal rank fusion",
    "log of the fused rank",
    "share of the question's terms",
    "weight of a name of the question it is about",
    "one over the passages about that name",
    "best link into it",
    "any link into it",
    "share of the question that is new over the linking passage",
    "share of the open terms that it has",
    "share of the question in the linking sentence",
    "linked from the beginning of a passage",
    "linked by a name of the question",
    "links back to a probable passage",
    "probability in the round before",
    "best follow-up query that found it",
    "one over its rank for that query",
    "log of the rank in the list of the library's own retriever",
];

/// Values of [`FEATURES`].
pub(crate) type Features = [f64; FEATURES.len()];

/// What the whole first round looks like: the scales that features are relative to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Scales {
    /// Best lexical score.
    pub(crate) lexical: f64,
    /// Best dense score.
    pub(crate) dense: f64,
    /// Dense score given to passages that the dense list does not hold.
    pub(crate) dense_floor: f64,
    /// Rank given to passages that no list holds.
    pub(crate) depth: f64,
}

/// Dense score of a candidate, and its distance from the best, where there are no vectors: what is
/// typical of candidates that have one, so that its absence speaks neither for nor against.
const TYPICAL_DENSE: f64 = 0.35;
const TYPICAL_GAP: f64 = -0.25;

/// Features of one candidate. `round` counts from 0; links count from round 1 on.
pub(crate) fn features(
    asked: &Asked,
    pool: &Pool,
    scales: &Scales,
    candidate: &Candidate,
    back: f64,
    round: usize,
) -> Features {
    let lexical = candidate.lexical.map_or(0.0, |r| r.score);
    let (dense, gap) = match candidate.dense {
        _ if scales.dense <= 0.0 => (TYPICAL_DENSE, TYPICAL_GAP),
        Some(ranked) => (ranked.score, ranked.score - scales.dense),
        None => (scales.dense_floor, scales.dense_floor - scales.dense),
    };
    let fused = candidate.fused.map_or(0.0, |r| r.score);
    let rank = candidate.fused.map_or(scales.depth, |r| f64::from(r.rank));
    let (named, named_share) = candidate.named.unwrap_or((0.0, 0.0));
    let mut values: Features = [0.0; FEATURES.len()];
    values[0] = if scales.lexical > 0.0 {
        lexical / scales.lexical
    } else {
        0.0
    };
    values[1] = dense;
    values[2] = gap;
    values[3] = fused * 30.0;
    values[4] = -(1.0 + rank).ln();
    values[5] = asked.share(candidate.terms);
    values[6] = named;
    values[7] = named_share;
    let rank = candidate.own.map_or(scales.depth, |r| f64::from(r.rank));
    values[19] = -(1.0 + rank).ln();
    if round == 0 {
        return values;
    }
    let p = |id: PassageId| pool.get(id).map_or(0.0, |c| c.p);
    let mut none = 1.0;
    let mut best: Option<(f64, &crate::pool::Lead)> = None;
    for lead in &candidate.leads {
        let value = p(lead.from) * lead.strength;
        none *= 1.0 - value.min(0.95);
        if best.is_none_or(|(b, _)| value > b) {
            best = Some((value, lead));
        }
    }
    if let Some((value, lead)) = best {
        values[8] = value;
        values[9] = 1.0 - none;
        let open = asked.all() & !pool.get(lead.from).map_or(0, |c| c.terms);
        let new = open & candidate.terms;
        values[10] = asked.share(new);
        values[11] = if open == 0 {
            0.0
        } else {
            asked.weight(new) / asked.weight(open).max(1e-9)
        };
        values[12] = lead.sentence;
        values[13] = f64::from(u8::from(lead.at < 150));
        values[14] = f64::from(u8::from(lead.asked));
    }
    values[15] = back;
    values[16] = candidate.p;
    let follow_up = candidate
        .follow_ups
        .iter()
        .map(|f| (p(f.from) * (0.2 + f.open), f))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    if let Some((value, follow_up)) = follow_up {
        values[17] = value;
        values[18] = 1.0 / (1.0 + f64::from(follow_up.rank));
    }
    values
}

/// Gives every candidate its probability and returns the features they rest on.
pub(crate) fn judge(
    asked: &Asked,
    pool: &mut Pool,
    scales: &Scales,
    round: usize,
) -> Vec<(PassageId, Features)> {
    let back = links_back(pool);
    let rows: Vec<(PassageId, Features)> = pool
        .iter()
        .map(|c| {
            let back = back.get(&c.passage.id).copied().unwrap_or(0.0);
            (c.passage.id, features(asked, pool, scales, c, back, round))
        })
        .collect();
    let weights = weights::passage(round);
    for (id, values) in &rows {
        if let Some(candidate) = pool.get_mut(*id) {
            candidate.p = weights.probability(values);
        }
    }
    rows
}

/// For each passage that was read for names: the best passage that its names lead to.
fn links_back(pool: &Pool) -> std::collections::BTreeMap<PassageId, f64> {
    let mut back = std::collections::BTreeMap::new();
    for target in pool.iter() {
        for lead in &target.leads {
            let value: &mut f64 = back.entry(lead.from).or_default();
            *value = value.max(target.p * lead.strength);
        }
    }
    back
}
