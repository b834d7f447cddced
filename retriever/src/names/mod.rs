//! From a name to the passages that are about it.
//!
//! A passage is about a name when it opens a document of that title, introduces the name in its
//! first sentence ("Carsten Erik Olsen (1891-1974) was a Danish chemist"), or is the first under
//! a heading of that name. Lookups are precise rather than complete: a wrong link costs a search
//! step and can bring a wrong answer, a missing one is made good by ordinary search.

mod index;
mod matching;

use indago_core::Passage;
use serde::{Deserialize, Serialize};

pub(crate) use index::{Names, write};

/// Why a passage is about a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Basis {
    /// Another name given in the introducing sentence.
    Alias,
    /// The innermost heading above it.
    Heading,
    /// The subject of its first sentence.
    Introduced,
    /// The title of the document that it opens.
    Title,
}

impl Basis {
    const ALL: [Self; 4] = [Self::Alias, Self::Heading, Self::Introduced, Self::Title];

    /// Score of an exact match.
    fn score(self) -> f32 {
        match self {
            Self::Title | Self::Introduced => 1.0,
            Self::Alias => 0.9,
            Self::Heading => 0.8,
        }
    }
}

/// Longest name that is kept, in bytes: a "title" of several sentences names nothing.
const MAX_NAME: usize = 200;

/// Title and introduced names of a passage. Headings depend on the passage before.
pub(crate) fn of_passage(passage: &Passage) -> Vec<(String, Basis)> {
    let mut names = Vec::new();
    if passage.ordinal == 0 && !passage.title.is_empty() {
        names.push((passage.title.clone(), Basis::Title));
    }
    let introduced = indago_text::introduced_names(&passage.text);
    for (i, name) in introduced.into_iter().enumerate() {
        names.push((
            name,
            if i == 0 {
                Basis::Introduced
            } else {
                Basis::Alias
            },
        ));
    }
    names.retain(|(name, _)| name.len() <= MAX_NAME);
    names
}
