//! Sparse search through pruned lists, by an encoder's vectors or by BM25's weights.

use std::sync::Arc;

use indago_core::ports::{
    CorpusStats as _, RetrieveError, Retriever, Role, SparseEncoder, SparseVector,
};
use indago_core::{Cancel, Hit, PassageId, Query};

use super::hits;
use crate::corpus::Corpus;
use crate::encoded::encode_sparse;
use crate::sparse::{Effort, IMPACTS, SparseFile, SparseIndex};

/// Bytes of a query that are read.
const MAX_QUERY_BYTES: usize = 8192;

pub(super) struct Sparse {
    corpus: Corpus,
    index: Arc<SparseIndex>,
    encoder: Option<Arc<dyn SparseEncoder>>,
}

impl Sparse {
    pub(super) fn new(
        corpus: &Corpus,
        encoder: Option<Arc<dyn SparseEncoder>>,
    ) -> Result<Self, RetrieveError> {
        let wanted = encoder
            .as_ref()
            .map_or(IMPACTS, |encoder| encoder.fingerprint());
        let index = corpus.sparse_index(wanted).ok_or_else(|| {
            let name = encoder.as_ref().map_or("bm25", |encoder| encoder.name());
            RetrieveError::Engine {
                engine: "sparse search",
                reason: format!(
                    "the corpus has no sparse index by `{name}`: \
                     `indago index --sparse {name}` makes it"
                ),
            }
        })?;
        Ok(Self {
            corpus: corpus.clone(),
            index,
            encoder,
        })
    }

    /// The words of a query with how often they occur and their idf.
    fn words(&self, text: &str) -> Result<Vec<(String, f32)>, RetrieveError> {
        let n = self.corpus.n_passages() as f64;
        let times = indago_text::query_terms(self.corpus.lexical().languages(), text);
        let mut words = Vec::with_capacity(times.len());
        for (word, times) in times {
            let having = self.corpus.lexical().document_frequency(&word)? as f64;
            let idf = ((n - having + 0.5) / (having + 0.5)).ln_1p() as f32;
            words.push((word, idf * times as f32));
        }
        Ok(words)
    }
}

/// A query's words as terms of a file.
fn terms(file: &SparseFile, words: &[(String, f32)]) -> SparseVector {
    let known = words.iter();
    let mut vector: SparseVector = known
        .filter_map(|(word, weight)| Some((file.word(word)?, *weight)))
        .collect();
    vector.sort_unstable_by_key(|(term, _)| *term);
    vector
}

impl Retriever for Sparse {
    fn name(&self) -> &'static str {
        "sparse"
    }

    fn search(&self, query: &Query, k: usize, cancel: &Cancel) -> Result<Vec<Hit>, RetrieveError> {
        cancel.check()?;
        let text = &query.text[..query.text.floor_char_boundary(MAX_QUERY_BYTES)];
        let (mut encoded, mut words) = (SparseVector::new(), Vec::new());
        match &self.encoder {
            Some(encoder) => {
                let vectors = encode_sparse(encoder.as_ref(), &[text], Role::Query, cancel)?;
                encoded = vectors.into_iter().next().unwrap_or_default();
            }
            None => words = self.words(text)?,
        }
        let allowed = self.corpus.allowed(&query.filters)?;
        let store = self.corpus.store();
        let may = |row: u32| {
            allowed
                .as_ref()
                .is_none_or(|allowed| allowed.passage(store.passage_id(row)))
        };
        let mut ranked: Vec<(PassageId, f32)> = Vec::new();
        for (file, rows) in &self.index.parts {
            let vector = match &self.encoder {
                Some(_) => encoded.clone(),
                None => terms(file, &words),
            };
            // A text that is gone from the corpus has no rows.
            let keep = |text: u32| rows.of(text).iter().any(|row| may(*row));
            let found = file.search(&vector, k, Effort::default(), keep, cancel)?;
            for (text, score) in found {
                let rows = rows.of(text).iter().filter(|row| may(**row));
                ranked.extend(rows.map(|row| (store.passage_id(*row), score)));
            }
        }
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        ranked.truncate(k);
        Ok(hits(self.name(), ranked))
    }
}
