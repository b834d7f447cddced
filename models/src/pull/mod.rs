//! Fetching published weights: a folder's files, through the door, into the registry.
//!
//! A model is named as on a hub (`owner/name`, `owner/name@revision`) or by the address of any folder
//! that a web server shows. What was fetched before an interruption is kept beside the registry and
//! gone on with by a range request, if the server still has the same file. Lengths and SHA-256 sums
//! are checked where the hub's listing, or a file `SHA256SUMS` in the folder, states them; without
//! sums what protects is the connection (TLS), and that the weights have to open. The registry gets a
//! model whole or not at all.

mod fetch;
mod listing;
mod source;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use indago_core::{Cancel, Cancelled};
use indago_egress::{Door, EgressError, Secret};

use crate::registry::{FolderOptions, Registry};
use crate::{FolderKind, ModelError};
use fetch::{Fetch, Fetched};
pub use source::Source;

/// The hub that names without an address belong to.
pub const HUB: &str = "https://huggingface.co";

const WEIGHTS: &str = "model.safetensors";
const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// A file of a model.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    name: &'static str,
    is_required: bool,
    max_bytes: u64,
    /// Not asked for without this one.
    belongs_to: Option<&'static str>,
}

const fn wanted(name: &'static str, is_required: bool, max_bytes: u64) -> Wanted {
    Wanted {
        name,
        is_required,
        max_bytes,
        belongs_to: None,
    }
}

/// What is fetched, in this order: what tells that it is no model comes before what is large.
const FILES: [Wanted; 13] = [
    wanted("config.json", true, MIB),
    wanted("modules.json", false, MIB),
    wanted("sentence_bert_config.json", false, MIB),
    wanted("config_sentence_transformers.json", false, MIB),
    wanted("artifact.metadata", false, MIB),
    wanted("1_Pooling/config.json", false, MIB),
    wanted("1_Dense/config.json", false, MIB),
    wanted("tokenizer.json", false, 64 * MIB),
    wanted("tokenizer_config.json", false, 16 * MIB),
    wanted("vocab.txt", false, 16 * MIB),
    wanted("idf.json", false, 64 * MIB),
    Wanted {
        belongs_to: Some("1_Dense/config.json"),
        ..wanted("1_Dense/model.safetensors", false, KIB * MIB)
    },
    wanted(WEIGHTS, true, 32 * KIB * MIB),
];

/// How a fetch stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pulling<'a> {
    /// Which file.
    pub file: &'a str,
    /// Its bytes that are here.
    pub done: u64,
    /// Its length; `None` while the server has not said.
    pub total: Option<u64>,
}

/// A model that is in the registry now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulled {
    /// Its name there.
    pub name: String,
    /// What it is for.
    pub kind: FolderKind,
    /// Where it is.
    pub folder: PathBuf,
    /// Bytes that came over the network.
    pub fetched: u64,
    /// Whether sums stated by the server were checked for the weights.
    pub is_checked: bool,
    /// Whether it was there before, so that nothing was fetched.
    pub was_there: bool,
}

/// A model could not be fetched. What came is kept where going on can use it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PullError {
    /// Neither a model's name nor an address.
    #[error("`{what}` names no model: {reason}")]
    BadSource {
        /// What was given.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The server has no such model.
    #[error("there is no model at `{url}`")]
    NotFound {
        /// Where it was looked for.
        url: String,
    },
    /// The server wants a key, or another one.
    #[error("`{url}` is not given without permission (status {status})")]
    Refused {
        /// Which file.
        url: String,
        /// 401 or 403.
        status: u16,
    },
    /// The server answered with something else than a file.
    #[error("`{url}` was answered with status {status}")]
    Status {
        /// Which file.
        url: String,
        /// The status.
        status: u16,
    },
    /// What is there is not a model that can be run here.
    #[error("`{url}` holds no model that can be used: {reason}")]
    NotAModel {
        /// Where.
        url: String,
        /// What is missing or unknown.
        reason: String,
    },
    /// A file is not the one that the server's list states. It was dropped.
    #[error("`{file}` is not what the list of `{url}` states: {reason}")]
    Mismatch {
        /// Which file.
        file: String,
        /// Whose.
        url: String,
        /// Length or sum, stated and found.
        reason: String,
    },
    /// The way there is closed, broke or was too slow.
    #[error("cannot fetch `{file}`: {source}")]
    Network {
        /// Which file.
        file: String,
        /// What happened.
        source: EgressError,
    },
    /// Another process fetches the same model.
    #[error("another process is fetching `{0}`")]
    Busy(String),
    /// The operating system refused.
    #[error("cannot write `{}`: {source}", path.display())]
    Disk {
        /// Which file.
        path: PathBuf,
        /// Its answer.
        source: io::Error,
    },
    /// The files are there and are no sound model.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Cancelled.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl PullError {
    fn disk(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Disk {
            path: path.into(),
            source,
        }
    }

    /// Whether the disk is full.
    pub fn is_disk_full(&self) -> bool {
        let full = [
            io::ErrorKind::StorageFull,
            io::ErrorKind::QuotaExceeded,
            io::ErrorKind::FileTooLarge,
        ];
        matches!(self, Self::Disk { source, .. } if full.contains(&source.kind()))
    }
}

/// Fetches the model at `source` and adds it to the registry under `options.name` or its own name.
/// `key` goes to the source's own server only. Needs a tokio runtime with time and sockets; waits for
/// files on the calling thread.
///
/// # Errors
/// [`PullError`]; what came so far is kept for the next attempt where that makes sense.
pub async fn pull(
    door: &Door,
    registry: &Registry,
    source: &Source,
    key: Option<Secret>,
    options: &FolderOptions,
    progress: &mut (dyn FnMut(Pulling<'_>) + Send),
    cancel: &Cancel,
) -> Result<Pulled, PullError> {
    let name = options.name.clone().unwrap_or_else(|| source.name.clone());
    if !crate::registry::is_name(&name) {
        return Err(PullError::BadSource {
            what: name,
            reason: "a model's name has letters, digits, `-`, `_` and `.` only".to_owned(),
        });
    }
    let pulls = registry.folder().join(".pull");
    let partial = pulls.join(&name);
    fs::create_dir_all(&pulls).map_err(PullError::disk(&pulls))?;
    let lock = lock(&pulls, &name)?;
    // Looked at under the lock: somebody may have fetched it while this one waited for its turn.
    if let Some(there) = already(registry, &name, options)? {
        finish(&pulls, &name, lock);
        return Ok(there);
    }
    for file in FILES {
        let path = partial.join(file.name);
        let folder = path.parent().unwrap_or(&partial);
        fs::create_dir_all(folder).map_err(PullError::disk(folder))?;
    }
    let listing = listing::read(door, source, key.as_ref(), cancel).await?;
    let mut fetch = Fetch::new(door, source, key, &partial, progress, cancel)?;
    let mut is_checked = false;
    for wanted in FILES {
        let stated = listing.get(wanted.name);
        if listing.is_whole && stated.is_none() {
            if wanted.is_required {
                return Err(missing(source, wanted, &listing.other_weights));
            }
            continue;
        }
        if wanted
            .belongs_to
            .is_some_and(|name| !partial.join(name).is_file())
        {
            continue;
        }
        let stated = stated.cloned().unwrap_or_default();
        if wanted.name == WEIGHTS {
            check_settings(source, &partial)?;
            is_checked = stated.sha256.is_some();
        }
        match fetch.file(wanted, &stated).await? {
            Fetched::Here => {}
            Fetched::Absent if !wanted.is_required => {}
            Fetched::Absent if wanted.name == WEIGHTS => {
                return Err(missing(source, wanted, &listing.other_weights));
            }
            Fetched::Absent => {
                let url = source.folder().to_owned();
                return Err(PullError::NotFound { url });
            }
        }
        cancel.check()?;
    }
    let fetched = fetch.fetched;
    let options = FolderOptions {
        name: Some(name.clone()),
        ..options.clone()
    };
    let added = registry.adopt_folder(&partial, &options);
    // Sound or not, there is nothing left to go on with.
    let _ = fs::remove_dir_all(&partial);
    let folder = added?;
    finish(&pulls, &name, lock);
    Ok(Pulled {
        kind: FolderKind::of(&folder)?,
        name,
        folder,
        fetched,
        is_checked,
        was_there: false,
    })
}

/// The model of this name, where it is in the registry and sound.
fn already(
    registry: &Registry,
    name: &str,
    options: &FolderOptions,
) -> Result<Option<Pulled>, PullError> {
    let Some(folder) = registry.folder_of(name) else {
        return Ok(None);
    };
    registry.verify(name)?;
    options.check_against(name, &folder)?;
    Ok(Some(Pulled {
        name: name.to_owned(),
        kind: FolderKind::of(&folder)?,
        folder,
        fetched: 0,
        is_checked: false,
        was_there: true,
    }))
}

/// One process at a time fetches a model; the lock goes with the process.
fn lock(pulls: &Path, name: &str) -> Result<fs::File, PullError> {
    let path = pulls.join(format!("{name}.lock"));
    let file = fs::File::create(&path).map_err(PullError::disk(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(PullError::Busy(name.to_owned())),
        Err(fs::TryLockError::Error(source)) => Err(PullError::Disk { path, source }),
    }
}

/// Leaves nothing behind; the folder stays while others are being fetched.
fn finish(pulls: &Path, name: &str, lock: fs::File) {
    let _ = fs::remove_dir_all(pulls.join(name));
    let _ = fs::remove_file(pulls.join(format!("{name}.lock")));
    drop(lock);
    let _ = fs::remove_dir(pulls);
}

/// What can be known to be wrong before the weights are fetched.
fn check_settings(source: &Source, partial: &Path) -> Result<(), PullError> {
    let no = |reason: String| PullError::NotAModel {
        url: source.folder().to_owned(),
        reason,
    };
    FolderKind::of(partial).map_err(|e| no(e.to_string()))?;
    let has = |name: &str| partial.join(name).is_file();
    if !has("tokenizer.json") && !has("vocab.txt") {
        return Err(no("it has neither tokenizer.json nor vocab.txt".to_owned()));
    }
    Ok(())
}

fn missing(source: &Source, wanted: Wanted, others: &[String]) -> PullError {
    let instead = if wanted.name == WEIGHTS && !others.is_empty() {
        format!(", only {}", others.join(", "))
    } else {
        String::new()
    };
    PullError::NotAModel {
        url: source.folder().to_owned(),
        reason: format!("it has no {}{instead}", wanted.name),
    }
}
