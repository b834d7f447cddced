//! What calibration needs to see of a search: the features that its probabilities rest on.

use indago_core::ports::{Library, TaskCtx, TaskError};
use indago_core::{DocumentId, PassageId};

use crate::SearchInput;
pub use crate::abstain::EVIDENCE;
pub use crate::answer::SPAN_FEATURES;
use crate::answer::{FITTED_ON, Seen, answer};
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

/// What a search rests on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Examined {
    /// Every candidate in every round.
    pub rows: Vec<Row>,
    /// Values of [`EVIDENCE`].
    pub evidence: Vec<f64>,
    /// Possible answers with their values of [`SPAN_FEATURES`].
    pub spans: Vec<(String, Vec<f64>)>,
}

/// Searches for `input` and gives what its probabilities rest on.
pub async fn examine(
    cx: &mut dyn TaskCtx,
    library: &dyn Library,
    input: &SearchInput,
) -> Result<Examined, TaskError> {
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
    let selected = crate::select::select(
        &trail.pool,
        input.limits.sources as usize,
        crate::search::CONSIDERED,
    );
    let (asked, pool) = (&trail.asked, &trail.pool);
    let (answered, seen) = answer(library, asked, pool, &selected).await?;
    let evidence = crate::abstain::evidence(asked, pool, &selected, answered.as_ref(), &seen);
    // Spans of all questions, also of those that rules answer.
    let seen = Seen::read(library, &asked.text, &selected, FITTED_ON).await?;
    let spans = crate::answer::spans(asked, pool, &selected, FITTED_ON, &seen)
        .into_iter()
        .map(|s| (s.text, s.features.to_vec()))
        .collect();
    Ok(Examined {
        rows,
        spans,
        evidence: evidence.to_vec(),
    })
}
