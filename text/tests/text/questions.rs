//! What a question asks.

use indago_core::AnswerKind::{self, Choice, Entity, Person, Place, Quantity, Time, YesNo};
use indago_text::question::Shape::{self, Bridge, Comparison, Conjunction, List, Simple, Temporal};
use indago_text::question::{Direction, Scale, analyze};

#[test]
fn shape_and_answer_kind() {
    let cases: &[(&str, Shape, AnswerKind)] = &[
        ("Who directed Copper Moon?", Simple, Person),
        ("When was Maria Silva born?", Simple, Time),
        ("What is Maria Silva's occupation?", Simple, Entity),
        ("In what city was Maria Silva born?", Simple, Place),
        ("How many people live in Lisbon?", Simple, Quantity),
        ("What is the population of Lisbon?", Simple, Quantity),
        ("Is Lisbon larger than Porto?", Comparison, YesNo),
        (
            "Who is the mother of the director of film Copper Moon?",
            Bridge,
            Person,
        ),
        (
            "Where was the wife of Ann Lee's brother born?",
            Bridge,
            Place,
        ),
        (
            "What year did the company that makes Fizzo close?",
            Bridge,
            Time,
        ),
        (
            "Which film came out first, Copper Moon or Iron Sun?",
            Comparison,
            Choice,
        ),
        ("Who is older, Ann Lee or Bob Ray?", Comparison, Choice),
        ("Are Ann Lee and Bob Ray both singers?", Comparison, YesNo),
        (
            "Do director of film Copper Moon and director of film Iron Sun share the same nationality?",
            Comparison,
            YesNo,
        ),
        ("Did Ann Lee or Bob Ray die first?", Comparison, Choice),
        (
            "What do Ann Lee and Bob Ray have in common?",
            Comparison,
            Entity,
        ),
        ("What are the tributaries of the Vinda river?", List, Entity),
        ("List all bridges over the Vinda.", List, Entity),
        (
            "Between the Daily Orb report on the strike published on May 3, 2021 and the Morning Star report on the strike published on May 9, 2021, was there a change in tone?",
            Temporal,
            YesNo,
        ),
        (
            "Which company, according to the Daily Orb, settled in May and is described by the Morning Star as a repeat offender?",
            Conjunction,
            Entity,
        ),
        ("The river Vinda flows through what country?", Simple, Place),
        ("Maria Silva plays for a team based where?", Simple, Place),
        (
            "In 1999 Fizzo was bought by a firm that has how many shops?",
            Bridge,
            Quantity,
        ),
        ("", Simple, Entity),
    ];
    for (text, shape, kind) in cases {
        let found = analyze(text);
        assert_eq!(
            (found.shape, found.answer),
            (*shape, *kind),
            "{text}\n{found:#?}"
        );
    }
}

#[test]
fn the_focus_is_the_head_noun() {
    for (text, focus) in [
        (
            "Which film came out first, Copper Moon or Iron Sun?",
            Some("film"),
        ),
        ("What year did Ann Lee die?", Some("year")),
        ("How many islands belong to Denmark?", Some("islands")),
        ("Who is the father of Ann Lee?", Some("father")),
        (
            "What type of establishments sell bread?",
            Some("establishments"),
        ),
        (
            "Which American musician played in Soulfire?",
            Some("musician"),
        ),
        ("What is the name of the river in Lisbon?", Some("river")),
        ("Which platform offers a bonus?", Some("platform")),
        ("When did Ann Lee die?", None),
        ("the company that made the vehicle", Some("company")),
    ] {
        assert_eq!(analyze(text).focus.as_deref(), focus, "{text}");
    }
}

#[test]
fn options_are_what_is_compared() {
    for (text, expected) in [
        (
            "Which film came out first, Copper Moon or Iron Sun?",
            vec!["Copper Moon", "Iron Sun"],
        ),
        (
            "Which is longer, Believe Me, Anna or The Day Of The Fox?",
            vec!["Believe Me, Anna", "The Day Of The Fox"],
        ),
        (
            "Which is largest, Lisbon, Porto, or Faro?",
            vec!["Lisbon", "Porto", "Faro"],
        ),
        (
            "Which is older, Copper Moon or Harvest: 3,000 Years?",
            vec!["Copper Moon", "Harvest: 3,000 Years"],
        ),
        (
            "Are Frost and Escape from the Hill both films?",
            vec!["Frost", "Escape from the Hill"],
        ),
        ("Is Lisbon larger than Porto?", vec!["Lisbon", "Porto"]),
        (
            "Does Ann Lee have the same nationality as Bob Ray?",
            vec!["Ann Lee", "Bob Ray"],
        ),
        (
            "Did Ann Lee and Bob Ray both write more than 15 novels?",
            vec!["Ann Lee", "Bob Ray"],
        ),
        (
            "Who is younger, Ann Lee (1686–1753) or Bob Ray?",
            vec!["Ann Lee (1686–1753)", "Bob Ray"],
        ),
        (
            "Are Ann Lee and Bob Ray both singers?",
            vec!["Ann Lee", "Bob Ray"],
        ),
        (
            "Are director of film Copper Moon (1931 Film) and director of film Iron Sun both from the same country?",
            vec!["Copper Moon (1931 Film)", "Iron Sun"],
        ),
        (
            "Did Ann Lee or Bob Ray die first?",
            vec!["Ann Lee", "Bob Ray"],
        ),
        ("Who directed Copper Moon and Iron Sun?", vec![]),
        (
            "Who directed War or Peace or whatever?",
            vec!["War", "Peace"],
        ),
    ] {
        let found = analyze(text);
        let found: Vec<&str> = found.options.iter().map(|o| o.text.as_str()).collect();
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn hops_run_from_the_inside_out() {
    for (text, expected) in [
        (
            "Who is the father of Edward Baring's father?",
            "Edward Baring: father > father",
        ),
        (
            "What is the date of death of the director of film Copper Moon?",
            "Copper Moon: director > date death",
        ),
        (
            "Which team was Anna Benson's husband on?",
            "Anna Benson: husband > team",
        ),
        (
            "When was the team that Anna Benson's husband was on founded?",
            "Anna Benson: husband > team founded",
        ),
        (
            "Where did Ann Lee's mother study?",
            "Ann Lee: mother > study",
        ),
        (
            "What county shares a border with the county in which Elmtown is located?",
            "Elmtown: county located > county shares border",
        ),
        (
            "Who did the star of Copper Moon play in Iron Sun?",
            "Copper Moon: star > play",
        ),
        (
            "Who is the chairman of the company that bought Fizzo?",
            "Fizzo: company bought > chairman",
        ),
        ("What is Ann Lee's occupation?", "Ann Lee: occupation"),
        (
            "Who is the author of Rose O' The Hill?",
            "Rose O' The Hill: author",
        ),
        (
            "Where is the author of Quest: The Hunt for the Last Ship?",
            "Quest: The Hunt for the Last Ship: author",
        ),
        (
            "Who hosted the 2017 Harbour Games?",
            "2017 Harbour Games: hosted",
        ),
        (
            "When did the city where the author of Blue Tide died become a capital?",
            "Blue Tide: author > city died > become capital",
        ),
        (
            "Which film has the director who died first, Copper Moon or Iron Sun?",
            "Copper Moon: director > died first",
        ),
    ] {
        let found = analyze(text);
        let anchor = found
            .hops
            .first()
            .and_then(|h| h.anchor.clone())
            .unwrap_or_default();
        let hops: Vec<String> = found.hops.iter().map(|h| h.relation.join(" ")).collect();
        assert_eq!(
            format!("{anchor}: {}", hops.join(" > ")),
            expected,
            "{text}"
        );
    }
}

#[test]
fn orderings_have_a_direction() {
    for (text, expected) in [
        (
            "Who is older, Ann Lee or Bob Ray?",
            Some((Direction::Least, Scale::Birth)),
        ),
        (
            "Who was born later, Ann Lee or Bob Ray?",
            Some((Direction::Most, Scale::Birth)),
        ),
        (
            "Who died earlier, Ann Lee or Bob Ray?",
            Some((Direction::Least, Scale::Time)),
        ),
        (
            "Which was founded more recently, Acme or Fizzo?",
            Some((Direction::Most, Scale::Time)),
        ),
        (
            "Which peak is higher, Muran or Tolna?",
            Some((Direction::Most, Scale::Amount)),
        ),
        (
            "Who lived longer, Ann Lee or Bob Ray?",
            Some((Direction::Most, Scale::Amount)),
        ),
        ("Who was the first president of Norland?", None),
        ("Where is Ann Lee from?", None),
    ] {
        let found = analyze(text).ordering.map(|o| (o.direction, o.scale));
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn sources_come_with_their_clauses() {
    let found = analyze(
        "Does the article from The Morning Star claim that Acme lost money, while the 'Daily Orb' \
         report says that Fizzo gained customers?",
    );
    let found: Vec<(&str, &str)> = found
        .sources
        .iter()
        .map(|s| (s.name.as_str(), s.clause.text.as_str()))
        .collect();
    assert_eq!(
        found[0],
        (
            "The Morning Star",
            "the article from The Morning Star claim that Acme lost money"
        )
    );
    assert_eq!(found[1].0, "Daily Orb");
    assert!(found[1].1.ends_with("Fizzo gained customers"), "{found:?}");

    let found = analyze("Which bank failed in March, according to Morning Star and Daily Orb?");
    let found: Vec<&str> = found.sources.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(found, ["Morning Star", "Daily Orb"]);
    assert!(
        analyze("Who wrote the report on Lisbon?")
            .sources
            .is_empty()
    );
}

#[test]
fn relation_words_are_neither_names_nor_question_words() {
    let found = analyze("Who is the mother of the director of film Copper Moon?").relation_words;
    assert_eq!(found, ["mother", "director", "film"]);
}

#[test]
fn a_long_question_is_cut_not_refused() {
    let text = "Who é ".repeat(20_000);
    let found = analyze(&text);
    assert!(
        found
            .clauses
            .iter()
            .all(|c| text.get(c.range.clone()).is_some())
    );
}
