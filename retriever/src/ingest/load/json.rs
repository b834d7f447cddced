//! Record files in JSON: an object on each line, an array of objects, or objects one after another.
//!
//! Records are framed before they are parsed, so that a file larger than memory streams through and
//! a broken record costs only itself.

use std::io::{self, BufRead, Cursor, Read};

use indago_core::DocumentKind;
use serde_json::{Map, Value};

use super::draft::Draft;
use super::{LoadLimits, Loaded, Parsed, Records, read, record};
use crate::ingest::decode::decode;
use crate::ingest::skipped::human_bytes;
use crate::ingest::{FoundFile, Lines, SkipReason, Skipped, Warning};

/// Bad records of one file that are listed one by one.
const LISTED_PROBLEMS: usize = 20;

/// An object on each line.
pub(super) fn load_lines(file: &FoundFile, limits: &LoadLimits) -> Result<Loaded, Skipped> {
    let reader = utf8_reader(file, limits)?;
    Ok(Loaded::records(JsonRecords::new(
        file,
        limits,
        Framing::Lines,
        reader,
    )))
}

/// An array of objects, objects one after another, or a single value, which is taken as text.
pub(super) fn load(file: &FoundFile, limits: &LoadLimits) -> Result<Loaded, Skipped> {
    let mut reader = utf8_reader(file, limits)?;
    let fail = |error: &io::Error| read::read_error(file, error);
    let head = peek(&mut reader, 2).map_err(|error| fail(&error))?;
    if head.is_empty() {
        return Err(super::empty(file));
    }
    if head == b"[{" {
        return Ok(Loaded::records(JsonRecords::new(
            file,
            limits,
            Framing::Elements,
            reader,
        )));
    }
    if head.first() == Some(&b'{') {
        let mut first = Vec::new();
        let mut line = 1;
        let framed = next_element(&mut reader, &mut first, limits.record_bytes, &mut line);
        let whole = matches!(framed, Ok(Frame::Record));
        let next = if whole {
            peek(&mut reader, 1).unwrap_or_default()
        } else {
            Vec::new()
        };
        let is_record = || {
            serde_json::from_slice::<Map<String, Value>>(&first).is_ok_and(|object| {
                record::TEXT_FIELDS
                    .iter()
                    .any(|field| object.contains_key(*field))
            })
        };
        if next == b"{" || (whole && next.is_empty() && is_record()) {
            // The first record again, before the rest.
            let again = Box::new(Cursor::new(first).chain(reader));
            return Ok(Loaded::records(JsonRecords::new(
                file,
                limits,
                Framing::Elements,
                again,
            )));
        }
    }
    let decoded = read::text(file, limits)?;
    let mut draft = Draft::new(DocumentKind::Text, decoded.text);
    draft.notes.extend(decoded.warning);
    draft.outline.lines = Lines::From(1);
    draft.alone(file)
}

type Reader = Box<dyn BufRead + Send>;

/// The file's bytes without a byte order mark; UTF-16 is decoded first.
fn utf8_reader(file: &FoundFile, limits: &LoadLimits) -> Result<Reader, Skipped> {
    let mut reader = read::stream(file, limits)?;
    let head = reader
        .fill_buf()
        .map_err(|error| read::read_error(file, &error))?;
    if head.starts_with(b"\xef\xbb\xbf") {
        reader.consume(3);
    } else if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") {
        return Ok(Box::new(Cursor::new(
            read::text(file, limits)?.text.into_bytes(),
        )));
    }
    Ok(reader)
}

/// The next `n` bytes that are not white space, which is consumed before the first; fewer at the
/// end. Only looks into the current buffer for the second byte on.
fn peek(reader: &mut Reader, n: usize) -> io::Result<Vec<u8>> {
    loop {
        let buffer = reader.fill_buf()?;
        let blank = buffer
            .iter()
            .take_while(|byte| byte.is_ascii_whitespace())
            .count();
        if blank == buffer.len() {
            if blank == 0 {
                return Ok(Vec::new());
            }
            reader.consume(blank);
            continue;
        }
        let rest = buffer[blank..]
            .iter()
            .filter(|byte| !byte.is_ascii_whitespace());
        return Ok(rest.take(n).copied().collect());
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Lines,
    Elements,
}

/// What a framer found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Frame {
    Record,
    /// A record over the limit; it was passed over.
    TooLong,
    End,
}

struct JsonRecords {
    file: FoundFile,
    record_bytes: u64,
    framing: Framing,
    reader: Reader,
    buffer: Vec<u8>,
    /// Line of the next record's first byte.
    line: u32,
    n_records: u64,
    n_problems: u64,
    n_notes: usize,
    ended: bool,
}

impl JsonRecords {
    fn new(file: &FoundFile, limits: &LoadLimits, framing: Framing, reader: Reader) -> Self {
        Self {
            file: file.clone(),
            record_bytes: limits.record_bytes,
            framing,
            reader,
            buffer: Vec::new(),
            line: 1,
            n_records: 0,
            n_problems: 0,
            n_notes: 0,
            ended: false,
        }
    }

    /// Reads the next record into the buffer; gives its line.
    fn frame(&mut self) -> io::Result<(Frame, u32)> {
        self.buffer.clear();
        match self.framing {
            Framing::Lines => {
                let line = self.line;
                let frame = next_line(&mut self.reader, &mut self.buffer, self.record_bytes)?;
                self.line = line.saturating_add(1);
                Ok((frame, line))
            }
            Framing::Elements => {
                let mut line = self.line;
                skip_separators(&mut self.reader, &mut line)?;
                self.line = line;
                let limit = self.record_bytes;
                let frame =
                    next_element(&mut self.reader, &mut self.buffer, limit, &mut self.line)?;
                Ok((frame, line))
            }
        }
    }

    fn place(&self, line: u32) -> String {
        format!("{}:{line}", self.file.relative)
    }

    /// A problem with one record; only the first few are listed, the rest counted.
    fn problem(&mut self, line: u32, reason: SkipReason, detail: String) -> Option<Skipped> {
        self.n_problems += 1;
        (self.n_problems <= LISTED_PROBLEMS as u64)
            .then(|| Skipped::new(&self.place(line), reason, detail))
    }

    fn note(&mut self, line: u32, detail: String, warnings: &mut Vec<Warning>) {
        self.n_notes += 1;
        if self.n_notes <= LISTED_PROBLEMS {
            warnings.push(Warning {
                path: self.place(line),
                detail,
            });
        }
    }

    fn end(&mut self, warnings: &mut Vec<Warning>) -> Option<Result<Parsed, Skipped>> {
        self.ended = true;
        let listed = LISTED_PROBLEMS as u64;
        if self.n_notes > LISTED_PROBLEMS {
            let detail = format!(
                "{} more warnings about records",
                self.n_notes - LISTED_PROBLEMS
            );
            warnings.push(Warning {
                path: self.file.relative.clone(),
                detail,
            });
        }
        if self.n_problems > listed {
            let detail = format!("{} more bad records", self.n_problems - listed);
            return Some(Err(Skipped::new(
                &self.file.relative,
                SkipReason::BadRecord,
                detail,
            )));
        }
        (self.n_records == 0 && self.n_problems == 0).then(|| Err(super::empty(&self.file)))
    }

    /// The record in the buffer; `Ok(None)` for a blank line.
    fn parse(
        &mut self,
        line: u32,
        warnings: &mut Vec<Warning>,
    ) -> Result<Option<Parsed>, (SkipReason, String)> {
        if self.buffer.iter().all(u8::is_ascii_whitespace) {
            return Ok(None);
        }
        let bad = |detail: String| (SkipReason::BadRecord, detail);
        let mut parsed = serde_json::from_slice::<Value>(&self.buffer);
        if parsed.is_err() && std::str::from_utf8(&self.buffer).is_err() {
            let decoded = decode(self.buffer.clone(), None)
                .map_err(|_not_text| bad("holds NUL bytes".to_owned()))?;
            parsed = serde_json::from_str(&decoded.text);
            if let Some(detail) = decoded.warning.filter(|_| parsed.is_ok()) {
                self.note(line, detail, warnings);
            }
        }
        let object = match parsed {
            Ok(Value::Object(object)) => object,
            Ok(_) => return Err(bad("is no JSON object".to_owned())),
            Err(error) => return Err(bad(format!("is no JSON: {error}"))),
        };
        let mut notes = Vec::new();
        let parsed = record::parse(&self.file, object, line, &mut notes);
        for note in notes {
            self.note(line, note, warnings);
        }
        if parsed.document.text.trim().is_empty() && parsed.document.title.is_empty() {
            return Err(bad("has no text".to_owned()));
        }
        Ok(Some(parsed))
    }
}

impl Records for JsonRecords {
    fn next(&mut self, warnings: &mut Vec<Warning>) -> Option<Result<Parsed, Skipped>> {
        while !self.ended {
            let (frame, line) = match self.frame() {
                Ok(framed) => framed,
                Err(error) => {
                    self.ended = true;
                    let mut skipped = read::read_error(&self.file, &error);
                    let read = self.n_records;
                    skipped.detail = format!("{}; {read} records were read", skipped.detail);
                    return Some(Err(skipped));
                }
            };
            let outcome = match frame {
                Frame::End => return self.end(warnings),
                Frame::TooLong => {
                    let limit = human_bytes(self.record_bytes);
                    let detail = format!("the record is over {limit}; raise `max_record_bytes`");
                    Err((SkipReason::TooLarge, detail))
                }
                Frame::Record => self.parse(line, warnings),
            };
            match outcome {
                Ok(None) => {}
                Ok(Some(parsed)) => {
                    self.n_records += 1;
                    return Some(Ok(parsed));
                }
                Err((reason, detail)) => {
                    if let Some(skipped) = self.problem(line, reason, detail) {
                        return Some(Err(skipped));
                    }
                }
            }
        }
        None
    }
}

/// Reads up to a line end; a line over `limit` is passed over.
fn next_line(reader: &mut Reader, buffer: &mut Vec<u8>, limit: u64) -> io::Result<Frame> {
    let mut within = reader.by_ref().take(limit.saturating_add(1));
    let n = within.read_until(b'\n', buffer)?;
    if n == 0 {
        return Ok(Frame::End);
    }
    if buffer.last() == Some(&b'\n') || n as u64 <= limit {
        return Ok(Frame::Record);
    }
    buffer.clear();
    reader.skip_until(b'\n')?;
    Ok(Frame::TooLong)
}

/// Passes white space, commas and the brackets of the outer array.
fn skip_separators(reader: &mut Reader, line: &mut u32) -> io::Result<()> {
    loop {
        let buffer = reader.fill_buf()?;
        let separators = buffer
            .iter()
            .take_while(|byte| byte.is_ascii_whitespace() || matches!(byte, b',' | b'[' | b']'))
            .inspect(|byte| *line = line.saturating_add(u32::from(**byte == b'\n')))
            .count();
        let all = separators == buffer.len();
        let at_end = buffer.is_empty();
        reader.consume(separators);
        if !all || at_end {
            return Ok(());
        }
    }
}

/// Reads one JSON value of braces; anything else up to the next separator. Counts line ends.
fn next_element(
    reader: &mut Reader,
    buffer: &mut Vec<u8>,
    limit: u64,
    line: &mut u32,
) -> io::Result<Frame> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    let mut any = false;
    let mut too_long = false;
    loop {
        let available = reader.fill_buf()?;
        if available.is_empty() {
            return Ok(match (any, too_long) {
                (false, _) => Frame::End,
                (true, true) => Frame::TooLong,
                (true, false) => Frame::Record,
            });
        }
        let mut used = 0;
        let mut done = false;
        for &byte in available {
            used += 1;
            any = true;
            *line = line.saturating_add(u32::from(byte == b'\n'));
            if in_string {
                if escaped {
                    escaped = false;
                } else if byte == b'\\' {
                    escaped = true;
                } else if byte == b'"' {
                    in_string = false;
                }
                continue;
            }
            match byte {
                b'"' => in_string = true,
                b'{' | b'[' => depth += 1,
                b'}' | b']' => {
                    depth = depth.saturating_sub(1);
                    done = depth == 0;
                }
                b',' => done = depth == 0,
                _ => {}
            }
            if done {
                break;
            }
        }
        if !too_long {
            buffer.extend_from_slice(&available[..used]);
            if buffer.len() as u64 > limit {
                too_long = true;
                buffer.clear();
            }
        }
        reader.consume(used);
        if done {
            return Ok(if too_long {
                Frame::TooLong
            } else {
                Frame::Record
            });
        }
    }
}
