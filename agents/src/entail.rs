//! Entailment by rules: does a claim say only what its quotes say?
//!
//! Numbers, dates and names of the claim must stand in the quotes, and a claim may not negate what
//! its quotes state. Rules cannot see paraphrase, so "unknown" is a common and honest verdict.

use indago_core::Claim;
use indago_text::{normalize_name, polarity, quote};

use crate::asked::contains_phrase;

/// How quotes bear on a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The quotes say what the claim says.
    Supported,
    /// The quotes say otherwise; the reason in words.
    Contradicted(String),
    /// The rules cannot tell; the reason in words.
    Unknown(String),
}

/// Checks a claim against its own quotes.
pub fn entails(claim: &Claim) -> Verdict {
    let quotes: Vec<&str> = claim.quotes().iter().map(|q| q.text.as_str()).collect();
    verdict(claim.text(), &quotes)
}

fn verdict(claim: &str, quotes: &[&str]) -> Verdict {
    let folded = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let claim_words = folded(claim);
    if quotes
        .iter()
        .any(|q| quote::equivalent(&folded(q), &claim_words))
    {
        return Verdict::Supported;
    }
    let together = quotes.join(" \n");
    let said: Vec<f64> = indago_text::numbers(&together)
        .into_iter()
        .map(|n| n.value)
        .collect();
    for number in indago_text::numbers(claim) {
        if !said.contains(&number.value) {
            let text = &claim[number.range];
            return if said.is_empty() {
                Verdict::Unknown(format!("no quote has a number like {text}"))
            } else {
                Verdict::Contradicted(format!("no quote has the number {text}"))
            };
        }
    }
    let dates: Vec<_> = indago_text::dates(&together)
        .into_iter()
        .map(|d| d.date)
        .collect();
    for mention in indago_text::dates(claim) {
        if !dates.contains(&mention.date) {
            return Verdict::Unknown(format!("no quote has the date {}", mention.date));
        }
    }
    let normal = normalize_name(&together);
    for name in indago_text::names(claim) {
        if !contains_phrase(&normal, &normalize_name(&name.text)) {
            return Verdict::Unknown(format!("no quote names {}", name.text));
        }
    }
    let terms = indago_text::terms(claim);
    let there = indago_text::terms(&together);
    let shared = terms.iter().filter(|t| there.contains(t)).count();
    if 10 * shared < 8 * terms.len() {
        return Verdict::Unknown("the quotes have other words".to_owned());
    }
    if quotes.len() == 1 && polarity::negated(claim) != polarity::negated(&together) {
        return Verdict::Contradicted("one of claim and quote is negated".to_owned());
    }
    Verdict::Supported
}

/// Checks a sentence that somebody wrote against its quotes: every number, date and name in it has
/// to stand in them (names also in `about`, what the quoted passages are about), it may not be
/// negated where the closest sentence of the quotes is not, and it has to share words with them.
pub(crate) fn bound_to(claim: &str, quotes: &[&str], about: &[&str]) -> Verdict {
    let folded = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let claim_words = folded(claim);
    if quotes
        .iter()
        .any(|q| quote::equivalent(&folded(q), &claim_words))
    {
        return Verdict::Supported;
    }
    let together = quotes.join(" \n");
    let context = format!("{together} \n{}", about.join(" \n"));
    let mut said: Vec<f64> = indago_text::numbers(&context)
        .into_iter()
        .map(|n| n.value)
        .collect();
    let dates: Vec<_> = indago_text::dates(&context)
        .into_iter()
        .map(|d| d.date)
        .collect();
    for mention in indago_text::dates(claim) {
        // A claim may say less of a date than its quote, never more or otherwise.
        let fits = |date: &indago_core::Date| {
            date.year == mention.date.year
                && (mention.date.month.is_none() || mention.date.month == date.month)
                && (mention.date.day.is_none() || mention.date.day == date.day)
        };
        if !dates.iter().any(fits) {
            return Verdict::Contradicted(format!("no quote has the date {}", mention.date));
        }
    }
    let mut known: Vec<std::ops::Range<usize>> = Vec::new();
    for number in indago_text::numbers(claim) {
        // As often as the quotes have it: `778/778` is not what `775/778` says.
        let Some(at) = said.iter().position(|value| *value == number.value) else {
            let text = &claim[number.range.clone()];
            let reason = if known.iter().any(|range| claim[range.clone()] == *text) {
                format!("the quotes have the number {text} less often")
            } else {
                format!("no quote has the number {text}")
            };
            return Verdict::Contradicted(reason);
        };
        said.swap_remove(at);
        known.push(number.range);
    }
    // Digits inside words (`1920s`, `18th-century`) are no numbers of the text, and count as well.
    let there = digits(&context);
    for (range, run) in digits(claim) {
        let counted = known
            .iter()
            .any(|k| k.start <= range.start && range.end <= k.end);
        if !counted && there.iter().all(|(_, other)| *other != run) {
            return Verdict::Contradicted(format!("no quote has the number {run}"));
        }
    }
    let bare = |text: &str| normalize_name(&text.replace("'s", "").replace("\u{2019}s", ""));
    let normal = bare(&context);
    for name in indago_text::names(claim) {
        let key = bare(&name.text);
        // A sentence may begin with any word, and a name may be given in part.
        let opens = claim.trim_start().starts_with(name.text.as_str());
        let words_known = || {
            key.split(' ')
                .all(|word| contains_phrase(&normal, word) || indago_text::is_function_word(word))
        };
        let common = opens && !key.contains(' ') && !is_known_name(&key);
        if !contains_phrase(&normal, &key) && !words_known() && !common {
            return Verdict::Contradicted(format!("no quote names {}", name.text));
        }
    }
    let terms = indago_text::terms(claim);
    let there = indago_text::terms(&context);
    let sentences: Vec<&str> = quotes
        .iter()
        .flat_map(|q| indago_text::sentences(q).into_iter().map(|r| &q[r]))
        .collect();
    let negated = polarity::negated(claim);
    let shared = terms.iter().filter(|t| there.contains(t)).count();
    if 2 * shared < terms.len() {
        // Which sentence the claim is about cannot be told, but one has to speak as it does.
        if sentences.iter().all(|s| polarity::negated(s) != negated) {
            return Verdict::Contradicted("one of claim and quote is negated".to_owned());
        }
        return Verdict::Unknown("the quotes have other words".to_owned());
    }
    let closest = sentences.iter().max_by_key(|sentence| {
        let words = indago_text::terms(sentence);
        let both = terms.iter().filter(|t| words.contains(t)).count();
        (both, std::cmp::Reverse(words.len()))
    });
    if closest.is_some_and(|closest| polarity::negated(closest) != negated) {
        return Verdict::Contradicted("one of claim and quote is negated".to_owned());
    }
    Verdict::Supported
}

/// Runs of digits, where they stand.
fn digits(text: &str) -> Vec<(std::ops::Range<usize>, &str)> {
    let mut runs = Vec::new();
    let mut start = None;
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        match (c.is_ascii_digit(), start) {
            (true, None) => start = Some(at),
            (false, Some(from)) => {
                runs.push((from..at, &text[from..at]));
                start = None;
            }
            _ => {}
        }
    }
    runs
}

/// Whether a single word that opens a sentence is more than a capital letter: it is no word of the
/// language that opens sentences.
fn is_known_name(word: &str) -> bool {
    !indago_text::is_function_word(word) && !word.ends_with("ly") && !word.ends_with("ed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_bound_to_its_quotes() {
        let about = ["Ada Quill"];
        let quote = ["She led Harbour Works with 250 people from 4 May 1970. It failed."];
        let verdict = |claim: &str| bound_to(claim, &quote, &about);
        assert_eq!(
            verdict("Ada Quill led Harbour Works from May 1970."),
            Verdict::Supported
        );
        for wrong in [
            "Ada Quill led Harbour Works with 300 people.",
            "Ada Quill led Harbour Works from June 1970.",
            "Ben Ashe led Harbour Works with 250 people.",
            "Ada Quill led Harbour Works in the mid-1980s.",
            "Ada Quill never led Harbour Works with 250 people.",
        ] {
            assert!(
                matches!(verdict(wrong), Verdict::Contradicted(_)),
                "{wrong}"
            );
        }
        assert!(matches!(
            verdict("Ada Quill enjoyed sailing round distant islands."),
            Verdict::Unknown(_)
        ));
    }

    #[test]
    fn a_number_stands_as_often_as_its_quotes_have_it() {
        let quote = ["Rotrude (775/778 to 810) was a princess, born before 778."];
        let verdict = |claim: &str| bound_to(claim, &quote, &[]);
        let wrong = verdict("Rotrude (775/775 to 810) was a princess.");
        let reason = "the quotes have the number 775 less often".to_owned();
        assert_eq!(wrong, Verdict::Contradicted(reason));
        let right = verdict("Rotrude (775/778), born before 778, was a princess.");
        assert!(!matches!(right, Verdict::Contradicted(_)), "{right:?}");
    }

    const QUOTE: &str = "Ada Quill (born 4 May 1970) led Harbour Works with 250 people.";

    #[test]
    fn a_quote_supports_itself_and_what_is_left_of_it() {
        assert_eq!(verdict(QUOTE, &[QUOTE]), Verdict::Supported);
        assert_eq!(
            verdict("Ada Quill led Harbour Works", &[QUOTE]),
            Verdict::Supported
        );
    }

    #[test]
    fn other_numbers_and_negation_contradict() {
        let wrong = verdict("Ada Quill led Harbour Works with 300 people", &[QUOTE]);
        assert!(matches!(wrong, Verdict::Contradicted(_)), "{wrong:?}");
        let negated = verdict(
            "Ada Quill never led Harbour Works",
            &["Ada Quill led Harbour Works"],
        );
        assert!(matches!(negated, Verdict::Contradicted(_)), "{negated:?}");
    }

    #[test]
    fn other_names_are_not_supported() {
        let other = verdict("Ben Ashe led Harbour Works", &[QUOTE]);
        assert!(matches!(other, Verdict::Unknown(_)), "{other:?}");
    }
}
