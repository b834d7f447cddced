//! The block of properties at the head of a Markdown file: `key: value` between `---` lines, or
//! `key = value` between `+++` lines.
//!
//! Reads what front matter holds in practice: scalars, quoted scalars, lists in one line or in
//! several, and one level of nesting. It is not a YAML reader; what it cannot read it notes.

use super::draft::{Draft, shorten};
use crate::ingest::date;

/// Lines of front matter at most: a `---` that opens a document may also be a rule.
const MAX_BYTES: usize = 64 * 1024;

/// The front matter's inner text, if there is one, and the text after it.
pub(super) fn split(text: &str) -> (Option<&str>, &str) {
    for (fence, separator) in [("---", ':'), ("+++", '=')] {
        let Some(after) = text.strip_prefix(fence) else {
            continue;
        };
        let Some(inner) = after
            .strip_prefix("\r\n")
            .or_else(|| after.strip_prefix('\n'))
        else {
            continue;
        };
        let mut at = 0;
        for line in inner.split_inclusive('\n') {
            let bare = line.trim_end();
            if bare == fence || (fence == "---" && bare == "...") {
                let front = &inner[..at];
                // Text between two rules is text.
                let is_front = front.trim().is_empty() || front.contains(separator);
                return if is_front {
                    (Some(front), &inner[at + line.len()..])
                } else {
                    (None, text)
                };
            }
            at += line.len();
            if at > MAX_BYTES {
                break;
            }
        }
    }
    (None, text)
}

/// Sets title, date and metadata of `draft` from front matter.
pub(super) fn apply(front: &str, draft: &mut Draft) {
    for (key, value) in properties(front, &mut draft.notes) {
        let name = key.to_ascii_lowercase();
        match name.as_str() {
            "title" if draft.title.is_empty() => draft.title.clone_from(&value),
            "date" | "published" | "published_at" | "pubdate" | "created" | "created_at"
                if draft.date.is_none() =>
            {
                draft.date = date::parse(&value);
            }
            _ => {}
        }
        if name != "title" {
            draft.set(&key, &value);
        }
    }
}

fn properties(front: &str, notes: &mut Vec<String>) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    // The key that indented lines belong to, and whether they are a text of several lines.
    let mut parent: Option<(String, bool)> = None;
    for (index, line) in front.lines().enumerate() {
        let bare = line.trim();
        if bare.is_empty() || bare.starts_with('#') {
            continue;
        }
        let indented = line.starts_with([' ', '\t']) || bare.starts_with("- ");
        if indented && let Some((key, is_text)) = &parent {
            let (key, is_text) = (key.clone(), *is_text);
            if is_text {
                append(&mut found, &key, bare, " ");
            } else if let Some(item) = bare.strip_prefix("- ") {
                append(&mut found, &key, &scalar(item), ", ");
            } else if let Some((inner, value)) = key_value(bare) {
                found.push((format!("{key}.{inner}"), scalar(value)));
            } else {
                append(&mut found, &key, &scalar(bare), " ");
            }
            continue;
        }
        if bare.starts_with('[') && bare.ends_with(']') {
            parent = None; // a TOML table: its keys are kept without its name
            continue;
        }
        let Some((key, value)) = key_value(bare) else {
            let shown = shorten(bare, 40);
            notes.push(format!(
                "front matter line {}: `{shown}` is no property",
                index + 2
            ));
            parent = None;
            continue;
        };
        let is_text = matches!(value.chars().next(), Some('|' | '>'));
        parent = Some((key.to_owned(), is_text));
        if !value.is_empty() && !is_text {
            found.push((key.to_owned(), scalar(value)));
        }
    }
    found
}

fn append(found: &mut Vec<(String, String)>, key: &str, value: &str, separator: &str) {
    match found.last_mut() {
        Some((last, text)) if last == key => {
            text.push_str(separator);
            text.push_str(value);
        }
        _ => found.push((key.to_owned(), value.to_owned())),
    }
}

/// `key: value` or `key = value`; a key has no spaces inside quotes or out.
fn key_value(line: &str) -> Option<(&str, &str)> {
    let at = line.find([':', '='])?;
    let key = line[..at].trim().trim_matches(['"', '\'']);
    let value = line[at + 1..].trim();
    let sound = !key.is_empty() && key.len() <= 100 && !key.contains(['{', '[', '"']);
    sound.then_some((key, value))
}

/// A scalar without its quotes and comment; `[a, "b"]` as `a, b`.
fn scalar(value: &str) -> String {
    let value = value.trim();
    if let Some(list) = value.strip_prefix('[').and_then(|v| v.strip_suffix(']')) {
        let items: Vec<String> = list
            .split(',')
            .map(scalar)
            .filter(|item| !item.is_empty())
            .collect();
        return items.join(", ");
    }
    for quote in ['"', '\''] {
        if let Some(rest) = value.strip_prefix(quote)
            && let Some(end) = rest.rfind(quote)
        {
            return rest[..end].replace("\\\"", "\"").replace("''", "'");
        }
    }
    value
        .split(" #")
        .next()
        .unwrap_or_default()
        .trim_end()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use indago_core::DocumentKind;

    use super::*;

    fn read(front: &str) -> Draft {
        let mut draft = Draft::new(DocumentKind::Markdown, String::new());
        apply(front, &mut draft);
        draft
    }

    #[test]
    fn front_matter_gives_title_date_and_metadata() {
        let text = "---\ntitle: \"A: b\"\ndate: 2023-10-30\ntags: [x, 'y z']\nauthors:\n  - Ann\n  - Bob\nseo:\n  noindex: true\n---\nBody\n";
        let (front, body) = split(text);
        assert_eq!(body, "Body\n");
        let draft = read(front.unwrap());
        assert_eq!(draft.title, "A: b");
        assert_eq!(draft.date.unwrap().to_string(), "2023-10-30");
        let metadata: Vec<_> = draft
            .metadata
            .iter()
            .map(|(k, v)| format!("{k}={v}"))
            .collect();
        assert_eq!(
            metadata,
            [
                "authors=Ann, Bob",
                "date=2023-10-30",
                "seo.noindex=true",
                "tags=x, y z"
            ]
        );
        assert!(draft.notes.is_empty());
    }

    #[test]
    fn toml_front_matter_is_read_too() {
        let (front, body) = split("+++\ntitle = \"T\"\ndate = 2021-05-01T00:00:00Z\n+++\nx");
        let draft = read(front.unwrap());
        assert_eq!((draft.title.as_str(), body), ("T", "x"));
        assert_eq!(draft.date.unwrap().to_string(), "2021-05-01");
    }

    #[test]
    fn a_rule_at_the_top_is_not_front_matter() {
        for text in [
            "---\n\nHello\n\n---\nWorld",
            "---",
            "---\n",
            "----\na: b\n---\n",
        ] {
            assert_eq!(split(text), (None, text));
        }
    }

    #[test]
    fn what_is_no_property_is_noted() {
        assert_eq!(
            read("???").notes,
            ["front matter line 2: `???` is no property"]
        );
    }
}
