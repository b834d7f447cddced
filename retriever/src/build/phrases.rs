//! Storing the graph of passages and phrases, and keeping it up to date.

use std::collections::HashMap;
use std::path::Path;

use indago_core::Cancel;
use indago_core::ports::RetrieveError;
use rayon::prelude::*;

use super::CorpusWriter;
use crate::disk::records::RecordLog;
use crate::error::{IndexError, corrupt};
use crate::facts;
use crate::graph::{PhraseFile, READING, Unread, gather, write_phrases};
use crate::manifest::{Manifest, PhraseSet};

/// The folder of the graph within a corpus.
pub(crate) const FOLDER: &str = "phrases";

/// What a stored graph came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct PhrasesBuilt {
    /// Passages of the corpus.
    pub passages: u64,
    /// Texts that were read now.
    pub read: u64,
    /// Phrases in the graph.
    pub phrases: u64,
    /// Edges, each counted once.
    pub edges: u64,
}

impl CorpusWriter {
    /// Stores the graph of passages and phrases, where it is `wanted`, or brings the one that the
    /// corpus has up to date; `None` where it has none. Texts that were read for it are not read
    /// again. Until it is called, a corpus that has changed makes its graph in memory. `progress` is
    /// told the texts read, and how many there are to read.
    ///
    /// # Errors
    /// [`IndexError::Cancelled`] soon after `cancel` is set; what was read is not read again, also
    /// when the program is killed.
    pub fn build_phrases(
        &mut self,
        wanted: bool,
        mut progress: impl FnMut(u64, u64),
        cancel: &Cancel,
    ) -> Result<Option<PhrasesBuilt>, IndexError> {
        let Some(store) = self.current.as_ref().map(|current| current.store.clone()) else {
            return Ok(None);
        };
        let set = self.manifest.phrases.clone();
        if set.is_none() && !wanted {
            return Ok(None);
        }
        let passages = u64::from(store.n_passages());
        let set = set.unwrap_or_default();
        let before = self.readable_phrases(&set);
        let facts_set = self.manifest.facts.as_ref();
        if before.is_some() && set.is_of(&store, facts_set) {
            return Ok(Some(PhrasesBuilt {
                passages,
                read: 0,
                phrases: set.phrases,
                edges: set.edges,
            }));
        }
        let facts = facts_set.map_or_else(|| Ok(HashMap::new()), |set| facts::read(&self.dir, set));
        let facts = facts?;
        let pending = self.dir.join(FOLDER).join("read.pending");
        let mut log = RecordLog::open(&pending, &format!("phrases {READING}"))?;
        let (mut read, mut done) = (0, 0);
        let take = |texts: &[Unread], of: usize| -> Result<_, IndexError> {
            let mut readings = Vec::with_capacity(texts.len());
            for text in texts {
                let kept = log.get(&text.key)?;
                readings.push(kept.and_then(|bytes| serde_json::from_slice(&bytes).ok()));
            }
            let fresh: Result<Vec<_>, RetrieveError> = texts
                .par_iter()
                .zip(readings)
                .map(|(text, kept)| match kept {
                    Some(reading) => Ok((reading, false)),
                    None => Ok((text.read(&store)?, true)),
                })
                .collect();
            let mut readings = Vec::with_capacity(texts.len());
            for (text, (reading, is_fresh)) in texts.iter().zip(fresh?) {
                if is_fresh {
                    let bytes = serde_json::to_vec(&reading);
                    let bytes = bytes.map_err(|e| corrupt(&pending, e.to_string()))?;
                    log.append(text.key, &bytes)?;
                    read += 1;
                }
                readings.push(reading);
            }
            log.sync()?;
            done += texts.len() as u64;
            progress(done, of as u64);
            Ok(readings)
        };
        let readings = gather(&store, &facts, before.as_ref(), cancel, take)?;
        let mut manifest = self.manifest.clone();
        manifest.edition += 1;
        let file = format!("{FOLDER}/graph-{:06}.bin", manifest.edition);
        let (phrases, edges) = write_phrases(&self.dir.join(&file), &readings, cancel)?;
        manifest.phrases = Some(PhraseSet {
            file,
            of: store.fingerprint(),
            facts: facts_set.map(|set| (set.fingerprint.clone(), set.bytes)),
            phrases,
            edges,
        });
        self.publish(manifest)?;
        drop(log);
        // What stays behind is taken for what it is next time.
        let _ = std::fs::remove_file(&pending);
        self.remove_leftovers();
        Ok(Some(PhrasesBuilt {
            passages,
            read,
            phrases,
            edges,
        }))
    }

    /// Has the corpus no stored graph of phrases from now on.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn forget_phrases(&mut self) -> Result<(), IndexError> {
        if self.manifest.phrases.is_some() {
            let mut manifest = self.manifest.clone();
            manifest.edition += 1;
            manifest.phrases = None;
            self.publish(manifest)?;
            self.remove_leftovers();
        }
        Ok(())
    }

    fn readable_phrases(&self, set: &PhraseSet) -> Option<PhraseFile> {
        if set.file.is_empty() {
            return None;
        }
        let open = || {
            let file = PhraseFile::open(&self.dir.join(&set.file))?;
            file.verify().map(|()| file)
        };
        open()
            .inspect_err(|error| tracing::warn!(%error, "the graph of phrases is made again"))
            .ok()
    }

    /// Forgets a graph that is damaged.
    pub(super) fn check_phrases(manifest: &mut Manifest, dir: &Path) {
        let Some(set) = &mut manifest.phrases else {
            return;
        };
        let read = PhraseFile::open(&dir.join(&set.file)).and_then(|file| file.verify());
        if let Err(error) = read {
            tracing::warn!(%error, "a damaged graph of phrases is forgotten");
            set.file.clear();
        }
    }
}
