//! The undirected graph of HippoRAG without a language model: passages and the phrases they hold.
//!
//! Phrases are names found by rules, and titles. Edges: a passage and each of its phrases
//! (weight 1); phrases of one sentence, by how much more often they meet than by chance.

use std::collections::{BTreeMap, HashMap};

use indago_core::ports::{Facts, RetrieveError};
use indago_core::{Cancel, PassageId};
use indago_kernels::pagerank::{Graph, Transitions, Walk, pagerank};
use indago_text::normalize_name;

use crate::store::Store;

/// Share of the passages beyond which a phrase is too common to lead anywhere.
const MAX_SHARE: f32 = 0.02;
/// Phrases of few passages are never too common.
const FEW: usize = 8;
/// Phrases of a passage that are used.
const MAX_PHRASES: usize = 64;
/// Phrases of a sentence that are paired with each other.
const MAX_PAIRED: usize = 12;
/// Neighbours that a phrase keeps.
const MAX_NEIGHBOURS: usize = 20;
/// Times that two phrases meet beyond which more say nothing.
const MAX_MEETINGS: u32 = 3;

/// The graph, in memory. Passages are nodes `0..n`, phrases follow.
#[derive(Debug)]
pub(crate) struct PhraseGraph {
    n_passages: usize,
    phrases: HashMap<String, u32>,
    /// Passages that hold each phrase.
    held_by: Vec<u32>,
    transitions: Transitions,
}

/// The normalised phrases of a text, each once.
pub(crate) fn phrases_of(text: &str) -> Vec<String> {
    let mut found: Vec<String> = indago_text::names(text)
        .into_iter()
        .take(MAX_PHRASES)
        .map(|name| normalize_name(&name.text))
        .filter(|name| name.chars().count() >= 3)
        .collect();
    found.sort();
    found.dedup();
    found
}

/// One phrase, normalised; `None` where it is too short to lead anywhere.
fn phrase_of(text: &str) -> Option<String> {
    Some(normalize_name(text)).filter(|phrase| phrase.chars().count() >= 3)
}

#[derive(Default)]
struct Draft {
    ids: HashMap<String, u32>,
    /// Passages of each phrase.
    passages: Vec<Vec<u32>>,
    /// Sentences of each phrase.
    sentences: Vec<u32>,
    n_sentences: u32,
    together: HashMap<(u32, u32), u32>,
    /// How often a fact connects two phrases.
    facts: HashMap<(u32, u32), u32>,
}

impl Draft {
    fn id(&mut self, phrase: String) -> u32 {
        let next = self.passages.len() as u32;
        let id = *self.ids.entry(phrase).or_insert(next);
        if id == next {
            self.passages.push(Vec::new());
            self.sentences.push(0);
        }
        id
    }

    fn add(&mut self, row: u32, title: &str, text: &str) {
        let mut own = Vec::new();
        let title = normalize_name(title);
        if !title.is_empty() {
            own.push(self.id(title));
        }
        for range in indago_text::sentences(text) {
            let Some(sentence) = text.get(range) else {
                continue;
            };
            self.n_sentences += 1;
            let ids: Vec<u32> = phrases_of(sentence)
                .into_iter()
                .map(|p| self.id(p))
                .collect();
            for &id in &ids {
                self.sentences[id as usize] += 1;
            }
            for (i, &a) in ids.iter().take(MAX_PAIRED).enumerate() {
                for &b in ids.iter().take(MAX_PAIRED).skip(i + 1) {
                    *self.together.entry((a.min(b), a.max(b))).or_default() += 1;
                }
            }
            own.extend(ids);
        }
        own.sort_unstable();
        own.dedup();
        for id in own {
            self.passages[id as usize].push(row);
        }
    }

    /// The same of a passage whose names and facts were extracted.
    fn add_facts(&mut self, row: u32, title: &str, facts: &Facts) {
        let mut own = Vec::new();
        for phrase in std::iter::once(title).chain(facts.names.iter().map(String::as_str)) {
            if let Some(phrase) = phrase_of(phrase) {
                own.push(self.id(phrase));
            }
        }
        for triple in &facts.triples {
            let ends = (phrase_of(&triple.subject), phrase_of(&triple.object));
            let (Some(subject), Some(object)) = ends else {
                continue;
            };
            let (a, b) = (self.id(subject), self.id(object));
            own.extend([a, b]);
            if a != b {
                *self.facts.entry((a.min(b), a.max(b))).or_default() += 1;
            }
        }
        own.sort_unstable();
        own.dedup();
        for id in own {
            self.passages[id as usize].push(row);
        }
    }

    /// Weight of meeting `times` times: normalised pointwise mutual information.
    fn weight(&self, a: u32, b: u32, times: u32) -> f32 {
        let all = self.n_sentences.max(1) as f32;
        let share = |n: u32| n as f32 / all;
        let together = share(times);
        let apart = share(self.sentences[a as usize]) * share(self.sentences[b as usize]);
        let surprise = -together.ln();
        if surprise <= 0.0 || apart <= 0.0 {
            return 0.0;
        }
        times.min(MAX_MEETINGS) as f32 * ((together / apart).ln() / surprise).max(0.0)
    }
}

impl PhraseGraph {
    /// Passages whose facts were extracted are connected by these, others as rules read them.
    pub(crate) fn build(
        store: &Store,
        facts: &HashMap<[u8; 16], Facts>,
        cancel: &Cancel,
    ) -> Result<Self, RetrieveError> {
        let n_passages = store.n_passages() as usize;
        let mut draft = Draft::default();
        for row in 0..store.n_passages() {
            cancel.check()?;
            let passage = store.passage_row(row);
            let title = store.record(passage.document)?.title;
            match facts.get(&passage.embed_key) {
                Some(facts) => draft.add_facts(row, &title, facts),
                None => draft.add(row, &title, store.passage_text(&passage)?),
            }
        }
        let most = (n_passages as f32 * MAX_SHARE) as usize;
        let rare: Vec<bool> = draft
            .passages
            .iter()
            .map(|passages| passages.len() <= most.max(FEW))
            .collect();
        let mut edges: Vec<(u32, u32, f32)> = Vec::new();
        let node = |phrase: u32| n_passages as u32 + phrase;
        for (phrase, passages) in draft.passages.iter().enumerate() {
            if rare[phrase] {
                edges.extend(passages.iter().map(|row| (*row, node(phrase as u32), 1.0)));
            }
        }
        let mut neighbours: BTreeMap<u32, Vec<(f32, u32)>> = BTreeMap::new();
        for (&(a, b), &times) in &draft.together {
            let weight = draft.weight(a, b, times);
            if rare[a as usize] && rare[b as usize] && weight > 0.0 {
                neighbours.entry(a).or_default().push((weight, b));
                neighbours.entry(b).or_default().push((weight, a));
            }
        }
        let mut kept: BTreeMap<(u32, u32), f32> = BTreeMap::new();
        for (&(a, b), &times) in &draft.facts {
            if rare[a as usize] && rare[b as usize] {
                let weight = times.min(MAX_MEETINGS) as f32;
                neighbours.entry(a).or_default().push((weight, b));
                neighbours.entry(b).or_default().push((weight, a));
            }
        }
        for (a, mut others) in neighbours {
            others.sort_by(|x, y| y.0.total_cmp(&x.0).then(x.1.cmp(&y.1)));
            for (weight, b) in others.into_iter().take(MAX_NEIGHBOURS) {
                // Two that meet in a sentence and in a fact count by the stronger.
                let edge = kept.entry((a.min(b), a.max(b))).or_default();
                *edge = edge.max(weight);
            }
        }
        edges.extend(kept.into_iter().map(|((a, b), w)| (node(a), node(b), w)));
        let held_by = draft
            .passages
            .iter()
            .map(|passages| passages.len() as u32)
            .collect();
        Ok(Self {
            n_passages,
            transitions: transitions(n_passages + draft.passages.len(), &edges)?,
            phrases: draft.ids,
            held_by,
        })
    }

    /// A phrase as the graph knows it; `None` where it is too short to lead anywhere.
    pub(crate) fn normalised(text: &str) -> Option<String> {
        phrase_of(text)
    }

    /// The node of a phrase and the number of passages that hold it.
    pub(crate) fn phrase(&self, phrase: &str) -> Option<(u32, u32)> {
        let id = *self.phrases.get(phrase)?;
        Some((self.n_passages as u32 + id, self.held_by[id as usize]))
    }

    /// Mass of every passage, by row, of a walk from `seeds`.
    pub(crate) fn walk(
        &self,
        seeds: &[(u32, f32)],
        walk: Walk,
        cancel: &Cancel,
    ) -> Result<Vec<f32>, RetrieveError> {
        let mut mass = pagerank(&self.transitions, seeds, walk, cancel)?;
        mass.truncate(self.n_passages);
        Ok(mass)
    }
}

/// Both directions of each edge, made ready for walks.
fn transitions(nodes: usize, edges: &[(u32, u32, f32)]) -> Result<Transitions, RetrieveError> {
    let mut both: Vec<(u32, u32, f32)> = Vec::with_capacity(2 * edges.len());
    for &(a, b, weight) in edges {
        both.push((a, b, weight));
        both.push((b, a, weight));
    }
    both.sort_by_key(|edge| (edge.0, edge.1));
    let mut starts = vec![0_u32; nodes + 1];
    for (a, _, _) in &both {
        starts[*a as usize + 1] += 1;
    }
    for i in 0..nodes {
        starts[i + 1] += starts[i];
    }
    let targets: Vec<u32> = both.iter().map(|edge| edge.1).collect();
    let weights: Vec<f32> = both.iter().map(|edge| edge.2).collect();
    let graph = Graph::new(&starts, &targets, &weights);
    let graph = graph.map_err(|error| RetrieveError::Engine {
        engine: "graph of phrases",
        reason: error.to_string(),
    })?;
    Ok(Transitions::of(graph))
}

/// Rows of passages as ids, the most mass first, ties by id.
pub(crate) fn by_mass(store: &Store, mass: &[f32]) -> Vec<(PassageId, f32)> {
    let mut ranked: Vec<(PassageId, f32)> = mass
        .iter()
        .enumerate()
        .filter(|(_, mass)| **mass > 0.0)
        .map(|(row, mass)| (store.passage_id(row as u32), *mass))
        .collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    ranked
}
