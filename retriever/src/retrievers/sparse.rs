//! Sparse search through pruned lists of blocks, by an encoder's vectors or by BM25's weights.

use std::collections::BTreeMap;
use std::sync::Arc;

use indago_core::ports::{
    CorpusStats as _, RetrieveError, Retriever, Role, SparseEncoder, SparseVector,
};
use indago_core::{Cancel, Hit, PassageId, Query};

use super::hits;
use crate::corpus::Corpus;
use crate::sparse::{Effort, IMPACTS, SparseFile};

/// Bytes of a query that are read.
const MAX_QUERY_BYTES: usize = 8192;

pub(super) struct Sparse {
    corpus: Corpus,
    file: Arc<SparseFile>,
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
        let file = corpus.sparse_file(wanted).ok_or_else(|| {
            let name = encoder.as_ref().map_or("bm25", |encoder| encoder.name());
            RetrieveError::Engine {
                engine: "sparse search",
                reason: format!(
                    "the corpus as it is has no sparse index by `{name}`: \
                     `indago index --sparse {name}` makes it"
                ),
            }
        })?;
        Ok(Self {
            corpus: corpus.clone(),
            file,
            encoder,
        })
    }

    fn vector(&self, text: &str, cancel: &Cancel) -> Result<SparseVector, RetrieveError> {
        if let Some(encoder) = &self.encoder {
            let vectors = encoder.encode(&[text], Role::Query, cancel)?;
            return Ok(vectors.into_iter().next().unwrap_or_default());
        }
        let n = self.corpus.n_passages() as f64;
        let mut times: BTreeMap<String, u32> = BTreeMap::new();
        indago_text::for_each_term(text, |term, _| {
            *times.entry(term.to_owned()).or_default() += 1;
        });
        let mut vector = SparseVector::new();
        for (word, times) in times {
            if let Some(term) = self.file.word(&word) {
                let having = self.corpus.lexical().document_frequency(&word)? as f64;
                let idf = ((n - having + 0.5) / (having + 0.5)).ln_1p() as f32;
                vector.push((term, idf * times as f32));
            }
        }
        vector.sort_unstable_by_key(|(term, _)| *term);
        Ok(vector)
    }
}

impl Retriever for Sparse {
    fn name(&self) -> &'static str {
        "sparse"
    }

    fn search(&self, query: &Query, k: usize, cancel: &Cancel) -> Result<Vec<Hit>, RetrieveError> {
        cancel.check()?;
        let text = &query.text[..query.text.floor_char_boundary(MAX_QUERY_BYTES)];
        let vector = self.vector(text, cancel)?;
        let allowed = self.corpus.allowed(&query.filters)?;
        let store = self.corpus.store();
        let keep = |row: u32| {
            allowed
                .as_ref()
                .is_none_or(|allowed| allowed.passage(store.passage_id(row)))
        };
        let found = self
            .file
            .search(&vector, k, Effort::default(), keep, cancel)?;
        let mut ranked: Vec<(PassageId, f32)> = found
            .into_iter()
            .map(|(row, score)| (store.passage_id(row), score))
            .collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        Ok(hits(self.name(), ranked))
    }
}
