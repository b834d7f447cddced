//! One round of retrieval as a journaled step.

use indago_core::ports::{Library, StepKey, TaskCtx, TaskCtxExt, TaskError};
use indago_core::{Filters, Hit, Query};

/// Hits for each of `queries`, in their order; recorded, so that a resumed task sees the same.
pub(crate) async fn retrieve(
    cx: &mut dyn TaskCtx,
    library: &dyn Library,
    round: u32,
    queries: &[String],
    filters: &Filters,
    k: usize,
) -> Result<Vec<Vec<Hit>>, TaskError> {
    let key = StepKey::new(format_args!("retrieve/{round}"), &(queries, filters, k));
    let asked: Vec<Query> = queries
        .iter()
        .map(|text| Query { filters: filters.clone(), ..Query::new(text.clone()) })
        .collect();
    cx.run_step(key, async move { Ok(library.search(asked, k).await?) }).await
}
