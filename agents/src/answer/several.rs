//! Yes/no questions, and questions that ask several sources at once.

use indago_core::{Answer, AnswerKind, PassageId};

use super::Answered;
use crate::asked::{Asked, TermSet};
use crate::pool::{Candidate, Pool};

/// Share of a clause's words that its best passage must have to count as said.
const SAID: f64 = 0.15;

/// Share of a clause's words that a sentence must have to deny it.
const DENIED: f64 = 0.4;

/// Yes when every clause is said somewhere among `selected`, turned around by a question that
/// asks for the absence of something.
pub(super) fn yes_or_no(asked: &Asked, pool: &Pool, selected: &[PassageId]) -> Option<Answered> {
    let question = &asked.analysis;
    let clauses: Vec<&str> = if question.sources.is_empty() {
        vec![asked.text.as_str()]
    } else {
        question
            .sources
            .iter()
            .map(|s| s.clause.text.as_str())
            .collect()
    };
    let mut from = Vec::new();
    let mut all = true;
    for clause in clauses {
        let terms = asked.terms_in(clause);
        let weight = asked.weight(terms).max(f64::MIN_POSITIVE);
        let best = selected
            .iter()
            .filter_map(|&id| pool.get(id))
            .map(|c| (asked.weight(c.terms & terms) / weight, c))
            .max_by(|a, b| a.0.total_cmp(&b.0))?;
        let denied = question
            .sources
            .is_empty()
            .then(|| denial(asked, best.1, terms))
            .flatten();
        all &= best.0 >= SAID && denied.is_none();
        let range = denied.unwrap_or_else(|| {
            let first = best.1.sentences.first();
            first.map_or(0..best.1.passage.text.len(), |s| s.range.clone())
        });
        from.push((best.1.passage.id, range));
    }
    let lower = asked.text.to_lowercase();
    let absence = [
        "no change",
        "inconsisten",
        "discrepancy",
        "disagree",
        "no difference",
        "never",
    ]
    .iter()
    .any(|cue| lower.contains(cue));
    let text = if all == absence { "no" } else { "yes" };
    Some(Answered {
        answer: Answer {
            text: text.to_owned(),
            kind: AnswerKind::YesNo,
        },
        certainty: 0.5,
        from,
    })
}

/// The sentence of `candidate` that has much of `terms` and denies it, where the question itself
/// denies nothing.
pub(super) fn denial(
    asked: &Asked,
    candidate: &Candidate,
    terms: TermSet,
) -> Option<std::ops::Range<usize>> {
    if indago_text::polarity::negated(&asked.text) {
        return None;
    }
    let weight = asked.weight(terms).max(f64::MIN_POSITIVE);
    let sentences = candidate.sentences.iter();
    sentences
        .filter(|s| asked.weight(s.terms & terms) / weight >= DENIED)
        .find(|s| {
            let text = candidate.passage.text.get(s.range.clone());
            text.is_some_and(indago_text::polarity::negated)
        })
        .map(|s| s.range.clone())
}

/// `consistent` or `inconsistent` for questions that offer the two.
pub(super) fn consistency(asked: &Asked, pool: &Pool, selected: &[PassageId]) -> Option<Answered> {
    let lower = asked.text.to_lowercase();
    if !lower.contains("consistent or inconsistent") {
        return None;
    }
    let found = yes_or_no(asked, pool, selected)?;
    Some(Answered {
        answer: Answer {
            text: "consistent".to_owned(),
            kind: AnswerKind::Choice,
        },
        ..found
    })
}
