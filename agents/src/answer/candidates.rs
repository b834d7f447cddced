//! Spans of a passage that may be the answer.

use std::ops::Range;

use indago_core::AnswerKind;
use indago_core::ports::SpanScores;

use super::{countries, kinds};
use crate::asked::{Asked, contains_phrase};
use crate::pool::Candidate;

/// Sentences of a passage from which common phrases are taken: those with most of the question.
const PHRASE_SENTENCES: usize = 3;

/// Longest common phrase, in bytes and in words.
const PHRASE_BYTES: usize = 60;
const PHRASE_WORDS: usize = 8;

/// Spans that a reader may add in a passage, and the longest of them in bytes.
const READ_SPANS: usize = 3;
const READ_BYTES: usize = 80;

/// What a span looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Capitalised words, an acronym, a quoted title.
    Name,
    /// The title of the passage.
    Title,
    /// A point in time.
    Date,
    /// A number, with its unit where it has one.
    Number,
    /// An adjective of nationality.
    Adjective,
    /// A noun phrase without a capital.
    Phrase,
    /// The end of a noun phrase.
    Tail,
    /// Two phrases with a small word between them.
    Joined,
    /// What a reader sees and nothing else found.
    Read,
}

/// A possible answer before it is judged.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) text: String,
    /// Bytes of the passage's text; empty for what stands in the title only.
    pub(super) range: Range<usize>,
    pub(super) form: Form,
}

/// Nouns whose things are written as numbers, or begin with one.
const COUNTED: &[&str] = &[
    "address",
    "age",
    "amount",
    "area",
    "budget",
    "capacity",
    "century",
    "channel",
    "code",
    "cost",
    "count",
    "date",
    "day",
    "decade",
    "depth",
    "distance",
    "duration",
    "fee",
    "figure",
    "frequency",
    "height",
    "income",
    "interval",
    "length",
    "level",
    "limit",
    "month",
    "number",
    "pay",
    "per",
    "percent",
    "percentage",
    "period",
    "phone",
    "position",
    "price",
    "prize",
    "profit",
    "ranking",
    "rank",
    "rate",
    "record",
    "resolution",
    "result",
    "revenue",
    "salary",
    "score",
    "season",
    "share",
    "size",
    "speed",
    "sum",
    "temperature",
    "term",
    "time",
    "total",
    "turnover",
    "value",
    "version",
    "volume",
    "wage",
    "weight",
    "width",
    "worth",
    "year",
];

/// Whether a number or a date may be what the question asks for: not where it names a thing that
/// has a name, such as a vessel.
fn may_be_counted(asked: &Asked) -> bool {
    let focus = asked.analysis.focus.as_deref();
    focus.is_none_or(|noun| COUNTED.iter().any(|c| noun.eq_ignore_ascii_case(c)))
}

/// Whether the question asks for the version of something, which is written with numbers.
fn is_version(asked: &Asked) -> bool {
    let focus = asked.analysis.focus.as_deref();
    focus.is_some_and(|noun| {
        noun.eq_ignore_ascii_case("version") || noun.eq_ignore_ascii_case("versions")
    })
}

/// Numbers of versions: `2.23`, `v1.6.2-rc0`.
fn versions(text: &str) -> impl Iterator<Item = Range<usize>> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '+');
    let words = text.split(move |c| !is_part(c)).map(move |word| {
        let start = word.as_ptr() as usize - text.as_ptr() as usize;
        let word = word.trim_end_matches(['.', '-', '_', '+']);
        (start, word)
    });
    words.filter_map(|(start, word)| {
        let number = word.strip_prefix(['v', 'V']).unwrap_or(word);
        let (major, minor) = number.split_once('.')?;
        let is_number = |part: &str| part.starts_with(|c: char| c.is_ascii_digit());
        let whole = !major.is_empty() && major.bytes().all(|b| b.is_ascii_digit());
        (whole && is_number(minor)).then(|| start..start + word.len())
    })
}

/// Spans of `candidate` that an answer of `kind` may be and that the question does not name.
/// `phrases` lets common phrases in.
pub(super) fn found(
    asked: &Asked,
    candidate: &Candidate,
    kind: AnswerKind,
    phrases: bool,
) -> Vec<Found> {
    let text = candidate.passage.text.as_str();
    let mut found: Vec<Found> = Vec::new();
    let counted = kind != AnswerKind::Entity || may_be_counted(asked);
    let mut add = |range: Range<usize>, form: Form| {
        if let Some(words) = text.get(range.clone())
            && (counted || !words.starts_with(|c: char| c.is_ascii_digit()))
        {
            found.push(Found {
                text: words.to_owned(),
                range,
                form,
            });
        }
    };
    let versioned = kind == AnswerKind::Entity && is_version(asked);
    match kind {
        _ if versioned => {
            for range in versions(text) {
                add(range, Form::Name);
            }
        }
        AnswerKind::Time => dates(text, &mut add),
        AnswerKind::Quantity => numbers(text, &mut add),
        AnswerKind::Person => names(text, false, &mut add),
        _ => {
            names(text, kind == AnswerKind::Entity, &mut add);
            if phrases {
                if kind == AnswerKind::Entity && counted {
                    dates(text, &mut add);
                    numbers(text, &mut add);
                }
                common(candidate, kind, &mut add);
            }
        }
    }
    if versioned {
        let title = candidate.passage.title.as_str();
        found.extend(versions(title).map(|range| Found {
            text: title[range].to_owned(),
            range: 0..0,
            form: Form::Title,
        }));
    } else if !matches!(kind, AnswerKind::Time | AnswerKind::Quantity) {
        titles(asked, candidate, &mut found);
    }
    if !counted {
        let numbers = indago_text::numbers(text);
        found.retain(|f| {
            // A unit that the reader of numbers does not know stands right behind.
            let within = |n: &Range<usize>| f.range.start <= n.end + 1 && n.start < f.range.end;
            f.form == Form::Name || !numbers.iter().any(|n| within(&n.range))
        });
    }
    if let Some(noun) = asked.analysis.focus.as_deref() {
        found.retain(|f| !kinds::is_other_kind(&f.text, noun));
    }
    let exact = matches!(kind, AnswerKind::Time | AnswerKind::Quantity);
    found.retain(|f| {
        !f.text.is_empty() && !asked.mentions(&f.text) && (exact || !asked.has_all(&f.text))
    });
    found
}

/// Adds to `found` what a reader that gave `scores` sees in `candidate` beside it.
pub(super) fn read(
    asked: &Asked,
    candidate: &Candidate,
    scores: &SpanScores,
    found: &mut Vec<Found>,
) {
    let text = candidate.passage.text.as_str();
    for (range, _) in scores.best(READ_SPANS) {
        let Some(words) = text.get(range.clone()) else {
            continue;
        };
        let bare =
            words.trim_matches(|c: char| !c.is_alphanumeric() && !"%$\u{20ac}\u{a3}".contains(c));
        let start = range.start + (bare.as_ptr() as usize - words.as_ptr() as usize);
        let range = start..start + bare.len();
        let known = found.iter().any(|f| f.range == range);
        if bare.is_empty() || bare.len() > READ_BYTES || known || asked.mentions(bare) {
            continue;
        }
        found.push(Found {
            text: bare.to_owned(),
            range,
            form: Form::Read,
        });
    }
}

fn dates(text: &str, add: &mut dyn FnMut(Range<usize>, Form)) {
    for date in indago_text::dates(text) {
        add(date.range, Form::Date);
    }
}

fn numbers(text: &str, add: &mut dyn FnMut(Range<usize>, Form)) {
    for number in indago_text::numbers(text) {
        if number.unit.as_deref() != Some("ordinal") {
            add(number.range, Form::Number);
        }
    }
}

fn names(text: &str, adjectives: bool, add: &mut dyn FnMut(Range<usize>, Form)) {
    for name in indago_text::names(text) {
        if !countries::is_adjective(&name.text) {
            add(name.range, Form::Name);
        } else if adjectives {
            add(name.range, Form::Adjective);
        }
    }
}

/// The title, where the text itself uses it; of any other, a headline, the names in it.
fn titles(asked: &Asked, candidate: &Candidate, found: &mut Vec<Found>) {
    let title = undated(indago_text::strip_disambiguation(&candidate.passage.title));
    let used = contains_phrase(
        &indago_text::normalize_name(&candidate.passage.text),
        &indago_text::normalize_name(title),
    );
    let mut add = |text: &str| {
        found.push(Found {
            text: text.to_owned(),
            range: 0..0,
            form: Form::Title,
        });
    };
    if asked.analysis.sources.is_empty() && used {
        add(title);
    } else {
        for name in indago_text::names(title) {
            add(&name.text);
        }
    }
}

/// Noun phrases of the sentences closest to the question, their ends, and two of them joined.
fn common(candidate: &Candidate, kind: AnswerKind, add: &mut dyn FnMut(Range<usize>, Form)) {
    let text = candidate.passage.text.as_str();
    let mut order: Vec<usize> = (0..candidate.sentences.len()).collect();
    order.sort_by_key(|&i| {
        let hits = candidate
            .sentences
            .get(i)
            .map_or(0, |s| s.terms.count_ones());
        (std::cmp::Reverse(hits), i)
    });
    order.truncate(PHRASE_SENTENCES);
    order.sort_unstable();
    for sentence in order.into_iter().filter_map(|i| candidate.sentences.get(i)) {
        let Some(within) = text.get(sentence.range.clone()) else {
            continue;
        };
        let shift = |r: &Range<usize>| r.start + sentence.range.start..r.end + sentence.range.start;
        let phrases = indago_text::noun_phrases(within);
        for phrase in &phrases {
            let words = indago_text::words(&within[phrase.clone()]);
            if phrase.len() <= PHRASE_BYTES {
                let lower = !within[phrase.clone()].contains(char::is_uppercase);
                if lower || words.len() > 1 {
                    add(shift(phrase), Form::Phrase);
                }
            }
            for word in words.iter().skip(1).take(2) {
                let tail = phrase.start + word.start..phrase.end;
                if tail.len() <= PHRASE_BYTES {
                    add(shift(&tail), Form::Tail);
                }
            }
        }
        if kind == AnswerKind::Entity {
            for pair in phrases.windows(2) {
                let [first, second] = pair else { continue };
                let whole = first.start..second.end;
                let gap = within[first.end..second.start].trim();
                let joins = matches!(
                    gap,
                    "of" | "of the" | "and" | "in" | "for" | "to" | "-" | "'s"
                );
                let words = indago_text::words(&within[whole.clone()]).len();
                if joins && whole.len() <= PHRASE_BYTES && words <= PHRASE_WORDS {
                    add(shift(&whole), Form::Joined);
                }
            }
        }
    }
}

/// `title` without years behind a comma: `Harbour Yard, 1921-2023`.
fn undated(title: &str) -> &str {
    match title.split_once(", ") {
        Some((name, years)) if !years.contains(char::is_alphabetic) => name,
        _ => title,
    }
}

#[cfg(test)]
mod tests {
    use super::{undated, versions};

    #[test]
    fn versions_are_numbers_with_points() {
        let text = "Git v2.7.1 (was 1.6.2-rc0), since 2.23. No: 2019, e.g. 3, a.b, v.2, 10.";
        let found: Vec<&str> = versions(text).map(|range| &text[range]).collect();
        assert_eq!(found, ["v2.7.1", "1.6.2-rc0", "2.23"]);
    }

    #[test]
    fn years_are_no_part_of_a_name() {
        assert_eq!(undated("Harbour Yard, 1921-2023"), "Harbour Yard");
        assert_eq!(undated("Ada Quill, 1st Baron"), "Ada Quill, 1st Baron");
        assert_eq!(undated("Portage, Wisconsin"), "Portage, Wisconsin");
    }
}
