//! From a named thing through its relations to an answer, one passage a step.

use indago_core::{Answer, AnswerKind, PassageId};

use super::facts::{Reading, Value};
use super::relation::{Attribute, Path};
use super::{Answered, Place, about};
use crate::asked::Asked;
use crate::pool::{Candidate, Pool};

/// Entities that a step may branch into.
const BRANCHES: usize = 3;

/// A value with the passages that led to it.
#[derive(Clone, Debug)]
pub(super) struct Reached {
    pub(super) value: Value,
    pub(super) from: Vec<Place>,
}

/// The values that `path` gives for `anchor`.
pub(super) fn reach(pool: &Pool, anchor: &str, path: &Path) -> Vec<Reached> {
    let start: Vec<(&Candidate, Vec<Place>)> = about(pool, anchor)
        .into_iter()
        .take(BRANCHES)
        .map(|c| (c, Vec::new()))
        .collect();
    let mut level = start;
    for (i, &role) in path.roles.iter().enumerate() {
        let last = i + 1 == path.roles.len();
        let mut reached = Vec::new();
        let mut next: Vec<(&Candidate, Vec<Place>)> = Vec::new();
        for (candidate, from) in &level {
            for value in Reading::new(&candidate.passage.text)
                .people(role)
                .into_iter()
                .take(BRANCHES)
            {
                let mut from = from.clone();
                from.push((candidate.passage.id, value.range.clone()));
                next.extend(
                    about(pool, &value.text)
                        .into_iter()
                        .filter(|c| c.passage.id != candidate.passage.id)
                        .take(BRANCHES)
                        .map(|c| (c, from.clone())),
                );
                reached.push(Reached { value, from });
            }
        }
        if last && path.attribute.is_none() {
            return reached;
        }
        level = next;
    }
    let Some(attribute) = path.attribute else {
        return Vec::new();
    };
    let mut reached = Vec::new();
    for (candidate, from) in level {
        for value in Reading::new(&candidate.passage.text)
            .attribute(attribute)
            .into_iter()
            .take(1)
        {
            let mut from = from.clone();
            from.push((candidate.passage.id, value.range.clone()));
            reached.push(Reached { value, from });
        }
    }
    reached
}

/// The answer at the end of the path, where every step of it is understood.
pub(super) fn follow(pool: &Pool, anchor: &str, path: &Path, kind: AnswerKind) -> Option<Answered> {
    if path.roles.is_empty() && path.attribute.is_none() || !path.whole {
        return None;
    }
    let reached = reach(pool, anchor, path).into_iter().next()?;
    let kind = match path.attribute {
        Some(
            Attribute::BirthDate
            | Attribute::DeathDate
            | Attribute::ReleaseDate
            | Attribute::FoundingDate,
        ) => AnswerKind::Time,
        Some(Attribute::BirthPlace | Attribute::DeathPlace | Attribute::Country) => {
            AnswerKind::Place
        }
        Some(_) => AnswerKind::Entity,
        None => kind,
    };
    Some(Answered {
        answer: Answer {
            text: reached.value.text,
            kind,
        },
        certainty: 0.9,
        from: reached.from,
    })
}

/// The last relation of a path whose steps could not be followed one by one, read from the selected
/// passages: those that were reached from others first.
pub(super) fn last_step(
    asked: &Asked,
    pool: &Pool,
    selected: &[PassageId],
    path: &Path,
) -> Option<Answered> {
    let kind = asked.analysis.answer;
    let role = path
        .roles
        .last()
        .copied()
        .filter(|_| path.attribute.is_none());
    // Of a question that is only half understood, the attribute may belong to anything.
    if !path.whole || path.attribute.is_none() && (role.is_none() || kind != AnswerKind::Person) {
        return None;
    }
    let mut candidates: Vec<&Candidate> = selected
        .iter()
        .take(READ_FOR_LAST)
        .filter_map(|&id| pool.get(id))
        .collect();
    candidates.sort_by_key(|c| {
        !c.leads
            .iter()
            .any(|l| !l.asked && selected.contains(&l.from))
    });
    for candidate in candidates {
        let reading = Reading::new(&candidate.passage.text);
        let values = match (path.attribute, role) {
            (Some(attribute), _) => reading.attribute(attribute),
            (None, Some(role)) => reading.people(role),
            (None, None) => Vec::new(),
        };
        if let Some(value) = values.into_iter().find(|v| !asked.mentions(&v.text)) {
            return Some(Answered {
                from: vec![(candidate.passage.id, value.range)],
                answer: Answer {
                    text: value.text,
                    kind,
                },
                certainty: 0.4,
            });
        }
    }
    None
}

/// Passages that the last relation is read from.
const READ_FOR_LAST: usize = 5;
