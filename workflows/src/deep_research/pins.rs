//! Keeps what a report cites, whatever becomes of the corpus.

use std::collections::BTreeSet;
use std::sync::Arc;

use indago_core::ports::{StepKey, TaskCtx, TaskCtxExt as _, TaskError};
use indago_core::{Claim, Event, PassageId, Report};

use super::Research;

/// Pins every passage that the report cites.
pub(super) async fn pin(
    cx: &mut dyn TaskCtx,
    research: &Research,
    report: &Report,
) -> Result<(), TaskError> {
    let claims = report.sections.iter().flat_map(|section| &section.claims);
    let disputed = report.contradictions.iter().flat_map(|c| &c.claims);
    let cited: BTreeSet<PassageId> = claims
        .chain(disputed)
        .flat_map(Claim::quotes)
        .map(|quote| quote.passage)
        .collect();
    if cited.is_empty() {
        return Ok(());
    }
    let ids: Vec<PassageId> = cited.into_iter().collect();
    let (run, journal) = (cx.run().clone(), Arc::clone(&research.journal));
    let library = Arc::clone(&research.library);
    let key = StepKey::new("pin", &ids);
    let wanted = ids.len();
    let pinned: usize = cx
        .run_step(key, async move {
            let passages = library.passages(ids).await?;
            let n = passages.len();
            journal.pin(&run, passages);
            Ok(n)
        })
        .await?;
    if pinned < wanted {
        cx.emit(Event::Warned {
            message: format!(
                "{} of {wanted} cited passages are no longer in the corpus and were not kept",
                wanted - pinned
            ),
        });
    }
    Ok(())
}
