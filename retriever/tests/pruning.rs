//! Leaving the passages that say least without vectors, as a corpus changes.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use indago_core::ports::Encoder as _;
use indago_core::{Cancel, Query};
use indago_retriever::{Corpus, CorpusWriter, Propositions};
use proptest::prelude::*;
use support::{WordHasher, files, index, options};

/// Texts of the passages that a retriever finds for `query` when asked for all.
fn found(dir: &Path, retriever: &str, query: &str) -> BTreeSet<String> {
    let corpus = Corpus::open(dir).unwrap().unwrap();
    let encoder = Propositions::new(Arc::new(WordHasher::new()));
    let retriever = corpus
        .retriever(retriever, Some(Arc::new(encoder)))
        .unwrap();
    let hits = retriever
        .search(&Query::new(query), 1000, &Cancel::new())
        .unwrap();
    let all = hits
        .iter()
        .flat_map(|hit| std::iter::once(hit.passage).chain(hit.duplicates.iter().copied()));
    all.map(|id| corpus.passage(id).unwrap().unwrap())
        .map(|passage| format!("{} {}", passage.document, passage.text))
        .collect()
}

fn prune(dir: &Path, per_mille: u32) -> u64 {
    let mut writer = CorpusWriter::open(dir, &options()).unwrap();
    writer.prune(per_mille, &Cancel::new()).unwrap()
}

/// Makes what is missing and gives the number of texts that it cost.
fn embed(dir: &Path) -> usize {
    let encoder = WordHasher::new();
    let mut writer = CorpusWriter::open(dir, &options()).unwrap();
    let coverage = writer
        .embed_missing(&encoder, |_| (), &Cancel::new())
        .unwrap()
        .coverage;
    assert_eq!(coverage.missing(), 0, "{coverage:?}");
    assert_eq!(coverage.embedded + coverage.left_out, coverage.passages);
    encoder.count()
}

const QUERY: &str = "harbour boat stone tower market";

#[test]
fn what_says_least_costs_no_encoding_and_is_found_by_words() {
    let dir = tempfile::tempdir().unwrap();
    let all = files(&[
        ("a", "harbour with old stone tower and boats\n\nharbour"),
        (
            "b",
            "the market of Alston trades wool, tin and salt\n\nmarket boat",
        ),
    ]);
    index(dir.path(), &all);
    assert_eq!(prune(dir.path(), 499), 1);
    assert_eq!(embed(dir.path()), 3);
    assert!(!found(dir.path(), "dense", QUERY).contains("a harbour"));
    assert!(found(dir.path(), "bm25", "harbour").contains("a harbour"));
    assert!(found(dir.path(), "fused", "harbour").contains("a harbour"));
    let corpus = Corpus::open(dir.path()).unwrap().unwrap();
    assert_eq!(corpus.left_out(), Some((1, 499)));
    let coverage = corpus.coverage("word-hasher/1");
    assert_eq!((coverage.embedded, coverage.left_out), (3, 1));
    assert!(corpus.health().is_empty());

    // More are left out at no cost, all come back for what was never encoded.
    assert_eq!(prune(dir.path(), 500), 2);
    assert_eq!(embed(dir.path()), 0);
    assert_eq!(found(dir.path(), "dense", QUERY).len(), 2);
    assert_eq!(prune(dir.path(), 0), 0);
    assert_eq!(embed(dir.path()), 1);
    assert_eq!(found(dir.path(), "dense", QUERY).len(), 4);
    let corpus = Corpus::open(dir.path()).unwrap().unwrap();
    assert_eq!(corpus.left_out(), None);
}

#[test]
fn vectors_of_tokens_and_sentences_follow() {
    let dir = tempfile::tempdir().unwrap();
    index(
        dir.path(),
        &files(&[("a", "old stone tower of Alston\n\nboat")]),
    );
    let encoder = Propositions::new(Arc::new(WordHasher::new()));
    let embed_tokens = || {
        let mut writer = CorpusWriter::open(dir.path(), &options()).unwrap();
        let tokens = encoder.tokens().unwrap();
        let coverage = writer.embed_tokens(tokens, true, |_| (), &Cancel::new());
        coverage.unwrap().unwrap()
    };
    embed(dir.path());
    assert_eq!(embed_tokens().left_out, 0);
    assert_eq!(found(dir.path(), "maxsim-all", QUERY).len(), 2);
    prune(dir.path(), 500);
    assert_eq!(embed_tokens().left_out, 1);
    assert_eq!(found(dir.path(), "maxsim-all", QUERY).len(), 1);
}

fn some_files() -> impl Strategy<Value = Vec<(String, String)>> {
    let word = prop::sample::select(vec![
        "harbour", "river", "bridge", "old", "stone", "tower", "town", "boats", "market", "Alston",
    ]);
    let text = prop::collection::vec(word, 1..12).prop_map(|words| words.join(" "));
    let file = prop::collection::vec(text, 0..4).prop_map(|paragraphs| paragraphs.join("\n\n"));
    prop::collection::btree_map("[a-f]", file, 1..6).prop_map(|files| files.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// However a corpus came to be what it is, the same passages are left out, and never more than
    /// the share.
    #[test]
    fn the_choice_follows_from_the_corpus_and_keeps_within_its_share(
        steps in prop::collection::vec((some_files(), 0u32..=900, any::<bool>()), 1..5),
    ) {
        let dir = tempfile::tempdir().unwrap();
        for (files, per_mille, embeds) in &steps {
            index(dir.path(), files);
            prune(dir.path(), *per_mille);
            if *embeds {
                embed(dir.path());
            }
        }
        embed(dir.path());
        let (files, per_mille, _) = steps.last().unwrap();
        let anew = tempfile::tempdir().unwrap();
        index(anew.path(), files);
        let left_out = prune(anew.path(), *per_mille);
        embed(anew.path());
        prop_assert_eq!(
            found(dir.path(), "dense", QUERY),
            found(anew.path(), "dense", QUERY)
        );
        let corpus = Corpus::open(dir.path()).unwrap().unwrap();
        let passages = corpus.summary().passages;
        prop_assert!(left_out * 1000 <= passages * u64::from(*per_mille));
        prop_assert_eq!(corpus.left_out().map_or(0, |(n, _)| n), left_out);
        prop_assert!(corpus.health().is_empty());
    }
}
