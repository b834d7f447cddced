//! Markdown. The decoded text is the source after its front matter, markup included: quotes point
//! into what the author wrote.

use std::ops::Range;

use indago_core::DocumentKind;
use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use super::draft::{Draft, collapse};
use super::{LoadLimits, Loaded, front_matter, read};
use crate::ingest::outline::{HeadingStack, Lines, Outline};
use crate::ingest::{Block, BlockKind, FoundFile, Skipped};

pub(super) fn load(file: &FoundFile, limits: &LoadLimits) -> Result<Loaded, Skipped> {
    let decoded = read::text(file, limits)?;
    let (front, body) = front_matter::split(&decoded.text);
    let first_line = 1 + decoded.text[..decoded.text.len() - body.len()]
        .matches('\n')
        .count();
    let mut draft = Draft::new(DocumentKind::Markdown, body.to_owned());
    draft.notes.extend(decoded.warning);
    draft.outline = outline(&draft.text);
    draft.outline.lines = Lines::From(u32::try_from(first_line).unwrap_or(u32::MAX));
    if let Some(front) = front {
        front_matter::apply(front, &mut draft);
    }
    if draft.title.is_empty()
        && let Some(first) = draft.outline.headings.first()
        && leads(&draft.text, first.range.start)
    {
        draft.title.clone_from(&first.text);
    }
    draft.alone(file)
}

/// Whether a heading at `start` is the document's title: little stands before it (a badge, a
/// comment, a line of licence).
fn leads(text: &str, start: usize) -> bool {
    text[..start].trim().len() <= 500
}

/// The structure of CommonMark text with tables: headings, and the blocks of the outermost levels.
pub(super) fn outline(text: &str) -> Outline {
    let mut headings = HeadingStack::default();
    let mut blocks = Vec::new();
    let mut depth = 0_usize;
    // Depth at which the children of a list or table are blocks of their own.
    let mut open_container = None;
    let mut heading_text: Option<String> = None;
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    for (event, range) in Parser::new_ext(text, options).into_offset_iter() {
        match event {
            Event::Start(tag) => {
                let at_block_level = depth == 0 || open_container == Some(depth);
                match &tag {
                    Tag::List(_) | Tag::Table(_) if depth == 0 => open_container = Some(1),
                    Tag::Heading { level, .. } if at_block_level => {
                        headings.push(level_number(*level), range.start, String::new());
                        heading_text = Some(String::new());
                        push(&mut blocks, range, BlockKind::Heading);
                    }
                    Tag::TableHead | Tag::TableRow if at_block_level => {
                        push(&mut blocks, range, BlockKind::Row);
                    }
                    Tag::CodeBlock(_) if at_block_level => {
                        push(&mut blocks, range, BlockKind::Code);
                    }
                    _ if at_block_level => push(&mut blocks, range, BlockKind::Prose),
                    _ => {}
                }
                depth += 1;
            }
            Event::End(tag) => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    open_container = None;
                }
                if let TagEnd::Heading(_) = tag
                    && let Some(text) = heading_text.take()
                {
                    headings.name_last(collapse(&text));
                }
            }
            Event::Text(part) | Event::Code(part) => {
                if let Some(text) = &mut heading_text {
                    text.push_str(&part);
                }
            }
            Event::SoftBreak | Event::HardBreak => {
                if let Some(text) = &mut heading_text {
                    text.push(' ');
                }
            }
            _ => {}
        }
    }
    Outline {
        headings: headings.finish(text.len()),
        blocks,
        ..Outline::default()
    }
}

/// Adds a block after the ones before it; where the parser's ranges touch, the first keeps.
fn push(blocks: &mut Vec<Block>, range: Range<usize>, kind: BlockKind) {
    let start = blocks
        .last()
        .map_or(0, |last: &Block| last.range.end)
        .max(range.start);
    if start < range.end {
        blocks.push(Block {
            range: start..range.end,
            kind,
        });
    }
}

fn level_number(level: HeadingLevel) -> u8 {
    level as u8
}
