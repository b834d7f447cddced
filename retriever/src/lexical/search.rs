//! Searching a published generation.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indago_core::ports::RetrieveError;
use indago_core::{Cancel, PassageId};
use tantivy::directory::MmapDirectory;
use tantivy::fieldnorm::FieldNormReader;
use tantivy::postings::TermInfo;
use tantivy::schema::IndexRecordOption;
use tantivy::{DocId, Index, IndexReader, InvertedIndexReader, ReloadPolicy, SegmentReader, Term};

use super::collect::{Best, Ids};
use super::directory::ReadOnly;
use super::score::{Postings, Saturation, idf, score_segment};
use super::{Fields, MAX_QUERY_TERMS, schema};
use crate::error::{corrupt, engine};
use crate::filter::Allowed;

/// The index, open for reading.
pub(crate) struct Lexical {
    fields: Fields,
    segments: Vec<Segment>,
    /// The segments' passage ids, in their order.
    ids: Vec<Ids>,
    saturation: Saturation,
    n_passages: u64,
    // Keeps the files open.
    _reader: IndexReader,
    path: PathBuf,
}

/// What is read of a segment.
struct Segment {
    n_docs: DocId,
    postings: Arc<InvertedIndexReader>,
    lengths: FieldNormReader,
}

/// A term of a query.
struct QueryTerm {
    text: String,
    /// Passages that have it.
    frequency: u64,
    /// How often the query has it.
    times: u32,
    /// Where its postings are, for each segment.
    infos: Vec<Option<TermInfo>>,
}

impl std::fmt::Debug for Lexical {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lexical")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl Lexical {
    /// Opens the index in `dir`, whose passages and terms were counted by the document store.
    pub(crate) fn open(dir: &Path, n_passages: u64, n_terms: u64) -> Result<Self, RetrieveError> {
        let (schema, fields) = schema();
        let directory = MmapDirectory::open(dir).map_err(|e| corrupt(dir, e.to_string()))?;
        let index = Index::open(ReadOnly(directory)).map_err(|e| unreadable(dir, e))?;
        if index.schema() != schema {
            return Err(corrupt(
                dir,
                "the index has other fields than this build writes",
            ));
        }
        let reader = index
            .reader_builder()
            .reload_policy(ReloadPolicy::Manual)
            .try_into()
            .map_err(|e| unreadable(dir, e))?;
        let reader: IndexReader = reader;
        let searcher = reader.searcher();
        if searcher.num_docs() != n_passages {
            let reason = format!(
                "{} passages, the store has {n_passages}",
                searcher.num_docs()
            );
            return Err(corrupt(dir, reason));
        }
        let readers = searcher.segment_readers();
        if readers.iter().any(SegmentReader::has_deletes) {
            return Err(corrupt(dir, "deleted passages were left in the index"));
        }
        let open = |reader: &SegmentReader| -> tantivy::Result<(Segment, Ids)> {
            let columns = reader.fast_fields();
            let ids = Ids {
                high: columns.u64("id_high")?,
                low: columns.u64("id_low")?,
            };
            let segment = Segment {
                n_docs: reader.max_doc(),
                postings: reader.inverted_index(fields.text)?,
                lengths: reader.get_fieldnorms_reader(fields.text)?,
            };
            Ok((segment, ids))
        };
        let opened: tantivy::Result<Vec<_>> = readers.iter().map(open).collect();
        let (segments, ids) = opened.map_err(|e| unreadable(dir, e))?.into_iter().unzip();
        Ok(Self {
            fields,
            segments,
            ids,
            saturation: Saturation::new(n_terms as f32 / n_passages.max(1) as f32),
            n_passages,
            _reader: reader,
            path: dir.to_owned(),
        })
    }

    /// Passages that hold an index term.
    pub(crate) fn document_frequency(&self, term: &str) -> Result<u64, RetrieveError> {
        self.look_up(term).map(|(frequency, _)| frequency)
    }

    /// Passages that hold an index term, and where its postings are in each segment.
    fn look_up(&self, term: &str) -> Result<(u64, Vec<Option<TermInfo>>), RetrieveError> {
        let term = Term::from_field_text(self.fields.text, term);
        let mut frequency = 0;
        let mut infos = Vec::with_capacity(self.segments.len());
        for segment in &self.segments {
            let info = segment
                .postings
                .get_term_info(&term)
                .map_err(|e| engine(e.into()))?;
            frequency += info.as_ref().map_or(0, |info| u64::from(info.doc_freq));
            infos.push(info);
        }
        Ok((frequency.min(self.n_passages), infos))
    }

    /// The best `k` passages by BM25 (k1 1.2, b 0.75), best first.
    pub(crate) fn search(
        &self,
        text: &str,
        k: usize,
        allowed: Option<&Allowed>,
        cancel: &Cancel,
    ) -> Result<Vec<(PassageId, f32)>, RetrieveError> {
        let terms = self.query_terms(text)?;
        if terms.is_empty() || k == 0 || self.n_passages == 0 {
            return Ok(Vec::new());
        }
        let k = k.min(usize::try_from(self.n_passages).unwrap_or(usize::MAX));
        let mut best = Best::new(k, &self.ids, allowed);
        for (s, segment) in self.segments.iter().enumerate() {
            let mut postings = Vec::with_capacity(terms.len());
            for term in &terms {
                let Some(Some(info)) = term.infos.get(s) else {
                    continue;
                };
                let block = segment
                    .postings
                    .read_block_postings_from_terminfo(info, IndexRecordOption::WithFreqs)
                    .map_err(|e| engine(e.into()))?;
                let boost = idf(term.frequency, self.n_passages) * term.times as f32;
                postings.push(Postings::new(block, boost));
            }
            // Stable, so terms of one weight stay in the order of the query's list.
            postings.sort_by(|a, b| b.weight().total_cmp(&a.weight()));
            let (lengths, saturation) = (&segment.lengths, &self.saturation);
            let bar = best.bar();
            score_segment(
                segment.n_docs,
                lengths,
                saturation,
                &mut postings,
                bar,
                cancel,
                |doc, score| best.offer(s as u32, doc, score),
            )?;
        }
        Ok(best.finish())
    }

    /// The query's terms: those found in the corpus, at most [`MAX_QUERY_TERMS`], rarest first.
    fn query_terms(&self, text: &str) -> Result<Vec<QueryTerm>, RetrieveError> {
        let mut times: HashMap<String, u32> = HashMap::new();
        indago_text::for_each_term(text, |term, _| match times.get_mut(term) {
            Some(n) => *n += 1,
            None => {
                times.insert(term.to_owned(), 1);
            }
        });
        let mut terms = Vec::with_capacity(times.len());
        for (text, times) in times {
            let (frequency, infos) = self.look_up(&text)?;
            if frequency > 0 {
                terms.push(QueryTerm {
                    text,
                    frequency,
                    times,
                    infos,
                });
            }
        }
        terms.sort_unstable_by(|a, b| {
            (a.frequency, &a.text, a.times).cmp(&(b.frequency, &b.text, b.times))
        });
        terms.truncate(MAX_QUERY_TERMS);
        Ok(terms)
    }
}

fn unreadable(dir: &Path, error: tantivy::TantivyError) -> RetrieveError {
    use tantivy::TantivyError::{DataCorruption, IncompatibleIndex, OpenReadError};
    match error {
        DataCorruption(_) | IncompatibleIndex(_) | OpenReadError(_) => {
            corrupt(dir, error.to_string())
        }
        other => engine(other),
    }
}
