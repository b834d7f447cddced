//! Reads files as documents: one module for each format.
//!
//! Small formats are read whole and give one document each; record files (JSONL, CSV) are streamed
//! and give one for each record. Every loader states what it saw of the structure as an
//! [`Outline`].

mod archive;
mod code;
mod docx;
mod draft;
mod epub;
mod front_matter;
mod html;
mod json;
mod markdown;
mod pdf;
mod plain;
mod read;
mod record;
mod table;

use std::fmt;
use std::time::Duration;

use indago_core::Document;

pub use code::Language;

use super::{FoundFile, Outline, SkipReason, Skipped, Warning};

/// What a file is read as, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// CommonMark with optional front matter.
    Markdown,
    /// Anything else that turns out to be text.
    Text,
    /// A web page.
    Html,
    /// A PDF with a text layer.
    Pdf,
    /// A Word document.
    Docx,
    /// An e-book.
    Epub,
    /// A table in CSV or TSV.
    Table,
    /// A program.
    Code(Language),
    /// A JSON object on each line.
    JsonLines,
    /// A JSON array of objects, objects one after another, or one value.
    Json,
}

impl Format {
    /// The format that a file name's extension stands for; `.gz` is looked through.
    pub fn of_name(name: &str) -> Self {
        match extension(name).as_str() {
            "md" | "markdown" | "mdown" | "mkd" | "mdx" | "qmd" => Self::Markdown,
            "html" | "htm" | "xhtml" | "xht" => Self::Html,
            "jsonl" | "ndjson" => Self::JsonLines,
            "json" => Self::Json,
            "pdf" => Self::Pdf,
            "docx" | "docm" | "dotx" => Self::Docx,
            "epub" => Self::Epub,
            "csv" | "tsv" | "tab" => Self::Table,
            other => Language::of_extension(other).map_or(Self::Text, Self::Code),
        }
    }
}

/// A name's extension in lower case, without `.gz`.
fn extension(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    name.rsplit_once('.')
        .map_or_else(String::new, |(_, extension)| extension.to_owned())
}

/// Bounds on what one file may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadLimits {
    /// Bytes of a file that is read whole, after decompression.
    pub file_bytes: u64,
    /// Bytes of a record file, after decompression. Reading stops there.
    pub stream_bytes: u64,
    /// Bytes of one record.
    pub record_bytes: u64,
    /// How many times its size an archive may unpack to, beyond its first 16 MB.
    pub expansion: u64,
    /// Entries of an archive.
    pub archive_entries: usize,
    /// Pages of a PDF.
    pub pages: usize,
    /// Wall time for one file that a foreign parser reads.
    pub time: Duration,
}

impl Default for LoadLimits {
    /// 64 MB a file, 2 GB a record file, 16 MB a record, a minute a file.
    fn default() -> Self {
        Self {
            file_bytes: 64 << 20,
            stream_bytes: 2 << 30,
            record_bytes: 16 << 20,
            expansion: 100,
            archive_entries: 10_000,
            pages: 10_000,
            time: Duration::from_mins(1),
        }
    }
}

/// A document with the structure its loader saw.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    /// The document.
    pub document: Document,
    /// Its structure, for [`chunk`](super::chunk).
    pub outline: Outline,
}

/// The documents of one file, in order.
///
/// An iterator: record files are read as it advances. After an `Err` that concerns one record the
/// next ones still come; [`warnings`](Self::warnings) is complete once it has ended.
pub struct Loaded {
    source: Source,
    warnings: Vec<Warning>,
}

enum Source {
    One(Option<Box<Parsed>>),
    Records(Box<dyn Records + Send>),
}

/// A file of many documents.
trait Records {
    fn next(&mut self, warnings: &mut Vec<Warning>) -> Option<Result<Parsed, Skipped>>;
}

impl Loaded {
    fn one(parsed: Parsed, warnings: Vec<Warning>) -> Self {
        Self {
            source: Source::One(Some(Box::new(parsed))),
            warnings,
        }
    }

    fn records(records: impl Records + Send + 'static) -> Self {
        Self {
            source: Source::Records(Box::new(records)),
            warnings: Vec::new(),
        }
    }

    /// What was changed while reading, so far.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }
}

impl Iterator for Loaded {
    type Item = Result<Parsed, Skipped>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.source {
            Source::One(parsed) => parsed.take().map(|parsed| Ok(*parsed)),
            Source::Records(records) => records.next(&mut self.warnings),
        }
    }
}

impl fmt::Debug for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.source {
            Source::One(_) => "one document",
            Source::Records(_) => "records",
        };
        write!(f, "Loaded({kind}, {} warnings)", self.warnings.len())
    }
}

/// Reads a file. Never panics, whatever is in it, and stays within `limits`.
pub fn load(file: &FoundFile, limits: &LoadLimits) -> Result<Loaded, Skipped> {
    match Format::of_name(&file.relative) {
        Format::Markdown => markdown::load(file, limits),
        Format::Text => plain::load(file, limits),
        Format::Html => html::load(file, limits),
        Format::Pdf => pdf::load(file, limits),
        Format::Docx => docx::load(file, limits),
        Format::Epub => epub::load(file, limits),
        Format::Table => table::load(file, limits),
        Format::Code(language) => code::load(file, limits, language),
        Format::JsonLines => json::load_lines(file, limits),
        Format::Json => json::load(file, limits),
    }
}

/// The reason for a file without any text.
fn empty(file: &FoundFile) -> Skipped {
    Skipped::new(&file.relative, SkipReason::Empty, "there is no text in it")
}
