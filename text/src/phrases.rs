//! Noun phrases without a tagger: what is left between function words and common verbs.

use std::ops::Range;

use crate::stop_words::is_function_word;
use crate::words::words;

/// Longest phrase, in words.
const MAX_WORDS: usize = 6;

/// Verbs and verb-like words that separate phrases in questions and definitions.
pub(crate) fn is_common_verb(word: &str) -> bool {
    matches!(
        word,
        "became"
            | "become"
            | "becomes"
            | "began"
            | "begin"
            | "born"
            | "called"
            | "came"
            | "come"
            | "comes"
            | "died"
            | "directed"
            | "find"
            | "found"
            | "founded"
            | "gave"
            | "get"
            | "give"
            | "given"
            | "go"
            | "goes"
            | "got"
            | "known"
            | "lived"
            | "located"
            | "made"
            | "make"
            | "makes"
            | "married"
            | "met"
            | "moved"
            | "named"
            | "played"
            | "produced"
            | "published"
            | "put"
            | "released"
            | "said"
            | "say"
            | "says"
            | "sang"
            | "saw"
            | "started"
            | "sued"
            | "take"
            | "takes"
            | "took"
            | "used"
            | "went"
            | "won"
            | "wrote"
            | "written"
    )
}

/// Byte ranges of runs of one to six content words between function words, common verbs and
/// punctuation, in order and disjoint.
///
/// ```
/// let text = "The largest glass factory was founded in a small town.";
/// let found: Vec<&str> = indago_text::noun_phrases(text).into_iter().map(|r| &text[r]).collect();
/// assert_eq!(found, ["largest glass factory", "small town"]);
/// ```
pub fn noun_phrases(text: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut open: Option<(Range<usize>, usize)> = None;
    for span in words(text) {
        let lower = text[span.clone()].to_lowercase();
        let breaks = is_function_word(&lower) || is_common_verb(&lower);
        let adjoins = open.as_ref().is_some_and(|(r, n)| {
            *n < MAX_WORDS && text[r.end..span.start].chars().all(|c| c == ' ')
        });
        if breaks || !adjoins {
            found.extend(open.take().map(|(range, _)| range));
        }
        if !breaks {
            open = match open.take() {
                Some((range, n)) => Some((range.start..span.end, n + 1)),
                None => Some((span, 1)),
            };
        }
    }
    found.extend(open.map(|(range, _)| range));
    found
}
