//! The desk over a corpus of two documents: what runs, what is refused, what is recorded.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use indago_core::ports::{BoxFuture, Effect, Library, NameHit, RetrieveError, Tool, ToolError};
use indago_core::{
    Cancel, DocumentId, Hit, IndexCoverage, Location, Observation, Passage, PassageId, Provenance,
    Query, Quote, ToolCall, ToolSpec,
};
use indago_tools::{Desk, Grant, Outcome, Registry, RegistryError, corpus};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Passages are paragraphs; a query finds those with its words.
struct Small(Vec<(DocumentId, String)>);

impl Small {
    fn all(&self) -> Vec<Passage> {
        let mut all = Vec::new();
        for (document, text) in &self.0 {
            let mut start = 0_u64;
            for part in text.split_inclusive("\n\n") {
                let end = start + part.len() as u64;
                all.push(Passage {
                    id: PassageId::of(document, start, end, part),
                    document: document.clone(),
                    title: String::new(),
                    span: start..end,
                    text: part.to_owned(),
                    ordinal: 0,
                    location: Location::default(),
                    date: None,
                    metadata: BTreeMap::default(),
                });
                start = end;
            }
        }
        all
    }
}

impl Library for Small {
    fn search(
        &self,
        queries: Vec<Query>,
        k: usize,
    ) -> BoxFuture<'_, Result<Vec<Vec<Hit>>, RetrieveError>> {
        let hits = |query: &Query| {
            let path = |p: &Passage| {
                query.filters.paths.is_empty()
                    || query.filters.paths.iter().any(|g| g == p.document.as_str())
            };
            let found = self
                .all()
                .into_iter()
                .filter(|p| path(p) && query.text.split(' ').any(|w| p.text.contains(w)));
            let why = || {
                vec![Provenance {
                    retriever: "words".into(),
                    rank: 1,
                    score: 1.0,
                }]
            };
            found
                .take(k)
                .map(|p| Hit {
                    passage: p.id,
                    score: 1.0,
                    why: why(),
                    duplicates: Vec::new(),
                })
                .collect()
        };
        let all = queries.iter().map(hits).collect();
        Box::pin(async move { Ok(all) })
    }

    fn passages(&self, ids: Vec<PassageId>) -> BoxFuture<'_, Result<Vec<Passage>, RetrieveError>> {
        let all = self.all();
        let found = ids
            .iter()
            .filter_map(|id| all.iter().find(|p| p.id == *id).cloned())
            .collect();
        Box::pin(async move { Ok(found) })
    }

    fn defining(
        &self,
        names: Vec<String>,
        _: usize,
    ) -> BoxFuture<'_, Result<Vec<Vec<NameHit>>, RetrieveError>> {
        Box::pin(async move { Ok(vec![Vec::new(); names.len()]) })
    }

    fn frequencies(&self, terms: Vec<String>) -> BoxFuture<'_, Result<Vec<u64>, RetrieveError>> {
        Box::pin(async move { Ok(vec![0; terms.len()]) })
    }

    fn similarity(
        &self,
        _: String,
        texts: Vec<String>,
    ) -> BoxFuture<'_, Result<Vec<f32>, RetrieveError>> {
        Box::pin(async move { Ok(vec![0.0; texts.len()]) })
    }

    fn reread(&self, quote: Quote) -> BoxFuture<'_, Result<Option<String>, RetrieveError>> {
        let document = self.0.iter().find(|(id, _)| *id == quote.document);
        let text = document
            .and_then(|(_, text)| text.get(quote.start as usize..quote.end as usize))
            .map(str::to_owned);
        Box::pin(async move { Ok(text) })
    }

    fn coverage(&self) -> IndexCoverage {
        IndexCoverage::default()
    }
}

struct Writer(ToolSpec);

impl Tool for Writer {
    fn spec(&self) -> &ToolSpec {
        &self.0
    }
    fn effects(&self) -> &[Effect] {
        &[Effect::Writes]
    }
    fn call(&self, _: Value, _: Cancel) -> BoxFuture<'_, Result<Observation, ToolError>> {
        panic!("it is never granted")
    }
}

/// These futures never wait.
fn now<T>(work: impl Future<Output = T>) -> T {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => panic!("it waits"),
    }
}

const LONG: &str = "é";

fn library() -> Arc<dyn Library> {
    let long = format!("{}needle{}Needle", LONG.repeat(5000), LONG.repeat(3000));
    Arc::new(Small(vec![
        (
            DocumentId::new("a.md"),
            "The lighthouse is red.\n\nIt was built in 1888.\n\nIts keeper was Ada.".into(),
        ),
        (DocumentId::new("long.txt"), long),
    ]))
}

fn writer() -> Arc<dyn Tool> {
    Arc::new(Writer(ToolSpec {
        name: "delete_all".into(),
        description: String::new(),
        parameters: json!({ "type": "object" }),
    }))
}

fn desk() -> Desk {
    let mut registry = Registry::default();
    corpus::register(&mut registry, &library()).unwrap();
    registry.add(writer()).unwrap();
    Desk::new(Arc::new(registry), Grant::corpus())
}

fn call(desk: &Desk, name: &str, arguments: Value) -> Result<Observation, ToolError> {
    raw(desk, name, &arguments.to_string())
}

fn raw(desk: &Desk, name: &str, arguments: &str) -> Result<Observation, ToolError> {
    let call = ToolCall {
        id: "1".into(),
        name: name.into(),
        arguments: arguments.into(),
    };
    now(desk.call(&call, &Cancel::new()))
}

#[test]
fn searching_then_reading_around_gives_quotes_that_hold() {
    let desk = desk();
    let found = call(&desk, "corpus_search", json!({ "query": "1888" })).unwrap();
    assert_eq!(found.passages.len(), 1);
    assert_eq!(found.quotes[0].text, "It was built in 1888.\n\n");
    let around = call(
        &desk,
        "read_around",
        json!({ "passage": found.passages[0].to_string(), "bytes": 12 }),
    )
    .unwrap();
    assert_eq!(
        around.quotes[0].text,
        "se is red.\n\nIt was built in 1888.\n\nIts keeper w"
    );
    let all = call(&desk, "document_open", json!({ "document": "a.md" })).unwrap();
    assert!(
        all.quotes[0].text.ends_with("Ada.") && all.quotes[0].start == 0,
        "{}",
        all.text
    );
    let none = call(
        &desk,
        "corpus_search",
        json!({ "query": "1888", "paths": ["b.md"] }),
    )
    .unwrap();
    assert_eq!(none.text, "Nothing was found.");
}

#[test]
fn long_documents_are_read_piece_by_piece_to_their_last_byte() {
    let desk = desk();
    let library = library();
    let (mut start, mut read) = (0, String::new());
    while let Ok(piece) = call(
        &desk,
        "document_open",
        json!({ "document": "long.txt", "start": start }),
    ) {
        assert_eq!(piece.quotes[0].start, start, "no byte is skipped");
        read.push_str(&piece.quotes[0].text);
        start = piece.quotes[0].end;
    }
    assert_eq!(read.len(), 16_012);
    let found = call(
        &desk,
        "document_find",
        json!({ "document": "long.txt", "text": "NEEDLE" }),
    )
    .unwrap();
    let starts: Vec<u64> = found.quotes.iter().map(|q| q.start).collect();
    assert_eq!(starts, [10_000, 16_006]);
    for quote in found.quotes {
        assert_eq!(
            now(library.reread(quote.clone())).unwrap().as_deref(),
            Some(quote.text.as_str())
        );
    }
}

#[test]
fn what_is_not_granted_does_not_run_and_is_recorded() {
    let desk = desk();
    assert!(desk.specs().iter().all(|spec| spec.name != "delete_all"));
    call(&desk, "delete_all", json!({})).unwrap_err();
    call(&desk, "launch_missiles", json!({})).unwrap_err();
    raw(&desk, "corpus_search", "{\"query\": \"unfinis").unwrap_err();
    let error = call(
        &desk,
        "corpus_search",
        json!({ "query": "x", "k": 1000, "shell": "rm" }),
    )
    .unwrap_err();
    assert!(
        error.say.contains("/k") && error.say.contains("shell"),
        "{}",
        error.say
    );
    call(
        &desk,
        "corpus_search",
        json!({ "query": "x", "after": "soon" }),
    )
    .unwrap_err();
    call(&desk, "corpus_search", json!({ "query": "keeper" })).unwrap();
    let outcomes: Vec<Outcome> = desk.records().iter().map(|r| r.outcome).collect();
    use Outcome::{BadArguments, Done, Failed, NotGranted, Unknown};
    assert_eq!(
        outcomes,
        [
            NotGranted,
            Unknown,
            BadArguments,
            BadArguments,
            Failed,
            Done
        ]
    );
    // A grant by name alone is not enough: the effect has to be granted too.
    let mut registry = Registry::default();
    registry.add(writer()).unwrap();
    let named = Grant {
        tools: ["delete_all".to_owned()].into(),
        effects: [Effect::ReadsCorpus].into(),
    };
    let desk = Desk::new(Arc::new(registry), named);
    call(&desk, "delete_all", json!({})).unwrap_err();
    assert_eq!(desk.records()[0].outcome, NotGranted);
}

#[test]
fn names_and_schemas_are_checked_when_a_tool_is_added() {
    let mut registry = Registry::default();
    registry.add(writer()).unwrap();
    assert_eq!(
        registry.add(writer()),
        Err(RegistryError::Twice("delete_all".into()))
    );
    let spec = |name: &str, parameters| {
        Arc::new(Writer(ToolSpec {
            name: name.into(),
            description: String::new(),
            parameters,
        }))
    };
    assert!(matches!(
        registry.add(spec("a b", json!({}))),
        Err(RegistryError::BadName(_))
    ));
    assert!(matches!(
        registry.add(spec("ab", json!({ "type": 3 }))),
        Err(RegistryError::BadSchema { .. })
    ));
}

proptest! {
    #[test]
    fn no_call_of_a_model_panics(name in "[a-z_]{0,12}|corpus_search|document_open|document_find|read_around", arguments in ".{0,60}|\\{\"(query|document|text|passage)\": ?(\"[a-z.]{0,8}\"|[0-9]{1,25})(, ?\"(k|start|bytes|text)\": ?(\"é\"|-?[0-9]{1,20}))?\\}") {
        let desk = desk();
        let _ = raw(&desk, &name, &arguments);
        prop_assert_eq!(desk.records().len(), 1);
    }
}
