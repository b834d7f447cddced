//! Late interaction over token vectors: MaxSim, and four ways to its candidates.

use std::sync::Arc;

use indago_core::ports::{
    EncodeError, Encoder, Matrix, RetrieveError, Retriever, Role, TokenEncoder,
};
use indago_core::{Cancel, Hit, PassageId, Query};
use indago_kernels::scan::ScanError;

use super::dense::Dense;
use super::hits;
use crate::corpus::{Corpus, Tokens};
use crate::encoded;
use crate::multivector::Scope;

/// Bytes of a query that are encoded.
const MAX_QUERY_BYTES: usize = 8192;

/// Where the passages that are scored come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Candidates {
    /// The best by one vector a passage; by fixed dimensional encodings, which are that too, where
    /// the encoder has vectors of tokens alone.
    Dense,
    /// All.
    All,
    /// Those that share centroids with the query's tokens.
    Plaid,
    /// Those with the best fixed dimensional encodings.
    Muvera,
    /// Those of the best tokens, whose scores are all there is.
    Xtr,
}

pub(super) struct LateInteraction {
    corpus: Corpus,
    encoder: Arc<dyn Encoder>,
    /// Finds candidates by one vector a passage.
    dense: Option<Dense>,
    name: &'static str,
    candidates: Candidates,
}

impl LateInteraction {
    /// Without token vectors of this encoder in the corpus, searches say what makes them.
    pub(super) fn new(
        corpus: &Corpus,
        encoder: Option<Arc<dyn Encoder>>,
        name: &'static str,
        candidates: Candidates,
    ) -> Result<Self, RetrieveError> {
        let missing = |model: &str, reason: String| EncodeError::Model {
            model: model.to_owned(),
            reason,
        };
        let reason = format!("retriever `{name}` needs an encoder and none is configured");
        let encoder = encoder.ok_or_else(|| missing("none", reason))?;
        let Some(made_by) = encoder.tokens().map(TokenEncoder::fingerprint) else {
            let reason = format!("it gives no vectors of tokens, which `{name}` needs");
            return Err(missing(encoder.name(), reason).into());
        };
        if corpus.tokens(made_by).is_none() {
            let reason = "the corpus has no token vectors of it; `indago index --tokens` (with its \
                          `--encoder NAME`, where it is not the embedded one) makes them";
            return Err(missing(encoder.name(), reason.to_owned()).into());
        }
        let has_texts = encoder.dim() > 0;
        let dense = (candidates == Candidates::Dense && has_texts)
            .then(|| Dense::new(corpus, Some(encoder.clone()), name));
        Ok(Self {
            corpus: corpus.clone(),
            dense: dense.transpose()?,
            encoder,
            name,
            candidates,
        })
    }

    /// Numbers of passages with their scores.
    fn ranked(
        &self,
        tokens: &Tokens,
        query: &Query,
        matrix: &Matrix,
        k: usize,
        cancel: &Cancel,
    ) -> Result<Vec<(u32, f32)>, RetrieveError> {
        let allowed = self.corpus.allowed(&query.filters)?;
        let allowed = allowed.as_deref();
        let keep = |passage: u32| {
            let rows = tokens.rows.of(passage);
            match allowed {
                None => !rows.is_empty(),
                Some(allowed) => rows.iter().any(|&row| allowed.row(row)),
            }
        };
        let index = &tokens.index;
        let ranked = match (self.candidates, &self.dense) {
            (Candidates::Dense, Some(dense)) => {
                let wanted = k.saturating_mul(4).max(200);
                let found = dense.search(query, wanted, cancel)?;
                let mut passages: Vec<u32> = found
                    .iter()
                    .filter_map(|hit| tokens.passage(hit.passage))
                    .collect();
                passages.sort_unstable();
                passages.dedup();
                index.rank(matrix, &passages, k, cancel)
            }
            (Candidates::All, _) => {
                let passages: Vec<u32> = (0..index.len() as u32).filter(|&p| keep(p)).collect();
                index.rank(matrix, &passages, k, cancel)
            }
            (Candidates::Plaid, _) => index.plaid(matrix, k, Scope::plaid(k), keep, cancel),
            (Candidates::Dense, None) | (Candidates::Muvera, _) => {
                index.muvera(matrix, k, Scope::muvera(k), keep, cancel)
            }
            (Candidates::Xtr, _) => index.xtr(matrix, k, Scope::xtr(k), keep, cancel),
        };
        ranked.map_err(|error| match error {
            ScanError::Cancelled(cancelled) => cancelled.into(),
            ScanError::Shape(e) => crate::error::corrupt(&tokens.path, e.to_string()),
        })
    }
}

impl Retriever for LateInteraction {
    fn name(&self) -> &str {
        self.name
    }

    fn search(&self, query: &Query, k: usize, cancel: &Cancel) -> Result<Vec<Hit>, RetrieveError> {
        cancel.check()?;
        let text = query.text.trim();
        let encoder = self.encoder.tokens();
        let tokens = encoder.and_then(|encoder| self.corpus.tokens(encoder.fingerprint()));
        let (Some(tokens), Some(encoder)) = (tokens, encoder) else {
            return Ok(Vec::new());
        };
        if text.is_empty() || k == 0 {
            return Ok(Vec::new());
        }
        let text = &text[..text.floor_char_boundary(MAX_QUERY_BYTES)];
        let text = match &query.instruction {
            Some(instruction) => format!("{instruction} {text}"),
            None => text.to_owned(),
        };
        let matrices = encoded::encode_tokens(encoder, &[&text], Role::Query, cancel)?;
        let Some(matrix) = matrices.first().filter(|matrix| matrix.rows > 0) else {
            return Ok(Vec::new());
        };
        let allowed = self.corpus.allowed(&query.filters)?;
        let mut found: Vec<(PassageId, f32)> = Vec::new();
        for (passage, score) in self.ranked(&tokens, query, matrix, k, cancel)? {
            // Passages of equal text are one in the index.
            let rows = tokens.rows.of(passage).iter();
            let rows = rows.filter(|&&row| allowed.as_ref().is_none_or(|allowed| allowed.row(row)));
            found.extend(rows.map(|&row| (tokens.passage_id(row), score)));
        }
        found.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        found.truncate(k);
        Ok(hits(self.name, found))
    }
}
