//! Plain text: paragraphs, and headings that are underlined with a row of marks.

use indago_core::DocumentKind;

use super::draft::Draft;
use super::{LoadLimits, Loaded, read};
use crate::ingest::{FoundFile, Lines, Skipped};

pub(super) fn load(file: &FoundFile, limits: &LoadLimits) -> Result<Loaded, Skipped> {
    let decoded = read::text(file, limits)?;
    let mut draft = Draft::new(DocumentKind::Text, decoded.text);
    draft.notes.extend(decoded.warning);
    draft.outline.lines = Lines::From(1);
    draft.alone(file)
}
