//! A brute-force library over passages in memory, and a task context without an engine.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "shared by tests and examples"
)]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::future::Future;
use std::ops::Range;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use indago_core::ports::{
    BoxFuture, Library, NameHit, Output, RetrieveError, RetryPolicy, SpanScores, StepKey, StepWork,
    TaskCtx, TaskError, TaskKey, TaskSet, TokenScore,
};
use indago_core::{
    DocumentId, Event, Hit, IndexCoverage, Location, Passage, PassageId, Provenance, Query, Quote,
    RunId,
};
use indago_text::{normalize_name, strip_disambiguation};
use serde_json::Value;

/// A document of one passage.
#[derive(Clone, Debug)]
pub struct Doc {
    pub id: String,
    pub title: String,
    pub text: String,
    pub metadata: BTreeMap<String, String>,
}

impl Doc {
    pub fn new(id: &str, title: &str, text: &str) -> Self {
        Self {
            id: id.to_owned(),
            title: title.to_owned(),
            text: text.to_owned(),
            metadata: BTreeMap::new(),
        }
    }
}

const K1: f32 = 1.2;
const B: f32 = 0.75;

/// All passages with a BM25 index (Lucene's form) and a name index.
pub struct Corpus {
    pub passages: Vec<Passage>,
    row: HashMap<PassageId, usize>,
    postings: HashMap<String, Vec<(u32, f32)>>,
    names: HashMap<String, Vec<(u32, f32, String)>>,
    bare: HashMap<String, Vec<(u32, f32, String)>>,
    words: HashMap<String, Vec<String>>,
}

impl Corpus {
    pub fn new(docs: &[Doc]) -> Self {
        let passages: Vec<Passage> = docs
            .iter()
            .map(|doc| {
                let id = DocumentId::new(doc.id.as_str());
                let end = doc.text.len() as u64;
                Passage {
                    id: PassageId::of(&id, 0, end, &doc.text),
                    document: id,
                    title: doc.title.clone(),
                    span: 0..end,
                    text: doc.text.clone(),
                    ordinal: 0,
                    location: Location::default(),
                    date: doc
                        .metadata
                        .get("published_at")
                        .and_then(|d| d.parse().ok()),
                    metadata: doc.metadata.clone(),
                }
            })
            .collect();
        let mut this = Self {
            row: passages
                .iter()
                .enumerate()
                .map(|(i, p)| (p.id, i))
                .collect(),
            passages,
            postings: HashMap::new(),
            names: HashMap::new(),
            bare: HashMap::new(),
            words: HashMap::new(),
        };
        this.index_terms();
        this.index_names();
        this
    }

    fn index_terms(&mut self) {
        let counted: Vec<(usize, BTreeMap<String, u32>)> = self
            .passages
            .iter()
            .map(|p| {
                let terms = indago_text::terms(&format!("{}\n\n{}", p.title, p.text));
                let mut counts = BTreeMap::new();
                for term in &terms {
                    *counts.entry(term.clone()).or_default() += 1;
                }
                (terms.len(), counts)
            })
            .collect();
        let n = counted.len().max(1) as f32;
        let mean = counted.iter().map(|(len, _)| *len as f32).sum::<f32>() / n;
        for (row, (len, counts)) in counted.into_iter().enumerate() {
            for (term, tf) in counts {
                let tf = tf as f32;
                let weight = tf / (tf + K1 * (1.0 - B + B * len as f32 / mean.max(1.0)));
                self.postings
                    .entry(term)
                    .or_default()
                    .push((row as u32, weight));
            }
        }
    }

    fn index_names(&mut self) {
        for (row, passage) in self.passages.iter().enumerate() {
            let mut found: BTreeMap<String, (f32, String)> = BTreeMap::new();
            let mut add = |name: &str, score: f32| {
                let key = normalize_name(name);
                let entry = found.entry(key).or_insert((score, name.to_owned()));
                if entry.0 < score {
                    *entry = (score, name.to_owned());
                }
            };
            if !passage.title.is_empty() {
                add(&passage.title, 1.0);
            }
            for (i, name) in indago_text::introduced_names(&passage.text)
                .iter()
                .enumerate()
            {
                add(name, if i == 0 { 1.0 } else { 0.9 });
            }
            for (key, (score, name)) in found {
                if key.is_empty() || key.len() > 200 {
                    continue;
                }
                let bare = normalize_name(strip_disambiguation(&name));
                let row = row as u32;
                self.names
                    .entry(key)
                    .or_default()
                    .push((row, score, name.clone()));
                self.bare.entry(bare).or_default().push((row, score, name));
            }
        }
        let keys: BTreeSet<&String> = self.bare.keys().collect();
        for key in keys {
            for word in key.split(' ') {
                self.words
                    .entry(word.to_owned())
                    .or_default()
                    .push(key.clone());
            }
        }
    }

    fn bm25(&self, text: &str) -> Vec<(usize, f32)> {
        let n = self.passages.len() as f32;
        let mut scores: HashMap<u32, f32> = HashMap::new();
        let terms: BTreeSet<String> = indago_text::terms(text).into_iter().collect();
        for term in terms {
            let Some(list) = self.postings.get(&term) else {
                continue;
            };
            let df = list.len() as f32;
            let idf = (1.0 + (n - df + 0.5) / (df + 0.5)).ln();
            for (row, weight) in list {
                *scores.entry(*row).or_default() += idf * weight;
            }
        }
        scores
            .into_iter()
            .map(|(row, score)| (row as usize, score))
            .collect()
    }

    fn loose(&self, name: &str) -> Vec<(u32, f32, String)> {
        let bare = normalize_name(strip_disambiguation(name));
        let q: Vec<&str> = bare.split(' ').collect();
        let empty = Vec::new();
        let lists: Vec<&Vec<String>> = q
            .iter()
            .map(|w| self.words.get(*w).unwrap_or(&empty))
            .filter(|l| l.len() <= 512)
            .collect();
        let all = |key: &&String| lists.iter().all(|l| l.binary_search(key).is_ok());
        let holding = lists
            .iter()
            .min_by_key(|l| l.len())
            .map_or(0, |l| l.iter().filter(all).count());
        let unique = holding == 1 && lists.len() == q.len();
        let keys: BTreeSet<&String> = lists.iter().copied().flatten().collect();
        let mut found = Vec::new();
        for key in keys {
            let e: Vec<&str> = key.split(' ').collect();
            if let Some(factor) = loose(&q, &e, unique) {
                for (row, score, name) in &self.bare[key] {
                    found.push((*row, factor * score, name.clone()));
                }
            }
        }
        found
    }
}

fn loose(q: &[&str], e: &[&str], unique: bool) -> Option<f32> {
    let (short, long) = if q.len() < e.len() { (q, e) } else { (e, q) };
    if long.len() == short.len() || long.len() > short.len() + 3 {
        return None;
    }
    if short.len() >= 2 {
        let mut rest = long.iter();
        let inside = short.iter().all(|w| rest.any(|o| o == w));
        if inside && short.first() == long.first() && short.last() == long.last() {
            return Some(0.75);
        }
        if long.starts_with(short) || long.ends_with(short) {
            return Some(if unique || q.len() > e.len() {
                0.65
            } else {
                0.55
            });
        }
        return None;
    }
    let word = short.first()?;
    let surname = q.len() == 1
        && unique
        && word.chars().count() >= 5
        && e.last() == Some(word)
        && !e.iter().any(|o| indago_text::is_function_word(o));
    surname.then_some(0.6)
}

/// A corpus as agents see it, with some documents taken out.
pub struct MemoryLibrary {
    pub corpus: Arc<Corpus>,
    pub without: BTreeSet<String>,
    /// What `reread` gives instead of the stored text, by document.
    pub changed: BTreeMap<String, String>,
    /// What its reader takes for the answer wherever it stands; it has no reader without.
    pub sees: Option<String>,
}

impl MemoryLibrary {
    pub fn new(corpus: Arc<Corpus>) -> Self {
        Self {
            corpus,
            without: BTreeSet::new(),
            changed: BTreeMap::new(),
            sees: None,
        }
    }

    pub fn of(docs: &[Doc]) -> Self {
        Self::new(Arc::new(Corpus::new(docs)))
    }

    fn has(&self, row: usize) -> bool {
        self.without.is_empty()
            || !self
                .without
                .contains(self.corpus.passages[row].document.as_str())
    }

    fn search_one(&self, query: &Query, k: usize) -> Vec<Hit> {
        let name = query.retrievers.first().map_or("bm25", |r| r.name.as_str());
        let scores = self.corpus.bm25(&query.text);
        let mut hits: Vec<Hit> =
            scores
                .into_iter()
                .filter(|(row, _)| self.has(*row))
                .filter(|(row, _)| {
                    query.filters.metadata.iter().all(|(key, value)| {
                        self.corpus.passages[*row].metadata.get(key) == Some(value)
                    })
                })
                .map(|(row, score)| Hit {
                    passage: self.corpus.passages[row].id,
                    score,
                    why: vec![Provenance {
                        retriever: name.to_owned(),
                        rank: 0,
                        score,
                    }],
                    duplicates: Vec::new(),
                })
                .collect();
        hits.sort_by(Hit::best_first);
        hits.truncate(k);
        hits
    }

    /// Scores of one passage: high where `seen` stands, low everywhere else.
    fn read_one(text: &str, seen: &str) -> SpanScores {
        let at = text.find(seen).map(|start| start..start + seen.len());
        let logit = |here: bool| if here { 6.0 } else { -6.0 };
        let token = |word: Range<usize>| TokenScore {
            start: logit(at.as_ref().is_some_and(|at| at.start == word.start)),
            end: logit(at.as_ref().is_some_and(|at| at.end == word.end)),
            range: word,
        };
        SpanScores {
            tokens: indago_text::words(text).into_iter().map(token).collect(),
        }
    }

    fn defining_one(&self, name: &str, k: usize) -> Vec<NameHit> {
        let key = normalize_name(name);
        if key.is_empty() {
            return Vec::new();
        }
        let mut best: BTreeMap<u32, (f32, String)> = BTreeMap::new();
        let mut add = |row: u32, score: f32, name: &str| {
            let entry = best.entry(row).or_insert((score, name.to_owned()));
            if entry.0 < score {
                *entry = (score, name.to_owned());
            }
        };
        for (row, score, name) in self.corpus.names.get(&key).into_iter().flatten() {
            add(*row, *score, name);
        }
        let bare = normalize_name(strip_disambiguation(name));
        for (row, score, name) in self.corpus.bare.get(&bare).into_iter().flatten() {
            add(*row, 0.9 * score, name);
        }
        if best.is_empty() {
            for (row, score, name) in self.corpus.loose(name) {
                let entry = best.entry(row).or_insert((score, name.clone()));
                if entry.0 < score {
                    *entry = (score, name);
                }
            }
        }
        let mut hits: Vec<NameHit> = best
            .into_iter()
            .filter(|(row, _)| self.has(*row as usize))
            .map(|(row, (score, name))| NameHit {
                passage: self.corpus.passages[row as usize].id,
                score,
                name,
            })
            .collect();
        hits.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.passage.cmp(&b.passage)));
        hits.truncate(k);
        hits
    }
}

impl Library for MemoryLibrary {
    fn read_spans(
        &self,
        _question: String,
        passages: Vec<PassageId>,
    ) -> BoxFuture<'_, Result<Vec<(PassageId, SpanScores)>, RetrieveError>> {
        let read = |id: PassageId| {
            let passage = self.corpus.passages.iter().find(|p| p.id == id)?;
            let seen = self.sees.as_ref()?;
            Some((id, Self::read_one(&passage.text, seen)))
        };
        let read = passages.into_iter().filter_map(read).collect();
        Box::pin(std::future::ready(Ok(read)))
    }

    fn search(
        &self,
        queries: Vec<Query>,
        k: usize,
    ) -> BoxFuture<'_, Result<Vec<Vec<Hit>>, RetrieveError>> {
        Box::pin(async move { Ok(queries.iter().map(|q| self.search_one(q, k)).collect()) })
    }

    fn passages(&self, ids: Vec<PassageId>) -> BoxFuture<'_, Result<Vec<Passage>, RetrieveError>> {
        Box::pin(async move {
            Ok(ids
                .iter()
                .filter_map(|id| self.corpus.row.get(id))
                .filter(|row| self.has(**row))
                .map(|&row| self.corpus.passages[row].clone())
                .collect())
        })
    }

    fn defining(
        &self,
        names: Vec<String>,
        k: usize,
    ) -> BoxFuture<'_, Result<Vec<Vec<NameHit>>, RetrieveError>> {
        Box::pin(async move { Ok(names.iter().map(|n| self.defining_one(n, k)).collect()) })
    }

    fn frequencies(&self, terms: Vec<String>) -> BoxFuture<'_, Result<Vec<u64>, RetrieveError>> {
        Box::pin(async move {
            Ok(terms
                .iter()
                .map(|t| {
                    let stem = indago_text::stem(t);
                    self.corpus
                        .postings
                        .get(stem.as_str())
                        .map_or(0, |l| l.len() as u64)
                })
                .collect())
        })
    }

    /// Cosine of term counts: a stand-in for an encoder.
    fn similarity(
        &self,
        query: String,
        texts: Vec<String>,
    ) -> BoxFuture<'_, Result<Vec<f32>, RetrieveError>> {
        Box::pin(async move {
            let query: BTreeSet<String> = indago_text::terms(&query).into_iter().collect();
            Ok(texts
                .iter()
                .map(|text| {
                    let text: BTreeSet<String> = indago_text::terms(text).into_iter().collect();
                    let both = query.intersection(&text).count() as f32;
                    let size = (query.len() * text.len()) as f32;
                    if size > 0.0 { both / size.sqrt() } else { 0.0 }
                })
                .collect())
        })
    }

    fn reread(&self, quote: Quote) -> BoxFuture<'_, Result<Option<String>, RetrieveError>> {
        Box::pin(async move {
            let document = quote.document.as_str();
            let text = match self.changed.get(document) {
                Some(text) => Some(text.as_str()),
                None => self
                    .corpus
                    .passages
                    .iter()
                    .find(|p| p.document == quote.document)
                    .map(|p| p.text.as_str()),
            };
            Ok(text
                .and_then(|t| t.get(quote.start as usize..quote.end as usize))
                .map(str::to_owned))
        })
    }

    fn coverage(&self) -> IndexCoverage {
        let passages = self.corpus.passages.len() as u64;
        IndexCoverage {
            passages,
            embedded: 0,
            left_out: 0,
        }
    }
}

/// Runs steps at once and keeps events; records nothing.
pub struct PlainCtx {
    pub run: RunId,
    pub events: Vec<Event>,
    pub cancelled: bool,
}

impl Default for PlainCtx {
    fn default() -> Self {
        Self {
            run: RunId::new("test"),
            events: Vec::new(),
            cancelled: false,
        }
    }
}

impl TaskCtx for PlainCtx {
    fn run(&self) -> &RunId {
        &self.run
    }

    fn step<'a>(
        &'a mut self,
        _key: StepKey,
        _retry: RetryPolicy,
        mut work: StepWork<'a>,
    ) -> BoxFuture<'a, Result<Value, TaskError>> {
        work()
    }

    fn spawn<'a>(
        &'a mut self,
        _task: &'a str,
        _key: TaskKey,
        _input: Value,
        _set: &'a mut TaskSet,
    ) -> BoxFuture<'a, Result<(), TaskError>> {
        Box::pin(async { Err(TaskError::Terminal("this context has no tasks".into())) })
    }

    fn next_done<'a>(
        &'a mut self,
        _set: &'a mut TaskSet,
    ) -> BoxFuture<'a, Option<(TaskKey, Result<Output, TaskError>)>> {
        Box::pin(async { None })
    }

    fn wait_signal<'a>(
        &'a mut self,
        _name: &'a str,
        _timeout_ms: u64,
    ) -> BoxFuture<'a, Result<Option<Value>, TaskError>> {
        Box::pin(async { Ok(None) })
    }

    fn now_ms(&mut self) -> u64 {
        0
    }

    fn seed(&self) -> u64 {
        0
    }

    fn emit(&mut self, event: Event) {
        self.events.push(event);
    }

    fn is_cancelled(&self) -> bool {
        self.cancelled
    }
}

/// Drives a future that never waits for anything outside.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
    }
}
