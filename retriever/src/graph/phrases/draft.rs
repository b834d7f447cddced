//! Putting the graph together from what was read of each passage.

use std::collections::{BTreeMap, HashMap};

use indago_core::Cancel;
use indago_core::ports::RetrieveError;

use super::read::{Readings, Source};

/// Share of the passages beyond which a phrase is too common to lead anywhere.
const MAX_SHARE: f32 = 0.02;
/// Phrases of few passages are never too common.
const FEW: usize = 8;
/// Phrases of a sentence that are paired with each other.
const MAX_PAIRED: usize = 12;
/// Neighbours that a phrase keeps.
const MAX_NEIGHBOURS: usize = 20;
/// Times that two phrases meet beyond which more say nothing.
const MAX_MEETINGS: u32 = 3;

/// Edges from each node: passages are nodes `0..n`, phrases follow.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Edges {
    /// Passages that hold each phrase.
    pub(super) held_by: Vec<u32>,
    pub(super) starts: Vec<u32>,
    pub(super) targets: Vec<u32>,
    pub(super) weights: Vec<f32>,
}

#[derive(Default)]
struct Counts {
    /// Passages of each phrase.
    passages: Vec<Vec<u32>>,
    /// Sentences of each phrase.
    sentences: Vec<u32>,
    n_sentences: u32,
    together: HashMap<(u32, u32), u32>,
    /// How often a fact connects two phrases.
    facts: HashMap<(u32, u32), u32>,
}

impl Counts {
    fn of(readings: &Readings, cancel: &Cancel) -> Result<Self, RetrieveError> {
        let n = readings.phrases.len();
        let mut counts = Self {
            passages: vec![Vec::new(); n],
            sentences: vec![0; n],
            ..Self::default()
        };
        for (row, source) in readings.rows.iter().enumerate() {
            cancel.check()?;
            let mut own = Vec::new();
            match source {
                Source::Rules(key) => {
                    let reading = readings.reading(key);
                    // A stored reading may say anything.
                    counts.n_sentences = counts.n_sentences.saturating_add(reading.n_sentences());
                    own.extend(reading.title());
                    for phrases in reading.sentences() {
                        counts.meet(phrases);
                        own.extend(phrases);
                    }
                }
                Source::Facts(phrases, pairs) => {
                    own.extend(phrases);
                    for &(a, b) in pairs {
                        *counts.facts.entry((a.min(b), a.max(b))).or_default() += 1;
                    }
                }
            }
            own.sort_unstable();
            own.dedup();
            for phrase in own {
                counts.passages[phrase as usize].push(row as u32);
            }
        }
        Ok(counts)
    }

    fn meet(&mut self, phrases: &[u32]) {
        for phrase in phrases {
            self.sentences[*phrase as usize] += 1;
        }
        let paired = &phrases[..phrases.len().min(MAX_PAIRED)];
        for (i, &a) in paired.iter().enumerate() {
            for &b in &paired[i + 1..] {
                *self.together.entry((a.min(b), a.max(b))).or_default() += 1;
            }
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

impl Edges {
    /// The graph of what was read, whose phrases are in order.
    pub(super) fn of(readings: &Readings, cancel: &Cancel) -> Result<Self, RetrieveError> {
        let counts = Counts::of(readings, cancel)?;
        let n_passages = readings.rows.len();
        let most = (n_passages as f32 * MAX_SHARE) as usize;
        let is_rare = |passages: &Vec<u32>| passages.len() <= most.max(FEW);
        let rare: Vec<bool> = counts.passages.iter().map(is_rare).collect();
        let node = |phrase: u32| n_passages as u32 + phrase;
        let mut edges: Vec<(u32, u32, f32)> = Vec::new();
        for (phrase, passages) in counts.passages.iter().enumerate() {
            if rare[phrase] {
                edges.extend(passages.iter().map(|row| (*row, node(phrase as u32), 1.0)));
            }
        }
        let mut neighbours: BTreeMap<u32, Vec<(f32, u32)>> = BTreeMap::new();
        let mut meet = |a: u32, b: u32, weight: f32| {
            if rare[a as usize] && rare[b as usize] && weight > 0.0 {
                neighbours.entry(a).or_default().push((weight, b));
                neighbours.entry(b).or_default().push((weight, a));
            }
        };
        for (&(a, b), &times) in &counts.together {
            meet(a, b, counts.weight(a, b, times));
        }
        for (&(a, b), &times) in &counts.facts {
            meet(a, b, times.min(MAX_MEETINGS) as f32);
        }
        let mut kept: BTreeMap<(u32, u32), f32> = BTreeMap::new();
        for (a, mut others) in neighbours {
            cancel.check()?;
            others.sort_by(|x, y| y.0.total_cmp(&x.0).then(x.1.cmp(&y.1)));
            for (weight, b) in others.into_iter().take(MAX_NEIGHBOURS) {
                // Two that meet in a sentence and in a fact count by the stronger.
                let edge = kept.entry((a.min(b), a.max(b))).or_default();
                *edge = edge.max(weight);
            }
        }
        edges.extend(kept.into_iter().map(|((a, b), w)| (node(a), node(b), w)));
        let held_by = counts.passages.iter().map(|passages| passages.len() as u32);
        Ok(Self::both_ways(
            n_passages + counts.passages.len(),
            &edges,
            held_by.collect(),
        ))
    }

    /// Both directions of each edge, by where they begin.
    fn both_ways(nodes: usize, edges: &[(u32, u32, f32)], held_by: Vec<u32>) -> Self {
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
        Self {
            held_by,
            starts,
            targets: both.iter().map(|edge| edge.1).collect(),
            weights: both.iter().map(|edge| edge.2).collect(),
        }
    }
}
