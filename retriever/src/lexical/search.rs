//! Searching a published generation.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use indago_core::ports::RetrieveError;
use indago_core::{Cancel, PassageId};
use indago_text::Languages;
use tantivy::directory::MmapDirectory;
use tantivy::fieldnorm::FieldNormReader;
use tantivy::postings::TermInfo;
use tantivy::schema::IndexRecordOption;
use tantivy::{DocId, Index, InvertedIndexReader, SegmentReader, Term};

use super::collect::{Best, Ids};
use super::directory::ReadOnly;
use super::guard::guarded;
use super::score::{FieldGain, FieldPostings, Postings, Saturation, idf, score_segment};
use super::{FieldWeights, Fields, MAX_QUERY_TERMS, N_FIELDS, schema};
use crate::error::corrupt;
use crate::filter::Allowed;

/// The index, open for reading.
pub(crate) struct Lexical {
    fields: Fields,
    segments: Vec<Segment>,
    /// The segments' passage ids, in their order.
    ids: Vec<Ids>,
    saturation: Saturation,
    /// Mean length of each of [`FIELDS`] over the passages that have it.
    field_lengths: [f32; N_FIELDS],
    n_passages: u64,
    /// Those of the documents.
    languages: Languages,
    // Keeps the files open.
    _readers: Vec<SegmentReader>,
    path: PathBuf,
}

/// What is read of a segment.
struct Segment {
    n_docs: DocId,
    postings: Arc<InvertedIndexReader>,
    lengths: FieldNormReader,
    /// Of each of [`FIELDS`].
    fields: [Option<FieldSegment>; N_FIELDS],
}

/// What is read of a field of a segment.
struct FieldSegment {
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
        guarded(dir, || Self::read(dir, n_passages, n_terms))
    }

    fn read(dir: &Path, n_passages: u64, n_terms: u64) -> Result<Self, RetrieveError> {
        let (schema, fields) = schema();
        let directory = MmapDirectory::open(dir).map_err(|e| corrupt(dir, e.to_string()))?;
        let index = Index::open(ReadOnly(directory)).map_err(|e| unreadable(dir, e))?;
        if index.schema() != schema {
            return Err(corrupt(
                dir,
                "the index has other fields than this build reads: index the corpus again",
            ));
        }
        // Without a searcher, which also opens tantivy's store of documents: nothing is kept there.
        let parts = index.searchable_segments();
        let parts = parts.map_err(|e| unreadable(dir, e))?;
        let readers: tantivy::Result<Vec<SegmentReader>> =
            parts.iter().map(SegmentReader::open).collect();
        let readers = readers.map_err(|e| unreadable(dir, e))?;
        let found = readers.iter().map(|reader| u64::from(reader.num_docs()));
        let found = found.sum::<u64>();
        if found != n_passages {
            let reason = format!("{found} passages, the store has {n_passages}");
            return Err(corrupt(dir, reason));
        }
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
                fields: open_fields(reader, &fields)?,
            };
            Ok((segment, ids))
        };
        let opened: tantivy::Result<Vec<_>> = readers.iter().map(open).collect();
        let (segments, ids): (Vec<Segment>, _) =
            opened.map_err(|e| unreadable(dir, e))?.into_iter().unzip();
        Ok(Self {
            fields,
            field_lengths: mean_lengths(&segments),
            segments,
            ids,
            saturation: Saturation::new(n_terms as f32 / n_passages.max(1) as f32),
            n_passages,
            languages: Languages::ENGLISH,
            _readers: readers,
            path: dir.to_owned(),
        })
    }

    /// The same index, whose documents are in `languages`: queries are analysed in each of them.
    pub(crate) fn in_languages(self, languages: Languages) -> Self {
        Self { languages, ..self }
    }

    /// The languages of the documents.
    pub(crate) fn languages(&self) -> Languages {
        self.languages
    }

    /// Passages that hold an index term.
    pub(crate) fn document_frequency(&self, term: &str) -> Result<u64, RetrieveError> {
        guarded(&self.path, || self.look_up(term)).map(|(frequency, _)| frequency)
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
                .map_err(|e| unreadable(&self.path, e.into()))?;
            frequency += info.as_ref().map_or(0, |info| u64::from(info.doc_freq));
            infos.push(info);
        }
        Ok((frequency.min(self.n_passages), infos))
    }

    /// Every passage that holds an index term.
    pub(crate) fn passages_with(
        &self,
        term: &str,
        cancel: &Cancel,
    ) -> Result<Vec<PassageId>, RetrieveError> {
        guarded(&self.path, || self.read_passages_with(term, cancel))
    }

    fn read_passages_with(
        &self,
        term: &str,
        cancel: &Cancel,
    ) -> Result<Vec<PassageId>, RetrieveError> {
        let (_, infos) = self.look_up(term)?;
        let mut found = Vec::new();
        for ((segment, ids), info) in self.segments.iter().zip(&self.ids).zip(infos) {
            let Some(info) = info else { continue };
            let mut block = segment
                .postings
                .read_block_postings_from_terminfo(&info, IndexRecordOption::Basic)
                .map_err(|e| unreadable(&self.path, e.into()))?;
            while !block.docs().is_empty() {
                cancel.check()?;
                found.extend(block.docs().iter().map(|doc| ids.get(*doc)));
                block.advance();
            }
        }
        Ok(found)
    }

    /// The passages that hold every one of `terms`, at most `most`; `None` where there are more, or
    /// where even the rarest term is in more than `readable` passages.
    pub(crate) fn passages_with_all(
        &self,
        terms: &[String],
        readable: u64,
        most: usize,
    ) -> Result<Option<Vec<PassageId>>, RetrieveError> {
        guarded(&self.path, || {
            self.read_passages_with_all(terms, readable, most)
        })
    }

    fn read_passages_with_all(
        &self,
        terms: &[String],
        readable: u64,
        most: usize,
    ) -> Result<Option<Vec<PassageId>>, RetrieveError> {
        let mut known = Vec::with_capacity(terms.len());
        for term in terms {
            known.push(self.look_up(term)?);
        }
        known.sort_by_key(|(frequency, _)| *frequency);
        if known.first().is_none_or(|(rarest, _)| *rarest > readable) {
            return Ok(None);
        }
        let mut found = Vec::new();
        for (s, (segment, ids)) in self.segments.iter().zip(&self.ids).enumerate() {
            let mut both: Option<Vec<DocId>> = None;
            for (frequency, infos) in &known {
                // What is left is compared with the text anyway.
                let few = both.as_ref().is_some_and(|docs| docs.len() <= most / 4);
                if few || *frequency > readable {
                    break;
                }
                let mut docs = Vec::new();
                if let Some(Some(info)) = infos.get(s) {
                    let block = segment
                        .postings
                        .read_block_postings_from_terminfo(info, IndexRecordOption::Basic);
                    let mut block = block.map_err(|e| unreadable(&self.path, e.into()))?;
                    while !block.docs().is_empty() {
                        docs.extend_from_slice(block.docs());
                        block.advance();
                    }
                }
                both = Some(match both {
                    None => docs,
                    Some(before) => {
                        let having = |doc: &DocId| docs.binary_search(doc).is_ok();
                        before.into_iter().filter(having).collect()
                    }
                });
            }
            let both = both.unwrap_or_default();
            if found.len() + both.len() > most {
                return Ok(None);
            }
            found.extend(both.iter().map(|doc| ids.get(*doc)));
        }
        Ok(Some(found))
    }

    /// The best `k` passages by BM25 (k1 1.2, b 0.75), best first.
    pub(crate) fn search(
        &self,
        text: &str,
        k: usize,
        weights: FieldWeights,
        allowed: Option<&Allowed>,
        cancel: &Cancel,
    ) -> Result<Vec<(PassageId, f32)>, RetrieveError> {
        guarded(&self.path, || {
            self.read_best(text, k, weights, allowed, cancel)
        })
    }

    fn read_best(
        &self,
        text: &str,
        k: usize,
        weights: FieldWeights,
        allowed: Option<&Allowed>,
        cancel: &Cancel,
    ) -> Result<Vec<(PassageId, f32)>, RetrieveError> {
        let terms = self.query_terms(text)?;
        if terms.is_empty() || k == 0 || self.n_passages == 0 {
            return Ok(Vec::new());
        }
        let k = k.min(usize::try_from(self.n_passages).unwrap_or(usize::MAX));
        let mut best = Best::new(k, &self.ids, allowed);
        let gains = self.gains(weights);
        for (s, segment) in self.segments.iter().enumerate() {
            let mut postings = Vec::with_capacity(terms.len());
            for term in &terms {
                let Some(Some(info)) = term.infos.get(s) else {
                    continue;
                };
                let block = segment
                    .postings
                    .read_block_postings_from_terminfo(info, IndexRecordOption::WithFreqs)
                    .map_err(|e| unreadable(&self.path, e.into()))?;
                let boost = idf(term.frequency, self.n_passages) * term.times as f32;
                let on_top = self.field_postings(segment, &term.text, &gains)?;
                postings.push(Postings::new(block, boost, on_top));
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

    /// What an occurrence in each field counts; `None` for fields without weight.
    fn gains(&self, weights: FieldWeights) -> [Option<Arc<FieldGain>>; N_FIELDS] {
        std::array::from_fn(|i| {
            let (weight, length) = (weights.0[i], self.field_lengths[i]);
            (weight > 0.0).then(|| Arc::new(FieldGain::new(weight, length)))
        })
    }

    /// A term's postings in the fields of a segment that have weight.
    fn field_postings(
        &self,
        segment: &Segment,
        term: &str,
        gains: &[Option<Arc<FieldGain>>; N_FIELDS],
    ) -> Result<Vec<FieldPostings>, RetrieveError> {
        let mut found = Vec::new();
        for ((field, part), gain) in segment.fields.iter().zip(self.fields.parts).zip(gains) {
            let (Some(field), Some(gain)) = (field, gain) else {
                continue;
            };
            let info = field
                .postings
                .get_term_info(&Term::from_field_text(part, term))
                .map_err(|e| unreadable(&self.path, e.into()))?;
            if let Some(info) = info {
                let block = field
                    .postings
                    .read_block_postings_from_terminfo(&info, IndexRecordOption::WithFreqs)
                    .map_err(|e| unreadable(&self.path, e.into()))?;
                let (lengths, gain) = (field.lengths.clone(), Arc::clone(gain));
                found.push(FieldPostings::new(block, lengths, gain));
            }
        }
        Ok(found)
    }

    /// The query's terms: those found in the corpus, at most [`MAX_QUERY_TERMS`], rarest first.
    fn query_terms(&self, text: &str) -> Result<Vec<QueryTerm>, RetrieveError> {
        let times = indago_text::query_terms(self.languages, text);
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

/// The fields of a segment; `None` where no passage of it has the field.
fn open_fields(
    reader: &SegmentReader,
    fields: &Fields,
) -> tantivy::Result<[Option<FieldSegment>; N_FIELDS]> {
    let mut opened = [const { None }; N_FIELDS];
    for (slot, field) in opened.iter_mut().zip(fields.parts) {
        let postings = reader.inverted_index(field)?;
        if postings.terms().num_terms() > 0 {
            let lengths = reader.get_fieldnorms_reader(field)?;
            *slot = Some(FieldSegment { postings, lengths });
        }
    }
    Ok(opened)
}

/// Mean lengths over the passages that have the field, from the lengths that scores are made of:
/// the same however passages are spread over segments.
fn mean_lengths(segments: &[Segment]) -> [f32; N_FIELDS] {
    std::array::from_fn(|i| {
        let mut counts = [0_u64; 256];
        for segment in segments {
            if let Some(field) = &segment.fields[i] {
                for doc in 0..segment.n_docs {
                    counts[usize::from(field.lengths.fieldnorm_id(doc))] += 1;
                }
            }
        }
        let length = |code: usize| u64::from(FieldNormReader::id_to_fieldnorm(code as u8));
        let total: u64 = (1..256).map(|code| counts[code] * length(code)).sum();
        let having: u64 = counts[1..].iter().sum();
        (total as f32 / having.max(1) as f32).max(1.0)
    })
}

/// tantivy's error by the folder that it has read.
fn unreadable(dir: &Path, error: tantivy::TantivyError) -> RetrieveError {
    corrupt(dir, error.to_string())
}
