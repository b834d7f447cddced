//! Writers: what readers see meanwhile, and what a crash, a second writer, a damaged disk and odd
//! input leave behind.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod crash;
mod damage;
mod encoders;
mod lock;
mod odd_input;
mod readers;
mod rebuild;
#[path = "../support/mod.rs"]
mod support;
mod while_written;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indago_core::ports::{
    CorpusStats, Encoder, ExtractError, FactExtractor, Facts, NameIndex, Triple,
};
use indago_core::{Cancel, Query};
use indago_retriever::{Corpus, CorpusWriter, Propositions};
use support::{WordHasher, options};

const QUERIES: [&str; 4] = [
    "harbour",
    "river bridge",
    "old stone tower",
    "names of the town",
];

/// Everything a reader can see that must not depend on how the corpus came about.
pub(crate) fn view(dir: &Path) -> BTreeMap<String, Vec<String>> {
    let corpus = Corpus::open(dir).unwrap().unwrap();
    let encoder = Arc::new(WordHasher::new());
    let mut view = BTreeMap::new();
    let mut ids: Vec<String> = corpus.passage_ids().map(|id| id.to_string()).collect();
    ids.sort();
    view.insert("passages".to_owned(), ids);
    for text in QUERIES {
        for name in ["bm25", "dense", "fused", "graph"] {
            let retriever = corpus.retriever(name, Some(encoder.clone())).unwrap();
            let hits = retriever
                .search(&Query::new(text), 50, &Cancel::new())
                .unwrap();
            let mut hits: Vec<String> = hits
                .iter()
                .map(|hit| format!("{:.4} {} {:?}", hit.score, hit.passage, hit.duplicates))
                .collect();
            // Sums in another order differ in the last bit, which may swap neighbours.
            hits.sort();
            view.insert(format!("{name} {text}"), hits);
        }
        let names = corpus.defining(text, 10);
        let names = names
            .iter()
            .map(|hit| format!("{:.3} {}", hit.score, hit.passage))
            .collect();
        view.insert(format!("names {text}"), names);
        let frequency = corpus.document_frequency(text.split(' ').next().unwrap());
        view.insert(format!("df {text}"), vec![frequency.to_string()]);
    }
    assert!(corpus.health().is_empty());
    view
}

pub(crate) fn embed(dir: &Path) {
    let mut writer = CorpusWriter::open(dir, &options()).unwrap();
    writer
        .embed_missing(&WordHasher::new(), |_| (), &Cancel::new())
        .unwrap();
}

/// Every kind of index that is made on request.
pub(crate) fn embed_further(dir: &Path) {
    let mut writer = CorpusWriter::open(dir, &options()).unwrap();
    let (encoder, cancel) = (
        Propositions::new(Arc::new(WordHasher::new())),
        Cancel::new(),
    );
    let fingerprint = encoder.fingerprint().to_owned();
    writer.link_vectors(&fingerprint, true, &cancel).unwrap();
    let tokens = encoder.tokens().unwrap();
    writer.embed_tokens(tokens, true, |_| (), &cancel).unwrap();
    writer.build_sparse(None, &cancel).unwrap();
    writer
        .extract_facts(&FirstWords, 2, |_, _| (), &cancel)
        .unwrap();
}

/// Holds the first two words of a passage for a fact.
struct FirstWords;

impl FactExtractor for FirstWords {
    fn name(&self) -> &'static str {
        "first words"
    }

    fn fingerprint(&self) -> &'static str {
        "first words 1"
    }

    fn extract(&self, _: &str, text: &str, _: &Cancel) -> Result<Facts, ExtractError> {
        let mut words = text.split_whitespace().map(str::to_owned);
        let mut next = || words.next().unwrap_or_default();
        let (subject, object) = (next(), next());
        let names = vec![subject.clone()];
        let relation = "with".to_owned();
        let triples = vec![Triple {
            subject,
            relation,
            object,
        }];
        Ok(Facts { names, triples })
    }
}

/// Every file that belongs to the index.
pub(crate) fn all_files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(all_files(&path));
        } else if !path.to_string_lossy().ends_with("lock") {
            found.push(path);
        }
    }
    found.sort();
    found
}
