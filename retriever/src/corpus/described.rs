//! What a corpus says of itself: how much it holds, in which languages, and which indexes it has.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use indago_core::IndexCoverage;
use indago_core::ports::RetrieveError;

use super::Corpus;
use crate::error::read_error;
use crate::health;
use crate::manifest::{Manifest, VectorSet};

impl Corpus {
    /// How far the vectors of an encoder are.
    pub fn coverage(&self, fingerprint: &str) -> IndexCoverage {
        let set = self.0.manifest.vectors_of(fingerprint);
        IndexCoverage {
            passages: self.0.manifest.passages,
            embedded: set.map_or(0, |set| set.embedded),
            left_out: self.left_out().map_or(0, |(passages, _)| passages),
        }
    }

    /// Passages that get no vectors because they say least, and the most that may be, of 1000;
    /// `None` where all get one.
    pub fn left_out(&self) -> Option<(u64, u32)> {
        let pruning = self.0.manifest.pruning.as_ref()?;
        Some((pruning.passages, pruning.per_mille))
    }

    /// Who extracted the facts that the graph follows, and from how many passages; `None` where rules
    /// read every passage.
    pub fn extraction(&self) -> Option<(String, u64)> {
        let set = self.0.manifest.facts.as_ref()?;
        Some((set.name.clone(), set.passages))
    }

    /// Vectors of the encoder that has most.
    pub fn n_vectors(&self) -> usize {
        let sets = self.0.vectors.values().map(|vectors| vectors.len());
        sets.max().unwrap_or(0)
    }

    /// What approximate search over an encoder's vectors finds; `None` where it scans.
    pub fn approximation(&self, fingerprint: &str) -> Option<Approximation> {
        self.0
            .manifest
            .vectors_of(fingerprint)
            .and_then(Approximation::of)
    }

    /// Encoders whose vectors the corpus has: name for people, fingerprint, coverage.
    pub fn encoders(&self) -> Vec<(String, String, IndexCoverage)> {
        let sets = self.0.manifest.vectors.iter();
        sets.map(|set| {
            (
                set.encoder.clone(),
                set.fingerprint.clone(),
                self.coverage(&set.fingerprint),
            )
        })
        .collect()
    }

    /// Which language documents were taken to be in, and how many are in each, by its code; `None`
    /// in a corpus that was made before languages were told apart, when all were English.
    pub fn languages(&self) -> Option<(&str, &BTreeMap<String, u64>)> {
        let manifest = &self.0.manifest;
        Some((manifest.language.as_deref()?, &manifest.languages))
    }

    /// What is in it.
    pub fn summary(&self) -> Summary {
        Summary::of(&self.0.manifest)
    }

    /// Names that passages are about.
    pub fn n_names(&self) -> usize {
        self.0.names.len()
    }

    /// Reads every file of what is published now, which may be a later state than this, through and
    /// compares it with its checksum.
    pub fn health(&self) -> Vec<RetrieveError> {
        health::verify(&self.0.dir).unwrap_or_else(|error| vec![error])
    }

    /// Sparse indexes: by what they were made, how many passages of the corpus they have, and the
    /// share of the exact ten best that they find on a sample.
    pub fn sparse_indexes(&self) -> Vec<(String, u64, f32)> {
        let sets = self.0.manifest.sparse.iter();
        sets.map(|set| (set.name.clone(), set.passages, set.recall))
            .collect()
    }

    /// The index of where any piece of text stands; `None` where documents are read for that.
    pub fn substring_index(&self) -> Option<SubstringIndex> {
        let set = self.0.manifest.substrings.as_ref()?;
        let opened = self.0.substrings.as_ref()?;
        Some(SubstringIndex {
            documents: set.documents,
            segments: set.segments.len(),
            text_bytes: set.segments.iter().map(|part| part.text_bytes).sum(),
            bytes: opened.bytes(),
        })
    }

    /// The stored graph of passages and phrases; `None` where it is made in memory when it is needed.
    pub fn phrase_graph(&self) -> Option<PhraseGraphIndex> {
        let set = self.0.manifest.phrases.as_ref()?;
        Some(PhraseGraphIndex {
            phrases: set.phrases,
            edges: set.edges,
            is_current: self.0.phrases.is_some(),
        })
    }

    /// How many passages of different text have token vectors of an encoder, how many tokens these
    /// have, and the bytes of the file; `None` where there are none.
    pub fn token_vectors(&self, fingerprint: &str) -> Option<(u64, u64, u64)> {
        let set = self.0.manifest.tokens_of(fingerprint)?;
        let opened = self.0.tokens.get(fingerprint);
        let bytes = opened.map_or(0, |tokens| tokens.bytes);
        Some((set.passages, set.tokens, bytes))
    }
}

/// What approximate search finds.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Approximation {
    /// Part of the ten exact neighbours of sampled vectors that it finds, 0 to 1.
    pub recall: f64,
    /// Vectors that were sampled.
    pub sampled: u32,
    /// Rows in view of a search.
    pub beam: u32,
}

impl Approximation {
    /// Of a graph that is up to date.
    pub(crate) fn of(set: &VectorSet) -> Option<Self> {
        let links = set.links.as_ref()?;
        (links.matrix == set.matrix).then_some(Self {
            recall: links.recall,
            sampled: links.sampled,
            beam: links.beam,
        })
    }
}

/// The index of where any piece of text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct SubstringIndex {
    /// Documents of the corpus that it has; others are read.
    pub documents: u64,
    /// Suffix arrays that it consists of.
    pub segments: usize,
    /// Bytes of the texts in it, equal ones once.
    pub text_bytes: u64,
    /// Bytes of its files.
    pub bytes: u64,
}

/// The stored graph of passages and phrases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct PhraseGraphIndex {
    /// Phrases.
    pub phrases: u64,
    /// Edges, each counted once.
    pub edges: u64,
    /// False where it is of other passages or facts than the corpus has, and not used.
    pub is_current: bool,
}

/// What a corpus holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Documents.
    pub documents: u64,
    /// Passages.
    pub passages: u64,
    /// Bytes of decoded text.
    pub text_bytes: u64,
    /// False when an interrupted run has indexed only part of the files.
    pub complete: bool,
    /// Notes of the application.
    pub notes: BTreeMap<String, String>,
}

impl Summary {
    fn of(manifest: &Manifest) -> Self {
        Self {
            documents: manifest.documents,
            passages: manifest.passages,
            text_bytes: manifest.text_bytes,
            complete: manifest.complete,
            notes: manifest.notes.clone(),
        }
    }
}

/// A corpus's name with what it holds, or why that cannot be read.
pub type Listed = (String, Result<Summary, RetrieveError>);

/// The corpora in a folder of corpora, by name; with what each holds, or why it cannot be read.
///
/// # Errors
/// When the folder cannot be listed. A folder that does not exist has no corpora.
pub fn list(root: &Path) -> Result<Vec<Listed>, RetrieveError> {
    let entries = match std::fs::read_dir(root) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(read_error(root, e)),
    };
    let mut corpora = Vec::new();
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        match Manifest::read(&entry.path()) {
            Ok(None) => {}
            Ok(Some(manifest)) => corpora.push((name, Ok(Summary::of(&manifest)))),
            Err(error) => corpora.push((name, Err(error))),
        }
    }
    corpora.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(corpora)
}
