//! The best span of the wanted kind, by the words around it.

use std::collections::BTreeMap;
use std::ops::Range;

use indago_core::{Answer, AnswerKind, PassageId};

use super::{Answered, countries};
use crate::asked::{Asked, TermSet};
use crate::pool::{Candidate, Pool};

/// Passages that spans are taken from.
const PASSAGES: usize = 6;

struct Span {
    text: String,
    key: String,
    score: f64,
    passage: PassageId,
    range: Range<usize>,
}

/// The best span among `selected`.
pub(super) fn best_span(asked: &Asked, pool: &Pool, selected: &[PassageId]) -> Option<Answered> {
    let kind = asked.analysis.answer;
    let last = last_hop(asked);
    // The title of a passage on the way is a step, not the answer.
    let chained = asked.analysis.hops.len() >= 2;
    let mut spans: Vec<Span> = Vec::new();
    for &id in selected.iter().take(PASSAGES) {
        let Some(candidate) = pool.get(id) else {
            continue;
        };
        let reached = candidate
            .leads
            .iter()
            .any(|l| !l.asked && selected.contains(&l.from));
        for (text, range) in of_kind(asked, candidate, kind) {
            let near = candidate
                .sentence_at(range.start)
                .map_or((0, 0..0), |s| (s.terms, s.range.clone()));
            let own = asked.terms_in(&text);
            let score = 0.5 * (1.0 + 20.0 * candidate.p).ln()
                + 1.5 * asked.share(near.0 & !own)
                + 2.0 * asked.weight(near.0 & last & !own) / asked.weight(last).max(1e-9)
                + closeness(asked, candidate, &near.1, &range, last)
                + if reached { 0.5 } else { 0.0 }
                + of_focus(asked, &text)
                - if chained && range.is_empty() {
                    0.8
                } else {
                    0.0
                }
                + if kind == AnswerKind::Person {
                    personal(&text)
                } else {
                    0.0
                }
                - if leads_on(pool, selected, id, &text) {
                    0.7
                } else {
                    0.0
                };
            let key = indago_text::normalize_name(&text);
            spans.push(Span {
                text,
                key,
                score,
                passage: id,
                range,
            });
        }
    }
    merge_short_forms(&mut spans);
    // A name that several passages agree on is likelier.
    let mut agreed: BTreeMap<&str, Vec<PassageId>> = BTreeMap::new();
    for span in &spans {
        let passages = agreed.entry(span.key.as_str()).or_default();
        if !passages.contains(&span.passage) {
            passages.push(span.passage);
        }
    }
    let weight = if asked.analysis.sources.is_empty() {
        0.3
    } else {
        1.0
    };
    let best = spans
        .iter()
        .map(|s| {
            (
                s.score + weight * (agreed.get(s.key.as_str()).map_or(1, Vec::len) as f64 - 1.0),
                s,
            )
        })
        .max_by(|a, b| {
            a.0.total_cmp(&b.0)
                .then(b.1.range.start.cmp(&a.1.range.start))
        })?;
    Some(Answered {
        answer: Answer {
            text: best.1.text.clone(),
            kind,
        },
        certainty: 0.3,
        from: vec![(best.1.passage, best.1.range.clone())],
    })
}

/// How far `name` is the kind of thing that the question's head noun says.
fn of_focus(asked: &Asked, name: &str) -> f64 {
    let Some(focus) = asked.analysis.focus.as_deref() else {
        return 0.0;
    };
    let country = matches!(focus, "country" | "nation");
    if country {
        return if countries::country(name).is_some() {
            1.5
        } else {
            -0.5
        };
    }
    let has = indago_text::words(name)
        .into_iter()
        .any(|word| name[word].eq_ignore_ascii_case(focus));
    if has { 1.0 } else { 0.0 }
}

/// How far `name` looks like a person's: several words do, an acronym does not.
fn personal(name: &str) -> f64 {
    if name.contains(' ') {
        0.6
    } else if name.chars().all(|c| c.is_uppercase() || !c.is_alphabetic()) {
        -1.0
    } else {
        0.0
    }
}

/// Gives a surname the full name that some span has: `Quill` becomes `Ada Quill`.
fn merge_short_forms(spans: &mut [Span]) {
    let full: Vec<(String, String)> = spans
        .iter()
        .map(|s| (s.key.clone(), s.text.clone()))
        .collect();
    for span in spans {
        if span.text.contains(' ') {
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

/// Terms of the relation that gives the answer.
fn last_hop(asked: &Asked) -> TermSet {
    let words = asked
        .analysis
        .hops
        .last()
        .map(|h| h.relation.join(" "))
        .unwrap_or_default();
    let focus = asked.analysis.focus.clone().unwrap_or_default();
    asked.terms_in(&format!("{words} {focus}"))
}

/// Spans of `kind` that the question does not name.
fn of_kind(asked: &Asked, candidate: &Candidate, kind: AnswerKind) -> Vec<(String, Range<usize>)> {
    let text = &candidate.passage.text;
    let found: Vec<(String, Range<usize>)> = match kind {
        AnswerKind::Time => indago_text::dates(text)
            .into_iter()
            .map(|d| (text[d.range.clone()].to_owned(), d.range))
            .collect(),
        AnswerKind::Quantity => indago_text::numbers(text)
            .into_iter()
            .filter(|n| n.unit.as_deref() != Some("ordinal"))
            .map(|n| (text[n.range.clone()].to_owned(), n.range))
            .collect(),
        _ => {
            let mut names: Vec<(String, Range<usize>)> = indago_text::names(text)
                .into_iter()
                .filter(|n| !countries::is_adjective(&n.text))
                .map(|n| (n.text, n.range))
                .collect();
            let title = indago_text::strip_disambiguation(&candidate.passage.title);
            if asked.analysis.sources.is_empty() {
                if !title.is_empty() {
                    names.push((title.to_owned(), 0..0));
                }
            } else {
                // An article's title is a sentence; the names in it are worth as much as any.
                names.extend(
                    indago_text::names(title)
                        .into_iter()
                        .map(|n| (n.text, 0..0)),
                );
            }
            names
        }
    };
    found
        .into_iter()
        .filter(|(text, _)| !asked.mentions(text))
        .collect()
}

/// Nearness of a term of the last hop in the same sentence: 1 when adjacent.
fn closeness(
    asked: &Asked,
    candidate: &Candidate,
    sentence: &Range<usize>,
    range: &Range<usize>,
    last: TermSet,
) -> f64 {
    let Some(text) = candidate.passage.text.get(sentence.clone()) else {
        return 0.0;
    };
    let mut nearest = usize::MAX;
    indago_text::for_each_term(text, |term, at| {
        if asked.bit(term) & last != 0 {
            let (start, end) = (sentence.start + at.start, sentence.start + at.end);
            let gap = if start >= range.end {
                start - range.end
            } else {
                range.start.saturating_sub(end)
            };
            nearest = nearest.min(gap);
        }
    });
    if nearest == usize::MAX {
        0.0
    } else {
        1.0 / (1.0 + nearest as f64 / 20.0)
    }
}

/// Whether `name` of passage `id` led to another selected passage.
fn leads_on(pool: &Pool, selected: &[PassageId], id: PassageId, name: &str) -> bool {
    selected
        .iter()
        .filter_map(|&other| pool.get(other))
        .any(|c| c.leads.iter().any(|l| l.from == id && l.name == name))
}
