//! How a question is built, decided from what the other steps found.

use super::parse::{Parse, is_auxiliary};
use super::{Hop, Shape, Source, Span};

pub(super) fn shape(
    parse: &Parse<'_>,
    options: &[Span],
    sources: &[Source],
    clauses: &[Span],
    hops: &[Hop],
) -> Shape {
    let has = |words: &[&str]| (0..parse.len()).any(|i| words.contains(&parse.plain(i)));
    let names = {
        let mut names: Vec<&str> = sources.iter().map(|s| s.name.as_str()).collect();
        names.dedup();
        names.len()
    };
    let yes_no = is_auxiliary(parse.lower(0));
    if options.len() >= 2 {
        return Shape::Comparison;
    }
    let dated = crate::dates(parse.text).len();
    let ordered = has(&[
        "before",
        "after",
        "since",
        "until",
        "subsequently",
        "later",
        "earlier",
        "prior",
    ]);
    let changed = has(&[
        "change",
        "changed",
        "consistent",
        "inconsistent",
        "between",
        "differ",
    ]);
    if sources.len() >= 2 || dated >= 2 {
        if dated >= 1 && (ordered || changed) {
            return Shape::Temporal;
        }
        let compared = has(&[
            "same",
            "both",
            "compared",
            "while",
            "whereas",
            "different",
            "similar",
            "differ",
            "consistent",
            "agree",
            "contradict",
            "more",
            "less",
            "than",
            "higher",
            "lower",
        ]);
        if names >= 1 && yes_no && compared {
            return Shape::Comparison;
        }
    }
    if names >= 2 || clauses.len() >= 3 {
        return Shape::Conjunction;
    }
    if yes_no && has(&["before", "after"]) && ordered {
        return Shape::Temporal;
    }
    if lists(parse) {
        return Shape::List;
    }
    if hops.len() >= 2 {
        return Shape::Bridge;
    }
    if clauses.len() >= 2 {
        return Shape::Conjunction;
    }
    Shape::Simple
}

/// `List all ...`, `Which rivers are ...`, `What are the ...s`.
fn lists(parse: &Parse<'_>) -> bool {
    let first = parse.lower(0);
    if matches!(first, "list" | "name" | "enumerate") {
        return true;
    }
    let all = (0..parse.len().min(4)).any(|i| parse.plain(i) == "all");
    if matches!(first, "what" | "which") {
        let plural =
            |w: &str| w.len() > 3 && w.ends_with('s') && !w.ends_with("ss") && !w.ends_with("us");
        let copula = |w: &str| matches!(w, "are" | "were" | "have" | "do");
        if copula(parse.plain(1)) && parse.lower(1) != "have" && parse.lower(1) != "do" {
            let noun = (2..parse.len().min(6)).find(|&i| plural(parse.plain(i)));
            return noun.is_some();
        }
        let of_the = parse.lower(1) == "of";
        let direct =
            (1..parse.len().min(4)).any(|i| plural(parse.plain(i)) && copula(parse.plain(i + 1)));
        return all || of_the || direct;
    }
    all && matches!(first, "who" | "where")
}
