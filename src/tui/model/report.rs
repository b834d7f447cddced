//! A report laid out for reading: lines with the quotes they cite.

use std::ops::Range;
use std::sync::Arc;

use indago_core::{Claim, Quote, Report};
use serde::{Deserialize, Serialize};

use super::editor::Editor;
use super::scroll::Scroll;
use crate::report::{JsonReport, stop_in_words};
use crate::tui::text::{clean, clean_block, wrap, wrap_ranges};

/// What a line of a report is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Its title.
    Title,
    /// A heading.
    Heading,
    /// The short answer.
    Answer,
    /// Quoted text.
    Quote,
    /// Running text.
    Text,
    /// What matters less.
    Small,
    /// A warning: contradictions, what was not found.
    Notice,
}

/// One line as it is drawn.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Line {
    /// What it is.
    pub(crate) kind: Kind,
    /// Its text, cleaned.
    pub(crate) text: String,
    /// Which citation it belongs to.
    pub(crate) citation: Option<usize>,
}

/// A quote as the report cites it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Citation {
    /// The quote.
    pub(crate) quote: Quote,
    /// Number of its source.
    pub(crate) source: u32,
}

/// A document opened at a place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct OpenDocument {
    /// Its title, cleaned.
    pub(crate) title: String,
    /// Its file and date, cleaned.
    pub(crate) about: String,
    /// Its text in cleaned lines.
    pub(crate) lines: Vec<String>,
    /// The part of each line that is marked, in bytes.
    pub(crate) marks: Vec<(usize, Range<usize>)>,
    /// Where the reader is; `None` until the mark was brought into sight.
    #[serde(skip)]
    pub(crate) scroll: Option<Scroll>,
}

impl OpenDocument {
    /// Lays out `text`, a document's, with the bytes of `span` marked.
    pub(crate) fn new(title: &str, about: &str, text: &str, span: Range<usize>) -> Self {
        let span = if text.get(span.clone()).is_some() {
            span
        } else {
            0..0
        };
        let mut lines = clean_block(&text[..span.start]);
        let mut marks = Vec::new();
        for (i, part) in clean_block(&text[span.clone()]).into_iter().enumerate() {
            if i > 0 {
                lines.push(String::new());
            }
            let number = lines.len() - 1;
            if let Some(line) = lines.last_mut() {
                let from = line.len();
                line.push_str(&part);
                if from < line.len() {
                    marks.push((number, from..line.len()));
                }
            }
        }
        for (i, part) in clean_block(&text[span.end..]).into_iter().enumerate() {
            match lines.last_mut() {
                Some(line) if i == 0 => line.push_str(&part),
                _ => lines.push(part),
            }
        }
        Self {
            title: clean(title),
            about: clean(about),
            lines,
            marks,
            scroll: None,
        }
    }

    /// Rows of at most `width` columns: for each its line and bytes, and whether a mark is in it.
    pub(crate) fn rows(&self, width: usize) -> Vec<(usize, Range<usize>)> {
        let wrapped = |(n, line): (usize, &String)| -> Vec<(usize, Range<usize>)> {
            wrap_ranges(line, width)
                .into_iter()
                .map(|r| (n, r))
                .collect()
        };
        self.lines.iter().enumerate().flat_map(wrapped).collect()
    }

    /// The first row with a mark.
    pub(crate) fn marked_row(&self, rows: &[(usize, Range<usize>)]) -> usize {
        let Some((line, bytes)) = self.marks.first() else {
            return 0;
        };
        rows.iter()
            .position(|(n, r)| n == line && bytes.start < r.end.max(r.start + 1))
            .unwrap_or(0)
    }
}

/// What should come into sight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bring {
    /// The selected citation.
    Citation,
    /// The match of the search.
    Match,
}

/// A report and the reader's place in it.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    /// The report.
    pub(crate) report: Arc<Report>,
    /// The corpus it was asked of.
    pub(crate) corpus: String,
    /// Its quotes in reading order.
    pub(crate) citations: Vec<Citation>,
    /// The selected citation.
    pub(crate) selected: Option<usize>,
    /// Where the reader is.
    pub(crate) scroll: Scroll,
    /// The open document beside it.
    pub(crate) document: Option<OpenDocument>,
    /// Whether keys go to the document.
    pub(crate) in_document: bool,
    /// What the next frame has to bring into sight, whatever its size.
    pub(crate) bring: Option<Bring>,
    /// Which match of the search is shown.
    pub(crate) found: usize,
    /// What is searched for; empty when nothing is.
    pub(crate) needle: String,
    /// The search field while it is open.
    pub(crate) finding: Option<Editor>,
}

impl Reading {
    /// Opens a report at its beginning.
    pub(crate) fn new(report: Arc<Report>, corpus: &str) -> Self {
        let number = |quote: &Quote| {
            let source = report.sources.iter().find(|s| s.document == quote.document);
            source.map_or(0, |source| source.n)
        };
        let sections = report.sections.iter().flat_map(|s| &s.claims);
        let disputed = report.contradictions.iter().flat_map(|c| &c.claims);
        let citations = sections
            .chain(disputed)
            .flat_map(Claim::quotes)
            .map(|quote| Citation {
                quote: quote.clone(),
                source: number(quote),
            })
            .collect();
        Self {
            citations,
            corpus: corpus.to_owned(),
            report,
            selected: None,
            scroll: Scroll::TOP,
            document: None,
            in_document: false,
            bring: None,
            found: 0,
            needle: String::new(),
            finding: None,
        }
    }

    /// The report in lines of at most `width` columns.
    pub(crate) fn lines(&self, width: usize) -> Vec<Line> {
        let mut page = Page {
            width: width.max(8),
            lines: Vec::new(),
            citation: 0,
            citations: &self.citations,
        };
        page.report(&self.report);
        page.lines
    }

    /// Lines that hold what is searched for.
    pub(crate) fn matches(&self, lines: &[Line]) -> Vec<usize> {
        if self.needle.is_empty() {
            return Vec::new();
        }
        let needle = self.needle.to_lowercase();
        lines
            .iter()
            .enumerate()
            .filter(|(_, line)| line.text.to_lowercase().contains(&needle))
            .map(|(n, _)| n)
            .collect()
    }

    /// The first line to show of `lines`, of which `sight` fit.
    pub(crate) fn top(&self, lines: &[Line], sight: usize) -> usize {
        let now = self.scroll.line(lines.len(), sight);
        let wanted = match self.bring {
            None => None,
            Some(Bring::Citation) => {
                let of = |line: &Line| line.citation.is_some() && line.citation == self.selected;
                lines.iter().position(of)
            }
            Some(Bring::Match) => {
                let matches = self.matches(lines);
                (!matches.is_empty()).then(|| matches[self.found % matches.len()])
            }
        };
        match wanted {
            // A few lines of it should be in sight, not only its first.
            Some(line) if line < now || line + 3 > now + sight => {
                let last = lines.len().saturating_sub(sight);
                line.saturating_sub(sight / 3).min(last)
            }
            _ => now,
        }
    }
}

struct Page<'a> {
    width: usize,
    lines: Vec<Line>,
    citation: usize,
    citations: &'a [Citation],
}

impl Page<'_> {
    fn push(&mut self, kind: Kind, indent: &str, text: &str, citation: Option<usize>) {
        let room = self.width.saturating_sub(indent.chars().count());
        for row in wrap(&clean(text), room) {
            self.lines.push(Line {
                kind,
                text: format!("{indent}{row}"),
                citation,
            });
        }
    }

    fn gap(&mut self) {
        if self.lines.last().is_some_and(|line| !line.text.is_empty()) {
            self.push(Kind::Text, "", "", None);
        }
    }

    fn claim(&mut self, claim: &Claim) {
        let first = self.citation;
        self.citation += claim.quotes().len();
        // A claim of the extractive reasoner is its own quote: saying it twice helps nobody.
        let is_quote = claim
            .quotes()
            .iter()
            .any(|q| clean(&q.text) == clean(claim.text()));
        if !is_quote {
            self.push(Kind::Text, "", claim.text(), Some(first));
        }
        for (i, quote) in claim.quotes().iter().enumerate() {
            let n = self.citations.get(first + i).map_or(0, |c| c.source);
            let text = format!("{} [{n}]", clean(&quote.text));
            self.push(Kind::Quote, "▌ ", &text, Some(first + i));
        }
        self.gap();
    }

    fn report(&mut self, report: &Report) {
        self.push(Kind::Title, "", &report.question, None);
        self.gap();
        let confidence = format!("confidence {:.2}", report.confidence);
        match &report.answer {
            Some(answer) => {
                self.push(
                    Kind::Answer,
                    "",
                    &format!("{} ({confidence})", answer.text),
                    None,
                );
            }
            None if report.abstained => self.push(
                Kind::Notice,
                "",
                "Not found in this corpus. What comes nearest, and what was tried, is below.",
                None,
            ),
            None => self.push(
                Kind::Answer,
                "",
                &format!("no short answer ({confidence})"),
                None,
            ),
        }
        self.gap();
        for section in &report.sections {
            self.push(Kind::Heading, "", &section.heading, None);
            self.gap();
            for claim in &section.claims {
                self.claim(claim);
            }
        }
        if !report.contradictions.is_empty() {
            self.push(Kind::Heading, "", "Where the sources disagree", None);
            self.gap();
            for contradiction in &report.contradictions {
                self.push(Kind::Notice, "", &contradiction.about, None);
                for claim in &contradiction.claims {
                    self.claim(claim);
                }
            }
        }
        if !report.not_found.is_empty() {
            self.push(Kind::Heading, "", "Not found", None);
            self.gap();
            for open in &report.not_found {
                self.push(Kind::Notice, "", &open.question, None);
                for missing in &open.missing {
                    self.push(Kind::Text, "  ", missing, None);
                }
                if !open.tried.is_empty() {
                    let tried = format!("tried: {}", open.tried.join(" | "));
                    self.push(Kind::Small, "  ", &tried, None);
                }
            }
            self.gap();
        }
        if !report.sources.is_empty() {
            self.push(Kind::Heading, "", "Sources", None);
            self.gap();
            for source in &report.sources {
                let place = source.location.to_string();
                let text = format!(
                    "[{}] {} · {} · {place}",
                    source.n, source.title, source.document
                );
                self.push(Kind::Text, "", text.trim_end_matches([' ', '·']), None);
            }
            self.gap();
        }
        let usage = report.usage;
        let method = format!(
            "{} reasoner; {} queries, {} passages read, {} rounds, {} model calls, {} ms; ended: {}; run {}",
            report.reasoner,
            usage.queries,
            usage.passages,
            usage.rounds,
            usage.lm_calls,
            usage.wall_ms,
            stop_in_words(report.stop_reason),
            report.run,
        );
        self.push(Kind::Small, "", &method, None);
    }
}

/// How a report leaves the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExportFormat {
    /// For reading.
    Markdown,
    /// One page for a browser.
    Html,
    /// For programs.
    Json,
    /// One row for each quote.
    Csv,
}

impl ExportFormat {
    /// What a file name asks for by its ending.
    pub(crate) fn of_path(path: &str) -> Option<Self> {
        let (_, ending) = path.rsplit_once('.')?;
        match ending.to_ascii_lowercase().as_str() {
            "md" | "markdown" => Some(Self::Markdown),
            "html" | "htm" => Some(Self::Html),
            "json" => Some(Self::Json),
            "csv" => Some(Self::Csv),
            _ => None,
        }
    }
}

/// One row for each quote: section, claim, quote, source, document, first and last byte.
pub(crate) fn csv(report: &Report) -> String {
    let mut out = String::from("section,claim,quote,source,document,start,end\n");
    for section in &report.sections {
        for claim in &section.claims {
            for quote in claim.quotes() {
                let source = report.sources.iter().find(|s| s.document == quote.document);
                let fields = [
                    section.heading.clone(),
                    claim.text().to_owned(),
                    quote.text.clone(),
                    source.map_or_else(String::new, |s| s.n.to_string()),
                    quote.document.as_str().to_owned(),
                    quote.start.to_string(),
                    quote.end.to_string(),
                ];
                let row: Vec<String> = fields.iter().map(|f| csv_field(f)).collect();
                out.push_str(&row.join(","));
                out.push('\n');
            }
        }
    }
    out
}

/// A field of RFC 4180. One that a spreadsheet would take for a formula gets an apostrophe.
fn csv_field(text: &str) -> String {
    let safe = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{text}")
    } else {
        text.to_owned()
    };
    if safe.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", safe.replace('"', "\"\""))
    } else {
        safe
    }
}

/// The report as text in a format that needs nothing but the report.
pub(crate) fn exported(report: &Report, format: ExportFormat) -> Result<String, serde_json::Error> {
    Ok(match format {
        ExportFormat::Markdown => crate::report::markdown(report),
        ExportFormat::Csv => csv(report),
        ExportFormat::Html => crate::report::html(report, &crate::report::Contexts::default()),
        ExportFormat::Json => {
            let json: JsonReport = crate::report::json(report, None);
            format!("{}\n", serde_json::to_string_pretty(&json)?)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_is_marked_where_it_stands() {
        let text = "first\nsecond \u{1b}[31mline\nthird";
        let at = text.find("second").unwrap();
        let document = OpenDocument::new("t", "", text, at..at + 12);
        assert_eq!(
            document.lines,
            ["first", "second \u{fffd}[31mline", "third"]
        );
        let (line, bytes) = &document.marks[0];
        assert_eq!(*line, 1);
        assert!(document.lines[1][bytes.clone()].starts_with("second"));
        let rows = document.rows(6);
        assert_eq!(document.marked_row(&rows), 1);
    }

    #[test]
    fn a_span_off_the_text_marks_nothing() {
        let document = OpenDocument::new("", "", "é", 1..9);
        assert!(document.marks.is_empty());
        assert_eq!(document.lines, ["é"]);
    }

    #[test]
    fn spreadsheets_get_fields_and_no_formulas() {
        assert_eq!(csv_field("=cmd()"), "'=cmd()");
        assert_eq!(csv_field("a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!(csv_field("plain"), "plain");
    }
}
