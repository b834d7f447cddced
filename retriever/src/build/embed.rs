//! Filling in vectors behind the lexical index.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use indago_core::ports::{Encoder, Role};
use indago_core::{Cancel, IndexCoverage};
use serde::Serialize;

use super::CorpusWriter;
use crate::corpus::Approximation;
use crate::dense::{self, VectorLog};
use crate::encoded;
use crate::error::IndexError;
use crate::manifest::VectorSet;
use crate::prepare::indexed_text;
use crate::store::Store;

/// Texts that are sorted by length together, so that batches waste little on padding.
const WINDOW: usize = 1024;
/// Texts given to the encoder at once; a crash loses at most the window they are in.
const BATCH: usize = 64;
/// How often vectors are made visible to readers while more are made.
const PUBLISH_EVERY: Duration = Duration::from_secs(20);

/// How far the vectors of an encoder are, and where those that were missing came from. Passages of
/// the same text share a vector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct VectorsBuilt {
    /// How far they are now.
    #[serde(flatten)]
    pub coverage: IndexCoverage,
    /// Vectors that were encoded now.
    pub encoded: u64,
    /// Vectors that were copied from other corpora.
    pub borrowed: u64,
    /// Vectors that were cut from longer ones of the same encoder.
    pub cut: u64,
}

impl CorpusWriter {
    /// Embeds every passage that has no vector of this encoder yet. Texts that were ever embedded
    /// cost nothing, and a truncated encoder costs nothing where the whole one has embedded them.
    /// `progress` is told after each batch.
    ///
    /// # Errors
    /// [`IndexError::Cancelled`] soon after `cancel` is set; what was embedded so far stays and is
    /// not embedded again.
    pub fn embed_missing(
        &mut self,
        encoder: &dyn Encoder,
        mut progress: impl FnMut(IndexCoverage),
        cancel: &Cancel,
    ) -> Result<VectorsBuilt, IndexError> {
        let mut built = VectorsBuilt::default();
        let Some(store) = self.current.as_ref().map(|current| current.store.clone()) else {
            return Ok(built);
        };
        encoded::check_texts(encoder, "an index of vectors")?;
        let fingerprint = encoder.fingerprint().to_owned();
        let (mut set, mut log) = self.open_log(encoder)?;
        let damaged = log.is_damaged();
        if damaged {
            let edition = self.manifest.edition + 1;
            (log, set) = dense::without_stale(&self.dir, &store, log, &set, edition)?;
        }
        let pruned = self.pruned(&store, cancel)?;
        let mut missing: Vec<u32> = Vec::new();
        let mut waiting = HashSet::new();
        for row in 0..store.n_passages() {
            let key = store.passage_row(row).embed_key;
            if log.find(&key).is_none() && !pruned.contains(&key) && waiting.insert(key) {
                missing.push(row);
            }
        }
        // What claims to be longer and is not cannot be cut from.
        let whole = encoder.truncation_of();
        let whole = whole.filter(|whole| whole.dim() >= encoder.dim());
        if !missing.is_empty() {
            built.borrowed = self.borrow_vectors(&mut log, &fingerprint, &waiting, cancel)?;
            if let Some(whole) = whole {
                built.cut = self.cut_vectors(&mut log, whole, &waiting, cancel)?;
            }
            missing.retain(|row| log.find(&store.passage_row(*row).embed_key).is_none());
        }
        drop(waiting);
        let known = self.coverage(&fingerprint);
        let IndexCoverage {
            passages, left_out, ..
        } = known;
        let mut done = passages.saturating_sub(left_out + missing.len() as u64);
        if missing.is_empty() && known.missing() == 0 && !damaged {
            progress(known);
            built.coverage = known;
            return Ok(built);
        }
        if damaged || set.matrix.is_empty() {
            // From now on the log belongs to the corpus, so that a killed run is not in vain.
            set = self.publish_vectors(&store, &log, &set, &pruned)?;
        }
        let source = whole.unwrap_or(encoder);
        let mut published = Instant::now();
        let mut outcome = Ok(());
        'windows: for window in missing.chunks(WINDOW) {
            let mut texts = Vec::with_capacity(window.len());
            for row in window {
                texts.push(embedded_text(&store, *row)?);
            }
            texts.sort_unstable_by_key(|(_, text)| text.len());
            for batch in texts.chunks(BATCH) {
                let text: Vec<&str> = batch.iter().map(|(_, text)| text.as_str()).collect();
                let vectors = match cancel.check() {
                    Ok(()) => encoded::encode(source, &text, Role::Passage, cancel),
                    Err(cancelled) => Err(cancelled.into()),
                };
                let vectors = match vectors {
                    Ok(vectors) => vectors,
                    Err(error) => {
                        outcome = Err(IndexError::from(error));
                        break 'windows;
                    }
                };
                for (i, (key, _)) in batch.iter().enumerate() {
                    match whole {
                        Some(_) => log.append_cut(*key, vectors.row(i))?,
                        None => log.append(*key, vectors.row(i))?,
                    }
                }
                built.encoded += batch.len() as u64;
                done += batch.len() as u64;
                progress(IndexCoverage {
                    passages,
                    embedded: done,
                    left_out,
                });
            }
            log.sync()?;
            if published.elapsed() >= PUBLISH_EVERY {
                set = self.publish_vectors(&store, &log, &set, &pruned)?;
                published = Instant::now();
            }
        }
        log.sync()?;
        self.publish_vectors(&store, &log, &set, &pruned)?;
        match outcome {
            Err(IndexError::Encode(indago_core::ports::EncodeError::Cancelled(cancelled))) => {
                Err(cancelled.into())
            }
            Err(error) => Err(error),
            Ok(()) => {
                built.coverage = self.coverage(&fingerprint);
                Ok(built)
            }
        }
    }

    /// Brings the graph for approximate search over an encoder's vectors up to date: the one there
    /// is, or a first one where `wanted`. Gives what it finds, `None` where there is none.
    ///
    /// # Errors
    /// [`IndexError::Cancelled`] soon after `cancel` is set; the corpus is then as it was.
    pub fn link_vectors(
        &mut self,
        fingerprint: &str,
        wanted: bool,
        cancel: &Cancel,
    ) -> Result<Option<Approximation>, IndexError> {
        let Some(store) = self.current.as_ref().map(|current| current.store.clone()) else {
            return Ok(None);
        };
        let Some(set) = self.manifest.vectors_of(fingerprint) else {
            return Ok(None);
        };
        if let Some(approximation) = Approximation::of(set) {
            return Ok(Some(approximation));
        }
        if set.embedded == 0 || !(wanted || set.links.is_some()) {
            return Ok(None);
        }
        let mut set = set.clone();
        let mut manifest = self.manifest.clone();
        manifest.edition += 1;
        set.links = Some(dense::link(
            &self.dir,
            &store,
            &set,
            manifest.edition,
            cancel,
        )?);
        let approximation = Approximation::of(&set);
        manifest
            .vectors
            .retain(|other| other.fingerprint != set.fingerprint);
        manifest.vectors.push(set);
        self.publish(manifest)?;
        self.remove_leftovers();
        Ok(approximation)
    }

    /// The encoder's log: the one the manifest names, else a new one.
    fn open_log(&mut self, encoder: &dyn Encoder) -> Result<(VectorSet, VectorLog), IndexError> {
        let fingerprint = encoder.fingerprint();
        let dim = encoder.dim() as u32;
        if let Some(set) = self.manifest.vectors_of(fingerprint) {
            let set = set.clone();
            match VectorLog::open(&self.dir.join(&set.log), fingerprint, dim) {
                Ok(log) => return Ok((set, log)),
                // A cache that cannot be read is made again, not trusted.
                Err(error) => tracing::warn!(%error, "vectors are made again"),
            }
        }
        let edition = self.manifest.edition + 1;
        let set = VectorSet {
            fingerprint: fingerprint.to_owned(),
            encoder: encoder.name().to_owned(),
            dim,
            embedded: 0,
            generation: self.manifest.generation,
            matrix: String::new(),
            log: dense::log_path(fingerprint, edition),
            links: None,
        };
        let log = VectorLog::create(&self.dir.join(&set.log), fingerprint, dim)?;
        Ok((set, log))
    }

    /// Makes what `log` holds visible to readers that open the corpus from now on.
    fn publish_vectors(
        &mut self,
        store: &Store,
        log: &VectorLog,
        set: &VectorSet,
        pruned: &HashSet<[u8; 16]>,
    ) -> Result<VectorSet, IndexError> {
        let mut manifest = self.manifest.clone();
        manifest.edition += 1;
        let set = dense::seal(
            &self.dir,
            store,
            log,
            set,
            manifest.generation,
            manifest.edition,
            pruned,
        )?;
        manifest
            .vectors
            .retain(|other| other.fingerprint != set.fingerprint);
        manifest.vectors.push(set.clone());
        self.publish(manifest)?;
        self.remove_leftovers();
        Ok(set)
    }

    /// The vectors of every encoder, lined up with the passages of a new generation.
    pub(super) fn seal_all(
        &self,
        store: &Store,
        generation: u64,
        edition: u64,
        pruned: &HashSet<[u8; 16]>,
    ) -> Result<Vec<VectorSet>, IndexError> {
        let mut sets = Vec::new();
        for set in &self.manifest.vectors {
            match VectorLog::open(&self.dir.join(&set.log), &set.fingerprint, set.dim) {
                Ok(log) => {
                    let (log, set) = dense::without_stale(&self.dir, store, log, set, edition)?;
                    sets.push(dense::seal(
                        &self.dir, store, &log, &set, generation, edition, pruned,
                    )?);
                }
                Err(error) => tracing::warn!(%error, "vectors have to be made again"),
            }
        }
        Ok(sets)
    }
}

/// The text of a passage that is embedded, with its key.
pub(super) fn embedded_text(store: &Store, row: u32) -> Result<([u8; 16], String), IndexError> {
    let row = store.passage_row(row);
    let title = store.record(row.document)?.title;
    let headings = store.extra(&row)?.headings;
    Ok((
        row.embed_key,
        indexed_text(&title, &headings, store.passage_text(&row)?),
    ))
}
