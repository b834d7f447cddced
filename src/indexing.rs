//! From paths to an index: what changed is read on all cores, written in order, published at once.
//!
//! The lexical index is published first and can be searched at once; vectors fill in behind it
//! (see [`embed`]). Dropping out at any moment leaves the published index as it was.

mod behind;
mod read;

pub use behind::{
    embed, embed_tokens, extract_facts, index_phrases, index_sparse, index_substrings, link, prune,
    sparse_behind,
};
pub(crate) use read::hash_file;

use std::path::{Path, PathBuf};

use indago_core::{Cancel, Cancelled, IndexCoverage};
use indago_retriever::ingest::{
    ChunkOptions, FoundFile, LoadLimits, SkipReason, Skipped, WalkError, WalkOptions, Warning, walk,
};
use indago_retriever::{
    Committed, CorpusWriter, FileState, IndexError, Prepared, Stage, WriterOptions,
};
use indago_text::LanguageChoice;
use serde::Serialize;

use crate::{Error, Project};

/// Note of a corpus: the paths it is made from.
pub(crate) const ROOTS_NOTE: &str = "roots";
/// Beside the indexes: what could not be read, so that unchanged files stay in the table without
/// being read again. Losing it loses only those lines.
const SKIPPED_FILE: &str = "unreadable.json";
/// Entries of that list.
const MAX_SKIPPED_KEPT: usize = 10_000;

/// What to index and how.
#[derive(Clone, Debug)]
pub struct IndexRequest {
    /// Name of the corpus.
    pub corpus: String,
    /// Files and folders to add; empty updates what the corpus is made from.
    pub paths: Vec<PathBuf>,
    /// Start from nothing, with these paths only.
    pub rebuild: bool,
    /// Threads to read with.
    pub threads: usize,
    /// Bounds on what one file may cost.
    pub limits: LoadLimits,
    /// Sizes of passages.
    pub chunks: ChunkOptions,
    /// Which files count.
    pub walk: WalkOptions,
    /// Which language documents are taken to be in, from now on; `None` leaves it as the corpus was
    /// made, by default each as it states or shows.
    pub language: Option<LanguageChoice>,
}

impl IndexRequest {
    /// Adds `paths` to `corpus` with the default sizes and limits, on all cores.
    pub fn new(corpus: impl Into<String>, paths: Vec<PathBuf>) -> Self {
        Self {
            corpus: corpus.into(),
            paths,
            rebuild: false,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            limits: LoadLimits::default(),
            chunks: ChunkOptions::default(),
            walk: WalkOptions::default(),
            language: None,
        }
    }
}

/// What happens while a corpus is indexed.
#[derive(Clone, Copy, Debug)]
pub enum Progress<'a> {
    /// The files are being listed.
    Listing,
    /// What there is to do.
    Planned {
        /// Files to read.
        files: usize,
        /// Their bytes.
        bytes: u64,
        /// Files that are as they were.
        unchanged: usize,
    },
    /// A file has been read or left out.
    File {
        /// Its path.
        path: &'a str,
        /// Its bytes.
        bytes: u64,
    },
    /// The index is being finished.
    Stage(Stage),
    /// Vectors made so far.
    Vectors(IndexCoverage),
    /// Nothing could be read, and why.
    Unreadable(&'a [Skipped]),
}

/// What an indexing run did.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Indexed {
    /// The corpus.
    pub corpus: String,
    /// Files read because they were new.
    pub added: usize,
    /// Files read because they changed.
    pub changed: usize,
    /// Files that are as they were.
    pub unchanged: usize,
    /// Files that disappeared.
    pub removed: usize,
    /// Bytes of the files read.
    pub read_bytes: u64,
    /// Documents in the corpus now.
    pub documents: u64,
    /// Passages in the corpus now.
    pub passages: u64,
    /// Bytes of decoded text in the corpus now.
    pub text_bytes: u64,
    /// What could not be read, also where that was known before, in order of path.
    pub skipped: Vec<Skipped>,
    /// What was read, but not quite as it stands.
    pub warnings: Vec<Warning>,
}

/// Brings a corpus up to date with its paths, lexically. See the module's description.
///
/// # Errors
/// The published index stays as it was whatever fails. When the first indexing of a corpus is
/// cancelled, what was read so far is published and the next call goes on from there.
pub fn index(
    project: &Project,
    request: &IndexRequest,
    progress: &mut dyn FnMut(Progress<'_>),
    cancel: &Cancel,
) -> Result<Indexed, Error> {
    let dir = project.corpus_dir(&request.corpus)?;
    let given = absolute(&request.paths)?;
    // A mistyped path must not leave an empty corpus behind.
    let mut writer = open_writer(&dir, request)?;
    let roots = roots(&writer, request, given)?;
    progress(Progress::Listing);
    let found = walk(&roots, &request.walk)?;
    if found.files.is_empty() && found.skipped.is_empty() {
        return Err(Error::NoFiles { paths: roots });
    }
    let found_files = found.files.len();
    let states = states(&found.files, &writer, cancel)?;
    let plan = writer.plan(&states);
    let to_read: Vec<(FoundFile, FileState)> = {
        let by_path: std::collections::HashMap<&str, &FoundFile> = found
            .files
            .iter()
            .map(|file| (file.relative.as_str(), file))
            .collect();
        plan.to_read()
            .filter_map(|state| {
                by_path
                    .get(state.path.as_str())
                    .map(|f| ((*f).clone(), state.clone()))
            })
            .collect()
    };
    let read_bytes = to_read.iter().map(|(file, _)| file.bytes).sum();
    progress(Progress::Planned {
        files: to_read.len(),
        bytes: read_bytes,
        unchanged: plan.unchanged.len(),
    });

    let mut outcome = Indexed {
        corpus: request.corpus.clone(),
        added: plan.new.len(),
        changed: plan.changed.len(),
        unchanged: plan.unchanged.len(),
        removed: plan.removed.len(),
        read_bytes,
        ..Indexed::default()
    };
    outcome.skipped = found.skipped;
    outcome.skipped.extend(known_skips(&dir, &plan.unchanged));
    let first_time = writer.files().next().is_none();
    if let Ok(text) = serde_json::to_string(&roots) {
        writer.notes_mut().insert(ROOTS_NOTE.to_owned(), text);
    }
    let language = writer.language();
    let mut generation = writer.build(&plan.unchanged)?;
    let read = read::Reader {
        threads: request.threads,
        limits: request.limits,
        chunks: request.chunks,
        language,
        cancel,
    };
    let result = read.run(to_read, |step| {
        match step {
            read::Step::Begin(state) => generation.file(state),
            read::Step::Documents(documents) => {
                for prepared in &documents {
                    add(&mut generation, prepared, &mut outcome)?;
                }
            }
            read::Step::Skipped(skipped) => outcome.skipped.push(skipped),
            read::Step::Warning(warning) => outcome.warnings.push(warning),
            read::Step::End { path, bytes } => progress(Progress::File { path: &path, bytes }),
        }
        Ok(())
    });
    let interrupted = result? == read::Coverage::Some;
    if interrupted && !first_time {
        return Err(Cancelled.into());
    }
    // What was read before a first run was interrupted is published whole.
    let committed = generation.commit(!interrupted, |stage| {
        progress(Progress::Stage(stage));
        if interrupted { Ok(()) } else { cancel.check() }
    })?;
    outcome.skipped.sort_by(|a, b| a.path.cmp(&b.path));
    keep_skips(&dir, &outcome.skipped);
    if interrupted {
        return Err(Cancelled.into());
    }
    if committed.documents == 0 {
        // The failed files are worth more than the sentence that there are some.
        progress(Progress::Unreadable(&outcome.skipped));
        return Err(Error::NothingReadable { files: found_files });
    }
    let Committed {
        documents,
        passages,
        text_bytes,
    } = committed;
    Ok(Indexed {
        documents,
        passages,
        text_bytes,
        ..outcome
    })
}

/// The one writer of the corpus in `dir`.
fn open_writer(dir: &Path, request: &IndexRequest) -> Result<CorpusWriter, Error> {
    let IndexRequest {
        limits,
        chunks,
        walk,
        ..
    } = request;
    // Whatever changes what a document becomes is part of the settings: other settings, other index.
    let settings = format!("ingest 1; {limits:?}; {chunks:?}; {walk:?}");
    let options = WriterOptions {
        settings,
        threads: request.threads,
        language: request.language,
    };
    Ok(if request.rebuild {
        CorpusWriter::open_anew(dir, &options)?
    } else {
        CorpusWriter::open(dir, &options)?
    })
}

/// The given paths, absolute; each must be there.
fn absolute(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    let resolve = |path: &PathBuf| match path.canonicalize() {
        Ok(path) => Ok(path),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            Err(WalkError::MissingRoot { path: path.clone() }.into())
        }
        Err(source) => Err(Error::io("open", path, source)),
    };
    paths.iter().map(resolve).collect()
}

/// What the corpus is made from: what it remembers and what is given, each once. A path inside
/// another one adds nothing.
fn roots(
    writer: &CorpusWriter,
    request: &IndexRequest,
    given: Vec<PathBuf>,
) -> Result<Vec<PathBuf>, Error> {
    let noted = writer.notes().get(ROOTS_NOTE);
    let remembered: Vec<PathBuf> = noted
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    let mut roots: Vec<PathBuf> = Vec::new();
    if !request.rebuild || given.is_empty() {
        for path in remembered {
            if !path.exists() && !given.iter().any(|new| path.starts_with(new)) {
                return Err(Error::RootGone {
                    name: request.corpus.clone(),
                    path,
                });
            }
            roots.push(path);
        }
    }
    roots.extend(given);
    let all = roots.clone();
    let mut seen = Vec::new();
    roots.retain(|path| {
        let inside = all
            .iter()
            .any(|other| path != other && path.starts_with(other));
        let again = seen.contains(path);
        seen.push(path.clone());
        !inside && !again
    });
    if roots.is_empty() {
        return Err(Error::NoPaths {
            name: request.corpus.clone(),
        });
    }
    Ok(roots)
}

/// Files as the file system shows them; those that were touched but keep their length are hashed,
/// so that a fresh checkout of the same content costs no parsing.
fn states(
    files: &[FoundFile],
    writer: &CorpusWriter,
    cancel: &Cancel,
) -> Result<Vec<FileState>, Error> {
    let known: std::collections::HashMap<&str, &FileState> = writer
        .files()
        .map(|state| (state.path.as_str(), state))
        .collect();
    let mut states = Vec::with_capacity(files.len());
    for file in files {
        cancel.check()?;
        let modified_ns = file.modified.and_then(nanoseconds).unwrap_or(0);
        let touched = known.get(file.relative.as_str()).is_some_and(|then| {
            then.bytes == file.bytes && then.modified_ns != modified_ns && then.hash.is_some()
        });
        states.push(FileState {
            path: file.relative.clone(),
            bytes: file.bytes,
            modified_ns,
            hash: if touched {
                hash_file(&file.path).ok()
            } else {
                None
            },
        });
    }
    Ok(states)
}

fn nanoseconds(time: std::time::SystemTime) -> Option<i64> {
    let since = time.duration_since(std::time::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_nanos()).ok()
}

/// Adds a document; one whose id is taken is left out and listed.
fn add(
    generation: &mut indago_retriever::Generation<'_>,
    prepared: &Prepared,
    outcome: &mut Indexed,
) -> Result<(), Error> {
    match generation.add(prepared) {
        Err(IndexError::DuplicateDocument { id, path, first }) => {
            let detail = format!("document id `{id}` is already used by `{first}`");
            outcome.skipped.push(Skipped {
                path,
                reason: SkipReason::BadRecord,
                detail,
            });
            Ok(())
        }
        other => Ok(other?),
    }
}

/// What was left out of unchanged files when they were read.
fn known_skips(dir: &Path, unchanged: &[FileState]) -> Vec<Skipped> {
    let Ok(text) = std::fs::read_to_string(dir.join(SKIPPED_FILE)) else {
        return Vec::new();
    };
    let known: Vec<Skipped> = serde_json::from_str(&text).unwrap_or_default();
    let unchanged: std::collections::HashSet<&str> =
        unchanged.iter().map(|state| state.path.as_str()).collect();
    let of_file = |skipped: &Skipped| {
        // A record is listed as `path:line`.
        let path = skipped.path.as_str();
        let file = path.rsplit_once(':').map_or(path, |(file, _)| file);
        unchanged.contains(path) || unchanged.contains(file)
    };
    known.into_iter().filter(of_file).collect()
}

/// Best effort: the list is a convenience and the index is published already.
fn keep_skips(dir: &Path, skipped: &[Skipped]) {
    let kept = &skipped[..skipped.len().min(MAX_SKIPPED_KEPT)];
    let written = serde_json::to_string(kept)
        .map_err(std::io::Error::other)
        .and_then(|text| std::fs::write(dir.join(SKIPPED_FILE), text));
    if let Err(error) = written {
        tracing::warn!(%error, "the list of unreadable files is not kept");
    }
}
