//! Whether a sentence denies what it says.

use crate::words::words;

/// Words that turn a statement round.
const NEGATORS: &[&str] = &[
    "cannot", "denied", "denies", "deny", "denying", "fail", "failed", "fails", "lack", "lacked",
    "lacks", "neither", "never", "no", "nobody", "none", "nor", "not", "nothing", "nowhere",
    "refuse", "refused", "refuses", "refuted", "rejected", "rejects", "unable", "without",
];

/// Whether `sentence` holds an odd number of negations, `not only` not counted.
///
/// A lexical test: it does not know what the negation applies to.
pub fn negated(sentence: &str) -> bool {
    negations(sentence) % 2 == 1
}

/// How many negations `sentence` holds.
pub fn negations(sentence: &str) -> usize {
    let found = words(sentence);
    let lower: Vec<String> = found
        .iter()
        .map(|r| sentence[r.clone()].to_lowercase())
        .collect();
    lower
        .iter()
        .enumerate()
        .filter(|(i, word)| {
            let next = lower.get(i + 1).map(String::as_str);
            match word.as_str() {
                "not" | "no" if matches!(next, Some("only" | "just" | "merely" | "doubt")) => false,
                "no" if next.is_some_and(|n| n.starts_with(|c: char| c.is_ascii_digit())) => false,
                word => {
                    NEGATORS.contains(&word)
                        || word.ends_with("n't")
                        || word.ends_with("n\u{2019}t")
                }
            }
        })
        .count()
}
