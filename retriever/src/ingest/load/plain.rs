//! Plain text: paragraphs, and headings that are underlined with a row of marks.

use indago_core::DocumentKind;

use super::draft::{Draft, collapse};
use super::{LoadLimits, Loaded, markdown, read};
use crate::ingest::outline::{Block, BlockKind, HeadingStack, Lines, Outline};
use crate::ingest::{FoundFile, Skipped};

/// Marks that underline headings, as in reStructuredText.
const MARKS: &[u8] = b"=-~^\"'*+#`";
/// A heading is one short line.
const HEADING_BYTES: usize = 120;
/// Records shorter than this have no structure that matters.
const STRUCTURED_RECORD_BYTES: usize = 1500;

pub(super) fn load(file: &FoundFile, limits: &LoadLimits) -> Result<Loaded, Skipped> {
    let decoded = read::text(file, limits)?;
    let mut draft = Draft::new(DocumentKind::Text, decoded.text);
    draft.notes.extend(decoded.warning);
    draft.outline = outline(&draft.text);
    draft.outline.lines = Lines::From(1);
    draft.alone(file)
}

/// The structure of a record's text: Markdown's where it has headings of that kind.
pub(super) fn record_outline(text: &str) -> Outline {
    if text.len() < STRUCTURED_RECORD_BYTES {
        return Outline::default();
    }
    let marked = |line: &&str| {
        let rest = line.trim_start_matches('#');
        (1..=6).contains(&(line.len() - rest.len())) && rest.starts_with(' ')
    };
    if text.lines().filter(marked).nth(1).is_some() {
        markdown::outline(text)
    } else {
        outline(text)
    }
}

/// Headings with a row of marks below (and perhaps above), their levels by the order in which the
/// marks first appear.
fn outline(text: &str) -> Outline {
    let mut headings = HeadingStack::default();
    let mut blocks = Vec::new();
    let mut levels: Vec<u8> = Vec::new();
    // The two lines before this one, without their line ends, with their offsets.
    let (mut above, mut before) = ((0, ""), (0, ""));
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let bare = line.trim_end();
        if let Some(mark) = underline(bare)
            && is_heading(above.1, before.1, bare)
        {
            let level = levels
                .iter()
                .position(|known| *known == mark)
                .unwrap_or_else(|| {
                    levels.push(mark);
                    levels.len() - 1
                });
            let start = if above.1.is_empty() {
                before.0
            } else {
                above.0
            };
            let level = u8::try_from(level + 1).unwrap_or(u8::MAX);
            headings.push(level, start, collapse(before.1));
            blocks.push(Block {
                range: start..at + bare.len(),
                kind: BlockKind::Heading,
            });
        }
        above = before;
        before = (at, bare);
        at += line.len();
    }
    Outline {
        headings: headings.finish(text.len()),
        blocks,
        ..Outline::default()
    }
}

/// The mark that a line is a row of.
fn underline(line: &str) -> Option<u8> {
    let bytes = line.as_bytes();
    let mark = *bytes.first()?;
    (bytes.len() >= 3 && MARKS.contains(&mark) && bytes.iter().all(|b| *b == mark)).then_some(mark)
}

/// Whether `title` is underlined by `row`: about as long, and nothing right above it but a row.
fn is_heading(above: &str, title: &str, row: &str) -> bool {
    let n = title.trim().chars().count();
    (above.is_empty() || above == row)
        && (2..=HEADING_BYTES).contains(&n)
        && underline(title).is_none()
        && title.contains(char::is_alphanumeric)
        && row.len() + 1 >= n
        && row.len() <= n + 8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn underlined_lines_are_headings() {
        let text = "=====\nTitle\n=====\n\nIntro.\n\nPart\n----\n\nText.\n\nname  size\n----------------------------\na     1\n\nNext\n----\n";
        let outline = outline(text);
        let found: Vec<_> = outline
            .headings
            .iter()
            .map(|h| (h.text.as_str(), &text[h.range.clone()]))
            .collect();
        assert_eq!(found.len(), 3);
        assert_eq!(found[0], ("Title", text));
        assert!(
            found[1].1.starts_with("Part\n----\n\nText.") && found[1].1.ends_with("a     1\n\n")
        );
        assert_eq!(found[2], ("Next", "Next\n----\n"));
    }
}
