//! The analyzers of all languages: text to index terms.
//!
//! English is [`crate::for_each_term`], unchanged. The others fold a word the same way (NFKC, lower
//! case), leave out their function words and stem with their Snowball algorithm. What scripts
//! write without spaces between words (Chinese, Japanese, Thai and their neighbours), and Korean,
//! whose words carry their particles, is cut into overlapping pairs of characters, as Lucene's CJK
//! analyzer does; single characters are index terms as well, so that a word of one character is
//! found, but a query asks for them only where it has nothing longer.

use std::collections::BTreeMap;
use std::ops::Range;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::stop_words::is_stop_word;
use super::{Language, Languages, detect_language};
use crate::stem::with_stemmer_of;
use crate::terms::{for_each_term, next_run};
use crate::words::is_word_char;

/// Longest word that is stemmed, in bytes: beyond it stands no word of a language, and algorithms
/// that look for many suffixes would take their time.
const MAX_STEMMED: usize = 256;

/// What terms are for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Index,
    Query,
}

/// Calls `visit` with each index term of a text in `language`, and the byte range of the run of word
/// characters it came from.
///
/// ```
/// use indago_text::{Language, for_each_term_in};
/// let mut terms = Vec::new();
/// for_each_term_in(Language::German, "Die Häuser am See", |term, _| terms.push(term.to_owned()));
/// assert_eq!(terms, ["haus", "see"]);
/// ```
pub fn for_each_term_in(language: Language, text: &str, visit: impl FnMut(&str, Range<usize>)) {
    analyze(language, Use::Index, text, visit);
}

/// The terms of a query against documents in any of `languages`, each with how often the query has
/// it, in the order of the terms.
///
/// A query too short to tell its language is analysed in all of them: a term counts as often as in
/// the language where it occurs most. Function words of the language that a query does show are left
/// out everywhere, so that a German article is not looked for in English documents. Where it has two
/// of them, only words that may be names are looked for in other languages as well: what another
/// stemmer makes of a common word is at best no word there, and at worst a different one (German
/// takes `mother` to the stem of `moth`). With one language these are the terms of
/// [`for_each_term_in`], but for single characters beside pairs.
pub fn query_terms(languages: Languages, text: &str) -> BTreeMap<String, u32> {
    let shown = match languages.only() {
        Some(_) => None,
        None => detect_language(text).filter(|language| languages.contains(*language)),
    };
    let sentence = shown.is_some_and(|language| {
        let words = std::iter::successors(next_run(text, 0), |run| next_run(text, run.0.end));
        let own = words.filter(|(range, _)| is_function_word(language, &text[range.clone()]));
        own.take(2).count() == 2
    });
    let terms = union(languages, text, shown, sentence);
    // A query of function words only is meant as it stands.
    if terms.is_empty() && shown.is_some() {
        return union(languages, text, None, false);
    }
    terms
}

/// The terms of a text in each of `languages`; in those that are not its `own`, without the function
/// words of that one and, of a `sentence`, without what cannot be a name.
fn union(
    languages: Languages,
    text: &str,
    own: Option<Language>,
    sentence: bool,
) -> BTreeMap<String, u32> {
    let mut most: BTreeMap<String, u32> = BTreeMap::new();
    let mut times: BTreeMap<String, u32> = BTreeMap::new();
    for language in languages.iter() {
        analyze(language, Use::Query, text, |term, range| {
            let word = &text[range];
            let common = sentence && word.starts_with(char::is_lowercase);
            let left_out = |own| own != language && (common || is_function_word(own, word));
            if own.is_some_and(left_out) {
                return;
            }
            match times.get_mut(term) {
                Some(n) => *n += 1,
                None => {
                    times.insert(term.to_owned(), 1);
                }
            }
        });
        for (term, n) in std::mem::take(&mut times) {
            let most = most.entry(term).or_default();
            *most = n.max(*most);
        }
    }
    most
}

/// Whether the analyzer of `language` leaves `word` out.
fn is_function_word(language: Language, word: &str) -> bool {
    let folded = fold_word(language, word);
    match language {
        Language::English => crate::is_stop_word(&folded),
        other => is_stop_word(other, &folded),
    }
}

fn analyze(
    language: Language,
    purpose: Use,
    text: &str,
    mut visit: impl FnMut(&str, Range<usize>),
) {
    if language == Language::English {
        return for_each_term(text, visit);
    }
    with_stemmer_of(language, |mut stemmer| {
        let mut at = 0;
        while let Some((range, _)) = next_run(text, at) {
            at = range.end;
            let folded = fold_word(language, &text[range.clone()]);
            // Folding may bring in spaces and punctuation.
            for part in folded.split(|c| !is_word_char(c)) {
                for (piece, unspaced) in pieces(part) {
                    if unspaced {
                        grams(piece, purpose, |gram| visit(gram, range.clone()));
                    } else if piece.chars().nth(1).is_some() && !is_stop_word(language, piece) {
                        match &mut stemmer {
                            Some(stemmer) if piece.len() <= MAX_STEMMED => {
                                stemmer.stem(piece, |stem| {
                                    // Some algorithms leave nothing of some words.
                                    let stem = if stem.is_empty() { piece } else { stem };
                                    visit(stem, range.clone());
                                });
                            }
                            _ => visit(piece, range.clone()),
                        }
                    }
                }
            }
        }
    });
}

/// A word as stop words are listed and stems are taken of it.
pub(super) fn fold_word(language: Language, word: &str) -> String {
    let mut folded = String::with_capacity(word.len() + 8);
    for c in word.nfkc() {
        match c {
            // Turkish has a dotless i of its own.
            'I' if language == Language::Turkish => folded.push('ı'),
            'İ' => folded.push('i'),
            'ς' => folded.push('σ'),
            c => folded.extend(c.to_lowercase()),
        }
    }
    folded
}

/// A word cut where scripts with and without spaces between words meet; true for those without.
fn pieces(word: &str) -> impl Iterator<Item = (&str, bool)> {
    let mut rest = word;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let unspaced = is_unspaced(first);
        // A mark belongs to the letter before it.
        let other = |c: char| is_unspaced(c) != unspaced && !is_combining_mark(c);
        let end = rest.find(other).unwrap_or(rest.len());
        let (piece, after) = rest.split_at(end);
        rest = after;
        Some((piece, unspaced))
    })
}

/// Pairs of neighbouring characters, each with the marks on it, and single ones: all of them for the
/// index, for a query only that of a word of one character.
fn grams(piece: &str, purpose: Use, mut visit: impl FnMut(&str)) {
    let starts = piece.char_indices().filter(|(_, c)| !is_combining_mark(*c));
    let mut starts: Vec<usize> = starts.map(|(at, _)| at).collect();
    // A mark that stands first has no letter.
    if let Some(first) = starts.first_mut() {
        *first = 0;
    } else {
        starts.push(0);
    }
    starts.push(piece.len());
    let single = purpose == Use::Index || starts.len() == 2;
    for window in starts.windows(2).filter(|_| single) {
        visit(&piece[window[0]..window[1]]);
    }
    for window in starts.windows(3) {
        visit(&piece[window[0]..window[2]]);
    }
}

/// Characters of scripts whose text shows no words, and of Hangul.
pub(super) fn is_unspaced(c: char) -> bool {
    matches!(u32::from(c),
        0x0E00..=0x0EFF // Thai, Lao
        | 0x1000..=0x109F // Myanmar
        | 0x1100..=0x11FF | 0xA960..=0xA97F | 0xAC00..=0xD7FF // Hangul
        | 0x1780..=0x17FF // Khmer
        | 0x2E80..=0x2FDF | 0x3005..=0x3007 | 0x3021..=0x3029 | 0x3038..=0x303B // Han
        | 0x3040..=0x31BF | 0x31F0..=0x31FF // Kana, Bopomofo, Hangul
        | 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xF900..=0xFAFF | 0x2_0000..=0x3_FFFF // Han
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(language: Language, text: &str) -> Vec<String> {
        let mut terms = Vec::new();
        for_each_term_in(language, text, |term, _| terms.push(term.to_owned()));
        terms
    }

    fn asked(languages: &[Language], text: &str) -> Vec<(String, u32)> {
        let languages = languages.iter().copied().collect();
        query_terms(languages, text).into_iter().collect()
    }

    #[test]
    fn words_without_spaces_are_found_by_pairs_and_single_characters() {
        use Language::{Chinese, Japanese, Korean, Thai};
        let terms = of(Chinese, "iPhone手机很好。");
        assert_eq!(
            terms,
            ["iphone", "手", "机", "很", "好", "手机", "机很", "很好"]
        );
        assert_eq!(asked(&[Chinese], "手机"), [("手机".to_owned(), 1)]);
        assert_eq!(asked(&[Chinese], "机"), [("机".to_owned(), 1)]);
        // Half-width and decomposed kana are the same words.
        assert_eq!(of(Japanese, "ガ"), of(Japanese, "ｶﾞ"));
        assert_eq!(of(Korean, "한국"), of(Korean, "\u{1112}\u{1161}\u{11ab}국"));
        // A vowel sign stays with its consonant.
        assert_eq!(of(Thai, "ที่นี่"), ["ที่", "นี่", "ที่นี่"]);
    }

    #[test]
    fn letters_fold_as_their_language_writes_them() {
        use Language::{German, Greek, Turkish};
        assert_eq!(of(German, "Häuser"), of(German, "Ha\u{308}user"));
        assert_eq!(of(German, "Häuser"), of(German, "HAUS"));
        assert_eq!(of(German, "Straße"), of(German, "STRASSE"));
        assert_eq!(of(Turkish, "IŞIK"), of(Turkish, "ışık"));
        assert_eq!(of(Greek, "ΤΗΣ ΠΟΛΗΣ"), of(Greek, "πολης"));
    }

    #[test]
    fn a_query_is_analysed_in_every_language_of_the_corpus() {
        use Language::{English, German};
        let houses = asked(&[English, German], "Häuser");
        assert_eq!(houses, [("haus".to_owned(), 1), ("häuser".to_owned(), 1)]);
        // The same term in both counts once.
        assert_eq!(
            asked(&[English, German], "Berlin"),
            [("berlin".to_owned(), 1)]
        );
        // A German question leaves out German function words in English documents too.
        let asked = asked(&[English, German], "Wer hat die Häuser von Rom gebaut?");
        assert!(
            asked.iter().all(|(term, _)| term != "die" && term != "wer"),
            "{asked:?}"
        );
        // In English alone nothing changes.
        let mut plain: BTreeMap<String, u32> = BTreeMap::new();
        for_each_term("Why did he die, die?", |term, _| {
            *plain.entry(term.to_owned()).or_default() += 1;
        });
        assert_eq!(
            query_terms(Languages::ENGLISH, "Why did he die, die?"),
            plain
        );
    }
}
