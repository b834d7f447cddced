//! What holds for every input: no panic, spans on character boundaries, disjoint and in order.

use std::ops::Range;

use indago_text::{
    acronyms, dates, fold, for_each_term, introduced_names, names, names_in_question,
    normalize_name, noun_phrases, numbers, polarity, question, quote, sentences, stem,
    strip_disambiguation, terms, words,
};
use proptest::prelude::*;

/// Text with what the rules look for: capitals, marks, digits, quotes, line breaks, other scripts.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[A-Z][a-zé]{0,6}",
        "[a-z]{1,8}",
        "[0-9]{1,5}",
        "\\PC{0,4}",
        prop::sample::select(vec![
            " ",
            " ",
            " ",
            ". ",
            ", ",
            "\n",
            "\n\n",
            "'s ",
            "’s ",
            " (",
            ") ",
            "\"",
            "'",
            "“",
            "”",
            "? ",
            "! ",
            "-",
            "–",
            " of the ",
            " or ",
            " and ",
            "Dr. ",
            "J. ",
            "U.S. ",
            "No. 5",
            " is ",
            " was ",
            "Which ",
            "Who ",
            "article from ",
            " - ",
            "$",
            "%",
            "#",
            "1st ",
            "İ",
            "ß",
            "ﬁ",
            "字",
            "。",
            "e\u{301}",
            "\u{200d}",
            "\t",
            "…",
            "/",
            "&",
            "_",
            "::",
            "million ",
            "twenty-",
            "both ",
            "that ",
            "where ",
            "according to ",
            "BC",
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

fn sound(text: &str, ranges: &[Range<usize>]) {
    let mut end = 0;
    for range in ranges {
        assert!(range.start < range.end, "empty {range:?} in {text:?}");
        assert!(range.start >= end, "overlap at {range:?} in {text:?}");
        assert!(
            text.get(range.clone()).is_some(),
            "{range:?} cuts a character of {text:?}"
        );
        end = range.end;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn spans_are_sound(text in text()) {
        let found = sentences(&text);
        sound(&text, &found);
        for range in &found {
            prop_assert_eq!(text[range.clone()].trim(), &text[range.clone()]);
        }
        let kept: usize = found.iter().map(|r| text[r.clone()].chars().filter(|c| !c.is_whitespace()).count()).sum();
        prop_assert_eq!(kept, text.chars().filter(|c| !c.is_whitespace()).count());
        sound(&text, &words(&text));
        sound(&text, &noun_phrases(&text));
        for found in acronyms(&text) {
            prop_assert!(found.long.end < found.short.start);
            prop_assert!(text.get(found.long).is_some() && text.get(found.short).is_some());
        }
        sound(&text, &dates(&text).into_iter().map(|d| d.range).collect::<Vec<_>>());
        sound(&text, &numbers(&text).into_iter().map(|n| n.range).collect::<Vec<_>>());
        let found = names(&text);
        for name in &found {
            prop_assert_eq!(&text[name.range.clone()], name.text.as_str());
        }
        sound(&text, &found.into_iter().map(|n| n.range).collect::<Vec<_>>());
        for name in names_in_question(&text) {
            prop_assert_eq!(&text[name.range.clone()], name.text.as_str());
        }
    }

    #[test]
    fn questions_are_always_analyzed(text in text()) {
        let found = question::analyze(&text);
        for span in found.options.iter().chain(&found.clauses) {
            prop_assert_eq!(&text[span.range.clone()], span.text.as_str());
        }
        for source in &found.sources {
            prop_assert_eq!(&text[source.clause.range.clone()], source.clause.text.as_str());
        }
        prop_assert!(found.options.len() != 1);
        prop_assert!(found.hops.len() <= 8);
    }

    #[test]
    fn normal_forms_are_fixed_points(text in text()) {
        let name = normalize_name(&text);
        prop_assert_eq!(normalize_name(&name), name);
        let folded = fold(&text);
        prop_assert_eq!(fold(&folded), folded);
        let plain = quote::canonical(&text);
        prop_assert_eq!(quote::canonical(&plain), plain);
        let stripped = strip_disambiguation(&text);
        prop_assert!(text.starts_with(stripped));
        let _ = (introduced_names(&text), polarity::negated(&text), stem(&text));
    }

    #[test]
    fn the_visitor_gives_the_same_terms(text in text()) {
        let mut visited = Vec::new();
        let mut ranges: Vec<Range<usize>> = Vec::new();
        for_each_term(&text, |term, range| {
            visited.push(term.to_owned());
            if ranges.last() != Some(&range) {
                ranges.push(range);
            }
        });
        sound(&text, &ranges);
        prop_assert_eq!(visited, terms(&text));
    }
}

#[test]
fn long_hostile_inputs_end_in_time() {
    for unit in [
        "(", "\"", "'", "A. ", "A ", "a\n", "of ", "1 ", "A's ", "A or ", "[1", ".", "that A ",
    ] {
        let text = unit.repeat(200_000 / unit.len()) + "a";
        let _ = (sentences(&text), names(&text), dates(&text), numbers(&text));
        let _ = (noun_phrases(&text), introduced_names(&text), terms(&text));
        let _ = question::analyze(&text);
    }
}
