//! Analyzers of other languages than English, against PyStemmer and on texts of each.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;

use indago_text::{
    Language, Languages, detect_language, for_each_term, for_each_term_in, is_stop_word,
    query_terms,
};
use proptest::prelude::*;

#[derive(serde::Deserialize)]
struct Case {
    language: String,
    text: String,
}

fn cases() -> impl Iterator<Item = (Language, String)> {
    let lines = include_str!("fixtures/languages.jsonl").lines();
    lines.map(|line| {
        let case: Case = serde_json::from_str(line).unwrap();
        (case.language.parse().unwrap(), case.text)
    })
}

fn terms_in(language: Language, text: &str) -> Vec<String> {
    let mut terms = Vec::new();
    for_each_term_in(language, text, |term, _| terms.push(term.to_owned()));
    terms
}

/// `fixtures/stems.py` says how the table was made.
#[test]
fn stems_are_those_of_pystemmer() {
    let mut checked: BTreeMap<Language, usize> = BTreeMap::new();
    for line in include_str!("fixtures/stems.tsv").lines() {
        let mut fields = line.split('\t');
        let mut field = || fields.next().unwrap();
        let (language, word, stem) = (field().parse::<Language>().unwrap(), field(), field());
        let terms = terms_in(language, word);
        // Function words have no terms, and words with a mark that joins are two.
        if terms.len() == 1 {
            assert_eq!(terms, [stem], "{language}: {word}");
            *checked.entry(language).or_default() += 1;
        }
    }
    assert_eq!(checked.len(), 32);
    assert!(checked.values().all(|n| *n >= 3), "{checked:?}");
}

#[test]
fn the_language_of_a_paragraph_is_told() {
    for (language, text) in cases() {
        assert_eq!(detect_language(&text), Some(language), "{text}");
    }
}

#[test]
fn a_sentence_with_foreign_names_is_english() {
    for text in [
        "Los Angeles",
        "El Paso de Robles",
        "The Musée de la Vie romantique is a museum in Paris.",
        "Das Boot is a 1981 German war film about the crew of a submarine.",
        "La Dolce Vita, Il Gattopardo and Ladri di biciclette are films of that time.",
        "Real-time estimation of die temperature in micro-processors",
        "Le Van Duyet",
        "Universidad Nacional de Colombia, sede Bogotá",
        "1984 1985 7 x 7",
        "",
    ] {
        let found = detect_language(text);
        assert!(
            matches!(found, None | Some(Language::English)),
            "{text}: {found:?}"
        );
    }
}

/// Any word of a document that is no function word finds it, however it is inflected there.
#[test]
fn every_word_of_a_text_is_a_term_that_a_query_has() {
    for (language, text) in cases() {
        let terms = terms_in(language, &text);
        assert!(terms.len() > 5, "{language}: {terms:?}");
        let all: Languages = Language::ALL.iter().copied().collect();
        for languages in [std::iter::once(language).collect(), all] {
            for word in
                text.split(|c: char| !c.is_alphanumeric() && !('\u{300}'..'\u{370}').contains(&c))
            {
                let own = terms_in(language, word);
                let asked = query_terms(languages, word);
                let found = own.is_empty() || own.iter().any(|term| asked.contains_key(term));
                assert!(found, "{language}: {word}: {own:?}, asked {asked:?}");
            }
        }
    }
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[\\p{L}\\p{M}\\p{N} .'’-]{0,80}",
        "[a-zäöüßéèñçåøæıİşğčřžąęłőûșțâ]{0,20}( [a-zäöüßéèêñçåøæış]{0,20}){0,8}",
        "[\\p{Han}\\p{Hiragana}\\p{Katakana}\\p{Hangul}\\p{Thai}]{0,30}",
        "[\\p{Greek}\\p{Cyrillic}\\p{Arabic}\\p{Devanagari}\\p{Tamil}\\p{Armenian}\\p{Hebrew}]{0,40}",
    ]
}

proptest! {
    #[test]
    fn analysing_never_panics_and_ranges_hold_words(
        text in texts(),
        language in prop::sample::select(Language::ALL),
    ) {
        let mut last = 0;
        for_each_term_in(language, &text, |term, range| {
            assert!(!term.is_empty());
            assert!(range.start >= last && !text[range.clone()].is_empty());
            last = range.start;
        });
        let _ = detect_language(&text);
        query_terms([language].into_iter().collect(), &text);
    }

    #[test]
    fn a_document_is_found_by_its_text(
        text in texts(),
        language in prop::sample::select(Language::ALL),
        others in prop::collection::vec(prop::sample::select(Language::ALL), 0..3),
    ) {
        let own = terms_in(language, &text);
        let one = query_terms([language].into_iter().collect(), &text);
        prop_assert!(one.keys().all(|term| own.contains(term)));
        prop_assert_eq!(one.is_empty(), own.is_empty());
        // More languages in the corpus take nothing of it, but for function words that a query
        // shows to be such.
        let all: Languages = others.into_iter().chain([language]).collect();
        let asked = query_terms(all, &text);
        let lost = one.keys().filter(|term| !asked.contains_key(*term)).count();
        let shown = detect_language(&text).is_some_and(|shown| shown != language);
        prop_assert!(shown || lost == 0);
    }

    #[test]
    fn english_alone_is_the_analyzer_of_old(text in texts()) {
        let mut old: BTreeMap<String, u32> = BTreeMap::new();
        let mut order = Vec::new();
        for_each_term(&text, |term, range| {
            *old.entry(term.to_owned()).or_default() += 1;
            order.push((term.to_owned(), range));
        });
        let mut new = Vec::new();
        for_each_term_in(Language::English, &text, |term, range| new.push((term.to_owned(), range)));
        prop_assert_eq!(order, new);
        prop_assert_eq!(query_terms(Languages::ENGLISH, &text), old);
    }
}

#[test]
fn english_stop_words_are_those_of_the_analyzer() {
    assert!(is_stop_word("the") && terms_in(Language::English, "the").is_empty());
    assert_eq!(terms_in(Language::German, "the"), ["the"]);
}
