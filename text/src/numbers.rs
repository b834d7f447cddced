//! Numbers in running text, in digits and in words, with their units.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::words::words;

/// A number and where it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NumberMention {
    /// Bytes of the input, sign, scale and unit included.
    pub range: Range<usize>,
    /// Its value, scale words applied: `1.5 million` is 1 500 000.
    pub value: f64,
    /// What is counted or measured: `%`, `$`, `km`, `people`; `ordinal` for `3rd`.
    pub unit: Option<String>,
}

fn small(word: &str) -> Option<f64> {
    Some(match word {
        "zero" => 0.0,
        "one" => 1.0,
        "two" => 2.0,
        "three" => 3.0,
        "four" => 4.0,
        "five" => 5.0,
        "six" => 6.0,
        "seven" => 7.0,
        "eight" => 8.0,
        "nine" => 9.0,
        "ten" => 10.0,
        "eleven" => 11.0,
        "twelve" => 12.0,
        "thirteen" => 13.0,
        "fourteen" => 14.0,
        "fifteen" => 15.0,
        "sixteen" => 16.0,
        "seventeen" => 17.0,
        "eighteen" => 18.0,
        "nineteen" => 19.0,
        "twenty" => 20.0,
        "thirty" => 30.0,
        "forty" => 40.0,
        "fifty" => 50.0,
        "sixty" => 60.0,
        "seventy" => 70.0,
        "eighty" => 80.0,
        "ninety" => 90.0,
        _ => return None,
    })
}

fn scale(word: &str) -> Option<f64> {
    Some(match word {
        "hundred" => 1e2,
        "thousand" => 1e3,
        "million" | "mn" => 1e6,
        "billion" | "bn" => 1e9,
        "trillion" | "tn" => 1e12,
        "dozen" => 12.0,
        _ => return None,
    })
}

fn ordinal_word(word: &str) -> Option<f64> {
    const ORDINALS: [&str; 12] = [
        "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth",
        "tenth", "eleventh", "twelfth",
    ];
    ORDINALS
        .iter()
        .position(|o| *o == word)
        .map(|i| i as f64 + 1.0)
}

/// `12`, `1,250.50`, `3rd`, `70s`; with whether it is an ordinal.
fn digits(word: &str) -> Option<(f64, bool)> {
    if !word.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let number = word.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let suffix = &word[number.len()..];
    let ordinal = matches!(suffix, "st" | "nd" | "rd" | "th");
    let (scale, sound) = match suffix {
        "" => (1.0, true),
        "k" | "K" => (1e3, true),
        "m" | "M" => (1e6, true),
        "b" | "bn" | "B" => (1e9, true),
        _ => (1.0, ordinal || is_unit(suffix)),
    };
    let plain: String = number.chars().filter(|c| *c != ',').collect();
    plain
        .parse::<f64>()
        .ok()
        .filter(|_| sound)
        .map(|v| (v * scale, ordinal))
}

/// Units that are written as one word after a number.
fn is_unit(word: &str) -> bool {
    matches!(
        word,
        "%" | "km"
            | "m"
            | "cm"
            | "mm"
            | "ft"
            | "feet"
            | "foot"
            | "in"
            | "inch"
            | "inches"
            | "mi"
            | "mile"
            | "miles"
            | "metre"
            | "metres"
            | "meter"
            | "meters"
            | "kilometre"
            | "kilometres"
            | "kilometer"
            | "kilometers"
            | "kg"
            | "g"
            | "mg"
            | "lb"
            | "lbs"
            | "pounds"
            | "tonnes"
            | "tons"
            | "ton"
            | "acres"
            | "hectares"
            | "ha"
            | "km2"
            | "mph"
            | "kph"
            | "knots"
            | "kW"
            | "MW"
            | "GW"
            | "kWh"
            | "MWh"
            | "V"
            | "W"
            | "Hz"
            | "MHz"
            | "GHz"
            | "KB"
            | "kB"
            | "MB"
            | "GB"
            | "TB"
            | "ms"
            | "s"
            | "seconds"
            | "second"
            | "minutes"
            | "minute"
            | "hours"
            | "hour"
            | "days"
            | "day"
            | "weeks"
            | "week"
            | "months"
            | "month"
            | "years"
            | "year"
            | "percent"
            | "people"
            | "inhabitants"
            | "residents"
            | "employees"
            | "dollars"
            | "euros"
            | "copies"
            | "members"
            | "degrees"
            | "points"
            | "votes"
            | "seats"
            | "episodes"
            | "goals"
            | "students"
            | "passengers"
            | "species"
    )
}

/// The numbers of `text`, in order and disjoint. Years and days of dates are numbers as well.
pub fn numbers(text: &str) -> Vec<NumberMention> {
    let spans = words(text);
    let mut found = Vec::new();
    let mut i = 0;
    while let Some(span) = spans.get(i) {
        let Some((value, unit, taken)) = read_number(text, &spans, i) else {
            i += 1;
            continue;
        };
        let mut range = span.start..spans[i + taken - 1].end;
        let mut mention_unit = unit;
        let before = &text[..range.start];
        let rest = &text[range.end..];
        let mut value = value;
        if let Some(sign) = before.chars().next_back().filter(|c| "$€£¥".contains(*c)) {
            range.start -= sign.len_utf8();
            mention_unit = Some(sign.to_string());
        } else if before.ends_with(['-', '\u{2212}']) {
            let minus = before.chars().next_back().map_or(0, char::len_utf8);
            let earlier = before[..before.len() - minus].chars().next_back();
            if earlier.is_none_or(|c| c.is_whitespace() || c == '(') {
                value = -value;
                range.start -= minus;
            }
        }
        if let Some(after) = rest.strip_prefix('%') {
            range.end = text.len() - after.len();
            mention_unit = Some("%".to_owned());
        }
        found.push(NumberMention {
            range,
            value,
            unit: mention_unit,
        });
        i += taken;
    }
    found
}

/// Value, unit and number of words of the number that begins at word `i`.
fn read_number(
    text: &str,
    spans: &[Range<usize>],
    i: usize,
) -> Option<(f64, Option<String>, usize)> {
    let word = |i: usize| spans.get(i).map_or("", |r| &text[r.clone()]);
    let spaced = |i: usize| match (spans.get(i), spans.get(i + 1)) {
        (Some(a), Some(b)) => matches!(&text[a.end..b.start], " " | "\u{a0}" | "-"),
        _ => false,
    };
    let first = word(i);
    let mut taken = 1;
    let mut value;
    let mut unit = None;
    if let Some((number, ordinal)) = digits(first) {
        value = number;
        if ordinal {
            return Some((value, Some("ordinal".to_owned()), 1));
        }
        let letters = first.trim_start_matches(|c: char| !c.is_ascii_alphabetic());
        if is_unit(letters) && !matches!(letters, "m") {
            return Some((value, Some(letters.to_owned()), 1));
        }
        while spaced(i + taken - 1)
            && let Some(by) = scale(&word(i + taken).to_lowercase())
        {
            value *= by;
            taken += 1;
        }
    } else {
        let lower = first.to_lowercase();
        if let Some(value) = ordinal_word(&lower) {
            return Some((value, Some("ordinal".to_owned()), 1));
        }
        (value, taken) = spelled(i, &word, &spaced)?;
    }
    if spaced(i + taken - 1) && is_unit(word(i + taken)) {
        let name = word(i + taken);
        unit = Some(if name == "percent" {
            "%".to_owned()
        } else {
            name.to_owned()
        });
        taken += 1;
    }
    Some((value, unit, taken))
}

/// `twenty-five`, `two hundred and six thousand`.
fn spelled<'t>(
    i: usize,
    word: &dyn Fn(usize) -> &'t str,
    spaced: &dyn Fn(usize) -> bool,
) -> Option<(f64, usize)> {
    let simple = |w: &str| -> Option<f64> {
        if let Some((tens, ones)) = w.split_once('-') {
            return Some(small(tens)? + small(ones)?);
        }
        small(w)
    };
    let (mut total, mut group) = (0.0, simple(&word(i).to_lowercase())?);
    let mut taken = 1;
    while spaced(i + taken - 1) {
        let mut skip = 0;
        let mut next = word(i + taken).to_lowercase();
        if next == "and" && spaced(i + taken) && total + group >= 100.0 {
            skip = 1;
            next = word(i + taken + 1).to_lowercase();
        }
        if let Some(by) = scale(&next).filter(|_| skip == 0) {
            if by > 100.0 {
                total += group * by;
                group = 0.0;
            } else {
                group *= by;
            }
        } else if let Some(more) = simple(&next).filter(|_| (total + group) % 10.0 == 0.0) {
            group += more;
        } else {
            break;
        }
        taken += 1 + skip;
    }
    Some((total + group, taken))
}
