//! Leaving the passages that say least without vectors.

use std::collections::HashSet;

use indago_core::Cancel;

use super::CorpusWriter;
use crate::dense::{self, VectorLog};
use crate::error::IndexError;
use crate::manifest::{Manifest, Pruning};
use crate::quality;
use crate::store::Store;

/// How passages are judged; another name, another choice.
const RULE: &str = "information 1";

/// The texts without vectors in `store`, by key; `manifest` is told how many passages these are.
pub(super) fn choose(
    store: &Store,
    manifest: &mut Manifest,
    cancel: &Cancel,
) -> Result<HashSet<[u8; 16]>, IndexError> {
    let Some(pruning) = &mut manifest.pruning else {
        return Ok(HashSet::new());
    };
    let pruned = quality::lowest(store, pruning.per_mille, cancel)?;
    let keys = (0..store.n_passages()).map(|row| store.passage_row(row).embed_key);
    pruning.passages = keys.filter(|key| pruned.contains(key)).count() as u64;
    RULE.clone_into(&mut pruning.rule);
    Ok(pruned)
}

impl CorpusWriter {
    /// Leaves at most `per_mille` of 1000 passages, those that say least, without vectors from now
    /// on; 0 leaves out none. They stay in every other index and are found by words. Vectors that
    /// were made stay in the log, so that nothing is encoded twice when this is changed again;
    /// vectors of tokens follow when they are next brought up to date. Gives the number of passages
    /// left out.
    ///
    /// # Errors
    /// [`IndexError::Cancelled`] soon after `cancel` is set; the corpus is then as it was.
    pub fn prune(&mut self, per_mille: u32, cancel: &Cancel) -> Result<u64, IndexError> {
        let per_mille = per_mille.min(quality::WHOLE);
        let as_it_is = match &self.manifest.pruning {
            None => per_mille == 0,
            Some(pruning) => pruning.per_mille == per_mille && pruning.rule == RULE,
        };
        let Some(store) = self.current.as_ref().map(|current| current.store.clone()) else {
            return Ok(0);
        };
        if as_it_is {
            return Ok(self.coverage("").left_out);
        }
        let mut manifest = self.manifest.clone();
        manifest.edition += 1;
        manifest.pruning = (per_mille > 0).then(|| Pruning {
            rule: RULE.to_owned(),
            per_mille,
            passages: 0,
        });
        let pruned = choose(&store, &mut manifest, cancel)?;
        for set in &mut manifest.vectors {
            // What cannot be read is made again when vectors are next asked for.
            let Ok(log) = VectorLog::open(&self.dir.join(&set.log), &set.fingerprint, set.dim)
            else {
                continue;
            };
            cancel.check()?;
            let (generation, edition) = (manifest.generation, manifest.edition);
            *set = dense::seal(&self.dir, &store, &log, set, generation, edition, &pruned)?;
        }
        self.publish(manifest)?;
        self.remove_leftovers();
        Ok(self.coverage("").left_out)
    }

    /// The texts of `store` that get no vectors, by key.
    pub(super) fn pruned(
        &self,
        store: &Store,
        cancel: &Cancel,
    ) -> Result<HashSet<[u8; 16]>, IndexError> {
        choose(store, &mut self.manifest.clone(), cancel)
    }
}
