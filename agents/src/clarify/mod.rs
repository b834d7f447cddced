//! Questions that can be read in more than one way.
//!
//! A [`Clarifier`] finds the readings; asking somebody, waiting and assuming are the driver's. At
//! most one thing is asked back in a run, and only where the answer changes what is found: readings
//! under which retrieval gives the same passages are no reason to ask.

mod model;
mod names;

pub use model::ModelClarifier;

use std::collections::BTreeSet;

use indago_core::ports::{BoxFuture, Library, TaskCtx, TaskError};
use indago_core::{Allowance, Filters, PassageId, Usage};
use serde::{Deserialize, Serialize};

use crate::retrieve::{Ask, Found, retrieve};

/// Readings that are offered.
const MOST_READINGS: usize = 4;

/// Passages of each reading that are compared.
const COMPARED: usize = 10;

/// Share of common passages from which two readings find the same.
const SAME_FROM: f64 = 0.8;

/// One way to read a question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// How it is offered: `Mercury (planet)`.
    pub reading: String,
    /// The question, read so.
    pub question: String,
}

/// A question with several readings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ambiguity {
    /// What to ask back.
    pub question: String,
    /// Two to four readings.
    pub readings: Vec<Reading>,
    /// Which of them is the likeliest, from 0.
    pub likeliest: usize,
}

impl Ambiguity {
    /// The likeliest reading.
    pub fn assumed(&self) -> Reading {
        let assumed = self.readings.get(self.likeliest);
        assumed
            .or_else(|| self.readings.first())
            .cloned()
            .unwrap_or_else(|| Reading {
                reading: String::new(),
                question: String::new(),
            })
    }

    /// The reading that `words` name: one of those offered, by its words or its number (from 1), or
    /// another in free words, which are added to `question`.
    pub fn read(&self, question: &str, words: &str) -> Reading {
        let words = words.trim();
        let key = |text: &str| indago_text::normalize_name(text);
        let numbered = words
            .parse::<usize>()
            .ok()
            .and_then(|n| self.readings.get(n.checked_sub(1)?));
        let named = || {
            self.readings
                .iter()
                .find(|reading| key(&reading.reading) == key(words) || reading.reading == words)
        };
        numbered.or_else(named).cloned().unwrap_or_else(|| Reading {
            reading: words.to_owned(),
            question: format!("{} ({words})", question.trim_end()),
        })
    }
}

/// Sees whether a question can be read in more than one way.
pub trait Clarifier: Send + Sync {
    /// Registered name.
    fn name(&self) -> &str;

    /// The readings of `question`; `None` when there is one, or when all find the same. Models are
    /// called within `allowance`; what was spent is added to `spent`, also on failure.
    ///
    /// # Errors
    /// Whatever ends a step; the question is then taken as it stands.
    fn clarify<'a>(
        &'a self,
        cx: &'a mut dyn TaskCtx,
        library: &'a dyn Library,
        question: &'a str,
        allowance: Allowance,
        spent: &'a mut Usage,
    ) -> BoxFuture<'a, Result<Option<Ambiguity>, TaskError>>;
}

/// Passages that each question finds, in its order, in one journaled step.
async fn found(
    cx: &mut dyn TaskCtx,
    library: &dyn Library,
    questions: &[&str],
) -> Result<Vec<Vec<PassageId>>, TaskError> {
    let asks: Vec<Ask> = questions
        .iter()
        .map(|&text| Ask {
            text: text.to_owned(),
            retriever: None,
        })
        .collect();
    let none = Filters::default();
    let lists = retrieve(cx, library, "clarify/retrieve", &asks, &none, COMPARED).await?;
    let ids = |list: Vec<Found>| list.into_iter().map(|found| found.passage).collect();
    Ok(lists.into_iter().map(ids).collect())
}

/// Whether at least two of the lists differ: another passage comes first, or few are in both.
fn differ(lists: &[Vec<PassageId>]) -> bool {
    let first = |list: &Vec<PassageId>| list.first().copied();
    if lists
        .iter()
        .any(|list| first(list) != lists.first().and_then(first))
    {
        return true;
    }
    let sets: Vec<BTreeSet<PassageId>> = lists
        .iter()
        .map(|list| list.iter().copied().collect())
        .collect();
    sets.iter().enumerate().any(|(i, a)| {
        sets.iter().skip(i + 1).any(|b| {
            let most = a.len().max(b.len());
            (a.intersection(b).count() as f64) < SAME_FROM * most as f64
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> Ambiguity {
        let reading = |what: &str| Reading {
            reading: format!("Mercury ({what})"),
            question: format!("How heavy is Mercury ({what})?"),
        };
        Ambiguity {
            question: "Which Mercury is meant?".into(),
            readings: vec![reading("planet"), reading("element")],
            likeliest: 1,
        }
    }

    #[test]
    fn an_answer_is_a_reading_its_number_or_free_words() {
        let asked = two();
        let read = |words: &str| asked.read("How heavy is Mercury?", words).question;
        assert_eq!(read("mercury (PLANET)"), "How heavy is Mercury (planet)?");
        assert_eq!(read(" 2 "), "How heavy is Mercury (element)?");
        assert_eq!(read("the god"), "How heavy is Mercury? (the god)");
        assert_eq!(read("0"), "How heavy is Mercury? (0)");
        assert_eq!(asked.assumed().reading, "Mercury (element)");
    }

    #[test]
    fn readings_that_find_the_same_do_not_differ() {
        let id = |n: u64| PassageId::of(&indago_core::DocumentId::new("d"), n, n + 1, "x");
        let list = |from: u64| {
            let rest = from..from + 9;
            std::iter::once(99).chain(rest).map(id).collect::<Vec<_>>()
        };
        assert!(!differ(&[list(0), list(1)]));
        assert!(differ(&[list(0), list(1), list(5)]));
        assert!(differ(&[vec![id(1), id(2)], vec![id(2), id(1)]]));
        assert!(!differ(&[Vec::new(), Vec::new()]));
    }
}
