//! Odd documents and odd queries.

use std::sync::Arc;

use indago_core::ports::RetrieveError;
use indago_core::{Cancel, Query};
use indago_retriever::{Corpus, CorpusWriter, IndexError, Propositions, prepare, retrievers};

use crate::support::{WordHasher, document, files, index, options, state};
use crate::{embed, embed_further};

#[test]
fn a_document_id_is_used_once_and_the_writer_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = CorpusWriter::open(dir.path(), &options()).unwrap();
    let mut next = writer.build(&[]).unwrap();
    let add = |text: &str| {
        let (document, passages) = document("same", "", text);
        prepare(document, passages, indago_text::Language::English).unwrap()
    };
    next.file(state("one.jsonl", "1"));
    next.add(&add("first")).unwrap();
    next.file(state("two.jsonl", "2"));
    match next.add(&add("second")) {
        Err(IndexError::DuplicateDocument { id, first, .. }) => {
            assert_eq!((id.as_str(), first.as_str()), ("same", "one.jsonl"));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(next.commit(true, |_| Ok(())).unwrap().documents, 1);
}

#[test]
fn a_passage_that_does_not_fit_its_document_is_refused() {
    let (document, mut passages) = document("a", "", "old stone tower");
    passages[0].span.end = 400;
    assert!(matches!(
        prepare(document, passages, indago_text::Language::English),
        Err(IndexError::BadPassage { .. })
    ));
}

#[test]
fn odd_queries_and_empty_corpora_give_few_hits_and_no_errors() {
    let dir = tempfile::tempdir().unwrap();
    assert!(Corpus::open(dir.path()).unwrap().is_none());
    assert!(Corpus::open(&dir.path().join("none")).unwrap().is_none());
    let encoder = Arc::new(WordHasher::new());
    index(dir.path(), &[]);
    embed(dir.path());
    let search = |text: &str, k: usize| -> Vec<usize> {
        let corpus = Corpus::open(dir.path()).unwrap().unwrap();
        ["bm25", "dense", "fused"]
            .into_iter()
            .map(|name| {
                let retriever = corpus.retriever(name, Some(encoder.clone())).unwrap();
                retriever
                    .search(&Query::new(text), k, &Cancel::new())
                    .unwrap()
                    .len()
            })
            .collect()
    };
    assert_eq!(search("tower", 10), [0, 0, 0]);
    index(
        dir.path(),
        &files(&[("a", "old stone tower"), ("b", "river bridge"), ("c", "")]),
    );
    embed(dir.path());
    embed_further(dir.path());
    assert_eq!(search("tower", 1_000_000), [1, 2, 2]);
    assert_eq!(search("", 10), [0, 0, 0]);
    assert_eq!(search("the of and", 10)[0], 0);
    assert_eq!(search("tower", 0), [0, 0, 0]);
    let many: Vec<String> = (0..20_000).map(|i| format!("w{i}")).collect();
    let long = many.join(" ") + " tower";
    assert!(long.len() > 100_000);
    assert_eq!(search(&long, 10)[0], 1);
    let corpus = Corpus::open(dir.path()).unwrap().unwrap();
    let sentences = Arc::new(Propositions::new(encoder));
    for name in retrievers::names() {
        let retriever = corpus.retriever(name, Some(sentences.clone())).unwrap();
        let find = |text: &str, k: usize| {
            let hits = retriever.search(&Query::new(text), k, &Cancel::new());
            hits.unwrap_or_else(|error| panic!("{name}: {error}")).len()
        };
        assert!(find("tower", usize::MAX) >= 1, "{name}");
        assert!(find(&long, 10) <= 10, "{name}");
        assert_eq!(
            (find("", 10), find(" \n", 10), find("tower", 0)),
            (0, 0, 0),
            "{name}"
        );
        for text in ["the of and", "\u{1F5FC}\u{1F5FC}", "a\u{0301}\n\n\t-- ((("] {
            assert!(find(text, 10) <= 2, "{name} {text:?}");
        }
    }
    let cancel = Cancel::new();
    cancel.cancel();
    for name in retrievers::names() {
        let retriever = corpus.retriever(name, Some(sentences.clone())).unwrap();
        let outcome = retriever.search(&Query::new("tower"), 5, &cancel);
        assert!(
            matches!(outcome, Err(RetrieveError::Cancelled(_))),
            "{name}"
        );
    }
}

#[test]
fn near_duplicates_fold_into_the_best_and_other_numbers_do_not() {
    let dir = tempfile::tempdir().unwrap();
    let text = "The harbour of the old town was rebuilt in 1907 after the great storm, and its \
                stone tower has guided boats along the river ever since that time.";
    let pairs = [
        ("a", text.to_owned()),
        ("b", text.replace("great storm,", "great storm")),
        ("c", text.replace("1907", "1911")),
    ];
    let mut writer = CorpusWriter::open(dir.path(), &options()).unwrap();
    let mut next = writer.build(&[]).unwrap();
    for (id, text) in &pairs {
        next.file(state(id, text));
        let (document, passages) = document(id, "", text);
        next.add(&prepare(document, passages, indago_text::Language::English).unwrap())
            .unwrap();
    }
    next.commit(true, |_| Ok(())).unwrap();
    let corpus = Corpus::open(dir.path()).unwrap().unwrap();
    let bm25 = corpus.retriever("bm25", None).unwrap();
    let hits = bm25
        .search(&Query::new("harbour storm"), 5, &Cancel::new())
        .unwrap();
    assert_eq!(hits.len(), 3);
    let hits = corpus.collapse(hits).unwrap();
    let folded: Vec<usize> = hits.iter().map(|hit| hit.duplicates.len()).collect();
    assert_eq!((hits.len(), folded.iter().sum::<usize>()), (2, 1));
}
