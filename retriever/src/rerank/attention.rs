//! In-context reranking: passages by the attention that a query pays to them (Chen et al. 2024,
//! "Attention in large language models yields efficient zero-shot re-rankers": ICR).
//!
//! Nothing is generated. All passages stand in one prompt, the query behind them. What falls on a
//! passage whatever is asked (its place, its punctuation) is told by a query without content, and
//! taken away.

use std::sync::Arc;

use indago_core::ports::{AttentionTap, Candidate, Reranker, RetrieveError};
use indago_core::{Cancel, Prompt};

use super::language::{MAX_QUERY, ROLE, failed, head};
use super::{Listwise, Windows};

/// Words of a passage that the model reads.
const MAX_WORDS: usize = 300;
/// The query without content.
const CALIBRATION: &str = "N/A";
/// Tokens that lie this many standard deviations below their passage's mean are sinks, which lost
/// attention to another query and say nothing about this one.
const SINK: f32 = 2.0;
/// Largest window where the passages do not fit into one prompt. Windows move by half.
const WINDOW: usize = 20;

/// Orders passages by a decoder's attention: all in one prompt where they are at most `fits`, in
/// windows of at most 20 from the end of the list where they are more.
pub struct ByAttention {
    judge: Arc<InContext>,
    windows: Windows,
    fits: usize,
}

impl ByAttention {
    /// Reads the attention of `tap`, whose context holds `fits` passages of 300 words.
    pub fn new(tap: Arc<dyn AttentionTap>, fits: usize) -> Self {
        let judge = Arc::new(InContext(tap));
        let size = WINDOW.min(fits);
        Self {
            windows: Windows::new(judge.clone(), size, size / 2),
            judge,
            fits,
        }
    }
}

impl std::fmt::Debug for ByAttention {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ByAttention({}, {})", self.judge.0.name(), self.fits)
    }
}

impl Reranker for ByAttention {
    fn name(&self) -> &str {
        self.judge.0.name()
    }

    /// Scores are sums of attention, less that of a query without content; in windows, places.
    fn rerank(
        &self,
        query: &str,
        candidates: &[Candidate<'_>],
        cancel: &Cancel,
    ) -> Result<Vec<f32>, RetrieveError> {
        if candidates.len() > self.fits {
            return self.windows.rerank(query, candidates, cancel);
        }
        let texts: Vec<&str> = candidates.iter().map(|candidate| candidate.text).collect();
        self.judge.scores(query, &texts, cancel)
    }
}

struct InContext(Arc<dyn AttentionTap>);

impl InContext {
    fn scores(
        &self,
        query: &str,
        texts: &[&str],
        cancel: &Cancel,
    ) -> Result<Vec<f32>, RetrieveError> {
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        let mut prompt = Prompt::default()
            .system(ROLE)
            .user("Here are some passages:");
        let before = prompt.segments.len();
        // The best of the first stage stands last, next to the query.
        for text in texts.iter().rev() {
            prompt = prompt.data("passage", None, words(text));
        }
        let tails = [CALIBRATION, head(query, MAX_QUERY)].map(tail);
        let tails = tails.each_ref().map(String::as_str);
        let told = self.0.attention(&prompt, &tails, cancel).map_err(failed)?;
        let [calibration, asked] = told.as_slice() else {
            return Err(self.unfit("of another number of queries"));
        };
        let passages = before..prompt.segments.len();
        let (Some(calibration), Some(asked)) =
            (calibration.get(passages.clone()), asked.get(passages))
        else {
            return Err(self.unfit("of fewer passages"));
        };
        let mut scores = Vec::with_capacity(texts.len());
        for (calibration, asked) in calibration.iter().zip(asked) {
            if calibration.len() != asked.len() {
                return Err(self.unfit("of passages that are of two lengths"));
            }
            let more: Vec<f32> = asked.iter().zip(calibration).map(|(s, c)| s - c).collect();
            scores.push(without_sinks(&more));
        }
        scores.reverse();
        Ok(scores)
    }

    fn unfit(&self, what: &str) -> RetrieveError {
        RetrieveError::Engine {
            engine: "reranker",
            reason: format!(
                "`{}` told its attention {what} than were shown",
                self.0.name()
            ),
        }
    }
}

impl Listwise for InContext {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn order(
        &self,
        query: &str,
        texts: &[&str],
        cancel: &Cancel,
    ) -> Result<Vec<usize>, RetrieveError> {
        let scores = self.scores(query, texts, cancel)?;
        let mut order: Vec<usize> = (0..texts.len()).collect();
        order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
        Ok(order)
    }
}

/// What stands behind the passages: the same words around every query.
fn tail(query: &str) -> String {
    format!("Please find information that is relevant to the following query. Query: {query}")
}

/// The first words of a passage.
fn words(text: &str) -> &str {
    let mut ends = text
        .split_whitespace()
        .map(|word| word.as_ptr().addr() - text.as_ptr().addr() + word.len());
    ends.nth(MAX_WORDS - 1).map_or(text, |end| &text[..end])
}

/// The sum over a passage's tokens without its sinks, which lie two (sample) standard deviations
/// below the mean.
fn without_sinks(tokens: &[f32]) -> f32 {
    let n = tokens.len() as f32;
    let mean = tokens.iter().sum::<f32>() / n.max(1.0);
    let squares: f32 = tokens.iter().map(|z| (z - mean).powi(2)).sum();
    let deviation = (squares / (n - 1.0).max(1.0)).sqrt();
    let bar = mean - SINK * deviation;
    // Equal tokens have no deviation, and none of them is a sink.
    let kept = tokens.iter().filter(|z| deviation == 0.0 || **z > bar);
    kept.sum()
}

#[cfg(test)]
mod tests {
    use indago_core::ports::{LanguageModelError, TokenAttention};
    use indago_core::{Hit, PassageId};
    use proptest::prelude::*;

    use super::*;

    /// A decoder of two layers with two heads each: queries, keys and a causal softmax over the whole
    /// prompt, worked out token by token in 64 bits. A token is a word; equal words look at each
    /// other, and everybody at the first token.
    struct Toy;

    fn vector(word: &str, layer: u64, head: u64) -> [f64; 4] {
        let word = word
            .trim_matches(|c: char| !c.is_alphanumeric())
            .to_lowercase();
        let hash = word.bytes().fold(layer * 31 + head * 7 + 5, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        std::array::from_fn(|i| ((hash >> (12 * i)) & 0xfff) as f64 / 1024.0 - 2.0)
    }

    fn dot(a: [f64; 4], b: [f64; 4]) -> f64 {
        a.iter().zip(b).map(|(a, b)| a * b).sum()
    }

    impl AttentionTap for Toy {
        fn name(&self) -> &'static str {
            "toy"
        }

        fn attention(
            &self,
            prompt: &Prompt,
            tails: &[&str],
            cancel: &Cancel,
        ) -> Result<Vec<Vec<TokenAttention>>, LanguageModelError> {
            cancel.check()?;
            let segments: Vec<Vec<&str>> = prompt
                .segments
                .iter()
                .map(|segment| segment.text.split_whitespace().collect())
                .collect();
            let context = segments.concat();
            let attend = |tail: &&str| {
                let tail: Vec<&str> = tail.split_whitespace().collect();
                let mut told = vec![0.0; context.len()];
                for (layer, head) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                    for t in 0..tail.len() {
                        let query = vector(tail[t], layer, head);
                        let seen = context.iter().chain(&tail[..=t]);
                        let weights: Vec<f64> = seen
                            .map(|word| (dot(query, vector(word, layer, head)) / 2.0).exp())
                            .collect();
                        let sum: f64 = weights.iter().sum();
                        for (told, weight) in told.iter_mut().zip(weights) {
                            *told += weight / sum / tail.len() as f64;
                        }
                    }
                }
                let mut told = told.into_iter().map(|x| x as f32);
                segments
                    .iter()
                    .map(|s| told.by_ref().take(s.len()).collect())
                    .collect()
            };
            Ok(tails.iter().map(attend).collect())
        }
    }

    fn rerank(reranker: &ByAttention, query: &str, texts: &[&str]) -> Vec<f32> {
        let hits: Vec<Hit> = (0..texts.len())
            .map(|i| Hit {
                passage: PassageId([i as u8; 16]),
                score: 0.0,
                why: Vec::new(),
                duplicates: Vec::new(),
            })
            .collect();
        let candidates: Vec<Candidate<'_>> = hits
            .iter()
            .zip(texts)
            .map(|(hit, text)| Candidate { hit, text })
            .collect();
        reranker.rerank(query, &candidates, &Cancel::new()).unwrap()
    }

    const TEXTS: [&str; 3] = [
        "Bread needs flour, water, salt and yeast.",
        "The lighthouse was lit in May by its keeper.",
        "Ferries leave at noon for the island.",
    ];

    #[test]
    fn attention_goes_to_the_passage_that_is_asked_for() {
        let reranker = ByAttention::new(Arc::new(Toy), 20);
        for (query, best) in [
            ("yeast flour bread", 0),
            ("lighthouse keeper", 1),
            ("ferries noon", 2),
        ] {
            let scores = rerank(&reranker, query, &TEXTS);
            assert!(
                scores.iter().all(|score| *score <= scores[best]),
                "{query}: {scores:?}"
            );
        }
    }

    #[test]
    fn a_query_without_content_scores_nothing() {
        let scores = rerank(&ByAttention::new(Arc::new(Toy), 20), CALIBRATION, &TEXTS);
        assert_eq!(scores, [0.0; 3]);
        assert!(rerank(&ByAttention::new(Arc::new(Toy), 20), "x", &[]).is_empty());
    }

    #[test]
    fn sinks_are_left_out_as_in_the_worked_example() {
        let mut tokens = [0.02; 10];
        tokens[9] = -0.5;
        assert!((without_sinks(&tokens) - 0.18).abs() < 1e-6);
        // With fewer than six tokens none lies two deviations below the mean.
        assert!((without_sinks(&[1.0, 1.0, 1.0, 1.0, -9.0]) + 5.0).abs() < 1e-6);
        assert_eq!(without_sinks(&[]), 0.0);
        assert_eq!(without_sinks(&[-3.0; 8]), -24.0);
    }

    #[test]
    fn what_does_not_fit_goes_through_windows() {
        let many: Vec<String> = (0..7)
            .map(|i| format!("passage number{i} of seven"))
            .collect();
        let mut texts: Vec<&str> = many.iter().map(String::as_str).collect();
        texts.push("the lighthouse keeper");
        let scores = rerank(
            &ByAttention::new(Arc::new(Toy), 4),
            "lighthouse keeper",
            &texts,
        );
        let mut places = scores.clone();
        places.sort_by(f32::total_cmp);
        assert_eq!(places, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
        assert_eq!(scores[7], 8.0, "{scores:?}");
    }

    #[test]
    fn attention_that_does_not_fit_the_prompt_is_an_error() {
        struct Short;
        impl AttentionTap for Short {
            fn name(&self) -> &'static str {
                "short"
            }
            fn attention(
                &self,
                _: &Prompt,
                tails: &[&str],
                _: &Cancel,
            ) -> Result<Vec<Vec<TokenAttention>>, LanguageModelError> {
                Ok(vec![vec![vec![1.0]]; tails.len()])
            }
        }
        let judge = InContext(Arc::new(Short));
        let error = judge
            .scores("x", &TEXTS, &Cancel::new())
            .unwrap_err()
            .to_string();
        assert!(error.contains("`short` told its attention"), "{error}");
    }

    proptest! {
        #[test]
        fn passages_are_cut_between_words(text in "([a-zé]{1,6}[ \n\t]{1,3}){0,400}") {
            let cut = words(&text);
            prop_assert!(text.starts_with(cut));
            let n = text.split_whitespace().count();
            prop_assert_eq!(cut.split_whitespace().count(), n.min(MAX_WORDS));
        }
    }
}
