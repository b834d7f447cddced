//! The things a question compares or offers for choice.

use std::ops::Range;

use super::Span;
use super::parse::{Parse, is_auxiliary, is_question_word};

/// The options, in order; none or at least two.
///
/// `pairs` says whether `A and B` may be options; not so where several sources are asked about.
pub(super) fn options(parse: &Parse<'_>, pairs: bool) -> Vec<Span> {
    let paired = || if pairs { paired(parse) } else { None };
    let found = offered(parse).or_else(paired).unwrap_or_default();
    found
        .into_iter()
        .map(|range| Span::of(parse.text, range))
        .collect()
}

/// `..., A or B?`; `... A, B, or C`; `Did A or B ...?`
fn offered(parse: &Parse<'_>) -> Option<Vec<Range<usize>>> {
    let at = (1..parse.len().saturating_sub(1)).rfind(|&i| {
        let named_after = parse.is_named(i + 1) || starts_option(parse, i + 1);
        parse.plain(i) == "or" && named_after && ends_option(parse, i - 1)
    })?;
    // The name may go on past its last word: `Ann Lee (1686–1753)`.
    let whole = parse.name_of[at - 1]
        .and_then(|n| parse.strict.get(n))
        .map_or(0, |n| n.range.end);
    let left_end = parse.words.get(at - 1)?.end.max(whole);
    let right_start = parse.words.get(at + 1)?.start;
    let right_end = right_edge(parse, at + 1);
    let mut found: Vec<Range<usize>> = Vec::new();
    if let Some(start) = segment_start(parse, at) {
        if parse.gap(at - 1).starts_with(',') {
            found = split_commas(parse.text, start..left_end);
        } else {
            found.push(start..left_end);
        }
    } else {
        let name = parse.longest_ending_at(at - 1)?;
        found.push(name.range.start..left_end.max(name.range.end));
    }
    found.push(right_start..right_end);
    let found: Vec<_> = found
        .into_iter()
        .filter_map(|r| trimmed(parse, r))
        .collect();
    (found.len() >= 2).then_some(found)
}

/// Whether an option may begin with word `i` although it is no name: `the film X`.
fn starts_option(parse: &Parse<'_>, i: usize) -> bool {
    let near = (i..parse.len().min(i + 6)).find(|&j| parse.is_named(j));
    near.is_some_and(|j| {
        (i..j).all(|k| !is_auxiliary(parse.lower(k)) && !is_question_word(parse.lower(k)))
    })
}

fn ends_option(parse: &Parse<'_>, i: usize) -> bool {
    parse.is_named(i) || parse.longest_ending_at(i).is_some()
}

/// Where the list before the `or` at word `at` begins: after the earliest comma from which on
/// nothing but options stands.
fn segment_start(parse: &Parse<'_>, at: usize) -> Option<usize> {
    let mut best = None;
    for i in (0..at).rev() {
        let word = parse.plain(i);
        if is_auxiliary(word) || is_question_word(word) || super::answer::is_verb_like(word) {
            break;
        }
        let gap = if i == 0 { "" } else { parse.gap(i - 1) };
        let mark = gap
            .trim_start()
            .starts_with([',', ':', '?', ';', '-', '–', '—']);
        let fresh = parse.is_capital(i) || parse.is_named(i) || starts_option(parse, i);
        if mark && fresh {
            best = parse.words.get(i).map(|w| w.start);
        }
    }
    best
}

/// The end of the option that begins at word `i`: the question's end, a comma, or the first
/// lower-case verb or preposition after its last name.
fn right_edge(parse: &Parse<'_>, i: usize) -> usize {
    let mut end = parse.words.get(i).map_or(parse.text.len(), |w| w.end);
    let start = (i..parse.len()).find(|&j| parse.is_named(j)).unwrap_or(i);
    if let Some(name) = parse.longest_starting_at(start) {
        // A joined name is trusted only as far as the sentence's last word.
        let closed = parse.text[name.range.end..].starts_with(" both");
        let runs_to_end = closed
            || parse.text[name.range.end..]
                .chars()
                .all(|c| !c.is_alphanumeric());
        let strict = parse
            .name_of
            .get(start)
            .copied()
            .flatten()
            .and_then(|n| parse.strict.get(n));
        end = match strict {
            Some(strict) if !runs_to_end => strict.range.end,
            _ => name.range.end,
        };
    }
    // Take in what belongs to the option typographically: `(film)`, `!`.
    let rest = &parse.text[end..];
    if rest.starts_with(" (")
        && let Some(close) = rest.find(')')
    {
        end += close + 1;
    }
    if parse.text[end..].starts_with('!') {
        end += 1;
    }
    // `... or Harvest: 3,000 Years?`: nothing in lower case follows, so all of it is the option.
    let rest = parse.text[end..].trim_end_matches(['?', ' ', '.']);
    let mut following = rest
        .split(|c: char| !c.is_alphanumeric())
        .filter(|w| !w.is_empty());
    let apart = rest.starts_with([',', '?', ';', '.']) || rest.contains(['?', '\n']);
    if !apart && following.all(|w| !w.starts_with(char::is_lowercase)) {
        end += rest.len();
    }
    end
}

fn split_commas(text: &str, range: Range<usize>) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = range.start;
    for (i, _) in text[range.clone()].match_indices(", ") {
        found.push(start..range.start + i);
        start = range.start + i + 2;
    }
    found.push(start..range.end);
    found
}

/// The option without white space, quotation marks, and a lead such as `the film`.
fn trimmed(parse: &Parse<'_>, range: Range<usize>) -> Option<Range<usize>> {
    let text = parse.text;
    let marks = |c: char| {
        c.is_whitespace() || matches!(c, '"' | '\u{201c}' | '\u{201d}' | '\u{2018}' | ',' | '?')
    };
    let mut start = range.start;
    let mut end = range.end;
    for (name, word) in parse.name_of.iter().zip(&parse.words) {
        if word.start < start || word.end > end {
            continue;
        }
        let capital = text[word.clone()].starts_with(|c: char| !c.is_lowercase());
        if name.is_some() || capital {
            start = word.start;
            break;
        }
    }
    if let Some(name) = parse
        .strict
        .iter()
        .find(|n| n.range.start <= start && start < n.range.end)
    {
        start = start.min(name.range.start.max(range.start));
    }
    let piece = &text[start..end];
    start += piece.len() - piece.trim_start_matches(marks).len();
    let piece = &text[start.min(end)..end];
    end = start + piece.trim_end_matches(marks).len();
    (start < end).then_some(start..end)
}

/// `Are A and B both ...?`, `between A and B`, `Do A and B share ...?`
fn paired(parse: &Parse<'_>) -> Option<Vec<Range<usize>>> {
    let yes_no = is_auxiliary(parse.lower(0));
    if yes_no
        && let Some(than) = (1..parse.len()).find(|&i| parse.plain(i) == "than")
        && let Some(found) = against(parse, than)
    {
        return Some(found);
    }
    // `Does A have the same nationality as B?`
    let same = (1..parse.len()).find(|&i| parse.plain(i) == "same");
    if yes_no
        && let Some(same) = same
        && let Some(with) = (same..parse.len().min(same + 5)).find(|&i| parse.plain(i) == "as")
        && let Some(found) = against(parse, with)
    {
        return Some(found);
    }
    let cue = (0..parse.len()).any(|i| {
        matches!(
            parse.plain(i),
            "both"
                | "same"
                | "share"
                | "shared"
                | "also"
                | "different"
                | "common"
                | "between"
                | "similar"
                | "differ"
                | "alike"
                | "each"
                | "two"
                | "neither"
                | "either"
        )
    });
    if !cue {
        return None;
    }
    let asked_of_two = yes_no
        || (0..parse.len()).any(|i| {
            matches!(parse.plain(i), "between" | "common" | "share" | "shared")
                || parse.plain(i) == "both" && is_auxiliary(parse.lower(2))
        });
    if !asked_of_two {
        return None;
    }
    for i in 1..parse.len().saturating_sub(1) {
        if !matches!(parse.plain(i), "and" | "with") || !ends_option(parse, i - 1) {
            continue;
        }
        if parse.plain(i) == "with" && !yes_no {
            continue;
        }
        let Some(right) = (i + 1..parse.len().min(i + 9)).find(|&j| parse.is_named(j)) else {
            continue;
        };
        let between = i + 1..right;
        if between
            .clone()
            .any(|k| is_auxiliary(parse.lower(k)) || is_question_word(parse.lower(k)))
        {
            continue;
        }
        let left = parse
            .name_of
            .get(i - 1)
            .copied()
            .flatten()
            .and_then(|n| parse.strict.get(n));
        let left = left
            .map(|n| n.range.clone())
            .or_else(|| parse.longest_ending_at(i - 1).map(|n| n.range.clone()))?;
        let left = widened(parse, left);
        let right = parse.words.get(right)?.start..right_edge(parse, right);
        return Some(vec![left, right]);
    }
    None
}

/// `Is A larger than B?`: the name near the start and the name right after the word at `than`.
fn against(parse: &Parse<'_>, than: usize) -> Option<Vec<Range<usize>>> {
    let left = (0..than).find(|&i| parse.is_named(i)).filter(|&i| i <= 3)?;
    let right = (than + 1..parse.len().min(than + 4)).find(|&i| parse.is_named(i))?;
    let of = |i: usize| {
        parse
            .name_of
            .get(i)
            .copied()
            .flatten()
            .and_then(|n| parse.strict.get(n))
    };
    let (left, right) = (of(left)?, of(right)?);
    (left.range != right.range).then(|| vec![left.range.clone(), right.range.clone()])
}

/// The strict name with a parenthesis that follows it.
fn widened(parse: &Parse<'_>, range: Range<usize>) -> Range<usize> {
    let rest = &parse.text[range.end..];
    match rest.strip_prefix(" (").and_then(|inner| inner.find(')')) {
        Some(close) if close < 40 => range.start..range.end + close + 3,
        _ => range,
    }
}
