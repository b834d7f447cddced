//! Writing a corpus: plan, build the next generation beside the current one, publish, embed.

mod borrow;
mod embed;
mod facts;
mod files;
mod generation;
mod lock;
mod phrases;
mod prune;
mod remove;
mod substrings;
mod tokens;

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indago_core::ports::SparseEncoder;
use indago_core::{Cancel, IndexCoverage};
use indago_text::{Language, LanguageChoice, UnknownLanguage};

pub use embed::VectorsBuilt;
pub use facts::Extracted;
pub use files::{FileState, Plan};
pub use generation::{Committed, Generation, Stage};
pub(crate) use phrases::FOLDER as PHRASES;
pub use phrases::PhrasesBuilt;
pub use remove::remove;
pub use substrings::SubstringsBuilt;

use crate::disk;
use crate::error::{IndexError, corrupt};
use crate::manifest::{Manifest, SparseSet, SubstringSet};
use crate::multivector::TokenFile;
use crate::sparse::{self, SparseBuilt, SparseFile};
use crate::store::Store;
use files::FileRecord;
use lock::Lock;

/// How a corpus is written.
#[derive(Clone, Debug)]
pub struct WriterOptions {
    /// Names how documents are loaded, cut and analysed. When it differs from what the index was
    /// made with, every file counts as changed.
    pub settings: String,
    /// Threads that build the inverted index, 1 to 8.
    pub threads: usize,
    /// Which language documents are taken to be in; `None` for what the corpus was made with, which
    /// for a new one is [`LanguageChoice::Auto`]. Another than that makes every file count as
    /// changed.
    pub language: Option<LanguageChoice>,
}

/// Version of what this crate computes of a passage; part of every index's settings.
const ANALYSIS: &str = "analysis 2";

/// The one writer of a corpus. Holds its lock until dropped.
#[derive(Debug)]
pub struct CorpusWriter {
    dir: PathBuf,
    settings: String,
    threads: usize,
    /// `None` in a corpus that was made before languages were told apart.
    language: Option<LanguageChoice>,
    manifest: Manifest,
    /// The current generation, unless it was made with other settings.
    current: Option<Current>,
    /// Folders of corpora whose vectors may be copied.
    lenders: Vec<PathBuf>,
    // Last, so that the lock outlives everything above.
    _lock: Lock,
}

/// What the next generation starts from.
#[derive(Debug)]
struct Current {
    store: Arc<Store>,
    files: BTreeMap<String, FileRecord>,
}

/// Names of files within a generation's folder.
pub(crate) mod names {
    pub(crate) const STORE: &str = "documents";
    pub(crate) const FILES: &str = "files";
    pub(crate) const LEXICAL: &str = "lexical";
    pub(crate) const NAMES: &str = "names";
}

impl CorpusWriter {
    /// Takes the lock of the corpus in `dir`, which is made when it does not exist, and removes
    /// what an interrupted writer left behind.
    ///
    /// # Errors
    /// [`IndexError::Locked`] while another process writes it; what is wrong with the manifest.
    pub fn open(dir: &Path, options: &WriterOptions) -> Result<Self, IndexError> {
        let lock = Lock::take(dir)?;
        let manifest = Manifest::read(dir)?.unwrap_or_default();
        let language = match (options.language, manifest.generation) {
            (Some(wanted), _) => Some(wanted),
            (None, 0) => Some(LanguageChoice::Auto),
            (None, _) => remembered(&manifest, dir)?,
        };
        let mut writer = Self::with(dir, options, language, manifest, lock);
        writer.remove_leftovers();
        writer.load()?;
        Ok(writer)
    }

    /// The same for an index that is to be made anew, whatever is damaged in it or however much
    /// newer the program is that wrote it. What can be read of the old one is kept as
    /// [`Self::start_over`] says; until the new one is published, nothing of it is touched.
    ///
    /// # Errors
    /// [`IndexError::Locked`] while another process writes it.
    pub fn open_anew(dir: &Path, options: &WriterOptions) -> Result<Self, IndexError> {
        let lock = Lock::take(dir)?;
        let manifest = match Manifest::read(dir) {
            Ok(manifest) => manifest.unwrap_or_default(),
            Err(error) => {
                tracing::warn!(%error, "the list of what the corpus has is made again");
                Manifest::after(dir)
            }
        };
        let wanted = options.language;
        let language = wanted.or_else(|| remembered(&manifest, dir).ok().flatten());
        let language = Some(language.unwrap_or_default());
        let mut writer = Self::with(dir, options, language, manifest, lock);
        writer.start_over();
        Ok(writer)
    }

    fn with(
        dir: &Path,
        options: &WriterOptions,
        language: Option<LanguageChoice>,
        manifest: Manifest,
        lock: Lock,
    ) -> Self {
        let mut settings = format!("{ANALYSIS}; {}", options.settings);
        if let Some(language) = language {
            settings += &format!("; language {language}");
        }
        Self {
            dir: dir.to_owned(),
            settings,
            language,
            threads: options.threads.clamp(1, 8),
            manifest,
            current: None,
            lenders: Vec::new(),
            _lock: lock,
        }
    }

    /// Which language documents are taken to be in.
    pub fn language(&self) -> LanguageChoice {
        self.language
            .unwrap_or(LanguageChoice::Always(Language::English))
    }

    /// The folder of the current generation.
    fn generation_dir(&self) -> PathBuf {
        self.dir
            .join(Manifest::generation_dir(self.manifest.generation))
    }

    fn load(&mut self) -> Result<(), IndexError> {
        self.current = None;
        if self.manifest.generation > 0 && self.manifest.settings == self.settings {
            let dir = self.generation_dir();
            let store = Arc::new(Store::open(&dir.join(names::STORE))?);
            let (documents, passages) = (store.n_documents(), store.n_passages());
            let files = files::read(&dir.join(names::FILES), documents, passages)?;
            let files = files
                .into_iter()
                .map(|file| (file.state.path.clone(), file))
                .collect();
            self.current = Some(Current { store, files });
        }
        Ok(())
    }

    /// Forgets the current index, for one that is damaged: the next generation starts from
    /// nothing. Vectors are kept; token vectors and sparse indexes that cannot be read are forgotten,
    /// because a reader could not open the corpus until their encoder has made them again.
    pub fn start_over(&mut self) {
        self.current = None;
        for set in &mut self.manifest.tokens {
            if let Err(error) = TokenFile::open(&self.dir.join(&set.file)) {
                tracing::warn!(%error, "damaged token vectors are forgotten");
                set.forget();
            }
        }
        Self::check_facts(&mut self.manifest, &self.dir);
        Self::check_substrings(&mut self.manifest, &self.dir);
        Self::check_phrases(&mut self.manifest, &self.dir);
        for set in &mut self.manifest.sparse {
            let open = |file: &str| SparseFile::open(&self.dir.join(file)).err();
            let damage = set.files().find_map(open);
            if let Some(error) = damage {
                tracing::warn!(%error, "a damaged sparse index is forgotten");
                set.forget();
            }
        }
    }

    /// The sparse indexes over the passages of a new generation, whose `manifest` lacks those that
    /// have to be made from nothing.
    fn carry_sparse(
        &self,
        store: &Store,
        manifest: &Manifest,
    ) -> Result<Vec<SparseSet>, IndexError> {
        let mut sets = Vec::new();
        for set in &self.manifest.sparse {
            if set.fingerprint == sparse::IMPACTS {
                let built = sparse::build(&self.dir, store, manifest, None, &Cancel::new());
                sets.push(built?.0);
                continue;
            }
            let mut set = set.clone();
            match sparse::covered(&self.dir, &set, store) {
                Ok(passages) => set.passages = passages,
                Err(error) => {
                    tracing::warn!(%error, "a sparse index has to be made again");
                    set.forget();
                }
            }
            sets.push(set);
        }
        Ok(sets)
    }

    /// Compares the files that should be in the corpus with those that are.
    pub fn plan(&self, files: &[FileState]) -> Plan {
        files::plan(files, self.current.as_ref().map(|current| &current.files))
    }

    /// The paths of the files that are in the corpus, ascending.
    pub fn files(&self) -> impl Iterator<Item = &FileState> {
        self.current
            .iter()
            .flat_map(|current| current.files.values().map(|file| &file.state))
    }

    /// Notes of the application, such as the roots that were indexed.
    pub fn notes(&self) -> &BTreeMap<String, String> {
        &self.manifest.notes
    }

    /// Changes the notes; published with the next generation.
    pub fn notes_mut(&mut self) -> &mut BTreeMap<String, String> {
        &mut self.manifest.notes
    }

    /// Whether the last generation holds all the files that were planned for it.
    pub fn is_complete(&self) -> bool {
        self.manifest.complete
    }

    /// Begins the next generation with the documents of the files in `keep` carried over as they
    /// are; the others of the current generation disappear unless they are added again.
    ///
    /// # Errors
    /// When the disk refuses, or the current generation is corrupt.
    pub fn build(&mut self, keep: &[FileState]) -> Result<Generation<'_>, IndexError> {
        Generation::begin(self, keep)
    }

    /// How far the vectors of an encoder are.
    pub fn coverage(&self, fingerprint: &str) -> IndexCoverage {
        IndexCoverage {
            passages: self.manifest.passages,
            embedded: self
                .manifest
                .vectors_of(fingerprint)
                .map_or(0, |set| set.embedded),
            left_out: self
                .manifest
                .pruning
                .as_ref()
                .map_or(0, |pruning| pruning.passages),
        }
    }

    /// Makes a sparse index, by an encoder's vectors or by BM25's weights, or brings it up to date.
    /// The one by BM25's weights follows every commit by itself; in others what came is missing
    /// until this is called again.
    ///
    /// # Errors
    /// [`IndexError::Cancelled`] soon after `cancel` is set; the corpus is then as it was, and what
    /// was encoded is not encoded again, also when the program is killed.
    pub fn build_sparse(
        &mut self,
        encoder: Option<&dyn SparseEncoder>,
        cancel: &Cancel,
    ) -> Result<Option<SparseBuilt>, IndexError> {
        let Some(store) = self.current.as_ref().map(|current| current.store.clone()) else {
            return Ok(None);
        };
        let mut manifest = self.manifest.clone();
        let (set, built) = sparse::build(&self.dir, &store, &manifest, encoder, cancel)?;
        if manifest.sparse.contains(&set) {
            return Ok(Some(built));
        }
        manifest.edition += 1;
        manifest
            .sparse
            .retain(|other| other.fingerprint != set.fingerprint);
        manifest.sparse.push(set);
        self.publish(manifest)?;
        self.remove_leftovers();
        Ok(Some(built))
    }

    /// Removes everything that the manifest does not name. What cannot be removed now (some
    /// systems keep mapped files) is removed by a later writer.
    fn remove_leftovers(&self) {
        let mut known: HashSet<PathBuf> = HashSet::new();
        if self.manifest.generation > 0 {
            known.insert(self.generation_dir());
        }
        for set in &self.manifest.vectors {
            known.insert(self.dir.join(&set.matrix));
            known.insert(self.dir.join(&set.log));
            known.extend(set.links.iter().map(|links| self.dir.join(&links.file)));
        }
        let sparse = self.manifest.sparse.iter().flat_map(SparseSet::files);
        known.extend(sparse.map(|file| self.dir.join(file)));
        let tokens = self.manifest.tokens.iter();
        known.extend(tokens.map(|set| self.dir.join(&set.file)));
        let substrings = self.manifest.substrings.iter();
        let substrings = substrings.flat_map(SubstringSet::files);
        known.extend(substrings.map(|file| self.dir.join(file)));
        let vectors = self.dir.join(crate::dense::FOLDER);
        let substrings = self.dir.join(crate::substring::FOLDER);
        let phrases = self.manifest.phrases.iter();
        known.extend(phrases.map(|set| self.dir.join(&set.file)));
        let phrases = self.dir.join(PHRASES);
        for folder in [&self.dir, &vectors, &substrings, &phrases] {
            let Ok(entries) = fs::read_dir(folder) else {
                continue;
            };
            for path in entries.flatten().map(|entry| entry.path()) {
                let name = path
                    .file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned();
                let is_data = || ["bin", "log"].iter().any(|e| disk::has_extension(&name, e));
                let ours = is_generation(&name)
                    || name == "manifest.new"
                    || (folder != &self.dir && is_data());
                if !ours || known.contains(&path) {
                    continue;
                }
                let removed = if path.is_dir() {
                    fs::remove_dir_all(&path)
                } else {
                    fs::remove_file(&path)
                };
                if let Err(error) = removed {
                    tracing::debug!(path = %path.display(), %error, "left behind");
                }
            }
        }
    }

    /// Publishes the writer's manifest as the next edition.
    fn publish(&mut self, manifest: Manifest) -> Result<(), IndexError> {
        for folder in [crate::dense::FOLDER, crate::substring::FOLDER, PHRASES] {
            let folder = self.dir.join(folder);
            if folder.is_dir() {
                disk::sync_dir(&folder)?;
            }
        }
        manifest.publish(&self.dir)?;
        self.manifest = manifest;
        Ok(())
    }
}

/// The choice of language that a corpus was made with; `None` in one of the time before.
fn remembered(manifest: &Manifest, dir: &Path) -> Result<Option<LanguageChoice>, IndexError> {
    let named = manifest.language.as_deref().map(str::parse);
    let unknown = |e: UnknownLanguage| corrupt(&Manifest::path(dir), e.to_string());
    Ok(named.transpose().map_err(unknown)?)
}

/// Whether a folder name is one that [`Manifest::generation_dir`] makes.
fn is_generation(name: &str) -> bool {
    name.strip_prefix('g')
        .is_some_and(|n| n.len() >= 6 && n.bytes().all(|b| b.is_ascii_digit()))
}
