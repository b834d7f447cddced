//! Every kind of index while it is written: what is open answers from its state as before, what is
//! opened is one state and not a mix, and nothing of what was deleted is found in the end.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use indago_core::ports::{DocumentStore, Encoder, NameIndex, Retriever};
use indago_core::{Cancel, PassageId, Query};
use indago_retriever::{Corpus, CorpusWriter, Propositions, retrievers, verify};

use crate::support::{Letters, WordHasher, document, index, options};

/// Editions of the documents that a writer goes through after the first.
const EDITIONS: usize = 4;
/// Documents of an edition, and how many of them the next one has no more.
const DOCUMENTS: usize = 60;
const GO: usize = 15;
/// Passages of a document; enough in all that approximate search walks its graph.
const PASSAGES: usize = 8;
/// Sparse search by an encoder, which no name is registered for.
const BY_ENCODER: &str = "sparse by an encoder";
/// Indexes that are never behind the documents, as long as a text has all of a query's words.
const AT_ONCE: [&str; 3] = ["bm25", "exact", "sparse"];

const WORDS: [&str; 24] = [
    "harbour", "river", "bridge", "stone", "tower", "market", "boat", "lantern", "captain",
    "winter", "orchard", "garden", "library", "mountain", "letter", "painter", "violin", "bakery",
    "castle", "meadow", "copper", "ferry", "abbot", "clock",
];

/// The title of a document, which is a name that its passages are about.
fn title(number: usize) -> String {
    format!("Keeper Number{number}")
}

/// A window over all documents that moves on: each edition adds, deletes, and changes every seventh.
fn documents(edition: usize) -> Vec<(String, String)> {
    let document = |number: usize| {
        let changed = if number.is_multiple_of(7) { edition } else { 0 };
        let passage = |i: usize| {
            let mut state = (number * 31 + i * 7 + changed * 1009 + 1) as u64;
            let mut word = || {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                WORDS[(state >> 40) as usize % WORDS.len()]
            };
            let words: Vec<&str> = (0..9).map(|_| word()).collect();
            let keeper = number % 9;
            format!(
                "Mark{number}x{i}x{changed} of the {} was seen by Anna Falk{keeper}.",
                words.join(" ")
            )
        };
        let passages: Vec<String> = (0..PASSAGES).map(passage).collect();
        (title(number), passages.join("\n\n"))
    };
    (edition * GO..edition * GO + DOCUMENTS)
        .map(document)
        .collect()
}

/// The texts of an edition's passages.
type Texts = HashMap<PassageId, String>;

fn texts(edition: usize) -> Texts {
    let documents = documents(edition).into_iter();
    let passages = documents.flat_map(|(path, text)| document(&path, &path, &text).1);
    passages.map(|passage| (passage.id, passage.text)).collect()
}

fn encoder() -> Arc<dyn Encoder> {
    Arc::new(Propositions::new(Arc::new(WordHasher::new())))
}

/// Every kind of index that a corpus can have, brought up to date one after another; each of them
/// publishes by itself.
fn write_all(dir: &Path, edition: usize) {
    index(dir, &documents(edition));
    let mut writer = CorpusWriter::open(dir, &options()).unwrap();
    let (encoder, cancel) = (encoder(), Cancel::new());
    writer
        .build_substrings(true, |_, _| (), &cancel)
        .unwrap()
        .unwrap();
    writer
        .embed_missing(encoder.as_ref(), |_| (), &cancel)
        .unwrap();
    writer
        .link_vectors(encoder.fingerprint(), true, &cancel)
        .unwrap()
        .unwrap();
    let tokens = encoder.tokens().unwrap();
    writer
        .embed_tokens(tokens, true, |_| (), &cancel)
        .unwrap()
        .unwrap();
    writer
        .build_phrases(true, |_, _| (), &cancel)
        .unwrap()
        .unwrap();
    writer.build_sparse(None, &cancel).unwrap().unwrap();
    let letters = Letters::default();
    writer
        .build_sparse(Some(&letters), &cancel)
        .unwrap()
        .unwrap();
}

/// All retrievers of a corpus, by name.
fn retrievers_of(corpus: &Corpus) -> BTreeMap<&'static str, Arc<dyn Retriever>> {
    let mut made: BTreeMap<_, _> = retrievers::names()
        .map(|name| (name, corpus.retriever(name, Some(encoder())).unwrap()))
        .collect();
    let letters = Arc::new(Letters::default());
    made.insert(BY_ENCODER, corpus.sparse_retriever(Some(letters)).unwrap());
    made
}

/// The `k` best for `text`, with scores.
fn search(retriever: &dyn Retriever, text: &str, k: usize) -> Vec<(PassageId, f32)> {
    let hits = retriever.search(&Query::new(text), k, &Cancel::new());
    let hits = hits.unwrap().into_iter();
    hits.map(|hit| (hit.passage, hit.score)).collect()
}

/// A passage of each edition that goes with it, and one that came with it.
fn marked() -> Vec<String> {
    let second = |edition: usize, number: usize| {
        let (_, text) = documents(edition).swap_remove(number);
        text.split("\n\n").nth(1).unwrap().to_owned()
    };
    (0..=EDITIONS)
        .flat_map(|edition| [second(edition, 1), second(edition, DOCUMENTS - 1)])
        .collect()
}

/// All that a corpus answers.
fn answers(corpus: &Corpus) -> BTreeMap<String, Vec<(PassageId, f32)>> {
    let mut answers = BTreeMap::new();
    let queries = ["garden by the river", "Who saw Anna Falk3?"].map(str::to_owned);
    let queries: Vec<String> = queries.into_iter().chain(marked()).collect();
    for (name, retriever) in retrievers_of(corpus) {
        for text in &queries {
            let hits = search(retriever.as_ref(), text, 5);
            answers.insert(format!("{name}: {text}"), hits);
        }
    }
    for number in (0..DOCUMENTS + EDITIONS * GO).step_by(10) {
        let name = title(number);
        let hits = corpus.defining(&name, 5).into_iter();
        let hits = hits.map(|hit| (hit.passage, hit.score));
        answers.insert(format!("names: {name}"), hits.collect());
    }
    answers
}

/// Which of `states` a corpus shows. Everything that it answers is of that one, and where an index is
/// not behind the documents, it answers with all of them.
fn state_of(corpus: &Corpus, states: &[Texts]) -> usize {
    let ids: BTreeSet<PassageId> = corpus.passage_ids().collect();
    let is_shown = |texts: &Texts| texts.keys().copied().collect::<BTreeSet<_>>() == ids;
    let shown = states.iter().position(is_shown);
    let shown = shown.expect("the passages of one edition");
    let texts = &states[shown];
    for (asked, hits) in answers(corpus) {
        let ids: Vec<PassageId> = hits.iter().map(|hit| hit.0).collect();
        let read = corpus.passages(&ids).unwrap();
        assert_eq!(read.len(), ids.len(), "{asked}");
        for passage in &read {
            let expected = texts.get(&passage.id);
            assert_eq!(Some(&passage.text), expected, "{asked} in edition {shown}");
        }
        let (kind, text) = asked.split_once(": ").unwrap();
        if AT_ONCE.contains(&kind) && text.starts_with("Mark") {
            let is_there = texts.values().any(|known| known == text);
            let is_found = read.iter().any(|passage| passage.text == text);
            assert_eq!(is_found, is_there, "{asked} in edition {shown}");
        }
        if kind == "names" {
            let is_there = documents(shown).iter().any(|(path, _)| path == text);
            let is_found = read.iter().any(|passage| passage.title == text);
            assert_eq!(is_found, is_there, "{asked} in edition {shown}");
        }
    }
    shown
}

fn open(dir: &Path) -> Corpus {
    Corpus::open(dir).unwrap().unwrap()
}

/// Calls `read` again and again while another thread writes all editions after the first, and once
/// more.
fn while_written(dir: &Path, mut read: impl FnMut()) {
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for edition in 1..=EDITIONS {
                write_all(dir, edition);
            }
        });
        while !writer.is_finished() {
            read();
        }
        writer.join().unwrap();
        read();
    });
}

#[test]
fn whoever_has_a_corpus_open_gets_the_same_answers_however_often_it_is_written() {
    let dir = tempfile::tempdir().unwrap();
    write_all(dir.path(), 0);
    let states = [texts(0)];
    let before = open(dir.path());
    let described = |corpus: &Corpus| {
        let fingerprint = encoder().tokens().unwrap().fingerprint().to_owned();
        (
            corpus.summary(),
            corpus.encoders(),
            corpus.token_vectors(&fingerprint),
            corpus.substring_index(),
            corpus.phrase_graph(),
            corpus.sparse_indexes(),
        )
    };
    let (expected, described_before) = (answers(&before), described(&before));
    while_written(dir.path(), || {
        assert_eq!(answers(&before), expected);
        assert_eq!(described(&before), described_before);
    });
    assert_eq!(state_of(&before, &states), 0);
}

#[test]
fn whoever_opens_a_corpus_that_is_written_sees_one_state_in_every_index() {
    let dir = tempfile::tempdir().unwrap();
    write_all(dir.path(), 0);
    let states: Vec<Texts> = (0..=EDITIONS).map(texts).collect();
    let mut seen: Vec<(usize, Corpus)> = Vec::new();
    while_written(dir.path(), || {
        let corpus = open(dir.path());
        let shown = state_of(&corpus, &states);
        let latest = seen.last().map_or(0, |(edition, _)| *edition);
        assert!(shown >= latest, "{shown} after {latest}");
        seen.push((shown, corpus));
    });
    assert_eq!(seen.last().unwrap().0, EDITIONS);
    // They are still what they were.
    for (edition, corpus) in seen.iter().rev().step_by(4) {
        assert_eq!(state_of(corpus, &states), *edition);
    }
}

#[test]
fn a_check_of_a_corpus_that_is_written_finds_nothing_wrong() {
    let dir = tempfile::tempdir().unwrap();
    write_all(dir.path(), 0);
    let before = open(dir.path());
    while_written(dir.path(), || {
        let problems = verify(dir.path()).unwrap();
        assert!(problems.is_empty(), "{problems:?}");
        let problems = before.health();
        assert!(problems.is_empty(), "{problems:?}");
    });
}

#[test]
fn in_the_end_every_index_has_what_was_added_and_nothing_of_what_was_deleted() {
    let dir = tempfile::tempdir().unwrap();
    for edition in 0..=EDITIONS {
        write_all(dir.path(), edition);
    }
    let states: Vec<Texts> = (0..=EDITIONS).map(texts).collect();
    let (now, corpus) = (&states[EDITIONS], open(dir.path()));
    assert_eq!(state_of(&corpus, &states), EDITIONS);
    let (added, deleted): (Vec<String>, Vec<String>) = marked()
        .into_iter()
        .partition(|text| now.values().any(|known| known == text));
    assert!(added.len() > 1 && deleted.len() > 1);
    for (name, retriever) in retrievers_of(&corpus) {
        for text in &added {
            let (id, _) = now.iter().find(|(_, known)| *known == text).unwrap();
            // Vectors are of the text with its title in front; how often letters occur says little.
            let title = corpus.passage(*id).unwrap().unwrap().title;
            let (query, k) = match name {
                "exact" => (text.clone(), 5),
                BY_ENCODER => (text.clone(), now.len()),
                _ => (format!("{title}\n\n{text}"), 5),
            };
            let found = search(retriever.as_ref(), &query, k);
            assert!(found.iter().any(|hit| hit.0 == *id), "{name}: {text}");
        }
    }
    // What is exact cannot be told from what was made at once.
    let fresh = tempfile::tempdir().unwrap();
    write_all(fresh.path(), EDITIONS);
    let (grown, fresh) = (answers(&corpus), answers(&open(fresh.path())));
    for (asked, hits) in &grown {
        let kind = asked.split(':').next().unwrap();
        if ["ann", "maxsim", "maxsim-all", "muvera", "plaid", "xtr"].contains(&kind) {
            continue;
        }
        let scores = |hits: &[(PassageId, f32)]| -> Vec<String> {
            hits.iter()
                .map(|(_, score)| format!("{score:.3}"))
                .collect()
        };
        assert_eq!(scores(hits), scores(&fresh[asked]), "{asked}");
    }
}
