//! Retrievers by name. A new one is one file here and one line in `REGISTRY`.

mod bm25;
mod dense;
mod exact;
mod fused;
mod graph;
mod multivector;
mod ppr;
mod sparse;

use std::sync::Arc;

use indago_core::ports::{Encoder, RetrieveError, Retriever, SparseEncoder};
use indago_core::{Hit, PassageId, Provenance};

pub(crate) use exact::occurrences;
pub use fused::{Fused, FusedOptions};
pub use graph::Graph;

use crate::corpus::Corpus;
use multivector::{Candidates, LateInteraction};

/// Makes a retriever over a corpus; the encoder turns queries into vectors where one is needed.
type Make = fn(&Corpus, Option<Arc<dyn Encoder>>) -> Result<Arc<dyn Retriever>, RetrieveError>;

/// Every retriever.
const REGISTRY: &[(&str, Make)] = &[
    ("ann", |corpus, encoder| {
        Ok(Arc::new(dense::Dense::approximate(corpus, encoder, "ann")?))
    }),
    ("bm25", |corpus, _| Ok(Arc::new(bm25::Bm25::new(corpus)))),
    ("dense", |corpus, encoder| {
        Ok(Arc::new(dense::Dense::new(corpus, encoder, "dense")?))
    }),
    ("exact", |corpus, _| Ok(Arc::new(exact::Exact::new(corpus)))),
    ("fused", |corpus, encoder| {
        Ok(Arc::new(Fused::over(corpus, encoder)?))
    }),
    ("maxsim", |corpus, encoder| {
        late(corpus, encoder, "maxsim", Candidates::Dense)
    }),
    ("maxsim-all", |corpus, encoder| {
        late(corpus, encoder, "maxsim-all", Candidates::All)
    }),
    ("muvera", |corpus, encoder| {
        late(corpus, encoder, "muvera", Candidates::Muvera)
    }),
    ("plaid", |corpus, encoder| {
        late(corpus, encoder, "plaid", Candidates::Plaid)
    }),
    ("xtr", |corpus, encoder| {
        late(corpus, encoder, "xtr", Candidates::Xtr)
    }),
    ("graph", |corpus, encoder| {
        Ok(Arc::new(Graph::over(corpus, encoder)?))
    }),
    ("ppr", |corpus, encoder| {
        Ok(Arc::new(ppr::Ppr::over(corpus, encoder)?))
    }),
    ("rrf", |corpus, encoder| {
        Ok(Arc::new(Fused::by_ranks(corpus, encoder)?))
    }),
    ("sparse", |corpus, _| sparse(corpus, None)),
];

/// Sparse search by an encoder's vectors, or by BM25's weights.
pub(crate) fn sparse(
    corpus: &Corpus,
    encoder: Option<Arc<dyn SparseEncoder>>,
) -> Result<Arc<dyn Retriever>, RetrieveError> {
    Ok(Arc::new(sparse::Sparse::new(corpus, encoder)?))
}

/// Late interaction with one kind of candidates.
fn late(
    corpus: &Corpus,
    encoder: Option<Arc<dyn Encoder>>,
    name: &'static str,
    candidates: Candidates,
) -> Result<Arc<dyn Retriever>, RetrieveError> {
    Ok(Arc::new(LateInteraction::new(
        corpus, encoder, name, candidates,
    )?))
}

/// The registered names.
pub fn names() -> impl Iterator<Item = &'static str> {
    REGISTRY.iter().map(|(name, _)| *name)
}

pub(crate) fn make(
    corpus: &Corpus,
    name: &str,
    encoder: Option<Arc<dyn Encoder>>,
) -> Result<Arc<dyn Retriever>, RetrieveError> {
    let entry = REGISTRY.iter().find(|(registered, _)| *registered == name);
    let (_, make) = entry.ok_or_else(|| RetrieveError::UnknownRetriever(name.to_owned()))?;
    make(corpus, encoder)
}

/// One retriever's ranking as hits.
fn hits(retriever: &str, ranked: Vec<(PassageId, f32)>) -> Vec<Hit> {
    let hit = |(i, (passage, score)): (usize, (PassageId, f32))| Hit {
        passage,
        score,
        why: vec![Provenance {
            retriever: retriever.to_owned(),
            rank: i as u32 + 1,
            score,
        }],
        duplicates: Vec::new(),
    };
    ranked.into_iter().enumerate().map(hit).collect()
}
