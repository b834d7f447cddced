//! Where a long question divides.

use super::Span;
use super::parse::{Parse, is_auxiliary, is_question_word};

/// Fewest words of a clause that stands by itself.
const MIN_WORDS: usize = 4;

/// The clauses of the question, in order and disjoint, without the commas and conjunctions
/// between them; the whole question where it does not divide.
pub(super) fn clauses(parse: &Parse<'_>) -> Vec<Span> {
    let mut found = Vec::new();
    let mut start = 0;
    let mut i = 1;
    while i < parse.len() {
        if let Some(next) = cut(parse, start, i) {
            push(parse, start, i, &mut found);
            start = next;
            i = next + 1;
        } else {
            i += 1;
        }
    }
    push(parse, start, parse.len(), &mut found);
    found
}

fn push(parse: &Parse<'_>, start: usize, end: usize, found: &mut Vec<Span>) {
    if let (Some(first), Some(last)) =
        (parse.words.get(start), parse.words.get(end.wrapping_sub(1)))
        && first.start < last.end
    {
        found.push(Span::of(parse.text, first.start..last.end));
    }
}

/// If a clause ends before word `i`, the word with which the next one begins.
fn cut(parse: &Parse<'_>, start: usize, i: usize) -> Option<usize> {
    let inside_name = parse.name_of[i].is_some() && parse.name_of[i] == parse.name_of[i - 1];
    if i - start < MIN_WORDS || parse.len() - i < MIN_WORDS || inside_name {
        return None;
    }
    let word = parse.plain(i);
    let next = parse.plain(i + 1);
    let comma = parse.gap(i - 1).trim().ends_with([',', ';']);
    let full =
        parse.gap(i - 1).trim().ends_with(['?', '.', ';']) && parse.gap(i - 1).ends_with(' ');
    if full && parse.is_capital(i) && !parse.is_named(i) {
        return Some(i);
    }
    match word {
        "while" | "whereas" | "whilst" => Some(i + 1),
        "and" | "but" | "or" | "when" if comma => Some(i + 1),
        "and" | "but" if is_auxiliary(next) || is_question_word(next) => Some(i + 1),
        "and" if next == "the" && is_media(parse.lower(i + 2), parse.lower(i + 3)) => Some(i + 1),
        "compared" | "contrary" if next == "to" || next == "with" => Some(i + 2),
        "as" if next == "opposed" => Some(i + 3).filter(|n| *n < parse.len()),
        _ if comma && (is_auxiliary(word) || is_question_word(word)) => Some(i),
        _ if comma && word.len() > 4 && word.ends_with("ed") => Some(i),
        _ => None,
    }
}

/// Whether one of the words is a kind of publication.
fn is_media(a: &str, b: &str) -> bool {
    super::sources::is_publication(a) || super::sources::is_publication(b)
}
