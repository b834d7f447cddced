//! What kind of answer a question wants, and the noun it is asked for with.

use indago_core::AnswerKind;

use super::Span;
use super::nouns::{is_type_noun, kind_of};
use super::parse::{Parse, is_auxiliary, is_question_word};
use crate::phrases::is_common_verb;
use crate::stop_words::is_function_word;

pub(super) struct Asked {
    pub(super) kind: AnswerKind,
    pub(super) word: Option<String>,
    pub(super) focus: Option<String>,
}

pub(super) fn asked(parse: &Parse<'_>, options: &[Span]) -> Asked {
    let offered = options.len() >= 2 && (0..parse.len()).any(|i| parse.plain(i) == "or");
    let Some(at) = governing_word(parse) else {
        let yes_no = is_auxiliary(first_word(parse))
            || (0..parse.len())
                .any(|i| is_auxiliary(parse.plain(i)) && i > 0 && parse.gap(i - 1).trim() == ",");
        // `the company that made the vehicle`: a description asks for what it describes.
        let described = !yes_no && matches!(first_word(parse), "the" | "a" | "an");
        let head = described.then(|| complement_head(parse, 0)).flatten();
        let focus = head.map(|i| parse.stripped(i).to_owned());
        let kind = match (offered, yes_no) {
            (true, _) => AnswerKind::Choice,
            (false, true) => AnswerKind::YesNo,
            (false, false) => focus
                .as_deref()
                .and_then(kind_of)
                .unwrap_or(AnswerKind::Entity),
        };
        return Asked {
            kind,
            word: None,
            focus,
        };
    };
    let word = parse.lower(at);
    let base = word
        .split(['\'', '\u{2019}'])
        .next()
        .unwrap_or(word)
        .to_owned();
    let (focus_at, quantity) = focus(parse, at, &base);
    let focus = focus_at.map(|i| parse.stripped(i).to_owned());
    let by_noun = focus.as_deref().and_then(kind_of);
    let kind = match base.as_str() {
        _ if offered => AnswerKind::Choice,
        _ if quantity => AnswerKind::Quantity,
        "who" | "whom" => AnswerKind::Person,
        "whose" => by_noun.unwrap_or(AnswerKind::Person),
        "where" => AnswerKind::Place,
        "when" => AnswerKind::Time,
        // `what population` asks for people, `what is the population` for a number.
        "what" | "which"
            if focus_at == Some(at + 1) && focus.as_deref() == Some("population")
                || focus_at == Some(at + 2)
                    && focus.as_deref() == Some("population")
                    && !is_auxiliary(parse.plain(at + 1)) =>
        {
            AnswerKind::Entity
        }
        "what" | "which" => by_noun.unwrap_or(AnswerKind::Entity),
        _ => AnswerKind::Entity,
    };
    Asked {
        kind,
        word: Some(base),
        focus,
    }
}

fn first_word<'p>(parse: &'p Parse<'_>) -> &'p str {
    parse.lower(0)
}

/// The question word that governs the question: one at its start (a preposition may come first),
/// else, unless it starts like a yes/no question, the last one that is no relative pronoun.
fn governing_word(parse: &Parse<'_>) -> Option<usize> {
    if is_question_word(parse.lower(0)) {
        return Some(0);
    }
    let preposition = matches!(
        parse.lower(0),
        "in" | "on"
            | "at"
            | "from"
            | "of"
            | "for"
            | "by"
            | "to"
            | "with"
            | "under"
            | "during"
            | "around"
            | "about"
            | "into"
            | "through"
            | "after"
            | "before"
            | "and"
            | "so"
            | "within"
    );
    if preposition
        && matches!(
            parse.lower(1),
            "what" | "which" | "whom" | "whose" | "where"
        )
    {
        return Some(1);
    }
    if is_auxiliary(parse.lower(0)) {
        return None;
    }
    // `Considering ..., which letter ...?`, `Toad Hall is in a university in what city?`
    let asks = |i: &usize| {
        let word = parse.plain(*i);
        let opens = *i > 0
            && parse
                .gap(*i - 1)
                .trim_end()
                .ends_with([',', '?', '.', ';', ':']);
        match word {
            "what" => true,
            "which" | "who" | "whom" | "whose" => {
                opens && !is_auxiliary(parse.lower(0)) || !is_auxiliary(parse.lower(*i + 1))
            }
            "how" if matches!(parse.lower(*i + 1), "many" | "much") => true,
            "where" | "when" | "how" | "why" => {
                opens || *i + 1 == parse.len() || is_auxiliary(parse.lower(*i + 1))
            }
            _ => false,
        }
    };
    let all: Vec<usize> = (0..parse.len()).filter(asks).collect();
    // A comma, then an auxiliary: `After the report of May, did the bank ...?`
    let yes_no_later = (1..parse.len()).any(|i| {
        is_auxiliary(parse.plain(i)) && parse.gap(i - 1).trim() == "," && is_inverted(parse, i)
    });
    if yes_no_later {
        return None;
    }
    all.iter()
        .copied()
        .rfind(|&i| parse.lower(i) == "what")
        .or_else(|| all.last().copied())
}

/// Whether the auxiliary at `i` stands before its subject.
fn is_inverted(parse: &Parse<'_>, i: usize) -> bool {
    matches!(
        parse.lower(i),
        "did" | "does" | "do" | "is" | "was" | "are" | "were" | "has" | "have"
    ) && (parse.is_named(i + 1)
        || matches!(parse.lower(i + 1), "the" | "there" | "it" | "both" | "any"))
}

/// The focus noun's word, and whether a quantity is asked for.
fn focus(parse: &Parse<'_>, at: usize, word: &str) -> (Option<usize>, bool) {
    match word {
        "how" => {
            let measure = parse.lower(at + 1);
            let counted = matches!(measure, "many" | "much");
            let measured = matches!(
                measure,
                "long"
                    | "old"
                    | "tall"
                    | "far"
                    | "often"
                    | "large"
                    | "big"
                    | "high"
                    | "deep"
                    | "wide"
                    | "fast"
                    | "heavy"
                    | "few"
                    | "late"
                    | "early"
                    | "soon"
            );
            let head = if counted {
                phrase_head(parse, at + 2)
            } else {
                None
            };
            (head, counted || measured)
        }
        "what" | "which" | "whose" => {
            let next = parse.plain(at + 1);
            if is_auxiliary(next) || word == "what" && parse.lower(at).len() > 4 {
                let after = if is_auxiliary(next) { at + 2 } else { at + 1 };
                // Only a copula's complement names what is asked for.
                let copula = matches!(next, "is" | "was" | "are" | "were") || after == at + 1;
                return (
                    if copula {
                        complement_head(parse, after)
                    } else {
                        None
                    },
                    false,
                );
            }
            (phrase_head(parse, at + 1), false)
        }
        "who" | "where" | "when" => {
            let next = parse.plain(at + 1);
            let copula = matches!(next, "is" | "was" | "are" | "were");
            (
                if copula && word == "who" {
                    complement_head(parse, at + 2)
                } else {
                    None
                },
                false,
            )
        }
        _ => (None, false),
    }
}

/// The head noun of the phrase that begins at word `from`: its last word before a verb, a
/// preposition, a name that is not followed by a noun, or punctuation.
fn phrase_head(parse: &Parse<'_>, from: usize) -> Option<usize> {
    let mut head = None;
    let mut known = None;
    let mut classified = false;
    for i in from..parse.len().min(from + 8) {
        let word = parse.lower(i);
        if i > from && !matches!(parse.gap(i - 1), " " | "\u{a0}") {
            break;
        }
        if parse.is_named(i) {
            if head.is_some() {
                break;
            }
            continue; // `what Australian city`
        }
        if head.is_none() && matches!(word, "the" | "a" | "an")
            || head.is_none()
                && matches!(word, "other" | "two" | "three" | "first" | "last" | "same")
        {
            continue;
        }
        // `platform provides a`: a plural before an article is a verb.
        let governs = word.ends_with('s')
            && matches!(
                parse.lower(i + 1),
                "a" | "an" | "the" | "both" | "its" | "their" | "to" | "as" | "more"
            );
        let typed = head.is_some_and(|h| is_type_noun(parse.lower(h)))
            || classified && head.is_some_and(|h| parse.lower(h).ends_with('s'));
        if word == "of" && head.is_some_and(|h| is_classifier(parse.lower(h))) {
            head = None;
            known = None;
            classified = true;
            continue;
        }
        let compared = matches!(
            word,
            "older"
                | "younger"
                | "taller"
                | "larger"
                | "longer"
                | "higher"
                | "bigger"
                | "smaller"
                | "shorter"
                | "earlier"
                | "later"
        );
        if compared || is_function_word(word) || is_common_verb(word) || word.ends_with('\'') {
            break;
        }
        if head.is_some()
            && (is_verb_like(word)
                || governs
                || typed && !is_type_noun(word) && (classified || word.ends_with('s')))
        {
            break;
        }
        if kind_of(parse.stripped(i)).is_some() {
            known = Some(i);
        }
        head = Some(i);
    }
    known.or(head)
}

/// The head of `the place of birth of X`, `X's occupation`, `the name of the river`.
fn complement_head(parse: &Parse<'_>, from: usize) -> Option<usize> {
    let mut i = from;
    if parse.is_named(i) {
        // `What is Thomas Gifford's occupation?`: past the possessives.
        let mut last_mark = None;
        let mut j = i;
        while j < parse.len() {
            if parse.is_possessive(j) {
                last_mark = Some(j);
            } else if !parse.is_named(j) && is_function_word(parse.lower(j)) {
                break;
            }
            j += 1;
        }
        return last_mark.and_then(|mark| phrase_head(parse, mark + 1));
    }
    if matches!(parse.lower(i), "the" | "a" | "an") {
        i += 1;
    }
    let head = phrase_head(parse, i)?;
    if parse.is_possessive(head) {
        return phrase_head(parse, head + 1);
    }
    if matches!(parse.lower(head), "name" | "names" | "title") && parse.lower(head + 1) == "of" {
        return phrase_head(parse, head + 2).or(Some(head));
    }
    Some(head)
}

/// `type of`, `kind of`: the noun after `of` is meant.
fn is_classifier(word: &str) -> bool {
    matches!(
        word,
        "type" | "types" | "kind" | "kinds" | "sort" | "sorts" | "name" | "names"
    )
}

/// A past participle or third person that is hardly ever a noun.
pub(super) fn is_verb_like(word: &str) -> bool {
    word.len() > 4 && word.ends_with("ed")
        || is_common_verb(word)
        || matches!(
            word,
            "borders"
                | "shares"
                | "contains"
                | "holds"
                | "owns"
                | "stars"
                | "plays"
                | "sings"
                | "wins"
                | "runs"
                | "leads"
                | "includes"
                | "features"
                | "covers"
                | "belongs"
                | "has"
                | "lies"
                | "flows"
                | "sits"
                | "came"
                | "won"
                | "lost"
                | "held"
                | "led"
                | "ran"
                | "broke"
                | "built"
                | "taught"
                | "bought"
                | "sold"
                | "left"
                | "stands"
                | "serves"
                | "began"
                | "grew"
                | "hosts"
        )
}
