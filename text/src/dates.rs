//! Calendar dates in running text.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use indago_core::Date;

use crate::words::words;

/// A date and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DateMention {
    /// Bytes of the input.
    pub range: Range<usize>,
    /// What it says; unknown parts are absent.
    pub date: Date,
}

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// Whether `word` is an English month's name in full, in any case.
pub fn is_month(word: &str) -> bool {
    MONTHS.iter().any(|m| m.eq_ignore_ascii_case(word))
}

/// The month's number, for English month names and their usual abbreviations, in any case.
pub(crate) fn month(word: &str) -> Option<u8> {
    if !(3..=9).contains(&word.len()) || !word.is_ascii() {
        return None;
    }
    let lower = word.to_ascii_lowercase();
    if lower == "sept" {
        return Some(9);
    }
    let found = MONTHS
        .iter()
        .position(|m| *m == lower || (lower.len() == 3 && m.starts_with(&lower)));
    found.map(|i| i as u8 + 1)
}

fn day(word: &str) -> Option<u8> {
    let digits = word.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let suffix = &word[digits.len()..];
    let sound = digits.len() <= 2 && matches!(suffix, "" | "st" | "nd" | "rd" | "th");
    digits
        .parse()
        .ok()
        .filter(|d| sound && (1..=31).contains(d))
}

fn year(word: &str) -> Option<i32> {
    let sound = word.len() == 4 && word.bytes().all(|b| b.is_ascii_digit());
    word.parse()
        .ok()
        .filter(|y| sound && (1000..=2199).contains(y))
}

/// The dates of `text`, in order and disjoint: `30 October 2023`, `October 30th, 2023`,
/// `Oct 2023`, `2023-10-30`, `2023`, `1890s` (its first year), `44 BC`.
///
/// A four-digit number counts as a year between 1000 and 2199, unless a unit or a currency says
/// otherwise. A day and month without a year are no date.
pub fn dates(text: &str) -> Vec<DateMention> {
    let spans = words(text);
    let word = |i: usize| spans.get(i).map_or("", |r: &Range<usize>| &text[r.clone()]);
    let gap = |i: usize| match (spans.get(i), spans.get(i + 1)) {
        (Some(a), Some(b)) => &text[a.end..b.start],
        _ => "\0",
    };
    let near = |i: usize| matches!(gap(i).trim(), "" | "," | ".") && gap(i).len() <= 3;
    let mut found = Vec::new();
    let mut i = 0;
    while i < spans.len() {
        // `1891-1974` is one word and two dates.
        if let Some((from, to)) = word(i).split_once('-')
            && let (Some(first), Some(last)) = (year(from), year(to))
        {
            let (start, end) = (spans[i].start, spans[i].end);
            for (y, range) in [(first, start..start + 4), (last, end - 4..end)] {
                found.extend(Date::new(y, None, None).map(|date| DateMention { range, date }));
            }
            i += 1;
            continue;
        }
        let hit = read_date(i, &word, &near, &|i| previous_char(text, spans[i].start));
        match hit {
            Some((date, taken)) => {
                let range = spans[i].start..spans[i + taken - 1].end;
                found.push(DateMention { range, date });
                i += taken;
            }
            None => i += 1,
        }
    }
    found
}

fn previous_char(text: &str, at: usize) -> Option<char> {
    text[..at].chars().next_back()
}

/// The date that begins at word `i`, and how many words it takes.
fn read_date<'t>(
    i: usize,
    word: &dyn Fn(usize) -> &'t str,
    near: &dyn Fn(usize) -> bool,
    before: &dyn Fn(usize) -> Option<char>,
) -> Option<(Date, usize)> {
    let first = word(i);
    // 2023-10-30 and 2023-10
    if first.len() >= 7 && first.as_bytes()[4] == b'-' && first.is_ascii() {
        let date: Option<Date> = first.parse().ok();
        return date.filter(|d| d.month.is_some()).map(|d| (d, 1));
    }
    // 30 October 2023; 30th of October 2023
    if let Some(d) = day(first) {
        let of = usize::from(word(i + 1) == "of");
        if let Some(m) = month(word(i + 1 + of)).filter(|_| near(i) && near(i + of))
            && near(i + 1 + of)
            && let Some(y) = year(word(i + 2 + of))
        {
            return Date::new(y, Some(m), Some(d)).map(|date| (date, 3 + of));
        }
    }
    // October 30, 2023; October 2023
    if first.starts_with(|c: char| c.is_ascii_uppercase())
        && let Some(m) = month(first)
    {
        if near(i)
            && near(i + 1)
            && let (Some(d), Some(y)) = (day(word(i + 1)), year(word(i + 2)))
        {
            return Date::new(y, Some(m), Some(d)).map(|date| (date, 3));
        }
        if near(i)
            && let Some(y) = year(word(i + 1))
        {
            return Date::new(y, Some(m), None).map(|date| (date, 2));
        }
    }
    // 44 BC
    if matches!(word(i + 1), "BC" | "BCE") && near(i) && first.len() <= 4 {
        let y: Option<i32> = first.parse().ok().filter(|y| *y >= 1);
        return y
            .and_then(|y| Date::new(1 - y, None, None))
            .map(|date| (date, 2));
    }
    // 1890s, 2023
    let bare = first.strip_suffix('s').unwrap_or(first);
    let y = year(bare)?;
    let money = before(i).is_some_and(|c| matches!(c, '$' | '€' | '£' | '#' | '.' | ','));
    let unit = matches!(
        word(i + 1),
        "km" | "m"
            | "metres"
            | "meters"
            | "feet"
            | "ft"
            | "miles"
            | "people"
            | "kg"
            | "tons"
            | "tonnes"
            | "residents"
            | "inhabitants"
            | "acres"
            | "employees"
            | "households"
    );
    (!money && !unit).then_some(())?;
    Date::new(y, None, None).map(|date| (date, 1))
}
