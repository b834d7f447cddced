//! The report as one HTML file: no script, no font, no picture and no request from outside, so it
//! opens the same in ten years. Quotes unfold into their context with `<details>`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use indago_core::{Claim, DocumentId, Quote, Report};
use indago_planner::export;

use super::contexts::Contexts;
use super::markdown::numbers;
use super::{caution, confidence_in_words, cost, coverage_note, label, one_line, stop_in_words};

const STYLE: &str = include_str!("report.css");

/// The report as a whole HTML document. Quotes that have an entry in `contexts` unfold into it.
pub fn html(report: &Report, contexts: &Contexts) -> String {
    let numbers = numbers(report);
    let page = Page {
        contexts,
        numbers: &numbers,
    };
    let question = escape(&one_line(&report.question));
    let mut out = String::new();
    let _ = write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
         style-src 'unsafe-inline'\">\n\
         <meta name=\"generator\" content=\"indago {}\">\n<title>{question}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{question}</h1>\n",
        env!("CARGO_PKG_VERSION")
    );
    page.answer(&mut out, report);
    page.sections(&mut out, report);
    page.contradictions(&mut out, report);
    dropped(&mut out, report);
    not_found(&mut out, report);
    sources(&mut out, report);
    if !report.graph.nodes.is_empty() {
        let _ = write!(
            out,
            "<section class=\"plan\">\n<h2>How the question was taken apart</h2>\n\
             <div class=\"scroll\">{}</div>\n</section>\n",
            export::svg(&report.graph).trim_end()
        );
    }
    footer(&mut out, report);
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

struct Page<'a> {
    contexts: &'a Contexts,
    numbers: &'a BTreeMap<DocumentId, u32>,
}

impl Page<'_> {
    fn answer(&self, out: &mut String, report: &Report) {
        match &report.answer {
            Some(answer) => {
                let _ = writeln!(
                    out,
                    "<p class=\"answer\">{}<strong>{}</strong> <span class=\"confidence\">confidence: \
                     {}</span></p>",
                    caution(report.confidence),
                    escape(&one_line(&answer.text)),
                    confidence_in_words(report.confidence)
                );
            }
            None if report.abstained => {
                out.push_str(
                    "<p class=\"answer\"><strong>Not found in this corpus.</strong></p>\n",
                );
                if !report.sections.is_empty() {
                    out.push_str("<p>The nearest that it says:</p>\n");
                }
            }
            None => out.push_str(
                "<p class=\"answer\">The documents say the following; no short answer follows \
                 from it.</p>\n",
            ),
        }
    }

    fn sections(&self, out: &mut String, report: &Report) {
        for section in &report.sections {
            out.push_str("<section>\n");
            if report.sections.len() > 1 {
                let _ = writeln!(out, "<h2>{}</h2>", escape(&one_line(&section.heading)));
            }
            for claim in &section.claims {
                self.claim(out, claim);
            }
            out.push_str("</section>\n");
        }
    }

    fn claim(&self, out: &mut String, claim: &Claim) {
        out.push_str("<article class=\"claim\">\n");
        let main = claim
            .quotes()
            .first()
            .map(|q| one_line(&q.text))
            .unwrap_or_default();
        if one_line(claim.text()) != main {
            let _ = writeln!(out, "<p>{}</p>", escape(claim.text()));
        }
        for quote in claim.quotes() {
            self.quote(out, quote);
        }
        out.push_str("</article>\n");
    }

    fn quote(&self, out: &mut String, quote: &Quote) {
        let cited = match self.numbers.get(&quote.document) {
            Some(n) => format!("<a class=\"cite\" href=\"#source-{n}\">[{n}]</a>"),
            None => format!("<cite>{}</cite>", escape(quote.document.as_str())),
        };
        let text = escape(&quote.text);
        let Some(context) = self.contexts.get(quote) else {
            let _ = writeln!(out, "<blockquote>{text} {cited}</blockquote>");
            return;
        };
        let ellipsis = |cut: bool| if cut { "… " } else { "" };
        let _ = writeln!(
            out,
            "<details><summary><q>{text}</q> {cited}</summary>\n<div class=\"context\">{}{}<mark>\
             {text}</mark>{}{}<p class=\"where\">{}, bytes {} to {}</p></div></details>",
            ellipsis(context.cut_before),
            escape(&context.before),
            escape(&context.after),
            ellipsis(context.cut_after),
            escape(quote.document.as_str()),
            quote.start,
            quote.end
        );
    }

    fn contradictions(&self, out: &mut String, report: &Report) {
        if report.contradictions.is_empty() {
            return;
        }
        out.push_str("<section class=\"disputed\">\n<h2>Sources disagree</h2>\n");
        for contradiction in &report.contradictions {
            let _ = writeln!(out, "<p>On {}:</p>", escape(&contradiction.about));
            for claim in &contradiction.claims {
                self.claim(out, claim);
            }
        }
        out.push_str("</section>\n");
    }
}

/// What was written and not believed.
fn dropped(out: &mut String, report: &Report) {
    if report.dropped.is_empty() {
        return;
    }
    out.push_str("<section>\n<h2>Taken out by the verifier</h2>\n<ul>\n");
    for dropped in &report.dropped {
        let text = escape(&one_line(&dropped.claim));
        let reason = escape(&one_line(&dropped.reason));
        let _ = writeln!(out, "<li><s>{text}</s> ({reason})</li>");
    }
    out.push_str("</ul>\n</section>\n");
}

fn not_found(out: &mut String, report: &Report) {
    if report.not_found.is_empty() {
        return;
    }
    out.push_str("<section>\n<h2>Not found in this corpus</h2>\n<ul>\n");
    for open in &report.not_found {
        let _ = write!(out, "<li>{}", escape(&one_line(&open.question)));
        if !open.missing.is_empty() {
            let _ = write!(out, " Missing: {}.", escape(&open.missing.join("; ")));
        }
        if !open.tried.is_empty() {
            let tried: Vec<_> = open
                .tried
                .iter()
                .map(|q| format!("<q>{}</q>", escape(q)))
                .collect();
            let _ = write!(out, "<br><small>Tried: {}</small>", tried.join(", "));
        }
        out.push_str("</li>\n");
    }
    out.push_str("</ul>\n</section>\n");
}

fn sources(out: &mut String, report: &Report) {
    if report.sources.is_empty() {
        return;
    }
    out.push_str("<section>\n<h2>Sources</h2>\n<ol class=\"sources\">\n");
    for source in &report.sources {
        let location = source.location.to_string();
        let _ = writeln!(
            out,
            "<li id=\"source-{n}\" value=\"{n}\">{title} <code>{document}</code>{location}</li>",
            n = source.n,
            title = escape(&source.title),
            document = escape(source.document.as_str()),
            location = if location.is_empty() {
                String::new()
            } else {
                format!(", {}", escape(&location))
            },
        );
    }
    out.push_str("</ol>\n</section>\n");
}

fn footer(out: &mut String, report: &Report) {
    let usage = report.usage;
    let _ = writeln!(
        out,
        "<footer>\n<p>{}</p>\n<p>{} queries, {} passages read, {} ms; stopped: {}. Run \
         <code>{}</code>.</p>",
        escape(&label(report)),
        usage.queries,
        usage.passages,
        usage.wall_ms,
        stop_in_words(report.stop_reason),
        escape(report.run.as_str())
    );
    if let Some(cost) = cost(report) {
        let _ = writeln!(out, "<p>{}.</p>", escape(&cost));
    }
    if let Some(note) = coverage_note(report) {
        let _ = writeln!(out, "<p>Note: {}.</p>", escape(&note));
    }
    out.push_str("</footer>\n");
}

/// Text as HTML content or as a double-quoted attribute.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            // Not allowed in HTML, and NUL ends some parsers.
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::contexts::Context;
    use super::super::sample;
    use super::*;

    fn page() -> String {
        let report = sample::answered();
        let mut contexts = Contexts::default();
        let quote = &report.sections[0].claims[0].quotes()[0];
        let context = Context {
            before: "Ships <b>ran</b> aground. ".into(),
            after: " It was lit in 1889.".into(),
            cut_before: true,
            cut_after: false,
        };
        contexts.insert(quote, context);
        html(&report, &contexts)
    }

    #[test]
    fn the_page_looks_like_this() {
        let body = page();
        let body = body.split("</style>").nth(1).unwrap();
        insta::assert_snapshot!("report_html", body);
    }

    #[test]
    fn document_text_cannot_become_markup() {
        let page = page();
        for danger in ["<script", "<b>", "<Ledger>", "javascript:"] {
            assert!(!page.contains(danger), "{danger}");
        }
    }

    #[test]
    fn nothing_is_requested_from_outside() {
        let page = page().replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
        for request in ["http:", "https:", "//", "src=", "@import", "url(http"] {
            assert!(!page.contains(request), "{request}");
        }
    }

    #[test]
    fn every_tag_is_closed() {
        let page = page();
        let tags = [
            "main", "section", "article", "details", "summary", "div", "ol", "ul", "svg", "g",
        ];
        for tag in tags {
            let opened = page.matches(&format!("<{tag}>")).count()
                + page.matches(&format!("<{tag} ")).count();
            assert_eq!(opened, page.matches(&format!("</{tag}>")).count(), "{tag}");
        }
    }
}
