//! The fixed-length rows of the document store.
//!
//! ```text
//! document, 48 bytes   heap offset u64, text bytes u64, heap bytes u64, xxh3 of the heap span u64,
//!                      first passage u32, passages u32, record bytes u32, packed date i32
//! passage, 96 bytes    id 16, key of what is embedded 16, start u64, end u64, simhash u64,
//!                      hash of the normalised text u64, terms u32, document u32, ordinal u32,
//!                      line u32, page u32, extra offset u32, extra bytes u32, unused u32
//! ```
//! Line and page are 0 when unknown. Extra offsets count from the start of the document's heap
//! span: text, then record, then one extra per passage.

use indago_core::{Date, PassageId};

use crate::disk::bytes::{i32_at, id_at, u32_at, u64_at};

pub(crate) const DOCUMENT_BYTES: usize = 48;
pub(crate) const PASSAGE_BYTES: usize = 96;

/// A document's place in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DocumentRow {
    pub(crate) heap: u64,
    pub(crate) text_bytes: u64,
    pub(crate) heap_bytes: u64,
    pub(crate) heap_hash: u64,
    pub(crate) first_passage: u32,
    pub(crate) passages: u32,
    pub(crate) record_bytes: u32,
    pub(crate) date: i32,
}

impl DocumentRow {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        for value in [self.heap, self.text_bytes, self.heap_bytes, self.heap_hash] {
            out.extend(value.to_le_bytes());
        }
        for value in [self.first_passage, self.passages, self.record_bytes] {
            out.extend(value.to_le_bytes());
        }
        out.extend(self.date.to_le_bytes());
    }

    pub(crate) fn decode(bytes: &[u8]) -> Self {
        Self {
            heap: u64_at(bytes, 0),
            text_bytes: u64_at(bytes, 8),
            heap_bytes: u64_at(bytes, 16),
            heap_hash: u64_at(bytes, 24),
            first_passage: u32_at(bytes, 32),
            passages: u32_at(bytes, 36),
            record_bytes: u32_at(bytes, 40),
            date: i32_at(bytes, 44),
        }
    }
}

/// A passage's place in the store, and what is compared without reading its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PassageRow {
    pub(crate) id: PassageId,
    pub(crate) embed_key: [u8; 16],
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) simhash: u64,
    pub(crate) text_hash: u64,
    pub(crate) terms: u32,
    pub(crate) document: u32,
    pub(crate) ordinal: u32,
    pub(crate) line: u32,
    pub(crate) page: u32,
    pub(crate) extra: u32,
    pub(crate) extra_bytes: u32,
}

impl PassageRow {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.extend(self.id.0);
        out.extend(self.embed_key);
        for value in [self.start, self.end, self.simhash, self.text_hash] {
            out.extend(value.to_le_bytes());
        }
        let numbers = [
            self.terms,
            self.document,
            self.ordinal,
            self.line,
            self.page,
            self.extra,
            self.extra_bytes,
            0,
        ];
        for value in numbers {
            out.extend(value.to_le_bytes());
        }
    }

    pub(crate) fn decode(bytes: &[u8]) -> Self {
        Self {
            id: PassageId(id_at(bytes, 0)),
            embed_key: id_at(bytes, 16),
            start: u64_at(bytes, 32),
            end: u64_at(bytes, 40),
            simhash: u64_at(bytes, 48),
            text_hash: u64_at(bytes, 56),
            terms: u32_at(bytes, 64),
            document: u32_at(bytes, 68),
            ordinal: u32_at(bytes, 72),
            line: u32_at(bytes, 76),
            page: u32_at(bytes, 80),
            extra: u32_at(bytes, 84),
            extra_bytes: u32_at(bytes, 88),
        }
    }
}

/// A date no document has: stands for "undated" in rows.
pub(crate) const UNDATED: i32 = i32::MIN;

/// Packs a date so that packed values order as dates do (unknown parts first).
pub(crate) fn pack_date(date: Option<Date>) -> i32 {
    let Some(date) = date else { return UNDATED };
    let month = i32::from(date.month.unwrap_or(0));
    let day = i32::from(date.day.unwrap_or(0));
    date.year
        .saturating_mul(512)
        .saturating_add(month * 32 + day)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn rows_come_back(
            id: [u8; 16], key: [u8; 16], a: [u64; 4], b: [u32; 7], date: i32,
        ) {
            let passage = PassageRow {
                id: PassageId(id), embed_key: key, start: a[0], end: a[1], simhash: a[2],
                text_hash: a[3], terms: b[0], document: b[1], ordinal: b[2], line: b[3],
                page: b[4], extra: b[5], extra_bytes: b[6],
            };
            let mut bytes = Vec::new();
            passage.encode(&mut bytes);
            prop_assert_eq!(bytes.len(), PASSAGE_BYTES);
            prop_assert_eq!(PassageRow::decode(&bytes), passage);

            let document = DocumentRow {
                heap: a[0], text_bytes: a[1], heap_bytes: a[2], heap_hash: a[3],
                first_passage: b[0], passages: b[1], record_bytes: b[2], date,
            };
            let mut bytes = Vec::new();
            document.encode(&mut bytes);
            prop_assert_eq!(bytes.len(), DOCUMENT_BYTES);
            prop_assert_eq!(DocumentRow::decode(&bytes), document);
        }

        #[test]
        fn packed_dates_order_as_dates_do(
            a in (-3000i32..3000, prop::option::of((1u8..=12, prop::option::of(1u8..=31)))),
            b in (-3000i32..3000, prop::option::of((1u8..=12, prop::option::of(1u8..=31)))),
        ) {
            let date = |(y, rest): (i32, Option<(u8, Option<u8>)>)| {
                Date::new(y, rest.map(|r| r.0), rest.and_then(|r| r.1)).unwrap()
            };
            let (a, b) = (date(a), date(b));
            prop_assert_eq!(a.cmp(&b), pack_date(Some(a)).cmp(&pack_date(Some(b))));
            prop_assert!(pack_date(None) < pack_date(Some(a)));
        }
    }
}
