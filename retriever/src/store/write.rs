//! Writing the document store, one document at a time.

use std::path::Path;

use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::KIND;
use super::read::Store;
use super::rows::{DocumentRow, PassageRow};
use crate::disk::sealed::SealedWriter;
use crate::error::IndexError;
use crate::prepare::Prepared;

/// Appends documents; texts go to disk at once, rows stay in memory until the end.
pub(crate) struct StoreWriter {
    file: SealedWriter,
    documents: Vec<u8>,
    passages: Vec<u8>,
    /// Hash of the document's id, row.
    ids: Vec<(u64, u32)>,
    passage_ids: Vec<([u8; 16], u32)>,
    pub(crate) totals: Totals,
}

/// What was written so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) documents: u32,
    pub(crate) passages: u32,
    pub(crate) terms: u64,
    pub(crate) text_bytes: u64,
}

impl StoreWriter {
    pub(crate) fn create(path: &Path) -> Result<Self, IndexError> {
        let mut file = SealedWriter::create(path, KIND)?;
        file.begin("heap")?;
        Ok(Self {
            file,
            documents: Vec::new(),
            passages: Vec::new(),
            ids: Vec::new(),
            passage_ids: Vec::new(),
            totals: Totals::default(),
        })
    }

    /// Adds a document; the caller has made sure that its id is new.
    pub(crate) fn add(&mut self, prepared: &Prepared) -> Result<(), IndexError> {
        let text = prepared.document.text.as_bytes();
        let mut hash = Xxh3::new();
        let heap = self.file.position();
        let pieces = [text, &prepared.record, &prepared.extras];
        for piece in pieces {
            hash.update(piece);
            self.file.write(piece)?;
        }
        let row = DocumentRow {
            heap,
            text_bytes: text.len() as u64,
            heap_bytes: pieces.iter().map(|p| p.len() as u64).sum(),
            heap_hash: hash.digest(),
            first_passage: 0,
            passages: 0,
            record_bytes: prepared.record.len() as u32,
            date: prepared.packed_date,
        };
        let id = prepared.document.id.as_str();
        self.add_rows(id, row, prepared.rows.iter().copied())
    }

    /// Copies a document from an older store, byte for byte.
    pub(crate) fn carry_over(&mut self, from: &Store, row: u32) -> Result<(), IndexError> {
        let bytes = from.heap_of(row)?;
        let old = from.document_row(row);
        let heap = self.file.position();
        self.file.write(bytes)?;
        let id = from.record(row)?.id;
        let passages = from.passages_of(row).map(|p| from.passage_row(p));
        self.add_rows(&id, DocumentRow { heap, ..old }, passages)
    }

    fn add_rows(
        &mut self,
        id: &str,
        row: DocumentRow,
        passages: impl ExactSizeIterator<Item = PassageRow>,
    ) -> Result<(), IndexError> {
        const MOST: u32 = u32::MAX - 1;
        let n = passages.len() as u64;
        if self.totals.documents >= MOST {
            return Err(IndexError::TooMany(u64::from(MOST), "documents"));
        }
        if u64::from(self.totals.passages) + n > u64::from(MOST) {
            return Err(IndexError::TooMany(u64::from(MOST), "passages"));
        }
        let document = self.totals.documents;
        let first_passage = self.totals.passages;
        DocumentRow {
            first_passage,
            passages: n as u32,
            ..row
        }
        .encode(&mut self.documents);
        self.ids.push((xxh3_64(id.as_bytes()), document));
        for passage in passages {
            PassageRow {
                document,
                ..passage
            }
            .encode(&mut self.passages);
            self.passage_ids.push((passage.id.0, self.totals.passages));
            self.totals.passages += 1;
            self.totals.terms += u64::from(passage.terms);
        }
        self.totals.documents += 1;
        self.totals.text_bytes += row.text_bytes;
        Ok(())
    }

    /// Writes the tables and makes the file durable.
    pub(crate) fn finish(mut self) -> Result<Totals, IndexError> {
        self.file.begin("documents")?;
        self.file.write(&self.documents)?;
        self.file.begin("passages")?;
        self.file.write(&self.passages)?;
        self.ids.sort_unstable();
        self.file.begin("document-ids")?;
        for (hash, row) in &self.ids {
            self.file.write(&hash.to_le_bytes())?;
            self.file.write(&row.to_le_bytes())?;
        }
        self.passage_ids.sort_unstable();
        self.file.begin("passage-ids")?;
        for (_, row) in &self.passage_ids {
            self.file.write(&row.to_le_bytes())?;
        }
        self.file.finish()?;
        Ok(self.totals)
    }
}
