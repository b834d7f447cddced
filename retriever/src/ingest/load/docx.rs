//! Word documents: paragraphs, headings by style, tables row by row, core properties.
//!
//! Source: ECMA-376 part 1, section 17 (WordprocessingML). Text that was deleted under change
//! tracking, notes, headers and footers are left out.

use std::collections::HashMap;

use indago_core::DocumentKind;
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::archive::{Archive, Problem};
use super::draft::{Draft, collapse};
use super::html::guard_skip;
use super::{LoadLimits, Loaded, read};
use crate::ingest::outline::{Block, BlockKind, HeadingStack};
use crate::ingest::{FoundFile, SkipReason, Skipped, date, guard};

pub(super) fn load(file: &FoundFile, limits: &LoadLimits) -> Result<Loaded, Skipped> {
    let bytes = read::bytes(file, limits)?;
    let bounds = *limits;
    let outcome = guard::run(limits.time, move || parse(bytes, &bounds));
    match outcome {
        Ok(Ok(draft)) => draft.alone(file),
        Ok(Err((reason, detail))) => Err(Skipped::new(&file.relative, reason, detail)),
        Err(error) => Err(guard_skip(file, limits, error)),
    }
}

fn parse(bytes: Vec<u8>, limits: &LoadLimits) -> Result<Draft, Problem> {
    let mut archive = Archive::open(bytes, limits)?;
    let Some(body) = archive.read("word/document.xml")? else {
        return Err((
            SkipReason::Damaged,
            "holds no `word/document.xml`".to_owned(),
        ));
    };
    let styles = archive
        .read("word/styles.xml")?
        .map(|xml| heading_styles(&xml));
    let mut draft = Draft::new(DocumentKind::Docx, String::new());
    let body = String::from_utf8_lossy(&body);
    Body::new(&mut draft, styles.unwrap_or_default()).read(&body)?;
    if let Some(core) = archive.read("docProps/core.xml")? {
        properties(&String::from_utf8_lossy(&core), &mut draft);
    }
    Ok(draft)
}

/// The value of an attribute by its name without prefix.
pub(super) fn attribute(element: &BytesStart<'_>, name: &str) -> Option<String> {
    element
        .attributes()
        .flatten()
        .find(|a| a.key.local_name().as_ref() == name)
        .map(|a| {
            a.normalized_value(XmlVersion::Explicit1_0).map_or_else(
                |_bad_entity| a.value.clone().into_owned(),
                std::borrow::Cow::into_owned,
            )
        })
}

/// The character that a reference such as `&amp;` or `&#233;` stands for.
pub(super) fn character(reference: &quick_xml::events::BytesRef<'_>) -> Option<char> {
    if let Ok(Some(c)) = reference.resolve_char_ref() {
        return Some(c);
    }
    match reference.xml10_content().as_ref() {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" => Some('\u{a0}'),
        _ => None,
    }
}

/// Heading levels, from 1, of the styles that have one. The document title's style has level 1.
fn heading_styles(xml: &[u8]) -> HashMap<String, u8> {
    let xml = String::from_utf8_lossy(xml);
    let mut reader = Reader::from_str(&xml);
    let mut found = HashMap::new();
    let mut style = String::new();
    while let Ok(event) = reader.read_event() {
        match event {
            Event::Start(element) | Event::Empty(element) => match element.local_name().as_ref() {
                "style" => style = attribute(&element, "styleId").unwrap_or_default(),
                "name" => {
                    let name = attribute(&element, "val").unwrap_or_default();
                    if let Some(level) = named_level(&name) {
                        found.insert(style.clone(), level);
                    }
                }
                "outlineLvl" => {
                    let level = attribute(&element, "val").and_then(|v| v.parse::<u8>().ok());
                    if let Some(level) = level.filter(|level| *level < 9) {
                        found.entry(style.clone()).or_insert(level + 1);
                    }
                }
                _ => {}
            },
            Event::Eof => break,
            _ => {}
        }
    }
    found
}

/// `heading 2` is 2; `Title` is 1.
fn named_level(name: &str) -> Option<u8> {
    let name = name.to_ascii_lowercase();
    if name == "title" {
        return Some(1);
    }
    let number = name.strip_prefix("heading")?.trim();
    number.parse().ok().filter(|level| (1..=9).contains(level))
}

/// Reads `word/document.xml`.
struct Body<'a> {
    draft: &'a mut Draft,
    styles: HashMap<String, u8>,
    headings: HeadingStack,
    /// Text of the open paragraph.
    paragraph: String,
    level: Option<u8>,
    in_text: bool,
    /// Rows that are open, innermost last: the cells so far.
    rows: Vec<Vec<String>>,
    first_title: Option<String>,
}

impl<'a> Body<'a> {
    fn new(draft: &'a mut Draft, styles: HashMap<String, u8>) -> Self {
        Self {
            draft,
            styles,
            headings: HeadingStack::default(),
            paragraph: String::new(),
            level: None,
            in_text: false,
            rows: Vec::new(),
            first_title: None,
        }
    }

    fn read(mut self, xml: &str) -> Result<(), Problem> {
        let mut reader = Reader::from_str(xml);
        // Depth inside an element whose text is a copy for older programs.
        let mut fallback = 0_usize;
        loop {
            match reader.read_event() {
                Ok(Event::Eof) => break,
                Ok(Event::Start(element)) => {
                    let name = element.local_name();
                    if name.as_ref() == "Fallback" || fallback > 0 {
                        fallback += 1;
                    } else {
                        self.start(&element);
                    }
                }
                Ok(Event::Empty(element)) if fallback == 0 => {
                    self.start(&element);
                    if element.local_name().as_ref() == "p" {
                        self.end_paragraph();
                    }
                    self.in_text = false;
                }
                Ok(Event::End(_)) if fallback > 0 => fallback -= 1,
                Ok(Event::End(element)) => self.end(element.local_name().as_ref()),
                Ok(Event::Text(text)) if self.in_text && fallback == 0 => {
                    self.paragraph.push_str(&text.xml10_content());
                }
                Ok(Event::GeneralRef(reference)) if self.in_text && fallback == 0 => {
                    self.paragraph.extend(character(&reference));
                }
                Ok(_) => {}
                Err(error) => {
                    if self.draft.text.is_empty() {
                        let detail = format!("`word/document.xml` is no XML: {error}");
                        return Err((SkipReason::Damaged, detail));
                    }
                    let detail = format!("read up to a mistake in its XML: {error}");
                    self.draft.notes.push(detail);
                    break;
                }
            }
        }
        self.end_paragraph();
        self.draft.outline.headings = self.headings.finish(self.draft.text.len());
        if let Some(title) = self.first_title {
            self.draft.title = title;
        }
        Ok(())
    }

    fn start(&mut self, element: &BytesStart<'_>) {
        match element.local_name().as_ref() {
            "p" => {
                if self.rows.is_empty() {
                    self.end_paragraph(); // a text box inside a paragraph
                }
                self.level = None;
            }
            "pStyle" => {
                let style = attribute(element, "val").unwrap_or_default();
                self.level = self
                    .styles
                    .get(&style)
                    .copied()
                    .or_else(|| named_level(&style));
            }
            "outlineLvl" => {
                let level = attribute(element, "val").and_then(|v| v.parse::<u8>().ok());
                self.level = level.filter(|level| *level < 9).map(|level| level + 1);
            }
            "t" => self.in_text = true,
            "tab" if !self.paragraph.is_empty() => self.paragraph.push('\t'),
            "br" | "cr" => self.paragraph.push('\n'),
            "noBreakHyphen" => self.paragraph.push('-'),
            "tr" => self.rows.push(Vec::new()),
            "tc" => {
                if let Some(row) = self.rows.last_mut() {
                    row.push(String::new());
                }
            }
            _ => {}
        }
    }

    fn end(&mut self, name: &str) {
        match name {
            "t" => self.in_text = false,
            "p" => self.end_paragraph(),
            "tr" => {
                if let Some(cells) = self.rows.pop() {
                    let row = cells.join(" | ");
                    self.end_row(row);
                }
            }
            _ => {}
        }
    }

    fn end_row(&mut self, row: String) {
        if row.trim_matches([' ', '|']).is_empty() {
            return;
        }
        // A table inside a cell is part of the cell.
        if let Some(cell) = self.rows.last_mut().and_then(|outer| outer.last_mut()) {
            cell.push_str(&row);
            return;
        }
        self.put(&row, BlockKind::Row, "\n");
    }

    fn end_paragraph(&mut self) {
        let text = std::mem::take(&mut self.paragraph);
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        if let Some(cell) = self.rows.last_mut().and_then(|row| row.last_mut()) {
            if !cell.is_empty() {
                cell.push(' ');
            }
            cell.push_str(&collapse(text));
            return;
        }
        match self.level.take() {
            Some(level) => {
                let start = self.put(text, BlockKind::Heading, "\n\n");
                let name = collapse(text);
                if level == 1 && self.first_title.is_none() {
                    self.first_title = Some(name.clone());
                }
                self.headings.push(level, start, name);
            }
            None => {
                self.put(text, BlockKind::Prose, "\n\n");
            }
        }
    }

    /// Adds a block; gives its start.
    fn put(&mut self, text: &str, kind: BlockKind, separator: &str) -> usize {
        let out = &mut self.draft.text;
        if !out.is_empty() {
            let after_row = self
                .draft
                .outline
                .blocks
                .last()
                .is_some_and(|b| b.kind == kind);
            out.push_str(if kind == BlockKind::Row && !after_row {
                "\n\n"
            } else {
                separator
            });
        }
        let start = out.len();
        out.push_str(text);
        self.draft.outline.blocks.push(Block {
            range: start..out.len(),
            kind,
        });
        start
    }
}

/// Title, dates and other core properties (Dublin Core terms).
fn properties(xml: &str, draft: &mut Draft) {
    let mut reader = Reader::from_str(xml);
    let mut name = String::new();
    let mut value = String::new();
    let mut modified = None;
    while let Ok(event) = reader.read_event() {
        match event {
            Event::Start(element) => {
                element.local_name().as_ref().clone_into(&mut name);
                value.clear();
            }
            Event::Text(text) => value.push_str(&text.xml10_content()),
            Event::GeneralRef(reference) => value.extend(character(&reference)),
            Event::End(_) => {
                let text = collapse(&value);
                match name.as_str() {
                    "title" if !text.is_empty() => draft.title.clone_from(&text),
                    "created" => draft.date = date::parse(&text),
                    "modified" => modified = date::parse(&text),
                    "creator" => draft.set("author", &text),
                    "subject" | "keywords" | "category" | "description" | "language" => {
                        draft.set(&name, &text);
                    }
                    _ => {}
                }
                name.clear();
                value.clear();
            }
            Event::Eof => break,
            _ => {}
        }
    }
    draft.date = draft.date.or(modified);
}
