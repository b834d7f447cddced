//! Corpora in several languages, and those made before languages were told apart.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::path::Path;

use indago_core::{Cancel, Query};
use indago_retriever::{Corpus, CorpusWriter, WriterOptions, language_of, prepare};
use indago_text::{Language, LanguageChoice};
use proptest::prelude::*;
use support::{document, options, state};

/// Brings the corpus in `dir` to hold these documents, each in the language it shows.
fn index(dir: &Path, options: &WriterOptions, texts: &[(String, String)]) -> usize {
    let mut writer = CorpusWriter::open(dir, options).unwrap();
    let choice = writer.language();
    let states: Vec<_> = texts.iter().map(|(id, text)| state(id, text)).collect();
    let plan = writer.plan(&states);
    let mut next = writer.build(&plan.unchanged).unwrap();
    let mut read = 0;
    for file in plan.to_read() {
        let (id, text) = texts.iter().find(|(id, _)| *id == file.path).unwrap();
        next.file(file.clone());
        let (document, passages) = document(id, "", text);
        let language = language_of(&document, choice);
        next.add(&prepare(document, passages, language).unwrap())
            .unwrap();
        read += 1;
    }
    next.commit(true, |_| Ok(())).unwrap();
    read
}

fn search(corpus: &Corpus, query: &str) -> Vec<(String, u32)> {
    let bm25 = corpus.retriever("bm25", None).unwrap();
    let hits = bm25.search(&Query::new(query), 50, &Cancel::new()).unwrap();
    let path = |id| corpus.source_of(id).unwrap().unwrap().path;
    hits.iter()
        .map(|hit| (path(hit.passage), hit.score.to_bits()))
        .collect()
}

fn texts() -> Vec<(String, String)> {
    let lines = include_str!("../../text/tests/text/fixtures/languages.jsonl").lines();
    lines
        .map(|line| {
            let case: serde_json::Value = serde_json::from_str(line).unwrap();
            let field = |key: &str| case[key].as_str().unwrap().to_owned();
            (field("language"), field("text"))
        })
        .collect()
}

#[test]
fn a_corpus_of_every_language_finds_each_document_by_its_words() {
    let dir = tempfile::tempdir().unwrap();
    let texts = texts();
    index(dir.path(), &options(), &texts);
    let corpus = Corpus::open(dir.path()).unwrap().unwrap();
    let (choice, counts) = corpus.languages().unwrap();
    assert_eq!((choice, counts.len()), ("auto", texts.len()));
    for (path, text) in &texts {
        let language: Language = path.parse().unwrap();
        let mut words = Vec::new();
        indago_text::for_each_term_in(language, text, |_, range| words.push(&text[range]));
        words.dedup();
        assert!(words.len() > 1, "{path}: {words:?}");
        for word in words {
            let found = search(&corpus, word);
            assert!(found.iter().any(|(p, _)| p == path), "{path}: {word}");
        }
        assert_eq!(&search(&corpus, text)[0].0, path, "the whole text");
    }
}

#[test]
fn common_words_of_a_question_are_not_looked_for_by_the_stems_of_another_language() {
    let dir = tempfile::tempdir().unwrap();
    let text = |id: &str, text: &str| (id.to_owned(), text.to_owned());
    index(
        dir.path(),
        &options(),
        &[
            text(
                "moth",
                "The moth sat on the lamp of the harbour until it was light.",
            ),
            text(
                "mother",
                "The mother of Anna Müller was a pilot of the port of Kiel.",
            ),
            text(
                "haus",
                "Anna Müllers Häuser stehen nicht in der Stadt, sondern auf dem Land.",
            ),
        ],
    );
    let corpus = Corpus::open(dir.path()).unwrap().unwrap();
    assert_eq!(corpus.languages().unwrap().1.len(), 2);
    // German takes `mother` to the stem of `moth`.
    let found = search(&corpus, "Who was the mother of the pilot and of Müller?");
    let paths: Vec<&str> = found.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(paths, ["mother", "haus"]);
    let one = search(&corpus, "Haus");
    assert_eq!(one[0].0, "haus");
}

/// Makes the corpus one that was made before languages were told apart.
fn age(dir: &Path) {
    let path = dir.join("manifest.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let (_, body) = text.split_once('\n').unwrap();
    let mut manifest: serde_json::Value = serde_json::from_str(body).unwrap();
    let fields = manifest.as_object_mut().unwrap();
    fields.remove("language").unwrap();
    fields.remove("languages").unwrap();
    let settings = fields["settings"].as_str().unwrap();
    let (before, _) = settings.split_once("; language").unwrap();
    fields["settings"] = before.into();
    let body = serde_json::to_string_pretty(&manifest).unwrap() + "\n";
    let sum = xxhash_rust::xxh3::xxh3_64(body.as_bytes());
    std::fs::write(&path, format!("indago-corpus 1 {sum:016x}\n{body}")).unwrap();
}

#[test]
fn a_corpus_of_the_time_before_goes_on_as_english() {
    let dir = tempfile::tempdir().unwrap();
    let english = WriterOptions {
        language: Some(LanguageChoice::Always(Language::English)),
        ..options()
    };
    let mut texts = vec![
        (
            "a".to_owned(),
            "The old stone towers of the harbour".to_owned(),
        ),
        (
            "b".to_owned(),
            "Das Haus ist nicht groß, aber die Häuser sind es".to_owned(),
        ),
    ];
    index(dir.path(), &english, &texts);
    let before = search(&Corpus::open(dir.path()).unwrap().unwrap(), "tower");
    age(dir.path());
    let corpus = Corpus::open(dir.path()).unwrap().unwrap();
    assert_eq!(corpus.languages(), None);
    assert_eq!(search(&corpus, "tower"), before);
    // What comes is analysed as what is there, and nothing is read again.
    texts.push((
        "c".to_owned(),
        "Der Turm ist nicht hoch, aber die Türme sind alt".to_owned(),
    ));
    assert_eq!(index(dir.path(), &options(), &texts), 1);
    let corpus = Corpus::open(dir.path()).unwrap().unwrap();
    assert_eq!(corpus.languages(), None);
    assert!(search(&corpus, "Turm").len() == 1 && search(&corpus, "Türmen").is_empty());
    // Until it is asked for.
    let auto = WriterOptions {
        language: Some(LanguageChoice::Auto),
        ..options()
    };
    assert_eq!(index(dir.path(), &auto, &texts), 3);
    let corpus = Corpus::open(dir.path()).unwrap().unwrap();
    assert_eq!(corpus.languages().unwrap().1.get("de"), Some(&2));
    assert_eq!(
        (
            search(&corpus, "Haus").len(),
            search(&corpus, "Türmen").len()
        ),
        (1, 1)
    );
    // From then on it is kept.
    assert_eq!(index(dir.path(), &options(), &texts), 0);
}

#[test]
fn a_language_of_a_newer_build_is_named() {
    let dir = tempfile::tempdir().unwrap();
    index(
        dir.path(),
        &options(),
        &[("a".to_owned(), "old towers".to_owned())],
    );
    let path = dir.path().join("manifest.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let (_, body) = text.split_once('\n').unwrap();
    let body = body.replace("\"en\": 1", "\"qq\": 1");
    let sum = xxhash_rust::xxh3::xxh3_64(body.as_bytes());
    std::fs::write(&path, format!("indago-corpus 1 {sum:016x}\n{body}")).unwrap();
    let error = Corpus::open(dir.path()).unwrap_err().to_string();
    assert!(
        error.contains("`qq` is no language that is known"),
        "{error}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Scores of English documents to the bit, whether told to be English or found to be, and the
    /// files of terms as well.
    #[test]
    fn english_told_or_found_is_the_same(
        texts in prop::collection::vec(
            "(the|a|of|and|was|in) [a-zé]{2,9}( (the|of|was|and|by|[a-z]{2,9}|[A-Z][a-z]{2,7})){3,20}",
            1..12,
        ),
        query in "[a-z]{2,9}( [a-zA-Z]{2,9}){0,3}",
    ) {
        let texts: Vec<(String, String)> =
            texts.into_iter().enumerate().map(|(i, text)| (format!("{i:02}"), text)).collect();
        let [found, told] = [LanguageChoice::Auto, LanguageChoice::Always(Language::English)].map(|choice| {
            let dir = tempfile::tempdir().unwrap();
            index(dir.path(), &WriterOptions { language: Some(choice), ..options() }, &texts);
            let corpus = Corpus::open(dir.path()).unwrap().unwrap();
            let store = std::fs::read(dir.path().join("g000001/documents")).unwrap();
            let queries = texts.iter().map(|(_, text)| text.as_str()).chain([query.as_str()]);
            let hits: Vec<_> = queries.map(|query| search(&corpus, query)).collect();
            (hits, store)
        });
        prop_assert!(found == told);
    }
}
