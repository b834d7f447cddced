//! Which files are in the corpus, and what changed since.

use std::collections::BTreeMap;
use std::path::Path;

use indago_core::ContentHash;
use indago_core::ports::RetrieveError;
use serde::{Deserialize, Serialize};

use crate::disk::sealed::{Kind, SealedFile, SealedWriter};
use crate::error::{IndexError, corrupt};

const KIND: Kind = Kind {
    name: "files",
    version: 1,
};

/// A file as the file system shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileState {
    /// Relative to the indexed root, with `/`; unique within the corpus.
    pub path: String,
    /// Length in bytes.
    pub bytes: u64,
    /// Modification time in nanoseconds since the Unix epoch; 0 when unknown.
    pub modified_ns: i64,
    /// Hash of the content, where the caller has read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<ContentHash>,
}

/// A file of the corpus and which documents it holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileRecord {
    #[serde(flatten)]
    pub(super) state: FileState,
    pub(super) first_document: u32,
    pub(super) documents: u32,
    pub(super) first_passage: u32,
    pub(super) passages: u32,
}

/// What an indexing run has to do. Every list is in the order of the files given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// As they were: nothing is read, parsed or embedded.
    pub unchanged: Vec<FileState>,
    /// In the corpus with other content.
    pub changed: Vec<FileState>,
    /// Not in the corpus.
    pub new: Vec<FileState>,
    /// In the corpus and no longer wanted: their paths, ascending.
    pub removed: Vec<String>,
}

impl Plan {
    /// Whether the corpus is as it should be.
    pub fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.new.is_empty() && self.removed.is_empty()
    }

    /// Changed and new files: what has to be read.
    pub fn to_read(&self) -> impl Iterator<Item = &FileState> {
        self.changed.iter().chain(&self.new)
    }
}

/// A file is unchanged when its hash is as it was. Where no hash is given, equal length and
/// modification time stand for an equal hash.
fn is_unchanged(now: &FileState, then: &FileState) -> bool {
    let same_time = now.modified_ns == then.modified_ns && now.modified_ns != 0;
    now.bytes == then.bytes
        && match (now.hash, then.hash) {
            (Some(now), Some(then)) => now == then,
            _ => same_time,
        }
}

pub(super) fn plan(files: &[FileState], there: Option<&BTreeMap<String, FileRecord>>) -> Plan {
    let nothing = BTreeMap::new();
    let there = there.unwrap_or(&nothing);
    let mut plan = Plan::default();
    let mut wanted = std::collections::HashSet::with_capacity(files.len());
    for file in files {
        if !wanted.insert(file.path.as_str()) {
            continue;
        }
        match there.get(&file.path) {
            Some(record) if is_unchanged(file, &record.state) => {
                // A later plan without hashes must not forget the one that is known.
                let hash = file.hash.or(record.state.hash);
                plan.unchanged.push(FileState {
                    hash,
                    ..file.clone()
                });
            }
            Some(_) => plan.changed.push(file.clone()),
            None => plan.new.push(file.clone()),
        }
    }
    plan.removed = there
        .keys()
        .filter(|path| !wanted.contains(path.as_str()))
        .cloned()
        .collect();
    plan
}

pub(super) fn write(path: &Path, files: &[FileRecord]) -> Result<(), IndexError> {
    let json = serde_json::to_vec(files).map_err(|e| corrupt(path, e.to_string()))?;
    let mut file = SealedWriter::create(path, KIND)?;
    file.begin("files")?;
    file.write(&json)?;
    file.finish()
}

/// The files of a corpus of so many documents and passages.
pub(super) fn read(
    path: &Path,
    documents: u32,
    passages: u32,
) -> Result<Vec<FileRecord>, RetrieveError> {
    let file = SealedFile::open(path, KIND)?;
    file.verify("files")?;
    let json = file.bytes().get(file.span("files")?).unwrap_or_default();
    let files: Vec<FileRecord> =
        serde_json::from_slice(json).map_err(|e| corrupt(path, e.to_string()))?;
    if is_whole(&files, documents, passages) {
        Ok(files)
    } else {
        Err(corrupt(path, "its files are not those of the documents"))
    }
}

/// Whether every document and every passage is of one file, in order, and no file is there twice.
fn is_whole(files: &[FileRecord], documents: u32, passages: u32) -> bool {
    let (mut document, mut passage) = (Some(0), Some(0));
    let mut paths = std::collections::HashSet::with_capacity(files.len());
    for file in files {
        let follows = document == Some(file.first_document) && passage == Some(file.first_passage);
        if !follows || !paths.insert(&file.state.path) {
            return false;
        }
        document = file.first_document.checked_add(file.documents);
        passage = file.first_passage.checked_add(file.passages);
    }
    document == Some(documents) && passage == Some(passages)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(path: &str, bytes: u64, modified_ns: i64, content: Option<&str>) -> FileState {
        let hash = content.map(|content| ContentHash::of(content.as_bytes()));
        FileState {
            path: path.into(),
            bytes,
            modified_ns,
            hash,
        }
    }

    #[test]
    fn a_plan_sorts_files_by_what_happened_to_them() {
        let there: BTreeMap<String, FileRecord> = [
            state("gone", 1, 1, Some("a")),
            state("same", 1, 1, Some("a")),
            state("touched", 1, 1, Some("a")),
            state("edited", 1, 1, Some("a")),
            state("timed", 1, 1, None),
        ]
        .into_iter()
        .map(|state| {
            let path = state.path.clone();
            (
                path,
                FileRecord {
                    state,
                    first_document: 0,
                    documents: 1,
                    first_passage: 0,
                    passages: 1,
                },
            )
        })
        .collect();
        let files = [
            state("same", 1, 1, None),
            state("touched", 1, 2, Some("a")),
            state("edited", 1, 2, Some("b")),
            state("timed", 1, 3, None),
            state("new", 1, 1, None),
            state("new", 1, 1, None),
        ];
        let plan = plan(&files, Some(&there));
        let paths = |states: &[FileState]| -> Vec<String> {
            states.iter().map(|state| state.path.clone()).collect()
        };
        assert_eq!(paths(&plan.unchanged), ["same", "touched"]);
        assert_eq!(plan.unchanged[0].hash, Some(ContentHash::of(b"a")));
        assert_eq!(paths(&plan.changed), ["edited", "timed"]);
        assert_eq!(paths(&plan.new), ["new"]);
        assert_eq!(plan.removed, ["gone"]);
    }
}
