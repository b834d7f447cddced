//! Renders a [`Report`]: Markdown for reading, JSON for programs, one HTML
//! file for keeping.
//!
//! Rendering is pure: everything that is shown is in the report or in the [`Contexts`] given with
//! it. Text from documents is escaped for the format it enters, always.

mod contexts;
mod html;
mod json;
mod markdown;
#[cfg(test)]
mod sample;

pub use contexts::{Context, Contexts, QuoteKey};
pub use html::html;
pub use json::{
    Checked, JsonClaim, JsonContradiction, JsonCoverage, JsonEdge, JsonGraph, JsonLocation,
    JsonNode, JsonNotFound, JsonQuote, JsonReport, JsonSource, JsonUsage, SCHEMA_VERSION, json,
};
pub use markdown::markdown;

use indago_core::{Answer, Claim, Report, StopReason};

/// What the embedded reasoner does and does not do; printed with every report it writes.
pub const EXTRACTIVE_LABEL: &str = "Quoted from your documents by the extractive reasoner: it selects and orders what they say \
     and writes nothing of its own.";

/// The label of the report's reasoner.
fn label(report: &Report) -> String {
    if report.reasoner == "extractive" {
        EXTRACTIVE_LABEL.to_owned()
    } else if let Some((model, strategy)) = model_of(report) {
        format!(
            "Written by the model `{model}` (loop `{strategy}`); every quote was read again in its \
             document, every sentence checked against its quotes."
        )
    } else {
        format!(
            "Written by the `{}` reasoner; every claim carries its quotes.",
            report.reasoner
        )
    }
}

/// The model that wrote the report and how it searched; `None` where no model did.
fn model_of(report: &Report) -> Option<(&str, &str)> {
    report.reasoner.strip_prefix("model:")?.rsplit_once('/')
}

/// What the models cost; `None` where there were none.
fn cost(report: &Report) -> Option<String> {
    let usage = report.usage;
    if usage.lm_calls == 0 {
        return None;
    }
    let money = match usage.money_micros {
        0 => "no price known".to_owned(),
        micros => format!("${:.4}", micros as f64 / 1e6),
    };
    Some(format!(
        "{} model calls, {} tokens ({} of them cached by the server), {money}",
        usage.lm_calls, usage.lm_tokens, usage.lm_cached
    ))
}

/// Whether a claim is its quote, word for word.
fn is_quoted(claim: &Claim) -> bool {
    let text = one_line(claim.text());
    claim.quotes().iter().any(|q| one_line(&q.text) == text)
}

/// Why the run ended, for people.
pub(crate) fn stop_in_words(reason: StopReason) -> &'static str {
    match reason {
        StopReason::Answered => "answered",
        StopReason::Budget => "the budget ran out",
        StopReason::NoProgress => "further rounds brought nothing new",
        StopReason::NothingFound => "the corpus holds no evidence",
        StopReason::Cancelled => "cancelled",
        StopReason::FinishedEarly => "finished early on request",
        StopReason::Failed => "failed",
    }
}

/// Confidence in words; the number stays in the JSON, where it can be compared.
fn confidence_in_words(confidence: f32) -> &'static str {
    match confidence {
        c if c >= 0.8 => "high",
        c if c >= Answer::LIKELY => "medium",
        _ => "low",
    }
}

/// What is said before a short answer that is more often wrong than right, so that nobody takes it
/// for what the documents say; nothing before others.
fn caution(confidence: f32) -> &'static str {
    if confidence < Answer::LIKELY {
        "No document says it plainly; the likeliest short answer: "
    } else {
        ""
    }
}

/// What is said about passages that have no vector yet; `None` when all have one.
fn coverage_note(report: &Report) -> Option<String> {
    let coverage = report.coverage;
    (coverage.missing() > 0).then(|| {
        format!(
            "vectors cover {} of {} passages; the rest was searched by words only \
             (`indago index --vectors-only` completes them)",
            coverage.embedded, coverage.passages
        )
    })
}

/// The report's title: the question, on one line.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
