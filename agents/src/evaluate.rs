//! Scores of answers and evidence, as the field computes them.

use std::collections::{BTreeMap, BTreeSet};

/// An answer as SQuAD's evaluation compares it (Rajpurkar et al., EMNLP 2016): lower case, no
/// punctuation, no articles, single spaces.
///
/// ```
/// assert_eq!(indago_agents::evaluate::normalize_answer("The  U.S. Army!"), "us army");
/// ```
pub fn normalize_answer(answer: &str) -> String {
    let lower = answer.to_lowercase();
    let bare: String = lower
        .chars()
        .filter(|c| !c.is_ascii_punctuation())
        .collect();
    bare.split_whitespace()
        .filter(|word| !matches!(*word, "a" | "an" | "the"))
        .collect::<Vec<_>>()
        .join(" ")
}

/// Whether `answer` equals one of `gold` after [`normalize_answer`].
pub fn exact_match(answer: &str, gold: &[String]) -> bool {
    let answer = normalize_answer(answer);
    gold.iter().any(|g| normalize_answer(g) == answer)
}

/// Best harmonic mean of word precision and recall against one of `gold`, 0 to 1.
pub fn f1(answer: &str, gold: &[String]) -> f64 {
    gold.iter().map(|g| f1_of(answer, g)).fold(0.0, f64::max)
}

fn f1_of(answer: &str, gold: &str) -> f64 {
    let (answer, gold) = (normalize_answer(answer), normalize_answer(gold));
    if answer.is_empty() || gold.is_empty() {
        return f64::from(u8::from(answer == gold));
    }
    let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
    for word in gold.split(' ') {
        *counts.entry(word).or_default() += 1;
    }
    let mut common = 0.0;
    for word in answer.split(' ') {
        let left = counts.entry(word).or_default();
        if *left > 0 {
            *left -= 1;
            common += 1.0;
        }
    }
    if common == 0.0 {
        return 0.0;
    }
    let precision = common / answer.split(' ').count() as f64;
    let recall = common / gold.split(' ').count() as f64;
    2.0 * precision * recall / (precision + recall)
}

/// How well the documents that a report quotes cover those that a question needs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Support {
    /// Whether every needed document is among the first `k` quoted.
    pub all: bool,
    /// Share of the first `k` quoted documents that are needed.
    pub precision: f64,
    /// Share of the needed documents among the first `k` quoted.
    pub recall: f64,
    /// Documents counted, at most `k`.
    pub documents: usize,
}

/// Scores `quoted` (most important first, repeats ignored) against the documents `needed`.
pub fn support(quoted: &[String], needed: &BTreeSet<String>, k: usize) -> Support {
    let mut counted: Vec<&String> = Vec::new();
    for document in quoted {
        if counted.len() < k && !counted.contains(&document) {
            counted.push(document);
        }
    }
    let found = counted.iter().filter(|d| needed.contains(**d)).count();
    Support {
        all: found == needed.len(),
        precision: if counted.is_empty() {
            0.0
        } else {
            found as f64 / counted.len() as f64
        },
        recall: if needed.is_empty() {
            1.0
        } else {
            found as f64 / needed.len() as f64
        },
        documents: counted.len(),
    }
}

/// Mean with the 2.5 and 97.5 percentiles of means over `resamples` bootstrap samples.
pub fn bootstrap(values: &[f64], resamples: usize, seed: u64) -> (f64, f64, f64) {
    if values.is_empty() {
        return (0.0, 0.0, 0.0);
    }
    let n = values.len();
    let mean = values.iter().sum::<f64>() / n as f64;
    let mut state = seed;
    let mut means: Vec<f64> = (0..resamples.max(1))
        .map(|_| {
            let sum: f64 = (0..n)
                .map(|_| {
                    values
                        .get((split_mix(&mut state) % n as u64) as usize)
                        .unwrap_or(&0.0)
                })
                .sum();
            sum / n as f64
        })
        .collect();
    means.sort_by(f64::total_cmp);
    let at = |q: f64| {
        let i = (q * (means.len() - 1) as f64).round() as usize;
        means.get(i).copied().unwrap_or(mean)
    };
    (mean, at(0.025), at(0.975))
}

/// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gold(answers: &[&str]) -> Vec<String> {
        answers.iter().map(|a| (*a).to_owned()).collect()
    }

    #[test]
    fn answers_compare_as_squad_does() {
        assert!(exact_match(
            "the Harbour Gulls.",
            &gold(&["Gulls", "Harbour Gulls"])
        ));
        assert!(!exact_match("Gull", &gold(&["Gulls"])));
        assert_eq!(
            f1("Harbour Gulls of York", &gold(&["Harbour Gulls"])),
            2.0 / 3.0
        );
        assert_eq!(f1("x", &gold(&["y"])), 0.0);
    }

    #[test]
    fn support_counts_documents_once_and_only_the_first() {
        let quoted = gold(&["a", "a", "x", "b"]);
        let needed: BTreeSet<String> = gold(&["a", "b"]).into_iter().collect();
        let all = support(&quoted, &needed, 10);
        assert!(all.all && all.documents == 3 && all.recall == 1.0);
        assert_eq!(
            support(&quoted, &needed, 2),
            Support {
                all: false,
                precision: 0.5,
                recall: 0.5,
                documents: 2
            }
        );
    }

    #[test]
    fn an_interval_holds_its_mean() {
        let values: Vec<f64> = (0..100).map(|i| f64::from(i % 2)).collect();
        let (mean, low, high) = bootstrap(&values, 500, 1);
        assert_eq!(mean, 0.5);
        assert!(0.35 < low && low < mean && mean < high && high < 0.65);
    }
}
