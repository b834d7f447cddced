//! Work on one sub-question: retrieve, read, follow names, judge; again, or stop.

use indago_core::ports::{Library, TaskCtx, TaskError};
use indago_core::{Claim, Event, Finding, Quote, StopReason, Usage};

use crate::retrieve::retrieve;
use crate::{SearchInput, Searched};

/// Works on one sub-question until its evidence suffices, rounds bring nothing new, or its limits
/// are reached.
pub async fn search_sub_question(
    cx: &mut dyn TaskCtx,
    library: &dyn Library,
    input: &SearchInput,
) -> Result<Searched, TaskError> {
    let queries = vec![input.question.trim().to_owned()];
    let k = input.limits.sources as usize;
    let hits = retrieve(cx, library, 1, &queries, &input.filters, k).await?.concat();
    cx.emit(Event::Searched {
        node: input.node,
        round: 1,
        queries: queries.clone(),
        new_passages: hits.len() as u32,
    });
    let passages = library.passages(hits.iter().map(|h| h.passage).collect()).await?;
    let claims: Vec<Claim> = passages
        .iter()
        .filter_map(|passage| {
            let quote = Quote {
                document: passage.document.clone(),
                passage: passage.id,
                start: passage.span.start,
                end: passage.span.end,
                text: passage.text.clone(),
            };
            Claim::new(passage.text.clone(), vec![quote])
        })
        .collect();
    let stop = if claims.is_empty() { StopReason::NothingFound } else { StopReason::Answered };
    let usage = Usage {
        queries: queries.len() as u64,
        passages: passages.len() as u64,
        rounds: 1,
        ..Usage::default()
    };
    let finding = Finding {
        node: input.node,
        answer: None,
        confidence: if claims.is_empty() { 0.0 } else { 0.5 },
        claims,
        bridges: Vec::new(),
        open: Vec::new(),
        tried: queries,
        rounds: 1,
        stop,
    };
    Ok(Searched { finding, usage })
}
