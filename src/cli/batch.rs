//! Batch files: one JSON object a line with `_id` and `text`.

use std::path::Path;

use serde::Deserialize;

use crate::Error;

/// A question of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Item {
    #[serde(rename = "_id")]
    pub(super) id: String,
    pub(super) text: String,
}

/// All questions of a file. A second one with the same `_id` is refused, because the output could
/// not tell them apart.
pub(super) fn read(path: &Path) -> Result<Vec<Item>, Error> {
    let text = std::fs::read_to_string(path).map_err(|e| Error::io("read", path, e))?;
    let mut items: Vec<Item> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for (i, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let bad = |reason: String| Error::BadBatch {
            path: path.to_owned(),
            line: i + 1,
            reason,
        };
        let item: Item = serde_json::from_str(line).map_err(|e| bad(e.to_string()))?;
        if !seen.insert(item.id.clone()) {
            return Err(bad(format!("`_id` `{}` occurs before", item.id)));
        }
        items.push(item);
    }
    Ok(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<Vec<String>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("b.jsonl");
        std::fs::write(&path, text).unwrap();
        let items =
            read(&path).map_err(|e| e.to_string().split("line ").nth(1).unwrap().to_owned());
        items.map(|items| items.into_iter().map(|item| item.id).collect())
    }

    #[test]
    fn blank_lines_are_skipped_and_further_fields_ignored() {
        let text = "{\"_id\":\"a\",\"text\":\"x\"}\n\n{\"_id\":\"b\",\"text\":\"y\",\"n\":1}\n";
        assert_eq!(check(text).unwrap(), ["a", "b"]);
    }

    #[test]
    fn a_bad_line_is_named() {
        assert!(
            check("{\"_id\":\"a\",\"text\":\"x\"}\nnonsense")
                .unwrap_err()
                .starts_with("2: ")
        );
        let twice = "{\"_id\":\"a\",\"text\":\"x\"}\n{\"_id\":\"a\",\"text\":\"y\"}";
        assert_eq!(check(twice).unwrap_err(), "2: `_id` `a` occurs before");
    }
}
