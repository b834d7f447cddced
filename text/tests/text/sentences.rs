//! Where sentences end.

use indago_text::{sentences, words};

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let found: Vec<&str> = sentences(text).into_iter().map(|r| &text[r]).collect();
    assert_eq!(found, expected);
}

#[test]
fn terminators_end_sentences() {
    check("One. Two! Three? Four", &["One.", "Two!", "Three?", "Four"]);
    check(
        "She left... Then it rained.",
        &["She left...", "Then it rained."],
    );
    check("Wait… what? Yes.", &["Wait… what?", "Yes."]);
    check("  padded.  \n ", &["padded."]);
    check("", &[]);
    check(" \n\t", &[]);
    check(
        "これは文です。次の文です。",
        &["これは文です。", "次の文です。"],
    );
}

#[test]
fn abbreviations_do_not() {
    check(
        "Dr. Ada Lovelace met Prof. Babbage. They talked.",
        &["Dr. Ada Lovelace met Prof. Babbage.", "They talked."],
    );
    check(
        "The U.S. Navy sailed. It won.",
        &["The U.S. Navy sailed.", "It won."],
    );
    check(
        "He lived in the U.S. The end came.",
        &["He lived in the U.S.", "The end came."],
    );
    check(
        "J. R. R. Tolkien wrote it.",
        &["J. R. R. Tolkien wrote it."],
    );
    check(
        "Use a tool, e.g. Git. It works.",
        &["Use a tool, e.g. Git.", "It works."],
    );
    check(
        "See Fig. 3 and No. 5. Then stop.",
        &["See Fig. 3 and No. 5.", "Then stop."],
    );
    check(
        "They said no. Nobody came.",
        &["They said no.", "Nobody came."],
    );
    check(
        "Acme Inc. Chairman Li spoke.",
        &["Acme Inc. Chairman Li spoke."],
    );
    check(
        "He joined Acme Inc. The firm grew.",
        &["He joined Acme Inc.", "The firm grew."],
    );
    check(
        "St. Pauli lost vs. Bremen.",
        &["St. Pauli lost vs. Bremen."],
    );
    check(
        "Martin Luther King Jr. Day is in January.",
        &["Martin Luther King Jr. Day is in January."],
    );
}

#[test]
fn numbers_and_names_keep_their_points() {
    check(
        "It costs 3.50 euros. Pi is 3.14.",
        &["It costs 3.50 euros.", "Pi is 3.14."],
    );
    check(
        "Yahoo! is a company. So is Intel.",
        &["Yahoo! is a company.", "So is Intel."],
    );
    check(
        "Visit example.org today. Or not.",
        &["Visit example.org today.", "Or not."],
    );
    check(
        "Version 2.0.1 fixed it. Good.",
        &["Version 2.0.1 fixed it.", "Good."],
    );
}

#[test]
fn quotes_and_marks_stay_with_their_sentence() {
    check(
        "\"I go,\" he said. \"Stay!\" She went.",
        &["\"I go,\" he said.", "\"Stay!\"", "She went."],
    );
    check(
        "It ended.[3] Then it began.[4][5]",
        &["It ended.[3]", "Then it began.[4][5]"],
    );
    check("(It rained.) We left.", &["(It rained.)", "We left."]);
    check(
        "“Really?” asked Tom. Yes.",
        &["“Really?” asked Tom.", "Yes."],
    );
}

#[test]
fn layout_ends_sentences() {
    check(
        "first line\nsame sentence.",
        &["first line\nsame sentence."],
    );
    check(
        "no point\n\nnext paragraph",
        &["no point", "next paragraph"],
    );
    check("# Title\nText here.", &["# Title", "Text here."]);
    check("Set-up\n- one\n- two", &["Set-up", "- one", "- two"]);
    check(
        "1. First step\n2. Second step",
        &["1. First step", "2. Second step"],
    );
    check("| a | b |\n| 1 | 2 |", &["| a | b |", "| 1 | 2 |"]);
    check(
        "Early life\nShe was born in Oslo and grew up there.",
        &["Early life", "She was born in Oslo and grew up there."],
    );
    check("let a = 1;\nlet b = 2;", &["let a = 1;", "let b = 2;"]);
    check("windows line\r\n\r\nnext", &["windows line", "next"]);
}

#[test]
fn words_are_what_a_reader_sees() {
    let text = "Mr. O'Neil's well-known 3,000.5 U.S.A. e-mail: don't_stop naïve café’s";
    let found: Vec<&str> = words(text).into_iter().map(|r| &text[r]).collect();
    let expected = [
        "Mr",
        "O'Neil's",
        "well-known",
        "3,000.5",
        "U.S.A.",
        "e-mail",
        "don't_stop",
        "naïve",
        "café’s",
    ];
    assert_eq!(found, expected);
}
