//! Documents and the passages they are cut into.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{ContentHash, DocumentId, PassageId};

/// What a document was parsed as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DocumentKind {
    /// CommonMark, with or without front matter.
    Markdown,
    /// Plain text.
    Text,
    /// A web page; text is what a reader would see.
    Html,
    /// A PDF's text layer, page by page.
    Pdf,
    /// A Word document's paragraphs.
    Docx,
    /// An e-book's chapters in reading order.
    Epub,
    /// One row of a CSV or TSV file.
    CsvRow,
    /// One line of a JSONL file.
    JsonRecord,
    /// A program's source.
    SourceCode,
}

/// Where a page begins in the decoded text of a paginated document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageStart {
    /// Page number, from 1.
    pub page: u32,
    /// Byte offset of its first character in the decoded text.
    pub start: u64,
}

/// One source as indago reads it. Offsets everywhere count UTF-8 bytes of `text`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// Unique within its corpus.
    pub id: DocumentId,
    /// The file it came from, relative to the indexed root; several records may share a file.
    pub path: String,
    /// Title, empty when the source has none.
    pub title: String,
    /// Decoded text, unchanged by normalisation; quotes point into it.
    pub text: Arc<str>,
    /// What it was parsed as.
    pub kind: DocumentKind,
    /// Publication date where the source states one, else the file's modification date.
    pub date: Option<Date>,
    /// Flat metadata (front matter, record fields, document properties), sorted by key.
    pub metadata: BTreeMap<String, String>,
    /// Page starts in ascending order; empty for sources without pages.
    pub pages: Vec<PageStart>,
    /// Hash of title, text, date and metadata: equal hashes need no re-indexing.
    pub hash: ContentHash,
}

/// Where a passage stands, for people: page, line and headings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Location {
    /// Page number, from 1, for paginated sources.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<u32>,
    /// Line of the passage's first byte, from 1, for sources with lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Headings above the passage, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headings: Vec<String>,
}

impl fmt::Display for Location {
    /// `page 3, line 12, Setup > Linux`; empty when nothing is known.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        parts.extend(self.page.map(|page| format!("page {page}")));
        parts.extend(self.line.map(|line| format!("line {line}")));
        if !self.headings.is_empty() {
            parts.push(self.headings.join(" > "));
        }
        f.write_str(&parts.join(", "))
    }
}

/// A contiguous piece of one document: the unit that is indexed, retrieved and quoted from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Passage {
    /// [`PassageId::of`] of the fields below.
    pub id: PassageId,
    /// Its document.
    pub document: DocumentId,
    /// Title of its document; empty when the source has none.
    pub title: String,
    /// Half-open byte range in the document's decoded text, on character boundaries.
    pub span: Range<u64>,
    /// The text of `span`, byte for byte. Never empty.
    pub text: String,
    /// Position among the document's passages, from 0.
    pub ordinal: u32,
    /// Where it stands, for people.
    pub location: Location,
    /// The document's date.
    pub date: Option<Date>,
    /// The document's metadata.
    pub metadata: BTreeMap<String, String>,
}

/// A calendar date of which month and day may be unknown. Written `2023`, `2023-10`, `2023-10-30`.
///
/// Ordering is chronological with unknown parts first, so `2023` sorts before `2023-01`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    /// Astronomical year.
    pub year: i32,
    /// 1 to 12; `None` when only the year is known.
    pub month: Option<u8>,
    /// 1 to 31; `None` when the day is unknown.
    pub day: Option<u8>,
}

/// Text that is not a date of the form `YYYY[-MM[-DD]]`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a date of the form YYYY, YYYY-MM or YYYY-MM-DD")]
pub struct BadDate(String);

impl Date {
    /// A date from its parts; `None` unless month and day are in range and no day stands without
    /// its month.
    pub fn new(year: i32, month: Option<u8>, day: Option<u8>) -> Option<Self> {
        let sound = match (month, day) {
            (None, None) => true,
            (Some(m), None) => (1..=12).contains(&m),
            (Some(m), Some(d)) => (1..=12).contains(&m) && (1..=31).contains(&d),
            (None, Some(_)) => false,
        };
        sound.then_some(Self { year, month, day })
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}", self.year)?;
        if let Some(month) = self.month {
            write!(f, "-{month:02}")?;
        }
        if let Some(day) = self.day {
            write!(f, "-{day:02}")?;
        }
        Ok(())
    }
}

impl FromStr for Date {
    type Err = BadDate;

    /// Reads the leading date of an ISO 8601 text: `2023-10-30T20:56:51Z` is 30 October 2023.
    fn from_str(text: &str) -> Result<Self, BadDate> {
        let bad = || BadDate(text.to_owned());
        let day_part = text.split(['T', ' ']).next().unwrap_or_default();
        let mut parts = day_part.splitn(3, '-');
        let year = parts.next().filter(|y| y.len() == 4).ok_or_else(bad)?;
        let year = year.parse().map_err(|_not_a_number| bad())?;
        let mut part = || -> Result<Option<u8>, BadDate> {
            parts
                .next()
                .map(|p| p.parse().map_err(|_not_a_number| bad()))
                .transpose()
        };
        let (month, day) = (part()?, part()?);
        Self::new(year, month, day).ok_or_else(bad)
    }
}

impl Serialize for Date {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_read_what_they_write_and_refuse_the_rest() {
        for text in ["2023", "2023-10", "2023-10-30"] {
            assert_eq!(text.parse::<Date>().unwrap().to_string(), text);
        }
        assert_eq!(
            "2023-10-30T20:56:51+00:00"
                .parse::<Date>()
                .unwrap()
                .to_string(),
            "2023-10-30"
        );
        for text in ["", "23", "2023-13", "2023-1-99", "soon"] {
            assert!(text.parse::<Date>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_location_reads_from_coarse_to_fine() {
        let location = Location {
            page: Some(3),
            line: None,
            headings: vec!["Setup".into(), "Linux".into()],
        };
        assert_eq!(location.to_string(), "page 3, Setup > Linux");
    }
}
