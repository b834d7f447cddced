//! Identifiers. Each is a newtype, so that a passage id is never passed where a run id belongs.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A document's own name: `_id` in JSONL corpora, else its path relative to the indexed root.
///
/// Unique within a corpus.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DocumentId(Arc<str>);

impl DocumentId {
    /// Wraps a document's name as it stands.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Hash of document id, span and text: re-indexing equal bytes gives equal ids, and equal text in
/// two documents stays two passages. Printed as 32 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PassageId(pub [u8; 16]);

impl PassageId {
    /// The id of the passage at `start..end` (bytes of the decoded text) of `document`.
    pub fn of(document: &DocumentId, start: u64, end: u64, text: &str) -> Self {
        let mut hasher = blake3::Hasher::new();
        // Lengths first, so that no two different triples hash the same bytes.
        hasher.update(&(document.as_str().len() as u64).to_le_bytes());
        hasher.update(document.as_str().as_bytes());
        hasher.update(&start.to_le_bytes());
        hasher.update(&end.to_le_bytes());
        hasher.update(text.as_bytes());
        let mut id = [0; 16];
        id.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Self(id)
    }
}

impl fmt::Display for PassageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

impl fmt::Debug for PassageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

/// BLAKE3 of some bytes: names a document version or a blob. Printed as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentHash(pub [u8; 32]);

impl ContentHash {
    /// Hashes `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

/// Text that is not the hexadecimal form of an id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an id of {1} hexadecimal digits")]
pub struct BadId(String, usize);

impl FromStr for PassageId {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        read_hex(text).map(Self)
    }
}

impl FromStr for ContentHash {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        read_hex(text).map(Self)
    }
}

fn write_hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

fn read_hex<const N: usize>(text: &str) -> Result<[u8; N], BadId> {
    let bad = || BadId(text.to_owned(), 2 * N);
    if text.len() != 2 * N || !text.is_ascii() {
        return Err(bad());
    }
    let mut bytes = [0; N];
    for (i, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * i..2 * i + 2], 16).map_err(|_not_hex| bad())?;
    }
    Ok(bytes)
}

/// Serialises an id as its hexadecimal text, the form that JSON contracts and journals show.
macro_rules! serde_as_hex {
    ($id:ty) => {
        impl Serialize for $id {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $id {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                String::deserialize(d)?
                    .parse()
                    .map_err(serde::de::Error::custom)
            }
        }
    };
}
serde_as_hex!(PassageId);
serde_as_hex!(ContentHash);

/// A node of a run's question graph, numbered from 0 (the question itself) in order of creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(pub u32);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "q{}", self.0)
    }
}

/// One question from start to report. Printable, sortable by time of creation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(String);

impl RunId {
    /// Wraps a run's name as it stands; the engine that creates runs makes it unique.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passage_id_survives_its_own_text() {
        let id = PassageId::of(&DocumentId::new("a.md"), 0, 3, "abc");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(serde_json::to_string(&id).unwrap(), format!("\"{id}\""));
    }

    #[test]
    fn equal_text_in_two_documents_is_two_passages() {
        let in_a = PassageId::of(&DocumentId::new("a"), 0, 1, "x");
        let in_b = PassageId::of(&DocumentId::new("b"), 0, 1, "x");
        assert_ne!(in_a, in_b);
    }

    #[test]
    fn a_bad_id_is_named_in_the_error() {
        let error = "zz".parse::<PassageId>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "`zz` is not an id of 32 hexadecimal digits"
        );
    }
}
