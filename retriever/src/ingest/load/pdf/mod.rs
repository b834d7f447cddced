//! PDF: the text layer, page by page, with the document's properties.
//!
//! Parsing is lopdf's, with limits on what streams unpack to; the order of text on the page is
//! worked out in [`layout`]. All of it runs on a thread of its own that can fail or be left behind.

mod font;
mod layout;

use std::time::Instant;

use indago_core::{DocumentKind, PageStart};
use lopdf::xref::XrefRecovery;
use lopdf::{Dictionary, Document, Error, LoadOptions, Object, ObjectId, decode_text_string};

use super::draft::{Draft, collapse};
use super::html::guard_skip;
use super::{LoadLimits, Loaded, read};
use crate::ingest::{FoundFile, SkipReason, Skipped, date, guard};

/// Bytes that one stream may unpack to.
const STREAM_BYTES: usize = 64 << 20;
/// Text of a file below which it is taken to have none: page numbers stamped on pictures.
const MIN_TEXT_BYTES: usize = 8;

type Problem = (SkipReason, String);

pub(super) fn load(file: &FoundFile, limits: &LoadLimits) -> Result<Loaded, Skipped> {
    let bytes = read::bytes(file, limits)?;
    let deadline = Instant::now() + limits.time;
    let (max_pages, max_text) = (limits.pages, limits.file_bytes as usize);
    let outcome = guard::run(limits.time, move || {
        parse(&bytes, max_pages, max_text, deadline)
    });
    match outcome {
        Ok(Ok(draft)) => draft.alone(file),
        Ok(Err((reason, detail))) => Err(Skipped::new(&file.relative, reason, detail)),
        Err(error) => Err(guard_skip(file, limits, error)),
    }
}

fn parse(
    bytes: &[u8],
    max_pages: usize,
    max_text: usize,
    deadline: Instant,
) -> Result<Draft, Problem> {
    if !bytes[..bytes.len().min(1024)]
        .windows(5)
        .any(|window| window == b"%PDF-")
    {
        return Err((SkipReason::Damaged, "does not begin like a PDF".to_owned()));
    }
    let options = LoadOptions::with_max_decompressed_size(STREAM_BYTES);
    let document = Document::load_mem_with_options(bytes, options).map_err(load_problem)?;
    if document.is_encrypted() {
        return Err((SkipReason::Encrypted, "needs a password".to_owned()));
    }
    let mut draft = Draft::new(DocumentKind::Pdf, String::new());
    let rebuilt = document.xref_recovery == Some(XrefRecovery::Reconstructed);
    if rebuilt {
        draft.notes.push(
            "its table of objects was rebuilt: the file may be cut short or altered".to_owned(),
        );
    }
    properties(&document, &mut draft);
    let mut without_text: Vec<u32> = Vec::new();
    let mut unreadable: Vec<u32> = Vec::new();
    let mut n_pages = 0;
    for (number, page) in document.page_iter().enumerate() {
        if number >= max_pages {
            draft.notes.push(format!(
                "only the first {max_pages} pages were read; raise `max_pages`"
            ));
            break;
        }
        if Instant::now() >= deadline {
            return Err((
                SkipReason::TooSlow,
                format!("only {number} pages in time; raise `max_seconds`"),
            ));
        }
        n_pages += 1;
        let number = u32::try_from(number + 1).unwrap_or(u32::MAX);
        let text = match layout::page_text(&document, page, STREAM_BYTES, deadline) {
            Ok(text) => text,
            Err(_unreadable) => {
                unreadable.push(number);
                continue;
            }
        };
        let text = text.trim();
        if text.is_empty() {
            if has_picture(&document, page) {
                without_text.push(number);
            }
            continue;
        }
        if !draft.text.is_empty() {
            draft.text.push_str("\n\n");
        }
        draft.pages.push(PageStart {
            page: number,
            start: draft.text.len() as u64,
        });
        draft.text.push_str(text);
        if draft.text.len() > max_text {
            return Err((
                SkipReason::TooLarge,
                "its text is over `max_file_bytes`".to_owned(),
            ));
        }
    }
    if draft.text.len() < MIN_TEXT_BYTES {
        return Err(no_text(n_pages, &without_text, &unreadable, rebuilt));
    }
    note_pages(
        &mut draft,
        &without_text,
        "have no text layer; run OCR to index them",
    );
    note_pages(&mut draft, &unreadable, "could not be read");
    Ok(draft)
}

fn load_problem(error: Error) -> Problem {
    match error {
        Error::InvalidPassword | Error::Decryption(_) => {
            (SkipReason::Encrypted, "needs a password".to_owned())
        }
        Error::Decompress(_) => (
            SkipReason::ExpandsTooFar,
            "a stream unpacks too far".to_owned(),
        ),
        other => (
            SkipReason::Damaged,
            format!("is no sound PDF, perhaps cut short: {other}"),
        ),
    }
}

fn no_text(n_pages: u32, pictures: &[u32], unreadable: &[u32], rebuilt: bool) -> Problem {
    if n_pages == 0 || (rebuilt && pictures.is_empty()) {
        (
            SkipReason::Damaged,
            "no page is left of it: the file is cut short".to_owned(),
        )
    } else if !unreadable.is_empty() && pictures.is_empty() {
        (
            SkipReason::Damaged,
            format!("none of its {n_pages} pages can be read"),
        )
    } else if pictures.is_empty() {
        (SkipReason::Empty, format!("its {n_pages} pages are blank"))
    } else {
        (
            SkipReason::ScannedPdf,
            "no text layer: looks scanned; run OCR first".to_owned(),
        )
    }
}

/// `pages 3, 7-9 have no text layer`, when there are any.
fn note_pages(draft: &mut Draft, pages: &[u32], what: &str) {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for &page in pages {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == page => *last = page,
            _ => runs.push((page, page)),
        }
    }
    if runs.is_empty() {
        return;
    }
    let more = if runs.len() > 10 { ", ..." } else { "" };
    let runs: Vec<String> = runs
        .iter()
        .take(10)
        .map(|(a, b)| {
            if a == b {
                a.to_string()
            } else {
                format!("{a}-{b}")
            }
        })
        .collect();
    draft
        .notes
        .push(format!("pages {}{more} {what}", runs.join(", ")));
}

/// Title, date and the other entries of the information dictionary.
fn properties(document: &Document, draft: &mut Draft) {
    let Ok(info) = document
        .trailer
        .get_deref(b"Info", document)
        .and_then(Object::as_dict)
    else {
        return;
    };
    let entry = |key: &[u8]| -> Option<String> {
        let text = decode_text_string(info.get_deref(key, document).ok()?).ok()?;
        let text = collapse(&text.replace('\0', ""));
        (!text.is_empty()).then_some(text)
    };
    draft.title = entry(b"Title").unwrap_or_default();
    for (key, name) in [
        (b"Author".as_slice(), "author"),
        (b"Subject", "subject"),
        (b"Keywords", "keywords"),
    ] {
        if let Some(value) = entry(key) {
            draft.set(name, &value);
        }
    }
    let dates = [b"CreationDate".as_slice(), b"ModDate"];
    draft.date = dates
        .iter()
        .filter_map(|key| entry(key))
        .find_map(|text| date::parse(&text));
}

/// Whether a page draws a picture.
fn has_picture(document: &Document, page: ObjectId) -> bool {
    let Ok((inline, referenced)) = document.get_page_resources(page) else {
        return false;
    };
    let referenced = referenced
        .iter()
        .filter_map(|id| document.get_dictionary(*id).ok());
    inline.into_iter().chain(referenced).any(|resources| {
        let objects = resources
            .get_deref(b"XObject", document)
            .and_then(Object::as_dict);
        objects.is_ok_and(|objects| {
            objects.iter().any(|(_, object)| {
                document
                    .dereference(object)
                    .and_then(|(_, object)| object.as_stream())
                    .is_ok_and(|stream| is_picture(&stream.dict))
            })
        })
    })
}

fn is_picture(dictionary: &Dictionary) -> bool {
    // A form may hold the picture.
    dictionary
        .get(b"Subtype")
        .and_then(Object::as_name)
        .is_ok_and(|name| name == b"Image" || name == b"Form")
}
