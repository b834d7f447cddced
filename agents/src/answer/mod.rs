//! Typed short answers, where the evidence carries one.

mod amounts;
mod candidates;
mod chain;
mod compare;
mod countries;
mod facts;
mod features;
mod kinds;
mod relation;
mod seen;
mod several;
mod span;
mod stated;

use indago_core::ports::{Library, RetrieveError};
use indago_core::{Answer, AnswerKind, PassageId};

use crate::asked::Asked;
use crate::pool::{Candidate, Pool};
pub(crate) use facts::Reading;
pub use features::SPAN_FEATURES;
pub(crate) use relation::Attribute;
use relation::path;
pub(crate) use seen::Seen;
pub(crate) use span::{FITTED_ON, spans};

/// A passage and the bytes of its text that matter.
pub(crate) type Place = (PassageId, std::ops::Range<usize>);

/// An answer with what carries it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answered {
    pub(crate) answer: Answer,
    /// How far it was reasoned rather than guessed, 0 to 1.
    pub(crate) certainty: f64,
    /// Passages it was read from, in the order of reasoning, with the bytes of each that matter.
    pub(crate) from: Vec<Place>,
}

/// The short answer to `asked` from the passages `selected`, and what the library's reader sees
/// there: nothing where rules give the answer, since reading costs more than the rest of a search.
pub(crate) async fn answer(
    library: &dyn Library,
    asked: &Asked,
    pool: &Pool,
    selected: &[PassageId],
) -> Result<(Option<Answered>, Seen), RetrieveError> {
    let mut seen = Seen::default();
    let mut found = by_rules(asked, pool, selected);
    if found.is_none() && is_answered_by_span(asked) && !selected.is_empty() {
        seen = Seen::read(library, &asked.text, selected, span::PASSAGES).await?;
        found = span::best_span(asked, pool, selected, &seen);
    }
    if let Some(found) = &mut found
        && found.answer.kind == AnswerKind::Time
        && asked.analysis.focus.as_deref() == Some("year")
        && let Some(mention) = indago_text::dates(&found.answer.text).first()
    {
        found.answer.text = mention.date.year.to_string();
    }
    Ok((found, seen))
}

/// Whether words of a passage can be the answer.
fn is_answered_by_span(asked: &Asked) -> bool {
    asked.analysis.answer != AnswerKind::YesNo && !asks_for_order(asked)
}

fn asks_for_order(asked: &Asked) -> bool {
    asked.text.contains(" before or after ")
}

/// The answer that rules for questions of its kind give.
fn by_rules(asked: &Asked, pool: &Pool, selected: &[PassageId]) -> Option<Answered> {
    let question = &asked.analysis;
    if selected.is_empty() {
        return None;
    }
    let path = path(question);
    if asks_for_order(asked) {
        return stated::before_or_after(asked, pool, selected);
    }
    if question.options.len() >= 2
        && let Some(found) = compare::compare(asked, pool, selected, &path)
    {
        return Some(found);
    }
    if let Some(found) = several::consistency(asked, pool, selected) {
        return Some(found);
    }
    if question.answer == AnswerKind::YesNo {
        return several::yes_or_no(asked, pool, selected);
    }
    if let Some(anchor) = question.hops.iter().find_map(|hop| hop.anchor.as_deref())
        && let Some(found) = chain::follow(pool, anchor, &path, question.answer)
    {
        return Some(found);
    }
    if let Some(found) = chain::last_step(asked, pool, selected, &path) {
        return Some(found);
    }
    stated::holder_at(asked, pool, selected).or_else(|| stated::occupation(asked, pool, selected))
}

/// Candidates about `name`, most probable first.
pub(crate) fn about<'a>(pool: &'a Pool, name: &str) -> Vec<&'a Candidate> {
    let key = indago_text::normalize_name(name);
    let bare = indago_text::normalize_name(indago_text::strip_disambiguation(name));
    let matches = |c: &Candidate| {
        let exact = c.names.contains(&key);
        let stripped = c.names.contains(&bare);
        let led = c.leads.iter().any(|l| l.name == name && l.strength >= 0.3);
        (exact, stripped || led)
    };
    let mut found: Vec<(bool, &Candidate)> = pool
        .iter()
        .filter_map(|c| {
            let (exact, loose) = matches(c);
            (exact || loose).then_some((exact, c))
        })
        .collect();
    found.sort_by(|a, b| {
        b.0.cmp(&a.0)
            .then(b.1.p.total_cmp(&a.1.p))
            .then(a.1.passage.id.cmp(&b.1.passage.id))
    });
    found.into_iter().map(|(_, c)| c).collect()
}
