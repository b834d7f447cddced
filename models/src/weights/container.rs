//! Our model file: named sections behind a checksum.
//!
//! All numbers little-endian. Sections are 64-byte aligned and in the order of the table.
//!
//! | bytes          | field          | notes                                        |
//! |----------------|----------------|----------------------------------------------|
//! | 0..8           | magic          | `b"INDAGOM\0"`                               |
//! | 8..12          | version        | [`VERSION`]; bumped on any change of layout  |
//! | 12..16         | section count  | at most 4096                                 |
//! | 16..24         | file length    | in bytes, header included                    |
//! | 24..32         | checksum       | xxh3-64 of everything after byte 32          |
//! | 32..32+48n     | section table  | n entries of 48 bytes, as follows            |
//! | entry 0..32    | name           | UTF-8, padded with zero bytes                |
//! | entry 32..40   | offset         | from the start of the file                   |
//! | entry 40..48   | length         | in bytes                                     |
//!
//! What the sections hold is said by those who write them: [`crate::MiniLm`], [`crate::StaticEncoder`].

use std::borrow::Cow;

use xxhash_rust::xxh3::xxh3_64;

use crate::ModelError;

/// Version of the layout above.
pub const VERSION: u32 = 1;

const MAGIC: &[u8; 8] = b"INDAGOM\0";
const HEADER_BYTES: usize = 32;
const ENTRY_BYTES: usize = 48;
const NAME_BYTES: usize = 32;
const ALIGN: usize = 64;
const MAX_SECTIONS: usize = 4096;

/// A model file that has been read and whose checksum fits.
#[derive(Clone)]
pub struct Container {
    bytes: Cow<'static, [u8]>,
    sections: Vec<Section>,
    checksum: u64,
    what: String,
}

#[derive(Clone)]
struct Section {
    name: String,
    range: std::ops::Range<usize>,
}

impl Container {
    /// Reads and checks a model file; `what` names it in errors.
    ///
    /// # Errors
    /// When it is no such file, of another version, damaged, or its table does not fit.
    pub fn read(
        what: impl Into<String>,
        bytes: impl Into<Cow<'static, [u8]>>,
    ) -> Result<Self, ModelError> {
        let (what, bytes) = (what.into(), bytes.into());
        let header = Header::read(&what, &bytes)?;
        let found = xxh3_64(&bytes[HEADER_BYTES..]);
        if found != header.checksum {
            return Err(ModelError::Checksum {
                what,
                found,
                expected: header.checksum,
            });
        }
        let mut sections: Vec<Section> = Vec::with_capacity(header.n_sections);
        for i in 0..header.n_sections {
            let at = HEADER_BYTES + i * ENTRY_BYTES;
            let section = bytes
                .get(at..at + ENTRY_BYTES)
                .and_then(|e| section(e, bytes.len()));
            let section = section.ok_or_else(|| {
                ModelError::format(&what, format!("entry {i} of its table is bad"))
            })?;
            // What sections hold together is never more than the file has.
            if sections
                .last()
                .is_some_and(|last| last.range.end > section.range.start)
            {
                return Err(ModelError::format(&what, "its sections overlap"));
            }
            sections.push(section);
        }
        // The count itself is not under the checksum: with a smaller one, entries would be left over
        // between the table and the first section.
        let table_end = HEADER_BYTES + header.n_sections * ENTRY_BYTES;
        let body = sections.first().map_or(bytes.len(), |s| s.range.start);
        let rest = bytes.get(table_end..body);
        if rest.is_none_or(|rest| rest.iter().any(|byte| *byte != 0)) {
            return Err(ModelError::format(
                &what,
                "its table has another length than it says",
            ));
        }
        Ok(Self {
            bytes,
            sections,
            checksum: header.checksum,
            what,
        })
    }

    /// What the file is called in errors.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// Its checksum, which identifies its content.
    pub fn checksum(&self) -> u64 {
        self.checksum
    }

    /// Names and lengths of the sections, in order.
    pub fn sections(&self) -> impl Iterator<Item = (&str, usize)> {
        self.sections
            .iter()
            .map(|section| (section.name.as_str(), section.range.len()))
    }

    /// The bytes of a section.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn bytes(&self, name: &str) -> Result<&[u8], ModelError> {
        Ok(&self.bytes[self.range(name)?])
    }

    /// The bytes of a section, borrowed from the program where the file is part of it.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn shared_bytes(&self, name: &str) -> Result<Cow<'static, [u8]>, ModelError> {
        let range = self.range(name)?;
        Ok(match &self.bytes {
            Cow::Borrowed(bytes) => Cow::Borrowed(&bytes[range]),
            Cow::Owned(bytes) => Cow::Owned(bytes[range].to_vec()),
        })
    }

    /// A section that holds text.
    ///
    /// # Errors
    /// When there is none of this name or it is no UTF-8.
    pub fn text(&self, name: &str) -> Result<Cow<'static, str>, ModelError> {
        let unfit = |_| ModelError::format(&self.what, format!("section `{name}` is no UTF-8"));
        Ok(match self.shared_bytes(name)? {
            Cow::Borrowed(bytes) => Cow::Borrowed(std::str::from_utf8(bytes).map_err(unfit)?),
            Cow::Owned(bytes) => {
                Cow::Owned(String::from_utf8(bytes).map_err(|e| unfit(e.utf8_error()))?)
            }
        })
    }

    /// A section of `expected` bytes.
    ///
    /// # Errors
    /// When there is none of this name or it has another length.
    pub fn exact(&self, name: &str, expected: usize) -> Result<&[u8], ModelError> {
        let bytes = self.bytes(name)?;
        if bytes.len() == expected {
            return Ok(bytes);
        }
        let reason = format!(
            "section `{name}` has {} bytes, expected {expected}",
            bytes.len()
        );
        Err(ModelError::format(&self.what, reason))
    }

    /// A section of `expected` f32 values, all of them finite.
    ///
    /// # Errors
    /// When there is none of this name, it has another length, or a value is not finite.
    pub fn floats(&self, name: &str, expected: usize) -> Result<Vec<f32>, ModelError> {
        let (quads, _) = self
            .exact(name, expected.saturating_mul(4))?
            .as_chunks::<4>();
        let values: Vec<f32> = quads.iter().map(|quad| f32::from_le_bytes(*quad)).collect();
        if values.iter().all(|value| value.is_finite()) {
            return Ok(values);
        }
        let reason = format!("section `{name}` holds a value that is no number");
        Err(ModelError::format(&self.what, reason))
    }

    /// A section of `N` u32 values.
    ///
    /// # Errors
    /// When there is none of this name or it has another length.
    pub fn numbers<const N: usize>(&self, name: &str) -> Result<[u32; N], ModelError> {
        let (quads, _) = self.exact(name, 4 * N)?.as_chunks::<4>();
        let mut numbers = [0; N];
        for (number, quad) in numbers.iter_mut().zip(quads) {
            *number = u32::from_le_bytes(*quad);
        }
        Ok(numbers)
    }

    fn range(&self, name: &str) -> Result<std::ops::Range<usize>, ModelError> {
        let section = self.sections.iter().find(|section| section.name == name);
        let section = section
            .ok_or_else(|| ModelError::format(&self.what, format!("it has no section `{name}`")))?;
        Ok(section.range.clone())
    }
}

impl std::fmt::Debug for Container {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Container[{}, {} bytes]", self.what, self.bytes.len())
    }
}

struct Header {
    n_sections: usize,
    checksum: u64,
}

impl Header {
    fn read(what: &str, bytes: &[u8]) -> Result<Self, ModelError> {
        let unfit = |reason: &str| ModelError::format(what, reason);
        let (magic, rest) = bytes
            .split_first_chunk::<8>()
            .ok_or_else(|| unfit("it is too short"))?;
        if magic != MAGIC {
            return Err(unfit("it is no indago model file"));
        }
        let (numbers, _) = rest.as_chunks::<4>();
        let [version, n_sections, len_low, len_high, sum_low, sum_high] = *numbers
            .first_chunk::<6>()
            .ok_or_else(|| unfit("it is too short"))?;
        let version = u32::from_le_bytes(version);
        if version != VERSION {
            let what = what.to_owned();
            return Err(ModelError::Version {
                what,
                found: version,
                expected: VERSION,
            });
        }
        if join(len_low, len_high) != bytes.len() as u64 {
            let reason = format!("it should have {} bytes", join(len_low, len_high));
            return Err(unfit(&format!("{reason} and has {}", bytes.len())));
        }
        let n_sections = u32::from_le_bytes(n_sections) as usize;
        if n_sections > MAX_SECTIONS {
            return Err(unfit("it claims too many sections"));
        }
        Ok(Self {
            n_sections,
            checksum: join(sum_low, sum_high),
        })
    }
}

fn join(low: [u8; 4], high: [u8; 4]) -> u64 {
    u64::from(u32::from_le_bytes(low)) | u64::from(u32::from_le_bytes(high)) << 32
}

/// `None` when the entry points outside the file or its name is no text, or none.
fn section(entry: &[u8], file_bytes: usize) -> Option<Section> {
    let (name, numbers) = entry.split_at(NAME_BYTES);
    let name = std::str::from_utf8(name)
        .ok()?
        .trim_end_matches('\0')
        .to_owned();
    if name.is_empty() {
        return None;
    }
    let (quads, _) = numbers.as_chunks::<4>();
    let start = usize::try_from(join(quads[0], quads[1])).ok()?;
    let len = usize::try_from(join(quads[2], quads[3])).ok()?;
    let end = start.checked_add(len).filter(|end| *end <= file_bytes)?;
    Some(Section {
        name,
        range: start..end,
    })
}

/// Collects sections and writes them as a model file.
#[derive(Debug, Default)]
pub struct ContainerWriter {
    sections: Vec<(String, Vec<u8>)>,
}

impl ContainerWriter {
    /// Adds a section.
    ///
    /// # Errors
    /// When the name is empty, longer than 32 bytes or taken, or there are too many sections.
    pub fn add(
        &mut self,
        name: impl Into<String>,
        bytes: impl Into<Vec<u8>>,
    ) -> Result<(), ModelError> {
        let name = name.into();
        let taken = self.sections.iter().any(|(other, _)| *other == name);
        if name.is_empty() || name.len() > NAME_BYTES || name.contains('\0') || taken {
            return Err(ModelError::format(
                format!("section name `{name}`"),
                "bad or taken",
            ));
        }
        if self.sections.len() == MAX_SECTIONS {
            return Err(ModelError::format("model file", "it has too many sections"));
        }
        self.sections.push((name, bytes.into()));
        Ok(())
    }

    /// Adds a section of f32 values.
    ///
    /// # Errors
    /// As [`ContainerWriter::add`].
    pub fn add_floats(
        &mut self,
        name: impl Into<String>,
        values: &[f32],
    ) -> Result<(), ModelError> {
        let bytes: Vec<u8> = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        self.add(name, bytes)
    }

    /// Adds a section of signed 8-bit codes.
    ///
    /// # Errors
    /// As [`ContainerWriter::add`].
    pub fn add_codes(&mut self, name: impl Into<String>, codes: &[i8]) -> Result<(), ModelError> {
        let bytes: Vec<u8> = codes.iter().map(|code| code.cast_unsigned()).collect();
        self.add(name, bytes)
    }

    /// Adds a section of u32 values.
    ///
    /// # Errors
    /// As [`ContainerWriter::add`].
    pub fn add_numbers(
        &mut self,
        name: impl Into<String>,
        numbers: &[u32],
    ) -> Result<(), ModelError> {
        let bytes: Vec<u8> = numbers
            .iter()
            .flat_map(|number| number.to_le_bytes())
            .collect();
        self.add(name, bytes)
    }

    /// The file's bytes.
    pub fn finish(self) -> Vec<u8> {
        let mut table = Vec::with_capacity(self.sections.len() * ENTRY_BYTES);
        let mut body = Vec::new();
        let table_end = HEADER_BYTES + self.sections.len() * ENTRY_BYTES;
        for (name, bytes) in &self.sections {
            let padding = (table_end + body.len()).next_multiple_of(ALIGN) - table_end - body.len();
            body.extend(std::iter::repeat_n(0, padding));
            let mut padded = [0; NAME_BYTES];
            padded[..name.len()].copy_from_slice(name.as_bytes());
            table.extend(padded);
            table.extend(((table_end + body.len()) as u64).to_le_bytes());
            table.extend((bytes.len() as u64).to_le_bytes());
            body.extend(bytes);
        }
        table.extend(body);
        let mut file = Vec::with_capacity(HEADER_BYTES + table.len());
        file.extend(MAGIC);
        file.extend(VERSION.to_le_bytes());
        file.extend((self.sections.len() as u32).to_le_bytes());
        file.extend(((HEADER_BYTES + table.len()) as u64).to_le_bytes());
        file.extend(xxh3_64(&table).to_le_bytes());
        file.extend(table);
        file
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample() -> Vec<u8> {
        let mut writer = ContainerWriter::default();
        writer.add("empty", Vec::new()).unwrap();
        writer.add_floats("floats", &[1.5, -2.0]).unwrap();
        writer.add_numbers("numbers", &[7, u32::MAX]).unwrap();
        writer.add_codes("codes", &[-128, 127]).unwrap();
        writer.add("text", "caf\u{e9}").unwrap();
        writer.finish()
    }

    #[test]
    fn what_is_written_is_read_back() {
        let file = Container::read("sample", sample()).unwrap();
        assert!(file.bytes("empty").unwrap().is_empty());
        assert_eq!(file.floats("floats", 2).unwrap(), [1.5, -2.0]);
        assert_eq!(file.numbers::<2>("numbers").unwrap(), [7, u32::MAX]);
        assert_eq!(file.exact("codes", 2).unwrap(), [128, 127]);
        assert_eq!(file.text("text").unwrap(), "caf\u{e9}");
        assert_eq!(file.sections().count(), 5);
        assert!(file.text("codes").is_err());
        assert!(file.floats("floats", 3).is_err());
        let error = file.bytes("none").unwrap_err();
        assert_eq!(
            error.to_string(),
            "sample cannot be used: it has no section `none`"
        );
    }

    #[test]
    fn sections_are_aligned_and_names_are_unique() {
        let file = Container::read("sample", sample()).unwrap();
        assert!(
            file.sections
                .iter()
                .all(|section| section.range.start.is_multiple_of(ALIGN))
        );
        let mut writer = ContainerWriter::default();
        writer.add("a", vec![1]).unwrap();
        assert!(writer.add("a", vec![2]).is_err());
        assert!(writer.add("", vec![2]).is_err());
        assert!(writer.add("x".repeat(33), vec![2]).is_err());
    }

    #[test]
    fn another_version_and_another_file_are_told_apart() {
        let mut newer = sample();
        newer[8] = 9;
        let error = Container::read("m", newer).unwrap_err();
        assert!(
            matches!(error, ModelError::Version { found: 9, .. }),
            "{error}"
        );
        let error = Container::read("m", b"GGUF....".to_vec()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "m cannot be used: it is no indago model file"
        );
        assert!(Container::read("m", Vec::new()).is_err());
    }

    #[test]
    fn another_number_of_sections_is_noticed() {
        let good = sample();
        let n = good[12];
        for count in (0..=255).filter(|count| *count != n) {
            let mut bad = good.clone();
            bad[12] = count;
            assert!(Container::read("m", bad).is_err(), "{count} for {n}");
        }
    }

    proptest! {
        #[test]
        fn any_changed_byte_or_cut_is_noticed(at in 0_usize..1 << 16, flip in 1_u8.., cut in 0_usize..1 << 16) {
            let good = sample();
            let mut bad = good.clone();
            let at = at % bad.len();
            bad[at] ^= flip;
            prop_assert!(Container::read("m", bad).is_err());
            prop_assert!(Container::read("m", good[..cut % good.len()].to_vec()).is_err());
        }

        #[test]
        fn bytes_from_anywhere_never_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Container::read("m", bytes.clone());
            // With a fitting header, so that the table is reached.
            if bytes.len() >= HEADER_BYTES {
                let len = (bytes.len() as u64).to_le_bytes();
                let sum = xxh3_64(&bytes[HEADER_BYTES..]).to_le_bytes();
                bytes[..8].copy_from_slice(MAGIC);
                bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
                bytes[13..16].fill(0);
                bytes[16..24].copy_from_slice(&len);
                bytes[24..32].copy_from_slice(&sum);
                if let Ok(file) = Container::read("m", bytes) {
                    let names: Vec<String> = file.sections().map(|(name, _)| name.to_owned()).collect();
                    for name in names {
                        let _ = (file.text(&name), file.floats(&name, 3));
                    }
                }
            }
        }
    }
}
