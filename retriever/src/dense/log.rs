//! The log of vectors: appended to while embedding, never changed.
//!
//! ```text
//! header   64 bytes   magic 8, version u32, length of a vector u32, xxh3 of the encoder's
//!                     fingerprint u64, xxh3 of the bytes before u64, zeros
//! record              key 16, vector as 16-bit floats, xxh3 of the bytes before u64
//! ```
//! A record is found again by its key, the hash of the text that was embedded. A record that does
//! not match its checksum (a torn last write, a damaged disk), or holds a value that is no number, is
//! as good as absent: the text is embedded again.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use half::f16;
use half::slice::HalfFloatSliceExt as _;
use indago_core::ports::RetrieveError;
use xxhash_rust::xxh3::xxh3_64;

use super::misfit;
use crate::disk::bytes::{id_at, u32_at, u64_at};
use crate::disk::map::Map;
use crate::disk::positioned::Positioned;
use crate::error::{IndexError, read_error};

const MAGIC: &[u8; 8] = b"indagoVL";
const VERSION: u32 = 1;
const HEADER: usize = 64;
/// Bytes of a log from which single records are read by their position. A deep search reads a
/// thousand of them all over the file, after which a map of it would be in memory whole; a read by
/// position takes 2 microseconds instead.
const READ_FROM: usize = 32 << 20;
/// Longest vector that is believed.
const MAX_DIM: u32 = 1 << 16;

/// A log, open for appending.
pub(crate) struct VectorLog {
    path: PathBuf,
    dim: u32,
    out: BufWriter<File>,
    index: HashMap<[u8; 16], u32>,
    len: u32,
    damaged: u32,
    /// What was there when the log was opened.
    map: Map,
    mapped: u32,
    /// Vectors appended since, so that they can be read back without another mapping.
    fresh: Vec<u8>,
}

fn header(fingerprint: &str, dim: u32) -> [u8; HEADER] {
    let mut bytes = [0; HEADER];
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
    bytes[12..16].copy_from_slice(&dim.to_le_bytes());
    bytes[16..24].copy_from_slice(&xxh3_64(fingerprint.as_bytes()).to_le_bytes());
    let sum = xxh3_64(&bytes[..24]);
    bytes[24..32].copy_from_slice(&sum.to_le_bytes());
    bytes
}

fn record_bytes(dim: u32) -> usize {
    16 + 2 * dim as usize + 8
}

/// Compares a log's header with what is expected.
fn check_header(
    path: &Path,
    bytes: &[u8],
    fingerprint: &str,
    dim: u32,
) -> Result<(), RetrieveError> {
    let header_bytes = bytes
        .get(..HEADER)
        .ok_or_else(|| misfit(path, "truncated"))?;
    if &header_bytes[..8] != MAGIC || xxh3_64(&header_bytes[..24]) != u64_at(header_bytes, 24) {
        return Err(misfit(path, "header does not match its checksum"));
    }
    let found = u32_at(header_bytes, 8);
    if found != VERSION {
        let path = path.to_owned();
        return Err(RetrieveError::FormatVersion {
            path,
            found,
            expected: VERSION,
        });
    }
    if header_bytes != header(fingerprint, dim) || dim == 0 || dim > MAX_DIM {
        return Err(misfit(path, "the log is of another encoder"));
    }
    Ok(())
}

/// Whether the record's bytes match their checksum.
fn is_whole(record: &[u8]) -> bool {
    let (body, sum) = record.split_at(record.len() - 8);
    xxh3_64(body) == u64_at(sum, 0)
}

/// Whether the values of a record are numbers. No encoder's vector that was let in has others.
fn is_finite(record: &[u8]) -> bool {
    let (halves, _) = record[16..record.len() - 8].as_chunks::<2>();
    // The exponent of infinities and of what is no number; added up without a branch.
    let odd = |half: &[u8; 2]| u32::from(half[1] & 0x7c == 0x7c);
    halves.iter().map(odd).sum::<u32>() == 0
}

/// The vector of a whole record.
pub(crate) fn vector(record: &[u8]) -> Vec<f32> {
    let body = &record[16..record.len() - 8];
    body.chunks_exact(2)
        .map(|b| f16::from_le_bytes([b[0], b[1]]).to_f32())
        .collect()
}

impl VectorLog {
    /// A new, empty log.
    pub(crate) fn create(path: &Path, fingerprint: &str, dim: u32) -> Result<Self, IndexError> {
        let failed = |e| IndexError::write(path, e);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(failed)?;
        }
        let mut file = File::create(path).map_err(failed)?;
        file.write_all(&header(fingerprint, dim)).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        drop(file);
        Self::open(path, fingerprint, dim)
    }

    /// Opens a log; whatever stands behind its last whole record is overwritten.
    pub(crate) fn open(path: &Path, fingerprint: &str, dim: u32) -> Result<Self, IndexError> {
        let map = Map::open(path)?;
        check_header(path, map.bytes(), fingerprint, dim)?;
        let width = record_bytes(dim);
        let records = map.bytes()[HEADER..].chunks_exact(width);
        let len = u32::try_from(records.len())
            .map_err(|_over| IndexError::TooMany(u64::from(u32::MAX), "vectors"))?;
        let mut index = HashMap::with_capacity(records.len());
        let mut damaged = 0;
        for (i, record) in records.enumerate() {
            if is_whole(record) && is_finite(record) {
                index.insert(id_at(record, 0), i as u32);
            } else {
                damaged += 1;
            }
        }
        let failed = |e| IndexError::write(path, e);
        // Opened without truncation: readers may have the log mapped.
        let mut file = OpenOptions::new().write(true).open(path).map_err(failed)?;
        file.seek(SeekFrom::Start((HEADER + len as usize * width) as u64))
            .map_err(failed)?;
        Ok(Self {
            path: path.to_owned(),
            dim,
            out: BufWriter::with_capacity(1 << 18, file),
            index,
            len,
            damaged,
            map,
            mapped: len,
            fresh: Vec::new(),
        })
    }

    pub(crate) fn dim(&self) -> u32 {
        self.dim
    }

    /// Records, damaged ones included.
    pub(crate) fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether a record, wherever it stands, does not match its checksum.
    pub(crate) fn is_damaged(&self) -> bool {
        self.damaged > 0
    }

    /// The record of a key.
    pub(crate) fn find(&self, key: &[u8; 16]) -> Option<u32> {
        self.index.get(key).copied()
    }

    /// Appends a vector, unless its key is there already. Not durable before [`Self::sync`].
    pub(crate) fn append(&mut self, key: [u8; 16], vector: &[f32]) -> Result<(), IndexError> {
        debug_assert_eq!(vector.len(), self.dim as usize);
        let mut record = Vec::with_capacity(record_bytes(self.dim));
        record.extend(key);
        record.extend(vector.iter().flat_map(|x| f16::from_f32(*x).to_le_bytes()));
        let sum = xxh3_64(&record);
        record.extend(sum.to_le_bytes());
        self.put(key, &record)
    }

    /// Appends the first values of a vector that is as long as these or longer, scaled to length 1.
    ///
    /// They are rounded as a log of the longer vectors has them. So a text has the same vector, bit
    /// for bit, whether it was cut from such a log or encoded for the purpose.
    pub(crate) fn append_cut(&mut self, key: [u8; 16], longer: &[f32]) -> Result<(), IndexError> {
        let rounded = longer.iter().map(|x| f16::from_f32(*x).to_f32());
        let mut vector: Vec<f32> = rounded.take(self.dim as usize).collect();
        indago_kernels::l2_normalize(&mut vector);
        self.append(key, &vector)
    }

    /// Appends a record of another log of the same encoder.
    pub(crate) fn copy_from(&mut self, other: &Self, index: u32) -> Result<(), IndexError> {
        let record = other.record(index)?;
        self.put(id_at(record, 0), record)
    }

    /// Appends a whole record of a log of the same encoder, unless its key is there already.
    pub(crate) fn append_record(&mut self, key: [u8; 16], record: &[u8]) -> Result<(), IndexError> {
        debug_assert_eq!(record.len(), record_bytes(self.dim));
        self.put(key, record)
    }

    fn put(&mut self, key: [u8; 16], record: &[u8]) -> Result<(), IndexError> {
        if self.index.contains_key(&key) {
            return Ok(());
        }
        let index = self.len;
        self.len = index
            .checked_add(1)
            .ok_or(IndexError::TooMany(u64::from(u32::MAX), "vectors"))?;
        self.out
            .write_all(record)
            .map_err(|e| IndexError::write(&self.path, e))?;
        self.fresh.extend(record);
        self.index.insert(key, index);
        Ok(())
    }

    /// Makes everything appended durable.
    pub(crate) fn sync(&mut self) -> Result<(), IndexError> {
        let failed = |e| IndexError::write(&self.path, e);
        self.out.flush().map_err(failed)?;
        self.out.get_ref().sync_data().map_err(failed)
    }

    fn record(&self, index: u32) -> Result<&[u8], RetrieveError> {
        let width = record_bytes(self.dim);
        let (bytes, at) = if index < self.mapped {
            (&self.map.bytes()[HEADER..], index as usize * width)
        } else {
            (&self.fresh[..], (index - self.mapped) as usize * width)
        };
        let record = bytes.get(at..at + width).filter(|record| is_whole(record));
        record.ok_or_else(|| misfit(&self.path, "a vector does not match its checksum"))
    }

    /// The vector of a record.
    pub(crate) fn vector(&self, index: u32) -> Result<Vec<f32>, RetrieveError> {
        self.record(index).map(vector)
    }
}

/// A log, open for reading what a matrix refers to.
#[derive(Debug)]
pub(crate) struct LogReader {
    path: PathBuf,
    map: Map,
    /// Of a log of [`READ_FROM`] bytes and more.
    file: Option<Positioned>,
    width: usize,
}

impl LogReader {
    pub(crate) fn open(path: &Path, fingerprint: &str, dim: u32) -> Result<Self, RetrieveError> {
        Self::open_from(path, fingerprint, dim, READ_FROM)
    }

    fn open_from(
        path: &Path,
        fingerprint: &str,
        dim: u32,
        read_from: usize,
    ) -> Result<Self, RetrieveError> {
        let map = Map::open(path)?;
        check_header(path, map.bytes(), fingerprint, dim)?;
        let large = map.bytes().len() >= read_from;
        Ok(Self {
            path: path.to_owned(),
            map,
            file: large.then(|| Positioned::open(path)).transpose()?,
            width: record_bytes(dim),
        })
    }

    /// Record `index`, in the map or read into `buffer`.
    fn record<'a>(
        &'a self,
        index: u32,
        buffer: &'a mut Vec<u8>,
    ) -> Result<&'a [u8], RetrieveError> {
        let at = HEADER as u64 + u64::from(index) * self.width as u64;
        let record = match &self.file {
            None => {
                let mapped = self.map.bytes().get(at as usize..);
                mapped.and_then(|bytes| bytes.get(..self.width))
            }
            Some(file) => {
                buffer.resize(self.width, 0);
                match file.read(buffer, at) {
                    Ok(()) => Some(&buffer[..]),
                    Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => None,
                    Err(error) => return Err(read_error(&self.path, error)),
                }
            }
        };
        record
            .filter(|record| is_whole(record))
            .ok_or_else(|| misfit(&self.path, "a vector does not match its checksum"))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Every record that matches its checksum and holds numbers, with its key.
    pub(crate) fn whole_records(&self) -> impl Iterator<Item = ([u8; 16], &[u8])> {
        let records = self.map.bytes()[HEADER..].chunks_exact(self.width);
        records
            .filter(|record| is_whole(record) && is_finite(record))
            .map(|record| (id_at(record, 0), record))
    }

    /// The vector of record `index`.
    pub(crate) fn vector(&self, index: u32) -> Result<Vec<f32>, RetrieveError> {
        self.record(index, &mut Vec::new()).map(vector)
    }

    /// Dot product of record `index` with `query`.
    pub(crate) fn dot(
        &self,
        index: u32,
        query: &[f32],
        buffers: &mut DotBuffers,
    ) -> Result<f32, RetrieveError> {
        let record = self.record(index, &mut buffers.record)?;
        let halves = record[16..self.width - 8].chunks_exact(2);
        buffers.halves.clear();
        buffers
            .halves
            .extend(halves.map(|b| f16::from_le_bytes([b[0], b[1]])));
        buffers.values.resize(buffers.halves.len(), 0.0);
        buffers.halves.convert_to_f32_slice(&mut buffers.values);
        Ok(indago_kernels::dot_f32(&buffers.values, query))
    }
}

/// Memory that one product after another uses.
#[derive(Debug, Default)]
pub(crate) struct DotBuffers {
    record: Vec<u8>,
    halves: Vec<f16>,
    values: Vec<f32>,
}

/// Reads a log through; for the health check.
pub(crate) fn check(path: &Path, fingerprint: &str, dim: u32) -> Result<(), RetrieveError> {
    let reader = LogReader::open(path, fingerprint, dim)?;
    let damaged = reader.map.bytes()[HEADER..]
        .chunks_exact(reader.width)
        .filter(|r| !(is_whole(r) && is_finite(r)))
        .count();
    if damaged > 0 {
        return Err(read_error(
            path,
            std::io::Error::new(
                std::io::ErrorKind::InvalidData,
                format!("{damaged} vectors do not match their checksums or are no numbers"),
            ),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(i: u8) -> [u8; 16] {
        [i; 16]
    }

    fn filled(path: &Path, n: u8) {
        let mut log = VectorLog::create(path, "model", 3).unwrap();
        for i in 0..n {
            log.append(key(i), &[f32::from(i), 0.5, -1.0]).unwrap();
        }
        log.sync().unwrap();
    }

    #[test]
    fn a_log_goes_on_where_it_ended() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        filled(&path, 3);
        let mut log = VectorLog::open(&path, "model", 3).unwrap();
        log.append(key(9), &[9.0, 0.0, 0.0]).unwrap();
        log.append(key(1), &[7.0, 7.0, 7.0]).unwrap();
        log.sync().unwrap();
        assert_eq!(log.vector(3).unwrap(), [9.0, 0.0, 0.0]);
        let log = VectorLog::open(&path, "model", 3).unwrap();
        assert_eq!(log.len(), 4);
        assert_eq!(
            log.vector(log.find(&key(1)).unwrap()).unwrap(),
            [1.0, 0.5, -1.0]
        );
        assert!(VectorLog::open(&path, "another", 3).is_err());
        assert!(VectorLog::open(&path, "model", 4).is_err());
    }

    #[test]
    fn a_large_log_gives_the_same_records_as_a_mapped_one_and_names_the_same_damage() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        filled(&path, 3);
        let open = |from| LogReader::open_from(&path, "model", 3, from).unwrap();
        let (mapped, read) = (open(usize::MAX), open(0));
        assert!(mapped.file.is_none() && read.file.is_some());
        let mut buffers = DotBuffers::default();
        let query = [2.0, 4.0, 1.0];
        for i in 0..3 {
            assert_eq!(mapped.vector(i).unwrap(), [i as f32, 0.5, -1.0]);
            assert_eq!(read.vector(i).unwrap(), mapped.vector(i).unwrap());
            let expected = 2.0 * i as f32 + 1.0;
            for reader in [&mapped, &read] {
                let dot = reader.dot(i, &query, &mut buffers).unwrap();
                assert!((dot - expected).abs() < 1e-6);
            }
        }
        for beyond in [3, u32::MAX] {
            let reasons = [&mapped, &read].map(|reader| reader.vector(beyond).unwrap_err());
            assert_eq!(reasons[0].to_string(), reasons[1].to_string());
        }
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[HEADER + 20] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        for from in [usize::MAX, 0] {
            assert!(open(from).vector(0).is_err());
            assert!(open(from).vector(1).is_ok());
        }
    }

    /// A vector of 48 values and length 1 that has more than nothing among its first.
    fn longer() -> impl Strategy<Value = Vec<f32>> {
        prop::collection::vec(-1.0_f32..1.0, 48).prop_map(|mut vector| {
            vector[0] += 2.0;
            indago_kernels::l2_normalize(&mut vector);
            vector
        })
    }

    proptest! {
        #[test]
        fn a_cut_vector_is_the_same_from_a_log_and_from_the_encoder(vector in longer()) {
            let dir = tempfile::tempdir().unwrap();
            let mut whole = VectorLog::create(&dir.path().join("whole"), "model", 48).unwrap();
            whole.append(key(1), &vector).unwrap();
            let mut cut = VectorLog::create(&dir.path().join("cut"), "model:16", 16).unwrap();
            cut.append_cut(key(1), &whole.vector(0).unwrap()).unwrap();
            cut.append_cut(key(2), &vector).unwrap();
            prop_assert_eq!(cut.vector(0).unwrap(), cut.vector(1).unwrap());
            // Rounding to 11 bits moves a vector by 2^-11 of its length at most. It is rounded twice,
            // before and after it is scaled: the cosine with the exact one is 1 - 2^-21 at least.
            let mut exact = vector[..16].to_vec();
            indago_kernels::l2_normalize(&mut exact);
            let apart = exact.iter().zip(cut.vector(0).unwrap()).map(|(x, y)| (x - y).powi(2));
            prop_assert!(apart.sum::<f32>().sqrt() <= 2.0 * 2.0_f32.powi(-11) + 1e-6);
        }

        #[test]
        fn a_torn_end_costs_only_the_last_vector(cut in 1usize..30) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("log");
            filled(&path, 3);
            let bytes = std::fs::read(&path).unwrap();
            std::fs::write(&path, &bytes[..bytes.len() - cut]).unwrap();
            let mut log = VectorLog::open(&path, "model", 3).unwrap();
            prop_assert_eq!(log.find(&key(2)), None);
            log.append(key(2), &[2.0, 0.5, -1.0]).unwrap();
            log.sync().unwrap();
            check(&path, "model", 3).unwrap();
            let log = VectorLog::open(&path, "model", 3).unwrap();
            prop_assert_eq!(log.vector(2).unwrap(), vec![2.0, 0.5, -1.0]);
        }

        #[test]
        fn any_flipped_byte_is_noticed(at in any::<prop::sample::Index>(), mask in 1u8..) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("log");
            filled(&path, 3);
            let mut bytes = std::fs::read(&path).unwrap();
            let at = at.index(bytes.len());
            bytes[at] ^= mask;
            std::fs::write(&path, &bytes).unwrap();
            prop_assert!(check(&path, "model", 3).is_err());
        }
    }
}
