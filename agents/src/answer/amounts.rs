//! Comparisons of measured amounts: which is longer, which received more.

use indago_core::{Answer, AnswerKind};
use indago_text::question::Direction;

use super::{Answered, Place, about};
use crate::asked::{Asked, contains_phrase};
use crate::pool::{Candidate, Pool};

/// Passages about an option that are read for its amount.
const PASSAGES: usize = 3;

/// An amount with its unit, where it stands, and the bytes between it and what says what it is.
struct Amount {
    value: f64,
    unit: Option<String>,
    from: Place,
    gap: usize,
}

/// The option with the larger or the smaller amount, where an amount of the same unit is stated of
/// every one.
pub(super) fn compare(
    asked: &Asked,
    pool: &Pool,
    options: &[&str],
    word: &str,
    direction: Direction,
) -> Option<Answered> {
    let mut cues: Vec<String> = measured_by(word)
        .iter()
        .flat_map(|w| indago_text::terms(w))
        .collect();
    for relation in &asked.analysis.relation_words {
        cues.extend(indago_text::terms(relation));
        if matches!(
            relation.as_str(),
            "money" | "paid" | "cost" | "costs" | "funding" | "grant"
        ) {
            cues.extend(MONEY.iter().flat_map(|w| indago_text::terms(w)));
        }
    }
    let own: Vec<String> = options.iter().flat_map(|o| indago_text::terms(o)).collect();
    cues.retain(|cue| !own.contains(cue));
    let found: Vec<Vec<Amount>> = options
        .iter()
        .map(|option| amounts(pool, option, &cues))
        .collect();
    let chosen = found.first()?.iter().find_map(|first| {
        let mut row = vec![first];
        for others in found.iter().skip(1) {
            row.push(others.iter().find(|a| a.unit == first.unit)?);
        }
        Some(row)
    })?;
    let order = |a: &(usize, &&Amount), b: &(usize, &&Amount)| a.1.value.total_cmp(&b.1.value);
    let rows = chosen.iter().enumerate();
    let (best, _) = match direction {
        Direction::Least => rows.min_by(order),
        Direction::Most => rows.max_by(order),
    }?;
    Some(Answered {
        answer: Answer {
            text: (*options.get(best)?).to_owned(),
            kind: AnswerKind::Choice,
        },
        certainty: 0.8,
        from: chosen.iter().map(|a| a.from.clone()).collect(),
    })
}

/// Amounts that passages state of `option`, those nearest to a cue first.
fn amounts(pool: &Pool, option: &str, cues: &[String]) -> Vec<Amount> {
    let name = indago_text::normalize_name(option);
    let mut found = Vec::new();
    let subjects = about(pool, option);
    for candidate in subjects.iter().take(PASSAGES) {
        read(candidate, None, cues, &mut found);
    }
    if found.is_empty() {
        let document = subjects.first().map(|c| &c.passage.document);
        for candidate in pool.iter() {
            // A document about the option goes on about it.
            let same = document.is_some_and(|d| *d == candidate.passage.document);
            read(candidate, Some(&name).filter(|_| !same), cues, &mut found);
        }
    }
    found.sort_by(|a, b| (a.gap, &a.from.0).cmp(&(b.gap, &b.from.0)));
    found
}

/// Amounts in the sentences of `candidate` that have a cue, and `name` where one is asked for.
fn read(candidate: &Candidate, name: Option<&String>, cues: &[String], found: &mut Vec<Amount>) {
    let text = candidate.passage.text.as_str();
    for sentence in &candidate.sentences {
        let within = text.get(sentence.range.clone()).unwrap_or_default();
        let normal = name.map(|n| (n, indago_text::normalize_name(within)));
        if normal.is_some_and(|(n, sentence)| !contains_phrase(&sentence, n)) {
            continue;
        }
        let mut places = Vec::new();
        indago_text::for_each_term(within, |term, at| {
            if cues.iter().any(|cue| cue == term) {
                places.push(at);
            }
        });
        for number in indago_text::numbers(within) {
            let digits = &within[number.range.clone()];
            let year = number.unit.is_none()
                && digits.len() == 4
                && (1000.0..2100.0).contains(&number.value);
            if year || number.unit.as_deref() == Some("ordinal") {
                continue;
            }
            let gap = places
                .iter()
                .map(|at| {
                    if at.end <= number.range.start {
                        number.range.start - at.end
                    } else {
                        at.start.saturating_sub(number.range.end)
                    }
                })
                .min();
            if let Some(gap) = gap {
                let start = sentence.range.start + number.range.start;
                found.push(Amount {
                    value: number.value,
                    unit: number.unit.as_deref().map(unit),
                    from: (candidate.passage.id, start..start + digits.len()),
                    gap,
                });
            }
        }
    }
}

/// Words that stand beside an amount of money.
const MONEY: &[&str] = &[
    "dollars", "euros", "pounds", "kroner", "crowns", "million", "budget", "grant",
];

/// Words that stand beside what a comparative measures.
fn measured_by(word: &str) -> &'static [&'static str] {
    match word {
        "longer" | "longest" | "shorter" | "shortest" => &["long", "length", "short"],
        "higher" | "highest" | "taller" | "tallest" | "lower" | "lowest" => &[
            "high",
            "height",
            "tall",
            "elevation",
            "altitude",
            "above sea level",
        ],
        "larger" | "largest" | "bigger" | "biggest" | "smaller" | "smallest" => &[
            "large",
            "area",
            "size",
            "population",
            "square",
            "inhabitants",
        ],
        "heavier" | "heaviest" => &["heavy", "weight", "weighs"],
        "deeper" | "deepest" => &["deep", "depth"],
        "wider" | "widest" => &["wide", "width"],
        "faster" | "fastest" | "slower" | "slowest" => &["speed", "fast", "knots"],
        _ => &[],
    }
}

/// One spelling for units of length.
fn unit(written: &str) -> String {
    match written {
        "metre" | "metres" | "meter" | "meters" | "m" => "m",
        "kilometre" | "kilometres" | "kilometer" | "kilometers" | "km" => "km",
        "foot" | "feet" | "ft" => "ft",
        other => other,
    }
    .to_owned()
}
