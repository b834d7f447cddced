//! Names and facts that were extracted from passages, kept beside the indexes for the graph of
//! [`crate::retrievers`]' `ppr`.
//!
//! They stand in a log by the hash of the passage's text; the log belongs to one extractor (its
//! fingerprint names model and prompt), so that nothing is asked twice. Passages without an entry
//! are read by rules. An extractor is one file here, or elsewhere behind the port, and one line
//! where the program wires it.

mod language;

use std::collections::HashMap;
use std::path::Path;

use indago_core::ports::{Facts, RetrieveError};

pub use language::LanguageExtractor;

use crate::disk::records::{self, Key};
use crate::manifest::FactSet;

/// The folder of logs within a corpus.
const FOLDER: &str = "facts";
/// Most names and most facts of a passage that are kept.
pub(crate) const MOST: usize = 64;
/// Bytes of a name or a part of a fact.
const MAX_BYTES: usize = 200;

/// Path of an extractor's log, relative to the corpus folder.
pub(crate) fn file_name(fingerprint: &str) -> String {
    let stem = &blake3::hash(fingerprint.as_bytes()).to_hex()[..16];
    format!("{FOLDER}/{stem}.log")
}

/// What the records of an extractor's log are of.
pub(crate) fn kind(fingerprint: &str) -> String {
    format!("facts {fingerprint}")
}

/// All that was published of `set`, by the key of the passage's text. A record that holds no facts is
/// as good as none: rules read its passage, and the next extraction reads it again.
pub(crate) fn read(dir: &Path, set: &FactSet) -> Result<HashMap<Key, Facts>, RetrieveError> {
    let path = dir.join(&set.file);
    let records = records::read(&path, &kind(&set.fingerprint), set.bytes)?;
    let all = records.len();
    let facts = |(key, bytes): (Key, Vec<u8>)| Some((key, decode(&bytes).ok()?));
    let facts: HashMap<Key, Facts> = records.into_iter().filter_map(facts).collect();
    if facts.len() < all {
        let others = all - facts.len();
        tracing::warn!(path = %path.display(), others, "records that hold no facts are left out");
    }
    Ok(facts)
}

/// The facts of a record.
pub(crate) fn decode(record: &[u8]) -> Result<Facts, serde_json::Error> {
    serde_json::from_slice(record)
}

/// Facts as they are kept: parts trimmed and not too long, none empty, none twice, not too many.
pub(crate) fn tidy(facts: Facts) -> Facts {
    let part = |text: &str| {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        text[..text.floor_char_boundary(MAX_BYTES)].to_owned()
    };
    let mut tidy = Facts::default();
    for name in facts.names {
        let name = part(&name);
        if !name.is_empty() && !tidy.names.contains(&name) && tidy.names.len() < MOST {
            tidy.names.push(name);
        }
    }
    for mut triple in facts.triples {
        for text in [
            &mut triple.subject,
            &mut triple.relation,
            &mut triple.object,
        ] {
            *text = part(text);
        }
        let whole = !triple.subject.is_empty() && !triple.object.is_empty();
        if whole && !tidy.triples.contains(&triple) && tidy.triples.len() < MOST {
            tidy.triples.push(triple);
        }
    }
    tidy
}

#[cfg(test)]
mod tests {
    use indago_core::ports::Triple;

    use super::*;

    #[test]
    fn what_is_kept_is_bounded_whole_and_once() {
        let triple = |subject: &str, object: &str| Triple {
            subject: subject.to_owned(),
            relation: " is\nin ".to_owned(),
            object: object.to_owned(),
        };
        let facts = Facts {
            names: vec![
                " Ines  Falk ".into(),
                "Ines Falk".into(),
                String::new(),
                "ä".repeat(500),
            ],
            triples: (0..200)
                .map(|i| triple("a", &i.to_string()))
                .chain([triple("", "b"), triple("a", " ")])
                .collect(),
        };
        let tidy = tidy(facts);
        assert_eq!(tidy.names, ["Ines Falk".to_owned(), "ä".repeat(100)]);
        assert_eq!(tidy.triples.len(), MOST);
        assert_eq!(tidy.triples[0].relation, "is in");
    }
}
