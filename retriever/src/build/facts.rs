//! Having names and facts extracted behind the indexes.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;

use indago_core::Cancel;
use indago_core::ports::{ExtractError, FactExtractor, Facts};

use super::CorpusWriter;
use crate::disk::records::RecordLog;
use crate::error::{IndexError, corrupt};
use crate::facts;
use crate::manifest::{FactSet, Manifest};
use crate::store::Store;

/// Passages whose failure is told.
const MAX_TOLD: usize = 20;

/// What an extraction came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extracted {
    /// Passages of the corpus.
    pub passages: u64,
    /// Of these, passages whose facts are there.
    pub extracted: u64,
    /// Texts that were read now.
    pub read: u64,
    /// Texts that nothing usable came of, which rules go on reading.
    pub failed: u64,
    /// Documents of the first of them, with what happened.
    pub failures: Vec<(String, String)>,
    /// Why it stopped early: the extractor's own failure.
    pub stopped: Option<ExtractError>,
}

impl CorpusWriter {
    /// Has names and facts extracted from every passage without, by `at_once` threads, and makes
    /// this extractor's the ones that the graph follows. Each answer is on disk before the next
    /// passage is told to `progress` (texts done, texts to do); nothing is extracted twice. When the
    /// extractor itself fails, what came so far is published and the failure is told
    /// ([`Extracted::stopped`]).
    ///
    /// # Errors
    /// [`IndexError::Cancelled`] soon after `cancel` is set: what came so far stays.
    pub fn extract_facts(
        &mut self,
        extractor: &dyn FactExtractor,
        at_once: usize,
        mut progress: impl FnMut(u64, u64),
        cancel: &Cancel,
    ) -> Result<Option<Extracted>, IndexError> {
        let Some(store) = self.current.as_ref().map(|current| current.store.clone()) else {
            return Ok(None);
        };
        let fingerprint = extractor.fingerprint();
        let file = facts::file_name(fingerprint);
        let mut log = RecordLog::open(&self.dir.join(&file), &facts::kind(fingerprint))?;
        let mut seen = HashSet::new();
        let mut missing = Vec::new();
        for row in 0..store.n_passages() {
            let key = store.passage_row(row).embed_key;
            let there = log
                .get(&key)?
                .is_some_and(|bytes| facts::decode(&bytes).is_ok());
            if !there && seen.insert(key) {
                missing.push(row);
            }
        }
        let mut done = Extracted::default();
        let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
        let (sender, answers) = mpsc::channel();
        let outcome = std::thread::scope(|scope| {
            for _ in 0..at_once.clamp(1, 64).min(missing.len()) {
                let sender = sender.clone();
                let (next, stop, missing, store) = (&next, &stop, &missing, &store);
                scope.spawn(move || {
                    while !stop.load(Ordering::SeqCst) {
                        let Some(&row) = missing.get(next.fetch_add(1, Ordering::SeqCst)) else {
                            return;
                        };
                        let answer = read(store, row, extractor, cancel);
                        // At once, so that nobody knocks at a closed door again.
                        if !matches!(&answer, Ok(Ok(_) | Err(ExtractError::Passage { .. }))) {
                            stop.store(true, Ordering::SeqCst);
                        }
                        // Nobody listens any more when the writer gave up.
                        if sender.send((row, answer)).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(sender);
            let mut outcome = Ok(());
            for (row, answer) in answers {
                match answer {
                    Ok(Ok(facts)) => {
                        let kept = keep(&mut log, &store, row, facts);
                        done.read += 1;
                        if let (Err(error), Ok(())) = (kept, &outcome) {
                            outcome = Err(error);
                            stop.store(true, Ordering::SeqCst);
                        }
                    }
                    Ok(Err(ExtractError::Passage { reason })) => {
                        done.failed += 1;
                        if done.failures.len() < MAX_TOLD {
                            done.failures.push((document_of(&store, row), reason));
                        }
                    }
                    Ok(Err(ExtractError::Cancelled(cancelled))) => {
                        outcome = outcome.and(Err(cancelled.into()));
                    }
                    Ok(Err(error)) => {
                        done.stopped.get_or_insert(error);
                    }
                    Err(error) => outcome = outcome.and(Err(error)),
                }
                progress(done.read + done.failed, missing.len() as u64);
            }
            outcome
        });
        log.sync()?;
        let keys = (0..store.n_passages()).map(|row| store.passage_row(row).embed_key);
        let set = FactSet {
            fingerprint: fingerprint.to_owned(),
            name: extractor.name().to_owned(),
            file,
            bytes: log.bytes(),
            passages: keys.filter(|key| log.has(key)).count() as u64,
        };
        done.passages = u64::from(store.n_passages());
        done.extracted = set.passages;
        if self.manifest.facts.as_ref() != Some(&set) {
            let mut manifest = self.manifest.clone();
            manifest.edition += 1;
            manifest.facts = Some(set);
            self.publish(manifest)?;
        }
        outcome.map(|()| Some(done))
    }

    /// Has the graph follow what rules find again. What was extracted stays on disk, for the day
    /// when it is wanted again.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn forget_facts(&mut self) -> Result<(), IndexError> {
        if self.manifest.facts.is_some() {
            let mut manifest = self.manifest.clone();
            manifest.edition += 1;
            manifest.facts = None;
            self.publish(manifest)?;
        }
        Ok(())
    }

    /// The entry of extracted facts over the passages of a new generation.
    pub(super) fn carry_facts(&self, store: &Store) -> Option<FactSet> {
        let mut set = self.manifest.facts.clone()?;
        match facts::read(&self.dir, &set) {
            Ok(facts) => {
                let keys = (0..store.n_passages()).map(|row| store.passage_row(row).embed_key);
                set.passages = keys.filter(|key| facts.contains_key(key)).count() as u64;
                Some(set)
            }
            Err(error) => {
                tracing::warn!(%error, "facts that cannot be read are forgotten");
                None
            }
        }
    }

    /// Forgets facts that cannot be read, because a reader could not follow them.
    pub(super) fn check_facts(manifest: &mut Manifest, dir: &std::path::Path) {
        let damage = manifest.facts.as_ref().map(|set| facts::read(dir, set));
        if let Some(Err(error)) = damage {
            tracing::warn!(%error, "facts that cannot be read are forgotten");
            manifest.facts = None;
        }
    }
}

type Answer = Result<Result<Facts, ExtractError>, IndexError>;

fn read(store: &Store, row: u32, extractor: &dyn FactExtractor, cancel: &Cancel) -> Answer {
    let passage = store.passage_row(row);
    let title = store.record(passage.document)?.title;
    Ok(extractor.extract(&title, store.passage_text(&passage)?, cancel))
}

fn keep(log: &mut RecordLog, store: &Store, row: u32, facts: Facts) -> Result<(), IndexError> {
    let bytes = serde_json::to_vec(&facts::tidy(facts))
        .map_err(|e| corrupt("facts".as_ref(), e.to_string()))?;
    log.append(store.passage_row(row).embed_key, &bytes)?;
    // Each of them may have been paid for.
    log.sync()
}

fn document_of(store: &Store, row: u32) -> String {
    let record = store.record(store.passage_row(row).document);
    record.map_or_else(|error| error.to_string(), |record| record.id)
}
