//! The document store: decoded texts, passages and metadata in one sealed, mapped file.
//!
//! One file and a memory map rather than a database: it opens in the time of checking a few
//! megabytes of tables, readers need no lock, a span is a slice of the map, and a writer carries
//! an unchanged document over by copying its bytes.

mod read;
pub(crate) mod rows;
mod write;

pub(crate) use read::Store;
pub(crate) use write::StoreWriter;

use crate::disk::sealed::Kind;

const KIND: Kind = Kind {
    name: "docs",
    version: 1,
};

use std::collections::BTreeMap;

use indago_core::{ContentHash, Date, DocumentKind, PageStart};
use indago_text::Language;
use serde::{Deserialize, Serialize};

/// What is stored of a document beside its text.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) id: String,
    pub(crate) path: String,
    pub(crate) title: String,
    pub(crate) kind: DocumentKind,
    pub(crate) date: Option<Date>,
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) pages: Vec<PageStart>,
    pub(crate) hash: ContentHash,
    /// Code of the language that its words were analysed in; English where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) language: Option<String>,
}

impl Record {
    /// A language as records have it.
    pub(crate) fn language(language: Language) -> Option<String> {
        (language != Language::English).then(|| language.code().to_owned())
    }
}

/// What is stored of a passage beside its row.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Extra {
    /// Headings above it, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) headings: Vec<String>,
    /// Names it is about, as it has them, with how surely.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) names: Vec<(String, crate::names::Basis)>,
}
