//! The structure a loader saw in a document: headings with their reach, blocks, lines.

use std::ops::Range;

/// A heading (or the name of a function, class or module) and the text it stands over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heading {
    /// From its own first byte to the end of its section, in bytes of the decoded text.
    pub range: Range<usize>,
    /// The heading as a reader sees it, without markup.
    pub text: String,
}

/// What a block is; decides where it may be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BlockKind {
    /// Running text: cut between sentences.
    Prose,
    /// A heading's own line: stays with what follows it.
    Heading,
    /// Preformatted or program text: cut between lines.
    Code,
    /// One row of a table: cut between words.
    Row,
}

/// A run of text that belongs together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Bytes of the decoded text, on character boundaries.
    pub range: Range<usize>,
    /// What it is.
    pub kind: BlockKind,
}

/// How a place in the decoded text becomes a line of the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lines {
    /// The source has no lines that a person could go to (PDF, DOCX).
    #[default]
    None,
    /// The text's first line is this line of the file, from 1.
    From(u32),
    /// All of it stands on this line of the file (a record of a JSONL file).
    At(u32),
}

/// A document's structure. Offsets count bytes of its decoded text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    /// Sections in order of their start; each contains or excludes each other one.
    pub headings: Vec<Heading>,
    /// Blocks in order, without overlap. Text outside all blocks is taken paragraph by paragraph.
    pub blocks: Vec<Block>,
    /// How lines are counted.
    pub lines: Lines,
    /// A record: stays one passage while it fits, whatever its inner structure.
    pub record: bool,
}

/// Builds nested [`Heading`]s from a flat sequence of levels.
#[derive(Debug, Default)]
pub(super) struct HeadingStack {
    headings: Vec<Heading>,
    /// Open sections: level and index in `headings`, outermost first.
    open: Vec<(u8, usize)>,
}

impl HeadingStack {
    /// A heading of `level` (1 is outermost) begins at `start`; closes those of its level and
    /// deeper ones.
    pub(super) fn push(&mut self, level: u8, start: usize, text: String) {
        self.close(level, start);
        self.open.push((level, self.headings.len()));
        self.headings.push(Heading {
            range: start..start,
            text,
        });
    }

    /// The innermost open heading's text is known now.
    pub(super) fn name_last(&mut self, text: String) {
        if let Some(heading) = self.headings.last_mut() {
            heading.text = text;
        }
    }

    fn close(&mut self, level: u8, at: usize) {
        while let Some(&(open_level, index)) = self.open.last() {
            if open_level < level {
                break;
            }
            self.headings[index].range.end = at;
            self.open.pop();
        }
    }

    /// All headings of a text of `len` bytes; nameless ones are left out.
    pub(super) fn finish(mut self, len: usize) -> Vec<Heading> {
        self.close(0, len);
        self.headings.retain(|heading| !heading.text.is_empty());
        self.headings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_ends_where_the_next_of_its_level_begins() {
        let mut stack = HeadingStack::default();
        for (level, start, text) in [(1, 0, "a"), (2, 10, "b"), (3, 20, "c"), (2, 30, "d")] {
            stack.push(level, start, text.into());
        }
        let ranges: Vec<_> = stack
            .finish(40)
            .into_iter()
            .map(|h| (h.text, h.range.start, h.range.end))
            .collect();
        let expected = [("a", 0, 40), ("b", 10, 30), ("c", 20, 30), ("d", 30, 40)];
        assert_eq!(ranges, expected.map(|(t, s, e)| (t.to_owned(), s, e)));
    }
}
