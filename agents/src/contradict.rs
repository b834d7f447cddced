//! Sources that disagree: quotes about the same thing that give different values for one fact, and
//! claims that say the same of the same names with other numbers or dates, or deny it.

use std::collections::BTreeSet;

use indago_core::{Claim, Contradiction, Date};
use indago_text::{normalize_name, polarity};

use crate::answer::{Attribute, Reading};

/// Facts that have one value, with their names.
const SINGLE: [(Attribute, &str); 2] = [
    (Attribute::BirthDate, "date of birth"),
    (Attribute::DeathDate, "date of death"),
];

/// Disagreements among `claims`, each pair once. Only quotes of different documents that introduce
/// the same name are compared.
pub(crate) fn contradictions(claims: &[&Claim]) -> Vec<Contradiction> {
    let facts: Vec<(String, &Claim, Vec<Option<Date>>)> = claims
        .iter()
        .filter_map(|claim| {
            let text = &claim.quotes().first()?.text;
            let name = indago_text::introduced_name(text)?;
            let reading = Reading::new(text);
            let dates = SINGLE
                .iter()
                .map(|(attribute, _)| reading.attribute(*attribute).first().and_then(|v| v.date))
                .collect();
            Some((indago_text::normalize_name(&name), *claim, dates))
        })
        .collect();
    let mut found = Vec::new();
    for (i, (name, claim, dates)) in facts.iter().enumerate() {
        for (other_name, other, other_dates) in facts.iter().skip(i + 1) {
            let document = |c: &Claim| c.quotes().first().map(|q| q.document.clone());
            if name != other_name || document(claim) == document(other) {
                continue;
            }
            for ((_, what), (a, b)) in SINGLE.iter().zip(dates.iter().zip(other_dates)) {
                if let (Some(a), Some(b)) = (a, b)
                    && differ(*a, *b)
                {
                    found.push(Contradiction {
                        about: format!("{what} of {name}: {a} or {b}"),
                        claims: vec![(*claim).clone(), (*other).clone()],
                    });
                }
            }
        }
    }
    found
}

/// Words that two claims share at least, of all that either has, when they are about the same fact;
/// and when one denies the other, for which numbers are no sign.
const ALIKE: f64 = 0.6;
const ALIKE_DENIED: f64 = 0.75;

/// What a written claim says of whom, apart from the values it gives.
struct Frame<'a> {
    claim: &'a Claim,
    names: BTreeSet<String>,
    words: BTreeSet<String>,
    values: BTreeSet<String>,
    negated: bool,
}

impl<'a> Frame<'a> {
    fn of(claim: &'a Claim) -> Self {
        let text = claim.text();
        let dates = indago_text::dates(text);
        let within = |range: &std::ops::Range<usize>| {
            let is_in = |d: &std::ops::Range<usize>| d.start <= range.start && range.end <= d.end;
            dates.iter().any(|d| is_in(&d.range))
        };
        let mut values: BTreeSet<String> = dates.iter().map(|d| d.date.to_string()).collect();
        let numbers = indago_text::numbers(text);
        let numbers = numbers.into_iter().filter(|n| !within(&n.range));
        values.extend(numbers.map(|n| n.value.to_string()));
        let names = indago_text::names(text).into_iter();
        let names = names.map(|n| normalize_name(&n.text));
        let has_digit = |word: &String| word.contains(|c: char| c.is_ascii_digit());
        let mut words: BTreeSet<String> = indago_text::terms(text).into_iter().collect();
        for date in &dates {
            for term in indago_text::terms(&text[date.range.clone()]) {
                words.remove(&term);
            }
        }
        words.retain(|word| !has_digit(word));
        Self {
            claim,
            names: names.filter(|n| !has_digit(n)).collect(),
            words,
            values,
            negated: polarity::negated(text),
        }
    }

    /// Shared words over all words.
    fn likeness(&self, other: &Self) -> f64 {
        let shared = self.words.intersection(&other.words).count();
        shared as f64 / (self.words.len() + other.words.len() - shared).max(1) as f64
    }

    /// On what the two disagree, in words.
    fn against(&self, other: &Self) -> Option<String> {
        if self.names.is_empty() || self.names != other.names {
            return None;
        }
        let likeness = self.likeness(other);
        if self.negated != other.negated {
            let same = self.values == other.values && likeness >= ALIKE_DENIED;
            let positive = if self.negated { other } else { self };
            return same.then(|| format!("whether this is so: {}", positive.claim.text()));
        }
        let differ = !self.values.is_empty()
            && self.values.len() == other.values.len()
            && self.values.is_disjoint(&other.values)
            && !may_be_one(&self.values, &other.values);
        let list = |values: &BTreeSet<String>| {
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            values.join(", ")
        };
        (differ && likeness >= ALIKE).then(|| {
            let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
            let (a, b) = (list(&self.values), list(&other.values));
            format!("{}: {a} or {b}", names.join(", "))
        })
    }
}

/// Whether one value says less of the same date than the other (`1912`, `1912-05`).
fn may_be_one(a: &BTreeSet<String>, b: &BTreeSet<String>) -> bool {
    let begins = |x: &String, y: &String| y.starts_with(&format!("{x}-"));
    a.iter()
        .any(|x| b.iter().any(|y| begins(x, y) || begins(y, x)))
}

/// Disagreements among claims that somebody wrote, each pair once. Only claims on different
/// documents are compared: one document that gives two values is not two sources.
pub(crate) fn disagreements(claims: &[&Claim]) -> Vec<Contradiction> {
    let frames: Vec<Frame<'_>> = claims.iter().map(|claim| Frame::of(claim)).collect();
    let documents = |claim: &Claim| -> BTreeSet<_> {
        let quotes = claim.quotes().iter();
        quotes.map(|quote| quote.document.clone()).collect()
    };
    let mut found = Vec::new();
    for (i, one) in frames.iter().enumerate() {
        for other in &frames[i + 1..] {
            if !documents(one.claim).is_disjoint(&documents(other.claim)) {
                continue;
            }
            if let Some(about) = one.against(other) {
                found.push(Contradiction {
                    about,
                    claims: vec![one.claim.clone(), other.claim.clone()],
                });
            }
        }
    }
    found
}

/// Whether two dates cannot be the same day, given what is known of them.
fn differ(a: Date, b: Date) -> bool {
    let unlike = |x: Option<u8>, y: Option<u8>| matches!((x, y), (Some(x), Some(y)) if x != y);
    a.year != b.year || unlike(a.month, b.month) || unlike(a.day, b.day)
}

#[cfg(test)]
mod tests {
    use indago_core::{DocumentId, PassageId, Quote};

    use super::*;

    fn claim(document: &str, text: &str) -> Claim {
        let document = DocumentId::new(document);
        let quote = Quote {
            passage: PassageId::of(&document, 0, text.len() as u64, text),
            document,
            start: 0,
            end: text.len() as u64,
            text: text.to_owned(),
        };
        Claim::new(text, vec![quote]).unwrap()
    }

    fn on(a: (&str, &str), b: (&str, &str)) -> Option<String> {
        let (a, b) = (claim(a.0, a.1), claim(b.0, b.1));
        let mut found = disagreements(&[&a, &b]);
        assert!(found.len() <= 1);
        found.pop().map(|c| c.about)
    }

    #[test]
    fn other_values_of_one_fact_in_two_documents_disagree() {
        let built = "The Harbour Tower was built in 1910.";
        let about = on(
            ("page", built),
            ("register", "The Harbour Tower was built in 1912."),
        );
        let about = about.unwrap();
        assert!(about.contains("1910") && about.contains("1912"), "{about}");
        for (document, other) in [
            // The same document, another tower, another fact, the same date in other words.
            ("page", "The Harbour Tower was built in 1912."),
            ("register", "The Mill Tower was built in 1912."),
            ("register", "The Harbour Tower burned down in 1912."),
            ("register", "The Harbour Tower was built in May 1910."),
        ] {
            assert_eq!(on(("page", built), (document, other)), None, "{other}");
        }
    }

    #[test]
    fn what_one_document_states_and_another_denies_is_shown() {
        let about = on(
            ("a", "Zarnow designed the Harbour Tower."),
            ("b", "Zarnow never designed the Harbour Tower."),
        );
        assert!(about.unwrap().contains("whether"));
    }
}
