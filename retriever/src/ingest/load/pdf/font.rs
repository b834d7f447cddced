//! Fonts: from the bytes of a shown string to characters and to its width.

use std::collections::HashMap;

use lopdf::{Dictionary, Document, Encoding, Object};

/// Width of a glyph whose font does not say, in thousandths of the font size.
const DEFAULT_WIDTH: f32 = 500.0;
/// Entries of a width table that are kept.
const MAX_WIDTHS: usize = 1 << 16;

/// A font's dictionary made ready for decoding: where it maps its codes to Unicode, that map is
/// preferred to the glyph names of its encoding.
pub(super) fn prepared(font: &Dictionary, document: &Document) -> Dictionary {
    let mut font = font.clone();
    let has_map = font
        .get_deref(b"ToUnicode", document)
        .and_then(Object::as_stream)
        .is_ok();
    if has_map {
        font.remove(b"Encoding");
    }
    font.set("Type", Object::Name(b"Font".to_vec()));
    font
}

/// A font as the layout needs it.
pub(super) struct Font<'a> {
    encoding: Encoding<'a>,
    widths: HashMap<u32, f32>,
    default_width: f32,
    /// Bytes of one character code.
    code_bytes: usize,
}

impl<'a> Font<'a> {
    /// Reads a [`prepared`] dictionary; `None` when its encoding cannot be used.
    pub(super) fn new(font: &'a Dictionary, document: &'a Document, limit: usize) -> Option<Self> {
        let encoding = font.get_font_encoding_with_limit(document, limit).ok()?;
        let composite = font
            .get(b"Subtype")
            .and_then(Object::as_name)
            .is_ok_and(|s| s == b"Type0");
        let mut made = Self {
            encoding,
            widths: HashMap::new(),
            default_width: DEFAULT_WIDTH,
            code_bytes: if composite { 2 } else { 1 },
        };
        if composite {
            made.read_composite_widths(font, document);
        } else {
            made.read_simple_widths(font, document);
        }
        Some(made)
    }

    fn read_simple_widths(&mut self, font: &Dictionary, document: &Document) {
        let first = font
            .get_deref(b"FirstChar", document)
            .and_then(Object::as_i64)
            .unwrap_or(0);
        let Ok(widths) = font
            .get_deref(b"Widths", document)
            .and_then(Object::as_array)
        else {
            return;
        };
        // Type 3 fonts have a unit of their own.
        let unit = font
            .get_deref(b"FontMatrix", document)
            .and_then(Object::as_array)
            .ok()
            .and_then(|matrix| matrix.first()?.as_float().ok())
            .filter(|scale| *scale > 0.0)
            .map_or(1.0, |scale| scale * 1000.0);
        for (index, width) in widths.iter().take(MAX_WIDTHS).enumerate() {
            let width = document
                .dereference(width)
                .and_then(|(_, width)| width.as_float());
            if let (Ok(code), Ok(width)) =
                (u32::try_from(first.saturating_add(index as i64)), width)
            {
                self.widths.insert(code, width * unit);
            }
        }
    }

    /// `W` of the descendant font: `[first [w ...] first last w ...]`.
    fn read_composite_widths(&mut self, font: &Dictionary, document: &Document) {
        let descendant = font
            .get_deref(b"DescendantFonts", document)
            .and_then(Object::as_array)
            .ok()
            .and_then(|fonts| document.dereference(fonts.first()?).ok())
            .and_then(|(_, font)| font.as_dict().ok());
        let Some(descendant) = descendant else { return };
        let default = descendant
            .get_deref(b"DW", document)
            .and_then(Object::as_float);
        self.default_width = default.unwrap_or(1000.0);
        let Ok(table) = descendant
            .get_deref(b"W", document)
            .and_then(Object::as_array)
        else {
            return;
        };
        let mut entries = table
            .iter()
            .filter_map(|entry| Some(document.dereference(entry).ok()?.1));
        while let (Some(first), Some(second)) = (entries.next(), entries.next()) {
            let Ok(first) = first.as_i64().map(|n| u32::try_from(n).unwrap_or(0)) else {
                return;
            };
            if let Ok(list) = second.as_array() {
                for (code, width) in (first..).zip(list.iter().take(MAX_WIDTHS)) {
                    if let Ok(width) = width.as_float() {
                        self.widths.insert(code, width);
                    }
                }
            } else if let (Ok(last), Some(width)) = (second.as_i64(), entries.next()) {
                let last = u32::try_from(last)
                    .unwrap_or(0)
                    .min(first.saturating_add(0xffff));
                if let Ok(width) = width.as_float() {
                    self.widths.extend((first..=last).map(|code| (code, width)));
                }
            }
            if self.widths.len() > MAX_WIDTHS {
                return;
            }
        }
    }

    /// Adds the characters of `bytes`; control characters are left out.
    pub(super) fn decode(&self, bytes: &[u8], out: &mut String) {
        let mut text = String::new();
        if self.encoding.write_to_string(bytes, &mut text).is_ok() {
            out.extend(text.chars().filter_map(|c| match c {
                '\t' | '\n' | '\r' | '\u{a0}' => Some(' '),
                '\u{ad}' => Some('-'),
                c if c.is_control() => None,
                c => Some(c),
            }));
        }
    }

    /// Width of `bytes` in thousandths of the font size, their number of characters, and how many
    /// of them are single-byte spaces.
    pub(super) fn measure(&self, bytes: &[u8]) -> (f32, usize, usize) {
        let mut width = 0.0;
        let (mut n, mut spaces) = (0, 0);
        for code in bytes.chunks(self.code_bytes) {
            let value = code
                .iter()
                .fold(0, |value, byte| value << 8 | u32::from(*byte));
            width += self
                .widths
                .get(&value)
                .copied()
                .unwrap_or(self.default_width);
            n += 1;
            spaces += usize::from(code == [b' ']);
        }
        (width, n, spaces)
    }
}
