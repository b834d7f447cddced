//! Building the next generation's index from the last one's files.

use std::fs;
use std::path::{Path, PathBuf};

use indago_core::DocumentId;
use tantivy::directory::MmapDirectory;
use tantivy::indexer::UserOperation;
use tantivy::merge_policy::NoMergePolicy;
use tantivy::{Index, IndexSettings, IndexWriter, TantivyDocument, Term};

use super::{ANALYZER, Fields, analyzer, schema};
use crate::disk;
use crate::error::IndexError;
use crate::prepare::Prepared;

/// Memory for postings before they are written as a segment, over all threads.
const MEMORY_BYTES: usize = 96 << 20;
/// Passages that are handed to tantivy's threads at once. One by one, waking them costs a tenth of
/// indexing; many more would take memory, because up to 10,000 such batches wait for them.
const BATCH: usize = 8;
/// Segments beyond which they are merged into one.
const MAX_SEGMENTS: usize = 8;

/// Adds and deletes documents of one generation.
pub(crate) struct LexicalWriter {
    dir: PathBuf,
    fields: Fields,
    writer: IndexWriter,
    /// Passages that tantivy has not been given yet. Deletions may overtake them: a document is
    /// deleted, if at all, before it is added.
    waiting: Vec<UserOperation<TantivyDocument>>,
}

impl LexicalWriter {
    /// An index in the new folder `dir` that starts as `previous`, if given.
    ///
    /// tantivy never changes a file it has written, so the old generation's files are linked, not
    /// copied.
    pub(crate) fn create(
        dir: &Path,
        previous: Option<&Path>,
        threads: usize,
    ) -> Result<Self, IndexError> {
        fs::create_dir_all(dir).map_err(|e| IndexError::write(dir, e))?;
        let (schema, fields) = schema();
        let failed = |e| IndexError::tantivy(dir, e);
        let directory = MmapDirectory::open(dir).map_err(|e| failed(e.into()))?;
        let index = if let Some(previous) = previous {
            link_all(previous, dir)?;
            let index = Index::open(directory).map_err(failed)?;
            index.tokenizers().register(ANALYZER, analyzer());
            index
        } else {
            let index =
                Index::create(directory, schema, IndexSettings::default()).map_err(failed)?;
            index.tokenizers().register(ANALYZER, analyzer());
            index
        };
        let writer = index
            .writer_with_num_threads(threads, MEMORY_BYTES)
            .map_err(failed)?;
        // Merging happens once, at the end: merges in between would be work done twice.
        writer.set_merge_policy(Box::new(NoMergePolicy));
        Ok(Self {
            dir: dir.to_owned(),
            fields,
            writer,
            waiting: Vec::with_capacity(BATCH),
        })
    }

    /// Adds the passages of a document.
    pub(crate) fn add(&mut self, prepared: &Prepared) -> Result<(), IndexError> {
        let id = prepared.document.id.as_str();
        for (row, terms) in prepared.rows.iter().zip(&prepared.terms) {
            let mut document = TantivyDocument::default();
            document.add_text(self.fields.text, &terms.whole);
            for (field, terms) in self.fields.parts.into_iter().zip(&terms.fields) {
                if !terms.is_empty() {
                    document.add_text(field, terms);
                }
            }
            document.add_text(self.fields.document, id);
            let id = u128::from_be_bytes(row.id.0);
            document.add_u64(self.fields.id_high, (id >> 64) as u64);
            document.add_u64(self.fields.id_low, id as u64);
            self.waiting.push(UserOperation::Add(document));
            // Within a document too: one of a book's length is work for all threads.
            if self.waiting.len() == BATCH {
                self.hand_over()?;
            }
        }
        Ok(())
    }

    fn hand_over(&mut self) -> Result<(), IndexError> {
        let waiting = std::mem::replace(&mut self.waiting, Vec::with_capacity(BATCH));
        let given = self.writer.run(waiting);
        given.map_err(|e| IndexError::tantivy(&self.dir, e))?;
        Ok(())
    }

    /// Deletes the passages that a document had before this call.
    pub(crate) fn delete(&self, id: &DocumentId) {
        self.writer
            .delete_term(Term::from_field_text(self.fields.document, id.as_str()));
    }

    /// Makes everything durable. No deleted document is left in the index, so that document
    /// frequencies are exact.
    pub(crate) fn finish(mut self) -> Result<(), IndexError> {
        self.hand_over()?;
        let dir = self.dir;
        let failed = |e| IndexError::tantivy(&dir, e);
        self.writer.commit().map_err(failed)?;
        let segments = self
            .writer
            .index()
            .searchable_segment_metas()
            .map_err(failed)?;
        let dirty = segments
            .iter()
            .filter(|s| s.has_deletes())
            .map(tantivy::SegmentMeta::id);
        let mut merge: Vec<_> = dirty.collect();
        if segments.len() > MAX_SEGMENTS {
            merge = segments.iter().map(tantivy::SegmentMeta::id).collect();
        }
        if !merge.is_empty() {
            self.writer.merge(&merge).wait().map_err(failed)?;
        }
        self.writer.garbage_collect_files().wait().map_err(failed)?;
        self.writer.wait_merging_threads().map_err(failed)?;
        disk::sync_dir(&dir)
    }
}

/// Makes every file of `from` appear in `to`: by a link where the file system has them.
fn link_all(from: &Path, to: &Path) -> Result<(), IndexError> {
    let entries = fs::read_dir(from).map_err(|e| crate::error::read_error(from, e))?;
    for entry in entries {
        let entry = entry.map_err(|e| crate::error::read_error(from, e))?;
        if disk::is_lock(&entry.file_name().to_string_lossy()) {
            continue;
        }
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if fs::hard_link(&source, &target).is_err() {
            fs::copy(&source, &target).map_err(|e| IndexError::write(&target, e))?;
        }
    }
    Ok(())
}
