//! The adapter from synchronous engines to what agents await.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};

use indago_core::ports::{
    CorpusStats, DocumentStore, EncodeError, Encoder, Library as _, Matrix, NameHit, NameIndex,
    RetrieveError, Retriever, Role, StoreError,
};
use indago_core::{
    Cancel, Document, DocumentId, Hit, IndexCoverage, Location, Passage, PassageId, Query, Quote,
};
use indago_workflows::{CpuLibrary, CpuLibraryParts, Similarity};

const TEXT: &str = "The tower was built in 1931.";

/// One document, and engines that do as the query says.
#[derive(Default)]
struct Fake {
    searching: AtomicUsize,
    cancelled: AtomicUsize,
    meet: Option<Barrier>,
}

fn passage() -> Passage {
    let document = DocumentId::new("d");
    Passage {
        id: PassageId::of(&document, 0, TEXT.len() as u64, TEXT),
        document,
        title: "Tower".into(),
        span: 0..TEXT.len() as u64,
        text: TEXT.into(),
        ordinal: 0,
        location: Location::default(),
        date: None,
        metadata: BTreeMap::new(),
    }
}

impl Retriever for Fake {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn search(&self, query: &Query, k: usize, cancel: &Cancel) -> Result<Vec<Hit>, RetrieveError> {
        self.searching.fetch_add(1, Ordering::SeqCst);
        match query.text.as_str() {
            "panic" => panic!("boom"),
            "unknown" => return Err(RetrieveError::UnknownRetriever("colbert".into())),
            "meet" => {
                self.meet.as_ref().unwrap().wait();
            }
            "hang" => {
                while !cancel.is_cancelled() {
                    std::thread::yield_now();
                }
                self.cancelled.fetch_add(1, Ordering::SeqCst);
                cancel.check()?;
            }
            _ => {}
        }
        let score = query.text.len() as f32;
        let hit = Hit {
            passage: passage().id,
            score,
            why: vec![],
            duplicates: vec![],
        };
        Ok(vec![hit; k.min(1)])
    }
}

impl DocumentStore for Fake {
    fn document(&self, _id: &DocumentId) -> Result<Option<Document>, StoreError> {
        Ok(None)
    }

    fn passages(&self, ids: &[PassageId]) -> Result<Vec<Passage>, StoreError> {
        Ok(ids
            .iter()
            .filter(|id| **id == passage().id)
            .map(|_| passage())
            .collect())
    }

    fn span(&self, id: &DocumentId, span: Range<u64>) -> Result<Option<String>, StoreError> {
        if id.as_str() == "broken" {
            return Err(StoreError::Engine("disk on fire".into()));
        }
        Ok(TEXT
            .get(span.start as usize..span.end as usize)
            .map(str::to_owned))
    }
}

impl CorpusStats for Fake {
    fn n_passages(&self) -> u64 {
        1
    }

    fn document_frequency(&self, term: &str) -> u64 {
        term.len() as u64
    }
}

impl NameIndex for Fake {
    fn defining(&self, name: &str, k: usize) -> Vec<NameHit> {
        let hit = NameHit {
            passage: passage().id,
            score: 1.0,
            name: name.to_owned(),
        };
        vec![hit; k.min(usize::from(name == "Tower"))]
    }
}

impl Encoder for Fake {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn fingerprint(&self) -> &'static str {
        "fake"
    }

    fn dim(&self) -> usize {
        2
    }

    /// Texts that begin with `n` point north, others east; queries always point north.
    fn encode(&self, texts: &[&str], role: Role, _cancel: &Cancel) -> Result<Matrix, EncodeError> {
        let mut matrix = Matrix::zeros(texts.len(), 2);
        for (i, text) in texts.iter().enumerate() {
            let north = role == Role::Query || text.starts_with('n');
            matrix.data[2 * i + usize::from(!north)] = 1.0;
        }
        Ok(matrix)
    }
}

fn library(fake: &Arc<Fake>, threads: usize) -> CpuLibrary {
    let parts = CpuLibraryParts {
        retriever: fake.clone(),
        store: fake.clone(),
        stats: fake.clone(),
        names: fake.clone(),
        similarity: Similarity::Encoder(fake.clone()),
        reader: None,
        coverage: IndexCoverage {
            passages: 1,
            embedded: 0,
            left_out: 0,
        },
    };
    CpuLibrary::new(parts, threads).unwrap()
}

#[tokio::test]
async fn answers_come_back_in_the_order_of_what_was_asked() {
    let library = library(&Arc::default(), 2);
    let queries = ["a", "bbb", "cc"].map(Query::new).to_vec();
    let hits = library.search(queries, 1).await.unwrap();
    assert_eq!(
        hits.iter().map(|list| list[0].score).collect::<Vec<_>>(),
        [1.0, 3.0, 2.0]
    );
    let id = passage().id;
    let unknown = PassageId([9; 16]);
    assert_eq!(
        library.passages(vec![unknown, id]).await.unwrap(),
        [passage()]
    );
    let names = vec!["Nobody".to_owned(), "Tower".to_owned()];
    let defining = library.defining(names, 3).await.unwrap();
    assert_eq!(defining.iter().map(Vec::len).collect::<Vec<_>>(), [0, 1]);
    let terms = vec!["ab".to_owned(), "c".to_owned()];
    assert_eq!(library.frequencies(terms).await.unwrap(), [2, 1]);
    let texts = ["north", "east", "no"].map(str::to_owned).to_vec();
    assert_eq!(
        library.similarity("q".into(), texts).await.unwrap(),
        [1.0, 0.0, 1.0]
    );
    assert_eq!(
        library.similarity("q".into(), vec![]).await.unwrap(),
        [0.0; 0]
    );
    assert_eq!(
        library.coverage(),
        IndexCoverage {
            passages: 1,
            embedded: 0,
            left_out: 0,
        }
    );
}

#[tokio::test]
async fn quotes_are_read_again_from_the_store() {
    let library = library(&Arc::default(), 1);
    let quote = |document: &str, start, end| Quote {
        document: DocumentId::new(document),
        passage: passage().id,
        start,
        end,
        text: String::new(),
    };
    assert_eq!(
        library.reread(quote("d", 4, 9)).await.unwrap().as_deref(),
        Some("tower")
    );
    assert_eq!(library.reread(quote("d", 4, 999)).await.unwrap(), None);
    let error = library.reread(quote("broken", 0, 1)).await.unwrap_err();
    assert!(matches!(error, RetrieveError::Store(_)), "{error}");
}

#[tokio::test]
async fn queries_of_one_call_are_searched_side_by_side() {
    // Each search waits for the other: one after the other they would wait for ever.
    let fake = Arc::new(Fake {
        meet: Some(Barrier::new(2)),
        ..Fake::default()
    });
    let library = library(&fake, 2);
    let queries = ["meet", "meet"].map(Query::new).to_vec();
    assert_eq!(library.search(queries, 1).await.unwrap().len(), 2);
}

#[tokio::test]
async fn failures_and_panics_are_errors_and_the_pool_goes_on() {
    let library = library(&Arc::default(), 1);
    for _ in 0..3 {
        let error = library
            .search(vec![Query::new("panic")], 1)
            .await
            .unwrap_err();
        assert!(error.to_string().contains("panicked"), "{error}");
    }
    let both = ["fine", "unknown"].map(Query::new).to_vec();
    let error = library.search(both, 1).await.unwrap_err();
    assert!(
        matches!(error, RetrieveError::UnknownRetriever(_)),
        "{error}"
    );
    assert_eq!(
        library
            .search(vec![Query::new("fine")], 1)
            .await
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn dropping_a_call_cancels_its_search() {
    let fake = Arc::new(Fake::default());
    let library = library(&fake, 1);
    let call = library.search(vec![Query::new("hang")], 1);
    while fake.searching.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    drop(call);
    // The only thread is free again, so the hanging search has ended.
    library.search(vec![Query::new("next")], 1).await.unwrap();
    assert_eq!(fake.cancelled.load(Ordering::SeqCst), 1);
}
