//! Which models there are: those that are part of the program, and files in a folder of the user's.
//!
//! A model in the folder is one file, either an int8 encoder ([`crate::quantize`]) or a static
//! table ([`crate::distill`]), named by its file name; or a folder of published weights
//! ([`crate::FolderKind`]) with the checksums of its files. Fetching them is [`crate::pull`]'s.

mod folders;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::encoder::{MINILM_BYTES, READER_BYTES, TABLE_BYTES};
use crate::weights::container::Container;
use crate::{FolderKind, ModelError, Precision};

pub use folders::FolderOptions;
pub(crate) use folders::is_name;

/// What a model file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelKind {
    /// A sentence encoder: [`crate::MiniLm`].
    Encoder,
    /// A table of word-piece vectors: [`crate::StaticEncoder`].
    Table,
    /// What finds answers in passages: [`crate::Reader`]. Only the one that is part of the program is
    /// used.
    Reader,
    /// A folder of published weights.
    Folder(FolderKind),
}

/// Where a model file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Part of the program.
    Embedded,
    /// In the registry's folder.
    File(PathBuf),
    /// A folder in it.
    Folder(PathBuf),
}

/// A model that the registry knows.
#[derive(Debug)]
pub struct Entry {
    /// Its name: what commands take.
    pub name: String,
    /// Where it is.
    pub place: Place,
    /// Length of its file in bytes.
    pub bytes: u64,
    /// What it is and whether its checksum fits; an error says what is wrong with it.
    pub state: Result<Verified, ModelError>,
}

/// What a sound model file says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// What it is for.
    pub kind: ModelKind,
    /// xxh3-64 of its content, as the file states it and as it was found.
    pub checksum: u64,
    /// What a folder's model is computed in; a file says it by its kind.
    pub precision: Option<Precision>,
    /// Its provenance, in a line of text.
    pub about: String,
}

/// The models that are part of the program, and those in a folder.
#[derive(Clone, Debug)]
pub struct Registry {
    folder: PathBuf,
}

impl Registry {
    /// A registry over `folder`, which need not exist.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
        }
    }

    /// All models, each read in full and checked: the embedded ones first, then the folder's by
    /// name. A damaged file is listed with its error.
    ///
    /// # Errors
    /// When the folder exists and cannot be listed.
    pub fn list(&self) -> Result<Vec<Entry>, ModelError> {
        let mut entries = vec![
            embedded("all-MiniLM-L6-v2/int8", MINILM_BYTES),
            embedded("static-minilm/int8", TABLE_BYTES),
            embedded("reader/int8", READER_BYTES),
        ];
        for path in self.files()? {
            let name = path
                .file_name()
                .map(|name| name.to_string_lossy().into_owned());
            let name = name.unwrap_or_default();
            let read = fs::read(&path).map_err(ModelError::io(&path));
            entries.push(Entry {
                bytes: read.as_ref().map_or(0, |bytes| bytes.len() as u64),
                state: read.and_then(|bytes| verify(Container::read(&name, bytes)?)),
                place: Place::File(path),
                name,
            });
        }
        entries.extend(folders::list(&self.folder)?);
        Ok(entries)
    }

    /// Checks the model `name`.
    ///
    /// # Errors
    /// When there is no such model, or it is damaged.
    pub fn verify(&self, name: &str) -> Result<Verified, ModelError> {
        let entry = self.list()?.into_iter().find(|entry| entry.name == name);
        entry
            .ok_or_else(|| ModelError::format(format!("model `{name}`"), "it is not there"))?
            .state
    }

    /// Checks the model file at `path` and copies it into the folder under its file name; returns
    /// where. The copy appears whole or not at all.
    ///
    /// # Errors
    /// When the file is no sound model, a model of that name is there with other content, or it
    /// cannot be copied.
    pub fn add(&self, path: &Path) -> Result<PathBuf, ModelError> {
        let bytes = fs::read(path).map_err(ModelError::io(path))?;
        let what = path.display().to_string();
        let Verified { kind, checksum, .. } = verify(Container::read(&what, bytes.clone())?)?;
        if kind == ModelKind::Reader {
            let reason = "it is a reader, and only the one that is part of the program is used";
            return Err(ModelError::format(&what, reason));
        }
        let name = path
            .file_name()
            .ok_or_else(|| ModelError::format(&what, "it has no file name"))?
            .to_string_lossy()
            .into_owned();
        let target = self.folder.join(&name);
        if target.exists() {
            if self
                .verify(&name)
                .is_ok_and(|there| there.checksum == checksum)
            {
                return Ok(target);
            }
            let reason = format!("`{name}` is in the registry with other content: rename the file");
            return Err(ModelError::format(&what, reason));
        }
        fs::create_dir_all(&self.folder).map_err(ModelError::io(&self.folder))?;
        // Written under another name first, so that no reader sees half a file.
        let partial = self.folder.join(format!(".{name}.{}", std::process::id()));
        let written = fs::File::create(&partial)
            .and_then(|mut file| file.write_all(&bytes).and_then(|()| file.sync_all()))
            .and_then(|()| fs::rename(&partial, &target));
        if let Err(source) = written {
            // The failure to report is the first one; a leftover file is not listed.
            let _ = fs::remove_file(&partial);
            return Err(ModelError::Io {
                path: target,
                source,
            });
        }
        Ok(target)
    }

    /// Checks the published weights in the folder `from` and copies what is needed of them into the
    /// registry under the folder's name, or `name`; returns where. The copy appears whole or not at
    /// all.
    ///
    /// # Errors
    /// When the folder holds no model of a known kind, a model of that name is there with other
    /// content, or it cannot be copied.
    pub fn add_folder(&self, from: &Path, options: &FolderOptions) -> Result<PathBuf, ModelError> {
        folders::add(&self.folder, from, options, folders::Means::Copy)
    }

    /// The same for a folder that is given up: its files are moved, which takes no second room where
    /// both folders are on one file system.
    ///
    /// # Errors
    /// As [`Self::add_folder`].
    pub fn adopt_folder(
        &self,
        from: &Path,
        options: &FolderOptions,
    ) -> Result<PathBuf, ModelError> {
        folders::add(&self.folder, from, options, folders::Means::Move)
    }

    /// Where models are added.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder of the published weights that were added as `name`.
    pub fn folder_of(&self, name: &str) -> Option<PathBuf> {
        folders::is_name(name)
            .then(|| self.folder.join(name))
            .filter(|path| path.is_dir())
    }

    /// Removes the model `name` from the registry's folder.
    ///
    /// # Errors
    /// When it is not there, is part of the program, or cannot be removed.
    pub fn remove(&self, name: &str) -> Result<(), ModelError> {
        let path = self.folder.join(name);
        let missing = || ModelError::format(format!("model `{name}`"), "it was not added");
        if !folders::is_name(name) || !path.exists() {
            return Err(missing());
        }
        if path.is_dir() {
            fs::remove_dir_all(&path).map_err(ModelError::io(&path))
        } else {
            fs::remove_file(&path).map_err(ModelError::io(&path))
        }
    }

    /// Visible files of the folder, by name; none when there is no folder.
    fn files(&self) -> Result<Vec<PathBuf>, ModelError> {
        if !self.folder.exists() {
            return Ok(Vec::new());
        }
        let io = || ModelError::io(&self.folder);
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(io())? {
            let entry = entry.map_err(io())?;
            let hidden = entry.file_name().to_string_lossy().starts_with('.');
            if !hidden && entry.path().is_file() {
                files.push(entry.path());
            }
        }
        files.sort();
        Ok(files)
    }
}

fn embedded(name: &str, bytes: &'static [u8]) -> Entry {
    Entry {
        name: name.to_owned(),
        place: Place::Embedded,
        bytes: bytes.len() as u64,
        state: Container::read(name, bytes).and_then(verify),
    }
}

fn verify(file: Container) -> Result<Verified, ModelError> {
    let has = |name: &str| file.sections().any(|(section, _)| section == name);
    let kind = if has("words.codes") {
        ModelKind::Encoder
    } else if has("codes") {
        ModelKind::Table
    } else if has("spans") {
        ModelKind::Reader
    } else {
        return Err(ModelError::format(
            file.what(),
            "it holds neither an encoder nor a table nor a reader",
        ));
    };
    let about = file.text("about")?.into_owned();
    Ok(Verified {
        kind,
        checksum: file.checksum(),
        precision: None,
        about,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::container::ContainerWriter;

    fn table_file(about: &str) -> Vec<u8> {
        let mut file = ContainerWriter::default();
        file.add("about", about).unwrap();
        file.add("codes", vec![1, 2, 3]).unwrap();
        file.finish()
    }

    #[test]
    fn the_embedded_models_are_sound_and_listed_first() {
        let entries = Registry::new("no/such/folder").list().unwrap();
        let kinds: Vec<_> = entries
            .iter()
            .map(|e| e.state.as_ref().unwrap().kind)
            .collect();
        assert_eq!(
            kinds,
            [ModelKind::Encoder, ModelKind::Table, ModelKind::Reader]
        );
        assert!(entries.iter().all(|entry| entry.place == Place::Embedded));
        assert!(entries[0].bytes <= 24_000_000 && entries[1].bytes <= 8_000_000);
    }

    #[test]
    fn a_model_is_added_once_listed_and_verified() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("mine.int8");
        fs::write(&source, table_file("mine")).unwrap();
        let registry = Registry::new(folder.path().join("models"));
        let target = registry.add(&source).unwrap();
        assert_eq!(registry.add(&source).unwrap(), target);
        assert_eq!(registry.list().unwrap().len(), 4);
        assert_eq!(registry.verify("mine.int8").unwrap().about, "mine");
        let error = registry.verify("other").unwrap_err().to_string();
        assert_eq!(error, "model `other` cannot be used: it is not there");

        fs::write(&source, table_file("changed")).unwrap();
        let error = registry.add(&source).unwrap_err().to_string();
        assert!(error.contains("other content"), "{error}");
        assert_eq!(registry.verify("mine.int8").unwrap().about, "mine");
    }

    #[test]
    fn a_reader_is_not_added() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("reader.int8");
        fs::write(&source, READER_BYTES).unwrap();
        let registry = Registry::new(folder.path().join("models"));
        let error = registry.add(&source).unwrap_err().to_string();
        assert!(error.contains("it is a reader"), "{error}");
        assert!(!folder.path().join("models").exists());
    }

    #[test]
    fn a_damaged_model_is_listed_with_its_error_and_not_added() {
        let folder = tempfile::tempdir().unwrap();
        let mut bytes = table_file("mine");
        *bytes.last_mut().unwrap() ^= 1;
        let path = folder.path().join("damaged");
        fs::write(&path, bytes).unwrap();
        let registry = Registry::new(folder.path());
        let state = registry.list().unwrap().pop().unwrap().state;
        assert!(
            matches!(state, Err(ModelError::Checksum { .. })),
            "{state:?}"
        );
        let elsewhere = Registry::new(folder.path().join("models"));
        assert!(elsewhere.add(&path).is_err());
        assert!(!folder.path().join("models").exists());
    }
}
