//! What a first sentence defines.

use indago_text::{introduced_name, introduced_names};

#[test]
fn subjects_of_definitions() {
    for (text, expected) in [
        (
            "Carsten Erik Olsen (1891-1974) was a Danish chemist.",
            Some("Carsten Erik Olsen"),
        ),
        ("The Red Lantern is a 1919 film.", Some("Red Lantern")),
        (
            "Maria Silva, born in 1950 in Porto, is a painter. She lives.",
            Some("Maria Silva"),
        ),
        ("\"Blue Moon\" is a song by Ann Lee.", Some("Blue Moon")),
        (
            "The Treaty of Oslo was signed in 1905.",
            Some("Treaty of Oslo"),
        ),
        ("A black hole is a region of spacetime.", Some("black hole")),
        ("Peter (who was tall) is a character.", Some("Peter")),
        ("It was a cold day.", None),
        ("In 1990, she was elected.", None),
        ("There are many ways.", None),
        ("No verb here", None),
        ("", None),
    ] {
        assert_eq!(introduced_name(text).as_deref(), expected, "{text}");
    }
}

#[test]
fn aliases_follow_the_name() {
    let all = |text| introduced_names(text);
    assert_eq!(
        all("Anna Maria Rossi, also known as Anna Rossi, is a singer."),
        ["Anna Maria Rossi", "Anna Rossi"]
    );
    assert_eq!(
        all("Robert Mills (born Robert Stone; 3 May 1960), better known as Bobby M, was a rapper."),
        ["Robert Mills", "Bobby M", "Robert Stone"]
    );
    assert_eq!(
        all("The World Trade Bureau (WTB) is an agency."),
        ["World Trade Bureau", "WTB"]
    );
}
