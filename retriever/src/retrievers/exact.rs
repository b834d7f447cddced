//! Exact search: where a quote stands, letter by letter.
//!
//! Where the corpus has an index of its substrings ([`crate::substring`]), that is asked. Documents
//! that are not in it are read: words that stand whole within the quote narrow them down to those that
//! have the rarest of them; their text is then compared byte by byte. A quote without such a word (a
//! part of a word, stop words only) is looked for in every one. Where nothing matches as written,
//! letter case and runs of white space are left out of account. Either way finds the same.

use std::collections::BTreeMap;
use std::ops::Range;

use indago_core::ports::{RetrieveError, Retriever};
use indago_core::{Cancel, Hit, PassageId, Query};
use memchr::memmem::Finder;

use super::hits;
use crate::corpus::Corpus;
use crate::substring::{Folded, MAX_PER_DOCUMENT, end_of, folded};

/// Longest quote; what follows is cut off.
const MAX_QUOTE_BYTES: usize = 8192;
/// Documents beyond which a second word is asked for.
const MANY_DOCUMENTS: usize = 64;
/// Words of a quote that narrow the corpus down.
const MAX_WORDS: usize = 4;

pub(super) struct Exact {
    corpus: Corpus,
}

impl Exact {
    pub(super) fn new(corpus: &Corpus) -> Self {
        Self {
            corpus: corpus.clone(),
        }
    }
}

impl Retriever for Exact {
    fn name(&self) -> &'static str {
        "exact"
    }

    /// Passages in which the query's text begins, those with most occurrences first; the score is
    /// their number.
    fn search(&self, query: &Query, k: usize, cancel: &Cancel) -> Result<Vec<Hit>, RetrieveError> {
        cancel.check()?;
        let allowed = self.corpus.allowed(&query.filters)?;
        let mut counts: BTreeMap<PassageId, f32> = BTreeMap::new();
        let store = self.corpus.store();
        for (document, range) in occurrences(&self.corpus, &query.text, cancel)? {
            let holding = |row: &u32| {
                let row = store.passage_row(*row);
                row.start < range.end as u64 && (range.start as u64) < row.end
            };
            if let Some(row) = store.passages_of(document).find(holding) {
                let id = store.passage_id(row);
                if allowed.as_ref().is_none_or(|allowed| allowed.passage(id)) {
                    *counts.entry(id).or_default() += 1.0;
                }
            }
        }
        let mut ranked: Vec<(PassageId, f32)> = counts.into_iter().collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        ranked.truncate(k);
        Ok(hits(self.name(), ranked))
    }
}

/// Where `quote` stands: documents by row, and bytes of their text. Without white space around it;
/// empty for an empty quote.
pub(crate) fn occurrences(
    corpus: &Corpus,
    quote: &str,
    cancel: &Cancel,
) -> Result<Vec<(u32, Range<usize>)>, RetrieveError> {
    let quote = quote.trim();
    let quote = &quote[..quote.floor_char_boundary(MAX_QUOTE_BYTES)];
    if quote.is_empty() {
        return Ok(Vec::new());
    }
    let store = corpus.store();
    let index = corpus.substrings();
    let wanted = folded(quote);
    let documents = match index {
        Some(index) if index.missing().is_empty() => Vec::new(),
        Some(index) => {
            let mut documents = candidates(corpus, quote, cancel)?;
            documents.retain(|document| index.missing().binary_search(document).is_ok());
            documents
        }
        None => candidates(corpus, quote, cancel)?,
    };
    let ranges = index.map(|index| index.ranges(store, &wanted, cancel));
    let ranges = ranges.transpose()?.unwrap_or_default();

    let as_written = |text: &[u8], start: usize| {
        let rest = text.get(start..)?;
        rest.starts_with(quote.as_bytes())
            .then(|| start + quote.len())
    };
    let mut found = match index {
        Some(index) => index.places(store, &ranges, as_written, cancel)?,
        None => Vec::new(),
    };
    let finder = Finder::new(quote.as_bytes());
    for &document in &documents {
        cancel.check()?;
        let text = store.text(document)?;
        let starts = finder.find_iter(text).take(MAX_PER_DOCUMENT);
        found.extend(starts.map(|start| (document, start..start + quote.len())));
    }
    if found.is_empty() {
        let loosely = |text: &[u8], start: usize| end_of(text, start, &wanted);
        if let Some(index) = index {
            found = index.places(store, &ranges, loosely, cancel)?;
        }
        let finder = Finder::new(&wanted);
        for &document in &documents {
            cancel.check()?;
            let text = Folded::new(store.text(document)?);
            let places = text.find(&finder).take(MAX_PER_DOCUMENT);
            found.extend(places.map(|place| (document, place)));
        }
    }
    found.sort_by_key(|(document, place)| (*document, place.start));
    Ok(found)
}

/// Documents that may have the quote: those with its rarest whole words, or all.
fn candidates(corpus: &Corpus, quote: &str, cancel: &Cancel) -> Result<Vec<u32>, RetrieveError> {
    let store = corpus.store();
    let lexical = corpus.lexical();
    // Words narrow down only where they have the same terms in every document.
    if lexical.languages() != indago_text::Languages::ENGLISH {
        return Ok((0..store.n_documents()).collect());
    }
    let mut terms = Vec::new();
    for word in inner_words(quote) {
        indago_text::for_each_term(word, |term, _| terms.push(term.to_owned()));
    }
    terms.sort_unstable();
    terms.dedup();
    let mut rarest = Vec::with_capacity(terms.len());
    for term in terms {
        rarest.push((lexical.document_frequency(&term)?, term));
    }
    rarest.sort_unstable();
    let mut documents: Option<Vec<u32>> = None;
    for (_, term) in rarest.into_iter().take(MAX_WORDS) {
        if documents
            .as_ref()
            .is_some_and(|d| d.len() <= MANY_DOCUMENTS)
        {
            break;
        }
        let passages = lexical.passages_with(&term, cancel)?;
        let rows = passages.into_iter().filter_map(|id| store.row_of(id));
        let mut having: Vec<u32> = rows.map(|row| store.passage_row(row).document).collect();
        having.sort_unstable();
        having.dedup();
        documents = Some(match documents {
            None => having,
            Some(before) => {
                let both = |document: &u32| having.binary_search(document).is_ok();
                before.into_iter().filter(both).collect()
            }
        });
    }
    Ok(documents.unwrap_or_else(|| (0..store.n_documents()).collect()))
}

/// The words of a quote that stand between white space, so that they are whole wherever the quote
/// stands. Words that are themselves cut by passages are too long to be meant.
fn inner_words(quote: &str) -> impl Iterator<Item = &str> {
    let inner = quote
        .find(char::is_whitespace)
        .zip(quote.rfind(char::is_whitespace));
    let inner = inner.map_or("", |(first, last)| &quote[first..last]);
    inner.split_whitespace().filter(|word| word.len() <= 64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_words_that_must_be_whole_are_asked_for() {
        let words = |quote| inner_words(quote).collect::<Vec<_>>();
        assert_eq!(
            words("ght house was built in 18"),
            ["house", "was", "built", "in"]
        );
        assert!(words("lighthouse").is_empty());
        assert!(words("was built").is_empty());
        assert!(words("").is_empty());
    }
}
