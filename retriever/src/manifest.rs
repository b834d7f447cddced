//! The root of a corpus: one small file that names everything that is current.
//!
//! Publishing is replacing this file. A reader that has read it sees one state of the corpus; a
//! writer that dies before replacing it has changed nothing.
//!
//! ```text
//! indago-corpus 1 <xxh3 of the rest, 16 hex digits>\n
//! { JSON }
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use indago_core::ports::RetrieveError;
use indago_text::{Language, Languages, UnknownLanguage};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::disk;
use crate::error::{IndexError, corrupt, read_error};

/// Version of the folder's layout. Readers of one version refuse any other.
pub const FORMAT_VERSION: u32 = 1;

/// Largest count of publications that is believed: the next one counts on.
const MAX_COUNT: u64 = 1 << 62;

const FILE: &str = "manifest.json";
const MAGIC: &str = "indago-corpus";

/// What is current in a corpus folder.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// Counts publications that changed documents; names the generation's folder.
    pub(crate) generation: u64,
    /// Counts all publications; names the files of vectors.
    pub(crate) edition: u64,
    /// How documents were cut and analysed; another value makes every file count as changed.
    pub(crate) settings: String,
    /// False while a first or interrupted run has indexed only part of the files.
    pub(crate) complete: bool,
    pub(crate) documents: u64,
    pub(crate) passages: u64,
    /// Terms in all passages, as BM25 counts them.
    pub(crate) terms: u64,
    /// Bytes of decoded text.
    pub(crate) text_bytes: u64,
    /// Notes of the application, such as the roots that were indexed.
    pub(crate) notes: BTreeMap<String, String>,
    /// Every file of the generation, for the health check.
    pub(crate) files: Vec<FileSum>,
    /// Which language documents are taken to be in, as [`indago_text::LanguageChoice`] writes it;
    /// English in corpora that were made before languages were told apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) language: Option<String>,
    /// Documents by the code of the language they were analysed in; empty as above.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) languages: BTreeMap<String, u64>,
    /// Which passages get no vectors, unless all do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pruning: Option<Pruning>,
    /// At most one entry per encoder.
    pub(crate) vectors: Vec<VectorSet>,
    /// The extracted facts that the graph follows, unless rules read every passage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) facts: Option<FactSet>,
    /// At most one entry per encoder.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) tokens: Vec<TokenSet>,
    /// At most one entry per fingerprint.
    #[serde(default)]
    pub(crate) sparse: Vec<SparseSet>,
    /// Suffix arrays over the texts, where they were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) substrings: Option<SubstringSet>,
    /// The graph of passages and phrases, where it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) phrases: Option<PhraseSet>,
}

/// The stored graph of passages and phrases.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PhraseSet {
    /// Relative to the corpus folder; empty where it has to be made again.
    pub(crate) file: String,
    /// The passages that it is of ([`crate::store::Store::fingerprint`]).
    pub(crate) of: String,
    /// The extractor whose facts went in, and how far its log went.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) facts: Option<(String, u64)>,
    pub(crate) phrases: u64,
    pub(crate) edges: u64,
}

impl PhraseSet {
    /// Whether it is of these passages and of the facts of this manifest.
    pub(crate) fn is_of(&self, store: &crate::store::Store, facts: Option<&FactSet>) -> bool {
        let facts = facts.map(|set| (set.fingerprint.clone(), set.bytes));
        !self.file.is_empty() && self.facts == facts && self.of == store.fingerprint()
    }
}

/// The index of where any piece of text stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SubstringSet {
    pub(crate) segments: Vec<SubstringSegment>,
    /// Which documents have the texts of the segments, relative to the corpus folder.
    pub(crate) rows: String,
    /// Documents of the corpus that are in it.
    pub(crate) documents: u64,
}

/// One suffix array.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SubstringSegment {
    /// Relative to the corpus folder.
    pub(crate) file: String,
    /// Bytes of its texts.
    pub(crate) text_bytes: u64,
}

impl SubstringSet {
    /// Its files, relative to the corpus folder.
    pub(crate) fn files(&self) -> impl Iterator<Item = &str> {
        let segments = self.segments.iter().map(|segment| segment.file.as_str());
        segments.chain([self.rows.as_str()])
    }
}

/// The share of passages that say least and get no vectors ([`crate::quality`]).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pruning {
    /// How passages are judged.
    pub(crate) rule: String,
    /// Most that are left out, of 1000.
    pub(crate) per_mille: u32,
    /// Passages that are.
    pub(crate) passages: u64,
}

/// What an extractor found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FactSet {
    pub(crate) fingerprint: String,
    /// The extractor's name for people.
    pub(crate) name: String,
    /// The log, relative to the corpus folder.
    pub(crate) file: String,
    /// Bytes of the log that are published.
    pub(crate) bytes: u64,
    /// Passages of the corpus whose facts are there.
    pub(crate) passages: u64,
}

/// A sparse index.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SparseSet {
    pub(crate) fingerprint: String,
    /// The encoder's name for people.
    pub(crate) name: String,
    /// Passages of the corpus that it has.
    #[serde(default)]
    pub(crate) passages: u64,
    /// Relative to the corpus folder; empty where it has to be made again.
    pub(crate) file: String,
    /// Texts that came since that file was made, in a small one of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tail: Option<String>,
    /// Share of the exact ten best that a search finds, on a sample.
    pub(crate) recall: f32,
}

impl SparseSet {
    /// Leaves nothing but the wish for such an index.
    pub(crate) fn forget(&mut self) {
        self.file.clear();
        self.tail = None;
        self.passages = 0;
    }

    /// Its files, relative to the corpus folder.
    pub(crate) fn files(&self) -> impl Iterator<Item = &str> {
        let first = (!self.file.is_empty()).then_some(self.file.as_str());
        first.into_iter().chain(self.tail.as_deref())
    }
}

/// The token vectors of one encoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TokenSet {
    pub(crate) fingerprint: String,
    /// Passages of different text.
    pub(crate) passages: u64,
    /// Tokens of these.
    pub(crate) tokens: u64,
    /// Relative to the corpus folder.
    pub(crate) file: String,
}

impl TokenSet {
    /// Leaves nothing but the wish for token vectors of this encoder.
    pub(crate) fn forget(&mut self) {
        self.file.clear();
        (self.passages, self.tokens) = (0, 0);
    }

    /// Whether they are to be made again.
    pub(crate) fn is_forgotten(&self) -> bool {
        self.file.is_empty()
    }
}

/// A file's length and hash when it was published.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct FileSum {
    /// Relative to the corpus folder, with `/`.
    pub(crate) path: String,
    pub(crate) bytes: u64,
    pub(crate) xxh3: u64,
}

/// The vectors of one encoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct VectorSet {
    pub(crate) fingerprint: String,
    /// The encoder's name for people.
    pub(crate) encoder: String,
    pub(crate) dim: u32,
    /// Passages that have a vector.
    pub(crate) embedded: u64,
    /// The generation whose rows the matrix refers to.
    pub(crate) generation: u64,
    /// The matrix, relative to the corpus folder.
    pub(crate) matrix: String,
    /// The log of exact vectors, relative to the corpus folder.
    pub(crate) log: String,
    /// The graph for approximate search, where one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) links: Option<LinkSet>,
}

/// The graph over a matrix.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct LinkSet {
    /// Relative to the corpus folder.
    pub(crate) file: String,
    /// The matrix whose rows it links; it is out of date when the encoder's is another.
    pub(crate) matrix: String,
    /// The log whose places it knows rows by.
    pub(crate) log: String,
    /// Most links of a row.
    pub(crate) degree: u32,
    /// Rows in view of a search, unless more hits are asked for.
    pub(crate) beam: u32,
    /// Part of the ten exact neighbours that this beam found.
    pub(crate) recall: f64,
    /// Vectors of the corpus whose neighbours were looked for.
    pub(crate) sampled: u32,
}

impl Manifest {
    pub(crate) fn path(dir: &Path) -> PathBuf {
        dir.join(FILE)
    }

    /// The folder of a generation, relative to the corpus folder.
    pub(crate) fn generation_dir(generation: u64) -> String {
        format!("g{generation:06}")
    }

    /// An empty manifest whose next files have names that nothing in `dir` has.
    pub(crate) fn after(dir: &Path) -> Self {
        let names = |folder: &Path| {
            let entries = fs::read_dir(folder).into_iter().flatten().flatten();
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned())
        };
        let believed = |count: &u64| *count <= MAX_COUNT;
        let generation = names(dir).filter_map(|name| name.strip_prefix('g')?.parse().ok());
        // `STEM-EDITION.EXTENSION`
        let editions = names(&dir.join(crate::dense::FOLDER))
            .chain(names(&dir.join(crate::substring::FOLDER)))
            .chain(names(&dir.join(crate::build::PHRASES)))
            .chain(names(dir))
            .filter_map(|name| name.rsplit_once('-')?.1.split('.').next()?.parse().ok());
        Self {
            generation: generation.filter(believed).max().unwrap_or_default(),
            edition: editions.filter(believed).max().unwrap_or_default(),
            ..Self::default()
        }
    }

    /// `None` when the folder holds no corpus yet.
    pub(crate) fn read(dir: &Path) -> Result<Option<Self>, RetrieveError> {
        let path = Self::path(dir);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(read_error(&path, e)),
        };
        Self::decode(&path, &bytes).map(Some)
    }

    fn decode(path: &Path, bytes: &[u8]) -> Result<Self, RetrieveError> {
        let bad = |reason: &str| corrupt(path, reason);
        let text = str::from_utf8(bytes).map_err(|e| bad(&e.to_string()))?;
        let (line, body) = text.split_once('\n').ok_or_else(|| bad("no first line"))?;
        let mut words = line.split(' ');
        let (magic, version, sum) = (words.next(), words.next(), words.next());
        if magic != Some(MAGIC) || words.next().is_some() {
            return Err(bad("not a corpus manifest"));
        }
        let found = version
            .and_then(|v| v.parse::<u32>().ok())
            .filter(|v| *v > 0);
        let found = found.ok_or_else(|| bad("version is not a number"))?;
        if found != FORMAT_VERSION || version.is_some_and(|v| v.starts_with(['+', '0'])) {
            return Err(RetrieveError::FormatVersion {
                path: path.to_owned(),
                found,
                expected: FORMAT_VERSION,
            });
        }
        if sum != Some(format!("{:016x}", xxh3_64(body.as_bytes())).as_str()) {
            return Err(bad("content does not match its checksum"));
        }
        let manifest: Self = serde_json::from_str(body).map_err(|e| bad(&e.to_string()))?;
        manifest.check().map_err(|reason| bad(&reason))?;
        Ok(manifest)
    }

    /// What cannot be, whoever wrote it: files outside of the corpus, and counts that others are
    /// added to or taken from.
    fn check(&self) -> Result<(), String> {
        if let Some(path) = self.paths().find(|path| !is_inside(path)) {
            return Err(format!("`{path}` is outside of the corpus"));
        }
        let pruned = self.pruning.as_ref();
        let segments = self.substrings.iter().flat_map(|set| &set.segments);
        let counts_fit = self.generation <= MAX_COUNT
            && self.edition <= MAX_COUNT
            && pruned.is_none_or(|pruning| pruning.passages <= self.passages)
            && self.vectors.iter().all(|set| set.embedded <= self.passages)
            && segments
                .into_iter()
                .all(|part| part.text_bytes <= u32::MAX.into());
        if counts_fit {
            Ok(())
        } else {
            Err("its counts do not agree".to_owned())
        }
    }

    /// Every path in it.
    fn paths(&self) -> impl Iterator<Item = &str> {
        let files = self.files.iter().map(|sum| sum.path.as_str());
        let vectors = self.vectors.iter().flat_map(|set| {
            let links = set.links.iter().map(|links| links.file.as_str());
            links.chain([set.matrix.as_str(), &set.log])
        });
        let facts = self.facts.iter().map(|set| set.file.as_str());
        let tokens = self.tokens.iter().map(|set| set.file.as_str());
        let sparse = self.sparse.iter().flat_map(SparseSet::files);
        let substrings = self.substrings.iter().flat_map(SubstringSet::files);
        let phrases = self.phrases.iter().map(|set| set.file.as_str());
        let all = files.chain(vectors).chain(facts).chain(tokens);
        all.chain(sparse).chain(substrings).chain(phrases)
    }

    fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        Ok(sealed(&(serde_json::to_string_pretty(self)? + "\n")))
    }

    /// Makes this state the current one, durably.
    pub(crate) fn publish(&self, dir: &Path) -> Result<(), IndexError> {
        let path = Self::path(dir);
        let bytes = self.encode().map_err(|e| corrupt(&path, e.to_string()))?;
        disk::replace(&path, &bytes)
    }

    /// The languages that documents were analysed in.
    pub(crate) fn languages(&self) -> Result<Languages, UnknownLanguage> {
        if self.languages.is_empty() {
            return Ok(Languages::ENGLISH);
        }
        self.languages
            .keys()
            .map(|code| code.parse::<Language>())
            .collect()
    }

    /// The token vectors that `fingerprint` names.
    pub(crate) fn tokens_of(&self, fingerprint: &str) -> Option<&TokenSet> {
        self.tokens
            .iter()
            .find(|set| set.fingerprint == fingerprint)
    }

    /// The vectors that `fingerprint` names.
    pub(crate) fn vectors_of(&self, fingerprint: &str) -> Option<&VectorSet> {
        self.vectors
            .iter()
            .find(|set| set.fingerprint == fingerprint)
    }
}

/// A manifest of this content, with its sum.
fn sealed(body: &str) -> Vec<u8> {
    let sum = xxh3_64(body.as_bytes());
    format!("{MAGIC} {FORMAT_VERSION} {sum:016x}\n{body}").into_bytes()
}

/// Changes the manifest in `dir` and gives it a sum that is right.
#[cfg(test)]
pub(crate) fn forge(dir: &Path, change: impl FnOnce(&mut serde_json::Value)) {
    let path = Manifest::path(dir);
    let text = fs::read_to_string(&path).unwrap();
    let (_, body) = text.split_once('\n').unwrap();
    let mut value = serde_json::from_str(body).unwrap();
    change(&mut value);
    fs::write(&path, sealed(&value.to_string())).unwrap();
}

/// Whether a path, joined to a folder, leads to something in that folder.
fn is_inside(path: &str) -> bool {
    let mut parts = Path::new(path).components();
    parts.all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample() -> Manifest {
        Manifest {
            generation: 7,
            settings: "chunk 256 \"quoted\"\n".into(),
            files: vec![FileSum {
                path: "g000007/documents".into(),
                bytes: 3,
                xxh3: u64::MAX,
            }],
            ..Manifest::default()
        }
    }

    #[test]
    fn a_manifest_reads_what_it_writes() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Manifest::read(dir.path()).unwrap(), None);
        sample().publish(dir.path()).unwrap();
        assert_eq!(Manifest::read(dir.path()).unwrap(), Some(sample()));
    }

    #[test]
    fn a_newer_manifest_is_refused_with_both_versions() {
        let path = Path::new("m");
        let bytes = sample().encode().unwrap();
        let text = String::from_utf8(bytes).unwrap().replacen(" 1 ", " 2 ", 1);
        let error = Manifest::decode(path, text.as_bytes()).unwrap_err();
        assert!(matches!(
            error,
            RetrieveError::FormatVersion {
                found: 2,
                expected: 1,
                ..
            }
        ));
    }

    #[test]
    fn counts_that_nothing_can_be_added_to_and_files_elsewhere_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let refused = |change: &dyn Fn(&mut serde_json::Value)| {
            sample().publish(dir.path()).unwrap();
            forge(dir.path(), change);
            let error = Manifest::read(dir.path()).unwrap_err().to_string();
            assert!(error.contains(FILE), "{error}");
            error
        };
        for name in ["generation", "edition"] {
            refused(&|value| value[name] = u64::MAX.into());
        }
        refused(&|value| {
            value["pruning"] = serde_json::json!({"rule": "", "per_mille": 1, "passages": 1});
        });
        for path in ["/etc/hosts", "../other", "g000001/../../x"] {
            let error = refused(&|value| value["files"][0]["path"] = path.into());
            assert!(error.contains(path), "{error}");
        }
        // A folder of such a name is not counted on.
        fs::create_dir(dir.path().join(format!("g{}", u64::MAX))).unwrap();
        fs::create_dir(dir.path().join("g000041")).unwrap();
        assert_eq!(Manifest::after(dir.path()).generation, 41);
    }

    proptest! {
        #[test]
        fn any_flipped_byte_is_noticed(at in any::<prop::sample::Index>(), mask in 1u8..) {
            let mut bytes = sample().encode().unwrap();
            let at = at.index(bytes.len());
            bytes[at] ^= mask;
            prop_assert!(Manifest::decode(Path::new("m"), &bytes).is_err());
        }

        #[test]
        fn noise_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(Manifest::decode(Path::new("m"), &bytes).is_err());
        }
    }
}
