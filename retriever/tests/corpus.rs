//! A corpus from documents to hits.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use indago_core::ports::{CorpusStats, DocumentStore, NameIndex, RetrieveError};
use indago_core::{Cancel, DocumentId, Filters, Hit, Query, RetrieverWeight};
use indago_kernels::Placed;
use indago_kernels::cuda::{DeviceError, HostRows, RowScan, RowScanner};
use indago_kernels::scan::Scored;
use indago_retriever::{Corpus, CorpusWriter, prepare};
use support::{WordHasher, document_with, files, index, options, state};

const OLSEN: &str = "Carsten Erik Olsen (1891-1974) was a Danish chemist and plant physiologist.";

fn small(dir: &std::path::Path) -> Corpus {
    let pairs = [
        ("Danish chemists", OLSEN),
        (
            "Rivers",
            "The Tyne is a river in England.\n\nThe Wear meets the sea at Sunderland.",
        ),
        (
            "Copenhagen",
            "Copenhagen is the capital of Denmark. Chemists met there in 1924.",
        ),
    ];
    index(dir, &files(&pairs));
    Corpus::open(dir).unwrap().unwrap()
}

fn texts(corpus: &Corpus, retriever: &str, query: &Query, k: usize) -> Vec<String> {
    let encoder = Arc::new(WordHasher::new());
    let retriever = corpus.retriever(retriever, Some(encoder)).unwrap();
    let hits = retriever.search(query, k, &Cancel::new()).unwrap();
    let ids: Vec<_> = hits.iter().map(|hit| hit.passage).collect();
    corpus
        .passages(&ids)
        .unwrap()
        .into_iter()
        .map(|passage| passage.text)
        .collect()
}

#[test]
fn words_find_passages_and_spans_give_the_bytes_back() {
    let dir = tempfile::tempdir().unwrap();
    let corpus = small(dir.path());
    let found = texts(&corpus, "bm25", &Query::new("danish chemist"), 10);
    assert_eq!(found[0], OLSEN);
    assert_eq!(corpus.n_passages(), 4);
    assert_eq!(corpus.document_frequency("chemists"), 2);
    assert_eq!(corpus.document_frequency("the"), 4);
    assert_eq!(corpus.document_frequency("zebra"), 0);
    let rivers = DocumentId::new("Rivers");
    assert_eq!(corpus.span(&rivers, 4..8).unwrap().as_deref(), Some("Tyne"));
    assert_eq!(corpus.span(&rivers, 4..8000).unwrap(), None);
    assert_eq!(corpus.span(&DocumentId::new("none"), 0..1).unwrap(), None);
    let document = corpus.document(&rivers).unwrap().unwrap();
    let passages = corpus
        .passages(&corpus.passages_of(&rivers).unwrap().unwrap())
        .unwrap();
    assert_eq!(passages.len(), 2);
    for passage in &passages {
        let span = passage.span.start as usize..passage.span.end as usize;
        assert_eq!(document.text[span], passage.text);
    }
    assert!(corpus.health().is_empty());
}

#[test]
fn names_lead_to_the_passage_that_is_about_them() {
    let dir = tempfile::tempdir().unwrap();
    let corpus = small(dir.path());
    let about = |name: &str| -> Vec<String> {
        let hits = corpus.defining(name, 5);
        let ids: Vec<_> = hits.iter().map(|hit| hit.passage).collect();
        corpus
            .passages(&ids)
            .unwrap()
            .into_iter()
            .map(|passage| passage.text)
            .collect()
    };
    assert_eq!(about("Carsten Erik Olsen"), [OLSEN]);
    assert_eq!(about("carsten olsen's"), [OLSEN]);
    assert_eq!(about("Erika Olsen"), Vec::<String>::new());
    assert_eq!(about("Copenhagen").len(), 1);
    assert_eq!(about("").len(), 0);
}

#[test]
fn vectors_fill_in_behind_and_are_made_once() {
    let dir = tempfile::tempdir().unwrap();
    let corpus = small(dir.path());
    let encoder = WordHasher::new();
    let query = Query::new("capital of Denmark");
    assert!(texts(&corpus, "dense", &query, 3).is_empty());
    assert_eq!(texts(&corpus, "fused", &query, 1).len(), 1);

    let mut writer = CorpusWriter::open(dir.path(), &options()).unwrap();
    let built = writer
        .embed_missing(&encoder, |_| (), &Cancel::new())
        .unwrap();
    assert_eq!((built.coverage.passages, built.coverage.embedded), (4, 4));
    assert_eq!((built.encoded, encoder.count()), (4, 4));
    let corpus = Corpus::open(dir.path()).unwrap().unwrap();
    assert_eq!(corpus.coverage("word-hasher/1").embedded, 4);
    let found = texts(&corpus, "dense", &query, 3);
    assert!(found[0].starts_with("Copenhagen"), "{found:?}");
    assert_eq!(found.len(), 3);

    // Everything is indexed again, a passage is new: only that one is encoded.
    writer.start_over();
    let more = files(&[
        ("Danish chemists", OLSEN),
        (
            "Rivers",
            "The Tyne is a river in England.\n\nThe Wear meets the sea at Sunderland.",
        ),
        (
            "Copenhagen",
            "Copenhagen is the capital of Denmark. Chemists met there in 1924.",
        ),
        ("Oslo", "Oslo is the capital of Norway."),
    ]);
    support::index_with(&mut writer, &more, |_| Ok(())).unwrap();
    assert_eq!(writer.coverage("word-hasher/1").embedded, 4);
    writer
        .embed_missing(&encoder, |_| (), &Cancel::new())
        .unwrap();
    assert_eq!(encoder.count(), 5);
    let corpus = Corpus::open(dir.path()).unwrap().unwrap();
    assert!(corpus.health().is_empty());

    let other = WordHasher {
        fingerprint: "another".into(),
        ..WordHasher::default()
    };
    let error = corpus
        .retriever("dense", Some(Arc::new(other)))
        .err()
        .unwrap();
    assert!(
        matches!(error, RetrieveError::ModelMismatch { .. }),
        "{error}"
    );
}

#[test]
fn embedding_that_fails_goes_on_where_it_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let pairs: Vec<(String, String)> = (0..200)
        .map(|i| (format!("f{i}"), format!("word{i} and other{i}")))
        .collect();
    index(dir.path(), &pairs);
    let broken = WordHasher {
        fails_after: 130,
        ..WordHasher::new()
    };
    {
        let mut writer = CorpusWriter::open(dir.path(), &options()).unwrap();
        assert!(
            writer
                .embed_missing(&broken, |_| (), &Cancel::new())
                .is_err()
        );
        assert_eq!(writer.coverage("word-hasher/1").embedded, 128);
    }
    let encoder = WordHasher::new();
    let mut writer = CorpusWriter::open(dir.path(), &options()).unwrap();
    let built = writer
        .embed_missing(&encoder, |_| (), &Cancel::new())
        .unwrap();
    assert_eq!((built.coverage.embedded, built.encoded), (200, 72));
    assert_eq!(encoder.count(), 72);
}

#[test]
fn hits_say_why_and_weights_choose_retrievers() {
    let dir = tempfile::tempdir().unwrap();
    small(dir.path());
    let encoder = Arc::new(WordHasher::new());
    let mut writer = CorpusWriter::open(dir.path(), &options()).unwrap();
    writer
        .embed_missing(encoder.as_ref(), |_| (), &Cancel::new())
        .unwrap();
    let corpus = Corpus::open(dir.path()).unwrap().unwrap();
    let fused = corpus.retriever("fused", Some(encoder)).unwrap();
    let mut query = Query::new("danish chemist");
    let hits = fused.search(&query, 2, &Cancel::new()).unwrap();
    let why: Vec<&str> = hits[0]
        .why
        .iter()
        .map(|why| why.retriever.as_str())
        .collect();
    assert_eq!(why, ["bm25", "dense"]);
    query.retrievers = vec![RetrieverWeight {
        name: "bm25".into(),
        weight: 1.0,
    }];
    let hits = fused.search(&query, 2, &Cancel::new()).unwrap();
    assert!(hits.iter().all(|hit| hit.why.len() == 1));
    let bm25 = corpus.retriever("bm25", None).unwrap();
    let own = bm25.search(&Query::new("danish chemist"), 2, &Cancel::new());
    let scores = |hits: &[Hit]| hits.iter().map(|hit| hit.score).collect::<Vec<_>>();
    assert_eq!(scores(&hits), scores(&own.unwrap()), "on its own scale");
    query.retrievers[0].name = "oracle".into();
    let error = fused.search(&query, 2, &Cancel::new()).unwrap_err();
    assert!(matches!(error, RetrieveError::UnknownRetriever(name) if name == "oracle"));
}

#[test]
fn filters_hold_for_every_retriever() {
    let dir = tempfile::tempdir().unwrap();
    let encoder = Arc::new(WordHasher::new());
    let mut writer = CorpusWriter::open(dir.path(), &options()).unwrap();
    let mut next = writer.build(&[]).unwrap();
    for (id, date, lang) in [
        ("a/2021.txt", Some("2021-05-01"), "en"),
        ("a/2023.txt", Some("2023-12-24"), "da"),
        ("b/2023.txt", Some("2023"), "en"),
        ("b/undated.txt", None, "en"),
    ] {
        next.file(state(id, id));
        let metadata = [("lang", lang)];
        let (document, passages) =
            document_with(id, "", "the annual report of the harbour", date, &metadata);
        next.add(&prepare(document, passages, indago_text::Language::English).unwrap())
            .unwrap();
    }
    next.commit(true, |_| Ok(())).unwrap();
    writer
        .embed_missing(encoder.as_ref(), |_| (), &Cancel::new())
        .unwrap();
    let corpus = Corpus::open(dir.path()).unwrap().unwrap();
    let date = |text: &str| Some(text.parse().unwrap());
    let some = |paths: &[&str]| paths.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>();
    let none = Filters::default();
    for (filters, expected) in [
        (
            Filters {
                paths: some(&["a/**"]),
                ..none.clone()
            },
            "a/2021.txt a/2023.txt",
        ),
        (
            Filters {
                except: vec![
                    DocumentId::new("b/2023.txt"),
                    DocumentId::new("not/there.txt"),
                ],
                ..none.clone()
            },
            "a/2021.txt a/2023.txt b/undated.txt",
        ),
        (
            Filters {
                after: date("2022"),
                ..none.clone()
            },
            "a/2023.txt b/2023.txt",
        ),
        (
            Filters {
                before: date("2022"),
                ..none.clone()
            },
            "a/2021.txt",
        ),
        (
            Filters {
                after: date("2021"),
                before: date("2023"),
                ..none.clone()
            },
            "a/2021.txt a/2023.txt b/2023.txt",
        ),
        (
            Filters {
                metadata: vec![("lang".into(), "en".into())],
                ..none.clone()
            },
            "a/2021.txt b/2023.txt b/undated.txt",
        ),
        (
            Filters {
                paths: some(&["c/*", "**/undated.*"]),
                ..none.clone()
            },
            "b/undated.txt",
        ),
        (
            Filters {
                paths: some(&["c/*"]),
                ..none.clone()
            },
            "",
        ),
    ] {
        for name in ["bm25", "dense", "fused", "graph"] {
            let retriever = corpus.retriever(name, Some(encoder.clone())).unwrap();
            let query = Query {
                filters: filters.clone(),
                ..Query::new("annual report")
            };
            let hits = retriever.search(&query, 10, &Cancel::new()).unwrap();
            let all = hits
                .iter()
                .flat_map(|hit| std::iter::once(&hit.passage).chain(&hit.duplicates));
            let mut found: Vec<String> = all
                .map(|id| corpus.source_of(*id).unwrap().unwrap().path)
                .collect();
            found.sort();
            assert_eq!(found.join(" "), expected, "{name} {filters:?}");
        }
    }
    let bad = Query {
        filters: Filters {
            paths: some(&["a/["]),
            ..none
        },
        ..Query::new("report")
    };
    let error = corpus
        .retriever("bm25", None)
        .unwrap()
        .search(&bad, 1, &Cancel::new());
    assert!(matches!(error, Err(RetrieveError::BadFilter { filter, .. }) if filter == "a/["));
}

/// Scans where it stands, as a device does elsewhere.
struct Here {
    placed: AtomicUsize,
    is_lost: bool,
}

struct HereScan(Arc<dyn HostRows>);

impl RowScanner for Here {
    fn place(&self, rows: Arc<dyn HostRows>, _: &Cancel) -> Result<Arc<dyn RowScan>, DeviceError> {
        self.placed.fetch_add(1, Ordering::SeqCst);
        if self.is_lost {
            return Err(DeviceError::Lost("an uncorrectable error".into()));
        }
        Ok(Arc::new(HereScan(rows)))
    }
}

impl RowScan for HereScan {
    fn top_k(
        &self,
        queries: &[f32],
        k: usize,
        filter: Option<&[u32]>,
        cancel: &Cancel,
    ) -> Result<Vec<Vec<Scored>>, DeviceError> {
        let rows: Placed<'_> = Placed::Here(self.0.rows()?);
        rows.top_k(queries, k, filter, cancel)
    }

    fn describe(&self) -> String {
        "here".into()
    }
}

#[test]
fn vectors_that_are_scanned_elsewhere_give_the_same_hits() {
    let dir = tempfile::tempdir().unwrap();
    small(dir.path());
    let encoder = Arc::new(WordHasher::new());
    CorpusWriter::open(dir.path(), &options())
        .unwrap()
        .embed_missing(encoder.as_ref(), |_| (), &Cancel::new())
        .unwrap();
    let open = || Corpus::open(dir.path()).unwrap().unwrap();
    let hits = |corpus: &Corpus, filters: &Filters| {
        let retriever = corpus.retriever("dense", Some(encoder.clone())).unwrap();
        let query = Query {
            filters: filters.clone(),
            ..Query::new("a danish river")
        };
        retriever.search(&query, 3, &Cancel::new())
    };
    let (plain, elsewhere, lost) = (open(), open(), open());
    assert_eq!(plain.n_vectors(), 4);
    let here = Arc::new(Here {
        placed: AtomicUsize::new(0),
        is_lost: false,
    });
    let scanner: Arc<dyn RowScanner> = here.clone();
    elsewhere.scan_on(&scanner);
    let only_rivers = Filters {
        paths: vec!["Rivers".into()],
        ..Filters::default()
    };
    for filters in [Filters::default(), only_rivers] {
        let expected = hits(&plain, &filters).unwrap();
        assert!(!expected.is_empty());
        assert_eq!(hits(&elsewhere, &filters).unwrap(), expected);
    }
    // Brought there once.
    assert_eq!(here.placed.load(Ordering::SeqCst), 1);

    // A device that fails is an error, not another way of searching.
    let scanner: Arc<dyn RowScanner> = Arc::new(Here {
        placed: AtomicUsize::new(0),
        is_lost: true,
    });
    lost.scan_on(&scanner);
    let error = hits(&lost, &Filters::default()).unwrap_err();
    assert!(error.to_string().contains("the GPU failed"), "{error}");
}
