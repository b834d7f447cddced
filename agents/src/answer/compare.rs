//! Questions that set two or more things side by side.

use indago_core::{Answer, AnswerKind, Date, PassageId};
use indago_text::question::{Direction, Scale};

use super::chain::{Reached, reach};
use super::relation::{Attribute, Path};
use super::{Answered, about, amounts, countries, several};
use crate::asked::Asked;
use crate::pool::Pool;

/// The answer to a comparison, where a value was found for every option.
pub(super) fn compare(
    asked: &Asked,
    pool: &Pool,
    selected: &[PassageId],
    path: &Path,
) -> Option<Answered> {
    let question = &asked.analysis;
    let options: Vec<&str> = question.options.iter().map(|o| o.text.as_str()).collect();
    if question.answer == AnswerKind::YesNo {
        return alike(asked, pool, &options, path);
    }
    if let Some(ordering) = &question.ordering
        && ordering.scale == Scale::Amount
        && let Some(found) =
            amounts::compare(asked, pool, &options, &ordering.word, ordering.direction)
    {
        return Some(found);
    }
    if let Some(ordering) = &question.ordering
        && let Some(found) = order(pool, &options, path, ordering.direction)
    {
        return Some(found);
    }
    choose(asked, pool, selected, &options)
}

/// Which option comes first or last.
fn order(pool: &Pool, options: &[&str], path: &Path, direction: Direction) -> Option<Answered> {
    let dated: Vec<(usize, Date, Reached)> = options
        .iter()
        .enumerate()
        .filter_map(|(i, option)| {
            let reached = reach(pool, option, path)
                .into_iter()
                .find(|r| r.value.date.is_some())?;
            Some((i, reached.value.date?, reached))
        })
        .collect();
    if dated.len() < options.len() {
        return None;
    }
    let best = match direction {
        Direction::Least => dated.iter().min_by_key(|(i, date, _)| (*date, *i)),
        Direction::Most => dated
            .iter()
            .max_by_key(|(i, date, _)| (*date, usize::MAX - *i)),
    }?;
    let text = (*options.get(best.0)?).to_owned();
    let tied = dated.iter().filter(|(_, date, _)| *date == best.1).count() > 1;
    Some(Answered {
        answer: Answer {
            text,
            kind: AnswerKind::Choice,
        },
        certainty: if tied { 0.3 } else { 0.9 },
        from: dated.into_iter().flat_map(|(_, _, r)| r.from).collect(),
    })
}

/// Whether the options share a value, or a description.
fn alike(asked: &Asked, pool: &Pool, options: &[&str], path: &Path) -> Option<Answered> {
    let same = asked.analysis.relation_words.iter().any(|w| {
        matches!(
            w.to_lowercase().as_str(),
            "same" | "share" | "common" | "shared"
        )
    });
    if same
        && matches!(
            path.attribute,
            Some(Attribute::Country | Attribute::Nationality)
        )
    {
        let mut from = Vec::new();
        let mut sets: Vec<Vec<usize>> = Vec::new();
        for option in options {
            let reached = reach_countries(pool, option, path);
            sets.push(reached.iter().map(|(country, _)| *country).collect());
            from.extend(reached.into_iter().take(1).flat_map(|(_, r)| r.from));
        }
        let known = sets.iter().all(|set| !set.is_empty());
        let first = sets.first()?.first().copied();
        let equal = known && sets.iter().all(|set| set.first().copied() == first);
        if from.is_empty() {
            return None;
        }
        return Some(yes_no(equal, if known { 0.85 } else { 0.4 }, from));
    }
    describe(asked, pool, options, same)
}

/// The countries at the end of `path`, each with how it was reached.
fn reach_countries(pool: &Pool, option: &str, path: &Path) -> Vec<(usize, Reached)> {
    reach(pool, option, path)
        .into_iter()
        .filter_map(|r| Some((countries::country(&r.value.text)?, r)))
        .collect()
}

/// Whether the passages about all options have the words of the description.
fn describe(asked: &Asked, pool: &Pool, options: &[&str], same: bool) -> Option<Answered> {
    let mut from = Vec::new();
    let mut all = true;
    let wanted: Vec<String> = asked
        .analysis
        .relation_words
        .iter()
        .filter(|w| {
            !matches!(
                w.as_str(),
                "same" | "both" | "type" | "types" | "kind" | "located"
            )
        })
        .flat_map(|w| indago_text::terms(w))
        .collect();
    for option in options {
        let candidate = *about(pool, option).first()?;
        from.push((
            candidate.passage.id,
            first_sentence(&candidate.passage.text),
        ));
        let has = wanted
            .iter()
            .filter(|t| candidate.vocabulary.contains(*t))
            .count();
        let said = asked.relation();
        let denied = several::denial(asked, candidate, said).is_some();
        all &= 2 * has >= wanted.len().max(1) && !denied;
    }
    Some(yes_no(all && !same, 0.5, from))
}

/// The option whose passage has most of the description.
fn choose(
    asked: &Asked,
    pool: &Pool,
    selected: &[PassageId],
    options: &[&str],
) -> Option<Answered> {
    let mut scored: Vec<(f64, usize, PassageId, std::ops::Range<usize>)> = Vec::new();
    for (i, option) in options.iter().enumerate() {
        let own = asked.terms_in(option);
        let candidate = about(pool, option).into_iter().next().or_else(|| {
            selected.iter().filter_map(|&id| pool.get(id)).find(|c| {
                crate::asked::contains_phrase(
                    &indago_text::normalize_name(&c.passage.text),
                    &indago_text::normalize_name(option),
                )
            })
        })?;
        let score = asked.share(candidate.terms & !own);
        scored.push((
            score,
            i,
            candidate.passage.id,
            first_sentence(&candidate.passage.text),
        ));
    }
    let best = scored
        .iter()
        .max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)))?;
    Some(Answered {
        answer: Answer {
            text: (*options.get(best.1)?).to_owned(),
            kind: AnswerKind::Choice,
        },
        certainty: 0.5,
        from: scored
            .iter()
            .map(|(_, _, id, range)| (*id, range.clone()))
            .collect(),
    })
}

fn first_sentence(text: &str) -> std::ops::Range<usize> {
    indago_text::sentences(text)
        .into_iter()
        .next()
        .unwrap_or(0..text.len())
}

fn yes_no(yes: bool, certainty: f64, from: Vec<(PassageId, std::ops::Range<usize>)>) -> Answered {
    let text = if yes { "yes" } else { "no" };
    Answered {
        answer: Answer {
            text: text.to_owned(),
            kind: AnswerKind::YesNo,
        },
        certainty,
        from,
    }
}
