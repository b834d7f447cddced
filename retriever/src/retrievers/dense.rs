//! Semantic search over the passages' vectors, by the cosine with the query's: an exact scan, or a
//! walk over a graph of neighbours where the corpus has one.

use std::sync::Arc;

use indago_core::ports::{EncodeError, Encoder, RetrieveError, Retriever, Role};
use indago_core::{Cancel, Hit, Query};

use super::hits;
use crate::corpus::Corpus;
use crate::encoded;

/// Bytes of a query that are encoded. Encoders cut at some 256 word pieces; this bounds what a
/// query of any length can cost before that.
const MAX_QUERY_BYTES: usize = 8192;

/// Imagined passages that are encoded with a query.
const MAX_IMAGINED: usize = 16;

pub(super) struct Dense {
    corpus: Corpus,
    encoder: Arc<dyn Encoder>,
    name: &'static str,
    approximate: bool,
}

impl Dense {
    /// Over the graph of neighbours; where the corpus has none, or filters are set, exactly.
    pub(super) fn approximate(
        corpus: &Corpus,
        encoder: Option<Arc<dyn Encoder>>,
        name: &'static str,
    ) -> Result<Self, RetrieveError> {
        let exact = Self::new(corpus, encoder, name)?;
        Ok(Self {
            approximate: true,
            ..exact
        })
    }

    /// Without vectors of this encoder in the corpus, searches find nothing.
    pub(super) fn new(
        corpus: &Corpus,
        encoder: Option<Arc<dyn Encoder>>,
        name: &'static str,
    ) -> Result<Self, RetrieveError> {
        let encoder = encoder.ok_or_else(|| EncodeError::Model {
            model: "none".to_owned(),
            reason: format!("retriever `{name}` needs an encoder and none is configured"),
        })?;
        encoded::check_texts(encoder.as_ref(), &format!("`{name}`"))?;
        corpus.check_model(encoder.as_ref())?;
        Ok(Self {
            corpus: corpus.clone(),
            encoder,
            name,
            approximate: false,
        })
    }
}

impl Dense {
    /// The mean of a query's vector and those of passages imagined for it, at length 1 (HyDE; Gao
    /// et al., 2022).
    fn with_imagined(
        &self,
        query: &[f32],
        imagined: &[String],
        cancel: &Cancel,
    ) -> Result<Vec<f32>, RetrieveError> {
        let mut sum = query.to_vec();
        let texts: Vec<&str> = imagined
            .iter()
            .take(MAX_IMAGINED)
            .map(|t| &t[..t.floor_char_boundary(MAX_QUERY_BYTES)])
            .collect();
        if texts.is_empty() {
            return Ok(sum);
        }
        let vectors = encoded::encode(&*self.encoder, &texts, Role::Passage, cancel)?;
        for i in 0..texts.len() {
            for (a, x) in sum.iter_mut().zip(vectors.row(i)) {
                *a += x;
            }
        }
        let length = sum.iter().map(|x| x * x).sum::<f32>().sqrt();
        if length > 0.0 {
            for x in &mut sum {
                *x /= length;
            }
        }
        Ok(sum)
    }
}

impl Retriever for Dense {
    fn name(&self) -> &str {
        self.name
    }

    fn search(&self, query: &Query, k: usize, cancel: &Cancel) -> Result<Vec<Hit>, RetrieveError> {
        cancel.check()?;
        let Some(vectors) = self.corpus.vectors(self.encoder.fingerprint()) else {
            return Ok(Vec::new());
        };
        let text = query.text.trim();
        if text.is_empty() || k == 0 {
            return Ok(Vec::new());
        }
        let allowed = self.corpus.allowed(&query.filters)?;
        let text = &text[..text.floor_char_boundary(MAX_QUERY_BYTES)];
        let text = match &query.instruction {
            Some(instruction) => format!("{instruction} {text}"),
            None => text.to_owned(),
        };
        let vector = encoded::encode(&*self.encoder, &[&text], Role::Query, cancel)?;
        let mean = self.with_imagined(vector.row(0), &query.imagined, cancel)?;
        let allowed = allowed.as_deref();
        let ranked = if self.approximate {
            vectors.search_near(&mean, k, allowed, cancel)?
        } else {
            vectors.search(&mean, k, allowed, cancel)?
        };
        Ok(hits(self.name, ranked))
    }
}
