//! Folders of published weights in the registry.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::{Entry, ModelKind, Place, Verified};
use crate::weights::{OWN_SETTINGS, OwnSettings, own_settings};
use crate::{ColBert, CrossEncoder, FolderKind, ModelError, Precision, SentenceEncoder, Splade};

/// What is copied of a folder, where it is there.
const FILES: [&str; 13] = [
    "1_Dense/config.json",
    "1_Dense/model.safetensors",
    "1_Pooling/config.json",
    "artifact.metadata",
    "config.json",
    "config_sentence_transformers.json",
    "idf.json",
    "model.safetensors",
    "modules.json",
    "sentence_bert_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
];
/// Checksums of a model's files, by name, as hexadecimal text.
const SUMS: &str = "checksums.json";

/// What is said of a model when it is added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FolderOptions {
    /// Its name in the registry instead of its folder's.
    pub name: Option<String>,
    /// What stands before queries, for encoders trained with prefixes.
    pub query_prefix: Option<String>,
    /// What stands before passages.
    pub passage_prefix: Option<String>,
    /// What it is computed in instead of f32.
    pub precision: Option<Precision>,
}

impl FolderOptions {
    /// What goes into the settings beside the model.
    fn settings(&self) -> OwnSettings {
        // Who says one of the prefixes says that there is no other.
        let says = self.query_prefix.is_some() || self.passage_prefix.is_some();
        let prefix = |own: &Option<String>| says.then(|| own.clone().unwrap_or_default());
        OwnSettings {
            query: prefix(&self.query_prefix),
            passage: prefix(&self.passage_prefix),
            precision: self
                .precision
                .filter(|precision| *precision != Precision::F32),
        }
    }

    /// Refuses options that the model in `folder`, which is there under `name`, was not added with.
    ///
    /// # Errors
    /// When there are such options, or the folder's settings cannot be read.
    pub(crate) fn check_against(&self, name: &str, folder: &Path) -> Result<(), ModelError> {
        let (wanted, there) = (self.settings(), own_settings(folder)?);
        let same = wanted
            .query
            .is_none_or(|prefix| there.query == Some(prefix))
            && wanted
                .passage
                .is_none_or(|prefix| there.passage == Some(prefix))
            && self
                .precision
                .is_none_or(|_| there.precision == wanted.precision);
        if same {
            return Ok(());
        }
        let reason =
            format!("`{name}` is in the registry with other settings: give it another name");
        Err(ModelError::format(folder.display().to_string(), reason))
    }
}

/// Whether a name can be that of a file or folder beside others.
pub(crate) fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !name.is_empty() && !name.starts_with('.') && name.chars().all(plain)
}

pub(super) fn list(registry: &Path) -> Result<Vec<Entry>, ModelError> {
    if !registry.exists() {
        return Ok(Vec::new());
    }
    let mut paths = Vec::new();
    for entry in fs::read_dir(registry).map_err(ModelError::io(registry))? {
        let path = entry.map_err(ModelError::io(registry))?.path();
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        if let Some(name) = name.filter(|name| is_name(name) && path.is_dir()) {
            paths.push((name, path));
        }
    }
    paths.sort();
    let entry = |(name, path): (String, PathBuf)| Entry {
        bytes: FILES
            .iter()
            .filter_map(|file| fs::metadata(path.join(file)).ok())
            .map(|metadata| metadata.len())
            .sum(),
        state: verify(&path),
        place: Place::Folder(path),
        name,
    };
    Ok(paths.into_iter().map(entry).collect())
}

/// Hashes of the files that are there, [`OWN_SETTINGS`] among them.
fn sums(folder: &Path) -> Result<BTreeMap<String, String>, ModelError> {
    let mut sums = BTreeMap::new();
    for file in FILES.into_iter().chain([OWN_SETTINGS]) {
        let path = folder.join(file);
        if path.is_file() {
            let bytes = fs::read(&path).map_err(ModelError::io(&path))?;
            sums.insert(file.to_owned(), format!("{:016x}", xxh3_64(&bytes)));
        }
    }
    Ok(sums)
}

fn verify(folder: &Path) -> Result<Verified, ModelError> {
    let path = folder.join(SUMS);
    let what = || path.display().to_string();
    let text = fs::read_to_string(&path).map_err(ModelError::io(&path))?;
    let written: BTreeMap<String, String> =
        serde_json::from_str(&text).map_err(|e| ModelError::format(what(), e.to_string()))?;
    let found = sums(folder)?;
    for (file, expected) in &written {
        if found.get(file) != Some(expected) {
            let number = |hex: Option<&String>| {
                hex.and_then(|hex| u64::from_str_radix(hex, 16).ok())
                    .unwrap_or_default()
            };
            return Err(ModelError::Checksum {
                what: folder.join(file).display().to_string(),
                found: number(found.get(file)),
                expected: number(Some(expected)),
            });
        }
    }
    if let Some(extra) = found.keys().find(|file| !written.contains_key(*file)) {
        let reason = format!("`{extra}` was put there after the model was added");
        return Err(ModelError::format(folder.display().to_string(), reason));
    }
    let kind = FolderKind::of(folder)?;
    let mut hash = Xxh3::new();
    hash.update(text.as_bytes());
    Ok(Verified {
        kind: ModelKind::Folder(kind),
        checksum: hash.digest(),
        precision: Some(own_settings(folder)?.precision.unwrap_or_default()),
        about: format!("published weights, {} files", written.len()),
    })
}

/// Opens the model, so that what cannot be used is not added.
fn check(folder: &Path) -> Result<(), ModelError> {
    match FolderKind::of(folder)? {
        FolderKind::Encoder => drop(SentenceEncoder::open(folder)?),
        FolderKind::CrossEncoder => drop(CrossEncoder::open(folder)?),
        FolderKind::SparseEncoder => drop(Splade::open(folder)?),
        FolderKind::TokenEncoder => drop(ColBert::open(folder)?),
    }
    Ok(())
}

pub(super) fn add(
    registry: &Path,
    from: &Path,
    options: &FolderOptions,
    means: Means,
) -> Result<PathBuf, ModelError> {
    check(from)?;
    let what = from.display().to_string();
    let own = from.canonicalize().map_err(ModelError::io(from))?;
    let own = own
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    let name = options.name.clone().or(own).unwrap_or_default();
    if !is_name(&name) {
        let reason = format!("`{name}` is no name for a model: use letters, digits, `-`, `_`, `.`");
        return Err(ModelError::format(what, reason));
    }
    let target = registry.join(&name);
    // Written under another name first, so that no reader sees half a model.
    let partial = registry.join(format!(".{name}.{}", std::process::id()));
    if let Err(error) = bring(from, &partial, options, means) {
        // The failure to report is the first one; a leftover folder is not listed.
        let _ = fs::remove_dir_all(&partial);
        return Err(error);
    }
    if target.exists() {
        let same = sums(&partial)? == sums(&target)? && verify(&target).is_ok();
        let removed = fs::remove_dir_all(&partial).map_err(ModelError::io(&partial));
        if same {
            return removed.map(|()| target);
        }
        let reason =
            format!("`{name}` is in the registry with other content: give it another name");
        return Err(ModelError::format(what, reason));
    }
    fs::rename(&partial, &target).map_err(ModelError::io(&target))?;
    Ok(target)
}

/// What becomes of the folder that is added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Means {
    Copy,
    Move,
}

fn bring(from: &Path, to: &Path, options: &FolderOptions, means: Means) -> Result<(), ModelError> {
    for file in FILES {
        let (source, target) = (from.join(file), to.join(file));
        if !source.is_file() {
            continue;
        }
        let folder = target.parent().unwrap_or(to);
        fs::create_dir_all(folder).map_err(ModelError::io(folder))?;
        if means == Means::Copy || fs::rename(&source, &target).is_err() {
            fs::copy(&source, &target).map_err(ModelError::io(&source))?;
        }
    }
    let own = options.settings();
    if own != OwnSettings::default() {
        let path = to.join(OWN_SETTINGS);
        let text = serde_json::to_string(&own).unwrap_or_default();
        fs::write(&path, text).map_err(ModelError::io(&path))?;
    }
    let path = to.join(SUMS);
    let sums = serde_json::to_string_pretty(&sums(to)?).unwrap_or_default();
    fs::write(&path, sums).map_err(ModelError::io(&path))
}
