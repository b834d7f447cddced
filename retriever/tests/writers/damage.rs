//! Damage on the disk is noticed, named, and made good on request.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use indago_core::ports::NameIndex;
use indago_core::{Cancel, Query};
use indago_retriever::{Corpus, CorpusWriter, Propositions, verify};
use proptest::prelude::*;

use crate::support::{WordHasher, files, index, index_with, options};
use crate::{all_files, embed, embed_further, view};

/// A damaged vector in the middle of the log is made again, and nothing of it stays behind: neither
/// where its passage is still there nor where it is gone.
#[test]
fn a_damaged_vector_is_made_again_and_leaves_nothing_behind() {
    let both = files(&[("a", "old stone tower"), ("b", "river bridge\n\nboats")]);
    for start_over in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        index(dir.path(), &both);
        embed(dir.path());
        let log = all_files(&dir.path().join("vectors"))
            .into_iter()
            .find(|path| path.extension().is_some_and(|end| end == "log"))
            .unwrap();
        let whole = view(dir.path());
        // Every record but the last, whichever passage each is of.
        let mut bytes = fs::read(&log).unwrap();
        let records = (bytes.len() - 64) / 2;
        for byte in &mut bytes[64 + 20..64 + records] {
            *byte ^= 0x5a;
        }
        fs::write(&log, &bytes).unwrap();
        assert!(!verify(dir.path()).unwrap().is_empty());
        if start_over {
            let mut writer = CorpusWriter::open(dir.path(), &options()).unwrap();
            writer.start_over();
            index_with(&mut writer, &files(&[("a", "old stone tower")]), |_| Ok(())).unwrap();
        }
        embed(dir.path());
        assert!(
            verify(dir.path()).unwrap().is_empty(),
            "start over: {start_over}"
        );
        if !start_over {
            assert_eq!(view(dir.path()), whole);
        }
    }
}

#[test]
fn an_index_whose_list_is_damaged_is_refused_and_made_anew_on_request() {
    let dir = tempfile::tempdir().unwrap();
    index(dir.path(), &files(&[("a", "old stone tower")]));
    fs::write(dir.path().join("manifest.json"), "{}").unwrap();
    assert!(CorpusWriter::open(dir.path(), &options()).is_err());
    let mut writer = CorpusWriter::open_anew(dir.path(), &options()).unwrap();
    assert!(
        Corpus::open(dir.path()).is_err(),
        "untouched until the new one is there"
    );
    index_with(&mut writer, &files(&[("b", "river")]), |_| Ok(())).unwrap();
    assert!(verify(dir.path()).unwrap().is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(12) })]
    #[test]
    fn any_flipped_byte_of_a_corpus_is_noticed(
        file in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        mask in 1u8..,
    ) {
        let dir = tempfile::tempdir().unwrap();
        index(dir.path(), &files(&[("a", "old stone tower"), ("b", "river bridge\n\nboats")]));
        embed(dir.path());
        embed_further(dir.path());
        prop_assert!(verify(dir.path()).unwrap().is_empty());
        let all: Vec<PathBuf> =
            all_files(dir.path()).into_iter().filter(|p| fs::metadata(p).unwrap().len() > 0).collect();
        let path = &all[file.index(all.len())];
        let mut bytes = fs::read(path).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= mask;
        fs::write(path, &bytes).unwrap();
        let noticed = verify(dir.path()).map_or(true, |problems| !problems.is_empty());
        prop_assert!(noticed, "byte {} of {}", at, path.display());
        // Whatever a reader makes of it, it does not panic.
        if let Ok(Some(corpus)) = Corpus::open(dir.path()) {
            for id in corpus.passage_ids().collect::<Vec<_>>() {
                let _ = corpus.passage(id);
            }
            for name in ["bm25", "dense", "fused", "graph", "exact", "ppr", "sparse", "ann", "plaid", "xtr"] {
                let encoder = Propositions::new(Arc::new(WordHasher::new()));
                if let Ok(retriever) = corpus.retriever(name, Some(Arc::new(encoder))) {
                    let _ = retriever.search(&Query::new("river tower"), 5, &Cancel::new());
                }
            }
            let _ = corpus.defining("a", 3);
        }
        // Made again on request, it is whole, whatever was damaged.
        let mut writer = CorpusWriter::open_anew(dir.path(), &options()).unwrap();
        index_with(&mut writer, &files(&[("a", "old stone tower")]), |_| Ok(())).unwrap();
        drop(writer);
        embed(dir.path());
        embed_further(dir.path());
        prop_assert!(verify(dir.path()).unwrap().is_empty(), "{}", path.display());
        let corpus = Corpus::open(dir.path()).unwrap().unwrap();
        prop_assert_eq!(corpus.passage_ids().count(), 1);
    }
}
