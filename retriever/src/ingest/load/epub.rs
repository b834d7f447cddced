//! E-books: the chapters of the spine in reading order, each read as a web page.
//!
//! Source: EPUB 3.3, sections 4 (container) and 5 (package document).

use std::collections::HashMap;

use indago_core::DocumentKind;
use quick_xml::Reader;
use quick_xml::events::Event;

use super::archive::{Archive, Problem};
use super::docx::{attribute, character};
use super::draft::{Draft, collapse};
use super::html::{self, guard_skip};
use super::{LoadLimits, Loaded, read};
use crate::ingest::decode::decode;
use crate::ingest::outline::Heading;
use crate::ingest::{Block, FoundFile, SkipReason, Skipped, date, guard};

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
    let missing = |what: &str| (SkipReason::Damaged, format!("holds no {what}"));
    let container = archive
        .read("META-INF/container.xml")?
        .ok_or_else(|| missing("container.xml"))?;
    let package_path =
        root_file(&String::from_utf8_lossy(&container)).ok_or_else(|| missing("package"))?;
    let package = archive
        .read(&package_path)?
        .ok_or_else(|| missing("package document"))?;
    let package = Package::read(&String::from_utf8_lossy(&package));
    let folder = package_path
        .rsplit_once('/')
        .map_or("", |(folder, _)| folder);
    let mut draft = Draft::new(DocumentKind::Epub, String::new());
    for reference in &package.spine {
        let Some(item) = package.manifest.get(reference) else {
            continue;
        };
        if item.is_navigation || !item.media_type.contains("html") {
            continue;
        }
        let path = resolve(folder, &item.href);
        let Some(chapter) = archive.read(&path)? else {
            draft.notes.push(format!("chapter `{path}` is missing"));
            continue;
        };
        match decode(chapter, None) {
            Ok(decoded) => append(&mut draft, html::page(&decoded.text)),
            Err(_not_text) => draft.notes.push(format!("chapter `{path}` is no text")),
        }
    }
    for (key, value) in package.properties {
        match key.as_str() {
            "title" if draft.title.is_empty() => draft.title = value,
            "date" if draft.date.is_none() => draft.date = date::parse(&value),
            "creator" => draft.set("author", &value),
            "publisher" | "language" | "subject" | "identifier" => draft.set(&key, &value),
            _ => {}
        }
    }
    Ok(draft)
}

/// Adds a chapter's text and structure.
fn append(draft: &mut Draft, chapter: Draft) {
    if chapter.text.is_empty() {
        return;
    }
    if !draft.text.is_empty() {
        draft.text.push_str("\n\n");
    }
    let base = draft.text.len();
    let shift = |range: std::ops::Range<usize>| range.start + base..range.end + base;
    draft.text.push_str(&chapter.text);
    let headings = chapter.outline.headings.into_iter();
    draft.outline.headings.extend(headings.map(|h| Heading {
        range: shift(h.range),
        text: h.text,
    }));
    let blocks = chapter.outline.blocks.into_iter();
    draft.outline.blocks.extend(blocks.map(|b| Block {
        range: shift(b.range),
        kind: b.kind,
    }));
}

/// The package document that `META-INF/container.xml` names.
fn root_file(xml: &str) -> Option<String> {
    let mut reader = Reader::from_str(xml);
    loop {
        match reader.read_event().ok()? {
            Event::Start(element) | Event::Empty(element)
                if element.local_name().as_ref() == "rootfile" =>
            {
                return attribute(&element, "full-path");
            }
            Event::Eof => return None,
            _ => {}
        }
    }
}

struct Item {
    href: String,
    media_type: String,
    is_navigation: bool,
}

#[derive(Default)]
struct Package {
    /// Dublin Core properties in order.
    properties: Vec<(String, String)>,
    manifest: HashMap<String, Item>,
    spine: Vec<String>,
}

impl Package {
    fn read(xml: &str) -> Self {
        let mut package = Self::default();
        let mut reader = Reader::from_str(xml);
        let mut in_metadata = false;
        let mut value = String::new();
        while let Ok(event) = reader.read_event() {
            match event {
                Event::Start(element) | Event::Empty(element) => {
                    let get = |name| attribute(&element, name).unwrap_or_default();
                    match element.local_name().as_ref() {
                        "metadata" => in_metadata = true,
                        "item" => {
                            let item = Item {
                                href: get("href"),
                                media_type: get("media-type"),
                                is_navigation: get("properties").split(' ').any(|p| p == "nav"),
                            };
                            package.manifest.insert(get("id"), item);
                        }
                        "itemref" => package.spine.push(get("idref")),
                        _ => {}
                    }
                    value.clear();
                }
                Event::Text(text) => value.push_str(&text.xml10_content()),
                Event::GeneralRef(reference) => value.extend(character(&reference)),
                Event::End(element) => {
                    let name = element.local_name();
                    if name.as_ref() == "metadata" {
                        in_metadata = false;
                    } else if in_metadata {
                        let text = collapse(&value);
                        if !text.is_empty() {
                            package.properties.push((name.as_ref().to_owned(), text));
                        }
                    }
                    value.clear();
                }
                Event::Eof => break,
                _ => {}
            }
        }
        package
    }
}

/// A manifest reference relative to the package's folder, as a name inside the container.
fn resolve(folder: &str, href: &str) -> String {
    let href = href.split('#').next().unwrap_or_default();
    let decoded = percent_decoded(href);
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in decoded.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let code = (byte == b'%').then(|| after.get(..2)).flatten();
        let code = code.and_then(|hex| std::str::from_utf8(hex).ok());
        if let Some(decoded) = code.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            bytes.push(decoded);
            rest = &after[2..];
        } else {
            bytes.push(byte);
            rest = after;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
