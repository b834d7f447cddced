//! Retrieval for model-driven loops: several queries, one list.

use std::collections::BTreeMap;

use indago_core::ports::{StepKey, TaskCtxExt as _, TaskError};
use indago_core::{Event, Passage, PassageId, Query};

use super::state::{Origin, QuerySet, SearchState};
use crate::model::Ports;

/// Constant of reciprocal rank fusion (Cormack, Clarke and Buettcher, SIGIR 2009).
const RRF: f64 = 60.0;

/// Reciprocal rank fusion of `lists`: best first, ties by id.
pub fn fuse(lists: &[Vec<PassageId>]) -> Vec<PassageId> {
    let mut scores: BTreeMap<PassageId, f64> = BTreeMap::new();
    for list in lists {
        for (rank, id) in list.iter().enumerate() {
            *scores.entry(*id).or_default() += 1.0 / (RRF + rank as f64 + 1.0);
        }
    }
    let mut order: Vec<(PassageId, f64)> = scores.into_iter().collect();
    order.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    order.into_iter().map(|(id, _)| id).collect()
}

/// What the library is asked for `set`.
pub(crate) fn queries(state: &SearchState, set: &QuerySet) -> Vec<Query> {
    set.queries
        .iter()
        .map(|text| Query {
            filters: state.filters.clone(),
            imagined: set.imagined.clone(),
            ..Query::new(text.clone())
        })
        .collect()
}

/// The lists of `set`'s queries, each at most `depth` long, as one recorded step.
///
/// # Errors
/// When the corpus cannot be searched.
pub async fn lists(
    ports: &mut Ports<'_>,
    state: &mut SearchState,
    purpose: &str,
    set: &QuerySet,
    depth: usize,
) -> Result<Vec<Vec<PassageId>>, TaskError> {
    let key = StepKey::new(
        format!("retrieve/{purpose}/{}", state.round + 1),
        &(set, &state.filters, depth),
    );
    let queries = queries(state, set);
    let library = ports.library;
    let found: Vec<Vec<PassageId>> = ports
        .cx
        .run_step(key, async move {
            let lists = library.search(queries, depth).await?;
            Ok(lists
                .into_iter()
                .map(|list| list.into_iter().map(|hit| hit.passage).collect())
                .collect())
        })
        .await?;
    state.usage.queries += set.queries.len() as u64;
    state.tried.extend(set.queries.iter().cloned());
    Ok(found)
}

/// The first `k` passages of the fused lists, those shown before included, and whatever else `keep`
/// lets through.
///
/// # Errors
/// When the corpus cannot be searched or read.
pub async fn search(
    ports: &mut Ports<'_>,
    state: &mut SearchState,
    purpose: &str,
    set: &QuerySet,
    k: usize,
    keep: impl Fn(&SearchState, PassageId) -> bool,
) -> Result<Vec<Passage>, TaskError> {
    // Deep enough that passages shown before do not empty the list.
    let depth = k + state.evidence.len();
    let found = lists(ports, state, purpose, set, depth).await?;
    let mut chosen = fuse(&found);
    chosen.retain(|id| keep(state, *id));
    chosen.truncate(k);
    Ok(ports.library.passages(chosen).await?)
}

/// A round of retrieval: shows the first `k` passages that were not shown yet, says so in the run's
/// log, and gives their numbers.
///
/// # Errors
/// When the corpus cannot be searched or read.
pub async fn round(
    ports: &mut Ports<'_>,
    state: &mut SearchState,
    purpose: &str,
    set: &QuerySet,
    k: usize,
) -> Result<Vec<u32>, TaskError> {
    let passages = search(ports, state, purpose, set, k, |s, id| !s.has(id)).await?;
    state.round += 1;
    let numbers = state.show(passages, Origin::Retrieved);
    note_round(ports, state, set, numbers.len());
    Ok(numbers)
}

/// Says in the run's log what a round brought.
pub(crate) fn note_round(
    ports: &mut Ports<'_>,
    state: &mut SearchState,
    set: &QuerySet,
    new: usize,
) {
    state.usage.rounds += 1;
    state.usage.passages += new as u64;
    ports.cx.emit(Event::Searched {
        node: state.node,
        round: state.round,
        queries: set.queries.clone(),
        new_passages: new as u32,
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> PassageId {
        PassageId([n; 16])
    }

    #[test]
    fn fusion_is_by_rank_with_ties_by_id() {
        // 1: 1/61 + 1/62; 2: 1/62 + 1/61, equal, so the lower id first; 3: 1/63.
        let fused = fuse(&[vec![id(1), id(2), id(3)], vec![id(2), id(1)]]);
        assert_eq!(fused, [id(1), id(2), id(3)]);
        assert!(fuse(&[]).is_empty());
    }
}
