//! Who does the thinking of a run: searching a sub-question, and writing the report.

use indago_core::ports::{BoxFuture, Library, TaskCtx, TaskError};
use indago_core::{Allowance, Claim, Report, Usage};
use serde::{Deserialize, Serialize};

use crate::operators::Strategy;
use crate::{SearchInput, Searched, WriteInput, search_sub_question, write};

/// One section to write: a task of its own, so that its failure costs nothing else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SectionInput {
    /// The question of the run.
    pub question: String,
    /// What the section is about.
    pub heading: String,
    /// All verified claims, in the order of their numbers (from 1).
    pub ledger: Vec<Claim>,
    /// Numbers of those that the section rests on.
    pub evidence: Vec<usize>,
    /// Words it should have at most.
    pub words: u32,
    /// Position in the report, from 0.
    pub index: u32,
    /// What it may spend.
    #[serde(default)]
    pub allowance: Allowance,
}

/// A written section.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WrittenSection {
    /// Verified claims in reading order.
    pub claims: Vec<Claim>,
    /// Sentences that did not pass, with the reason.
    pub dropped: Vec<(String, String)>,
    /// Why it could not be written, or not to its end.
    #[serde(default)]
    pub failed: Option<String>,
    /// What it took.
    pub usage: Usage,
}

/// Writes the report of a run.
pub trait Author: Send + Sync {
    /// Registered name; stands in the report.
    fn name(&self) -> &str;

    /// The report. Never from empty evidence, and never without quotes that were read again.
    fn write<'a>(
        &'a self,
        cx: &'a mut dyn TaskCtx,
        library: &'a dyn Library,
        input: WriteInput,
    ) -> BoxFuture<'a, Result<Report, TaskError>>;

    /// The report from what there is, without anything that takes long or may fail: when writing
    /// did not end in its time.
    fn assemble<'a>(
        &'a self,
        cx: &'a mut dyn TaskCtx,
        library: &'a dyn Library,
        input: WriteInput,
    ) -> BoxFuture<'a, Result<Report, TaskError>> {
        self.write(cx, library, input)
    }

    /// One section, for authors that write them as child tasks named `section`.
    fn section<'a>(
        &'a self,
        _cx: &'a mut dyn TaskCtx,
        _library: &'a dyn Library,
        _input: SectionInput,
    ) -> BoxFuture<'a, Result<WrittenSection, TaskError>> {
        Box::pin(async move {
            Err(TaskError::Terminal(format!(
                "`{}` writes no sections of its own",
                self.name()
            )))
        })
    }
}

/// The reasoner without a language model: selects and orders quotes and writes nothing of its own.
#[derive(Clone, Copy, Debug, Default)]
pub struct Extractive;

impl Strategy for Extractive {
    fn name(&self) -> &'static str {
        "extractive"
    }

    fn search<'a>(
        &'a self,
        cx: &'a mut dyn TaskCtx,
        library: &'a dyn Library,
        input: &'a SearchInput,
    ) -> BoxFuture<'a, Result<Searched, TaskError>> {
        Box::pin(search_sub_question(cx, library, input))
    }
}

impl Author for Extractive {
    fn name(&self) -> &'static str {
        "extractive"
    }

    fn write<'a>(
        &'a self,
        cx: &'a mut dyn TaskCtx,
        library: &'a dyn Library,
        input: WriteInput,
    ) -> BoxFuture<'a, Result<Report, TaskError>> {
        Box::pin(write(cx, library, input))
    }
}
