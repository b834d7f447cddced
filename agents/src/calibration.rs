//! What calibration needs to see of a search: the features that its probabilities rest on.

use indago_core::ports::{Library, TaskCtx, TaskError};
use indago_core::{DocumentId, PassageId};

use crate::SearchInput;
pub use crate::judge::FEATURES;

/// One candidate in one round.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// From 0.
    pub round: usize,
    /// Which passage.
    pub passage: PassageId,
    /// Its document.
    pub document: DocumentId,
    /// Values of [`FEATURES`].
    pub features: Vec<f64>,
}

/// Searches for `input` and gives the features of every candidate in every round.
pub async fn examine(
    cx: &mut dyn TaskCtx,
    library: &dyn Library,
    input: &SearchInput,
) -> Result<Vec<Row>, TaskError> {
    let trail = crate::search::explore(cx, library, input).await?;
    let mut rows = Vec::new();
    for (round, judged) in trail.rounds.iter().enumerate() {
        for (passage, features) in judged {
            let Some(candidate) = trail.pool.get(*passage) else {
                continue;
            };
            rows.push(Row {
                round,
                passage: *passage,
                document: candidate.passage.document.clone(),
                features: features.to_vec(),
            });
        }
    }
    Ok(rows)
}
