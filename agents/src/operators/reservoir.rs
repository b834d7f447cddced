//! The memory-knowledge reservoir and retriever trigger of ERM4 (Shi et al., 2024): what passed the
//! filter is kept by title, and a query that enough kept titles are close to is not sent.

use std::sync::{Arc, Mutex, PoisonError};

use indago_core::Passage;
use indago_core::ports::{StepKey, TaskCtxExt as _, TaskError};

use super::state::{Origin, QuerySet, SearchState};
use crate::model::Ports;

/// Entries kept at most; the oldest go first.
const CAPACITY: usize = 2000;

/// Kept passages of earlier searches, shared by clones. Keyed by passage, so that equal titles do
/// not overwrite each other.
#[derive(Clone, Debug)]
pub struct Reservoir {
    /// Similarity from which a title counts (`tau`); belongs to the encoder in use.
    pub similar: f32,
    /// Titles that have to be similar (`theta`).
    pub popular: usize,
    /// Milliseconds after which an entry is no longer used.
    pub lives_ms: u64,
    entries: Arc<Mutex<Vec<(u64, Passage)>>>,
}

impl Default for Reservoir {
    fn default() -> Self {
        Self::new(0.4, 3, 24 * 60 * 60 * 1000)
    }
}

impl Reservoir {
    /// An empty reservoir.
    pub fn new(similar: f32, popular: usize, lives_ms: u64) -> Self {
        Self {
            similar,
            popular,
            lives_ms,
            entries: Arc::default(),
        }
    }

    /// Passages that stand in for queries, which are taken out of `set`. Recorded, since what is
    /// kept depends on other searches.
    pub(super) async fn serve(
        &self,
        ports: &mut Ports<'_>,
        set: &mut QuerySet,
    ) -> Result<Vec<Passage>, TaskError> {
        let now_ms = ports.cx.now_ms();
        let mut served: Vec<Passage> = Vec::new();
        let mut left = Vec::new();
        for query in std::mem::take(&mut set.queries) {
            let library = ports.library;
            let fresh: Vec<Passage> = {
                let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
                let live = entries
                    .iter()
                    .filter(|(at, _)| now_ms.saturating_sub(*at) < self.lives_ms);
                live.map(|(_, passage)| passage.clone()).collect()
            };
            let key = StepKey::new("reservoir", &query);
            let (similar, popular, text) = (self.similar, self.popular, query.clone());
            let ids: Vec<indago_core::PassageId> = ports
                .cx
                .run_step(key, async move {
                    let titles: Vec<String> = fresh.iter().map(|p| p.title.clone()).collect();
                    if titles.len() < popular {
                        return Ok(Vec::new());
                    }
                    let scores = library.similarity(text, titles).await?;
                    let close: Vec<_> = fresh
                        .iter()
                        .zip(scores)
                        .filter(|(_, score)| *score >= similar)
                        .map(|(passage, _)| passage.id)
                        .collect();
                    Ok(if close.len() >= popular {
                        close
                    } else {
                        Vec::new()
                    })
                })
                .await?;
            if ids.is_empty() {
                left.push(query);
            } else {
                served.extend(library.passages(ids).await?);
            }
        }
        set.queries = left;
        Ok(served)
    }

    /// Keeps what passed the filter in this round.
    pub(super) fn keep(&self, ports: &mut Ports<'_>, state: &SearchState) {
        let now_ms = ports.cx.now_ms();
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        for shown in &state.evidence {
            let kept = shown.origin == Origin::Retrieved
                && shown.round == state.round
                && !shown.passage.title.is_empty()
                && !state.shelved.contains(&shown.n);
            if kept {
                entries.retain(|(_, known)| known.id != shown.passage.id);
                entries.push((now_ms, shown.passage.clone()));
            }
        }
        let over = entries.len().saturating_sub(CAPACITY);
        entries.drain(..over);
    }
}
