//! Second stages: what a first retriever found, put in a better order.
//!
//! One port, [`Reranker`]. [`ByPairs`] makes one of any scorer of pairs (a cross-encoder, late
//! interaction by [`MaxSim`], a server's `/rerank`); [`Windows`] makes one of anything that can
//! order a few passages at once; [`ByAttention`] reads where a decoder looks;
//! [`by_language_model`] has a language model judge them in five ways.

mod attention;
mod language;
mod maxsim;
mod windows;

use std::sync::Arc;

use indago_core::ports::{Candidate, PairScorer, Reranker, RetrieveError, Retriever};
use indago_core::{Cancel, Hit, Provenance, Query};

pub use attention::ByAttention;
pub use language::{Complete, Judging, by_language_model};
pub use maxsim::MaxSim;
pub use windows::{Listwise, Windows};

use crate::corpus::Corpus;
use crate::prepare::indexed_text;

/// A scorer of pairs as a reranker.
pub struct ByPairs(Arc<dyn PairScorer>);

impl ByPairs {
    /// Orders by the scores of `scorer` alone.
    pub fn new(scorer: Arc<dyn PairScorer>) -> Self {
        Self(scorer)
    }
}

impl std::fmt::Debug for ByPairs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ByPairs({})", self.0.name())
    }
}

impl Reranker for ByPairs {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn rerank(
        &self,
        query: &str,
        candidates: &[Candidate<'_>],
        cancel: &Cancel,
    ) -> Result<Vec<f32>, RetrieveError> {
        let texts: Vec<&str> = candidates.iter().map(|candidate| candidate.text).collect();
        Ok(self.0.score(query, &texts, cancel)?)
    }
}

/// Hits that are put in a new order, unless something else is said. Deeper lists can lose quality
/// on texts a model was not trained on, and cost in proportion.
pub const DEFAULT_DEPTH: usize = 50;

/// A retriever whose best hits a reranker puts in order.
pub struct Reranked {
    corpus: Corpus,
    first: Arc<dyn Retriever>,
    reranker: Arc<dyn Reranker>,
    depth: usize,
}

impl Reranked {
    /// The first `depth` hits of `first`, in the order of `reranker`; what comes behind them stays
    /// behind them.
    pub fn new(
        corpus: &Corpus,
        first: Arc<dyn Retriever>,
        reranker: Arc<dyn Reranker>,
        depth: usize,
    ) -> Self {
        Self {
            corpus: corpus.clone(),
            first,
            reranker,
            depth,
        }
    }
}

impl std::fmt::Debug for Reranked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (first, second) = (self.first.name(), self.reranker.name());
        write!(f, "Reranked({first}, {second}, {})", self.depth)
    }
}

impl Retriever for Reranked {
    /// The first stage's.
    fn name(&self) -> &str {
        self.first.name()
    }

    fn search(&self, query: &Query, k: usize, cancel: &Cancel) -> Result<Vec<Hit>, RetrieveError> {
        let mut hits = self.first.search(query, k.max(self.depth), cancel)?;
        let tail = hits.split_off(self.depth.min(hits.len()));
        let mut texts = Vec::with_capacity(hits.len());
        for hit in &hits {
            let passage = self.corpus.passage(hit.passage)?;
            texts.push(passage.map_or_else(String::new, |p| {
                indexed_text(&p.title, &p.location.headings, &p.text)
            }));
        }
        let candidates: Vec<Candidate<'_>> = hits
            .iter()
            .zip(&texts)
            .map(|(hit, text)| Candidate { hit, text })
            .collect();
        let scores = self.reranker.rerank(&query.text, &candidates, cancel)?;
        if scores.len() != hits.len() || scores.iter().any(|score| score.is_nan()) {
            return Err(RetrieveError::Engine {
                engine: "reranker",
                reason: format!(
                    "`{}` gave {} scores for {} passages, or one that is no number",
                    self.reranker.name(),
                    scores.len(),
                    hits.len()
                ),
            });
        }
        let mut order: Vec<usize> = (0..hits.len()).collect();
        // Stable: where the reranker sees no difference the first order stays.
        order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
        let mut slots: Vec<Option<Hit>> = hits.into_iter().map(Some).collect();
        let mut ranked = Vec::with_capacity(slots.len() + tail.len());
        for (rank, i) in order.into_iter().enumerate() {
            let Some(mut hit) = slots[i].take() else {
                continue;
            };
            hit.score = scores[i];
            hit.why.push(Provenance {
                retriever: self.reranker.name().to_owned(),
                rank: rank as u32 + 1,
                score: scores[i],
            });
            ranked.push(hit);
        }
        // Scores of two stages do not compare: what was not looked at goes on below.
        let floor = ranked.last().map_or(0.0, |hit| hit.score);
        ranked.extend(tail.into_iter().enumerate().map(|(i, hit)| Hit {
            score: floor - (i + 1) as f32,
            ..hit
        }));
        ranked.truncate(k);
        Ok(ranked)
    }
}
