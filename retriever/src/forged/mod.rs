//! Corpora of which a file is forged: what it says is wrong, its checksums are right.
//!
//! Whatever a file says, opening and searching it gives an error that names it or gives passages of
//! the corpus with scores that are numbers; a writer goes on or says what is wrong, and one that
//! starts anew puts the corpus right.

mod corpus;

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indago_core::ports::{DocumentStore as _, NameIndex as _, RetrieveError, StoreError};
use indago_core::{Cancel, Filters, Hit, PassageId, Query};

use xxhash_rust::xxh3::xxh3_64;

use crate::build::names;
use crate::disk::forge::{Forgery, each, forge, seal, sections};
use crate::disk::records::{self, RecordLog};
use crate::manifest::{self, FileSum, Manifest, SubstringSet};
use crate::store::rows::{DOCUMENT_BYTES, DocumentRow};
use crate::{Corpus, IndexError, facts};
use corpus::{Hasher, LARGE, SMALL, bring_up_to_date, copy};

/// What questions are about: names, words and a piece of text.
const QUERIES: [&str; 2] = [
    "Which pier did Lighthouse Keeper 4 meet Captain Bell3 on?",
    "met Captain",
];

/// An error that says which file is wrong, or what has to be made first.
fn named(error: &RetrieveError) {
    let names = matches!(
        error,
        RetrieveError::Corrupt { .. }
            | RetrieveError::FormatVersion { .. }
            | RetrieveError::Io { .. }
            | RetrieveError::ModelMismatch { .. }
            | RetrieveError::Encode(_)
            | RetrieveError::Store(StoreError::Corrupt { .. })
    );
    // What a thread of tantivy says, by the folder of its index.
    let engine =
        matches!(error, RetrieveError::Engine { reason, .. } if reason.contains("/lexical"));
    assert!(names || engine, "{error:?}");
}

/// A passage of a hit is one of the corpus, unless the store's own table of ids is forged. The
/// inverted index has ids of its own; who reads hits leaves out those of no passage.
fn check_known(corpus: &Corpus, name: &str, passage: PassageId) {
    let store = corpus.store();
    match corpus.passage(passage) {
        Ok(Some(_)) => {}
        Ok(None) => {
            let mut ids = corpus.passage_ids();
            let sound = ids.all(|id| store.row_of(id).is_some());
            assert!(
                !sound || BY_WORDS.contains(&name),
                "{name}: {passage} is unknown"
            );
        }
        Err(error) => named(&error),
    }
}

/// Retrievers that take ids from the inverted index.
const BY_WORDS: [&str; 4] = ["bm25", "fused", "graph", "ppr"];

fn check_hits(corpus: &Corpus, name: &str, k: usize, hits: &[Hit]) {
    assert!(hits.len() <= k, "{name}");
    let mut seen = HashSet::new();
    for hit in hits {
        assert!(hit.score.is_finite(), "{name}: {hit:?}");
        let fresh = seen.insert(hit.passage);
        assert!(fresh || BY_WORDS.contains(&name), "{name}: {hit:?} twice");
        check_known(corpus, name, hit.passage);
    }
}

fn search(corpus: &Corpus, name: &str, filters: &Filters) {
    let retriever = match corpus.retriever(name, Some(Arc::new(Hasher))) {
        Ok(retriever) => retriever,
        Err(error) => return named(&error),
    };
    for text in QUERIES {
        let query = Query {
            filters: filters.clone(),
            ..Query::new(text)
        };
        for k in [1, 20] {
            match retriever.search(&query, k, &Cancel::new()) {
                Ok(hits) => {
                    check_hits(corpus, name, k, &hits);
                    if let Err(error) = corpus.collapse(hits) {
                        named(&error);
                    }
                }
                Err(error) => named(&error),
            }
        }
    }
}

fn told<T>(result: Result<T, RetrieveError>) -> Option<T> {
    result.inspect_err(named).ok()
}

/// Opens the corpus and searches it with each of `retrievers`.
fn search_with(dir: &Path, retrievers: &[&str]) -> Option<Corpus> {
    let corpus = told(Corpus::open(dir))??;
    for name in retrievers {
        search(&corpus, name, &Filters::default());
    }
    Some(corpus)
}

/// Reads what a corpus has in every other way.
fn read_through(corpus: &Corpus) {
    let cancel = Cancel::new();
    corpus.health().iter().for_each(named);
    for quote in ["ptain Bell4 on", "LIGHTHOUSE  keeper 2", "pier"] {
        if let Some(found) = told(corpus.find(quote, &cancel)) {
            for (document, place) in found {
                let _ = corpus.span(&document, place.start as u64..place.end as u64);
            }
        }
    }
    for id in corpus.passage_ids().take(20) {
        told(corpus.passage(id));
        if let Some(Some(source)) = told(corpus.source_of(id)) {
            told(corpus.passages_of(&source.document));
            let _ = corpus.document(&source.document);
        }
    }
    for name in ["Lighthouse 4", "Lighthouse", "Keeper 3", "Pier 2 (harbour)"] {
        for hit in corpus.defining(name, 5) {
            assert!(hit.score.is_finite());
            check_known(corpus, "names", hit.passage);
        }
    }
    let (_, _) = (corpus.summary(), corpus.substring_index());
    let _ = (corpus.coverage("hasher/1"), corpus.encoders());
    told(corpus.facts());
}

const RESTRICTED: &str = "half";

/// Searches under restrictions.
fn search_restricted(corpus: &Corpus, retrievers: &[&str]) {
    let filters = Filters {
        after: "2004".parse().ok(),
        metadata: vec![(RESTRICTED.to_owned(), "1".to_owned())],
        ..Filters::default()
    };
    for name in retrievers {
        search(corpus, name, &filters);
    }
}

/// Has a writer change the corpus, and then make it anew, after which it is whole.
fn write(dir: &Path, documents: usize) {
    // Two documents go and one comes.
    let changed = 2..documents + 1;
    match bring_up_to_date(dir, changed.clone(), false) {
        Ok(()) | Err(IndexError::Encode(_)) => {}
        Err(IndexError::Read(error)) => named(&error),
        Err(error) => panic!("{error:?}"),
    }
    if let Some(corpus) = search_with(dir, &["graph"]) {
        read_through(&corpus);
    }
    bring_up_to_date(dir, changed, true).unwrap();
    let corpus = Corpus::open(dir).unwrap().unwrap();
    assert!(corpus.health().is_empty());
    for name in ["ann", "graph", "plaid", "sparse", "exact", "ppr"] {
        let retriever = corpus.retriever(name, Some(Arc::new(Hasher))).unwrap();
        let found = retriever.search(&Query::new(QUERIES[0]), 5, &Cancel::new());
        check_hits(&corpus, name, 5, &found.unwrap());
    }
}

/// A file of a corpus, as the manifest names it.
fn path_of(dir: &Path, file: impl Fn(&Manifest) -> String) -> PathBuf {
    dir.join(file(&Manifest::read(dir).unwrap().unwrap()))
}

/// Forges tables of a sealed file; see [`survives_each`].
fn survives(
    documents: usize,
    file: impl Fn(&Manifest) -> String,
    retrievers: &[&str],
    times: Times,
) {
    let forge = |dir: &Path, forgeries: &[Forgery]| forge(&path_of(dir, &file), forgeries);
    survives_each(documents, forge, retrievers, times);
}

/// How often a corpus is forged, for readers and for a writer.
struct Times(u32, u32);

/// Forges a corpus of so many documents for readers with `retrievers` and for a writer.
fn survives_each(
    documents: usize,
    forged: impl Fn(&Path, &[Forgery]),
    retrievers: &[&str],
    Times(reads, writes): Times,
) {
    each(reads, |forgeries| {
        let dir = copy(documents);
        forged(dir.path(), forgeries);
        if let Some(corpus) = search_with(dir.path(), retrievers) {
            read_through(&corpus);
            search_restricted(&corpus, retrievers);
        }
    });
    each(writes, |forgeries| {
        let dir = copy(documents);
        forged(dir.path(), forgeries);
        write(dir.path(), documents);
    });
}

#[test]
fn the_corpus_itself_is_whole_and_every_retriever_finds_something() {
    let dir = copy(LARGE);
    let corpus = Corpus::open(dir.path()).unwrap().unwrap();
    for name in crate::retrievers::names() {
        let retriever = corpus.retriever(name, Some(Arc::new(Hasher))).unwrap();
        let found = retriever.search(&Query::new(QUERIES[1]), 5, &Cancel::new());
        assert!(!found.unwrap().is_empty(), "{name}");
    }
    read_through(&corpus);
    assert!(corpus.health().is_empty());
    drop(corpus);
    write(dir.path(), LARGE);
}

fn of_generation(name: &'static str) -> impl Fn(&Manifest) -> String {
    move |manifest| format!("{}/{name}", Manifest::generation_dir(manifest.generation))
}

#[test]
fn a_forged_document_store() {
    let store = of_generation(names::STORE);
    survives(SMALL, store, &["bm25", "graph", "exact"], Times(48, 3));
}

/// Forges what the store holds of documents, below their own checksums.
#[test]
fn forged_records_of_documents() {
    let forged = |dir: &Path, forgeries: &[Forgery]| {
        let path = path_of(dir, of_generation(names::STORE));
        let (kind, mut sections) = sections(&path);
        let [heap, documents] = ["heap", "documents"].map(|name| {
            let known = sections.iter().position(|(other, _)| other == name);
            known.unwrap()
        });
        for row in 0..sections[documents].1.len() / DOCUMENT_BYTES {
            let at = row * DOCUMENT_BYTES;
            let mut entry = DocumentRow::decode(&sections[documents].1[at..][..DOCUMENT_BYTES]);
            let own = entry.heap as usize..(entry.heap + entry.heap_bytes) as usize;
            // Another document each time, and the same length for those behind it.
            if let Some(forgery) = forgeries.get(row % 5) {
                let mut bytes = sections[heap].1[own.clone()].to_vec();
                let length = bytes.len();
                forgery.apply([&mut bytes]);
                bytes.resize(length, b' ');
                entry.heap_hash = xxh3_64(&bytes);
                sections[heap].1[own].copy_from_slice(&bytes);
                let mut row = Vec::new();
                entry.encode(&mut row);
                sections[documents].1[at..][..DOCUMENT_BYTES].copy_from_slice(&row);
            }
        }
        seal(&path, kind, &sections);
    };
    survives_each(
        SMALL,
        forged,
        &["bm25", "graph", "exact", "ppr"],
        Times(48, 3),
    );
}

#[test]
fn a_forged_list_of_files() {
    survives(SMALL, of_generation(names::FILES), &[], Times(8, 3));
    let forged = |dir: &Path, forgeries: &[Forgery]| {
        let path = path_of(dir, of_generation(names::FILES));
        let (kind, mut sections) = sections(&path);
        let mut files = serde_json::from_slice(&sections[0].1).unwrap();
        for forgery in forgeries {
            forgery.apply_to(&mut files);
        }
        sections[0].1 = files.to_string().into_bytes();
        seal(&path, kind, &sections);
    };
    survives_each(SMALL, forged, &[], Times(4, 12));
}

#[test]
fn a_forged_manifest() {
    let forged = |dir: &Path, forgeries: &[Forgery]| {
        manifest::forge(dir, |value| {
            for forgery in forgeries {
                forgery.apply_to(value);
            }
        });
    };
    survives_each(
        SMALL,
        forged,
        &["ann", "graph", "exact", "plaid"],
        Times(48, 12),
    );
}

/// Records that a log holds whole, with facts that are none.
#[test]
fn forged_facts() {
    let forged = |dir: &Path, forgeries: &[Forgery]| {
        let mut set = Manifest::read(dir).unwrap().unwrap().facts.unwrap();
        let (path, kind) = (dir.join(&set.file), facts::kind(&set.fingerprint));
        let known = records::read(&path, &kind, set.bytes).unwrap();
        let mut log = RecordLog::open(&path, &kind).unwrap();
        let mut keys: Vec<_> = known.into_iter().collect();
        keys.sort();
        for (forgery, (key, mut bytes)) in forgeries.iter().zip(keys) {
            forgery.apply([&mut bytes]);
            let mut value = serde_json::from_slice(&bytes).unwrap_or_default();
            forgery.apply_to(&mut value);
            log.append(key, value.to_string().as_bytes()).unwrap();
        }
        set.bytes = log.bytes();
        manifest::forge(dir, |value| {
            value["facts"] = serde_json::to_value(&set).unwrap();
        });
    };
    survives_each(SMALL, forged, &["ppr"], Times(24, 4));
}

/// Vectors of no numbers, in records that are whole.
#[test]
fn vectors_of_no_numbers() {
    let forged = |dir: &Path, forgeries: &[Forgery]| {
        let set = Manifest::read(dir).unwrap().unwrap().vectors.remove(0);
        let path = dir.join(&set.log);
        let mut bytes = fs::read(&path).unwrap();
        let width = 16 + 2 * set.dim as usize + 8;
        for (record, forgery) in bytes[64..]
            .chunks_exact_mut(width)
            .zip(forgeries.iter().cycle())
        {
            let mut vector = record[16..width - 8].to_vec();
            forgery.apply([&mut vector]);
            vector.resize(width - 24, 0x7c);
            record[16..width - 8].copy_from_slice(&vector);
            let sum = xxh3_64(&record[..width - 8]).to_le_bytes();
            record[width - 8..].copy_from_slice(&sum);
        }
        fs::write(&path, bytes).unwrap();
    };
    survives_each(LARGE, forged, &["dense", "ann", "fused"], Times(24, 4));
}

/// Files of the inverted index, with the manifest's sums over them.
#[test]
fn a_forged_inverted_index() {
    let forged = |dir: &Path, forgeries: &[Forgery]| {
        let manifest = Manifest::read(dir).unwrap().unwrap();
        let mut sums: Vec<FileSum> = manifest.files;
        let mut lexical: Vec<&mut FileSum> = sums
            .iter_mut()
            .filter(|sum| sum.path.contains("/lexical/"))
            .collect();
        let mut contents: Vec<Vec<u8>> = lexical
            .iter()
            .map(|sum| fs::read(dir.join(&sum.path)).unwrap())
            .collect();
        for forgery in forgeries {
            forgery.apply(&mut contents);
        }
        for (sum, bytes) in lexical.iter_mut().zip(&contents) {
            (sum.bytes, sum.xxh3) = (bytes.len() as u64, xxh3_64(bytes));
            fs::write(dir.join(&sum.path), bytes).unwrap();
        }
        manifest::forge(dir, |value| {
            value["files"] = serde_json::to_value(&sums).unwrap();
        });
    };
    // A writer merges the files in tantivy's own threads, whose panics end the program.
    survives_each(SMALL, forged, &["bm25", "graph", "exact"], Times(48, 0));
}

#[test]
fn a_forged_index_of_names() {
    survives(SMALL, of_generation(names::NAMES), &["graph"], Times(48, 2));
}

#[test]
fn a_forged_matrix_of_vectors() {
    let matrix = |manifest: &Manifest| manifest.vectors[0].matrix.clone();
    survives(LARGE, matrix, &["dense", "ann", "maxsim"], Times(48, 3));
}

#[test]
fn a_forged_graph_of_vectors() {
    let links = |manifest: &Manifest| manifest.vectors[0].links.clone().unwrap().file;
    survives(LARGE, links, &["ann"], Times(64, 3));
}

#[test]
fn forged_token_vectors() {
    let tokens = |manifest: &Manifest| manifest.tokens[0].file.clone();
    let late = ["maxsim", "maxsim-all", "plaid", "muvera", "xtr"];
    survives(SMALL, tokens, &late, Times(48, 3));
}

#[test]
fn a_forged_sparse_index() {
    let sparse = |manifest: &Manifest| manifest.sparse[0].file.clone();
    survives(SMALL, sparse, &["sparse"], Times(32, 3));
}

#[test]
fn a_forged_suffix_array() {
    let segment = |set: &SubstringSet| set.segments[0].file.clone();
    let array = |manifest: &Manifest| segment(manifest.substrings.as_ref().unwrap());
    survives(SMALL, array, &["exact"], Times(64, 3));
}

#[test]
fn forged_rows_of_suffix_arrays() {
    let rows = |manifest: &Manifest| manifest.substrings.clone().unwrap().rows;
    survives(SMALL, rows, &["exact"], Times(48, 3));
}

#[test]
fn a_forged_graph_of_phrases() {
    let phrases = |manifest: &Manifest| manifest.phrases.clone().unwrap().file;
    survives(SMALL, phrases, &["ppr"], Times(48, 3));
}

/// Readings that count as many sentences as a number holds, and begin where they please.
#[test]
fn a_graph_of_phrases_with_readings_that_cannot_be() {
    for overlapping in [false, true] {
        let dir = copy(SMALL);
        let path = path_of(dir.path(), |manifest| {
            manifest.phrases.clone().unwrap().file
        });
        let (kind, mut tables) = sections(&path);
        let place = |name: &str| tables.iter().position(|table| table.0 == name).unwrap();
        let [starts, readings] = [place("starts"), place("readings")];
        let begin = tables[starts].1.clone();
        if overlapping {
            tables[starts].1[..4].copy_from_slice(&7_u32.to_le_bytes());
        } else {
            for start in begin.as_chunks::<4>().0 {
                let at = 4 * u32::from_le_bytes(*start) as usize + 4;
                if let Some(count) = tables[readings].1.get_mut(at..at + 4) {
                    count.fill(0xff);
                }
            }
        }
        seal(&path, kind, &tables);
        assert_eq!(
            search_with(dir.path(), &["ppr"])
                .unwrap()
                .health()
                .is_empty(),
            !overlapping
        );
        write(dir.path(), SMALL);
    }
}
