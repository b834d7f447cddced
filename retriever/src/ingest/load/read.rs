//! Opens files within limits, unpacking gzip.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};

use flate2::read::MultiGzDecoder;

use super::LoadLimits;
use crate::ingest::decode::{Decoded, decode};
use crate::ingest::skipped::human_bytes;
use crate::ingest::{FoundFile, SkipReason, Skipped};

/// Unpacked bytes below which no ratio is asked for: small files compress well.
const FREE_EXPANSION_BYTES: u64 = 16 << 20;

const BUFFER_BYTES: usize = 256 * 1024;

/// Bytes that tell text from other files.
const HEAD_BYTES: u64 = 8192;

/// The bytes of a file that is read whole.
pub(super) fn bytes(file: &FoundFile, limits: &LoadLimits) -> Result<Vec<u8>, Skipped> {
    whole(file, limits, false)
}

/// The text of a file that is read whole, and what to tell the user about its encoding.
pub(super) fn text(file: &FoundFile, limits: &LoadLimits) -> Result<Decoded, Skipped> {
    decode(whole(file, limits, true)?, None).map_err(|_not_text| binary(file))
}

/// Reads a file. One that ought to be text and begins otherwise is given up at once, so that
/// pictures and films are neither read to their end nor reported as too large a text.
fn whole(file: &FoundFile, limits: &LoadLimits, text_only: bool) -> Result<Vec<u8>, Skipped> {
    let packed = is_packed(file);
    let over = !packed && file.bytes > limits.file_bytes;
    if over && !text_only {
        return Err(too_large(
            file,
            file.bytes,
            limits.file_bytes,
            "max_file_bytes",
        ));
    }
    let size_hint = if packed || over {
        HEAD_BYTES as usize
    } else {
        file.bytes as usize
    };
    let mut bytes = Vec::with_capacity(size_hint + 1);
    let mut reader = open(file, limits, limits.file_bytes, "max_file_bytes")?;
    let fail = |error| read_error(file, &error);
    reader
        .by_ref()
        .take(HEAD_BYTES)
        .read_to_end(&mut bytes)
        .map_err(fail)?;
    let marked = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff");
    if text_only && !marked && memchr::memchr(0, &bytes).is_some() {
        return Err(binary(file));
    }
    if over {
        return Err(too_large(
            file,
            file.bytes,
            limits.file_bytes,
            "max_file_bytes",
        ));
    }
    reader.read_to_end(&mut bytes).map_err(fail)?;
    Ok(bytes)
}

/// A record file, to be read piece by piece.
pub(super) fn stream(
    file: &FoundFile,
    limits: &LoadLimits,
) -> Result<Box<dyn BufRead + Send>, Skipped> {
    let reader = open(file, limits, limits.stream_bytes, "max_stream_bytes")?;
    Ok(Box::new(BufReader::with_capacity(BUFFER_BYTES, reader)))
}

fn is_packed(file: &FoundFile) -> bool {
    file.relative.to_ascii_lowercase().ends_with(".gz")
}

fn open(
    file: &FoundFile,
    limits: &LoadLimits,
    limit: u64,
    setting: &'static str,
) -> Result<Box<dyn Read + Send>, Skipped> {
    let opened = File::open(&file.path).map_err(|error| Skipped::io(&file.relative, &error))?;
    if !is_packed(file) {
        let reason = SkipReason::TooLarge;
        return Ok(Box::new(Bounded {
            inner: opened,
            left: limit,
            limit,
            setting,
            reason,
        }));
    }
    let by_ratio = FREE_EXPANSION_BYTES.max(file.bytes.saturating_mul(limits.expansion));
    let unpacked = MultiGzDecoder::new(BufReader::new(opened));
    Ok(if by_ratio < limit {
        let (reason, setting) = (SkipReason::ExpandsTooFar, "max_expansion");
        Box::new(Bounded {
            inner: unpacked,
            left: by_ratio,
            limit: by_ratio,
            setting,
            reason,
        })
    } else {
        let reason = SkipReason::TooLarge;
        Box::new(Bounded {
            inner: unpacked,
            left: limit,
            limit,
            setting,
            reason,
        })
    })
}

/// Fails once more than `limit` bytes were asked of it.
struct Bounded<R> {
    inner: R,
    left: u64,
    limit: u64,
    setting: &'static str,
    reason: SkipReason,
}

/// What [`Bounded`] fails with, carried inside an [`io::Error`].
#[derive(Debug, thiserror::Error)]
#[error("over {}; raise `{setting}` to read all of it", human_bytes(*limit))]
struct OverLimit {
    limit: u64,
    setting: &'static str,
    reason: SkipReason,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        // One byte past the limit tells a file that ends there from one that goes on.
        let room = usize::try_from(self.left.saturating_add(1)).unwrap_or(usize::MAX);
        let room = room.min(buf.len());
        let n = self.inner.read(&mut buf[..room])?;
        match self.left.checked_sub(n as u64) {
            Some(left) => {
                self.left = left;
                Ok(n)
            }
            None => Err(io::Error::other(OverLimit {
                limit: self.limit,
                setting: self.setting,
                reason: self.reason,
            })),
        }
    }
}

/// The skip that belongs to an error while reading `file`.
pub(super) fn read_error(file: &FoundFile, error: &io::Error) -> Skipped {
    let over = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<OverLimit>());
    if let Some(over) = over {
        return Skipped::new(&file.relative, over.reason, over.to_string());
    }
    let damaged = is_packed(file)
        && matches!(
            error.kind(),
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
        );
    if damaged {
        let detail = format!("the gzip data cannot be unpacked: {error}");
        return Skipped::new(&file.relative, SkipReason::Damaged, detail);
    }
    Skipped::io(&file.relative, error)
}

pub(super) fn binary(file: &FoundFile) -> Skipped {
    let detail = "holds NUL bytes, so it is no text, and its name is of no format that is read";
    Skipped::new(&file.relative, SkipReason::Binary, detail)
}

pub(super) fn too_large(file: &FoundFile, size: u64, limit: u64, setting: &str) -> Skipped {
    let (size, limit) = (human_bytes(size), human_bytes(limit));
    let detail = format!("{size} is over the limit of {limit}; raise `{setting}` to read it");
    Skipped::new(&file.relative, SkipReason::TooLarge, detail)
}
