//! Dates, numbers, polarity, quotes, noun phrases.

use indago_text::{dates, noun_phrases, numbers, polarity, quote};

#[track_caller]
fn check_dates(text: &str, expected: &[(&str, &str)]) {
    let found: Vec<(&str, String)> = dates(text)
        .into_iter()
        .map(|d| (&text[d.range], d.date.to_string()))
        .collect();
    let found: Vec<(&str, &str)> = found.iter().map(|(a, b)| (*a, b.as_str())).collect();
    assert_eq!(found, expected, "{text}");
}

#[test]
fn dates_in_their_usual_forms() {
    check_dates("on 30 October 2023.", &[("30 October 2023", "2023-10-30")]);
    check_dates(
        "October 30th, 2023",
        &[("October 30th, 2023", "2023-10-30")],
    );
    check_dates("the 3rd of May 1990", &[("3rd of May 1990", "1990-05-03")]);
    check_dates(
        "Sept. 2001 and Oct 1999",
        &[("Sept. 2001", "2001-09"), ("Oct 1999", "1999-10")],
    );
    check_dates(
        "2023-10-30 or 2023-10",
        &[("2023-10-30", "2023-10-30"), ("2023-10", "2023-10")],
    );
    check_dates("(1891-1974)", &[("1891", "1891"), ("1974", "1974")]);
    check_dates("(1891–1974)", &[("1891", "1891"), ("1974", "1974")]);
    check_dates("in the 1890s", &[("1890s", "1890")]);
    check_dates("in 44 BC he died", &[("44 BC", "-043")]);
    check_dates("it cost $1500 for 1800 people", &[]);
    check_dates("he may come on 5 October", &[]);
    check_dates(
        "31 February 2020 and 45 May 2020",
        &[("31 February 2020", "2020-02-31"), ("May 2020", "2020-05")],
    );
}

#[track_caller]
fn check_numbers(text: &str, expected: &[(f64, &str)]) {
    let found: Vec<(f64, String)> = numbers(text)
        .into_iter()
        .map(|n| (n.value, n.unit.unwrap_or_default()))
        .collect();
    let found: Vec<(f64, &str)> = found.iter().map(|(v, u)| (*v, u.as_str())).collect();
    assert_eq!(found, expected, "{text}");
}

#[test]
fn numbers_in_digits_and_words() {
    check_numbers("1,250.50 and -3", &[(1250.5, ""), (-3.0, "")]);
    check_numbers("$1.5 million in sales", &[(1_500_000.0, "$")]);
    check_numbers("26.3 billion dollars", &[(26_300_000_000.0, "dollars")]);
    check_numbers("rose 12% or 5 percent", &[(12.0, "%"), (5.0, "%")]);
    check_numbers("three ships, twenty-five men", &[(3.0, ""), (25.0, "")]);
    check_numbers(
        "two hundred and six thousand people",
        &[(206_000.0, "people")],
    );
    check_numbers(
        "the 3rd and the fourth",
        &[(3.0, "ordinal"), (4.0, "ordinal")],
    );
    check_numbers("100 km at 60mph", &[(100.0, "km"), (60.0, "mph")]);
    check_numbers("no numbers here", &[]);
    check_numbers("a dozen eggs costs two dozen coins", &[(24.0, "")]);
}

#[test]
fn negation_flips_polarity() {
    for (text, negated) in [
        ("He did sign.", false),
        ("He did not sign.", true),
        ("He didn't sign.", true),
        ("He never failed.", false),
        ("Not only did he sign, he paid.", false),
        ("The firm denied the report.", true),
        ("No. 5 is a perfume.", false),
        ("It works without power.", true),
    ] {
        assert_eq!(polarity::negated(text), negated, "{text}");
    }
}

#[test]
fn quotes_compare_up_to_typography() {
    assert!(quote::equivalent("“Don’t  stop”", "\"Don't stop\""));
    assert!(quote::equivalent("a – b\n c", "a - b c"));
    assert!(quote::equivalent("soft\u{ad}hyphen", "softhyphen"));
    assert!(!quote::equivalent("Stop", "stop"));
    assert!(quote::equivalent_ignoring_case("Stop", "stop"));
    assert!(!quote::equivalent("ten", "tens"));
}

#[test]
fn noun_phrases_lie_between_function_words() {
    let text = "Who wrote the longest epic poem about the Trojan War?";
    let found: Vec<&str> = noun_phrases(text).into_iter().map(|r| &text[r]).collect();
    assert_eq!(found, ["longest epic poem", "Trojan War"]);
}
