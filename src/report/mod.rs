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
    JsonClaim, JsonContradiction, JsonCoverage, JsonEdge, JsonGraph, JsonLocation, JsonNode,
    JsonNotFound, JsonQuote, JsonReport, JsonSource, JsonUsage, SCHEMA_VERSION, json,
};
pub use markdown::markdown;

use indago_core::{Report, StopReason};

/// What the embedded reasoner does and does not do; printed with every report it writes.
pub const EXTRACTIVE_LABEL: &str = "Quoted from your documents by the extractive reasoner: it selects and orders what they say \
     and writes nothing of its own.";

/// The label of the report's reasoner.
fn label(report: &Report) -> String {
    if report.reasoner == "extractive" {
        EXTRACTIVE_LABEL.to_owned()
    } else {
        format!(
            "Written by the `{}` reasoner; every claim carries its quotes.",
            report.reasoner
        )
    }
}

/// Why the run ended, for people.
fn stop_in_words(reason: StopReason) -> &'static str {
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
        c if c >= 0.5 => "medium",
        _ => "low",
    }
}

/// What is said about passages that have no vector yet; `None` when all have one.
fn coverage_note(report: &Report) -> Option<String> {
    let coverage = report.coverage;
    (coverage.embedded < coverage.passages).then(|| {
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
