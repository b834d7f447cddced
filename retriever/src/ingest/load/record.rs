//! One record (a JSON object, a CSV row) as a document: which fields are what.

use std::fmt::Write as _;

use indago_core::{Date, DocumentId, DocumentKind};
use serde_json::{Map, Value};

use super::draft::Draft;
use super::{Parsed, plain};
use crate::ingest::{FoundFile, Lines, date};

/// Fields that name a record, by preference.
pub(super) const ID_FIELDS: [&str; 5] = ["_id", "id", "docid", "doc_id", "document_id"];
/// Fields that hold its text.
pub(super) const TEXT_FIELDS: [&str; 6] =
    ["text", "contents", "content", "body", "passage", "abstract"];
/// Fields that hold its title.
pub(super) const TITLE_FIELDS: [&str; 2] = ["title", "headline"];
/// Fields that hold its date.
pub(super) const DATE_FIELDS: [&str; 9] = [
    "published_at",
    "date",
    "published",
    "created",
    "created_at",
    "publication_date",
    "pub_date",
    "pubdate",
    "year",
];

/// A JSON object as a document. `line` is where it begins in its file, from 1.
pub(super) fn parse(
    file: &FoundFile,
    mut object: Map<String, Value>,
    line: u32,
    notes: &mut Vec<String>,
) -> Parsed {
    let id = take(&mut object, &ID_FIELDS).map_or_else(
        || DocumentId::new(format!("{}#{line}", file.relative)),
        DocumentId::new,
    );
    let title = take(&mut object, &TITLE_FIELDS).unwrap_or_default();
    let text = take(&mut object, &TEXT_FIELDS);
    let has_text = text.is_some();
    let mut draft = Draft::new(DocumentKind::JsonRecord, text.unwrap_or_default());
    draft.title = title;
    draft.outline = plain::record_outline(&draft.text);
    draft.outline.record = true;
    draft.outline.lines = Lines::At(line);
    draft.date = date_of(&object);
    if !has_text {
        describe(&object, &mut draft.text);
    }
    // A record that is nothing but a title still says something: it can be found and quoted.
    if draft.text.trim().is_empty() {
        draft.text.clone_from(&draft.title);
    }
    for (key, value) in object {
        match value {
            Value::Object(inner) if key == "metadata" => {
                draft.date = draft.date.or_else(|| date_of(&inner));
                flatten("", inner, &mut draft, 0);
            }
            Value::Object(inner) => flatten(&key, inner, &mut draft, 0),
            scalar => set(&key, &scalar, &mut draft),
        }
    }
    notes.append(&mut draft.notes);
    draft.finish(file, id)
}

/// Removes the first of `fields` that holds a text or a number.
fn take(object: &mut Map<String, Value>, fields: &[&str]) -> Option<String> {
    for field in fields {
        let found = match object.get(*field) {
            Some(Value::String(text)) => !text.trim().is_empty(),
            Some(Value::Number(_)) => true,
            Some(Value::Array(items)) => !items.is_empty() && items.iter().all(Value::is_string),
            _ => false,
        };
        if found {
            return match object.remove(*field) {
                Some(Value::String(text)) => Some(text),
                Some(Value::Array(items)) => {
                    let lines: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
                    Some(lines.join("\n"))
                }
                Some(other) => Some(other.to_string()),
                None => None,
            };
        }
    }
    None
}

fn date_of(object: &Map<String, Value>) -> Option<Date> {
    DATE_FIELDS
        .iter()
        .find_map(|field| match object.get(*field)? {
            Value::String(text) => date::parse(text),
            Value::Number(number) => date::of_number(number.as_i64()?),
            _ => None,
        })
}

/// `key: value` lines, for a record whose text stands in fields of other names.
fn describe(object: &Map<String, Value>, out: &mut String) {
    for (key, value) in object {
        if let Some(text) = scalar_text(value) {
            let text = text.trim();
            if !text.is_empty() {
                // Writing to a string cannot fail.
                let _ = writeln!(out, "{key}: {text}");
            }
        }
    }
    out.truncate(out.trim_end().len());
}

/// A scalar, or a list of scalars, as text.
fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Array(items) => {
            let items: Option<Vec<String>> = items
                .iter()
                .map(|item| scalar_text(item).filter(|_| !item.is_array()))
                .collect();
            items
                .filter(|items| !items.is_empty())
                .map(|items| items.join(", "))
        }
        Value::Null | Value::Object(_) => None,
    }
}

fn set(key: &str, value: &Value, draft: &mut Draft) {
    if let Some(text) = scalar_text(value) {
        draft.set(key, &text);
    }
}

/// Nested objects as `outer.inner` keys.
fn flatten(prefix: &str, object: Map<String, Value>, draft: &mut Draft, depth: usize) {
    const MAX_DEPTH: usize = 8;
    for (key, value) in object {
        let key = if prefix.is_empty() {
            key
        } else {
            format!("{prefix}.{key}")
        };
        match value {
            Value::Object(inner) if depth < MAX_DEPTH => flatten(&key, inner, draft, depth + 1),
            scalar => set(&key, &scalar, draft),
        }
    }
}
