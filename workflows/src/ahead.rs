//! Unpaid work that is done before it is needed, while paid calls are under way.
//!
//! Ahead of a node's start its search is rehearsed: it runs over the corpus with a context that
//! records nothing and can pay for nothing, and what it asks of the library is kept. When the node
//! starts, its search finds those answers there. The library is a function of its arguments, so
//! results with and without this are the same; only the waiting differs. (The idea is that of
//! RaLMSpec, Zhang et al. 2024, on the level of searches.)

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indago_core::ports::{
    BoxFuture, Library, NameHit, Output, RetrieveError, RetryPolicy, SpanScores, StepKey, StepWork,
    TaskCtx, TaskError, TaskKey, TaskSet,
};
use indago_core::{
    Cancel, ContentHash, Event, Hit, IndexCoverage, NodeId, Passage, PassageId, Query, Quote, RunId,
};
use serde::Serialize;
use serde_json::Value;

/// Answers kept for one run; more are not kept.
const MOST_KEPT: usize = 1_024;

/// Answers that were asked for ahead, by run. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Ahead(Arc<Mutex<HashMap<RunId, Kept>>>);

#[derive(Debug, Default)]
struct Kept {
    answers: HashMap<ContentHash, Answer>,
    nodes: HashMap<NodeId, Rehearsed>,
}

#[derive(Debug, Default)]
struct Rehearsed {
    cancel: Cancel,
    calls: HashSet<ContentHash>,
    used: HashSet<ContentHash>,
}

#[derive(Clone, Debug)]
enum Answer {
    Hits(Vec<Vec<Hit>>),
    Passages(Vec<Passage>),
    Names(Vec<Vec<NameHit>>),
    Counts(Vec<u64>),
    Scores(Vec<f32>),
    Spans(Vec<(PassageId, SpanScores)>),
    Text(Option<String>),
}

impl Ahead {
    /// Begins a rehearsal; setting the flag ends it.
    pub(crate) fn begin(&self, run: &RunId, node: NodeId) -> Cancel {
        let mut runs = self.runs();
        let rehearsed = runs.entry(run.clone()).or_default().nodes.entry(node);
        rehearsed.or_default().cancel.clone()
    }

    /// Ends the rehearsal of a node that starts: from now on its own search asks.
    pub(crate) fn end(&self, run: &RunId, node: NodeId) {
        if let Some(rehearsed) = self.runs().get(run).and_then(|kept| kept.nodes.get(&node)) {
            rehearsed.cancel.cancel();
        }
    }

    /// Calls made ahead for a node, and how many of their answers its search used.
    pub(crate) fn counts(&self, run: &RunId, node: NodeId) -> (u32, u32) {
        let runs = self.runs();
        let rehearsed = runs.get(run).and_then(|kept| kept.nodes.get(&node));
        rehearsed.map_or((0, 0), |r| (r.calls.len() as u32, r.used.len() as u32))
    }

    /// Forgets a run that has ended.
    pub(crate) fn forget(&self, run: &RunId) {
        if let Some(kept) = self.runs().remove(run) {
            for rehearsed in kept.nodes.values() {
                rehearsed.cancel.cancel();
            }
        }
    }

    fn has(&self, run: &RunId) -> bool {
        self.runs().contains_key(run)
    }

    fn keep(&self, run: &RunId, node: NodeId, key: ContentHash, answer: Answer) {
        if let Some(kept) = self.runs().get_mut(run)
            && kept.answers.len() < MOST_KEPT
        {
            kept.answers.insert(key, answer);
            if let Some(rehearsed) = kept.nodes.get_mut(&node) {
                rehearsed.calls.insert(key);
            }
        }
    }

    fn take(&self, run: &RunId, node: NodeId, key: ContentHash) -> Option<Answer> {
        let mut runs = self.runs();
        let kept = runs.get_mut(run)?;
        let answer = kept.answers.get(&key)?.clone();
        if let Some(rehearsed) = kept.nodes.get_mut(&node)
            && rehearsed.calls.contains(&key)
        {
            rehearsed.used.insert(key);
        }
        Some(answer)
    }

    fn runs(&self) -> MutexGuard<'_, HashMap<RunId, Kept>> {
        // A map of finished answers is sound whatever panicked beside it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A library that knows some answers already.
pub(crate) struct KnowingLibrary {
    inner: Arc<dyn Library>,
    ahead: Ahead,
    run: RunId,
    node: NodeId,
    /// Whether it keeps what it asks, as a rehearsal does, or uses what is kept.
    keeps: bool,
    /// Where what is only expected is looked for, after everything that is needed now.
    expecting: Option<Arc<dyn Library>>,
}

impl KnowingLibrary {
    /// For a rehearsal when `keeps`, else for the search itself.
    pub(crate) fn new(
        inner: Arc<dyn Library>,
        ahead: &Ahead,
        run: &RunId,
        node: NodeId,
        keeps: bool,
    ) -> Self {
        Self {
            inner,
            ahead: ahead.clone(),
            run: run.clone(),
            node,
            keeps,
            expecting: None,
        }
    }

    /// Looks for what is expected in `library`, and keeps it until it is asked for.
    pub(crate) fn expecting_from(mut self, library: Arc<dyn Library>) -> Self {
        self.expecting = Some(library);
        self
    }

    async fn ask<T: Clone>(
        &self,
        call: (&str, impl Serialize),
        wrap: fn(T) -> Answer,
        unwrap: fn(Answer) -> Option<T>,
        asked: BoxFuture<'_, Result<T, RetrieveError>>,
    ) -> Result<T, RetrieveError> {
        // Most runs do nothing ahead: they should not pay for a key.
        if !self.keeps && !self.ahead.has(&self.run) {
            return asked.await;
        }
        let key = ContentHash::of(&serde_json::to_vec(&call).unwrap_or_default());
        let known = self.ahead.take(&self.run, self.node, key);
        if let Some(answer) = known.and_then(unwrap) {
            return Ok(answer);
        }
        let answer = asked.await?;
        if self.keeps {
            self.ahead
                .keep(&self.run, self.node, key, wrap(answer.clone()));
        }
        Ok(answer)
    }
}

/// One method of the library through [`KnowingLibrary::ask`].
macro_rules! ask {
    ($self:ident, $kind:ident, $method:ident ( $($argument:ident),* )) => {{
        let call = (stringify!($method), ($($argument.clone()),*));
        let asked = Box::pin(async move { $self.inner.$method($($argument),*).await });
        Box::pin(async move {
            let unwrap = |answer| match answer {
                Answer::$kind(value) => Some(value),
                _ => None,
            };
            $self.ask(call, Answer::$kind, unwrap, asked).await
        })
    }};
}

impl Library for KnowingLibrary {
    fn search(
        &self,
        queries: Vec<Query>,
        k: usize,
    ) -> BoxFuture<'_, Result<Vec<Vec<Hit>>, RetrieveError>> {
        ask!(self, Hits, search(queries, k))
    }

    fn passages(&self, ids: Vec<PassageId>) -> BoxFuture<'_, Result<Vec<Passage>, RetrieveError>> {
        ask!(self, Passages, passages(ids))
    }

    fn defining(
        &self,
        names: Vec<String>,
        k: usize,
    ) -> BoxFuture<'_, Result<Vec<Vec<NameHit>>, RetrieveError>> {
        ask!(self, Names, defining(names, k))
    }

    fn frequencies(&self, terms: Vec<String>) -> BoxFuture<'_, Result<Vec<u64>, RetrieveError>> {
        ask!(self, Counts, frequencies(terms))
    }

    fn similarity(
        &self,
        query: String,
        texts: Vec<String>,
    ) -> BoxFuture<'_, Result<Vec<f32>, RetrieveError>> {
        ask!(self, Scores, similarity(query, texts))
    }

    fn read_spans(
        &self,
        question: String,
        passages: Vec<PassageId>,
    ) -> BoxFuture<'_, Result<Vec<(PassageId, SpanScores)>, RetrieveError>> {
        ask!(self, Spans, read_spans(question, passages))
    }

    fn reread(&self, quote: Quote) -> BoxFuture<'_, Result<Option<String>, RetrieveError>> {
        ask!(self, Text, reread(quote))
    }

    fn coverage(&self) -> IndexCoverage {
        self.inner.coverage()
    }

    fn expect(&self, queries: Vec<Query>, k: usize) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let Some(library) = &self.expecting else {
                return;
            };
            self.ahead.begin(&self.run, self.node);
            let keeping = Self {
                inner: Arc::clone(library),
                ahead: self.ahead.clone(),
                run: self.run.clone(),
                node: self.node,
                keeps: true,
                expecting: None,
            };
            // One that fails is asked again by whoever needs it, and fails there.
            let _kept = keeping.search(queries, k).await;
        })
    }
}

/// A context that records nothing: for work whose result is thrown away.
pub(crate) struct Rehearsal {
    run: RunId,
    seed: u64,
    now_ms: u64,
    cancel: Cancel,
}

impl Rehearsal {
    pub(crate) fn new(run: RunId, seed: u64, now_ms: u64, cancel: Cancel) -> Self {
        Self {
            run,
            seed,
            now_ms,
            cancel,
        }
    }
}

fn not_ahead(what: &str) -> TaskError {
    TaskError::Terminal(format!("{what} is not done ahead"))
}

impl TaskCtx for Rehearsal {
    fn run(&self) -> &RunId {
        &self.run
    }

    fn step<'a>(
        &'a mut self,
        _key: StepKey,
        _retry: RetryPolicy,
        mut work: StepWork<'a>,
    ) -> BoxFuture<'a, Result<Value, TaskError>> {
        Box::pin(async move {
            self.cancel.check()?;
            work().await
        })
    }

    fn spawn<'a>(
        &'a mut self,
        _task: &'a str,
        _key: TaskKey,
        _input: Value,
        _set: &'a mut TaskSet,
    ) -> BoxFuture<'a, Result<(), TaskError>> {
        Box::pin(async { Err(not_ahead("a child task")) })
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
        Box::pin(async { Err(not_ahead("waiting")) })
    }

    fn now_ms(&mut self) -> u64 {
        self.now_ms
    }

    fn seed(&self) -> u64 {
        self.seed
    }

    fn emit(&mut self, _event: Event) {}

    fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }
}
