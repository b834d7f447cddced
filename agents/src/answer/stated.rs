//! Answers in a stated form: who held an office at some time, and what somebody did for a living.

use indago_core::{Answer, AnswerKind, PassageId};

use super::Answered;
use crate::asked::{Asked, TermSet};
use crate::pool::{Candidate, Pool};

/// Passages that are read for a stated form.
const PASSAGES: usize = 8;

/// Longest trade that is believed, in words.
const TRADE_WORDS: usize = 3;

/// Who held what the question asks for when the event in its `when` clause took place: the row
/// `name | from | to` of a table whose years enclose the year of the event.
pub(super) fn holder_at(asked: &Asked, pool: &Pool, selected: &[PassageId]) -> Option<Answered> {
    if asked.analysis.answer != AnswerKind::Person {
        return None;
    }
    let (office, event) = asked.text.split_once(" when ")?;
    let (office, event) = (asked.terms_in(office), asked.terms_in(event));
    let read = || {
        let passages = selected.iter().take(PASSAGES);
        passages.filter_map(|&id| pool.get(id))
    };
    let (_, when, year) = read()
        .filter_map(|c| dated(asked, c, event))
        .max_by(|a, b| a.0.total_cmp(&b.0))?;
    let mut best: Option<(f64, Answered)> = None;
    for candidate in read() {
        let weight = asked.weight(candidate.terms & office);
        if best.as_ref().is_some_and(|(w, _)| *w >= weight) {
            continue;
        }
        let Some(range) = row(&candidate.passage.text, year) else {
            continue;
        };
        let found = Answered {
            answer: Answer {
                text: candidate.passage.text[range.clone()].to_owned(),
                kind: AnswerKind::Person,
            },
            certainty: 0.6,
            from: vec![when.clone(), (candidate.passage.id, range)],
        };
        best = Some((weight, found));
    }
    best.map(|(_, found)| found)
}

/// `before` or `after`, for a question that offers the two: by the dates of both events.
pub(super) fn before_or_after(
    asked: &Asked,
    pool: &Pool,
    selected: &[PassageId],
) -> Option<Answered> {
    let (first, second) = asked.text.split_once(" before or after ")?;
    let date = |clause: &str| {
        let event = asked.terms_in(clause);
        let read = selected
            .iter()
            .take(PASSAGES)
            .filter_map(|&id| pool.get(id));
        read.filter_map(|c| dated(asked, c, event))
            .max_by(|a, b| a.0.total_cmp(&b.0))
    };
    let (first, second) = (date(first)?, date(second)?);
    if first.2 == second.2 {
        return None;
    }
    let text = if first.2 < second.2 {
        "before"
    } else {
        "after"
    };
    Some(Answered {
        answer: Answer {
            text: text.to_owned(),
            kind: AnswerKind::Choice,
        },
        certainty: 0.8,
        from: vec![first.1, second.1],
    })
}

/// Share of `event` in the sentence of `candidate` that dates it best, its place and its year.
fn dated(asked: &Asked, candidate: &Candidate, event: TermSet) -> Option<(f64, super::Place, i32)> {
    let text = &candidate.passage.text;
    candidate
        .sentences
        .iter()
        .filter(|s| s.terms & event != 0)
        .filter_map(|s| {
            let date = indago_text::dates(&text[s.range.clone()])
                .into_iter()
                .next()?;
            let range = s.range.start + date.range.start..s.range.start + date.range.end;
            let share = asked.weight(s.terms & event) / asked.weight(event).max(1e-9);
            (share > 0.5).then_some((share, (candidate.passage.id, range), date.date.year))
        })
        .reduce(|a, b| if b.0 > a.0 { b } else { a })
}

/// The first cell of the row of `text` whose two years enclose `year`; of two that do, the later.
fn row(text: &str, year: i32) -> Option<std::ops::Range<usize>> {
    let mut start = 0;
    let mut found = None;
    for line in text.split_inclusive('\n') {
        let cells: Vec<&str> = line
            .split('|')
            .map(str::trim)
            .filter(|c| !c.is_empty())
            .collect();
        if let [name, from, to] = cells.as_slice()
            && let Ok(from) = from.parse::<i32>()
            && let Some(at) = line.find(name)
        {
            let to = match *to {
                "present" | "now" | "today" => i32::MAX,
                other => other.parse().unwrap_or(i32::MIN),
            };
            if from <= year && year <= to {
                found = Some(start + at..start + at + name.len());
            }
        }
        start += line.len();
    }
    found
}

/// The trade of a person, or of a person's father or mother: `the daughter of a crane driver`.
pub(super) fn occupation(asked: &Asked, pool: &Pool, selected: &[PassageId]) -> Option<Answered> {
    let words = &asked.analysis.relation_words;
    let asks = |any: &[&str]| any.iter().any(|w| words.iter().any(|x| x == w));
    if !asks(&["occupation", "profession", "trade", "job"]) {
        return None;
    }
    let cues: &[&str] = if asks(&["father", "mother", "parent", "parents"]) {
        &[
            "son of a",
            "daughter of a",
            "child of a",
            "father was a",
            "mother was a",
        ]
    } else {
        &[" was a", " is a", "worked as a"]
    };
    for candidate in selected
        .iter()
        .take(PASSAGES)
        .filter_map(|&id| pool.get(id))
    {
        let text = candidate.passage.text.as_str();
        for cue in cues {
            for (at, _) in text.match_indices(cue) {
                let after = at + cue.len();
                let rest = text.get(after..).unwrap_or_default();
                let article = if rest.starts_with("n ") { 2 } else { 1 };
                if !rest.starts_with("n ") && !rest.starts_with(' ') {
                    continue;
                }
                let phrase = indago_text::noun_phrases(rest.get(article..).unwrap_or_default())
                    .into_iter()
                    .next()
                    .filter(|p| p.start == 0);
                let Some(phrase) = phrase else { continue };
                let range = after + article + phrase.start..after + article + phrase.end;
                let trade = &text[range.clone()];
                let short = trade.split_whitespace().count() <= TRADE_WORDS;
                if short && !trade.contains(char::is_uppercase) {
                    return Some(Answered {
                        answer: Answer {
                            text: trade.to_owned(),
                            kind: AnswerKind::Entity,
                        },
                        certainty: 0.6,
                        from: vec![(candidate.passage.id, range)],
                    });
                }
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_holds_the_year() {
        let text = "| Head | From | To |\n|---|---|---|\n| Ada Quill | 2003 | 2011 |\n| Ben Ashe | 2011 | present |\n";
        assert_eq!(row(text, 2007).map(|r| &text[r]), Some("Ada Quill"));
        assert_eq!(row(text, 2018).map(|r| &text[r]), Some("Ben Ashe"));
        assert_eq!(row(text, 1990), None);
    }
}
