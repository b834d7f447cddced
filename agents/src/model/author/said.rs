//! What verified claims rest on, and whether a short answer stands in it.

use std::collections::BTreeSet;
use std::ops::Range;

use indago_core::ports::{Library, TaskError};
use indago_core::{Claim, NodeId};
use indago_text::normalize_name;

use crate::asked::contains_phrase;

/// The quotes of verified claims and the titles of the passages these stand in, as phrases are
/// looked up in them.
pub(super) struct Said(Vec<String>);

impl Said {
    /// What the claims of `ledger` rest on.
    pub(super) async fn by(
        library: &dyn Library,
        ledger: &[(NodeId, Claim)],
    ) -> Result<Self, TaskError> {
        let quotes: Vec<_> = ledger.iter().flat_map(|(_, c)| c.quotes()).collect();
        let ids: BTreeSet<_> = quotes.iter().map(|quote| quote.passage).collect();
        let passages = library.passages(ids.into_iter().collect()).await?;
        let titles = passages.iter().map(|passage| passage.title.as_str());
        let texts = quotes.iter().map(|quote| quote.text.as_str());
        Ok(Self(texts.chain(titles).map(normalize_name).collect()))
    }

    /// `answer` where its words stand in what was said, or it is a verdict on that. Of an answer in
    /// a whole sentence: the one name, date or number in it that stands there and not in the
    /// question. `None` where nothing carries it: it is the model's own word, or that of a document
    /// it obeyed.
    pub(super) fn carried(&self, answer: &str, question: &str) -> Option<String> {
        let key = normalize_name(answer);
        if matches!(key.as_str(), "yes" | "no") || self.has(&key) {
            return Some(answer.to_owned());
        }
        let asked = normalize_name(question);
        let new = |part: &str| {
            let key = normalize_name(part);
            (!contains_phrase(&asked, &key) && self.has(&key)).then_some(key)
        };
        let mut found: Vec<(String, String)> = Vec::new();
        for range in parts(answer) {
            let part = &answer[range];
            if let Some(key) = new(part)
                && found.iter().all(|(known, _)| *known != key)
            {
                found.push((key, part.to_owned()));
            }
        }
        match found.as_slice() {
            [(_, part)] => Some(part.clone()),
            _ => None,
        }
    }

    fn has(&self, key: &str) -> bool {
        !key.is_empty() && self.0.iter().any(|text| contains_phrase(text, key))
    }
}

/// Names, dates and numbers of a sentence, without those that lie within another.
fn parts(sentence: &str) -> Vec<Range<usize>> {
    let names = indago_text::names(sentence).into_iter().map(|n| n.range);
    let dates = indago_text::dates(sentence).into_iter().map(|d| d.range);
    let numbers = indago_text::numbers(sentence).into_iter().map(|n| n.range);
    let mut parts: Vec<Range<usize>> = Vec::new();
    for range in names.chain(dates).chain(numbers) {
        let within = |p: &Range<usize>| p.start <= range.start && range.end <= p.end;
        if !parts.iter().any(within) {
            parts.push(range);
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn carried(answer: &str) -> Option<String> {
        let said = [
            "Reinholt has chaired the Brisling Foundation since January 2020.",
            "The tower is 37 metres high and stands in Lindhavn.",
        ];
        let said = Said(said.iter().map(|text| normalize_name(text)).collect());
        said.carried(
            answer,
            "Which foundation does the predecessor of Maren Okafor-Lind chair?",
        )
    }

    #[test]
    fn an_answer_stands_in_what_was_said() {
        assert_eq!(
            carried("the Brisling Foundation").as_deref(),
            Some("the Brisling Foundation")
        );
        assert_eq!(carried("Yes.").as_deref(), Some("Yes."));
        assert_eq!(carried("the Halvar Foundation"), None);
        assert_eq!(carried(""), None);
    }

    #[test]
    fn of_a_sentence_the_one_thing_is_taken_that_answers() {
        let long = "The predecessor of Maren Okafor-Lind chairs the Brisling Foundation.";
        assert_eq!(carried(long).as_deref(), Some("Brisling Foundation"));
        assert_eq!(
            carried("It began in January 2020.").as_deref(),
            Some("January 2020")
        );
        // Two that might be meant, or one that stands nowhere.
        assert_eq!(
            carried("It is in Lindhavn, of the Brisling Foundation."),
            None
        );
        assert_eq!(carried("Maren Okafor-Lind chairs the Halvar Fund."), None);
    }
}
