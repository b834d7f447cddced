//! Personalized PageRank over passages and phrases, as in HippoRAG 2 (Gutierrez et al., 2025)
//! without a language model: names and titles are the phrases, sentences the facts. Of passages whose
//! names and facts were extracted ([`crate::facts`]) these are taken instead.
//!
//! Seeds are the names in the query and the phrases of the facts nearest to it by words and vectors,
//! each by its score over the passages that hold it, and every passage of the fused list by a
//! twentieth of its score; a walk that returns to them half of the time gives passages their order.
//!
//! There to be compared with [`super::Graph`]. Its graph is stored where that was asked for; else it is
//! made in memory at the first search.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

use indago_core::ports::{Encoder, Facts, RetrieveError, Retriever, Role, Triple};
use indago_core::{Cancel, Hit, Query};
use indago_kernels::dot_f32;
use indago_kernels::pagerank::Walk;
use indago_text::normalize_name;

use super::fused::{Fused, WEIGHTS};
use super::hits;
use crate::corpus::Corpus;
use crate::encoded;
use crate::graph::{PhraseGraph, QueryTerms, by_mass, phrases_of};

/// Fused passages that are seeds.
const PASSAGES: usize = 200;
/// The first passages, whose facts the query is linked to.
const READ: usize = 20;
/// Facts whose phrases are seeds, and what one counts beside a name in the query.
const FACTS: usize = 5;
const FACT_WEIGHT: f32 = 0.5;
/// Phrases that are seeds.
const PHRASES: usize = 10;
/// What a passage's score counts beside a phrase's; the optimum is flat.
const PASSAGE_WEIGHT: f32 = 0.05;

pub(super) struct Ppr {
    corpus: Corpus,
    fused: Fused,
    encoder: Option<Arc<dyn Encoder>>,
    graph: OnceLock<Known>,
}

/// The graph, and the facts that it was made with by the key of their passage's text.
struct Known {
    graph: PhraseGraph,
    facts: HashMap<[u8; 16], Facts>,
}

impl Ppr {
    pub(super) fn over(
        corpus: &Corpus,
        encoder: Option<Arc<dyn Encoder>>,
    ) -> Result<Self, RetrieveError> {
        Ok(Self {
            corpus: corpus.clone(),
            fused: Fused::over(corpus, encoder.clone())?,
            encoder,
            graph: OnceLock::new(),
        })
    }

    fn graph(&self, cancel: &Cancel) -> Result<&Known, RetrieveError> {
        if let Some(graph) = self.graph.get() {
            return Ok(graph);
        }
        let facts = self.corpus.facts()?;
        let store = self.corpus.store();
        let graph = match self.corpus.phrases() {
            Some(file) => PhraseGraph::stored(file, store)?,
            None => PhraseGraph::build(store, &facts, cancel)?,
        };
        // Two threads may have made it at once; both are the same.
        Ok(self.graph.get_or_init(|| Known { graph, facts }))
    }

    /// Phrases to start from with their scores: the query's own and those of the facts it is linked
    /// to.
    fn phrases(
        &self,
        query: &Query,
        fused: &[Hit],
        known: &Known,
        cancel: &Cancel,
    ) -> Result<Vec<(u32, f32)>, RetrieveError> {
        let graph = &known.graph;
        let mut scores: BTreeMap<u32, (f32, u32)> = BTreeMap::new();
        let mut note = |phrase: &str, score: f32| {
            if let Some((node, passages)) = graph.phrase(phrase) {
                let entry = scores.entry(node).or_default();
                entry.0 += score / passages.max(1) as f32;
                entry.1 += 1;
            }
        };
        for name in indago_text::names_in_question(&query.text) {
            note(&normalize_name(&name.text), 1.0);
        }
        let facts = self.facts(&fused[..fused.len().min(READ)], known)?;
        for (fact, score) in self.linked(&query.text, &facts, cancel)? {
            for phrase in fact.phrases() {
                note(&phrase, FACT_WEIGHT * score);
            }
        }
        let mut seeds: Vec<(u32, f32)> = scores
            .into_iter()
            .map(|(node, (sum, times))| (node, sum / times as f32))
            .collect();
        seeds.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        seeds.truncate(PHRASES);
        Ok(seeds)
    }

    /// What the passages of `hits` state: the facts that were read off them, else their sentences.
    fn facts(&self, hits: &[Hit], known: &Known) -> Result<Vec<Fact>, RetrieveError> {
        let store = self.corpus.store();
        let best = hits
            .first()
            .map_or(1.0, |hit| hit.score.max(f32::MIN_POSITIVE));
        let mut out = Vec::new();
        for hit in hits {
            let Some(passage) = self.corpus.passage(hit.passage)? else {
                continue;
            };
            let share = hit.score / best;
            let row = store.row_of(hit.passage);
            let key = row.map(|row| store.passage_row(row).embed_key);
            if let Some(facts) = key.and_then(|key| known.facts.get(&key)) {
                for Triple {
                    subject,
                    relation,
                    object,
                } in &facts.triples
                {
                    let ends = [subject, object].map(|end| PhraseGraph::normalised(end));
                    out.push(Fact {
                        told: format!("{}. {subject} {relation} {object}", passage.title),
                        ends: Some(ends.into_iter().flatten().collect()),
                        share,
                    });
                }
                continue;
            }
            for range in indago_text::sentences(&passage.text) {
                let sentence = passage.text.get(range).unwrap_or_default();
                out.push(Fact {
                    // A sentence about the passage's title need not repeat it.
                    told: format!("{}. {sentence}", passage.title),
                    ends: None,
                    share,
                });
            }
        }
        Ok(out)
    }

    /// The facts nearest to `query` with their scores, 0 to 1: by words and by vectors, weighted as
    /// in the fusion of passages, and by the passage that states them.
    fn linked<'a>(
        &self,
        query: &str,
        facts: &'a [Fact],
        cancel: &Cancel,
    ) -> Result<Vec<(&'a Fact, f32)>, RetrieveError> {
        let terms = QueryTerms::new(query, &self.corpus);
        let shares = facts.iter().map(|f| terms.share(terms.in_text(&f.told)));
        let mut scores = to_unit(shares.collect(), 0.0);
        if let Some(encoder) = self.encoder.as_deref().filter(|_| !facts.is_empty()) {
            let asked = encoded::encode(encoder, &[query], Role::Query, cancel)?;
            let told: Vec<&str> = facts.iter().map(|f| f.told.as_str()).collect();
            let told = encoded::encode(encoder, &told, Role::Passage, cancel)?;
            let cosines: Vec<f32> = (0..told.rows)
                .map(|i| dot_f32(asked.row(0), told.row(i)))
                .collect();
            let low = cosines.iter().copied().fold(f32::INFINITY, f32::min);
            let (by_words, by_vectors) = WEIGHTS;
            for (score, near) in scores.iter_mut().zip(to_unit(cosines, low)) {
                *score = by_words * *score + by_vectors * near;
            }
        }
        let weighted = |(fact, score): (&'a Fact, f32)| (fact, fact.share * score);
        let mut linked: Vec<(&Fact, f32)> = facts.iter().zip(scores).map(weighted).collect();
        linked.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.told.cmp(&b.0.told)));
        linked.truncate(FACTS);
        Ok(linked)
    }
}

/// Brings `values` from `low` and their greatest to 0 and 1.
fn to_unit(mut values: Vec<f32>, low: f32) -> Vec<f32> {
    let high = values.iter().copied().fold(low, f32::max);
    let range = (high - low).max(f32::MIN_POSITIVE);
    for value in &mut values {
        *value = (*value - low) / range;
    }
    values
}

/// A sentence, or what a language model read off a passage.
struct Fact {
    /// Its words behind the passage's title.
    told: String,
    /// Normalised phrases at its ends, where it was read off.
    ends: Option<Vec<String>>,
    /// The passage's score as a share of the best.
    share: f32,
}

impl Fact {
    fn phrases(&self) -> Vec<String> {
        self.ends.clone().unwrap_or_else(|| phrases_of(&self.told))
    }
}

impl Retriever for Ppr {
    fn name(&self) -> &'static str {
        "ppr"
    }

    fn search(&self, query: &Query, k: usize, cancel: &Cancel) -> Result<Vec<Hit>, RetrieveError> {
        let fused = self.fused.ranked(query, PASSAGES, cancel)?;
        if fused.is_empty() || k == 0 {
            return Ok(Vec::new());
        }
        let known = self.graph(cancel)?;
        let graph = &known.graph;
        let store = self.corpus.store();
        let mut seeds = self.phrases(query, &fused, known, cancel)?;
        let first = &fused[..fused.len().min(PASSAGES)];
        let (low, high) = (first[first.len() - 1].score, first[0].score);
        for hit in first {
            let share = if high > low {
                (hit.score - low) / (high - low)
            } else {
                1.0
            };
            if let Some(row) = store.row_of(hit.passage) {
                seeds.push((row, PASSAGE_WEIGHT * share));
            }
        }
        let mass = graph.walk(&seeds, Walk::default(), cancel)?;
        let mut ranked = by_mass(store, &mass);
        if let Some(allowed) = self.corpus.allowed(&query.filters)? {
            ranked.retain(|(id, _)| allowed.passage(*id));
        }
        ranked.truncate(k);
        Ok(hits(self.name(), ranked))
    }
}
