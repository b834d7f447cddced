//! Retrieval as journaled steps.

use indago_core::ports::{Library, StepKey, TaskCtx, TaskCtxExt, TaskError};
use indago_core::{Filters, PassageId, Query, RetrieverWeight};
use serde::{Deserialize, Serialize};

/// A hit without its provenance: what a search needs and the journal keeps.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Found {
    /// Which passage.
    pub(crate) passage: PassageId,
    /// On the scale of the retriever that was asked.
    pub(crate) score: f32,
}

/// A query with the retriever that is to answer it; the configured default when `None`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Ask {
    pub(crate) text: String,
    pub(crate) retriever: Option<&'static str>,
}

/// Lists for each of `asks`, in their order. Recorded, so that a resumed task sees the same.
pub(crate) async fn retrieve(
    cx: &mut dyn TaskCtx,
    library: &dyn Library,
    purpose: &str,
    asks: &[Ask],
    filters: &Filters,
    k: usize,
) -> Result<Vec<Vec<Found>>, TaskError> {
    if asks.is_empty() {
        return Ok(Vec::new());
    }
    let key = StepKey::new(purpose, &(asks, filters, k));
    let queries: Vec<Query> = asks
        .iter()
        .map(|ask| Query {
            filters: filters.clone(),
            retrievers: ask
                .retriever
                .map(|name| RetrieverWeight {
                    name: name.to_owned(),
                    weight: 1.0,
                })
                .into_iter()
                .collect(),
            ..Query::new(ask.text.clone())
        })
        .collect();
    cx.run_step(key, async move {
        let lists = library.search(queries, k).await?;
        let found = |hit: indago_core::Hit| Found {
            passage: hit.passage,
            score: hit.score,
        };
        Ok(lists
            .into_iter()
            .map(|list| list.into_iter().map(found).collect())
            .collect())
    })
    .await
}
