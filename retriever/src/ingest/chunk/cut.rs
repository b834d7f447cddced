//! Finds the places where text may be cut.

use std::ops::Range;

use indago_core::ports::TokenCounter;

use crate::ingest::outline::{BlockKind, Outline};

/// A token of natural text is not longer, so that text over this many bytes for each token of a
/// budget is over the budget without counting.
pub(super) const LONGEST_TOKEN: usize = 32;

/// Running text is handed to the sentence splitter in windows of about this size.
const WINDOW_BYTES: usize = 16 * 1024;

/// Text that belongs together: begins and ends with something that is not blank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) range: Range<usize>,
    pub(super) kind: BlockKind,
}

/// `range` without blank edges.
pub(super) fn trim(text: &str, range: Range<usize>) -> Range<usize> {
    let inner = &text[range.clone()];
    let trimmed = inner.trim_start();
    let start = range.start + (inner.len() - trimmed.len());
    start..start + trimmed.trim_end().len()
}

/// The largest character boundary at or below `at`.
fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Tokens of `first` and `second` together, which stand in this order with nothing but blanks
/// between them. Each is given with its own tokens.
///
/// Counts add up across ASCII white space; elsewhere, as between two parts of one long word, a
/// counter may see something else than its parts.
pub(super) fn sum_tokens(
    text: &str,
    (first, first_tokens): (&Range<usize>, usize),
    (second, second_tokens): (&Range<usize>, usize),
    counter: &dyn TokenCounter,
) -> usize {
    let gap = &text.as_bytes()[first.end..second.start];
    if !gap.is_empty() && gap.iter().all(u8::is_ascii_whitespace) {
        first_tokens.saturating_add(second_tokens)
    } else {
        counter.count(&text[first.start..second.end])
    }
}

/// All text of the document in pieces: the outline's blocks, and paragraphs where it names none;
/// no piece crosses one of the `boundaries` (ascending).
pub(super) fn pieces<'a>(
    text: &'a str,
    outline: &'a Outline,
    boundaries: &'a [usize],
) -> impl Iterator<Item = Piece> + 'a {
    let mut blocks = outline.blocks.iter().peekable();
    let mut at = 0;
    let mut next_boundary = 0;
    std::iter::from_fn(move || {
        while at < text.len() {
            while boundaries
                .get(next_boundary)
                .is_some_and(|b| floor(text, *b) <= at)
            {
                next_boundary += 1;
            }
            while blocks
                .peek()
                .is_some_and(|block| floor(text, block.range.end) <= at)
            {
                blocks.next();
            }
            let boundary = boundaries
                .get(next_boundary)
                .map_or(text.len(), |b| floor(text, *b));
            let (end, kind) = match blocks.peek() {
                Some(block) if floor(text, block.range.start) <= at => {
                    (floor(text, block.range.end).min(boundary), block.kind)
                }
                Some(block) => {
                    let gap_end = floor(text, block.range.start).min(boundary);
                    (paragraph_end(text, at, gap_end), BlockKind::Prose)
                }
                None => (paragraph_end(text, at, boundary), BlockKind::Prose),
            };
            let range = trim(text, at..end);
            at = end;
            if !range.is_empty() {
                return Some(Piece { range, kind });
            }
        }
        None
    })
}

/// Where the paragraph that begins at or after `start` ends: before a blank line, or at `end`.
fn paragraph_end(text: &str, start: usize, end: usize) -> usize {
    let bytes = &text.as_bytes()[..end];
    let mut at = start;
    let mut begun = false;
    while at < end {
        let line_end = memchr::memchr(b'\n', &bytes[at..]).map_or(end, |n| at + n + 1);
        let blank = bytes[at..line_end].iter().all(u8::is_ascii_whitespace);
        if blank && begun {
            return at;
        }
        begun |= !blank;
        at = line_end;
    }
    end
}

/// Cuts a piece into parts of at most `max` tokens each.
pub(super) fn split(
    text: &str,
    piece: &Piece,
    max: usize,
    counter: &dyn TokenCounter,
    parts: &mut Vec<Piece>,
) {
    let mut found = Vec::new();
    units(text, piece, &mut found);
    for unit in found {
        if unit.len() <= max * LONGEST_TOKEN && counter.count(&text[unit.clone()]) <= max {
            parts.push(Piece {
                range: unit,
                kind: piece.kind,
            });
        } else {
            split_words(text, unit, piece.kind, max, counter, parts);
        }
    }
}

/// Sentences of prose, lines of code and of tables, each trimmed, in order.
pub(super) fn units(text: &str, piece: &Piece, out: &mut Vec<Range<usize>>) {
    match piece.kind {
        BlockKind::Prose | BlockKind::Heading => {
            let mut at = piece.range.start;
            while at < piece.range.end {
                let end = window_end(text, at, piece.range.end);
                for sentence in indago_text::sentences(&text[at..end]) {
                    push(text, at + sentence.start..at + sentence.end, out);
                }
                at = end;
            }
        }
        BlockKind::Code | BlockKind::Row => {
            let mut at = piece.range.start;
            for line in text[piece.range.clone()].split_inclusive('\n') {
                push(text, at..at + line.len(), out);
                at += line.len();
            }
        }
    }
    cover(text, &piece.range, out);
}

fn push(text: &str, range: Range<usize>, out: &mut Vec<Range<usize>>) {
    let range = trim(text, range);
    if !range.is_empty() {
        out.push(range);
    }
}

/// Adds what lies between the units to the unit before it, so that no text is lost whatever the
/// sentence splitter left out.
fn cover(text: &str, whole: &Range<usize>, units: &mut Vec<Range<usize>>) {
    if units.is_empty() {
        units.push(whole.clone());
        return;
    }
    let ends: Vec<usize> = units
        .iter()
        .skip(1)
        .map(|unit| unit.start)
        .chain([whole.end])
        .collect();
    units[0].start = units[0].start.min(whole.start);
    for (unit, end) in units.iter_mut().zip(ends) {
        let start = unit.start;
        *unit = trim(text, start..end.max(start));
    }
}

/// The end of a window of running text: at a line end or a space if there is one.
fn window_end(text: &str, start: usize, end: usize) -> usize {
    if end - start <= WINDOW_BYTES {
        return end;
    }
    let limit = floor(text, start + WINDOW_BYTES);
    let window = &text.as_bytes()[start..limit];
    let cut = memchr::memrchr(b'\n', window)
        .filter(|at| *at > WINDOW_BYTES / 2)
        .or_else(|| memchr::memrchr(b' ', window).filter(|at| *at > WINDOW_BYTES / 2));
    cut.map_or(limit, |at| start + at + 1)
}

/// Cuts a sentence or line that is over the budget between words, and words between characters.
fn split_words(
    text: &str,
    range: Range<usize>,
    kind: BlockKind,
    max: usize,
    counter: &dyn TokenCounter,
    parts: &mut Vec<Piece>,
) {
    let mut open: Option<(Range<usize>, usize)> = None;
    let mut close = |open: &mut Option<(Range<usize>, usize)>| {
        if let Some((range, _)) = open.take() {
            parts.push(Piece { range, kind });
        }
    };
    let mut at = range.start;
    for word in text[range].split_inclusive(char::is_whitespace) {
        let word_range = trim(text, at..at + word.len());
        at += word.len();
        if word_range.is_empty() {
            continue;
        }
        for part in word_parts(text, word_range, max, counter) {
            let tokens = counter.count(&text[part.clone()]);
            if let Some((range, sum)) = &mut open {
                let joined = sum_tokens(text, (range, *sum), (&part, tokens), counter);
                if joined <= max {
                    range.end = part.end;
                    *sum = joined;
                    continue;
                }
            }
            close(&mut open);
            open = Some((part, tokens));
        }
    }
    close(&mut open);
}

/// A word, or the parts of one that is over the budget by itself.
fn word_parts(
    text: &str,
    word: Range<usize>,
    max: usize,
    counter: &dyn TokenCounter,
) -> Vec<Range<usize>> {
    if word.len() <= max || counter.count(&text[word.clone()]) <= max {
        return vec![word];
    }
    // A character is at least one byte and rarely more than a few tokens: `max` bytes are at most
    // about `max` tokens under any counter in use.
    let mut parts = Vec::new();
    let mut at = word.start;
    while at < word.end {
        let mut end = floor(text, (at + max).min(word.end));
        if end <= at {
            end = at + text[at..].chars().next().map_or(1, char::len_utf8);
        }
        parts.push(at..end);
        at = end;
    }
    parts
}
