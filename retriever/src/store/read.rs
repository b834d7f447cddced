//! Reading the document store.

use std::borrow::Cow;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use indago_core::ports::RetrieveError;
use indago_core::{Document, DocumentId, Location, Passage, PassageId};
use indago_text::Language;
use xxhash_rust::xxh3::xxh3_64;

use super::rows::{DOCUMENT_BYTES, DocumentRow, PASSAGE_BYTES, PassageRow};
use super::{Extra, KIND, Record};
use crate::disk::bytes::{u32_at, u64_at};
use crate::disk::sealed::SealedFile;
use crate::error::corrupt;

const ID_BYTES: usize = 12;

/// A store, open for reading. Tables were verified when it was opened; each document's bytes are
/// verified when they are first touched.
#[derive(Debug)]
pub(crate) struct Store {
    file: SealedFile,
    heap: Range<usize>,
    documents: Range<usize>,
    passages: Range<usize>,
    document_ids: Range<usize>,
    passage_ids: Range<usize>,
    /// One bit per document: its heap span matches its checksum.
    verified: Vec<AtomicU8>,
}

impl Store {
    pub(crate) fn open(path: &Path) -> Result<Self, RetrieveError> {
        let file = SealedFile::open(path, KIND)?;
        for section in ["documents", "passages", "document-ids", "passage-ids"] {
            file.verify(section)?;
        }
        let documents = file.span("documents")?;
        let passages = file.span("passages")?;
        let (n_docs, n_passages) = (
            documents.len() / DOCUMENT_BYTES,
            passages.len() / PASSAGE_BYTES,
        );
        let store = Self {
            heap: file.span("heap")?,
            document_ids: file.span("document-ids")?,
            passage_ids: file.span("passage-ids")?,
            verified: (0..n_docs.div_ceil(8)).map(|_| AtomicU8::new(0)).collect(),
            documents,
            passages,
            file,
        };
        let fits = store.documents.len() == n_docs * DOCUMENT_BYTES
            && store.passages.len() == n_passages * PASSAGE_BYTES
            && store.document_ids.len() == n_docs * ID_BYTES
            && store.passage_ids.len() == n_passages * 4
            && u32::try_from(n_docs.max(n_passages)).is_ok();
        if !fits {
            return Err(store.bad("table lengths do not agree"));
        }
        if !store.documents_follow_each_other() {
            return Err(store.bad("documents overlap or leave gaps"));
        }
        Ok(store)
    }

    /// Whether each document's bytes and passages begin where those of the one before end: nothing is
    /// two documents', so that copying all of them takes no more than the file has.
    fn documents_follow_each_other(&self) -> bool {
        let (mut heap, mut passages) = (Some(0), Some(0));
        for row in (0..self.n_documents()).map(|row| self.document_row(row)) {
            if heap != Some(row.heap) || passages != Some(row.first_passage) {
                return false;
            }
            heap = row.heap.checked_add(row.heap_bytes);
            passages = row.first_passage.checked_add(row.passages);
        }
        heap == Some(self.heap.len() as u64) && passages == Some(self.n_passages())
    }

    fn bad(&self, reason: impl Into<String>) -> RetrieveError {
        corrupt(self.file.path(), reason)
    }

    pub(crate) fn n_documents(&self) -> u32 {
        (self.documents.len() / DOCUMENT_BYTES) as u32
    }

    pub(crate) fn n_passages(&self) -> u32 {
        (self.passages.len() / PASSAGE_BYTES) as u32
    }

    fn table(&self, table: &Range<usize>, width: usize, row: u32) -> &[u8] {
        let start = row as usize * width;
        let table = self.file.bytes().get(table.clone()).unwrap_or_default();
        table.get(start..start + width).unwrap_or_default()
    }

    /// Row `row` of the documents; zeros beyond the end.
    pub(crate) fn document_row(&self, row: u32) -> DocumentRow {
        DocumentRow::decode(self.table(&self.documents, DOCUMENT_BYTES, row))
    }

    /// Row `row` of the passages; zeros beyond the end.
    pub(crate) fn passage_row(&self, row: u32) -> PassageRow {
        PassageRow::decode(self.table(&self.passages, PASSAGE_BYTES, row))
    }

    /// The id of passage `row`, without decoding the rest.
    pub(crate) fn passage_id(&self, row: u32) -> PassageId {
        PassageId(crate::disk::bytes::id_at(
            self.table(&self.passages, PASSAGE_BYTES, row),
            0,
        ))
    }

    /// Rows of a document's passages, in order.
    pub(crate) fn passages_of(&self, document: u32) -> Range<u32> {
        let row = self.document_row(document);
        let first = row.first_passage.min(self.n_passages());
        first..first.saturating_add(row.passages).min(self.n_passages())
    }

    /// Names everything that the store says of its passages, by the checksums of its tables, whose
    /// rows have those of the documents. Reads nothing.
    pub(crate) fn fingerprint(&self) -> String {
        let table = |name: &str, bytes: &Range<usize>| {
            let sum = self.file.checksum(name).unwrap_or_default();
            format!("{sum:016x}:{}", bytes.len())
        };
        let documents = table("documents", &self.documents);
        format!("{documents} {}", table("passages", &self.passages))
    }

    /// The row of a passage.
    pub(crate) fn row_of(&self, id: PassageId) -> Option<u32> {
        let (mut low, mut high) = (0, self.n_passages());
        while low < high {
            let middle = low + (high - low) / 2;
            let row = u32_at(self.table(&self.passage_ids, 4, middle), 0);
            match self.passage_id(row).cmp(&id) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Some(row).filter(|_| row < self.n_passages()),
            }
        }
        None
    }

    /// The row of a document.
    pub(crate) fn document_of(&self, id: &DocumentId) -> Result<Option<u32>, RetrieveError> {
        let wanted = xxh3_64(id.as_str().as_bytes());
        let hash = |i: u32| u64_at(self.table(&self.document_ids, ID_BYTES, i), 0);
        let (mut low, mut high) = (0, self.n_documents());
        while low < high {
            let middle = low + (high - low) / 2;
            if hash(middle) < wanted {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        while low < self.n_documents() && hash(low) == wanted {
            let row = u32_at(self.table(&self.document_ids, ID_BYTES, low), 8);
            if self.record(row)?.id == id.as_str() {
                return Ok(Some(row));
            }
            low += 1;
        }
        Ok(None)
    }

    /// Everything stored of a document, verified.
    pub(crate) fn heap_of(&self, document: u32) -> Result<&[u8], RetrieveError> {
        let row = self.document_row(document);
        let heap = self.file.bytes().get(self.heap.clone()).unwrap_or_default();
        let end = row
            .heap
            .checked_add(row.heap_bytes)
            .filter(|end| *end <= heap.len() as u64);
        let inner = row.text_bytes.checked_add(u64::from(row.record_bytes));
        let (Some(end), true) = (end, inner.is_some_and(|inner| inner <= row.heap_bytes)) else {
            return Err(self.bad(format!("document {document} is out of bounds")));
        };
        let bytes = &heap[row.heap as usize..end as usize];
        let (cell, bit) = (
            self.verified.get(document as usize / 8),
            1u8 << (document % 8),
        );
        if cell.is_some_and(|cell| cell.load(Ordering::Relaxed) & bit != 0) {
            return Ok(bytes);
        }
        if xxh3_64(bytes) != row.heap_hash {
            return Err(self.bad(format!("document {document} does not match its checksum")));
        }
        if let Some(cell) = cell {
            cell.fetch_or(bit, Ordering::Relaxed);
        }
        Ok(bytes)
    }

    /// A document's decoded text.
    pub(crate) fn text(&self, document: u32) -> Result<&[u8], RetrieveError> {
        let bytes = self.heap_of(document)?;
        Ok(&bytes[..self.document_row(document).text_bytes as usize])
    }

    /// `start..end` of a document's text; `None` off its characters.
    pub(crate) fn slice(
        &self,
        document: u32,
        start: u64,
        end: u64,
    ) -> Result<Option<&str>, RetrieveError> {
        let text = self.text(document)?;
        let (Ok(start), Ok(end)) = (usize::try_from(start), usize::try_from(end)) else {
            return Ok(None);
        };
        // The text is UTF-8 as a whole, so a slice that is not has been cut inside a character.
        Ok(text
            .get(start..end)
            .and_then(|bytes| str::from_utf8(bytes).ok()))
    }

    /// What is stored of a document beside its text.
    pub(crate) fn record(&self, document: u32) -> Result<Record, RetrieveError> {
        let bytes = self.heap_of(document)?;
        let row = self.document_row(document);
        let start = row.text_bytes as usize;
        serde_json::from_slice(&bytes[start..start + row.record_bytes as usize])
            .map_err(|e| self.bad(format!("record of document {document}: {e}")))
    }

    /// The language that a document's words were analysed in.
    pub(crate) fn language(&self, document: u32) -> Result<Language, RetrieveError> {
        self.language_in(&self.record(document)?)
    }

    /// The language that a record names.
    pub(crate) fn language_in(&self, record: &Record) -> Result<Language, RetrieveError> {
        let named = record.language.as_deref().unwrap_or("en");
        named.parse().map_err(|_unknown| {
            self.bad(format!(
                "`{}` is in `{named}`, which this build does not know",
                record.id
            ))
        })
    }

    /// A document's id, without decoding the rest.
    pub(crate) fn document_id(&self, document: u32) -> Result<DocumentId, RetrieveError> {
        #[derive(serde::Deserialize)]
        struct OnlyId<'a> {
            #[serde(borrow)]
            id: Cow<'a, str>,
        }
        let bytes = self.heap_of(document)?;
        let row = self.document_row(document);
        let start = row.text_bytes as usize;
        serde_json::from_slice(&bytes[start..start + row.record_bytes as usize])
            .map(|OnlyId { id }| DocumentId::new(id))
            .map_err(|e| self.bad(format!("record of document {document}: {e}")))
    }

    /// What is stored of a passage beside its row.
    pub(crate) fn extra(&self, row: &PassageRow) -> Result<Extra, RetrieveError> {
        if row.extra_bytes == 0 {
            return Ok(Extra::default());
        }
        let start = row.extra as usize;
        let bytes = self
            .heap_of(row.document)?
            .get(start..start + row.extra_bytes as usize);
        let bytes = bytes.ok_or_else(|| self.bad("passage data out of bounds"))?;
        serde_json::from_slice(bytes).map_err(|e| self.bad(format!("passage data: {e}")))
    }

    /// A passage's text.
    pub(crate) fn passage_text(&self, row: &PassageRow) -> Result<&str, RetrieveError> {
        let text = self.slice(row.document, row.start, row.end)?;
        text.ok_or_else(|| self.bad(format!("passage {} does not fit its document", row.id)))
    }

    pub(crate) fn passage(&self, row: u32) -> Result<Passage, RetrieveError> {
        let row = self.passage_row(row);
        let record = self.record(row.document)?;
        let known = |n: u32| (n > 0).then_some(n);
        Ok(Passage {
            id: row.id,
            document: DocumentId::new(record.id),
            title: record.title,
            span: row.start..row.end,
            text: self.passage_text(&row)?.to_owned(),
            ordinal: row.ordinal,
            location: Location {
                page: known(row.page),
                line: known(row.line),
                headings: self.extra(&row)?.headings,
            },
            date: record.date,
            metadata: record.metadata,
        })
    }

    pub(crate) fn document(&self, row: u32) -> Result<Document, RetrieveError> {
        let record = self.record(row)?;
        let text = str::from_utf8(self.text(row)?)
            .map_err(|e| self.bad(format!("text of document {row}: {e}")))?;
        Ok(Document {
            id: DocumentId::new(record.id),
            path: record.path,
            title: record.title,
            text: Arc::from(text),
            kind: record.kind,
            date: record.date,
            metadata: record.metadata,
            pages: record.pages,
            hash: record.hash,
        })
    }
}
