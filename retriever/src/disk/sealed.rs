//! The container of every index file: named sections, each with a checksum, written once.
//!
//! ```text
//! header   64 bytes   magic, kind, version
//! sections            each starts at a multiple of 64; its checksum covers it and its padding
//! table               per section: name 16, offset u64, length u64, xxh3 u64
//! trailer  40 bytes   table offset u64, sections u64, file length u64, xxh3 of header, table and
//!                     the three numbers before, magic
//! ```
//! Numbers are little-endian. Every byte is covered by a checksum or compared with a constant.
//! Opening verifies header, table and trailer; sections are verified when a caller asks for it.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

use indago_core::ports::RetrieveError;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::bytes::{u32_at, u64_at};
use super::map::Map;
use crate::error::{IndexError, corrupt};

const MAGIC: &[u8; 8] = b"indagoSF";
const END: &[u8; 8] = b"SFindago";
const HEADER: usize = 64;
const TRAILER: usize = 40;
const ENTRY: usize = 40;
const ALIGN: u64 = 64;
/// More sections than any kind has: bounds what a damaged count can cost.
const MAX_SECTIONS: u64 = 64;

/// What a file is and which version of its layout it has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    /// At most 8 ASCII characters.
    pub(crate) name: &'static str,
    pub(crate) version: u32,
}

fn padded<const N: usize>(name: &str) -> [u8; N] {
    let mut bytes = [0; N];
    for (to, from) in bytes.iter_mut().zip(name.bytes()) {
        *to = from;
    }
    bytes
}

fn header(kind: Kind) -> [u8; HEADER] {
    let mut bytes = [0; HEADER];
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8..16].copy_from_slice(&padded::<8>(kind.name));
    bytes[16..20].copy_from_slice(&kind.version.to_le_bytes());
    bytes
}

/// Writes a sealed file front to back.
pub(crate) struct SealedWriter {
    path: PathBuf,
    out: BufWriter<File>,
    at: u64,
    header: [u8; HEADER],
    table: Vec<u8>,
    section: Option<Open>,
}

struct Open {
    name: [u8; 16],
    start: u64,
    hash: Xxh3,
}

impl SealedWriter {
    pub(crate) fn create(path: &Path, kind: Kind) -> Result<Self, IndexError> {
        let file = File::create(path).map_err(|e| IndexError::write(path, e))?;
        let mut writer = Self {
            path: path.to_owned(),
            out: BufWriter::with_capacity(1 << 18, file),
            at: 0,
            header: header(kind),
            table: Vec::new(),
            section: None,
        };
        let header = writer.header;
        writer.put(&header)?;
        Ok(writer)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), IndexError> {
        self.out
            .write_all(bytes)
            .map_err(|e| IndexError::write(&self.path, e))?;
        self.at += bytes.len() as u64;
        Ok(())
    }

    /// Ends the section before, if any, and begins the next.
    pub(crate) fn begin(&mut self, name: &str) -> Result<(), IndexError> {
        self.end_section()?;
        self.section = Some(Open {
            name: padded(name),
            start: self.at,
            hash: Xxh3::new(),
        });
        Ok(())
    }

    /// Adds to the section that was begun last.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), IndexError> {
        if let Some(open) = &mut self.section {
            open.hash.update(bytes);
        }
        self.put(bytes)
    }

    /// Bytes in the current section so far.
    pub(crate) fn position(&self) -> u64 {
        self.section.as_ref().map_or(0, |open| self.at - open.start)
    }

    fn end_section(&mut self) -> Result<(), IndexError> {
        let Some(mut open) = self.section.take() else {
            return Ok(());
        };
        let length = self.at - open.start;
        let padding = [0; ALIGN as usize];
        let missing = (ALIGN - self.at % ALIGN) % ALIGN;
        open.hash.update(&padding[..missing as usize]);
        self.put(&padding[..missing as usize])?;
        self.table.extend(open.name);
        self.table.extend(open.start.to_le_bytes());
        self.table.extend(length.to_le_bytes());
        self.table.extend(open.hash.digest().to_le_bytes());
        Ok(())
    }

    /// Writes table and trailer and makes the file durable.
    pub(crate) fn finish(mut self) -> Result<(), IndexError> {
        self.end_section()?;
        let table = std::mem::take(&mut self.table);
        let table_at = self.at;
        let mut trailer = Vec::with_capacity(TRAILER);
        trailer.extend(table_at.to_le_bytes());
        trailer.extend(((table.len() / ENTRY) as u64).to_le_bytes());
        trailer.extend((table_at + (table.len() + TRAILER) as u64).to_le_bytes());
        let sum = root_hash(&self.header, &table, &trailer);
        trailer.extend(sum.to_le_bytes());
        trailer.extend(END);
        self.put(&table)?;
        self.put(&trailer)?;
        let path = self.path;
        let file = self
            .out
            .into_inner()
            .map_err(|e| IndexError::write(&path, e.into_error()))?;
        file.sync_all().map_err(|e| IndexError::write(&path, e))
    }
}

fn root_hash(header: &[u8], table: &[u8], numbers: &[u8]) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(header);
    hash.update(table);
    hash.update(numbers);
    hash.digest()
}

/// A sealed file, mapped. Clones share the mapping.
#[derive(Clone, Debug)]
pub(crate) struct SealedFile {
    path: PathBuf,
    map: Map,
    sections: Vec<Section>,
}

#[derive(Clone, Debug)]
struct Section {
    name: [u8; 16],
    span: Range<usize>,
    /// End of the padding, which the checksum covers as well.
    end: usize,
    hash: u64,
}

impl SealedFile {
    /// Maps `path` and verifies everything but the sections' contents.
    pub(crate) fn open(path: &Path, kind: Kind) -> Result<Self, RetrieveError> {
        let map = Map::open(path)?;
        let bytes = map.bytes();
        let bad = |reason: &str| corrupt(path, reason);
        if bytes.len() < HEADER + TRAILER || &bytes[..8] != MAGIC {
            return Err(bad("not an indago index file"));
        }
        let trailer = &bytes[bytes.len() - TRAILER..];
        if &trailer[32..] != END || u64_at(trailer, 16) != bytes.len() as u64 {
            return Err(bad("truncated or grown"));
        }
        let (table_at, count) = (u64_at(trailer, 0), u64_at(trailer, 8));
        let table_end = bytes.len() - TRAILER;
        let table_start = usize::try_from(table_at).unwrap_or(usize::MAX);
        let fits = count <= MAX_SECTIONS
            && table_start >= HEADER
            && table_start.checked_add(count as usize * ENTRY) == Some(table_end);
        if !fits {
            return Err(bad("section table out of bounds"));
        }
        let table = &bytes[table_start..table_end];
        if root_hash(&bytes[..HEADER], table, &trailer[..24]) != u64_at(trailer, 24) {
            return Err(bad("header or section table does not match its checksum"));
        }
        // Only a version that is vouched for by the checksum is worth reporting.
        let found = u32_at(bytes, 16);
        if bytes[8..16] != padded::<8>(kind.name) {
            return Err(bad("another kind of index file"));
        }
        if found != kind.version {
            let expected = kind.version;
            return Err(RetrieveError::FormatVersion {
                path: path.to_owned(),
                found,
                expected,
            });
        }
        let mut sections: Vec<Section> = Vec::with_capacity(count as usize);
        for entry in table.chunks_exact(ENTRY) {
            let start = u64_at(entry, 16);
            let end = start
                .checked_add(u64_at(entry, 24))
                .filter(|end| *end <= table_at);
            let end = end.ok_or_else(|| bad("section out of bounds"))?;
            let mut name = [0; 16];
            name.copy_from_slice(&entry[..16]);
            let span = start as usize..end as usize;
            sections.push(Section {
                name,
                span,
                end: table_start,
                hash: u64_at(entry, 32),
            });
        }
        for i in 1..sections.len() {
            sections[i - 1].end = sections[i].span.start;
        }
        if sections.iter().any(|s| s.end < s.span.end) {
            return Err(bad("sections overlap"));
        }
        Ok(Self {
            path: path.to_owned(),
            map,
            sections,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn find(&self, name: &str) -> Result<&Section, RetrieveError> {
        let wanted = padded::<16>(name);
        self.sections
            .iter()
            .find(|s| s.name == wanted)
            .ok_or_else(|| corrupt(&self.path, format!("section `{name}` is missing")))
    }

    /// Where a section stands in [`bytes`](Self::bytes).
    pub(crate) fn span(&self, name: &str) -> Result<Range<usize>, RetrieveError> {
        self.find(name).map(|section| section.span.clone())
    }

    /// The checksum of a section, as the table of sections states it.
    pub(crate) fn checksum(&self, name: &str) -> Result<u64, RetrieveError> {
        self.find(name).map(|section| section.hash)
    }

    /// The whole file.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.map.bytes()
    }

    /// Reads a section through and compares its checksum.
    pub(crate) fn verify(&self, name: &str) -> Result<(), RetrieveError> {
        let section = self.find(name)?;
        self.verify_section(section)
    }

    fn verify_section(&self, section: &Section) -> Result<(), RetrieveError> {
        let bytes = self.bytes().get(section.span.start..section.end);
        if bytes.map(xxh3_64) == Some(section.hash) {
            return Ok(());
        }
        let name = String::from_utf8_lossy(&section.name);
        let name = name.trim_end_matches('\0');
        Err(corrupt(
            &self.path,
            format!("section `{name}` does not match its checksum"),
        ))
    }

    /// Opens a file of whatever kind and version it says it is.
    #[cfg(test)]
    pub(crate) fn open_any(path: &Path) -> Result<Self, RetrieveError> {
        Self::open(path, kind_of(Map::open(path)?.bytes()))
    }

    /// What the file says it is.
    #[cfg(test)]
    pub(crate) fn kind(&self) -> Kind {
        kind_of(self.bytes())
    }

    /// Names of the sections, in their order.
    #[cfg(test)]
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let name = |bytes| str::from_utf8(bytes).unwrap().trim_end_matches('\0');
        self.sections.iter().map(move |section| name(&section.name))
    }

    /// Reads the whole file through.
    #[cfg(test)]
    pub(crate) fn verify_all(&self) -> Result<(), RetrieveError> {
        self.sections
            .iter()
            .try_for_each(|section| self.verify_section(section))
    }
}

/// The kind that a header states.
#[cfg(test)]
fn kind_of(header: &[u8]) -> Kind {
    let name = String::from_utf8_lossy(&header[8..16]).into_owned();
    Kind {
        name: name.leak().trim_end_matches('\0'),
        version: u32_at(header, 16),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KIND: Kind = Kind {
        name: "test",
        version: 3,
    };

    fn write(path: &Path, sections: &[Vec<u8>]) {
        let mut writer = SealedWriter::create(path, KIND).unwrap();
        for (i, section) in sections.iter().enumerate() {
            writer.begin(&format!("s{i}")).unwrap();
            for piece in section.chunks(7) {
                writer.write(piece).unwrap();
            }
            assert_eq!(writer.position(), section.len() as u64);
        }
        writer.finish().unwrap();
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn sections_come_back_and_any_flipped_byte_is_noticed(
            sections in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..150), 0..4),
            at in any::<prop::sample::Index>(),
            mask in 1u8..,
        ) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("f");
            write(&path, &sections);
            let file = SealedFile::open(&path, KIND).unwrap();
            file.verify_all().unwrap();
            for (i, section) in sections.iter().enumerate() {
                let span = file.span(&format!("s{i}")).unwrap();
                prop_assert_eq!(span.start % 64, 0);
                prop_assert_eq!(&file.bytes()[span], &section[..]);
            }
            let mut bytes = std::fs::read(&path).unwrap();
            let at = at.index(bytes.len());
            bytes[at] ^= mask;
            let damaged = dir.path().join("damaged");
            std::fs::write(&damaged, &bytes).unwrap();
            let read = SealedFile::open(&damaged, KIND).and_then(|f| f.verify_all());
            prop_assert!(read.is_err(), "byte {} of {}", at, bytes.len());
        }

        #[test]
        fn a_file_cut_short_is_noticed(cut in 1usize..400) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("f");
            write(&path, &[vec![1; 100], vec![2; 33]]);
            let bytes = std::fs::read(&path).unwrap();
            std::fs::write(&path, &bytes[..bytes.len().saturating_sub(cut)]).unwrap();
            prop_assert!(SealedFile::open(&path, KIND).is_err());
        }
    }

    #[test]
    fn another_version_is_told_with_both_numbers() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        write(&path, &[]);
        let newer = Kind { version: 2, ..KIND };
        let error = SealedFile::open(&path, newer).unwrap_err();
        assert!(matches!(
            error,
            RetrieveError::FormatVersion {
                found: 3,
                expected: 2,
                ..
            }
        ));
    }
}
