//! The undirected graph of HippoRAG without a language model: passages and the phrases they hold.
//!
//! Phrases are names found by rules, and titles. Edges: a passage and each of its phrases
//! (weight 1); phrases of one sentence, by how much more often they meet than by chance; phrases that
//! an extracted fact connects.
//!
//! It is made in memory, or stored: what was read of each text stands in the same file, so that a
//! later one reads new texts only. Both ways are one: they number phrases by their order.

mod draft;
mod file;
mod read;

use std::collections::{HashMap, HashSet};
use std::path::Path;

use indago_core::ports::{Facts, RetrieveError};
use indago_core::{Cancel, PassageId};
use indago_kernels::pagerank::{Graph, Transitions, Walk, pagerank};
use rayon::prelude::*;

use crate::error::{IndexError, corrupt};
use crate::store::Store;
use draft::Edges;
pub(crate) use file::PhraseFile;
pub(crate) use read::{Key, READING, Reading, Readings, phrases_of};

/// Texts that are read at once.
const BATCH: usize = 256;

/// The graph, ready for walks. Passages are nodes `0..n`, phrases follow.
#[derive(Debug)]
pub(crate) struct PhraseGraph {
    n_passages: usize,
    phrases: Phrases,
    transitions: Transitions,
}

/// Phrases in order, and how many passages hold each.
#[derive(Debug)]
enum Phrases {
    Here(Vec<String>, Vec<u32>),
    Mapped(PhraseFile),
}

/// A text that has not been read.
#[derive(Debug)]
pub(crate) struct Unread {
    pub(crate) key: Key,
    title: String,
    row: u32,
}

impl Unread {
    pub(crate) fn read(&self, store: &Store) -> Result<Reading, RetrieveError> {
        let text = store.passage_text(&store.passage_row(self.row))?;
        Ok(Reading::of(&self.title, text))
    }
}

/// What the passages of a store are read for. What `before` has is taken from there, and passages
/// with `facts` are taken by these; `read` is given the others in batches, and how many there are.
pub(crate) fn gather<E: From<RetrieveError>>(
    store: &Store,
    facts: &HashMap<[u8; 16], Facts>,
    before: Option<&PhraseFile>,
    cancel: &Cancel,
    mut read: impl FnMut(&[Unread], usize) -> Result<Vec<Reading>, E>,
) -> Result<Readings, E> {
    let known = before.map(PhraseFile::readings).transpose()?;
    let known = known.unwrap_or_default();
    let mut readings = Readings::default();
    let mut unread = Vec::new();
    let mut waiting = HashSet::new();
    let mut title = (u32::MAX, String::new());
    for row in 0..store.n_passages() {
        cancel.check().map_err(RetrieveError::from)?;
        let passage = store.passage_row(row);
        if title.0 != passage.document {
            title = (passage.document, store.record(passage.document)?.title);
        }
        if let Some(facts) = facts.get(&passage.embed_key) {
            readings.row_with_facts(&title.1, facts);
            continue;
        }
        let key = read::key_of(&title.1, store.passage_text(&passage)?);
        readings.row(key);
        if readings.has(&key) || waiting.contains(&key) {
            continue;
        }
        let carried = before
            .zip(known.get(&key))
            .and_then(|(file, reading)| readings.carry(key, reading, |number| file.phrase(number)));
        if carried.is_none() {
            waiting.insert(key);
            unread.push(Unread {
                key,
                title: title.1.clone(),
                row,
            });
        }
    }
    for batch in unread.chunks(BATCH) {
        cancel.check().map_err(RetrieveError::from)?;
        for (text, reading) in batch.iter().zip(read(batch, unread.len())?) {
            readings.push(text.key, &reading);
        }
    }
    readings.sort();
    Ok(readings)
}

/// Puts the graph together and writes it, with what it was made of. Gives its phrases and edges.
pub(crate) fn write(
    path: &Path,
    readings: &Readings,
    cancel: &Cancel,
) -> Result<(u64, u64), IndexError> {
    let edges = Edges::of(readings, cancel)?;
    file::write(path, readings, &edges)?;
    Ok((
        readings.phrases.len() as u64,
        edges.targets.len() as u64 / 2,
    ))
}

impl PhraseGraph {
    /// Makes it in memory. Passages whose facts were extracted are connected by these, others as
    /// rules read them.
    pub(crate) fn build(
        store: &Store,
        facts: &HashMap<[u8; 16], Facts>,
        cancel: &Cancel,
    ) -> Result<Self, RetrieveError> {
        let read = |texts: &[Unread], _| texts.par_iter().map(|text| text.read(store)).collect();
        let readings: Readings = gather(store, facts, None, cancel, read)?;
        let edges = Edges::of(&readings, cancel)?;
        let graph = Graph::new(&edges.starts, &edges.targets, &edges.weights);
        Ok(Self {
            n_passages: store.n_passages() as usize,
            transitions: Transitions::of(graph.map_err(|error| RetrieveError::Engine {
                engine: "graph of phrases",
                reason: error.to_string(),
            })?),
            phrases: Phrases::Here(readings.phrases, edges.held_by),
        })
    }

    /// The stored graph of `store`, verified: no text is read.
    pub(crate) fn stored(file: &PhraseFile, store: &Store) -> Result<Self, RetrieveError> {
        file.verify()?;
        let bad = |reason: String| corrupt(file.path(), reason);
        let (starts, targets) = (file.numbers("edges")?, file.numbers("targets")?);
        let n_passages = store.n_passages() as usize;
        if starts.len() != n_passages + file.n_phrases() + 1 {
            return Err(bad("it is the graph of other passages".to_owned()));
        }
        let graph = Graph::new(starts, targets, file.weights()?);
        Ok(Self {
            n_passages,
            transitions: Transitions::of(graph.map_err(|error| bad(error.to_string()))?),
            phrases: Phrases::Mapped(file.clone()),
        })
    }

    /// A phrase as the graph knows it; `None` where it is too short to lead anywhere.
    pub(crate) fn normalised(text: &str) -> Option<String> {
        read::phrase_of(text)
    }

    /// The node of a phrase and the number of passages that hold it.
    pub(crate) fn phrase(&self, phrase: &str) -> Option<(u32, u32)> {
        let (id, held_by) = match &self.phrases {
            Phrases::Here(phrases, held_by) => {
                let id = phrases.binary_search_by(|other| other.as_str().cmp(phrase));
                let id = id.ok()?;
                (id, *held_by.get(id)?)
            }
            Phrases::Mapped(file) => file.find(phrase)?,
        };
        Some(((self.n_passages + id) as u32, held_by))
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
