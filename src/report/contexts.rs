//! What stands around each quote in its document.

use std::collections::BTreeMap;

use indago_core::ports::{DocumentStore, StoreError};
use indago_core::{Claim, DocumentId, Quote, Report};

/// How much text is shown on either side of a quote.
const AROUND_BYTES: u64 = 400;

/// Identifies a quote: its document and byte range.
pub type QuoteKey = (DocumentId, u64, u64);

/// The text around one quote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// Text that ends where the quote begins.
    pub before: String,
    /// Text that begins where the quote ends.
    pub after: String,
    /// Whether `before` begins inside the document.
    pub cut_before: bool,
    /// Whether `after` ends inside the document.
    pub cut_after: bool,
}

/// The text around the quotes of a report. Quotes without an entry are shown alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contexts(BTreeMap<QuoteKey, Context>);

impl Contexts {
    /// Reads the surroundings of all quotes of `report` from `store`.
    pub fn read(report: &Report, store: &dyn DocumentStore) -> Result<Self, StoreError> {
        let mut contexts = Self::default();
        for quote in quotes(report) {
            let Some(document) = store.document(&quote.document)? else {
                continue;
            };
            if let Some(context) = around(&document.text, quote.start, quote.end) {
                contexts.insert(quote, context);
            }
        }
        Ok(contexts)
    }

    /// Adds or replaces the surroundings of one quote.
    pub fn insert(&mut self, quote: &Quote, context: Context) {
        self.0
            .insert((quote.document.clone(), quote.start, quote.end), context);
    }

    /// The surroundings of `quote`.
    pub fn get(&self, quote: &Quote) -> Option<&Context> {
        self.0
            .get(&(quote.document.clone(), quote.start, quote.end))
    }
}

/// Every quote of a report, in reading order.
fn quotes(report: &Report) -> impl Iterator<Item = &Quote> {
    let sections = report.sections.iter().flat_map(|s| &s.claims);
    let disputed = report.contradictions.iter().flat_map(|c| &c.claims);
    sections.chain(disputed).flat_map(Claim::quotes)
}

/// Up to [`AROUND_BYTES`] on either side of `start..end`, cut at spaces.
fn around(text: &str, start: u64, end: u64) -> Option<Context> {
    let (start, end) = (usize::try_from(start).ok()?, usize::try_from(end).ok()?);
    let (before, after) = (text.get(..start)?, text.get(end..)?);
    let around = AROUND_BYTES as usize;
    let from = floor_boundary(before, before.len().saturating_sub(around));
    let to = floor_boundary(after, around.min(after.len()));
    let mut context = Context {
        before: before[from..].to_owned(),
        after: after[..to].to_owned(),
        cut_before: from > 0,
        cut_after: to < after.len(),
    };
    if context.cut_before
        && let Some((_, whole)) = context.before.split_once(char::is_whitespace)
    {
        context.before = whole.to_owned();
    }
    if context.cut_after
        && let Some((whole, _)) = context.after.rsplit_once(char::is_whitespace)
    {
        context.after = whole.to_owned();
    }
    Some(context)
}

fn floor_boundary(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn surroundings_are_cut_at_words_and_say_so() {
        let text = format!("{}QUOTE{}", "ab ".repeat(300), " éc".repeat(300));
        let context = around(&text, 900, 905).unwrap();
        assert!(context.cut_before && context.cut_after);
        assert!(context.before.starts_with("ab ") && context.after.ends_with("éc"));
    }

    #[test]
    fn a_range_off_the_characters_has_no_surroundings() {
        assert_eq!(around("é", 1, 2), None);
        assert_eq!(around("abc", 2, 9), None);
    }

    #[test]
    fn a_quote_that_is_the_document_has_empty_surroundings() {
        assert_eq!(around("abc", 0, 3), Some(Context::default()));
    }
}
