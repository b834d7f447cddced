//! A log of records by key, which only grows: what was expensive to make is on disk as soon as it is
//! there, and a killed program finds it again.
//!
//! ```text
//! header   64 bytes   magic, version u32, hash of what the records are of (32), zeros
//! record              payload length u32, key 16, xxh3 of the payload u64, xxh3 of the 28 bytes
//!                     before u64, payload
//! ```
//! What a kill cut off at the end is dropped when the log is opened for writing. Damage is an error
//! for readers; a writer goes on without the records that are damaged, behind a damaged head without
//! all.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use indago_core::ports::RetrieveError;
use xxhash_rust::xxh3::xxh3_64;

use super::bytes::{id_at, u32_at, u64_at};
use crate::error::{IndexError, corrupt, read_error};

const MAGIC: &[u8; 8] = b"indagoRL";
const VERSION: u32 = 1;
const HEADER: usize = 64;
const HEAD: usize = 36;
/// Longest payload that is believed.
const MAX_PAYLOAD: usize = 64 << 20;

pub(crate) type Key = [u8; 16];

/// A log, open for adding.
#[derive(Debug)]
pub(crate) struct RecordLog {
    path: PathBuf,
    file: File,
    /// Where each key's payload is, and its length; the last of a key counts.
    places: HashMap<Key, (u64, usize)>,
    end: u64,
}

fn header(of: &str) -> [u8; HEADER] {
    let mut bytes = [0; HEADER];
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
    bytes[12..44].copy_from_slice(blake3::hash(of.as_bytes()).as_bytes());
    bytes
}

/// A record's head: length, key, hash of the payload, hash of these.
fn head(key: Key, payload: &[u8]) -> [u8; HEAD] {
    let mut bytes = [0; HEAD];
    bytes[..4].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    bytes[4..20].copy_from_slice(&key);
    bytes[20..28].copy_from_slice(&xxh3_64(payload).to_le_bytes());
    let sum = xxh3_64(&bytes[..28]);
    bytes[28..].copy_from_slice(&sum.to_le_bytes());
    bytes
}

/// Length and key of a whole head.
fn read_head(bytes: &[u8; HEAD]) -> Option<(usize, Key)> {
    let length = u32_at(bytes, 0) as usize;
    let whole = xxh3_64(&bytes[..28]) == u64_at(bytes, 28) && length <= MAX_PAYLOAD;
    whole.then(|| (length, id_at(bytes, 4)))
}

/// How far the records of a log go.
struct Walked {
    /// Where the last one ends.
    end: u64,
    /// Whether one before has a damaged payload.
    damaged: bool,
}

/// Calls `take` with the place and bytes of every whole record before byte `upto`; gives `None` when
/// the log is not one `of` these records.
fn walk(
    file: &mut File,
    of: &str,
    upto: u64,
    mut take: impl FnMut(Key, u64, Vec<u8>),
) -> io::Result<Option<Walked>> {
    file.seek(SeekFrom::Start(0))?;
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let mut start = [0; HEADER];
    if reader.read_exact(&mut start).is_err() || start != header(of) {
        return Ok(None);
    }
    let mut at = HEADER as u64;
    let mut damaged = false;
    let mut bytes = [0; HEAD];
    while at + HEAD as u64 <= upto && reader.read_exact(&mut bytes).is_ok() {
        let Some((length, key)) = read_head(&bytes) else {
            break;
        };
        let after = at + (HEAD + length) as u64;
        let mut payload = Vec::new();
        let read = reader
            .by_ref()
            .take(length as u64)
            .read_to_end(&mut payload)?;
        if after > upto || read < length {
            break;
        }
        if xxh3_64(&payload) == u64_at(&bytes, 20) {
            take(key, at + HEAD as u64, payload);
        } else {
            damaged = true;
        }
        at = after;
    }
    Ok(Some(Walked { end: at, damaged }))
}

impl RecordLog {
    /// Opens the log at `path`, or begins one where there is none `of` these records.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(crate) fn open(path: &Path, of: &str) -> Result<Self, IndexError> {
        let failed = |e| IndexError::write(path, e);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(failed)?;
        let mut places = HashMap::new();
        let note = |key, at, payload: Vec<u8>| {
            places.insert(key, (at, payload.len()));
        };
        let walked = walk(&mut file, of, u64::MAX, note).map_err(failed)?;
        let end = match walked {
            Some(Walked { damaged: true, .. }) => return Self::without_damage(path, of),
            Some(Walked { end, .. }) => end,
            None => {
                file.set_len(0).map_err(failed)?;
                file.seek(SeekFrom::Start(0)).map_err(failed)?;
                file.write_all(&header(of)).map_err(failed)?;
                HEADER as u64
            }
        };
        file.set_len(end).map_err(failed)?;
        Ok(Self {
            path: path.to_owned(),
            file,
            places,
            end,
        })
    }

    /// Writes the log anew with the records that are whole.
    fn without_damage(path: &Path, of: &str) -> Result<Self, IndexError> {
        tracing::warn!(path = %path.display(), "damaged records are dropped");
        let failed = |e| IndexError::write(path, e);
        let mut file = File::open(path).map_err(failed)?;
        let mut bytes = header(of).to_vec();
        let keep = |key, _, payload: Vec<u8>| {
            bytes.extend(head(key, &payload));
            bytes.extend(payload);
        };
        walk(&mut file, of, u64::MAX, keep).map_err(failed)?;
        drop(file);
        super::replace(path, &bytes)?;
        Self::open(path, of)
    }

    /// Bytes of all whole records and the header.
    pub(crate) fn bytes(&self) -> u64 {
        self.end
    }

    /// Whether there is a record of `key`.
    pub(crate) fn has(&self, key: &Key) -> bool {
        self.places.contains_key(key)
    }

    /// The payload of `key`.
    pub(crate) fn get(&mut self, key: &Key) -> Result<Option<Vec<u8>>, IndexError> {
        let Some(&(at, length)) = self.places.get(key) else {
            return Ok(None);
        };
        let mut payload = vec![0; length];
        let read = self.file.seek(SeekFrom::Start(at));
        read.and_then(|_| self.file.read_exact(&mut payload))
            .map_err(|e| read_error(&self.path, e))?;
        Ok(Some(payload))
    }

    /// Adds a record; it survives the program from now on, and a power cut after [`Self::sync`].
    pub(crate) fn append(&mut self, key: Key, payload: &[u8]) -> Result<(), IndexError> {
        if payload.len() > MAX_PAYLOAD {
            return Err(corrupt(&self.path, "a record is too long").into());
        }
        let failed = |e| IndexError::write(&self.path, e);
        let mut record = Vec::with_capacity(HEAD + payload.len());
        record.extend(head(key, payload));
        record.extend(payload);
        self.file
            .seek(SeekFrom::Start(self.end))
            .and_then(|_| self.file.write_all(&record))
            .map_err(failed)?;
        self.places
            .insert(key, (self.end + HEAD as u64, payload.len()));
        self.end += record.len() as u64;
        Ok(())
    }

    /// Makes what was added durable.
    pub(crate) fn sync(&self) -> Result<(), IndexError> {
        let synced = self.file.sync_data();
        synced.map_err(|e| IndexError::write(&self.path, e))
    }

    /// Drops all records.
    pub(crate) fn clear(&mut self) -> Result<(), IndexError> {
        let cut = self.file.set_len(HEADER as u64);
        cut.map_err(|e| IndexError::write(&self.path, e))?;
        self.places.clear();
        self.end = HEADER as u64;
        Ok(())
    }
}

/// Every whole record of the first `upto` bytes of a log, the last of a key.
///
/// # Errors
/// When it cannot be read, or is no log `of` these records.
pub(crate) fn read(
    path: &Path,
    of: &str,
    upto: u64,
) -> Result<HashMap<Key, Vec<u8>>, RetrieveError> {
    let failed = |e| read_error(path, e);
    let mut file = File::open(path).map_err(failed)?;
    let mut records = HashMap::new();
    let take = |key, _, payload| {
        records.insert(key, payload);
    };
    match walk(&mut file, of, upto, take).map_err(failed)? {
        Some(Walked { end, damaged }) if end >= upto && !damaged => Ok(records),
        Some(_) => Err(corrupt(path, "records are cut off or damaged")),
        None => Err(corrupt(path, "not a log of these records")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(i: u8) -> Key {
        [i; 16]
    }

    fn payload(i: u8) -> Vec<u8> {
        vec![i; usize::from(i) * 3]
    }

    fn filled(path: &Path) -> u64 {
        let mut log = RecordLog::open(path, "a").unwrap();
        for i in 0..10 {
            log.append(key(i), &payload(i)).unwrap();
        }
        log.sync().unwrap();
        log.bytes()
    }

    #[test]
    fn records_come_back_and_another_log_begins_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x/log");
        let bytes = filled(&path);
        let mut log = RecordLog::open(&path, "a").unwrap();
        assert_eq!(log.get(&key(7)).unwrap(), Some(payload(7)));
        assert_eq!(log.get(&key(77)).unwrap(), None);
        log.append(key(7), b"newer").unwrap();
        assert_eq!(log.get(&key(7)).unwrap().unwrap(), b"newer");
        // A reader sees what was there when it was told how much there is.
        assert_eq!(read(&path, "a", bytes).unwrap()[&key(7)], payload(7));
        assert!(read(&path, "b", bytes).is_err());
        let whole = std::fs::read(&path).unwrap();
        for at in 0..bytes as usize {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            let beside = dir.path().join("damaged");
            std::fs::write(&beside, damaged).unwrap();
            assert!(read(&beside, "a", bytes).is_err(), "byte {at}");
        }
        assert!(!RecordLog::open(&path, "b").unwrap().has(&key(7)));
        let mut log = RecordLog::open(&path, "b").unwrap();
        log.append(key(1), b"").unwrap();
        log.clear().unwrap();
        assert!(!RecordLog::open(&path, "b").unwrap().has(&key(1)));
    }

    proptest! {
        #[test]
        fn whatever_a_kill_or_a_disk_does_only_true_records_come_back(
            cut in 0usize..800,
            flip in prop::option::of((0usize..800, 1u8..)),
        ) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("log");
            filled(&path);
            let mut bytes = std::fs::read(&path).unwrap();
            bytes.truncate(cut);
            if let Some((at, mask)) = flip && !bytes.is_empty() {
                let at = at % bytes.len();
                bytes[at] ^= mask;
            }
            std::fs::write(&path, &bytes).unwrap();
            let mut log = RecordLog::open(&path, "a").unwrap();
            for i in 0..10 {
                if let Some(found) = log.get(&key(i)).unwrap() {
                    prop_assert_eq!(found, payload(i));
                }
            }
            log.append(key(50), b"later").unwrap();
            let mut log = RecordLog::open(&path, "a").unwrap();
            prop_assert_eq!(log.get(&key(50)).unwrap().unwrap(), b"later");
            // What a writer has opened is whole for readers again.
            prop_assert!(read(&path, "a", log.bytes()).is_ok());
        }
    }
}
