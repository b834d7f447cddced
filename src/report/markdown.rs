//! The report as Markdown, made to be read in a terminal as well as rendered.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use indago_core::{Claim, DocumentId, NodeState, Quote, Report, StopReason};

use super::{caution, confidence_in_words, cost, coverage_note, label, one_line, stop_in_words};

/// Longest quote that is printed whole, in characters; the JSON and HTML always have all of it.
const QUOTE_CHARS: usize = 400;
/// Most claims that are printed of one section. A page is for reading; the JSON and the HTML have
/// all of them.
const SECTION_CLAIMS: usize = 4;
/// Most sentences that are listed as taken out.
const MOST_DROPPED: usize = 10;

/// The report as Markdown.
pub fn markdown(report: &Report) -> String {
    let mut page = Page {
        out: String::new(),
        numbers: numbers(report),
    };
    page.head(report);
    page.sections(report);
    page.contradictions(report);
    page.dropped(report);
    page.not_found(report);
    page.sources(report);
    page.method(report);
    page.out
}

/// The number of each source document.
pub(super) fn numbers(report: &Report) -> BTreeMap<DocumentId, u32> {
    report
        .sources
        .iter()
        .map(|s| (s.document.clone(), s.n))
        .collect()
}

struct Page {
    out: String,
    numbers: BTreeMap<DocumentId, u32>,
}

impl Page {
    fn line(&mut self, text: &str) {
        self.out.push_str(text);
        self.out.push('\n');
    }

    fn head(&mut self, report: &Report) {
        self.line(&format!("# {}", escape(&one_line(&report.question))));
        self.line("");
        match &report.answer {
            Some(answer) => {
                let confidence = confidence_in_words(report.confidence);
                let text = escape(&one_line(&answer.text));
                let caution = caution(report.confidence);
                self.line(&format!("{caution}**{text}** (confidence: {confidence})"));
            }
            None if report.abstained && report.stop_reason == StopReason::Failed => {
                self.line("**The question could not be worked on.**");
            }
            None if report.abstained => {
                self.line("**Not found in this corpus.**");
                if !report.sections.is_empty() {
                    self.line("");
                    self.line("The nearest that it says:");
                }
            }
            None => {
                self.line("The documents say the following; no short answer follows from it.");
            }
        }
        self.line("");
    }

    fn sections(&mut self, report: &Report) {
        let many = report.sections.len() > 1;
        let mut printed: Vec<(&str, &[Quote])> = Vec::new();
        let mut left_out = 0;
        for section in &report.sections {
            // A sentence that serves two sub-questions is read once.
            let new = section.claims.iter().filter(|claim| {
                let known = printed.contains(&(claim.text(), claim.quotes()));
                printed.push((claim.text(), claim.quotes()));
                !known
            });
            let new: Vec<&Claim> = new.collect();
            if new.is_empty() {
                continue;
            }
            if many {
                self.line(&format!("## {}", escape(&one_line(&section.heading))));
                self.line("");
            }
            for claim in new.iter().take(SECTION_CLAIMS) {
                self.claim(claim);
            }
            left_out += new.len().saturating_sub(SECTION_CLAIMS);
        }
        if left_out > 0 {
            self.line(&format!(
                "{left_out} more {} in the HTML and JSON reports.",
                if left_out == 1 {
                    "quote is"
                } else {
                    "quotes are"
                }
            ));
            self.line("");
        }
    }

    /// The claim with its numbers; quotes follow where they say more than the claim does.
    fn claim(&mut self, claim: &Claim) {
        let cited = self.cite(claim);
        let text = one_line(claim.text());
        let main = claim
            .quotes()
            .first()
            .map(|q| one_line(&q.text))
            .unwrap_or_default();
        if text == main {
            self.line(&format!("> {} {cited}", escape(&shorten(&text))));
        } else {
            self.line(&format!("{} {cited}", escape(&text)));
            self.line("");
            for quote in claim.quotes() {
                self.line(&format!("> {}", escape(&shorten(&one_line(&quote.text)))));
            }
        }
        self.line("");
    }

    fn cite(&self, claim: &Claim) -> String {
        let mut cited: Vec<u32> = Vec::new();
        for quote in claim.quotes() {
            if let Some(n) = self.numbers.get(&quote.document)
                && !cited.contains(n)
            {
                cited.push(*n);
            }
        }
        if cited.is_empty() {
            // A claim of a contradiction may quote a document that no section stands on.
            let outside = claim.quotes().first().map(|q| q.document.to_string());
            return outside
                .map(|d| format!("({})", code(&d)))
                .unwrap_or_default();
        }
        cited.iter().map(|n| format!("[{n}]")).collect()
    }

    fn contradictions(&mut self, report: &Report) {
        if report.contradictions.is_empty() {
            return;
        }
        self.line("## Sources disagree");
        self.line("");
        for contradiction in &report.contradictions {
            self.line(&format!("On {}:", escape(&one_line(&contradiction.about))));
            self.line("");
            for claim in &contradiction.claims {
                let text = escape(&shorten(&one_line(claim.text())));
                let cited = self.cite(claim);
                self.line(&format!("- {text} {cited}"));
            }
            self.line("");
        }
    }

    /// What was written and not believed: the reader should know that something is left out.
    fn dropped(&mut self, report: &Report) {
        if report.dropped.is_empty() {
            return;
        }
        self.line("## Taken out by the verifier");
        self.line("");
        for dropped in report.dropped.iter().take(MOST_DROPPED) {
            let text = escape(&shorten(&one_line(&dropped.claim)));
            let reason = escape(&shorten(&one_line(&dropped.reason)));
            self.line(&format!("- ~~{text}~~ ({reason})"));
        }
        let more = report.dropped.len().saturating_sub(MOST_DROPPED);
        if more > 0 {
            self.line(&format!("- and {more} more, in the JSON report"));
        }
        self.line("");
    }

    fn not_found(&mut self, report: &Report) {
        if report.not_found.is_empty() {
            return;
        }
        self.line("## Not found in this corpus");
        self.line("");
        for open in &report.not_found {
            let question = escape(&one_line(&open.question));
            let missing = if open.missing.is_empty() {
                String::new()
            } else {
                format!(" Missing: {}.", escape(&one_line(&open.missing.join("; "))))
            };
            self.line(&format!("- {question}{missing}"));
            if !open.tried.is_empty() {
                let tried: Vec<_> = open.tried.iter().map(|q| code(&one_line(q))).collect();
                self.line(&format!("  Tried: {}", tried.join(", ")));
            }
        }
        self.line("");
    }

    fn sources(&mut self, report: &Report) {
        if report.sources.is_empty() {
            return;
        }
        self.line("## Sources");
        self.line("");
        for source in &report.sources {
            let mut line = format!("{}. ", source.n);
            if source.title != source.document.as_str() && !source.title.is_empty() {
                let _ = write!(line, "{}, ", escape(&one_line(&source.title)));
            }
            line.push_str(&code(source.document.as_str()));
            let location = source.location.to_string();
            if !location.is_empty() {
                let _ = write!(line, ", {}", escape(&one_line(&location)));
            }
            self.line(&line);
        }
        self.line("");
    }

    fn method(&mut self, report: &Report) {
        self.line("---");
        let asked = report
            .graph
            .nodes
            .iter()
            .filter(|n| matches!(n.state, NodeState::Answered | NodeState::Unanswerable))
            .count();
        let usage = report.usage;
        let stop = stop_in_words(report.stop_reason);
        let plural = |n: u64, one: &str, many: &str| {
            if n == 1 {
                format!("1 {one}")
            } else {
                format!("{n} {many}")
            }
        };
        self.line(&label(report));
        self.line(&format!(
            "{}, {}, {} read in {} ms; stopped: {stop}. Run `{}`.",
            plural(asked as u64, "question", "questions"),
            plural(usage.queries, "query", "queries"),
            plural(usage.passages, "passage", "passages"),
            usage.wall_ms,
            report.run,
        ));
        if let Some(cost) = cost(report) {
            self.line(&format!("{cost}."));
        }
        if let Some(note) = coverage_note(report) {
            self.line(&format!("Note: {note}."));
        }
    }
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(QUOTE_CHARS) {
        None => text.to_owned(),
        Some((cut, _)) => {
            let head = &text[..cut];
            let whole = head.rsplit_once(' ').map_or(head, |(whole, _)| whole);
            format!("{whole} [...]")
        }
    }
}

/// Keeps document text from becoming markup: links, emphasis, HTML, headings.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (i, c) in text.chars().enumerate() {
        let marks = matches!(c, '\\' | '`' | '*' | '<' | '>' | '[' | ']' | '|' | '~')
            || (i == 0 && matches!(c, '#' | '-' | '+' | '=' | '_'))
            // Inside a word an underscore is a letter of identifiers, not emphasis.
            || (c == '_' && !inside_word(text, i));
        if marks {
            out.push('\\');
        }
        if !c.is_control() {
            out.push(c);
        }
    }
    out
}

fn inside_word(text: &str, at: usize) -> bool {
    let mut chars = text.chars().skip(at.saturating_sub(1));
    let before = if at == 0 { None } else { chars.next() };
    let _underscore = chars.next();
    let after = chars.next();
    before.is_some_and(char::is_alphanumeric) && after.is_some_and(char::is_alphanumeric)
}

/// A code span that holds `text` whatever backticks it has.
fn code(text: &str) -> String {
    let clean: String = text.chars().filter(|c| !c.is_control()).collect();
    let longest = clean.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    if longest > 0 {
        format!("{fence} {clean} {fence}")
    } else {
        format!("`{clean}`")
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn an_answer_reads_like_this() {
        insta::assert_snapshot!("report_markdown", markdown(&sample::answered()));
    }

    #[test]
    fn an_abstention_reads_like_this() {
        insta::assert_snapshot!("abstention_markdown", markdown(&sample::abstained()));
    }

    #[test]
    fn an_answer_that_is_probably_wrong_is_not_told_as_what_documents_say() {
        let at = |confidence| {
            let report = indago_core::Report {
                confidence,
                ..sample::answered()
            };
            let page = markdown(&report);
            page.lines().nth(2).unwrap_or_default().to_owned()
        };
        assert!(
            at(0.49).starts_with("No document says it plainly; the likeliest short answer: **")
        );
        assert!(at(0.49).ends_with("(confidence: low)"));
        assert!(at(0.5).starts_with("**") && at(0.5).ends_with("(confidence: medium)"));
    }

    #[test]
    fn text_cannot_become_markup() {
        assert_eq!(escape("a [x](y) <b> *c* `d` e_f _g_"), {
            "a \\[x\\](y) \\<b\\> \\*c\\* \\`d\\` e_f \\_g\\_"
        });
        assert_eq!(escape("# no heading"), "\\# no heading");
        assert_eq!(code("a`b``c"), "``` a`b``c ```");
    }

    #[test]
    fn terminal_control_sequences_are_removed() {
        assert_eq!(escape("\u{1b}[31mred"), "\\[31mred");
    }
}
