//! Yes/no questions, and questions that ask several sources at once.

use indago_core::{Answer, AnswerKind, PassageId};

use super::Answered;
use crate::asked::Asked;
use crate::pool::Pool;

/// Share of a clause's words that its best passage must have to count as said.
const SAID: f64 = 0.15;

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
        all &= best.0 >= SAID;
        let range = best
            .1
            .sentences
            .first()
            .map_or(0..best.1.passage.text.len(), |s| s.range.clone());
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
