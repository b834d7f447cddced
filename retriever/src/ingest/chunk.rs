//! Cuts documents into passages along their structure, within a token budget.
//!
//! Text is first cut into pieces that belong together (a paragraph, a heading, a table row, a
//! function); pieces over the budget are cut between sentences, lines, words, and at last between
//! characters. Pieces are then joined, in order and within one section, up to the target size. A
//! heading is never parted from what follows it, and a section too short to stand alone is joined
//! with the next.
//!
//! Passages cover all text that is not blank, each the exact bytes of its span.

use std::ops::Range;

use indago_core::ports::TokenCounter;
use indago_core::{Document, Location, Passage, PassageId};

use super::outline::{BlockKind, Lines, Outline};

mod cut;

use cut::Piece;

/// Sizes of passages, in tokens of the counter in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkOptions {
    /// Joining stops here.
    pub target_tokens: usize,
    /// No passage is longer.
    pub max_tokens: usize,
    /// A section shorter than this is joined with the next where both fit the target.
    pub min_tokens: usize,
    /// Text of the passage before that is repeated, in whole sentences or lines; 0 for none. The
    /// repeated text is within `max_tokens`.
    pub overlap_tokens: usize,
}

impl Default for ChunkOptions {
    /// At most 256 tokens, which is what the embedded encoder reads.
    fn default() -> Self {
        Self {
            target_tokens: 200,
            max_tokens: 256,
            min_tokens: 24,
            overlap_tokens: 0,
        }
    }
}

/// Cuts `document` along `outline`. A document without text gives no passage.
pub fn chunk(
    document: &Document,
    outline: &Outline,
    options: &ChunkOptions,
    counter: &dyn TokenCounter,
) -> Vec<Passage> {
    let text: &str = &document.text;
    let whole = cut::trim(text, 0..text.len());
    if whole.is_empty() {
        return Vec::new();
    }
    let mut maker = PassageMaker::new(document, outline);
    // Every token has a byte, so that a long record is not counted only to be cut.
    let fits = |range: &Range<usize>| {
        range.len() <= options.max_tokens * 32
            && counter.count(&text[range.clone()]) <= options.max_tokens
    };
    if outline.record && fits(&whole) {
        maker.push(whole, None);
        return maker.passages;
    }
    let sections = Sections::of(outline);
    let pieces = cut::pieces(text, outline, &sections.boundaries);
    for span in pack(text, pieces, &sections, options, counter) {
        maker.push(
            span.range,
            span.section.map(|section| sections.path(section)),
        );
    }
    maker.passages
}

/// Which section contains which. Sections are indexed as in [`Outline::headings`].
struct Sections<'a> {
    outline: &'a Outline,
    parents: Vec<Option<usize>>,
    /// Where sections begin and end, ascending.
    boundaries: Vec<usize>,
}

impl<'a> Sections<'a> {
    fn of(outline: &'a Outline) -> Self {
        let mut parents = Vec::with_capacity(outline.headings.len());
        let mut open: Vec<usize> = Vec::new();
        let mut boundaries = Vec::with_capacity(2 * outline.headings.len());
        for (index, heading) in outline.headings.iter().enumerate() {
            while open
                .last()
                .is_some_and(|&o| outline.headings[o].range.end <= heading.range.start)
            {
                open.pop();
            }
            parents.push(open.last().copied());
            open.push(index);
            boundaries.extend([heading.range.start, heading.range.end]);
        }
        boundaries.sort_unstable();
        boundaries.dedup();
        Self {
            outline,
            parents,
            boundaries,
        }
    }

    /// Headings from the outermost to `section`.
    fn path(&self, section: usize) -> Vec<String> {
        let mut path: Vec<String> = std::iter::successors(Some(section), |&s| self.parents[s])
            .map(|s| self.outline.headings[s].text.clone())
            .collect();
        path.reverse();
        path
    }

    /// The innermost section that contains both.
    fn common(&self, a: Option<usize>, b: Option<usize>) -> Option<usize> {
        let above = |s: Option<usize>| std::iter::successors(s, |&s| self.parents[s]);
        above(a).find(|&section| above(b).any(|other| other == section))
    }
}

/// A passage in the making.
#[derive(Clone, Debug)]
struct Span {
    range: Range<usize>,
    tokens: usize,
    /// Innermost section that contains all of it, headings of its own left aside.
    section: Option<usize>,
    /// Nothing but headings so far.
    only_headings: bool,
}

/// Joins pieces to passages.
fn pack(
    text: &str,
    pieces: impl Iterator<Item = Piece>,
    sections: &Sections<'_>,
    options: &ChunkOptions,
    counter: &dyn TokenCounter,
) -> Vec<Span> {
    let max = options.max_tokens.max(1);
    let target = options.target_tokens.clamp(1, max);
    let context = Closing {
        text,
        sections,
        counter,
        min_tokens: options.min_tokens,
        max,
    };
    let mut spans: Vec<Span> = Vec::new();
    let mut current: Option<Span> = None;
    let mut cursor = SectionCursor {
        headings: &sections.outline.headings,
        next: 0,
        open: vec![],
    };
    let mut queue: Vec<Piece> = Vec::new();
    let mut parts: Vec<Piece> = Vec::new();
    for piece in pieces {
        queue.push(piece);
        while let Some(piece) = queue.pop() {
            let tokens = if piece.range.len() > max * cut::LONGEST_TOKEN {
                usize::MAX
            } else {
                counter.count(&text[piece.range.clone()])
            };
            let heading_before = current
                .as_ref()
                .filter(|c| c.only_headings)
                .map_or(0, |c| c.tokens);
            if tokens > max || (heading_before > 0 && tokens.saturating_add(heading_before) > max) {
                parts.clear();
                cut::split(text, &piece, max, counter, &mut parts);
                if parts.len() > 1 {
                    queue.extend(parts.drain(..).rev());
                    continue;
                }
            }
            let section = cursor.section_at(piece.range.start);
            let is_heading = piece.kind == BlockKind::Heading;
            if let Some(open) = &mut current {
                let sum = if open.tokens.saturating_add(tokens) > 2 * max {
                    usize::MAX
                } else {
                    let parts = ((&open.range, open.tokens), (&piece.range, tokens));
                    cut::sum_tokens(text, parts.0, parts.1, counter)
                };
                // Sections meet in `close`, where the size of both is known.
                let joins = if open.only_headings {
                    sum <= max
                } else {
                    !is_heading && section == open.section && sum <= target
                };
                if joins {
                    open.range.end = piece.range.end;
                    open.tokens = sum;
                    open.section = section;
                    open.only_headings &= is_heading;
                    continue;
                }
            }
            let fresh = Span {
                range: piece.range,
                tokens,
                section,
                only_headings: is_heading,
            };
            if let Some(done) = current.replace(fresh) {
                close(done, &mut spans, &context);
            }
        }
    }
    if let Some(done) = current {
        close(done, &mut spans, &context);
    }
    if options.overlap_tokens > 0 {
        overlap(text, &mut spans, options, counter);
    }
    spans
}

/// Adds a passage; a short rest of a section goes to the passage before it, and what follows a
/// section too short to stand alone goes with that.
fn close(done: Span, spans: &mut Vec<Span>, context: &Closing<'_, '_>) {
    if let Some(last) = spans.last_mut() {
        let joins = last.tokens < context.min_tokens
            || (done.tokens < context.min_tokens
                && !done.only_headings
                && last.section == done.section);
        if joins {
            let parts = ((&last.range, last.tokens), (&done.range, done.tokens));
            let sum = cut::sum_tokens(context.text, parts.0, parts.1, context.counter);
            if sum <= context.max {
                last.range.end = done.range.end;
                last.tokens = sum;
                last.section = context.sections.common(last.section, done.section);
                last.only_headings = false;
                return;
            }
        }
    }
    spans.push(done);
}

/// What closing a passage needs to know.
struct Closing<'a, 'o> {
    text: &'a str,
    sections: &'a Sections<'o>,
    counter: &'a dyn TokenCounter,
    min_tokens: usize,
    max: usize,
}

/// Begins each passage with the last sentences or lines of the one before, within one section.
fn overlap(text: &str, spans: &mut [Span], options: &ChunkOptions, counter: &dyn TokenCounter) {
    for i in (1..spans.len()).rev() {
        if spans[i].section != spans[i - 1].section {
            continue;
        }
        let room = options
            .overlap_tokens
            .min(options.max_tokens.saturating_sub(spans[i].tokens));
        let before = spans[i - 1].range.clone();
        let piece = Piece {
            range: before.clone(),
            kind: BlockKind::Prose,
        };
        let mut units = Vec::new();
        cut::units(text, &piece, &mut units);
        let mut used = 0;
        let mut start = spans[i].range.start;
        for unit in units.iter().rev() {
            used += counter.count(&text[unit.clone()]);
            // The whole of the passage before would be no overlap but a copy.
            if used > room
                || unit.start <= before.start
                || counter.count(&text[unit.start..spans[i].range.end]) > options.max_tokens
            {
                break;
            }
            start = unit.start;
        }
        spans[i].range.start = start;
    }
}

/// Finds the innermost section of ascending offsets.
struct SectionCursor<'a> {
    headings: &'a [super::outline::Heading],
    next: usize,
    open: Vec<usize>,
}

impl SectionCursor<'_> {
    fn section_at(&mut self, offset: usize) -> Option<usize> {
        while let Some(heading) = self.headings.get(self.next)
            && heading.range.start <= offset
        {
            while self
                .open
                .last()
                .is_some_and(|&o| self.headings[o].range.end <= heading.range.start)
            {
                self.open.pop();
            }
            self.open.push(self.next);
            self.next += 1;
        }
        while self
            .open
            .last()
            .is_some_and(|&o| self.headings[o].range.end <= offset)
        {
            self.open.pop();
        }
        self.open.last().copied()
    }
}

/// Turns ascending spans into passages with ordinals and locations.
struct PassageMaker<'a> {
    document: &'a Document,
    lines: Lines,
    /// Line breaks counted so far, and up to where.
    counted: (u32, usize),
    passages: Vec<Passage>,
}

impl<'a> PassageMaker<'a> {
    fn new(document: &'a Document, outline: &Outline) -> Self {
        Self {
            document,
            lines: outline.lines,
            counted: (0, 0),
            passages: Vec::new(),
        }
    }

    fn push(&mut self, range: Range<usize>, headings: Option<Vec<String>>) {
        let text = self.document.text[range.clone()].to_owned();
        let span = range.start as u64..range.end as u64;
        let location = Location {
            page: self.page_at(span.start),
            line: self.line_at(range.start),
            headings: headings.unwrap_or_default(),
        };
        self.passages.push(Passage {
            id: PassageId::of(&self.document.id, span.start, span.end, &text),
            document: self.document.id.clone(),
            title: self.document.title.clone(),
            span,
            text,
            ordinal: u32::try_from(self.passages.len()).unwrap_or(u32::MAX),
            location,
            date: self.document.date,
            metadata: self.document.metadata.clone(),
        });
    }

    fn page_at(&self, offset: u64) -> Option<u32> {
        let pages = &self.document.pages;
        let after = pages.partition_point(|page| page.start <= offset);
        after
            .checked_sub(1)
            .and_then(|i| pages.get(i))
            .map(|page| page.page)
    }

    fn line_at(&mut self, offset: usize) -> Option<u32> {
        match self.lines {
            Lines::None => None,
            Lines::At(line) => Some(line),
            Lines::From(first) => {
                let (breaks, upto) = self.counted;
                // Overlapping passages may step back a little.
                let (breaks, from) = if upto <= offset {
                    (breaks, upto)
                } else {
                    (0, 0)
                };
                let new = memchr::memchr_iter(b'\n', &self.document.text.as_bytes()[from..offset])
                    .count();
                let breaks = breaks.saturating_add(u32::try_from(new).unwrap_or(u32::MAX));
                self.counted = (breaks, offset);
                Some(first.saturating_add(breaks))
            }
        }
    }
}
