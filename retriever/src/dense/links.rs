//! The graph of near neighbours beside a matrix, for approximate search.
//!
//! ```text
//! records  u32 per row of the matrix: its exact vector's place in the log, to recognise rows by
//! links    u32 [rows, degree]: rows linked to, u32::MAX where there are fewer
//! entries  u32 each: rows that searches begin with
//! ```
//! Rows of equal text share a record; only the first of them is in the graph.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use indago_core::ports::RetrieveError;

use super::misfit;
use crate::disk::bytes::u32_at;
use crate::disk::sealed::{Kind, SealedFile, SealedWriter};
use crate::error::IndexError;
use crate::manifest::LinkSet;
use crate::vamana::{Graph, LinkBytes, Walker};

const KIND: Kind = Kind {
    name: "links",
    version: 1,
};
/// Largest degree that is believed.
const MAX_DEGREE: u32 = 1024;

/// Writes a graph over rows that have `records`.
pub(super) fn write(path: &Path, graph: &Graph, records: &[u32]) -> Result<(), IndexError> {
    let mut file = SealedWriter::create(path, KIND)?;
    let sections = [
        ("records", records),
        ("links", &graph.links),
        ("entries", &graph.entries),
    ];
    for (name, values) in sections {
        file.begin(name)?;
        for chunk in values.chunks(1 << 14) {
            let bytes: Vec<u8> = chunk.iter().flat_map(|x| x.to_le_bytes()).collect();
            file.write(&bytes)?;
        }
    }
    file.finish()
}

/// A graph, open for walking.
#[derive(Debug)]
pub(crate) struct Links {
    file: SealedFile,
    span: std::ops::Range<usize>,
    pub(super) degree: usize,
    pub(super) records: Vec<u32>,
    pub(super) entries: Vec<u32>,
    pub(super) beam: usize,
    /// For rows in the graph whose text others share: the others.
    pub(super) twins: HashMap<u32, Vec<u32>>,
    /// Memory of walks that no thread is on.
    idle: Mutex<Vec<Walker>>,
}

impl Links {
    /// Opens and verifies the graph that the manifest names.
    pub(super) fn open(dir: &Path, set: &LinkSet) -> Result<Self, RetrieveError> {
        let path = dir.join(&set.file);
        let file = SealedFile::open(&path, KIND)?;
        let mut spans = Vec::new();
        for section in ["records", "links", "entries"] {
            file.verify(section)?;
            spans.push(file.span(section)?);
        }
        let numbers = |span: &std::ops::Range<usize>| -> Vec<u32> {
            let bytes = &file.bytes()[span.clone()];
            (0..bytes.len() / 4).map(|i| u32_at(bytes, 4 * i)).collect()
        };
        let (records, entries) = (numbers(&spans[0]), numbers(&spans[2]));
        let span = spans[1].clone();
        let fits = set.degree > 0
            && set.degree <= MAX_DEGREE
            && span.len() == 4 * records.len() * set.degree as usize
            && entries.iter().all(|&row| (row as usize) < records.len());
        if !fits {
            return Err(misfit(&path, "table lengths do not agree"));
        }
        let mut first: HashMap<u32, u32> = HashMap::with_capacity(records.len());
        let mut twins: HashMap<u32, Vec<u32>> = HashMap::new();
        for (row, &record) in records.iter().enumerate() {
            let first = *first.entry(record).or_insert(row as u32);
            if first != row as u32 {
                twins.entry(first).or_default().push(row as u32);
            }
        }
        Ok(Self {
            file,
            span,
            degree: set.degree as usize,
            records,
            entries,
            beam: set.beam as usize,
            twins,
            idle: Mutex::default(),
        })
    }

    pub(super) fn path(&self) -> &Path {
        self.file.path()
    }

    /// The links, as they are on disk.
    pub(super) fn bytes(&self) -> LinkBytes<'_> {
        LinkBytes {
            degree: self.degree,
            bytes: &self.file.bytes()[self.span.clone()],
        }
    }

    /// The graph, copied into memory.
    pub(super) fn graph(&self) -> Graph {
        let (links, _) = self.file.bytes()[self.span.clone()].as_chunks::<4>();
        Graph {
            degree: self.degree,
            links: links.iter().map(|&link| u32::from_le_bytes(link)).collect(),
            entries: self.entries.clone(),
        }
    }

    /// Runs `walk` with memory that is kept.
    pub(super) fn with_walker<T>(&self, walk: impl FnOnce(&mut Walker) -> T) -> T {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let mut walker = idle.pop().unwrap_or_default();
        drop(idle);
        let outcome = walk(&mut walker);
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push(walker);
        outcome
    }
}
