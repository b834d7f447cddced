//! Readers while writers publish.

use std::sync::Arc;

use indago_core::ports::DocumentStore;
use indago_core::{Cancel, Query};
use indago_retriever::Corpus;

use crate::embed;
use crate::support::{WordHasher, files, index};

#[test]
fn a_reader_keeps_its_state_while_a_writer_replaces_it() {
    let dir = tempfile::tempdir().unwrap();
    index(
        dir.path(),
        &files(&[("a", "old stone tower"), ("b", "river bridge")]),
    );
    embed(dir.path());
    let reader = Corpus::open(dir.path()).unwrap().unwrap();
    index(dir.path(), &files(&[("c", "harbour")]));
    index(dir.path(), &files(&[("d", "boats")]));
    let bm25 = reader.retriever("bm25", None).unwrap();
    let dense = reader
        .retriever("dense", Some(Arc::new(WordHasher::new())))
        .unwrap();
    for retriever in [bm25, dense] {
        let hits = retriever
            .search(&Query::new("stone tower"), 1, &Cancel::new())
            .unwrap();
        let passages = reader.passages(&[hits[0].passage]).unwrap();
        assert_eq!(passages[0].text, "old stone tower");
    }
}

#[test]
fn readers_open_whole_states_while_a_writer_publishes() {
    let dir = tempfile::tempdir().unwrap();
    index(dir.path(), &files(&[("f0", "town 0")]));
    let path = dir.path().to_owned();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for i in 1..15 {
                index(
                    &path,
                    &files(&[("f", &format!("town {i}")), ("g", &format!("town {i}"))]),
                );
            }
        });
        let mut seen = 0;
        while !writer.is_finished() || seen == 0 {
            let corpus = Corpus::open(&path).unwrap().unwrap();
            let ids: Vec<_> = corpus.passage_ids().collect();
            let texts: Vec<String> = corpus
                .passages(&ids)
                .unwrap()
                .into_iter()
                .map(|p| p.text)
                .collect();
            assert_eq!(texts.len(), ids.len());
            assert!(texts.windows(2).all(|pair| pair[0] == pair[1]), "{texts:?}");
            let bm25 = corpus.retriever("bm25", None).unwrap();
            let hits = bm25.search(&Query::new("town"), 5, &Cancel::new()).unwrap();
            assert_eq!(hits.len(), ids.len());
            seen += 1;
        }
    });
}
