//! Lexical search: BM25 with k1 1.2 and b 0.75 (Robertson and Zaragoza 2009, in Lucene's form),
//! with weighted fields where the corpus was given weights ([`crate::FieldWeights`]).

use indago_core::ports::{RetrieveError, Retriever};
use indago_core::{Cancel, Hit, Query};

use super::hits;
use crate::corpus::Corpus;

pub(super) struct Bm25 {
    corpus: Corpus,
}

impl Bm25 {
    pub(super) fn new(corpus: &Corpus) -> Self {
        Self {
            corpus: corpus.clone(),
        }
    }
}

impl Retriever for Bm25 {
    fn name(&self) -> &'static str {
        "bm25"
    }

    fn search(&self, query: &Query, k: usize, cancel: &Cancel) -> Result<Vec<Hit>, RetrieveError> {
        cancel.check()?;
        let allowed = self.corpus.allowed(&query.filters)?;
        let ranked = self.corpus.lexical().search(
            &query.text,
            k,
            self.corpus.field_weights(),
            allowed.as_deref(),
            cancel,
        )?;
        Ok(hits(self.name(), ranked))
    }
}
