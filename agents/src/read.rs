//! From a selected passage to the sentence that is quoted from it.

use std::ops::Range;

use indago_core::ports::{Library, RetrieveError};
use indago_core::{Claim, PassageId, Quote};

use crate::answer::Place;
use crate::asked::Asked;
use crate::pool::{Candidate, Pool};

/// A quote chosen to be shown.
#[derive(Clone, Debug)]
pub(crate) struct Selected {
    /// The exact span.
    pub(crate) quote: Quote,
}

impl Selected {
    /// The quote as a claim.
    pub(crate) fn into_claim(self) -> Option<Claim> {
        in_its_own_words(self.quote)
    }
}

/// A quote as a claim: its own words, white space folded.
pub(crate) fn in_its_own_words(quote: Quote) -> Option<Claim> {
    let text = quote.text.split_whitespace().collect::<Vec<_>>().join(" ");
    Claim::new(text, vec![quote])
}

/// Longest quote, in bytes; longer sentences are cut at a word.
const MAX_QUOTE: usize = 600;

/// What a heading, a label or a question loses against sentences: it is quoted where a passage has
/// nothing else, or where the answer stands in it.
const LABEL: f64 = 5.0;

/// Most words of a line without an end that is taken for a heading.
const HEADING_WORDS: usize = 6;

/// Most words of a line with a page number that is taken for a running title.
const RUNNING_TITLE_WORDS: usize = 14;

/// Whether `text` says nothing by itself: a heading, a label in front of a list, a question.
fn is_label(text: &str) -> bool {
    let text = text.trim();
    if text.starts_with('#') && !text.contains('\n') || text.ends_with(['?', ':']) {
        return true;
    }
    if !text.contains(char::is_alphabetic) || is_running_title(text) {
        return true;
    }
    let ended = text.ends_with(['.', '!', '"', '\u{201d}', ')', ';', '\u{3002}']);
    let row = text.contains(['|', '\t', '=']) || text.contains(char::is_numeric);
    !ended && !row && text.split_whitespace().count() <= HEADING_WORDS
}

/// Whether `text` is what stands on every page: `Data sheet, page 3 of 8`, `4 / 12`.
fn is_running_title(text: &str) -> bool {
    let words: Vec<&str> = text.split_whitespace().collect();
    if words.len() > RUNNING_TITLE_WORDS || text.ends_with('.') {
        return false;
    }
    words.windows(2).any(|pair| {
        let [page, number] = pair else { return false };
        page.eq_ignore_ascii_case("page") && number.contains(|c: char| c.is_ascii_digit())
    })
}

/// One quote for each of `selected`, in their order. A passage that has nothing but headings,
/// labels and running titles is passed over, unless the answer stands in it.
pub(crate) async fn read(
    library: &dyn Library,
    asked: &Asked,
    pool: &Pool,
    selected: &[PassageId],
    places: &[Place],
) -> Result<Vec<Selected>, RetrieveError> {
    let candidates: Vec<&Candidate> = selected.iter().filter_map(|&id| pool.get(id)).collect();
    let sentences: Vec<String> = candidates
        .iter()
        .flat_map(|c| {
            c.sentences
                .iter()
                .map(|s| c.passage.text[s.range.clone()].to_owned())
        })
        .collect();
    let similar = library
        .similarity(asked.query().to_owned(), sentences)
        .await?;
    let mut similar = similar.into_iter();
    let mut quotes = Vec::new();
    for candidate in candidates {
        let names = led_on(pool, selected, candidate);
        let answers = places
            .iter()
            .find(|(id, _)| *id == candidate.passage.id)
            .map(|(_, r)| r.start);
        let mut best: Option<(f64, Range<usize>)> = None;
        for (i, sentence) in candidate.sentences.iter().enumerate() {
            let likeness = f64::from(similar.next().unwrap_or(0.0));
            let text = &candidate.passage.text[sentence.range.clone()];
            let leads = names.iter().filter(|n| text.contains(n.as_str())).count() as f64;
            let score = asked.share(sentence.terms)
                + 0.5 * likeness
                + 0.3 * leads.min(2.0)
                + if i == 0 { 0.15 } else { 0.0 }
                - if is_label(text) { LABEL } else { 0.0 }
                + if answers.is_some_and(|at| sentence.range.contains(&at)) {
                    10.0
                } else {
                    0.0
                };
            if best.as_ref().is_none_or(|(b, _)| score > *b) {
                best = Some((score, sentence.range.clone()));
            }
        }
        // Two quotes always stand, so that a "not found" can show how near the corpus comes.
        if best
            .as_ref()
            .is_some_and(|(score, _)| *score < -LABEL / 2.0)
            && quotes.len() >= 2
        {
            continue;
        }
        let range = best.map_or(0..candidate.passage.text.len(), |(_, range)| range);
        if let Some(quote) = quote(candidate, range) {
            quotes.push(Selected { quote });
        }
    }
    Ok(quotes)
}

/// Names of the candidate by which another selected passage was reached.
fn led_on(pool: &Pool, selected: &[PassageId], candidate: &Candidate) -> Vec<String> {
    let id = candidate.passage.id;
    let mut names: Vec<String> = Vec::new();
    for target in selected.iter().filter_map(|&id| pool.get(id)) {
        let leads = target
            .leads
            .iter()
            .filter(|l| l.from == id && !l.asked)
            .map(|l| &l.name);
        let follow = target
            .follow_ups
            .iter()
            .filter(|f| f.from == id)
            .map(|f| &f.name);
        for name in leads.chain(follow) {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
    }
    names
}

/// The quote of `range` of the passage's text, trimmed and cut; `None` when nothing is left.
pub(crate) fn quote(candidate: &Candidate, range: Range<usize>) -> Option<Quote> {
    let passage = &candidate.passage;
    let text = passage.text.get(range.clone())?;
    let start = range.start + (text.len() - text.trim_start().len());
    let mut text = text.trim();
    if text.len() > MAX_QUOTE {
        let end = text
            .char_indices()
            .take_while(|(at, _)| *at <= MAX_QUOTE)
            .filter(|(_, c)| c.is_whitespace())
            .map(|(at, _)| at)
            .last()
            .filter(|at| *at > 0)
            .or_else(|| {
                text.char_indices()
                    .map(|(at, _)| at)
                    .take_while(|a| *a <= MAX_QUOTE)
                    .last()
            })?;
        text = text.get(..end)?.trim_end();
    }
    if text.is_empty() {
        return None;
    }
    let start = passage.span.start + start as u64;
    Some(Quote {
        document: passage.document.clone(),
        passage: passage.id,
        start,
        end: start + text.len() as u64,
        text: text.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_labels_and_questions_are_no_sentences() {
        for label in [
            "# Supplier file: Varga",
            "Who flies them",
            "Parts:",
            "Who flies them?",
            "|---|---|---|",
            "Otter data sheet, revision 3, page 2 of 4",
        ] {
            assert!(is_label(label), "{label}");
        }
        for sentence in [
            "It was founded in 1994 by Katalin Varga.",
            "Beatriz Coelho | 2020 | present",
            "# Boats\nThe mill is old and stands by the river.",
        ] {
            assert!(!is_label(sentence), "{sentence}");
        }
    }
}
