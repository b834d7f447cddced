//! Several retrievers as one.

use std::sync::Arc;

use indago_core::ports::{Encoder, RetrieveError, Retriever};
use indago_core::{Cancel, Hit, Query};

use super::{bm25::Bm25, dense::Dense};
use crate::calibrate::scale_of;
use crate::corpus::Corpus;
use crate::fuse::{FusionRule, RankedList, ScoreScale, fuse};

/// How lists are fused and how deep they go.
#[derive(Clone, Debug, PartialEq)]
pub struct FusedOptions {
    /// How lists become one.
    pub rule: FusionRule,
    /// Hits asked of each retriever, at least as many as are asked of the fusion.
    pub depth: usize,
    /// Whether near-duplicates of better hits are folded into them.
    pub collapse: bool,
}

impl Default for FusedOptions {
    fn default() -> Self {
        Self {
            rule: FusionRule::default(),
            depth: 1000,
            collapse: true,
        }
    }
}

/// Say of the lexical and the dense list. Chosen on five evaluation sets, where dense weights from
/// 0.65 to 0.8 are within 1.5 points of nDCG@10 of each other (ADR 0007).
pub(super) const WEIGHTS: (f32, f32) = (0.25, 0.75);

/// A retriever with its say in the fusion.
#[derive(Clone)]
pub struct Part {
    /// Who finds.
    pub retriever: Arc<dyn Retriever>,
    /// Its say, unless the query sets its own weights.
    pub weight: f32,
    /// What its scores mean.
    pub scale: ScoreScale,
}

impl std::fmt::Debug for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} * {}", self.weight, self.retriever.name())
    }
}

/// Depth and constant of plain rank fusion, those of the published baselines.
const RANKS: (usize, f32) = (100, 60.0);

/// A retriever of retrievers.
pub struct Fused {
    name: &'static str,
    corpus: Corpus,
    parts: Vec<Part>,
    options: FusedOptions,
}

impl std::fmt::Debug for Fused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (parts, options) = (&self.parts, &self.options);
        f.debug_struct("Fused")
            .field("parts", parts)
            .field("options", options)
            .finish_non_exhaustive()
    }
}

impl Fused {
    /// BM25 and, with an encoder, dense search.
    ///
    /// # Errors
    /// [`RetrieveError::ModelMismatch`] when the corpus has vectors of other encoders only.
    pub fn over(corpus: &Corpus, encoder: Option<Arc<dyn Encoder>>) -> Result<Self, RetrieveError> {
        let mut parts = vec![Part {
            retriever: Arc::new(Bm25::new(corpus)),
            weight: WEIGHTS.0,
            scale: ScoreScale::TERM_WEIGHTS,
        }];
        if let Some(encoder) = encoder {
            let dense = Dense::new(corpus, Some(Arc::clone(&encoder)), "dense")?;
            parts.push(Part {
                retriever: Arc::new(dense),
                weight: WEIGHTS.1,
                scale: scale_of(encoder.as_ref())?,
            });
        }
        Ok(Self::of(corpus, parts, FusedOptions::default()))
    }

    /// The same by plain ranks and equal weights: the baseline that the default has to beat.
    pub(super) fn by_ranks(
        corpus: &Corpus,
        encoder: Option<Arc<dyn Encoder>>,
    ) -> Result<Self, RetrieveError> {
        let mut fused = Self::over(corpus, encoder)?;
        fused.name = "rrf";
        fused.options.depth = RANKS.0;
        fused.options.rule = FusionRule::ReciprocalRank { k: RANKS.1 };
        fused.parts.iter_mut().for_each(|part| part.weight = 1.0);
        Ok(fused)
    }

    /// Any retrievers over one corpus.
    pub fn of(corpus: &Corpus, parts: Vec<Part>, options: FusedOptions) -> Self {
        Self {
            name: "fused",
            corpus: corpus.clone(),
            parts,
            options,
        }
    }

    /// What the scores of the retriever `name` mean; `None` without it.
    pub(super) fn scale(&self, name: &str) -> Option<ScoreScale> {
        let part = self.parts.iter().find(|part| part.retriever.name() == name);
        part.map(|part| part.scale)
    }

    /// What each retriever that has a say in `query` finds.
    ///
    /// # Errors
    /// [`RetrieveError::UnknownRetriever`] when the query names one that is not part of this.
    pub fn lists(
        &self,
        query: &Query,
        k: usize,
        cancel: &Cancel,
    ) -> Result<Vec<RankedList>, RetrieveError> {
        let depth = k.max(self.options.depth);
        let mut lists = Vec::with_capacity(self.parts.len());
        if let Some(unknown) = query.retrievers.iter().find(|r| {
            self.parts
                .iter()
                .all(|part| part.retriever.name() != r.name)
        }) {
            return Err(RetrieveError::UnknownRetriever(unknown.name.clone()));
        }
        for part in &self.parts {
            let name = part.retriever.name();
            let weight = if query.retrievers.is_empty() {
                Some(part.weight)
            } else {
                query
                    .retrievers
                    .iter()
                    .find(|r| r.name == name)
                    .map(|r| r.weight)
            };
            if let Some(weight) = weight {
                let hits = part.retriever.search(query, depth, cancel)?;
                let cut = hits.len() >= depth;
                let name = name.to_owned();
                lists.push(RankedList {
                    name,
                    weight,
                    scale: part.scale,
                    cut,
                    hits,
                });
            }
        }
        Ok(lists)
    }
}

impl Fused {
    /// Everything the lists hold, fused, near-duplicates included. A query that names one retriever
    /// gets its list as it is, with scores on that retriever's own scale.
    ///
    /// # Errors
    /// As [`Self::lists`].
    pub fn ranked(
        &self,
        query: &Query,
        k: usize,
        cancel: &Cancel,
    ) -> Result<Vec<Hit>, RetrieveError> {
        let mut lists = self.lists(query, k, cancel)?;
        match lists.pop() {
            Some(only) if query.retrievers.len() == 1 => Ok(only.hits),
            last => {
                lists.extend(last);
                Ok(fuse(&lists, &self.options.rule))
            }
        }
    }
}

impl Retriever for Fused {
    fn name(&self) -> &'static str {
        self.name
    }

    fn search(&self, query: &Query, k: usize, cancel: &Cancel) -> Result<Vec<Hit>, RetrieveError> {
        let mut hits = self.ranked(query, k, cancel)?;
        if self.options.collapse {
            // A few more than wanted, because some will fold into others.
            hits.truncate(k.saturating_mul(2).saturating_add(8));
            hits = self.corpus.collapse(hits)?;
        }
        hits.truncate(k);
        Ok(hits)
    }
}
