//! CSV and TSV: a header row, then a document for each row.

use std::fmt::Write as _;
use std::io::{self, BufRead, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use csv::{ByteRecord, Reader, ReaderBuilder};
use indago_core::{DocumentId, DocumentKind};

use super::draft::Draft;
use super::record::{DATE_FIELDS, ID_FIELDS, TEXT_FIELDS, TITLE_FIELDS};
use super::{LoadLimits, Loaded, Parsed, Records, extension, read};
use crate::ingest::decode::decode;
use crate::ingest::skipped::human_bytes;
use crate::ingest::{FoundFile, Lines, SkipReason, Skipped, Warning, date};

/// Columns beyond these are no table but a mistake about the separator.
const MAX_COLUMNS: usize = 4096;

pub(super) fn load(file: &FoundFile, limits: &LoadLimits) -> Result<Loaded, Skipped> {
    let mut input = read::stream(file, limits)?;
    let fail = |error: &io::Error| read::read_error(file, error);
    let head = input.fill_buf().map_err(|error| fail(&error))?;
    if head.is_empty() {
        return Err(super::empty(file));
    }
    let is_utf16 = head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff");
    if !is_utf16 && head.contains(&0) {
        return Err(read::binary(file));
    }
    if is_utf16 {
        input = Box::new(Cursor::new(read::text(file, limits)?.text.into_bytes()));
    }
    let head = input.fill_buf().map_err(|error| fail(&error))?;
    if head.starts_with(b"\xef\xbb\xbf") {
        input.consume(3);
    }
    let head = input.fill_buf().map_err(|error| fail(&error))?;
    let separator = separator(&file.relative, head);
    let room = Arc::new(AtomicU64::new(limits.record_bytes));
    let bounded = RowBound {
        inner: input,
        room: Arc::clone(&room),
    };
    let reader = ReaderBuilder::new()
        .delimiter(separator)
        .flexible(true)
        .has_headers(false)
        .from_reader(bounded);
    let mut rows = Rows {
        file: file.clone(),
        record_bytes: limits.record_bytes,
        room,
        reader,
        row: ByteRecord::new(),
        columns: Columns::default(),
        n_read: 0,
        n_uneven: 0,
        legacy: None,
        ended: false,
    };
    rows.read_header()?;
    Ok(Loaded::records(rows))
}

/// The separator that the header line has most of; a tab for `.tsv`.
fn separator(name: &str, head: &[u8]) -> u8 {
    if matches!(extension(name).as_str(), "tsv" | "tab") {
        return b'\t';
    }
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let count = |mark: u8| memchr::memchr_iter(mark, line).count();
    let mut best = (count(b','), b',');
    for mark in [b';', b'\t'] {
        if count(mark) > best.0 {
            best = (count(mark), mark);
        }
    }
    best.1
}

/// Fails when one row takes more bytes than a record may: a quote that is never closed would
/// otherwise collect the rest of the file in memory.
struct RowBound {
    inner: Box<dyn BufRead + Send>,
    /// Bytes that may still be read before the next row is complete.
    room: Arc<AtomicU64>,
}

#[derive(Debug, thiserror::Error)]
#[error("a row runs on for too long")]
struct RowTooLong;

fn row_too_long(error: &io::Error) -> bool {
    error
        .get_ref()
        .is_some_and(<dyn std::error::Error + Send + Sync>::is::<RowTooLong>)
}

impl Read for RowBound {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        let room = self.room.load(Ordering::Relaxed);
        match room.checked_sub(n as u64) {
            Some(left) => self.room.store(left, Ordering::Relaxed),
            None => return Err(io::Error::other(RowTooLong)),
        }
        Ok(n)
    }
}

/// What each column is.
#[derive(Default)]
struct Columns {
    names: Vec<String>,
    id: Option<usize>,
    title: Option<usize>,
    text: Option<usize>,
    date: Option<usize>,
}

impl Columns {
    fn of(names: Vec<String>) -> Self {
        let lower: Vec<String> = names.iter().map(|name| name.to_ascii_lowercase()).collect();
        let find = |fields: &[&str]| {
            fields
                .iter()
                .find_map(|field| lower.iter().position(|name| name == field))
        };
        Self {
            id: find(&ID_FIELDS),
            title: find(&TITLE_FIELDS),
            text: find(&TEXT_FIELDS),
            date: find(&DATE_FIELDS),
            names,
        }
    }
}

struct Rows {
    file: FoundFile,
    record_bytes: u64,
    room: Arc<AtomicU64>,
    reader: Reader<RowBound>,
    row: ByteRecord,
    columns: Columns,
    n_read: u64,
    n_uneven: u64,
    /// What was said about the encoding of the first row that is not UTF-8.
    legacy: Option<String>,
    ended: bool,
}

impl Rows {
    fn read_header(&mut self) -> Result<(), Skipped> {
        let is_row = self.reader.read_byte_record(&mut self.row);
        self.room.store(self.record_bytes, Ordering::Relaxed);
        match is_row {
            Ok(true) => {}
            Ok(false) => return Err(super::empty(&self.file)),
            Err(error) => return Err(self.skipped(error)),
        }
        if self.row.len() > MAX_COLUMNS {
            let detail = format!("its header has {} columns", self.row.len());
            return Err(Skipped::new(
                &self.file.relative,
                SkipReason::BadRecord,
                detail,
            ));
        }
        let cells = self.cells();
        let names = cells.into_iter().enumerate().map(|(index, name)| {
            let name = name.trim().to_owned();
            if name.is_empty() {
                format!("column {}", index + 1)
            } else {
                name
            }
        });
        self.columns = Columns::of(names.collect());
        Ok(())
    }

    /// The row's cells as text.
    fn cells(&mut self) -> Vec<String> {
        let mut cells = Vec::with_capacity(self.row.len());
        for cell in &self.row {
            let text = match std::str::from_utf8(cell) {
                Ok(text) => text.to_owned(),
                Err(_legacy) => match decode(cell.to_vec(), None) {
                    Ok(decoded) => {
                        self.legacy = self.legacy.take().or(decoded.warning);
                        decoded.text
                    }
                    Err(_not_text) => String::from_utf8_lossy(cell).into_owned(),
                },
            };
            cells.push(text);
        }
        cells
    }

    fn skipped(&self, error: csv::Error) -> Skipped {
        let line = error.position().map(csv::Position::line);
        match error.into_kind() {
            csv::ErrorKind::Io(error) if row_too_long(&error) => {
                let limit = human_bytes(self.record_bytes);
                let detail = format!(
                    "the row after row {} is over {limit}: an unclosed quote, or raise \
                     `max_record_bytes`",
                    self.n_read
                );
                Skipped::new(&self.file.relative, SkipReason::TooLarge, detail)
            }
            csv::ErrorKind::Io(error) => {
                let mut skipped = read::read_error(&self.file, &error);
                skipped.detail = format!("{}; {} rows were read", skipped.detail, self.n_read);
                skipped
            }
            other => {
                let place = line.map_or_else(String::new, |line| format!("line {line}: "));
                let detail = format!("{place}{other:?}");
                Skipped::new(&self.file.relative, SkipReason::BadRecord, detail)
            }
        }
    }

    fn parse(&mut self, line: u32) -> Option<Parsed> {
        let cells = self.cells();
        if cells.iter().all(|cell| cell.trim().is_empty()) {
            return None;
        }
        let columns = &self.columns;
        self.n_uneven += u64::from(cells.len() != columns.names.len());
        let cell = |index: Option<usize>| index.and_then(|i| cells.get(i)).map(|text| text.trim());
        let mut draft = Draft::new(DocumentKind::CsvRow, String::new());
        draft.outline.record = true;
        draft.outline.lines = Lines::At(line);
        cell(columns.title)
            .unwrap_or_default()
            .clone_into(&mut draft.title);
        draft.date = cell(columns.date).and_then(date::parse);
        let text = cell(columns.text).filter(|text| !text.is_empty());
        if let Some(text) = text {
            text.clone_into(&mut draft.text);
        }
        for (index, value) in cells.iter().enumerate() {
            let value = value.trim();
            if value.is_empty()
                || [columns.text, columns.title].contains(&Some(index)) && text.is_some()
            {
                continue;
            }
            let spare;
            let name = if let Some(name) = columns.names.get(index) {
                name
            } else {
                spare = format!("column {}", index + 1);
                &spare
            };
            if text.is_none() {
                // Writing to a string cannot fail.
                let _ = writeln!(draft.text, "{name}: {value}");
            }
            if Some(index) != columns.id && Some(index) != columns.text {
                draft.set(name, value);
            }
        }
        draft.text.truncate(draft.text.trim_end().len());
        let id = cell(columns.id).filter(|id| !id.is_empty());
        let id = id.map_or_else(
            || DocumentId::new(format!("{}#{line}", self.file.relative)),
            DocumentId::new,
        );
        // Long cells are in the text; that they are no metadata needs no warning for each row.
        draft.notes.clear();
        Some(draft.finish(&self.file, id))
    }

    fn end(&mut self, warnings: &mut Vec<Warning>) -> Option<Result<Parsed, Skipped>> {
        self.ended = true;
        let mut warn = |detail: String| {
            warnings.push(Warning {
                path: self.file.relative.clone(),
                detail,
            });
        };
        if let Some(detail) = self.legacy.take() {
            warn(detail);
        }
        if self.n_uneven > 0 {
            let expected = self.columns.names.len();
            warn(format!(
                "{} rows do not have {expected} cells as the header",
                self.n_uneven
            ));
        }
        (self.n_read == 0).then(|| Err(super::empty(&self.file)))
    }
}

impl Records for Rows {
    fn next(&mut self, warnings: &mut Vec<Warning>) -> Option<Result<Parsed, Skipped>> {
        while !self.ended {
            let is_row = self.reader.read_byte_record(&mut self.row);
            self.room.store(self.record_bytes, Ordering::Relaxed);
            match is_row {
                Ok(true) => {
                    let line = self.row.position().map_or(1, csv::Position::line);
                    if let Some(parsed) = self.parse(u32::try_from(line).unwrap_or(u32::MAX)) {
                        self.n_read += 1;
                        return Some(Ok(parsed));
                    }
                }
                Ok(false) => return self.end(warnings),
                Err(error) => {
                    self.ended = true;
                    return Some(Err(self.skipped(error)));
                }
            }
        }
        None
    }
}
