//! The analyzer of English: text to index terms. `language` has those of other languages.
//!
//! Lower-cased runs of two or more word characters, minus Lucene's 33 English stop words,
//! stemmed with Snowball English: what the Python package bm25s does with its defaults and
//! PyStemmer, so figures can be compared. Characters outside ASCII are also folded with NFKC,
//! so that composed and decomposed spellings meet.

use std::ops::Range;

use unicode_normalization::UnicodeNormalization;

use crate::stem::with_stemmer;
use crate::stop_words::is_stop_word;
use crate::words::is_word_char;

/// In bytes: `their`, `there`, `these`.
const LONGEST_STOP_WORD: usize = 5;

/// The index terms of `text`, in order, repeats kept.
///
/// ```
/// assert_eq!(indago_text::terms("The runners were running"), ["runner", "were", "run"]);
/// ```
pub fn terms(text: &str) -> Vec<String> {
    let mut found = Vec::with_capacity(text.len() / 8);
    for_each_term(text, |term, _| found.push(term.to_owned()));
    found
}

/// Calls `visit` with each index term of `text` and the byte range of the word it came from.
///
/// The same terms as [`terms()`] without an allocation per term.
pub fn for_each_term(text: &str, mut visit: impl FnMut(&str, Range<usize>)) {
    with_stemmer(|stemmer| {
        let mut lower = String::with_capacity(64);
        let mut at = 0;
        while let Some((range, ascii)) = next_run(text, at) {
            at = range.end;
            let word = &text[range.clone()];
            lower.clear();
            if ascii {
                if word.len() < 2 {
                    continue;
                }
                lower.push_str(word);
                lower.make_ascii_lowercase();
                if lower.len() <= LONGEST_STOP_WORD && is_stop_word(&lower) {
                    continue;
                }
                stemmer.stem(&lower, |term| visit(term, range));
            } else {
                lower.extend(word.nfkc().flat_map(char::to_lowercase));
                // The dot that lower-casing a Turkish capital leaves behind.
                if lower.contains("i\u{307}") {
                    lower = lower.replace("i\u{307}", "i");
                }
                // Folding may bring in spaces and punctuation: U+2100 becomes `a/c`.
                for part in lower.split(|c| !is_word_char(c)) {
                    if part.chars().nth(1).is_some() && !is_stop_word(part) {
                        stemmer.stem(part, |term| visit(term, range.clone()));
                    }
                }
            }
        }
    });
}

/// The next run of word characters at or after `from`, and whether it is pure ASCII.
pub(crate) fn next_run(text: &str, from: usize) -> Option<(Range<usize>, bool)> {
    let bytes = text.as_bytes();
    let mut start = from;
    loop {
        let &byte = bytes.get(start)?;
        if byte.is_ascii() {
            if byte.is_ascii_alphanumeric() || byte == b'_' {
                break;
            }
            start += 1;
        } else {
            let c = text[start..].chars().next()?;
            if is_word_char(c) {
                break;
            }
            start += c.len_utf8();
        }
    }
    let mut end = start;
    let mut ascii = true;
    while let Some(&byte) = bytes.get(end) {
        if byte.is_ascii() {
            if !(byte.is_ascii_alphanumeric() || byte == b'_') {
                break;
            }
            end += 1;
        } else {
            match text[end..].chars().next() {
                Some(c) if is_word_char(c) => end += c.len_utf8(),
                _ => break,
            }
            ascii = false;
        }
    }
    Some((start..end, ascii))
}
