//! Sources that a question names: `the article from The Verge`, `according to Fortune`.

use std::ops::Range;

use super::parse::Parse;
use super::{Source, Span};
use crate::names::NameKind;

/// Kinds of publication, singular or plural.
pub(super) fn is_publication(word: &str) -> bool {
    matches!(
        word,
        "article"
            | "articles"
            | "report"
            | "reports"
            | "post"
            | "posts"
            | "story"
            | "stories"
            | "piece"
            | "pieces"
            | "review"
            | "reviews"
            | "coverage"
            | "analysis"
            | "editorial"
            | "publication"
            | "publications"
            | "news"
            | "blog"
            | "column"
            | "interview"
            | "paper"
            | "reporting"
            | "guide"
    )
}

fn is_plural_publication(word: &str) -> bool {
    matches!(
        word,
        "articles" | "reports" | "posts" | "stories" | "pieces" | "reviews"
    )
}

/// Verbs of saying whose agent is a source.
fn is_saying(word: &str) -> bool {
    matches!(
        word,
        "reported"
            | "covered"
            | "discussed"
            | "mentioned"
            | "published"
            | "noted"
            | "stated"
            | "described"
            | "written"
            | "highlighted"
            | "cited"
            | "claimed"
            | "said"
            | "detailed"
            | "featured"
            | "outlined"
            | "analyzed"
            | "suggested"
            | "provided"
            | "presented"
            | "posted"
            | "depicted"
            | "explained"
            | "identified"
            | "characterized"
            | "portrayed"
    )
}

/// How a source is tied to its clause.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cue {
    /// The clause follows: `the article from X says ...`.
    Before,
    /// The clause stands before: `... reported by X`.
    After,
}

/// The sources, in order, one entry per mention that has a clause of its own.
pub(super) fn sources(parse: &Parse<'_>, clauses: &[Span]) -> Vec<Source> {
    let mut mentions: Vec<(Range<usize>, usize, Cue)> = Vec::new(); // name, start of its cue
    for (index, name) in parse.strict.iter().enumerate() {
        let Some((first, last)) = parse.words_of(index) else {
            continue;
        };
        let listed = mentions.last().cloned().filter(|(range, _, _)| {
            let gap = &parse.text[range.end.min(name.range.start)..name.range.start];
            matches!(
                gap.trim(),
                "and"
                    | ","
                    | ", and"
                    | "&"
                    | "and the"
                    | "' and '"
                    | "\" and \""
                    | "', '"
                    | "' and"
            ) || matches!(
                gap.trim_start_matches(['\'', '"', '\u{201d}']).trim(),
                "and"
            )
        });
        let cue = cue(parse, first, last, !mentions.is_empty());
        let tie = cue.or_else(|| listed.map(|(_, start, cue)| (start, cue)));
        if let Some((start, cue)) = tie {
            mentions.push((name.range.clone(), start, cue));
        }
    }
    // `The Age and TechCrunch articles`: the plural covers the name before as well.
    for i in 0..mentions.len() {
        let (name, start, cue) = mentions[i].clone();
        let last = parse.words.partition_point(|w| w.start < name.end);
        if !is_plural_publication(parse.plain(last)) {
            continue;
        }
        let before = parse.strict.iter().rfind(|n| n.range.end <= name.start);
        let linked = before.filter(|n| {
            let gap = &parse.text[n.range.end..name.start];
            gap.trim_matches(|c: char| !c.is_alphanumeric()) == "and"
        });
        if let Some(other) = linked.filter(|o| !mentions.iter().any(|m| m.0 == o.range)) {
            let shared = other.range.start;
            mentions[i] = (name, shared, cue);
            mentions.insert(i, (other.range.clone(), shared.min(start), cue));
        }
    }
    let mut found: Vec<Source> = Vec::new();
    for (i, (name, start, cue)) in mentions.iter().enumerate() {
        let next = mentions[i + 1..].iter().find(|m| m.1 > *start);
        let previous = mentions[..i].iter().rfind(|m| m.1 < *start);
        let clause = match cue {
            Cue::Before => {
                let until = next.map_or(parse.text.len(), |m| match m.2 {
                    Cue::Before => m.1,
                    Cue::After => m.1.max(name.end),
                });
                // To the end of the clause in which something is said.
                let told = |c: &&Span| {
                    c.range.end > name.end
                        && parse.text[name.end..c.range.end].split(' ').count() > 3
                };
                let own = clauses.iter().find(told).map_or(until, |c| c.range.end);
                *start..until.min(own).max(name.end)
            }
            Cue::After => {
                let own = clauses
                    .iter()
                    .find(|c| c.range.start <= *start && *start < c.range.end);
                let own = own.map_or(0..parse.text.len(), |c| c.range.clone());
                let from = previous.map_or(0, |m| m.0.end).max(own.start);
                // Whatever the clause still says after the mention belongs to it as well, unless
                // another source comes first.
                let to = next.map_or(own.end, |m| if m.1 < own.end { name.end } else { own.end });
                from..to.max(name.end)
            }
        };
        let clause = tidy(parse.text, clause);
        found.push(Source {
            name: parse.text[name.clone()].to_owned(),
            clause: Span::of(parse.text, clause),
        });
    }
    found
}

/// Where the cue of the name over words `first..=last` starts, and its kind; `known` when another
/// source was found before, so that a verb of saying is enough.
fn cue(parse: &Parse<'_>, first: usize, last: usize, known: bool) -> Option<(usize, Cue)> {
    let back = |n: usize| first.checked_sub(n).map_or("", |i| parse.plain(i));
    let start_of = |n: usize| {
        first
            .checked_sub(n)
            .and_then(|i| parse.words.get(i))
            .map(|w| w.start)
    };
    let named = parse.words.get(first).map(|w| w.start)?;
    // `the TechCrunch article`
    let close = |i: usize| parse.gap(i).len() <= 3 && !parse.gap(i).contains([',', '?']);
    let after = parse.plain(last + 1);
    let singular_after = is_publication(after) && after != "reports" && close(last);
    let qualified = matches!(
        after,
        "news"
            | "subsequent"
            | "other"
            | "later"
            | "earlier"
            | "first"
            | "second"
            | "latest"
            | "recent"
    );
    if singular_after || qualified && close(last) && is_publication(parse.plain(last + 2)) {
        let articled = matches!(back(1), "the" | "a" | "an" | "one" | "another");
        let start = if articled {
            start_of(1).unwrap_or(named)
        } else {
            named
        };
        // `in the TechCrunch article`, at the end of its clause.
        let postposed = matches!(back(2), "in" | "by" | "per")
            && parse.gap(last + 1).trim().len() <= 1
            && ends_clause(parse, last + 1);
        return Some((start, if postposed { Cue::After } else { Cue::Before }));
    }
    let the = usize::from(matches!(back(1), "the" | "a" | "an"));
    let preposition = back(1 + the);
    let noun = back(2 + the);
    if matches!(preposition, "from" | "by" | "in") && (is_publication(noun) || noun == "another") {
        let accord = (3..7).find(|n| back(*n + the) == "according");
        if let Some(n) = accord {
            return start_of(n + the).map(|s| (s, Cue::After));
        }
        let articled = matches!(back(3 + the), "the" | "an" | "a");
        return start_of(2 + the + usize::from(articled)).map(|s| (s, Cue::Before));
    }
    if matches!(preposition, "by" | "in" | "on") && is_saying(noun) {
        let published =
            matches!(noun, "published" | "written" | "posted") && is_publication(back(3 + the));
        if published {
            return start_of(3 + the).map(|s| (s, Cue::Before));
        }
        return (preposition == "by")
            .then(|| start_of(2 + the).map(|s| (s, Cue::After)))
            .flatten();
    }
    if preposition == "to" && noun == "according" || preposition == "per" && noun == "as" {
        return start_of(2 + the).map(|s| (s, Cue::After));
    }
    if preposition == "both" && matches!(noun, "by" | "from") {
        return start_of(2 + the).map(|s| (s, Cue::After));
    }
    // `Fortune reported that`, `Did Mashable report on`
    let quoted = parse.name_of[first]
        .and_then(|n| parse.strict.get(n))
        .is_some_and(|n| n.kind == NameKind::Quoted);
    let tells = matches!(after, "report" | "reported" | "reports")
        || (known || quoted)
            && (matches!(
                after,
                "mentioned"
                    | "noted"
                    | "stated"
                    | "claimed"
                    | "suggested"
                    | "highlighted"
                    | "said"
                    | "suggest"
                    | "indicate"
                    | "indicates"
                    | "imply"
                    | "implies"
                    | "alleges"
                    | "suggests"
                    | "claim"
                    | "claims"
                    | "state"
                    | "states"
                    | "shared"
                    | "mention"
                    | "mentions"
            ));
    if tells && close(last) {
        return Some((named, Cue::Before));
    }
    None
}

/// Whether the clause ends after word `i`.
fn ends_clause(parse: &Parse<'_>, i: usize) -> bool {
    i + 1 >= parse.len()
        || parse.gap(i).starts_with([',', '?', '.', ';'])
        || matches!(parse.plain(i + 1), "and" | "while" | "but")
}

/// The range without punctuation, conjunctions and white space at its ends.
fn tidy(text: &str, range: Range<usize>) -> Range<usize> {
    let (mut start, mut end) = (range.start.min(range.end), range.end);
    let edge = |c: char| c.is_whitespace() || matches!(c, ',' | ';' | '?' | '.' | '\'' | '"');
    loop {
        let piece = &text[start..end];
        let lead = piece.len() - piece.trim_start_matches(edge).len();
        start += lead;
        let piece = &text[start..end];
        end = start + piece.trim_end_matches(edge).len();
        let piece = &text[start..end];
        let shorter = [
            " and",
            " while",
            " but",
            " in",
            " to",
            " compared to",
            " and the",
        ];
        if let Some(cut) = shorter.iter().find_map(|w| piece.strip_suffix(w)) {
            end = start + cut.len();
            continue;
        }
        if let Some(rest) = ["and ", "while ", "but "]
            .iter()
            .find_map(|w| piece.strip_prefix(w))
        {
            start = end - rest.len();
            continue;
        }
        return start..end;
    }
}
