//! Letter case and white space left out of account: the one way in which quotes and texts are
//! compared loosely.
//!
//! A folded text is in lower case, character by character, with one space for each run of white
//! space. A quote stands where it begins and ends with characters of the original, never within one
//! that folds to several.

use std::cmp::Ordering;
use std::ops::Range;

/// What one character, or one run of white space, folds to.
#[derive(Clone, Copy)]
pub(super) struct Piece {
    bytes: [u8; 12],
    length: u8,
}

impl Piece {
    fn of_byte(byte: u8) -> Self {
        let mut bytes = [0; 12];
        bytes[0] = byte;
        Self { bytes, length: 1 }
    }

    fn of(c: char) -> Self {
        let mut piece = Self {
            bytes: [0; 12],
            length: 0,
        };
        // At most three characters of at most four bytes.
        for lower in c.to_lowercase() {
            let at = usize::from(piece.length);
            if let Some(rest) = piece.bytes.get_mut(at..at + lower.len_utf8()) {
                lower.encode_utf8(rest);
                piece.length += lower.len_utf8() as u8;
            }
        }
        piece
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

/// Walks the pieces of a text. Ends where the text does, or stops being UTF-8.
pub(super) struct Folding<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Folding<'a> {
    pub(super) fn from(text: &'a [u8], at: usize) -> Self {
        Self { text, at }
    }

    /// Where the next piece begins.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    fn character(&self) -> Option<char> {
        let first = *self.text.get(self.at)?;
        let width = match first {
            0..0x80 => return Some(char::from(first)),
            0xC2..0xE0 => 2,
            0xE0..0xF0 => 3,
            0xF0..0xF5 => 4,
            _ => return None,
        };
        let bytes = self.text.get(self.at..self.at + width)?;
        str::from_utf8(bytes).ok()?.chars().next()
    }
}

impl Iterator for Folding<'_> {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        let c = self.character()?;
        if !c.is_whitespace() {
            self.at += c.len_utf8();
            return Some(if c.is_ascii() {
                Piece::of_byte((c as u8).to_ascii_lowercase())
            } else {
                Piece::of(c)
            });
        }
        while let Some(c) = self.character().filter(|c| c.is_whitespace()) {
            self.at += c.len_utf8();
        }
        Some(Piece::of_byte(b' '))
    }
}

/// A quote, folded.
pub(crate) fn folded(quote: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(quote.len());
    for piece in Folding::from(quote.as_bytes(), 0) {
        bytes.extend(piece.bytes());
    }
    bytes
}

/// How the folded rest of `text` from `start` stands to a folded quote; equal where it begins with
/// it. The end of a text comes after everything.
pub(super) fn compare(text: &[u8], start: usize, quote: &[u8]) -> Ordering {
    let mut pieces = Folding::from(text, start);
    let mut rest = quote;
    while !rest.is_empty() {
        let Some(piece) = pieces.next() else {
            return Ordering::Greater;
        };
        let bytes = piece.bytes();
        let common = bytes.len().min(rest.len());
        match bytes[..common].cmp(&rest[..common]) {
            Ordering::Equal => rest = &rest[common..],
            other => return other,
        }
    }
    Ordering::Equal
}

/// Where the quote ends that begins at `start`, if it ends with a character.
pub(super) fn end_of(text: &[u8], start: usize, quote: &[u8]) -> Option<usize> {
    let mut pieces = Folding::from(text, start);
    let mut rest = quote;
    while !rest.is_empty() {
        rest = rest.strip_prefix(pieces.next()?.bytes())?;
    }
    Some(pieces.at())
}

/// A whole text, folded, and where its bytes came from.
pub(crate) struct Folded {
    text: Vec<u8>,
    /// For each byte of `text`, where its piece begins in the original, and the original's end.
    origin: Vec<usize>,
}

impl Folded {
    pub(crate) fn new(original: &[u8]) -> Self {
        let mut text = Vec::with_capacity(original.len());
        let mut origin = Vec::with_capacity(original.len() + 1);
        let mut pieces = Folding::from(original, 0);
        loop {
            let at = pieces.at();
            let Some(piece) = pieces.next() else {
                origin.push(at);
                return Self { text, origin };
            };
            text.extend(piece.bytes());
            origin.resize(text.len(), at);
        }
    }

    /// Where `quote`, folded, stands in the original, from left to right, none within another.
    pub(crate) fn find<'a>(
        &'a self,
        quote: &'a memchr::memmem::Finder<'a>,
    ) -> impl Iterator<Item = Range<usize>> + 'a {
        let mut from = 0;
        let length = quote.needle().len();
        std::iter::from_fn(move || {
            loop {
                let start = from + quote.find(self.text.get(from..)?)?;
                let end = start + length;
                if self.is_edge(start) && self.is_edge(end) {
                    from = end;
                    return Some(*self.origin.get(start)?..*self.origin.get(end)?);
                }
                from = start + 1;
            }
        })
    }

    /// Whether a piece begins at `at`, or the text ends.
    fn is_edge(&self, at: usize) -> bool {
        at == 0 || self.origin.get(at) != self.origin.get(at - 1)
    }
}

#[cfg(test)]
mod tests {
    use memchr::memmem::Finder;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn folding_keeps_where_bytes_came_from() {
        let text = "The  \u{130}stanbul\n\tRoad";
        let whole = Folded::new(text.as_bytes());
        assert_eq!(whole.text, "the i\u{307}stanbul road".as_bytes());
        let found: Vec<_> = whole.find(&Finder::new("l road")).collect();
        assert_eq!(&text[found[0].clone()], "l\n\tRoad");
        // No part of a character is a quote.
        assert_eq!(whole.find(&Finder::new("i")).count(), 0);
        assert_eq!(whole.find(&Finder::new("\u{307}stan")).count(), 0);
        assert_eq!(whole.find(&Finder::new("i\u{307}s")).count(), 1);
    }

    proptest! {
        #[test]
        fn places_compare_as_the_folded_text_does(
            text in "[aB \u{130}\u{e9}\u{c9}\n\u{3000}]{0,24}",
            quote in "[aBi \u{130}\u{e9}\u{307}]{1,4}",
        ) {
            let wanted = folded(&quote);
            prop_assume!(!quote.starts_with(char::is_whitespace));
            let whole = Folded::new(text.as_bytes());
            for (start, c) in text.char_indices() {
                if c.is_whitespace() {
                    continue;
                }
                let mut rest = folded(&text[start..]);
                rest.push(0xff);
                let cut = &rest[..rest.len().min(wanted.len())];
                prop_assert_eq!(compare(text.as_bytes(), start, &wanted), cut.cmp(&wanted));
            }
            for range in whole.find(&Finder::new(&wanted)) {
                prop_assert_eq!(end_of(text.as_bytes(), range.start, &wanted), Some(range.end));
                prop_assert_eq!(folded(&text[range]), wanted.clone());
            }
        }
    }
}
