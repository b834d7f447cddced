//! Passages that share a rare name though neither defines it.
//!
//! A passage from the middle of an article rarely introduces what it is about, and a title may be
//! missing or say something else. A name that only a handful of passages have joins them all the
//! same; names that many have join nothing (node specificity, HippoRAG section 2.3).

use indago_core::ports::{NameHit, RetrieveError};
use indago_core::{Cancel, PassageId};
use indago_text::is_function_word;
use memchr::memmem::Finder;

use super::mention::Mention;
use super::question::is_abbreviation;
use crate::corpus::Corpus;

/// Passages, besides the one read, that may have a name for it to join them.
const MAX_HOLDERS: usize = 5;
/// Passages that are compared with a name, letter by letter.
const MAX_COMPARED: usize = 48;
/// Passages beyond which a word is too common to look a name up by.
const MAX_POSTINGS: u64 = 2000;
/// Words of a name that narrow the corpus down.
const MAX_WORDS: usize = 6;
/// Names of one passage that are looked up.
const MAX_NAMES: usize = 32;
/// Shortest name of one word, in characters.
const MIN_LETTERS: usize = 4;

/// The names of a passage's text that lead to no definition, and the passages that have them too.
pub(crate) fn shared_names(
    source: PassageId,
    text: &str,
    defined: &[Mention],
    corpus: &Corpus,
    cancel: &Cancel,
) -> Result<Vec<Mention>, RetrieveError> {
    cancel.check()?;
    let mut found: Vec<Mention> = Vec::new();
    let names = indago_text::names(text).into_iter().take(MAX_NAMES);
    for name in names {
        let overlaps =
            |m: &Mention| m.range.start < name.range.end && name.range.start < m.range.end;
        let known = |m: &Mention| m.name == name.text;
        if defined.iter().any(overlaps) || found.iter().any(known) || !is_telling(&name.text) {
            continue;
        }
        let holders = holders(source, &name.text, corpus)?;
        if !holders.is_empty() {
            let hit = |passage| NameHit {
                passage,
                score: 1.0,
                name: name.text.clone(),
            };
            found.push(Mention {
                about: holders.into_iter().map(hit).collect(),
                range: name.range,
                name: name.text,
            });
        }
    }
    Ok(found)
}

/// Whether a name can be rare at all: not a single short word, not a number or an abbreviation.
fn is_telling(name: &str) -> bool {
    if is_abbreviation(name) {
        return false;
    }
    let letters = |word: &str| word.chars().filter(|c| c.is_alphabetic()).count();
    let words: Vec<&str> = name.split_whitespace().collect();
    let content = words
        .iter()
        .filter(|w| letters(w) >= 2 && !is_function_word(w));
    match content.count() {
        0 => false,
        1 => letters(name) >= MIN_LETTERS,
        _ => true,
    }
}

/// The other passages that have a name as it is written; none where more than a few do.
fn holders(
    source: PassageId,
    name: &str,
    corpus: &Corpus,
) -> Result<Vec<PassageId>, RetrieveError> {
    let (store, lexical) = (corpus.store(), corpus.lexical());
    let language = match (lexical.languages().only(), store.row_of(source)) {
        (Some(language), _) => language,
        (None, Some(row)) => store.language(store.passage_row(row).document)?,
        (None, None) => return Ok(Vec::new()),
    };
    let mut terms: Vec<String> = Vec::new();
    indago_text::for_each_term_in(language, name, |term, _| {
        if terms.len() < MAX_WORDS && !terms.iter().any(|known| known == term) {
            terms.push(term.to_owned());
        }
    });
    let Some(candidates) = lexical.passages_with_all(&terms, MAX_POSTINGS, MAX_COMPARED)? else {
        return Ok(Vec::new());
    };
    let finder = Finder::new(name.as_bytes());
    let mut holders = Vec::new();
    for id in candidates {
        let Some(row) = store.row_of(id).filter(|_| id != source) else {
            continue;
        };
        let text = store.passage_text(&store.passage_row(row))?;
        if stands_whole(&finder, text) {
            holders.push(id);
        }
        if holders.len() > MAX_HOLDERS {
            return Ok(Vec::new());
        }
    }
    Ok(holders)
}

/// Whether the text has the name between other characters than letters and digits.
fn stands_whole(name: &Finder<'_>, text: &str) -> bool {
    let part_of_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    name.find_iter(text.as_bytes()).any(|at| {
        let (before, after) = (text.get(..at), text.get(at + name.needle().len()..));
        let before = before.and_then(|t| t.chars().next_back());
        let after = after.and_then(|t| t.chars().next());
        !part_of_word(before) && !part_of_word(after)
    })
}
