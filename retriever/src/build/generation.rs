//! The next generation: built in a folder of its own, then made current in one step.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use indago_core::{Cancel, Cancelled, DocumentId};
use indago_text::Language;

use super::files::{self, FileRecord, FileState};
use super::{CorpusWriter, names, prune};
use crate::disk;
use crate::error::IndexError;
use crate::lexical::LexicalWriter;
use crate::manifest::{FileSum, Manifest};
use crate::names as name_index;
use crate::prepare::Prepared;
use crate::sparse;
use crate::store::{Store, StoreWriter};

/// Where a commit stands. Told before each stage begins; stopping there leaves the corpus as it
/// was up to and including `Publish`, and as it will be after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Documents are made durable.
    Documents,
    /// The inverted index is made durable and deleted documents are merged away.
    Lexical,
    /// Names are collected and written.
    Names,
    /// Vectors that are known already are lined up with the new passages.
    Vectors,
    /// The new generation is made the current one.
    Publish,
    /// The old generation is removed.
    Cleanup,
}

/// What a commit made current.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    /// Documents in the corpus.
    pub documents: u64,
    /// Passages in the corpus.
    pub passages: u64,
    /// Bytes of decoded text in the corpus.
    pub text_bytes: u64,
}

/// A generation under construction. Dropped without [`commit`](Self::commit) it changes nothing.
pub struct Generation<'w> {
    writer: &'w mut CorpusWriter,
    dir: PathBuf,
    store: StoreWriter,
    lexical: LexicalWriter,
    files: Vec<FileRecord>,
    /// The file whose documents are being added; joins `files` when it ends.
    open: Option<FileRecord>,
    /// Which file a document came from, by its id.
    owners: HashMap<DocumentId, u32>,
    /// Documents by language.
    languages: BTreeMap<Language, u64>,
    /// Whether words of texts that stay are analysed in another way than before.
    reanalysed: bool,
    /// Documents of the current generation that are in the inverted index and not carried over:
    /// their rows, by id. Whatever is left in the end is deleted.
    outdated: HashMap<DocumentId, u32>,
}

impl std::fmt::Debug for Generation<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Generation({}, {} files)",
            self.dir.display(),
            self.files.len()
        )
    }
}

impl<'w> Generation<'w> {
    pub(super) fn begin(
        writer: &'w mut CorpusWriter,
        keep: &[FileState],
    ) -> Result<Self, IndexError> {
        let generation = writer.manifest.generation + 1;
        let dir = writer.dir.join(Manifest::generation_dir(generation));
        if dir.exists() {
            fs::remove_dir_all(&dir).map_err(|e| IndexError::write(&dir, e))?;
        }
        fs::create_dir_all(&dir).map_err(|e| IndexError::write(&dir, e))?;
        let previous = writer
            .current
            .as_ref()
            .map(|_| writer.generation_dir().join(names::LEXICAL));
        let lexical = LexicalWriter::create(
            &dir.join(names::LEXICAL),
            previous.as_deref(),
            writer.threads,
        )?;
        let store = StoreWriter::create(&dir.join(names::STORE))?;
        let reanalysed = writer.manifest.settings != writer.settings;
        let mut next = Self {
            writer,
            dir,
            languages: BTreeMap::new(),
            reanalysed,
            store,
            lexical,
            files: Vec::new(),
            open: None,
            owners: HashMap::new(),
            outdated: HashMap::new(),
        };
        next.carry_over(keep)?;
        Ok(next)
    }

    fn carry_over(&mut self, keep: &[FileState]) -> Result<(), IndexError> {
        let Some(current) = &self.writer.current else {
            return Ok(());
        };
        let store = Arc::clone(&current.store);
        let keep: HashMap<&str, &FileState> = keep
            .iter()
            .map(|state| (state.path.as_str(), state))
            .collect();
        let records: Vec<FileRecord> = current.files.values().cloned().collect();
        for record in records {
            let documents = record.first_document..record.first_document + record.documents;
            if let Some(state) = keep.get(record.state.path.as_str()) {
                self.file((*state).clone());
                for row in documents {
                    let record = store.record(row)?;
                    *self
                        .languages
                        .entry(store.language_in(&record)?)
                        .or_default() += 1;
                    self.own(DocumentId::new(record.id));
                    self.store.carry_over(&store, row)?;
                }
            } else {
                for row in documents {
                    self.outdated
                        .insert(DocumentId::new(store.record(row)?.id), row);
                }
            }
        }
        Ok(())
    }

    /// Begins a file: the documents added next came from it. A file without documents (nothing in
    /// it could be read) is remembered as well and not read again until it changes.
    pub fn file(&mut self, state: FileState) {
        self.end_file();
        let totals = self.store.totals;
        self.open = Some(FileRecord {
            state,
            first_document: totals.documents,
            documents: 0,
            first_passage: totals.passages,
            passages: 0,
        });
    }

    fn end_file(&mut self) {
        if let Some(mut file) = self.open.take() {
            file.documents = self.store.totals.documents - file.first_document;
            file.passages = self.store.totals.passages - file.first_passage;
            self.files.push(file);
        }
    }

    fn own(&mut self, id: DocumentId) {
        self.owners.insert(id, self.files.len() as u32);
    }

    /// The path of a file by its place in order.
    fn path_of(&self, file: u32) -> String {
        let file = self.files.get(file as usize).or(self.open.as_ref());
        file.map(|file| file.state.path.clone()).unwrap_or_default()
    }

    /// Adds a document of the file that was begun last.
    ///
    /// # Errors
    /// [`IndexError::DuplicateDocument`] when another document of this generation has its id; the
    /// generation can go on without it. Everything else ends it.
    pub fn add(&mut self, prepared: &Prepared) -> Result<(), IndexError> {
        let id = &prepared.document.id;
        if let Some(first) = self.owners.get(id) {
            return Err(IndexError::DuplicateDocument {
                id: id.clone(),
                path: prepared.document.path.clone(),
                first: self.path_of(*first),
            });
        }
        // Of a changed file with many records, most are as they were.
        let indexed = match self.outdated.remove(id) {
            Some(row) if self.is_as_before(prepared, row)? => true,
            Some(_) => {
                self.lexical.delete(id);
                false
            }
            None => false,
        };
        if !indexed {
            self.lexical.add(prepared)?;
        }
        self.own(id.clone());
        *self.languages.entry(prepared.language).or_default() += 1;
        self.store.add(prepared)
    }

    /// Whether the inverted index already holds these very passages.
    fn is_as_before(&mut self, prepared: &Prepared, row: u32) -> Result<bool, IndexError> {
        let Some(current) = &self.writer.current else {
            return Ok(false);
        };
        if current.store.language(row)? != prepared.language {
            self.reanalysed = true;
            return Ok(false);
        }
        let before = current.store.passages_of(row);
        Ok(before.len() == prepared.rows.len()
            && before.zip(&prepared.rows).all(|(before, now)| {
                let before = current.store.passage_row(before);
                before.id == now.id && before.embed_key == now.embed_key
            }))
    }

    /// Makes this generation the current one. `complete` says that it holds all the files it
    /// should; `on_stage` is told what happens and may stop it.
    ///
    /// # Errors
    /// [`IndexError::Cancelled`] when `on_stage` stops it, [`IndexError::DiskFull`]. The corpus is
    /// then as it was.
    pub fn commit(
        mut self,
        complete: bool,
        mut on_stage: impl FnMut(Stage) -> Result<(), Cancelled>,
    ) -> Result<Committed, IndexError> {
        self.end_file();
        let Self {
            writer,
            dir,
            store,
            lexical,
            files,
            outdated,
            languages,
            reanalysed,
            ..
        } = self;
        on_stage(Stage::Documents)?;
        let totals = store.finish()?;
        files::write(&dir.join(names::FILES), &files)?;
        on_stage(Stage::Lexical)?;
        for id in outdated.keys() {
            lexical.delete(id);
        }
        lexical.finish()?;
        on_stage(Stage::Names)?;
        let store = Store::open(&dir.join(names::STORE))?;
        name_index::write(&store, &dir.join(names::NAMES))?;
        disk::sync_dir(&dir)?;

        on_stage(Stage::Vectors)?;
        let mut manifest = writer.manifest.clone();
        manifest.generation += 1;
        manifest.edition += 1;
        manifest.settings.clone_from(&writer.settings);
        manifest.complete = complete;
        if let Some(language) = writer.language {
            manifest.language = Some(language.to_string());
            let counts = languages.into_iter();
            manifest.languages = counts.map(|(l, n)| (l.code().to_owned(), n)).collect();
        }
        manifest.documents = u64::from(totals.documents);
        manifest.passages = u64::from(totals.passages);
        manifest.terms = totals.terms;
        manifest.text_bytes = totals.text_bytes;
        manifest.files = sums(&writer.dir, manifest.generation)?;
        // Whoever waits for vectors can still stop at the next stage.
        let pruned = prune::choose(&store, &mut manifest, &Cancel::new())?;
        manifest.vectors =
            writer.seal_all(&store, manifest.generation, manifest.edition, &pruned)?;
        // Its files are of the edition after the one it is told.
        let mut before = manifest.clone();
        before.edition -= 1;
        if reanalysed {
            before
                .sparse
                .retain(|set| set.fingerprint != sparse::IMPACTS);
        }
        manifest.facts = writer.carry_facts(&store);
        manifest.sparse = writer.carry_sparse(&store, &before)?;
        manifest.substrings = writer.carry_substrings(&store, manifest.edition)?;
        disk::sync_dir(&writer.dir)?;

        on_stage(Stage::Publish)?;
        writer.publish(manifest)?;
        // From here on the new generation is current, whatever happens.
        writer.load()?;
        let stopped = on_stage(Stage::Cleanup);
        if stopped.is_ok() {
            writer.remove_leftovers();
        }
        stopped?;
        Ok(Committed {
            documents: u64::from(totals.documents),
            passages: u64::from(totals.passages),
            text_bytes: totals.text_bytes,
        })
    }
}

/// Length and hash of every file of a generation, ascending by path.
fn sums(corpus: &std::path::Path, generation: u64) -> Result<Vec<FileSum>, IndexError> {
    let mut sums = Vec::new();
    let root = Manifest::generation_dir(generation);
    for folder in [root.clone(), format!("{root}/{}", names::LEXICAL)] {
        let path = corpus.join(&folder);
        let entries = fs::read_dir(&path).map_err(|e| crate::error::read_error(&path, e))?;
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.path().is_file() && !disk::is_lock(&name) {
                let (xxh3, bytes) = disk::hash_file(&entry.path())?;
                sums.push(FileSum {
                    path: format!("{folder}/{name}"),
                    bytes,
                    xxh3,
                });
            }
        }
    }
    sums.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(sums)
}
