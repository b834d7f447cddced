//! A corpus, open for reading: one published state of it, whatever writers do meanwhile.

mod described;
mod ports;

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use indago_core::ports::{Encoder, Facts, RetrieveError, Retriever, SparseEncoder};
use indago_core::{Cancel, DocumentId, Filters, Hit, Passage, PassageId};
use indago_kernels::cuda::RowScanner;

pub use described::{Approximation, Listed, PhraseGraphIndex, SubstringIndex, Summary, list};

use crate::build::names;
use crate::dense::Vectors;
use crate::error::corrupt;
use crate::filter::Allowed;
use crate::graph::PhraseFile;
use crate::lexical::{FieldWeights, Lexical};
use crate::manifest::Manifest;
use crate::names::Names;
use crate::sparse::SparseIndex;
use crate::store::Store;
use crate::substring::Substrings;
use crate::{facts, health, multivector, near_duplicate, retrievers};

/// How often a state that a writer replaced while it was being opened is tried anew.
const ATTEMPTS: usize = 50;
/// Sets of filters whose documents are remembered.
const MAX_FILTERS: usize = 16;

/// An open corpus. Clones share everything; cheap to hand to threads.
///
/// It shows the state that was current when it was opened, for as long as it lives. Opening takes
/// no lock and writes nothing.
#[derive(Clone, Debug)]
pub struct Corpus(Arc<Inner>, FieldWeights);

#[derive(Debug)]
struct Inner {
    dir: PathBuf,
    manifest: Manifest,
    store: Arc<Store>,
    lexical: Lexical,
    names: Names,
    /// By fingerprint.
    vectors: HashMap<String, Arc<Vectors>>,
    /// By fingerprint.
    sparse: HashMap<String, Arc<SparseIndex>>,
    /// By fingerprint.
    tokens: HashMap<String, Arc<Tokens>>,
    substrings: Option<Substrings>,
    /// Unless it is of other passages.
    phrases: Option<PhraseFile>,
    filters: Mutex<Vec<(Filters, Arc<Allowed>)>>,
}

impl Corpus {
    /// Opens the corpus in `dir`; `None` when nothing was published there yet.
    ///
    /// # Errors
    /// [`RetrieveError::FormatVersion`], [`RetrieveError::Corrupt`], [`RetrieveError::Io`].
    pub fn open(dir: &Path) -> Result<Option<Self>, RetrieveError> {
        let mut attempt = 1;
        loop {
            let Some(manifest) = Manifest::read(dir)? else {
                return Ok(None);
            };
            if manifest.generation == 0 {
                return Ok(None);
            }
            match Self::open_state(dir, &manifest) {
                Ok(corpus) => return Ok(Some(corpus)),
                // A writer may have replaced this state and removed its files meanwhile.
                Err(error) => {
                    let replaced = Manifest::read(dir)?.is_none_or(|now| now != manifest);
                    if !replaced || attempt == ATTEMPTS {
                        return Err(error);
                    }
                    attempt += 1;
                }
            }
        }
    }

    fn open_state(dir: &Path, manifest: &Manifest) -> Result<Self, RetrieveError> {
        let generation = dir.join(Manifest::generation_dir(manifest.generation));
        let path = generation.join(names::STORE);
        let store = Arc::new(Store::open(&path)?);
        if u64::from(store.n_passages()) != manifest.passages {
            return Err(corrupt(&path, "the manifest counts other passages"));
        }
        if u64::from(store.n_documents()) != manifest.documents {
            return Err(corrupt(&path, "the manifest counts other documents"));
        }
        health::verify_lexical(dir, manifest)?;
        let lexical = generation.join(names::LEXICAL);
        // All is opened now, because a writer may remove the files later.
        let mut vectors = HashMap::new();
        for set in &manifest.vectors {
            let opened = Vectors::open(dir, set, Arc::clone(&store))?;
            vectors.insert(set.fingerprint.clone(), Arc::new(opened));
        }
        let mut tokens = HashMap::new();
        for set in manifest.tokens.iter().filter(|set| !set.is_forgotten()) {
            let opened = Tokens::open(&dir.join(&set.file), Arc::clone(&store))?;
            tokens.insert(set.fingerprint.clone(), Arc::new(opened));
        }
        let mut sparse = HashMap::new();
        for set in manifest.sparse.iter().filter(|set| !set.file.is_empty()) {
            let opened = SparseIndex::open(dir, set, &store, manifest.terms)?;
            sparse.insert(set.fingerprint.clone(), Arc::new(opened));
        }
        let substrings = manifest.substrings.as_ref();
        let substrings = substrings.map(|set| Substrings::open(dir, set, &store));
        let substrings = substrings.transpose()?;
        let languages = manifest
            .languages()
            .map_err(|e| corrupt(&Manifest::path(dir), e.to_string()))?;
        let lexical = Lexical::open(&lexical, manifest.passages, manifest.terms)?;
        let phrases = manifest.phrases.as_ref();
        let phrases = phrases.filter(|set| set.is_of(&store, manifest.facts.as_ref()));
        let phrases = phrases.map(|set| PhraseFile::open(&dir.join(&set.file)));
        let phrases = phrases.transpose()?;
        let inner = Inner {
            dir: dir.to_owned(),
            lexical: lexical.in_languages(languages),
            names: Names::open(&generation.join(names::NAMES), Arc::clone(&store))?,
            store,
            manifest: manifest.clone(),
            vectors,
            sparse,
            tokens,
            substrings,
            phrases,
            filters: Mutex::default(),
        };
        Ok(Self(Arc::new(inner), FieldWeights::default()))
    }

    /// The same corpus, whose BM25 counts the words of titles and headings with these weights.
    #[must_use]
    pub fn with_field_weights(&self, weights: FieldWeights) -> Self {
        Self(Arc::clone(&self.0), weights)
    }

    /// What words of titles and headings count.
    pub(crate) fn field_weights(&self) -> FieldWeights {
        self.1
    }

    /// The folder it was opened from.
    pub fn dir(&self) -> &Path {
        &self.0.dir
    }

    /// The retriever registered as `name`; see [`retrievers::names`].
    ///
    /// # Errors
    /// [`RetrieveError::UnknownRetriever`]; [`RetrieveError::ModelMismatch`] when the corpus has
    /// vectors, but none of `encoder`.
    pub fn retriever(
        &self,
        name: &str,
        encoder: Option<Arc<dyn Encoder>>,
    ) -> Result<Arc<dyn Retriever>, RetrieveError> {
        retrievers::make(self, name, encoder)
    }

    /// The extracted facts, by the key of the passage's text.
    pub(crate) fn facts(&self) -> Result<HashMap<[u8; 16], Facts>, RetrieveError> {
        let set = self.0.manifest.facts.as_ref();
        set.map_or_else(|| Ok(HashMap::new()), |set| facts::read(&self.0.dir, set))
    }

    /// Scans vectors on devices from now on, in this corpus and its clones. Not for the CPU: that is
    /// what happens without.
    pub fn scan_on(&self, scanner: &Arc<dyn RowScanner>) {
        for vectors in self.0.vectors.values() {
            vectors.scan_on(Arc::clone(scanner));
        }
    }

    /// Everything stored of a passage, and its document's path; `None` when it is unknown.
    ///
    /// # Errors
    /// When the store is corrupt.
    pub fn passage(&self, id: PassageId) -> Result<Option<Passage>, RetrieveError> {
        self.0
            .store
            .row_of(id)
            .map(|row| self.0.store.passage(row))
            .transpose()
    }

    /// The path and title of a passage's document; `None` when the passage is unknown.
    ///
    /// # Errors
    /// When the store is corrupt.
    pub fn source_of(&self, id: PassageId) -> Result<Option<SourceInfo>, RetrieveError> {
        let Some(row) = self.0.store.row_of(id) else {
            return Ok(None);
        };
        let record = self
            .0
            .store
            .record(self.0.store.passage_row(row).document)?;
        let document = DocumentId::new(record.id);
        Ok(Some(SourceInfo {
            document,
            path: record.path,
            title: record.title,
        }))
    }

    /// The first `k` documents that passages of `hits` belong to, each with the score of its best
    /// hit. Unknown passages are left out. Reads no text.
    ///
    /// # Errors
    /// When the store is corrupt.
    pub fn documents_of(
        &self,
        hits: &[Hit],
        k: usize,
    ) -> Result<Vec<(DocumentId, f32)>, RetrieveError> {
        let store = &self.0.store;
        let mut seen = HashSet::with_capacity(hits.len());
        let mut documents = Vec::with_capacity(k.min(hits.len()));
        for hit in hits {
            let Some(row) = store.row_of(hit.passage) else {
                continue;
            };
            let document = store.passage_row(row).document;
            if documents.len() < k && seen.insert(document) {
                documents.push((store.document_id(document)?, hit.score));
            }
        }
        Ok(documents)
    }

    /// Ids of a document's passages, in order; `None` when the document is unknown.
    ///
    /// # Errors
    /// When the store is corrupt.
    pub fn passages_of(&self, id: &DocumentId) -> Result<Option<Vec<PassageId>>, RetrieveError> {
        let store = &self.0.store;
        let Some(document) = store.document_of(id)? else {
            return Ok(None);
        };
        Ok(Some(
            store
                .passages_of(document)
                .map(|row| store.passage_id(row))
                .collect(),
        ))
    }

    /// Every passage id, in the order of the store.
    pub fn passage_ids(&self) -> impl Iterator<Item = PassageId> + '_ {
        (0..self.0.store.n_passages()).map(|row| self.0.store.passage_id(row))
    }

    /// Folds near-duplicates of better hits into them. `hits` are best first and stay so.
    ///
    /// # Errors
    /// When the store is corrupt.
    pub fn collapse(&self, hits: Vec<Hit>) -> Result<Vec<Hit>, RetrieveError> {
        near_duplicate::collapse(&self.0.store, hits)
    }

    pub(crate) fn sparse_index(&self, fingerprint: &str) -> Option<Arc<SparseIndex>> {
        self.0.sparse.get(fingerprint).cloned()
    }

    /// Sparse search by the vectors of `encoder`, or without one by BM25's weights.
    ///
    /// # Errors
    /// When the corpus as it is has no such index.
    pub fn sparse_retriever(
        &self,
        encoder: Option<Arc<dyn SparseEncoder>>,
    ) -> Result<Arc<dyn Retriever>, RetrieveError> {
        retrievers::sparse(self, encoder)
    }

    pub(crate) fn substrings(&self) -> Option<&Substrings> {
        self.0.substrings.as_ref()
    }

    pub(crate) fn phrases(&self) -> Option<&PhraseFile> {
        self.0.phrases.as_ref()
    }

    pub(crate) fn store(&self) -> &Store {
        &self.0.store
    }

    /// Where `quote` stands in the corpus: documents and bytes of their text, as written if it
    /// stands so anywhere, else regardless of letter case and runs of white space.
    ///
    /// # Errors
    /// When the corpus is corrupt, or cancelled.
    pub fn find(
        &self,
        quote: &str,
        cancel: &Cancel,
    ) -> Result<Vec<(DocumentId, Range<usize>)>, RetrieveError> {
        let found = retrievers::occurrences(self, quote, cancel)?;
        let id = |(row, range)| Ok((self.0.store.document_id(row)?, range));
        found.into_iter().map(id).collect()
    }

    pub(crate) fn lexical(&self) -> &Lexical {
        &self.0.lexical
    }

    pub(crate) fn vectors(&self, fingerprint: &str) -> Option<Arc<Vectors>> {
        self.0.vectors.get(fingerprint).cloned()
    }

    pub(crate) fn tokens(&self, fingerprint: &str) -> Option<Arc<Tokens>> {
        self.0.tokens.get(fingerprint).cloned()
    }

    /// Refuses an encoder when there are vectors and none are its own.
    pub(crate) fn check_model(&self, encoder: &dyn Encoder) -> Result<(), RetrieveError> {
        let sets = &self.0.manifest.vectors;
        match sets.first() {
            Some(other)
                if sets
                    .iter()
                    .all(|set| set.fingerprint != encoder.fingerprint()) =>
            {
                Err(RetrieveError::ModelMismatch {
                    found: encoder.name().to_owned(),
                    expected: other.encoder.clone(),
                })
            }
            _ => Ok(()),
        }
    }

    /// What passes a set of filters; `None` when everything does.
    pub(crate) fn allowed(&self, filters: &Filters) -> Result<Option<Arc<Allowed>>, RetrieveError> {
        if filters.is_empty() {
            return Ok(None);
        }
        let known = lock(&self.0.filters)
            .iter()
            .find(|(f, _)| f == filters)
            .map(|(_, a)| a.clone());
        if let Some(known) = known {
            return Ok(Some(known));
        }
        let allowed = Arc::new(Allowed::new(&self.0.store, filters)?);
        let mut remembered = lock(&self.0.filters);
        if remembered.len() >= MAX_FILTERS {
            remembered.remove(0);
        }
        remembered.push((filters.clone(), Arc::clone(&allowed)));
        Ok(Some(allowed))
    }
}

/// Token vectors with the store's rows they belong to.
#[derive(Debug)]
pub(crate) struct Tokens {
    pub(crate) index: multivector::Index,
    pub(crate) rows: multivector::Rows,
    pub(crate) path: PathBuf,
    /// Of the file, which a writer may remove later.
    bytes: u64,
    store: Arc<Store>,
}

impl Tokens {
    fn open(path: &Path, store: Arc<Store>) -> Result<Self, RetrieveError> {
        let file = multivector::TokenFile::open(path)?;
        Ok(Self {
            rows: multivector::link_rows(&store, &file.keys),
            bytes: file.bytes,
            index: file.index,
            path: path.to_owned(),
            store,
        })
    }

    /// The number in the index of a passage.
    pub(crate) fn passage(&self, id: PassageId) -> Option<u32> {
        self.rows.passage(self.store.row_of(id)?)
    }

    pub(crate) fn passage_id(&self, row: u32) -> PassageId {
        self.store.passage_id(row)
    }
}

/// The data behind a mutex: caches stay usable after a panic elsewhere.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where a passage comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceInfo {
    /// The document.
    pub document: DocumentId,
    /// Its file, relative to the indexed root.
    pub path: String,
    /// Its title, empty when it has none.
    pub title: String,
}
