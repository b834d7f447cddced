//! Personalized PageRank over passages and phrases, as in HippoRAG 2 (Gutierrez et al., 2025)
//! without a language model: names and titles are the phrases, sentences the facts. Of passages whose
//! names and facts were extracted ([`crate::facts`]) these are taken instead.
//!
//! Seeds are the phrases of the query and of the sentences that share most with it, each by its
//! score over the passages that hold it, and every passage of the fused list by a twentieth of its
//! score; a walk that returns to them half of the time gives passages their order.
//!
//! There to be compared with [`super::Graph`]. Its graph is stored where that was asked for; else it is
//! made in memory at the first search.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

use indago_core::ports::{Encoder, Facts, RetrieveError, Retriever, Triple};
use indago_core::{Cancel, Hit, Query};
use indago_kernels::pagerank::Walk;
use indago_text::normalize_name;

use super::fused::Fused;
use super::hits;
use crate::corpus::Corpus;
use crate::graph::{PhraseGraph, QueryTerms, by_mass, phrases_of};

/// Fused passages that are seeds.
const PASSAGES: usize = 200;
/// The first passages, whose sentences are linked to.
const READ: usize = 20;
/// Sentences whose phrases are seeds.
const SENTENCES: usize = 5;
/// Phrases that are seeds.
const PHRASES: usize = 10;
/// What a passage's score counts beside a phrase's; the optimum is flat.
const PASSAGE_WEIGHT: f32 = 0.05;

pub(super) struct Ppr {
    corpus: Corpus,
    fused: Fused,
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
            fused: Fused::over(corpus, encoder)?,
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

    /// Phrases to start from with their scores: the query's own and those of its best sentences.
    fn phrases(
        &self,
        query: &Query,
        fused: &[Hit],
        known: &Known,
    ) -> Result<Vec<(u32, f32)>, RetrieveError> {
        let Known { graph, facts } = known;
        let store = self.corpus.store();
        let terms = QueryTerms::new(&query.text, &self.corpus);
        let best = fused
            .first()
            .map_or(1.0, |hit| hit.score.max(f32::MIN_POSITIVE));
        // Sentences and facts with what they are about.
        let mut sentences: Vec<(f32, String, Vec<String>)> = Vec::new();
        for hit in fused.iter().take(READ) {
            let Some(passage) = self.corpus.passage(hit.passage)? else {
                continue;
            };
            let row = store.row_of(hit.passage);
            let key = row.map(|row| store.passage_row(row).embed_key);
            if let Some(facts) = key.and_then(|key| facts.get(&key)) {
                for Triple {
                    subject,
                    relation,
                    object,
                } in &facts.triples
                {
                    let told = format!("{}. {subject} {relation} {object}", passage.title);
                    let share = terms.share(terms.in_text(&told));
                    let ends = [
                        PhraseGraph::normalised(subject),
                        PhraseGraph::normalised(object),
                    ];
                    let ends = ends.into_iter().flatten().collect();
                    sentences.push((share * hit.score / best, told, ends));
                }
                continue;
            }
            for range in indago_text::sentences(&passage.text) {
                let sentence = passage.text.get(range).unwrap_or_default();
                // A sentence about the passage's title need not repeat it.
                let told = format!("{}. {sentence}", passage.title);
                let share = terms.share(terms.in_text(&told));
                sentences.push((share * hit.score / best, told, Vec::new()));
            }
        }
        sentences.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
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
        for (score, sentence, ends) in sentences.iter().take(SENTENCES) {
            let phrases = if ends.is_empty() {
                phrases_of(sentence)
            } else {
                ends.clone()
            };
            for phrase in phrases {
                note(&phrase, *score);
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
        let mut seeds = self.phrases(query, &fused, known)?;
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
