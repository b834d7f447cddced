//! The best span of the wanted kind: a conditional logit over what speaks for each span.
//!
//! The coefficients are fitted by `agents/calibration/fit_spans.py`; the features are in
//! [`super::features`].

use std::collections::BTreeMap;
use std::ops::Range;

use indago_core::{Answer, AnswerKind, PassageId};

use super::candidates::{found, read};
use super::features::{AGREED, AGREED_BY_SOURCES, Around, Question, SpanFeatures};
use super::{Answered, Seen};
use crate::asked::Asked;
use crate::pool::Pool;
use crate::weights;

/// Passages that answers are taken from. Reading them takes most of the time of a question, and with
/// eight of them no more answers are right (`docs/quality.md`, Answers).
pub(super) const PASSAGES: usize = 4;
/// Passages whose spans the coefficients are fitted on: more wrong ones to tell the right from.
pub(crate) const FITTED_ON: usize = 8;
/// Of these, passages that common phrases are taken from.
const PHRASE_PASSAGES: usize = 5;

/// Least certainty of a span, and what the probability of being the best adds to it.
const GUESS: f64 = 0.1;
const BEST: f64 = 0.6;

/// A span that may be the answer.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    pub(crate) text: String,
    key: String,
    pub(crate) passage: PassageId,
    pub(crate) range: Range<usize>,
    pub(crate) features: SpanFeatures,
    /// Logarithm of the odds against the other spans, up to a constant.
    pub(crate) score: f64,
}

/// The best span among `selected`.
pub(super) fn best_span(
    asked: &Asked,
    pool: &Pool,
    selected: &[PassageId],
    seen: &Seen,
) -> Option<Answered> {
    let spans = spans(asked, pool, selected, PASSAGES, seen);
    let best = best(&spans)?;
    let probability = probability(&spans, best);
    Some(Answered {
        answer: Answer {
            text: best.text.clone(),
            kind: asked.analysis.answer,
        },
        certainty: GUESS + BEST * probability,
        from: vec![(best.passage, best.range.clone())],
    })
}

/// The span of the highest score, the first of equals.
fn best(spans: &[Span]) -> Option<&Span> {
    spans.iter().max_by(|a, b| {
        a.score
            .total_cmp(&b.score)
            .then(b.range.start.cmp(&a.range.start))
    })
}

/// Probability that one of the spans with the words of `chosen` is the right one, if any is.
fn probability(spans: &[Span], chosen: &Span) -> f64 {
    let weight = |s: &Span| (s.score - chosen.score).exp();
    let all: f64 = spans.iter().map(weight).sum();
    let same = spans.iter().filter(|s| s.key == chosen.key);
    same.map(weight).sum::<f64>() / all.max(f64::MIN_POSITIVE)
}

/// Every span of the wanted kind in the first `most` of `selected`, and what a reader sees there,
/// with its features.
pub(crate) fn spans(
    asked: &Asked,
    pool: &Pool,
    selected: &[PassageId],
    most: usize,
    seen: &Seen,
) -> Vec<Span> {
    let kind = match asked.analysis.answer {
        AnswerKind::YesNo | AnswerKind::Choice => AnswerKind::Entity,
        kind => kind,
    };
    let question = Question::new(asked, pool, selected, kind);
    let mut spans: Vec<Span> = Vec::new();
    for (rank, &id) in selected.iter().take(most).enumerate() {
        let Some(candidate) = pool.get(id) else {
            continue;
        };
        let around = Around::new(&question, candidate, rank, seen);
        let mut found = found(asked, candidate, kind, rank < PHRASE_PASSAGES);
        if let Some(scores) = seen.passage(id) {
            read(asked, candidate, scores, &mut found);
        }
        for found in found {
            spans.push(Span {
                key: indago_text::normalize_name(&found.text),
                features: around.features(&found),
                text: found.text,
                passage: id,
                range: found.range,
                score: 0.0,
            });
        }
    }
    merge_short_forms(&mut spans);
    // A name that several passages agree on is likelier.
    let mut agreed: BTreeMap<String, Vec<PassageId>> = BTreeMap::new();
    for span in &spans {
        let passages = agreed.entry(span.key.clone()).or_default();
        if !passages.contains(&span.passage) {
            passages.push(span.passage);
        }
    }
    let of_sources = !asked.analysis.sources.is_empty();
    for span in &mut spans {
        let passages = agreed.get(&span.key).map_or(1, Vec::len);
        let at = if of_sources {
            AGREED_BY_SOURCES
        } else {
            AGREED
        };
        span.features[at] = (passages as f64).ln();
        let pairs = span.features.iter().zip(&weights::SPAN);
        span.score = pairs.map(|(x, w)| x * w).sum();
    }
    spans
}

/// Gives a surname the full name that some span has: `Quill` becomes `Ada Quill`.
fn merge_short_forms(spans: &mut [Span]) {
    let full: Vec<(String, String)> = spans
        .iter()
        .filter(|s| s.text.starts_with(char::is_uppercase))
        .map(|s| (s.key.clone(), s.text.clone()))
        .collect();
    for span in spans {
        if span.text.contains(' ') || !span.text.starts_with(char::is_uppercase) {
            continue;
        }
        let ending = format!(" {}", span.key);
        let mut counts: BTreeMap<&str, (usize, &str)> = BTreeMap::new();
        for (key, text) in &full {
            if key.ends_with(&ending) && key.split(' ').count() <= 4 {
                counts.entry(key).or_insert((0, text)).0 += 1;
            }
        }
        let longest = counts
            .iter()
            .max_by(|a, b| a.1.0.cmp(&b.1.0).then(b.0.cmp(a.0)));
        if let Some((key, (_, text))) = longest {
            (*key).clone_into(&mut span.key);
            (*text).clone_into(&mut span.text);
        }
    }
}
