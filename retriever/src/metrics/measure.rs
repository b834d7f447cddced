//! Measures of one ranking, and of a run.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// Judgements: query id, document id, grade. A grade above 0 is relevant.
pub type Qrels = BTreeMap<String, BTreeMap<String, i32>>;

/// What a system returned: query id, then documents with scores, in any order. Scores are 32-bit,
/// as in `trec_eval`, because their ties decide the order.
pub type Run = BTreeMap<String, Vec<(String, f32)>>;

/// A measure of a ranking against the judgements of its query. All lie between 0 and 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Measure {
    /// Normalised discounted cumulative gain of the first k (Jarvelin and Kekalainen 2002).
    Ndcg(usize),
    /// The same with every relevant document worth 1.
    NdcgBinary(usize),
    /// Share of the relevant documents that are among the first k.
    Recall(usize),
    /// Share of the first k that is relevant.
    Precision(usize),
    /// 1 when all relevant documents are among the first k.
    AllRecall(usize),
    /// 1 when any relevant document is among the first k.
    Hits(usize),
    /// One over the rank of the first relevant document, 0 when it is not among the first k.
    ReciprocalRank(usize),
    /// Mean over the relevant documents of the precision at their rank, 0 for those not returned.
    AveragePrecision,
    /// Mean over the relevant documents, at most k of them, of one over their rank: what the
    /// evaluation script of MultiHop-RAG (Tang and Yang, COLM 2024) calls MAP@k.
    EvidenceRank(usize),
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ndcg(k) => write!(f, "ndcg@{k}"),
            Self::NdcgBinary(k) => write!(f, "ndcg_binary@{k}"),
            Self::Recall(k) => write!(f, "recall@{k}"),
            Self::Precision(k) => write!(f, "precision@{k}"),
            Self::AllRecall(k) => write!(f, "allr@{k}"),
            Self::Hits(k) => write!(f, "hits@{k}"),
            Self::ReciprocalRank(k) => write!(f, "mrr@{k}"),
            Self::AveragePrecision => write!(f, "map"),
            Self::EvidenceRank(k) => write!(f, "evidence_map@{k}"),
        }
    }
}

/// Text that names no measure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no measure; known are ndcg@K, ndcg_binary@K, recall@K, precision@K, allr@K, hits@K, mrr@K, evidence_map@K and map"
)]
pub struct UnknownMeasure(String);

impl FromStr for Measure {
    type Err = UnknownMeasure;

    fn from_str(text: &str) -> Result<Self, UnknownMeasure> {
        let unknown = || UnknownMeasure(text.to_owned());
        if text == "map" {
            return Ok(Self::AveragePrecision);
        }
        let (name, k) = text.split_once('@').ok_or_else(unknown)?;
        let k = k.parse().ok().filter(|k| *k > 0).ok_or_else(unknown)?;
        Ok(match name {
            "ndcg" => Self::Ndcg(k),
            "ndcg_binary" => Self::NdcgBinary(k),
            "recall" => Self::Recall(k),
            "precision" => Self::Precision(k),
            "allr" => Self::AllRecall(k),
            "hits" => Self::Hits(k),
            "mrr" => Self::ReciprocalRank(k),
            "evidence_map" => Self::EvidenceRank(k),
            _ => return Err(unknown()),
        })
    }
}

/// The documents of a ranking, best first: by descending score, then descending id.
pub fn rank(documents: &[(String, f32)]) -> Vec<&str> {
    let mut order: Vec<&(String, f32)> = documents.iter().collect();
    order.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| b.0.cmp(&a.0)));
    order.into_iter().map(|(id, _)| id.as_str()).collect()
}

impl Measure {
    /// How many documents of a ranking it looks at; `None` for all.
    pub fn cut_off(self) -> Option<usize> {
        match self {
            Self::Ndcg(k)
            | Self::NdcgBinary(k)
            | Self::Recall(k)
            | Self::Precision(k)
            | Self::AllRecall(k)
            | Self::Hits(k)
            | Self::ReciprocalRank(k)
            | Self::EvidenceRank(k) => Some(k),
            Self::AveragePrecision => None,
        }
    }

    /// The value for documents ranked best first. 0 when nothing is judged relevant.
    pub fn of(self, ranked: &[&str], judged: &BTreeMap<String, i32>) -> f64 {
        let grade = |id: &str| judged.get(id).copied().unwrap_or(0).max(0);
        let relevant = judged.values().filter(|grade| **grade > 0).count();
        if relevant == 0 {
            return 0.0;
        }
        let found = |k: usize| ranked.iter().take(k).filter(|id| grade(id) > 0).count() as f64;
        match self {
            Self::Ndcg(k) => ndcg(ranked, judged, k, f64::from),
            Self::NdcgBinary(k) => ndcg(ranked, judged, k, |_| 1.0),
            Self::Recall(k) => found(k) / relevant as f64,
            Self::Precision(k) => found(k) / k as f64,
            Self::AllRecall(k) => f64::from(found(k) as usize == relevant),
            Self::Hits(k) => f64::from(found(k) > 0.0),
            Self::ReciprocalRank(k) => {
                let first = ranked.iter().take(k).position(|id| grade(id) > 0);
                first.map_or(0.0, |i| 1.0 / (i + 1) as f64)
            }
            Self::EvidenceRank(k) => {
                let places = ranked.iter().take(k).enumerate();
                let places = places.filter(|(_, id)| grade(id) > 0);
                places.map(|(i, _)| 1.0 / (i + 1) as f64).sum::<f64>() / relevant.min(k) as f64
            }
            Self::AveragePrecision => {
                let mut hits = 0.0;
                let mut sum = 0.0;
                for (i, id) in ranked.iter().enumerate() {
                    if grade(id) > 0 {
                        hits += 1.0;
                        sum += hits / (i + 1) as f64;
                    }
                }
                sum / relevant as f64
            }
        }
    }
}

fn ndcg(
    ranked: &[&str],
    judged: &BTreeMap<String, i32>,
    k: usize,
    gain: impl Fn(i32) -> f64,
) -> f64 {
    let discount = |i: usize| ((i + 2) as f64).log2();
    let grades = ranked
        .iter()
        .take(k)
        .map(|id| judged.get(*id).copied().unwrap_or(0));
    let gained: f64 = grades
        .enumerate()
        .filter(|(_, grade)| *grade > 0)
        .map(|(i, grade)| gain(grade) / discount(i))
        .sum();
    let mut best: Vec<i32> = judged
        .values()
        .copied()
        .filter(|grade| *grade > 0)
        .collect();
    best.sort_unstable_by(|a, b| b.cmp(a));
    let ideal: f64 = best
        .into_iter()
        .take(k)
        .enumerate()
        .map(|(i, grade)| gain(grade) / discount(i))
        .sum();
    gained / ideal
}

/// The value of each judged query that has a relevant document, by query id. A query that the run
/// does not answer counts as 0.
pub fn evaluate(run: &Run, qrels: &Qrels, measure: Measure) -> BTreeMap<String, f64> {
    let judged = qrels
        .iter()
        .filter(|(_, grades)| grades.values().any(|grade| *grade > 0));
    judged
        .map(|(query, grades)| {
            let ranked = run
                .get(query)
                .map(|documents| rank(documents))
                .unwrap_or_default();
            (query.clone(), measure.of(&ranked, grades))
        })
        .collect()
}

/// The mean over queries; 0 without any.
pub fn mean(values: &BTreeMap<String, f64>) -> f64 {
    if values.is_empty() {
        0.0
    } else {
        values.values().sum::<f64>() / values.len() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(pairs: &[(&str, i32)]) -> BTreeMap<String, i32> {
        pairs
            .iter()
            .map(|(id, grade)| ((*id).to_owned(), *grade))
            .collect()
    }

    #[test]
    fn values_follow_from_the_definitions() {
        let judged = judged(&[("a", 1), ("b", 3), ("c", 0), ("z", 1)]);
        let ranked = ["c", "a", "x", "b"];
        let log = |x: f64| x.log2();
        for (measure, expected) in [
            (Measure::Recall(2), 1.0 / 3.0),
            (Measure::Recall(10), 2.0 / 3.0),
            (Measure::Precision(4), 0.5),
            (Measure::AllRecall(10), 0.0),
            (Measure::Hits(1), 0.0),
            (Measure::Hits(2), 1.0),
            (Measure::ReciprocalRank(10), 0.5),
            (Measure::ReciprocalRank(1), 0.0),
            (Measure::AveragePrecision, (1.0 / 2.0 + 2.0 / 4.0) / 3.0),
            (Measure::EvidenceRank(10), (1.0 / 2.0 + 1.0 / 4.0) / 3.0),
            (Measure::EvidenceRank(2), (1.0 / 2.0) / 2.0),
            (
                Measure::Ndcg(10),
                (1.0 / log(3.0) + 3.0 / log(5.0)) / (3.0 + 1.0 / log(3.0) + 1.0 / log(4.0)),
            ),
            (
                Measure::NdcgBinary(2),
                (1.0 / log(3.0)) / (1.0 + 1.0 / log(3.0)),
            ),
        ] {
            assert!(
                (measure.of(&ranked, &judged) - expected).abs() < 1e-12,
                "{measure}"
            );
        }
    }

    #[test]
    fn measures_read_what_they_write() {
        for text in [
            "ndcg@10",
            "ndcg_binary@3",
            "recall@5",
            "precision@1",
            "allr@10",
            "hits@4",
            "mrr@10",
            "evidence_map@10",
            "map",
        ] {
            assert_eq!(text.parse::<Measure>().unwrap().to_string(), text);
        }
        for text in ["", "ndcg", "recall@0", "recall@x", "map@10"] {
            assert!(text.parse::<Measure>().is_err(), "{text}");
        }
    }

    #[test]
    fn queries_without_answers_count_as_failures() {
        let qrels: Qrels = [("q1", "a"), ("q2", "b"), ("q3", "c")]
            .into_iter()
            .map(|(q, d)| (q.to_owned(), judged(&[(d, i32::from(q != "q3"))])))
            .collect();
        let run: Run = [("q1".to_owned(), vec![("a".to_owned(), 1.0)])]
            .into_iter()
            .collect();
        let values = evaluate(&run, &qrels, Measure::Recall(10));
        assert_eq!(values.len(), 2);
        assert_eq!(mean(&values), 0.5);
    }
}
