//! Sentences as units of retrieval: a passage counts with its best sentence.
//!
//! Chen et al. 2023, "Dense X Retrieval": finer units are found more surely and give their passage
//! back. Their propositions are written by a language model; here a unit is a sentence with the
//! passage's title and headings in front, which stand for what its pronouns mean.

use std::sync::Arc;

use indago_core::Cancel;
use indago_core::ports::{EncodeError, Encoder, Matrix, Role, TokenEncoder};

/// Most sentences of a passage that get a vector of their own; the rest share the last.
const MAX_SENTENCES: usize = 64;
/// Bytes below which a sentence is no unit of its own and goes with the one before.
const SHORT: usize = 24;
/// Bytes of title and headings.
const MAX_CONTEXT: usize = 600;

/// An encoder whose "token vectors" are vectors of sentences: with them late interaction scores a
/// passage by the sentence that is nearest to the query. Its vectors of whole texts are those of
/// the encoder that it is made of.
pub struct Propositions {
    inner: Arc<dyn Encoder>,
    name: String,
    fingerprint: String,
}

impl Propositions {
    /// Sentences by `inner`.
    pub fn new(inner: Arc<dyn Encoder>) -> Self {
        Self {
            name: format!("{}:sentences", inner.name()),
            fingerprint: format!("{}/sentences-1", inner.fingerprint()),
            inner,
        }
    }
}

impl std::fmt::Debug for Propositions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Propositions[{}]", self.fingerprint)
    }
}

/// The units of an indexed text, whose first lines are title and headings where it has any.
fn units(text: &str) -> Vec<String> {
    // Title and headings end where an empty line does; see `indexed_text`. A text without them may
    // have an empty line of its own, after a sentence.
    let is_context =
        |head: &str| head.len() <= MAX_CONTEXT && !head.trim_end().ends_with(['.', '!', '?', ':']);
    let split = text.split_once("\n\n");
    let (context, body) = split
        .filter(|(head, _)| is_context(head))
        .unwrap_or(("", text));
    let mut pieces: Vec<&str> = Vec::new();
    let mut start = 0;
    for sentence in indago_text::sentences(body) {
        let whole = body.get(start..sentence.end).unwrap_or_default();
        if whole.trim().len() >= SHORT && pieces.len() + 1 < MAX_SENTENCES {
            pieces.push(whole.trim());
            start = sentence.end;
        }
    }
    let rest = body.get(start..).unwrap_or_default().trim();
    if !rest.is_empty() {
        pieces.push(rest);
    }
    let unit = |piece: &&str| match context {
        "" => (*piece).to_owned(),
        context => format!("{context}\n\n{piece}"),
    };
    pieces.iter().map(unit).collect()
}

impl Encoder for Propositions {
    fn name(&self) -> &str {
        &self.name
    }

    fn fingerprint(&self) -> &str {
        self.inner.fingerprint()
    }

    fn dim(&self) -> usize {
        self.inner.dim()
    }

    fn encode(&self, texts: &[&str], role: Role, cancel: &Cancel) -> Result<Matrix, EncodeError> {
        self.inner.encode(texts, role, cancel)
    }

    fn tokens(&self) -> Option<&dyn TokenEncoder> {
        Some(self)
    }

    fn truncation_of(&self) -> Option<&dyn Encoder> {
        self.inner.truncation_of()
    }
}

impl TokenEncoder for Propositions {
    fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    fn dim(&self) -> usize {
        self.inner.dim()
    }

    fn encode_tokens(
        &self,
        texts: &[&str],
        role: Role,
        cancel: &Cancel,
    ) -> Result<Vec<Matrix>, EncodeError> {
        // A query is one unit.
        let units = |text: &&str| match role {
            Role::Query => vec![(*text).to_owned()],
            Role::Passage => units(text),
        };
        let all: Vec<Vec<String>> = texts.iter().map(units).collect();
        let flat: Vec<&str> = all.iter().flatten().map(String::as_str).collect();
        let vectors = self.inner.encode(&flat, role, cancel)?;
        let mut at = 0;
        let of_text = |units: &Vec<String>| {
            let rows = at..at + units.len();
            at = rows.end;
            Matrix {
                rows: units.len(),
                dim: vectors.dim,
                data: rows.flat_map(|row| vectors.row(row).to_vec()).collect(),
            }
        };
        Ok(all.iter().map(of_text).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_keep_the_title_and_short_ones_join_the_next() {
        let text = "Pemberton Light\n\nThe lighthouse was built in 1871. It is tall. Its keeper was \
                    Ada Morrow for thirty years.";
        assert_eq!(
            units(text),
            [
                "Pemberton Light\n\nThe lighthouse was built in 1871.",
                "Pemberton Light\n\nIt is tall. Its keeper was Ada Morrow for thirty years.",
            ]
        );
        assert_eq!(units("one"), ["one"]);
        assert!(units("").is_empty());
        let long = "A sentence of quite some length stands here. ".repeat(100);
        let units = units(&long);
        assert_eq!(units.len(), MAX_SENTENCES);
        assert_eq!(
            units
                .iter()
                .map(|u| u.matches("length").count())
                .sum::<usize>(),
            100
        );
    }
}
