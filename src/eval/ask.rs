//! Scores reports: whether they stand on all the documents they need, whether the short answer is
//! right, and whether they abstain where they should and only there.

use std::collections::BTreeMap;
use std::time::Instant;

use indago_core::{Cancel, Query, Report};
use indago_retriever::metrics::{Interval, bootstrap};
use serde::Serialize;

use super::SEED;
use super::answers::{exact_match, f1, normalize};
use super::data::{Dataset, Half, Question};
use super::workplace::CORPUS;
use crate::reasoner::failure;
use crate::{AskSettings, Asker, Error, ModelReasoner, Project, wire};

/// Documents of single-shot search among which gold counts as retrieved.
const RETRIEVED: usize = 10;

/// What became of one question.
#[derive(Clone, Debug, Serialize)]
pub struct Asked {
    /// `_id`.
    #[serde(rename = "_id")]
    pub id: String,
    /// The question.
    pub question: String,
    /// The short answer.
    pub answer: Option<String>,
    /// Accepted answers.
    pub accepted: Vec<String>,
    /// Whether the report abstained.
    pub abstained: bool,
    /// The report's confidence.
    pub confidence: f32,
    /// Documents that claims quote, most important first.
    pub documents: Vec<String>,
    /// Documents that are needed.
    pub gold: Vec<String>,
    /// Whether single-shot search found all of them.
    pub all_gold_retrieved: bool,
    /// Whether the corpus has no answer.
    pub unanswerable: bool,
    /// Whether it was not worked on because the model failed.
    pub failed: bool,
    /// Calls of language models.
    pub lm_calls: u64,
    /// Their tokens, in and out.
    pub lm_tokens: u64,
    /// Milliseconds from question to report.
    pub ms: f64,
}

impl Asked {
    fn found(&self) -> usize {
        self.gold
            .iter()
            .filter(|g| self.documents.contains(g))
            .count()
    }

    fn has_all(&self) -> bool {
        self.found() == self.gold.len()
    }
}

/// A data set's figures; shares lie between 0 and 1 and are absent where no question counts.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// The data set, with what was changed in it.
    pub set: String,
    /// Questions asked.
    pub questions: usize,
    /// Questions with gold documents.
    pub judged: usize,
    /// Share whose quoted documents, at most 10, hold all gold ones.
    pub all_recall: Option<Estimate>,
    /// Mean share of quoted documents that are gold.
    pub precision: Option<f64>,
    /// Mean number of quoted documents.
    pub sources: Option<f64>,
    /// Questions with known short answers.
    pub with_answers: usize,
    /// Share of exact short answers, abstentions counting as wrong.
    pub exact: Option<Estimate>,
    /// Mean F1 of short answers.
    pub f1: Option<f64>,
    /// Exact matches of the most frequent answer, given to every question.
    pub majority_exact: Option<f64>,
    /// Share of abstentions among answerable questions whose gold single-shot search found.
    pub false_abstention: Option<Estimate>,
    /// Share of abstentions among questions without an answer in the corpus.
    pub right_abstention: Option<Estimate>,
    /// Questions that were not worked on because the model failed; they count as turned away.
    pub failed: usize,
    /// Mean calls of language models for a question.
    pub lm_calls: f64,
    /// Mean tokens of these, in and out.
    pub lm_tokens: f64,
    /// Median milliseconds.
    pub p50_ms: f64,
    /// 99th percentile of milliseconds.
    pub p99_ms: f64,
}

/// A share with its 95% interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// Of how many.
    pub n: usize,
    /// The share.
    pub mean: f64,
    /// Low end.
    pub low: f64,
    /// High end.
    pub high: f64,
}

/// Which questions are asked, and how.
#[derive(Clone, Debug)]
pub struct Asking {
    /// Of this half.
    pub half: Half,
    /// The first so many, where that is limited.
    pub limit: Option<usize>,
    /// The gold documents are not in the corpus, so that every question is unanswerable.
    pub gone: bool,
    /// Threads that search.
    pub threads: usize,
    /// Language models that answer; the extractive reasoner where there are none.
    pub reasoner: Option<ModelReasoner>,
    /// How each question is asked.
    pub settings: AskSettings,
}

/// Asks the questions of a data set one by one.
///
/// # Errors
/// When a run fails, or the model at the first question, or `cancel` is set.
pub fn ask_all(
    project: &Project,
    dataset: &Dataset,
    asking: &Asking,
    progress: &mut dyn FnMut(usize, usize),
    cancel: &Cancel,
) -> Result<Vec<Asked>, Error> {
    let Asking { half, limit, .. } = *asking;
    let asker = Asker::open_with(project, CORPUS, asking.threads, asking.reasoner.clone())?;
    let retriever = wire::retriever(asker.corpus(), "fused")?;
    let runtime = crate::asking::runtime()?;
    let questions: Vec<&Question> = dataset
        .questions
        .iter()
        .filter(|q| q.is_in(half))
        .filter(|q| !asking.gone || (!q.gold.is_empty() && !q.unanswerable))
        .take(limit.unwrap_or(usize::MAX))
        .collect();
    let mut asked = Vec::with_capacity(questions.len());
    for (i, question) in questions.iter().enumerate() {
        cancel.check()?;
        let began = Instant::now();
        let report = runtime.block_on(asker.ask(&question.text, &asking.settings, cancel))?;
        let ms = began.elapsed().as_secs_f64() * 1e3;
        let failed = failure(&report);
        if let (Some(reason), true) = (failed, asked.is_empty()) {
            return Err(Error::ModelFailed(reason.to_owned()));
        }
        let query = Query::new(question.text.clone());
        let ranked = crate::documents(
            asker.corpus(),
            retriever.as_ref(),
            &query,
            RETRIEVED,
            cancel,
        )?;
        let found = |gold: &String| ranked.iter().any(|(document, _)| document.as_str() == gold);
        asked.push(Asked {
            id: question.id.clone(),
            question: question.text.clone(),
            answer: report.answer.as_ref().map(|a| a.text.clone()),
            accepted: question.answers.clone(),
            abstained: report.abstained,
            confidence: report.confidence,
            documents: documents(&report),
            gold: question.gold.iter().cloned().collect(),
            all_gold_retrieved: !question.gold.is_empty() && question.gold.iter().all(found),
            unanswerable: asking.gone || question.unanswerable,
            failed: failed.is_some(),
            lm_calls: report.usage.lm_calls,
            lm_tokens: report.usage.lm_tokens,
            ms,
        });
        progress(i + 1, questions.len());
    }
    Ok(asked)
}

/// Documents that claims of the report quote, in its order of sources, at most 10.
fn documents(report: &Report) -> Vec<String> {
    report
        .sources
        .iter()
        .map(|source| source.document.to_string())
        .take(10)
        .collect()
}

/// The figures of one data set.
pub fn summarise(set: &str, asked: &[Asked]) -> Summary {
    let judged: Vec<&Asked> = asked
        .iter()
        .filter(|a| !a.gold.is_empty() && !a.unanswerable)
        .collect();
    let answered: Vec<&Asked> = asked
        .iter()
        .filter(|a| !a.accepted.is_empty() && !a.unanswerable)
        .collect();
    let exact = |a: &Asked| {
        a.answer
            .as_ref()
            .is_some_and(|answer| exact_match(answer, &a.accepted))
    };
    let of_f1 = |a: &&Asked| {
        a.answer
            .as_ref()
            .map_or(0.0, |answer| f1(answer, &a.accepted))
    };
    let mean = |values: Vec<f64>| {
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    };
    let share = |of: Vec<(&Asked, bool)>| -> Option<Estimate> {
        let values: BTreeMap<String, f64> = of
            .iter()
            .map(|(a, yes)| (a.id.clone(), f64::from(u8::from(*yes))))
            .collect();
        let Interval { mean, low, high } = bootstrap(&values, SEED);
        (!values.is_empty()).then_some(Estimate {
            n: values.len(),
            mean,
            low,
            high,
        })
    };
    let precision = |a: &&Asked| {
        if a.documents.is_empty() {
            0.0
        } else {
            a.found() as f64 / a.documents.len() as f64
        }
    };
    let answerable = judged.iter().filter(|a| a.all_gold_retrieved);
    let unanswerable = asked.iter().filter(|a| a.unanswerable);
    let mut ms: Vec<f64> = asked.iter().map(|a| a.ms).collect();
    ms.sort_by(f64::total_cmp);
    let percentile = |share: f64| {
        ms.get((ms.len().saturating_sub(1) as f64 * share).round() as usize)
            .copied()
            .unwrap_or(0.0)
    };
    Summary {
        set: set.to_owned(),
        questions: asked.len(),
        judged: judged.len(),
        all_recall: share(judged.iter().map(|a| (*a, a.has_all())).collect()),
        precision: mean(judged.iter().map(precision).collect()),
        sources: mean(judged.iter().map(|a| a.documents.len() as f64).collect()),
        with_answers: answered.len(),
        exact: share(answered.iter().map(|a| (*a, exact(a))).collect()),
        f1: mean(answered.iter().map(of_f1).collect()),
        majority_exact: majority(&answered),
        false_abstention: share(answerable.map(|a| (*a, a.abstained)).collect()),
        right_abstention: share(unanswerable.map(|a| (a, a.abstained)).collect()),
        failed: asked.iter().filter(|a| a.failed).count(),
        lm_calls: mean(asked.iter().map(|a| a.lm_calls as f64).collect()).unwrap_or_default(),
        lm_tokens: mean(asked.iter().map(|a| a.lm_tokens as f64).collect()).unwrap_or_default(),
        p50_ms: percentile(0.5),
        p99_ms: percentile(0.99),
    }
}

/// Exact matches of the one answer that fits most questions.
fn majority(answered: &[&Asked]) -> Option<f64> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for asked in answered {
        let forms: std::collections::BTreeSet<String> =
            asked.accepted.iter().map(|a| normalize(a)).collect();
        for form in forms {
            *counts.entry(form).or_default() += 1;
        }
    }
    let most = counts.values().max()?;
    Some(*most as f64 / answered.len() as f64)
}

/// The figures as a Markdown table, in per cent.
pub fn table(summaries: &[Summary]) -> String {
    let mut out = String::from(
        "| set | n | AllR@10 (95%) | precision | sources | EM (95%) | F1 | majority EM | false \
         abstention | abstention without answer | calls | tokens | p50 ms | p99 ms |\n\
         |---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    let share = |e: Option<Estimate>| {
        e.map_or_else(
            || "-".to_owned(),
            |e| {
                let (mean, low, high) = (100.0 * e.mean, 100.0 * e.low, 100.0 * e.high);
                format!("{mean:.1} ({low:.1} to {high:.1}; n {})", e.n)
            },
        )
    };
    let plain = |v: Option<f64>, scale: f64| {
        v.map_or_else(|| "-".to_owned(), |v| format!("{:.1}", scale * v))
    };
    for s in summaries {
        out.push_str(&format!(
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {:.1} | {:.0} | {:.0} | {:.0} |\n",
            s.set,
            s.questions,
            share(s.all_recall),
            plain(s.precision, 100.0),
            plain(s.sources, 1.0),
            share(s.exact),
            plain(s.f1, 100.0),
            plain(s.majority_exact, 100.0),
            share(s.false_abstention),
            share(s.right_abstention),
            s.lm_calls,
            s.lm_tokens,
            s.p50_ms,
            s.p99_ms,
        ));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(id: &str, answer: Option<&str>, accepted: &str, documents: &[&str]) -> Asked {
        Asked {
            id: id.into(),
            question: "?".into(),
            answer: answer.map(str::to_owned),
            accepted: vec![accepted.into()],
            abstained: answer.is_none(),
            confidence: 0.5,
            documents: documents.iter().map(|&d| d.to_owned()).collect(),
            gold: vec!["a".into(), "b".into()],
            all_gold_retrieved: true,
            unanswerable: false,
            failed: false,
            lm_calls: 0,
            lm_tokens: 0,
            ms: 1.0,
        }
    }

    #[test]
    fn figures_count_what_they_say() {
        let mut null = asked("4", None, "", &[]);
        null.unanswerable = true;
        let all = [
            asked("1", Some("Yes"), "yes", &["a", "b"]),
            asked("2", Some("no"), "yes", &["a", "x", "y", "z"]),
            asked("3", None, "no", &[]),
            null,
        ];
        let summary = summarise("t", &all);
        let mean = |e: Option<Estimate>| e.map(|e| (e.n, (1000.0 * e.mean).round()));
        assert_eq!(mean(summary.all_recall), Some((3, 333.0)));
        assert_eq!(mean(summary.exact), Some((3, 333.0)));
        assert_eq!(mean(summary.false_abstention), Some((3, 333.0)));
        assert_eq!(mean(summary.right_abstention), Some((1, 1000.0)));
        assert_eq!(summary.sources, Some(2.0));
        assert!((summary.precision.unwrap() - 1.25 / 3.0).abs() < 1e-9);
        assert!((summary.majority_exact.unwrap() - 2.0 / 3.0).abs() < 1e-9);
    }
}
