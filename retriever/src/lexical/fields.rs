//! Parts of a passage whose words can be made to count more: weighted fields, as in BM25F.
//!
//! Robertson, Zaragoza and Taylor (CIKM 2004) and Robertson and Zaragoza (2009, section 3.6) add
//! up a term's frequencies over the fields, each with its weight and its own length, *before* they
//! saturate. Here the whole passage is the first field, with weight 1, and each of [`FIELDS`] adds
//! to it; without weights nothing but the whole passage is read, and document frequencies are those
//! of the whole passage in any case.

use std::str::FromStr;

use crate::prepare::Parts;

/// A field: its name and where its text comes from. A new one is one line in [`FIELDS`].
#[derive(Clone, Copy)]
pub(crate) struct FieldSpec {
    pub(crate) name: &'static str,
    pub(crate) text: for<'a> fn(&Parts<'a>) -> &'a str,
    /// What a word of it counts beside its place in the passage, unless something else is said.
    weight: f32,
}

/// Every field beside the whole passage.
pub(crate) const FIELDS: [FieldSpec; 2] = [
    FieldSpec {
        name: "title",
        text: |parts| parts.title,
        weight: 0.0,
    },
    FieldSpec {
        name: "headings",
        text: |parts| parts.headings,
        weight: 0.0,
    },
];

/// Number of [`FIELDS`].
pub(crate) const N_FIELDS: usize = FIELDS.len();

/// Greatest weight: far beyond it a field drowns the rest.
const MAX_WEIGHT: f32 = 1000.0;

/// How much a word counts for standing in a title or heading, on top of the 1 it counts as a word
/// of the passage. Written `title=2,headings=0.5`; fields that are left out keep their default.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FieldWeights(pub(crate) [f32; N_FIELDS]);

impl Default for FieldWeights {
    fn default() -> Self {
        Self(FIELDS.map(|field| field.weight))
    }
}

/// Weights of fields that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("field weight `{part}`: {reason}")]
pub struct BadFieldWeights {
    /// The part that is wrong.
    pub part: String,
    /// What is wrong with it.
    pub reason: String,
}

impl FromStr for FieldWeights {
    type Err = BadFieldWeights;

    fn from_str(text: &str) -> Result<Self, BadFieldWeights> {
        let mut weights = Self::default();
        for part in text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            let bad = |reason: String| BadFieldWeights {
                part: part.to_owned(),
                reason,
            };
            let (name, value) = part
                .split_once('=')
                .ok_or_else(|| bad("write it as `title=2`".to_owned()))?;
            let slot = FIELDS.iter().position(|field| field.name == name.trim());
            let slot = slot.and_then(|i| weights.0.get_mut(i)).ok_or_else(|| {
                let names = FIELDS.map(|field| field.name).join("`, `");
                bad(format!("there is no such field: `{names}`"))
            })?;
            let weight: f32 = value
                .trim()
                .parse()
                .map_err(|_invalid| bad("not a number".to_owned()))?;
            if !(0.0..=MAX_WEIGHT).contains(&weight) {
                return Err(bad(format!("not between 0 and {MAX_WEIGHT}")));
            }
            *slot = weight;
        }
        Ok(weights)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_read_and_mistakes_named() {
        let read = |text: &str| text.parse::<FieldWeights>();
        assert_eq!(read("").unwrap(), FieldWeights::default());
        assert_eq!(
            read("title=2, headings=0.5").unwrap(),
            FieldWeights([2.0, 0.5])
        );
        for bad in [
            "title",
            "body=1",
            "title=x",
            "title=-1",
            "title=NaN",
            "title=inf",
        ] {
            let error = read(bad).unwrap_err();
            assert_eq!(error.part, bad);
        }
    }
}
