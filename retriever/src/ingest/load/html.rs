//! Web pages. The decoded text is what a reader would see: blocks on lines of their own, scripts
//! and navigation left out.

use std::collections::BTreeMap;

use indago_core::DocumentKind;
use scraper::node::Node;
use scraper::{ElementRef, Html};

use super::draft::{Draft, collapse};
use super::{LoadLimits, Loaded, read};
use crate::ingest::decode::decode;
use crate::ingest::guard::{self, GuardError};
use crate::ingest::outline::{Block, BlockKind, HeadingStack};
use crate::ingest::{FoundFile, SkipReason, Skipped, date};

/// Bytes at the head of a page in which it may name its encoding.
const CHARSET_WINDOW: usize = 2048;

pub(super) fn load(file: &FoundFile, limits: &LoadLimits) -> Result<Loaded, Skipped> {
    let bytes = read::bytes(file, limits)?;
    let declared = charset(&bytes);
    let decoded = decode(bytes, declared.as_deref()).map_err(|_not_text| read::binary(file))?;
    let draft = guard::run(limits.time, move || {
        let mut draft = page(&decoded.text);
        draft.notes.extend(decoded.warning);
        draft
    });
    draft
        .map_err(|error| guard_skip(file, limits, error))?
        .alone(file)
}

/// The skip for a parser that failed.
pub(super) fn guard_skip(file: &FoundFile, limits: &LoadLimits, error: GuardError) -> Skipped {
    let (reason, detail) = match error {
        GuardError::TimedOut => {
            let seconds = limits.time.as_secs_f32();
            let detail = format!("not read within {seconds} s; raise `max_seconds` to wait longer");
            (SkipReason::TooSlow, detail)
        }
        GuardError::Panicked(message) | GuardError::NoThread(message) => {
            (SkipReason::ParserFailed, message)
        }
    };
    Skipped::new(&file.relative, reason, detail)
}

/// The encoding that a page names in a `meta` element or XML declaration.
fn charset(bytes: &[u8]) -> Option<String> {
    let head = &bytes[..bytes.len().min(CHARSET_WINDOW)];
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let at = head.find("charset=").map(|at| at + 8).or_else(|| {
        head.starts_with("<?xml")
            .then(|| head.find("encoding=").map(|at| at + 9))
            .flatten()
    })?;
    let label: String = head[at..]
        .trim_start_matches(['"', '\'', ' '])
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
        .collect();
    (!label.is_empty()).then_some(label)
}

/// A page's text, structure and properties.
pub(super) fn page(source: &str) -> Draft {
    let html = Html::parse_document(source);
    let mut draft = Draft::new(DocumentKind::Html, String::new());
    let mut writer = Writer::default();
    writer.write(content_root(&html));
    let h1 = writer.only_h1.clone();
    draft.text = writer.text;
    draft.text.truncate(draft.text.trim_end().len());
    draft.outline.headings = writer.headings.finish(draft.text.len());
    draft.outline.blocks = writer.blocks;
    properties(&html, &mut draft);
    // A title such as `Setup - The Manual - Example.org` gives way to the heading it begins with.
    match h1 {
        Some(h1) if draft.title.is_empty() || draft.title.starts_with(&h1) => draft.title = h1,
        _ => {}
    }
    draft
}

/// The element that holds what the page is about: `main` where it has most of the text.
fn content_root(html: &Html) -> ElementRef<'_> {
    let root = html.root_element();
    let text_bytes =
        |element: ElementRef<'_>| -> usize { element.text().map(|text| text.trim().len()).sum() };
    let mut mains = root
        .descendants()
        .filter_map(ElementRef::wrap)
        .filter(|element| {
            element.value().name() == "main" || element.value().attr("role") == Some("main")
        });
    match (mains.next(), mains.next()) {
        (Some(main), None) if 4 * text_bytes(main) >= text_bytes(root) => main,
        _ => root,
    }
}

/// What an element does to the text around it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// Not shown, or not part of the content.
    Skip,
    Inline,
    /// Begins and ends a line.
    Line,
    /// Stands apart, with a blank line around it.
    Paragraph,
    Heading(u8),
    Preformatted,
    Row,
    Cell,
    Break,
}

fn layout(element: &scraper::node::Element) -> Layout {
    if element.attr("hidden").is_some()
        || element.attr("aria-hidden") == Some("true")
        || matches!(
            element.attr("role"),
            Some("navigation" | "search" | "banner")
        )
        || element
            .attr("class")
            .is_some_and(|c| c.split_whitespace().any(|c| c == "headerlink"))
    {
        return Layout::Skip;
    }
    match element.name() {
        "script" | "style" | "noscript" | "template" | "nav" | "svg" | "math" | "iframe"
        | "head" | "title" | "button" | "select" | "textarea" | "input" | "footer" | "object"
        | "canvas" | "audio" | "video" | "dialog" | "menu" => Layout::Skip,
        "h1" => Layout::Heading(1),
        "h2" => Layout::Heading(2),
        "h3" => Layout::Heading(3),
        "h4" => Layout::Heading(4),
        "h5" => Layout::Heading(5),
        "h6" => Layout::Heading(6),
        "p" | "blockquote" | "figure" | "table" | "ul" | "ol" | "dl" | "section" | "article"
        | "form" | "fieldset" | "details" | "hr" => Layout::Paragraph,
        "div" | "li" | "dt" | "dd" | "header" | "main" | "aside" | "address" | "caption"
        | "figcaption" | "summary" | "body" | "html" | "thead" | "tbody" | "tfoot" | "center"
        | "legend" | "option" => Layout::Line,
        "pre" | "listing" | "xmp" => Layout::Preformatted,
        "tr" => Layout::Row,
        "td" | "th" => Layout::Cell,
        "br" => Layout::Break,
        _ => Layout::Inline,
    }
}

/// Writes a tree as text, without recursion: pages may nest without bound.
#[derive(Default)]
struct Writer {
    text: String,
    headings: HeadingStack,
    blocks: Vec<Block>,
    /// Line breaks owed before the next text.
    breaks: usize,
    /// A space owed before the next text on this line.
    space: bool,
    /// Preformatted elements that are open.
    preformatted: usize,
    /// Cells of the open row so far.
    cells: usize,
    n_h1: usize,
    only_h1: Option<String>,
}

impl Writer {
    fn write(&mut self, root: ElementRef<'_>) {
        // Elements that are open: what they do, and where their text begins.
        let mut open: Vec<(Layout, usize)> = Vec::new();
        let mut node = *root;
        loop {
            let child = match node.value() {
                Node::Text(text) => {
                    self.push_text(text);
                    None
                }
                Node::Element(element) => match layout(element) {
                    Layout::Skip => None,
                    layout => {
                        self.open(layout);
                        open.push((layout, self.text.len()));
                        let child = node.first_child();
                        if child.is_none() {
                            self.close_last(&mut open);
                        }
                        child
                    }
                },
                _ => None,
            };
            if let Some(child) = child {
                node = child;
                continue;
            }
            // Up until something follows; `root`'s own siblings are not its text.
            loop {
                if open.is_empty() {
                    return;
                }
                if let Some(next) = node.next_sibling() {
                    node = next;
                    break;
                }
                self.close_last(&mut open);
                match node.parent() {
                    Some(parent) => node = parent,
                    None => return,
                }
            }
        }
    }

    fn close_last(&mut self, open: &mut Vec<(Layout, usize)>) {
        if let Some((layout, start)) = open.pop() {
            self.close(layout, start);
        }
    }

    fn open(&mut self, layout: Layout) {
        match layout {
            Layout::Paragraph | Layout::Heading(_) => self.break_lines(2),
            Layout::Preformatted => {
                self.break_lines(2);
                self.preformatted += 1;
            }
            Layout::Line => self.break_lines(1),
            Layout::Row => {
                self.break_lines(1);
                self.cells = 0;
            }
            Layout::Cell => {
                if self.cells > 0 && self.breaks == 0 && !self.text.is_empty() {
                    self.text.push_str(" |");
                    self.space = true;
                }
                self.cells += 1;
            }
            Layout::Break => self.break_lines(self.breaks.min(1) + 1),
            Layout::Inline | Layout::Skip => {}
        }
    }

    fn close(&mut self, layout: Layout, start: usize) {
        // White space owed before the element does not belong to it.
        let inner = &self.text[start.min(self.text.len())..];
        let start = start + (inner.len() - inner.trim_start().len());
        let end = self.text.len();
        match layout {
            Layout::Heading(level) => {
                let name = collapse(&self.text[start.min(end)..]);
                if level == 1 {
                    self.n_h1 += 1;
                    self.only_h1 = (self.n_h1 == 1).then(|| name.clone());
                }
                if start < end {
                    self.headings.push(level, start, name);
                    self.add_block(start, BlockKind::Heading);
                }
                self.break_lines(2);
            }
            Layout::Paragraph => self.break_lines(2),
            Layout::Preformatted => {
                self.preformatted -= 1;
                self.add_block(start, BlockKind::Code);
                self.break_lines(2);
            }
            Layout::Row => {
                self.add_block(start, BlockKind::Row);
                self.break_lines(1);
            }
            Layout::Line => self.break_lines(1),
            Layout::Cell | Layout::Break | Layout::Inline | Layout::Skip => {}
        }
    }

    /// Adds the text since `start` as a block, unless a block inside it is there already.
    fn add_block(&mut self, start: usize, kind: BlockKind) {
        let end = self.text.len();
        let taken = self.blocks.last().map_or(0, |block| block.range.end);
        if start < end && start >= taken {
            self.blocks.push(Block {
                range: start..end,
                kind,
            });
        }
    }

    fn break_lines(&mut self, n: usize) {
        if !self.text.is_empty() {
            self.breaks = self.breaks.max(n);
        }
        self.space = false;
    }

    fn push_text(&mut self, text: &str) {
        if self.preformatted > 0 {
            if !text.is_empty() {
                self.settle();
                self.text.push_str(text);
            }
            return;
        }
        let mut words = text.split_ascii_whitespace().peekable();
        if words.peek().is_none() {
            self.space |= !text.is_empty();
            return;
        }
        self.space |= text.starts_with(|c: char| c.is_ascii_whitespace());
        for word in words {
            self.settle();
            self.text.push_str(word);
            self.space = true;
        }
        self.space = text.ends_with(|c: char| c.is_ascii_whitespace());
    }

    /// Writes the breaks or the space that are owed.
    fn settle(&mut self) {
        if self.breaks > 0 {
            let trimmed = self.text.trim_end_matches([' ', '\n']).len();
            self.text
                .truncate(trimmed.max(self.blocks.last().map_or(0, |b| b.range.end)));
            self.text.extend(std::iter::repeat_n('\n', self.breaks));
        } else if self.space && !self.text.is_empty() {
            self.text.push(' ');
        }
        self.breaks = 0;
        self.space = false;
    }
}

/// Title, date and metadata from the page's head and its `time` elements.
fn properties(html: &Html, draft: &mut Draft) {
    let mut named: BTreeMap<String, String> = BTreeMap::new();
    let mut times = Vec::new();
    let mut title = String::new();
    for element in html
        .root_element()
        .descendants()
        .filter_map(ElementRef::wrap)
    {
        let value = element.value();
        match value.name() {
            "title" if title.is_empty() => {
                title = collapse(&element.text().collect::<String>());
            }
            "meta" => {
                let name = ["property", "name", "itemprop"]
                    .iter()
                    .find_map(|a| value.attr(a));
                if let (Some(name), Some(content)) = (name, value.attr("content")) {
                    let content = collapse(content);
                    named.entry(name.to_ascii_lowercase()).or_insert(content);
                }
            }
            "link" if value.attr("rel") == Some("canonical") => {
                if let Some(address) = value.attr("href") {
                    draft.set("url", address);
                }
            }
            "time" if times.len() < 100 => {
                let stated = value.attr("datetime").map(str::to_owned);
                let stated = stated.unwrap_or_else(|| element.text().collect());
                let is_publication = value.attr("pubdate").is_some()
                    || value.attr("itemprop") == Some("datePublished");
                times.push((!is_publication, stated));
            }
            _ => {}
        }
    }
    if let Some(language) = html.root_element().value().attr("lang") {
        draft.set("lang", language);
    }
    draft.title = named
        .get("og:title")
        .filter(|t| !t.is_empty())
        .cloned()
        .unwrap_or(title);
    const DATES: [&str; 10] = [
        "article:published_time",
        "datepublished",
        "citation_publication_date",
        "dc.date.issued",
        "dcterms.issued",
        "dc.date",
        "dcterms.created",
        "pubdate",
        "date",
        "article:modified_time",
    ];
    times.sort_by_key(|(later, _)| *later);
    draft.date = DATES
        .iter()
        .filter_map(|name| named.get(*name))
        .map(String::as_str)
        .chain(times.iter().map(|(_, stated)| stated.as_str()))
        .find_map(date::parse);
    for (key, name) in [
        ("author", "author"),
        ("author", "article:author"),
        ("description", "description"),
        ("description", "og:description"),
        ("keywords", "keywords"),
        ("site", "og:site_name"),
    ] {
        if let Some(value) = named.get(name)
            && !draft.metadata.contains_key(key)
        {
            draft.set(key, value);
        }
    }
}
