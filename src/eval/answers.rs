//! Exact match and F1 of short answers, as the SQuAD script computes them.

use std::collections::BTreeMap;

/// Lower case, no punctuation, no articles, single spaces (Rajpurkar et al., 2016).
pub fn normalize(answer: &str) -> String {
    let lower = answer.to_lowercase();
    let kept: String = lower
        .chars()
        .filter(|c| !c.is_ascii_punctuation())
        .collect();
    let words = kept
        .split_whitespace()
        .filter(|w| !matches!(*w, "a" | "an" | "the"));
    words.collect::<Vec<_>>().join(" ")
}

/// Whether `answer` equals one of `accepted` after normalisation.
pub fn exact_match(answer: &str, accepted: &[String]) -> bool {
    let answer = normalize(answer);
    accepted.iter().any(|a| normalize(a) == answer)
}

/// The best F1 over words of `answer` against `accepted`.
pub fn f1(answer: &str, accepted: &[String]) -> f64 {
    accepted
        .iter()
        .map(|a| f1_of(&normalize(answer), &normalize(a)))
        .fold(0.0, f64::max)
}

fn f1_of(answer: &str, accepted: &str) -> f64 {
    let mut left: BTreeMap<&str, usize> = BTreeMap::new();
    for word in accepted.split(' ') {
        *left.entry(word).or_default() += 1;
    }
    let mut shared = 0;
    for word in answer.split(' ') {
        if let Some(n) = left.get_mut(word).filter(|n| **n > 0) {
            *n -= 1;
            shared += 1;
        }
    }
    if shared == 0 {
        return 0.0;
    }
    let precision = f64::from(shared) / answer.split(' ').count() as f64;
    let recall = f64::from(shared) / accepted.split(' ').count() as f64;
    2.0 * precision * recall / (precision + recall)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_compared_without_case_articles_and_punctuation() {
        let accepted = ["The Beatles".to_owned(), "Wings!".to_owned()];
        assert!(exact_match("beatles", &accepted) && exact_match("wings", &accepted));
        assert!(!exact_match("beatle", &accepted));
    }

    #[test]
    fn f1_counts_shared_words_once() {
        let accepted = ["new york city".to_owned()];
        assert!((f1("york york", &accepted) - 0.4).abs() < 1e-9);
        assert_eq!(f1("london", &accepted), 0.0);
        assert_eq!(f1("New York City", &accepted), 1.0);
    }
}
