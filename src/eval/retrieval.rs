//! Scores retrievers on documents: a document counts with its best passage.

use std::collections::BTreeMap;

use indago_core::{Cancel, Query};
use indago_retriever::metrics::{
    Interval, Measure, Qrels, Run, bootstrap, compare, evaluate, mean,
};
use serde::Serialize;

use super::SEED;
use super::data::{Dataset, Half};
use super::workplace::CORPUS;
use crate::{Error, Project, wire};

/// Documents asked of a retriever per question.
const DEPTH: usize = 100;

/// What is reported; gains are binary, as in the published baselines.
pub const MEASURES: [Measure; 8] = [
    Measure::Recall(2),
    Measure::Recall(5),
    Measure::Recall(10),
    Measure::NdcgBinary(10),
    Measure::ReciprocalRank(10),
    Measure::AllRecall(5),
    Measure::AllRecall(10),
    Measure::AveragePrecision,
];

/// One retriever on one data set.
#[derive(Clone, Debug, Serialize)]
pub struct Scores {
    /// The data set.
    pub set: String,
    /// The retriever.
    pub retriever: String,
    /// Questions scored.
    pub questions: usize,
    /// Mean of each measure of [`MEASURES`], by its name, between 0 and 1.
    pub means: BTreeMap<String, f64>,
    /// 95% interval of nDCG@10.
    pub ndcg_low: f64,
    /// 95% interval of nDCG@10.
    pub ndcg_high: f64,
    /// Probability of nDCG@10 at least as different from BM25's by chance; absent for BM25 itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p_against_bm25: Option<f64>,
}

/// Runs every question of `half` that has relevant documents through each retriever.
///
/// # Errors
/// When the index cannot be searched, or `cancel` is set.
pub fn score(
    project: &Project,
    dataset: &Dataset,
    half: Half,
    limit: Option<usize>,
    retrievers: &[String],
    cancel: &Cancel,
) -> Result<Vec<(Scores, Run)>, Error> {
    let corpus = crate::open(project, CORPUS)?;
    let asked: Vec<_> = dataset
        .questions
        .iter()
        .filter(|q| q.is_in(half) && !q.gold.is_empty())
        .take(limit.unwrap_or(usize::MAX))
        .collect();
    let qrels: Qrels = asked
        .iter()
        .map(|q| {
            (
                q.id.clone(),
                q.gold.iter().map(|d| (d.clone(), 1)).collect(),
            )
        })
        .collect();
    let mut scored: Vec<(Scores, Run)> = Vec::new();
    let mut baseline = None;
    for name in retrievers {
        let retriever = wire::retriever(&corpus, name)?;
        let mut run = Run::new();
        for question in &asked {
            cancel.check()?;
            let query = Query::new(question.text.clone());
            let ranked = crate::documents(&corpus, retriever.as_ref(), &query, DEPTH, cancel)?;
            run.insert(question.id.clone(), falling(ranked));
        }
        let means = MEASURES
            .iter()
            .map(|m| (m.to_string(), mean(&evaluate(&run, &qrels, *m))))
            .collect();
        let ndcg = evaluate(&run, &qrels, Measure::NdcgBinary(10));
        let Interval { low, high, .. } = bootstrap(&ndcg, SEED);
        let p_against_bm25 = baseline
            .as_ref()
            .map(|base| compare(&ndcg, base, SEED).p_value);
        if name == "bm25" {
            baseline = Some(ndcg);
        }
        let scores = Scores {
            set: dataset.name.clone(),
            retriever: name.clone(),
            questions: asked.len(),
            means,
            ndcg_low: low,
            ndcg_high: high,
            p_against_bm25,
        };
        scored.push((scores, run));
    }
    Ok(scored)
}

/// Scores that fall strictly, so that the measures keep the order of equal ones.
fn falling(ranked: Vec<(indago_core::DocumentId, f32)>) -> Vec<(String, f32)> {
    let mut last = f32::INFINITY;
    let strictly = |(document, score): (indago_core::DocumentId, f32)| {
        last = if score < last {
            score
        } else {
            last.next_down()
        };
        (document.to_string(), last)
    };
    ranked.into_iter().map(strictly).collect()
}

/// The scores as a Markdown table, in per cent.
pub fn table(scores: &[Scores]) -> String {
    let mut out = String::from(
        "| set | retriever | n | R@2 | R@5 | R@10 | nDCG@10 (95%) | MRR@10 | AllR@5 | AllR@10 | \
         MAP | p against BM25 |\n|---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for s in scores {
        let of = |measure: Measure| {
            100.0
                * s.means
                    .get(&measure.to_string())
                    .copied()
                    .unwrap_or_default()
        };
        let p = s
            .p_against_bm25
            .map_or_else(String::new, |p| format!("{p:.4}"));
        out.push_str(&format!(
            "| {} | {} | {} | {:.1} | {:.1} | {:.1} | {:.1} ({:.1} to {:.1}) | {:.1} | {:.1} | {:.1} | {:.1} | {p} |\n",
            s.set,
            s.retriever,
            s.questions,
            of(Measure::Recall(2)),
            of(Measure::Recall(5)),
            of(Measure::Recall(10)),
            of(Measure::NdcgBinary(10)),
            100.0 * s.ndcg_low,
            100.0 * s.ndcg_high,
            of(Measure::ReciprocalRank(10)),
            of(Measure::AllRecall(5)),
            of(Measure::AllRecall(10)),
            of(Measure::AveragePrecision),
        ));
    }
    out
}
