//! Names in running text and in questions.

use indago_text::{NameKind, fold, names, names_in_question, normalize_name, strip_disambiguation};

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let found: Vec<String> = names(text).into_iter().map(|n| n.text).collect();
    assert_eq!(found, expected, "{text}");
}

#[test]
fn people_places_and_things() {
    check(
        "Yesterday Maria Silva met John Smith.",
        &["Maria Silva", "John Smith"],
    );
    check(
        "However, the Danish town of Aarhus grew.",
        &["Danish", "Aarhus"],
    );
    check(
        "The University of California sued.",
        &["University of California"],
    );
    check(
        "He read the work of Ludwig van Beethoven.",
        &["Ludwig van Beethoven"],
    );
    check("In Rio de Janeiro it rained.", &["Rio de Janeiro"]);
    check(
        "the work of J. R. R. Tolkien and C. S. Lewis.",
        &["J. R. R. Tolkien", "C. S. Lewis"],
    );
    check("Dr. Jane Goodall spoke.", &["Dr. Jane Goodall"]);
    check("a film by Jean-Luc Godard", &["Jean-Luc Godard"]);
    check("Zoë Łukasz and Éric Çelik", &["Zoë Łukasz", "Éric Çelik"]);
    check("They bought an iPhone from Apple.", &["iPhone", "Apple"]);
    check("the firm Johnson & Johnson", &["Johnson & Johnson"]);
    check(
        "under the Molotov–Ribbentrop Pact",
        &["Molotov–Ribbentrop Pact"],
    );
    check("as seen on Example.com daily", &["Example.com"]);
    check(
        "Martin Luther King, Jr. spoke.",
        &["Martin Luther King, Jr"],
    );
}

#[test]
fn sentence_openers_are_no_names() {
    check("Water is wet. Everyone knows water.", &[]);
    check("During the war they left.", &[]);
    check("Working at night is hard.", &[]);
    check("She and I went home.", &[]);
    check("On Monday, in May 2010, it closed.", &[]);
    check("The band played. However, nobody came.", &[]);
}

#[test]
fn possessives_end_names() {
    check("Anna Benson's husband", &["Anna Benson"]);
    check("the Lakers' coach", &["Lakers"]);
    check("we saw Rosemary's Baby there", &["Rosemary's Baby"]);
    let found = names("we saw Rosemary's Baby there");
    assert_eq!(found[0].alternatives, ["Rosemary", "Baby"]);
}

#[test]
fn numbers_inside_names() {
    check(
        "after Apollo 11 came Wrong Turn 2",
        &["Apollo 11", "Wrong Turn 2"],
    );
    check(
        "in World War II and under Henry VIII",
        &["World War II", "Henry VIII"],
    );
    check("the 1994 World Cup", &["World Cup"]);
    assert_eq!(
        names("the 1994 World Cup")[0].alternatives,
        ["1994 World Cup"]
    );
    check("born on October 3, 1990 in Paris", &["Paris"]);
    check("the games of Lisbon 1987 ended", &["Lisbon"]);
    assert_eq!(
        names("the games of Lisbon 1987 ended")[0].alternatives,
        ["Lisbon 1987"]
    );
}

#[test]
fn labels_of_sections_belong_to_no_name() {
    check(
        "RESULTS Patients in Lima recovered as other patients do.",
        &["Lima"],
    );
    check(
        "It was new. OBJECTIVE To see Lima. CONCLUSIONS: Ann Lee won.",
        &["Lima", "Ann Lee"],
    );
    check("METHODS", &[]);
    // In the middle of a sentence the word is a name like any other.
    check(
        "the CONTEXT Foundation of Lima",
        &["CONTEXT Foundation of Lima"],
    );
}

#[test]
fn quoted_titles_acronyms_and_code() {
    check(
        "the novel \"Love Is Colder Than Death\" sold",
        &["Love Is Colder Than Death"],
    );
    check("\"I will go,\" he said", &[]);
    let found = names("NASA calls read_file twice");
    assert_eq!(found[0].kind, NameKind::Acronym);
    assert_eq!(
        (found[1].text.as_str(), found[1].kind),
        ("read_file", NameKind::Code)
    );
    check(
        "the World Health Organization (WHO) said",
        &["World Health Organization", "WHO"],
    );
}

#[test]
fn epithets_and_parentheses_are_alternatives() {
    let found = names("the son of Edward Baring, 1st Baron Revelstoke");
    assert_eq!(found[0].text, "Edward Baring");
    assert_eq!(
        found[0].alternatives,
        ["Edward Baring, 1st Baron Revelstoke"]
    );
    let found = names("near Paris, Texas");
    assert_eq!(found[0].alternatives, ["Paris, Texas"]);
    assert_eq!(
        names("we saw Mission: Harbour twice")[0].alternatives,
        ["Mission: Harbour"]
    );
    assert!(
        names("by Ann Lee (born 27 May 1963)")[0]
            .alternatives
            .is_empty()
    );
    let found = names("the planet Mercury (planet) is hot");
    assert_eq!(found[0].alternatives, ["Mercury (planet)"]);
    assert_eq!(found.len(), 1);
}

#[test]
fn questions_also_give_joined_and_quoted_names() {
    let texts =
        |q: &str| -> Vec<String> { names_in_question(q).into_iter().map(|n| n.text).collect() };
    let found = texts("Who sang in Breakfast at Tiffany's?");
    assert!(
        found.contains(&"Breakfast at Tiffany's".to_owned())
            || found.contains(&"Breakfast at Tiffany".to_owned()),
        "{found:?}"
    );
    assert!(found.contains(&"Breakfast".to_owned()), "{found:?}");
    assert!(texts("who wrote Lord of the Rings?").contains(&"Lord of the Rings".to_owned()));
    let found = texts("Which is longer, Payment On Demand or My Cousin From Warsaw?");
    assert_eq!(found, ["Payment On Demand", "My Cousin From Warsaw"]);
    assert!(texts("who sang 'hey you there' first?").contains(&"hey you there".to_owned()));
}

#[test]
fn one_spelling_per_name() {
    for (name, expected) in [
        ("The Beatles", "beatles"),
        ("Géza von Cziffra", "geza von cziffra"),
        ("AC/DC", "ac dc"),
        ("O'Reilly's", "oreilly"),
        ("  Foo -- Bar! ", "foo bar"),
        ("Łódź", "lodz"),
        ("Straße", "strasse"),
        ("'s", "s"),
        ("!!!", ""),
        ("The The", "the"),
    ] {
        assert_eq!(normalize_name(name), expected, "{name}");
    }
    assert_eq!(fold("Ærø"), "aero");
    assert_eq!(strip_disambiguation("Dune (2021 film)"), "Dune");
    assert_eq!(strip_disambiguation("(Untitled)"), "(Untitled)");
    assert_eq!(strip_disambiguation("Plain"), "Plain");
}
