//! A corpus of a dozen passages in a vector.

use std::collections::BTreeMap;
use std::sync::Mutex;

use indago_core::ports::{BoxFuture, Library, NameHit, RetrieveError};
use indago_core::{
    DocumentId, Hit, IndexCoverage, Location, Passage, PassageId, Provenance, Query, Quote,
};
use tokio::sync::Notify;

const TEXTS: &[(&str, &str)] = &[
    (
        "Harbour Tower",
        "The Harbour Tower was built by Elin Strand in 1931. It stands in Vessby.",
    ),
    (
        "Elin Strand",
        "Elin Strand was a Norwegian engineer. She was born in Hamar in 1889.",
    ),
    (
        "Hamar",
        "Hamar is a town in Norway on the shore of lake Mjosa.",
    ),
    (
        "Vessby",
        "Vessby is a fishing village known for its yearly kite festival.",
    ),
    (
        "River Mill",
        "The River Mill was built by Otto Falk in 1904. It burned down in 1950.",
    ),
    (
        "Otto Falk",
        "Otto Falk was a miller and mayor. He was born in Lund in 1861.",
    ),
    ("Lund", "Lund is a city in Sweden with an old university."),
    (
        "Kite festival",
        "The kite festival of Vessby takes place in May and draws many visitors.",
    ),
    ("Mjosa", "Mjosa is the largest lake of Norway."),
    (
        "Bridge works",
        "Bridge works on the river were finished in 1966.",
    ),
    (
        "Mayor's house",
        "The mayor's house was given to the town by Otto Falk.",
    ),
    (
        "Museum",
        "The museum of Vessby shows tools and drawings of Elin Strand.",
    ),
];

pub(crate) struct Dozen {
    passages: BTreeMap<PassageId, Passage>,
    pub(crate) searches: Mutex<u32>,
    /// When set, searches wait until it is told.
    pub(crate) gate: Option<Notify>,
}

impl Dozen {
    pub(crate) fn new() -> Self {
        Self::with(&[])
    }

    /// The dozen, and documents `d12` and so on with these titles and texts.
    pub(crate) fn with(more: &[(&str, &str)]) -> Self {
        let passages = TEXTS
            .iter()
            .chain(more)
            .enumerate()
            .map(|(i, (title, text))| {
                let document = DocumentId::new(format!("d{i:02}"));
                let end = text.len() as u64;
                let id = PassageId::of(&document, 0, end, text);
                let passage = Passage {
                    id,
                    document,
                    title: (*title).to_owned(),
                    span: 0..end,
                    text: (*text).to_owned(),
                    ordinal: 0,
                    location: Location {
                        line: Some(1),
                        ..Location::default()
                    },
                    date: None,
                    metadata: BTreeMap::new(),
                };
                (id, passage)
            });
        Self {
            passages: passages.collect(),
            searches: Mutex::new(0),
            gate: None,
        }
    }

    pub(crate) fn gated() -> Self {
        Self {
            gate: Some(Notify::new()),
            ..Self::new()
        }
    }

    fn overlap(&self, query: &str, text: &str) -> f32 {
        let words = indago_text::terms(text);
        let asked = indago_text::terms(query);
        let weight = |term: &String| {
            let n = self.containing(term).max(1) as f32;
            (1.0 + self.passages.len() as f32 / n).ln()
        };
        let hit: f32 = asked.iter().filter(|t| words.contains(t)).map(weight).sum();
        let all: f32 = asked.iter().map(weight).sum();
        if all > 0.0 { hit / all } else { 0.0 }
    }

    fn containing(&self, term: &str) -> u64 {
        let has = |passage: &&Passage| {
            indago_text::terms(&full(passage))
                .iter()
                .any(|word| word == term)
        };
        self.passages.values().filter(has).count() as u64
    }
}

fn full(passage: &Passage) -> String {
    format!("{} {}", passage.title, passage.text)
}

fn ready<T: Send + 'static>(value: T) -> BoxFuture<'static, Result<T, RetrieveError>> {
    Box::pin(std::future::ready(Ok(value)))
}

impl Library for Dozen {
    fn search(
        &self,
        queries: Vec<Query>,
        k: usize,
    ) -> BoxFuture<'_, Result<Vec<Vec<Hit>>, RetrieveError>> {
        Box::pin(async move {
            *self.searches.lock().unwrap() += queries.len() as u32;
            if let Some(gate) = &self.gate {
                gate.notified().await;
            }
            let search = |query: &Query| {
                let mut hits: Vec<Hit> = self
                    .passages
                    .values()
                    .filter(|passage| !query.filters.except.contains(&passage.document))
                    .map(|passage| Hit {
                        passage: passage.id,
                        score: self.overlap(&query.text, &full(passage)),
                        why: Vec::new(),
                        duplicates: Vec::new(),
                    })
                    .filter(|hit| hit.score > 0.0)
                    .collect();
                hits.sort_by(Hit::best_first);
                hits.truncate(k);
                for (i, hit) in hits.iter_mut().enumerate() {
                    let rank = i as u32 + 1;
                    hit.why = ["bm25", "dense"]
                        .map(|name| Provenance {
                            retriever: name.into(),
                            rank,
                            score: hit.score,
                        })
                        .to_vec();
                }
                hits
            };
            Ok(queries.iter().map(search).collect())
        })
    }

    fn passages(&self, ids: Vec<PassageId>) -> BoxFuture<'_, Result<Vec<Passage>, RetrieveError>> {
        ready(
            ids.iter()
                .filter_map(|id| self.passages.get(id).cloned())
                .collect(),
        )
    }

    fn defining(
        &self,
        names: Vec<String>,
        k: usize,
    ) -> BoxFuture<'_, Result<Vec<Vec<NameHit>>, RetrieveError>> {
        let about = |name: &String| {
            let wanted = indago_text::normalize_name(name);
            self.passages
                .values()
                .filter(|passage| {
                    let title = indago_text::strip_disambiguation(&passage.title);
                    indago_text::normalize_name(title) == wanted
                })
                .map(|passage| NameHit {
                    passage: passage.id,
                    score: 1.0,
                    name: passage.title.clone(),
                })
                .take(k)
                .collect()
        };
        ready(names.iter().map(about).collect())
    }

    fn frequencies(&self, terms: Vec<String>) -> BoxFuture<'_, Result<Vec<u64>, RetrieveError>> {
        ready(
            terms
                .iter()
                .map(|term| self.containing(&indago_text::stem(term)))
                .collect(),
        )
    }

    fn similarity(
        &self,
        query: String,
        texts: Vec<String>,
    ) -> BoxFuture<'_, Result<Vec<f32>, RetrieveError>> {
        ready(
            texts
                .iter()
                .map(|text| self.overlap(&query, text))
                .collect(),
        )
    }

    fn reread(&self, quote: Quote) -> BoxFuture<'_, Result<Option<String>, RetrieveError>> {
        let found = self
            .passages
            .values()
            .find(|passage| passage.document == quote.document)
            .and_then(|passage| passage.text.get(quote.start as usize..quote.end as usize))
            .map(str::to_owned);
        ready(found)
    }

    fn coverage(&self) -> IndexCoverage {
        IndexCoverage {
            passages: 12,
            embedded: 12,
            left_out: 0,
        }
    }
}
