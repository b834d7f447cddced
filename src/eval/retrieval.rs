//! Scores retrievers on documents: a document counts with its best passage.

use std::collections::BTreeMap;
use std::path::Path;

use indago_core::{Cancel, Query};
use indago_retriever::metrics::{
    Interval, Measure, Qrels, Run, bootstrap, compare, evaluate, mean, write_qrels, write_run,
};
use serde::Serialize;

use super::SEED;
use super::data::{Dataset, Half, Question};
use super::workplace::CORPUS;
use crate::{Error, Project, wire};

/// Documents asked of a retriever per question.
pub const DEPTH: usize = 100;

/// What is reported; gains are binary, as in the published baselines.
pub const MEASURES: [Measure; 10] = [
    Measure::Recall(2),
    Measure::Recall(5),
    Measure::Recall(10),
    Measure::NdcgBinary(10),
    Measure::ReciprocalRank(10),
    Measure::AllRecall(5),
    Measure::AllRecall(10),
    Measure::AveragePrecision,
    Measure::Hits(10),
    Measure::EvidenceRank(10),
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
    /// Mean of each measure of [`MEASURES`] and of [`Self::measure`], by its name, between 0 and 1.
    pub means: BTreeMap<String, f64>,
    /// 95% intervals of these, low end and high.
    pub intervals: BTreeMap<String, (f64, f64)>,
    /// 95% interval of nDCG@10.
    pub ndcg_low: f64,
    /// 95% interval of nDCG@10.
    pub ndcg_high: f64,
    /// What the comparison is by.
    pub measure: String,
    /// Probability of a mean of that measure at least as different from the baseline's by chance;
    /// absent for the baseline itself, and where it was not scored before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p_against_baseline: Option<f64>,
}

/// What systems are compared with, and by what.
#[derive(Clone, Copy, Debug)]
pub struct Comparing<'a> {
    /// The retriever that others are compared with.
    pub baseline: &'a str,
    /// What the comparison is by; its interval stands in the table.
    pub measure: Measure,
}

/// Runs every question of `half` that has relevant documents through each retriever, and compares
/// those behind the baseline with it.
///
/// # Errors
/// When the index cannot be searched, or `cancel` is set.
pub fn score(
    project: &Project,
    dataset: &Dataset,
    half: Half,
    limit: Option<usize>,
    retrievers: &[String],
    comparing: Comparing<'_>,
    cancel: &Cancel,
) -> Result<Vec<(Scores, Run)>, Error> {
    let corpus = crate::open(project, CORPUS)?;
    let asked: Vec<_> = dataset
        .questions
        .iter()
        .filter(|q| q.is_in(half) && !q.gold.is_empty())
        .take(limit.unwrap_or(usize::MAX))
        .collect();
    let qrels = judgements(asked.iter().copied());
    let mut scored: Vec<(Scores, Run)> = Vec::new();
    let mut compared = None;
    for name in retrievers {
        let retriever = wire::retriever(&corpus, name)?;
        let mut run = Run::new();
        for question in &asked {
            cancel.check()?;
            let query = Query::new(question.text.clone());
            let ranked = crate::documents(&corpus, retriever.as_ref(), &query, DEPTH, cancel)?;
            run.insert(question.id.clone(), falling(ranked));
        }
        let mut means = BTreeMap::new();
        let mut intervals = BTreeMap::new();
        for measure in reported(comparing.measure) {
            let values = evaluate(&run, &qrels, measure);
            let Interval { low, high, .. } = bootstrap(&values, SEED);
            means.insert(measure.to_string(), mean(&values));
            intervals.insert(measure.to_string(), (low, high));
        }
        let ndcg = Measure::NdcgBinary(10).to_string();
        let (ndcg_low, ndcg_high) = intervals.get(&ndcg).copied().unwrap_or_default();
        let values = evaluate(&run, &qrels, comparing.measure);
        let p_against_baseline = compared
            .as_ref()
            .map(|base| compare(&values, base, SEED).p_value);
        if name == comparing.baseline {
            compared = Some(values);
        }
        let scores = Scores {
            set: dataset.name.clone(),
            retriever: name.clone(),
            questions: asked.len(),
            means,
            intervals,
            ndcg_low,
            ndcg_high,
            measure: comparing.measure.to_string(),
            p_against_baseline,
        };
        scored.push((scores, run));
    }
    Ok(scored)
}

/// [`MEASURES`], and `chosen` where it is not among them.
fn reported(chosen: Measure) -> Vec<Measure> {
    let mut measures = MEASURES.to_vec();
    if !measures.contains(&chosen) {
        measures.push(chosen);
    }
    measures
}

/// The gold documents of each question that has some, all of one grade.
fn judgements<'a>(questions: impl Iterator<Item = &'a Question>) -> Qrels {
    let judged = questions.filter(|q| !q.gold.is_empty());
    let grades = |q: &Question| q.gold.iter().map(|d| (d.clone(), 1)).collect();
    judged.map(|q| (q.id.clone(), grades(q))).collect()
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

/// How a column of the table is named.
fn title(measure: Measure) -> String {
    match measure {
        Measure::Recall(k) => format!("R@{k}"),
        Measure::NdcgBinary(k) => format!("nDCG@{k}"),
        Measure::ReciprocalRank(k) => format!("MRR@{k}"),
        Measure::AllRecall(k) => format!("AllR@{k}"),
        Measure::AveragePrecision => "MAP".to_owned(),
        Measure::Hits(k) => format!("Hits@{k}"),
        Measure::EvidenceRank(k) => format!("evidence MAP@{k}"),
        other => other.to_string(),
    }
}

/// The scores as a Markdown table, in per cent.
pub fn table(scores: &[Scores], comparing: Comparing<'_>) -> String {
    let measures = reported(comparing.measure);
    let mut out = "| set | retriever | n |".to_owned();
    for measure in &measures {
        let interval = if *measure == comparing.measure {
            " (95%)"
        } else {
            ""
        };
        out.push_str(&format!(" {}{interval} |", title(*measure)));
    }
    let columns = "|---".repeat(measures.len() + 4);
    out.push_str(&format!(
        " p against {} |\n{columns}|\n",
        comparing.baseline
    ));
    for s in scores {
        out.push_str(&format!(
            "| {} | {} | {} |",
            s.set, s.retriever, s.questions
        ));
        for measure in &measures {
            let name = measure.to_string();
            let mean = s.means.get(&name).copied().unwrap_or_default();
            out.push_str(&format!(" {:.1}", 100.0 * mean));
            if *measure == comparing.measure {
                let (low, high) = s.intervals.get(&name).copied().unwrap_or_default();
                out.push_str(&format!(" ({:.1} to {:.1})", 100.0 * low, 100.0 * high));
            }
            out.push_str(" |");
        }
        let p = s.p_against_baseline;
        out.push_str(&p.map_or_else(|| "  |\n".to_owned(), |p| format!(" {p:.4} |\n")));
    }
    out
}

/// Writes `SET.RETRIEVER.run` and `SET.qrels` in TREC's form to `folder`, for other tools.
///
/// # Errors
/// When a file cannot be written.
pub fn write_trec(
    folder: &Path,
    dataset: &Dataset,
    half: Half,
    retriever: &str,
    run: &Run,
) -> Result<(), Error> {
    std::fs::create_dir_all(folder).map_err(|e| Error::io("create", folder, e))?;
    // An encoder's name may be a folder's.
    let tag = retriever.replace(['/', '\\', ' '], "_");
    let mut text = Vec::new();
    let path = folder.join(format!("{}.{tag}.run", dataset.name));
    for (query, ranked) in run {
        write_run(&mut text, query, ranked, &tag)
            .map_err(|e| Error::io("write", &path, std::io::Error::other(e)))?;
    }
    std::fs::write(&path, &text).map_err(|e| Error::io("write", &path, e))?;
    text.clear();
    let path = folder.join(format!("{}.qrels", dataset.name));
    let qrels = judgements(dataset.questions.iter().filter(|q| q.is_in(half)));
    write_qrels(&mut text, &qrels)
        .map_err(|e| Error::io("write", &path, std::io::Error::other(e)))?;
    std::fs::write(&path, &text).map_err(|e| Error::io("write", &path, e))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use indago_retriever::metrics::{read_qrels, read_run};

    use super::*;

    #[test]
    fn everything_reported_has_been_compared_with_a_public_implementation() {
        let recorded = include_bytes!("../../retriever/tests/fixtures/metrics.expected.json");
        let expected: serde_json::Value = serde_json::from_slice(recorded).unwrap();
        let at_depth = expected[DEPTH.to_string()].as_object().unwrap();
        let compared: BTreeSet<_> = at_depth.keys().cloned().collect();
        assert_eq!(compared, MEASURES.map(|m| m.to_string()).into());
    }

    #[test]
    fn written_rankings_give_the_same_figures_when_read_back() {
        let question = |id: &str, gold: &[&str]| Question {
            id: id.to_owned(),
            text: String::new(),
            answers: Vec::new(),
            gold: gold
                .iter()
                .map(|d| (*d).to_owned())
                .collect::<BTreeSet<_>>(),
            unanswerable: false,
        };
        let dataset = Dataset {
            name: "small".to_owned(),
            corpus: "unused".into(),
            questions: vec![question("q1", &["a", "c"]), question("q2", &["b"])],
            hashes: BTreeMap::new(),
        };
        let ranked = |ids: &[&str]| {
            let place = |(i, id): (usize, &&str)| ((*id).to_owned(), 1.0 - i as f32 / 8.0);
            ids.iter().enumerate().map(place).collect::<Vec<_>>()
        };
        let run: Run = [
            ("q1".to_owned(), ranked(&["b", "a", "c"])),
            ("q2".to_owned(), ranked(&["b", "d"])),
        ]
        .into();
        let folder = tempfile::tempdir().unwrap();
        let name = "dense@some/folder";
        write_trec(folder.path(), &dataset, Half::All, name, &run).unwrap();
        let read = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
        let run_read = read_run(&read("small.dense@some_folder.run")[..]).unwrap();
        let qrels = read_qrels(&read("small.qrels")[..]).unwrap();
        let value = |run: &Run, m: Measure| mean(&evaluate(run, &qrels, m));
        for measure in MEASURES {
            let (ours, theirs) = (value(&run, measure), value(&run_read, measure));
            assert!((ours - theirs).abs() < 1e-12, "{measure}");
        }
        let evidence = value(&run_read, Measure::EvidenceRank(10));
        assert!((evidence - f64::midpoint(5.0 / 12.0, 1.0)).abs() < 1e-12);
    }
}
