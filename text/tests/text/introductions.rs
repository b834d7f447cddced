//! What a first sentence defines.

use indago_text::{acronyms, introduced_name, introduced_names};

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
        (
            "If There Was a Road is the fourth album by Ann Lee.",
            Some("If There Was a Road"),
        ),
        ("A Winter Carol is a 1994 film.", Some("A Winter Carol")),
        ("The genus \"Ternia\" was named in 1911.", Some("Ternia")),
        (
            "The play Oscar Lee, written in 1936, is based on a life.",
            Some("Oscar Lee"),
        ),
        ("Born in Porto, Ann Lee was a painter.", Some("Ann Lee")),
        ("Ann Lee( born May 3, 1950) is a painter.", Some("Ann Lee")),
        (
            "Henry II (5 March 1133 – 6 July 1189) ruled for long.",
            Some("Henry II"),
        ),
        ("The song is also sung in schools.", None),
        (
            "Porto remained the seat of the firm until 2001 and is big.",
            None,
        ),
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
fn acronyms_stand_for_their_initials() {
    for (text, expected) in [
        (
            "the World Trade Bureau (WTB) met",
            Some(("WTB", "World Trade Bureau")),
        ),
        (
            "a ministry of trade (MOT) rule",
            Some(("MOT", "ministry of trade")),
        ),
        ("the big bank (WTB) met", None),
        ("(WTB) met", None),
        ("we met (as planned) there", None),
    ] {
        let found = acronyms(text);
        let found = found
            .first()
            .map(|a| (&text[a.short.clone()], &text[a.long.clone()]));
        assert_eq!(found, expected, "{text}");
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
        all("Ann Maria Lee (born 1950) is a painter."),
        ["Ann Maria Lee", "Ann Lee"]
    );
    assert_eq!(
        all("Dr. Bo \"Red\" Stone (1900–1970) was a chemist."),
        [
            "Dr. Bo \"Red\" Stone",
            "Bo \"Red\" Stone",
            "Red Stone",
            "Bo Stone"
        ]
    );
    assert_eq!(
        all("Hugh Russell, 2nd Duke of Bedmore KG (1680 – 1711) was a nobleman.")[1],
        "Hugh Russell, 2nd Duke of Bedmore KG"
    );
    assert_eq!(
        all("Red Net or Blue Net is a series.")[..2],
        ["Red Net", "Blue Net"]
    );
    assert_eq!(
        all("The World Trade Bureau (WTB) is an agency."),
        ["World Trade Bureau", "WTB"]
    );
}
