//! The matrix of 8-bit codes that a search scans.
//!
//! ```text
//! codes    one byte per value, row-major
//! scales   f32 per row: value = scale * code
//! rows     u32 per row: the passage's row in the document store, ascending
//! records  u32 per row: its exact vector's place in the log
//! ```

use std::path::Path;
use std::sync::{Arc, OnceLock};

use indago_core::ports::RetrieveError;
use indago_core::{Cancel, PassageId};
use indago_kernels::cuda::{DeviceError, HostRows, RowScan, RowScanner};
use indago_kernels::quantize::push_row_i8;
use indago_kernels::scan::{ScanError, Scored, top_k_i8_where};
use indago_kernels::{AnyRows, RowsI8, ShapeError};

use super::links::Links;
use super::log::{DotBuffers, LogReader, VectorLog};
use super::misfit;
use crate::disk::bytes::{f32_at, u32_at};
use crate::disk::sealed::{Kind, SealedFile, SealedWriter};
use crate::error::IndexError;
use crate::filter::Allowed;
use crate::manifest::VectorSet;
use crate::store::Store;

const KIND: Kind = Kind {
    name: "vectors",
    version: 1,
};
/// Candidates that are scored again beyond the hits asked for. 8-bit codes swap close neighbours
/// only: of the exact first ten, 99.9% and more are found (measured on five data sets).
pub(super) const SPARE: usize = 48;

/// Writes the codes of the given passages and their log records.
pub(super) fn write(path: &Path, log: &VectorLog, rows: &[(u32, u32)]) -> Result<(), IndexError> {
    let mut file = SealedWriter::create(path, KIND)?;
    let mut scales = Vec::with_capacity(rows.len());
    let mut codes = Vec::new();
    file.begin("codes")?;
    for (_, record) in rows {
        codes.clear();
        scales.push(push_row_i8(&log.vector(*record)?, &mut codes));
        file.write(bytemuck::cast_slice(&codes))?;
    }
    file.begin("scales")?;
    for scale in scales {
        file.write(&scale.to_le_bytes())?;
    }
    file.begin("rows")?;
    for (row, _) in rows {
        file.write(&row.to_le_bytes())?;
    }
    file.begin("records")?;
    for (_, record) in rows {
        file.write(&record.to_le_bytes())?;
    }
    file.finish()
}

/// The vectors of one encoder, open for searching.
#[derive(Debug)]
pub(crate) struct Vectors {
    codes: Arc<Codes>,
    rows: std::ops::Range<usize>,
    records: std::ops::Range<usize>,
    log: LogReader,
    store: Arc<Store>,
    elsewhere: OnceLock<Elsewhere>,
    /// The graph over these rows, unless it is of an earlier matrix.
    pub(super) links: Option<Links>,
}

/// The codes of a matrix, whoever scans them.
#[derive(Debug)]
struct Codes {
    file: SealedFile,
    span: std::ops::Range<usize>,
    scales: Vec<f32>,
    dim: usize,
}

impl Codes {
    fn i8(&self) -> Result<RowsI8<'_>, ShapeError> {
        RowsI8::new(
            bytemuck::cast_slice(&self.file.bytes()[self.span.clone()]),
            &self.scales,
            self.dim,
        )
    }
}

impl HostRows for Codes {
    fn rows(&self) -> Result<AnyRows<'_>, ShapeError> {
        self.i8().map(AnyRows::I8)
    }
}

/// A device that scans instead of this CPU; the codes are brought there by the first search.
struct Elsewhere {
    scanner: Arc<dyn RowScanner>,
    scan: OnceLock<Result<Arc<dyn RowScan>, DeviceError>>,
}

impl std::fmt::Debug for Elsewhere {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.scan.get() {
            Some(Ok(scan)) => f.write_str(&scan.describe()),
            Some(Err(error)) => write!(f, "{error}"),
            None => f.write_str("not searched yet"),
        }
    }
}

impl Vectors {
    /// Opens and verifies the vectors that the manifest names.
    pub(crate) fn open(
        dir: &Path,
        set: &VectorSet,
        store: Arc<Store>,
    ) -> Result<Self, RetrieveError> {
        let path = dir.join(&set.matrix);
        let file = SealedFile::open(&path, KIND)?;
        for section in ["codes", "scales", "rows", "records"] {
            file.verify(section)?;
        }
        let scales = &file.bytes()[file.span("scales")?];
        let scales: Vec<f32> = (0..scales.len() / 4)
            .map(|i| f32_at(scales, 4 * i))
            .collect();
        let (rows, records) = (file.span("rows")?, file.span("records")?);
        let current = set
            .links
            .as_ref()
            .filter(|links| links.matrix == set.matrix);
        let links = current.map(|links| Links::open(dir, links)).transpose()?;
        let codes = Codes {
            span: file.span("codes")?,
            scales,
            dim: set.dim as usize,
            file,
        };
        let n = codes.scales.len();
        let fits_codes = codes.dim > 0 && codes.span.len() == n * codes.dim;
        let vectors = Self {
            codes: Arc::new(codes),
            rows,
            records,
            log: LogReader::open(&dir.join(&set.log), &set.fingerprint, set.dim)?,
            store,
            elsewhere: OnceLock::new(),
            links,
        };
        let fits = fits_codes
            && vectors.rows.len() == 4 * n
            && vectors.records.len() == 4 * n
            && n as u64 == set.embedded
            && vectors
                .links
                .as_ref()
                .is_none_or(|links| links.records.len() == n);
        if !fits {
            return Err(misfit(&path, "table lengths do not agree"));
        }
        if !vectors.rows_are_passages() {
            return Err(misfit(&path, "its rows are not passages in order"));
        }
        if let Some(links) = &vectors.links
            && (0..n).any(|i| links.records[i] != vectors.record(i))
        {
            return Err(misfit(links.path(), "it is the graph of other vectors"));
        }
        Ok(vectors)
    }

    /// Whether every row is of a passage of the store, each at most once.
    fn rows_are_passages(&self) -> bool {
        let rows = || (0..self.len()).map(|i| self.row(i));
        rows().is_sorted_by(|a, b| a < b)
            && rows()
                .next_back()
                .is_none_or(|last| last < self.store.n_passages())
    }

    /// Scans on devices from now on; the first call counts.
    pub(crate) fn scan_on(&self, scanner: Arc<dyn RowScanner>) {
        // A later call finds the place taken, as documented.
        let _ = self.elsewhere.set(Elsewhere {
            scanner,
            scan: OnceLock::new(),
        });
    }

    /// Number of vectors.
    pub(crate) fn len(&self) -> usize {
        self.codes.scales.len()
    }

    pub(super) fn path(&self) -> &Path {
        self.codes.file.path()
    }

    /// All rows as 8-bit codes.
    pub(super) fn codes(&self) -> Result<RowsI8<'_>, RetrieveError> {
        let rows = self.codes.i8();
        rows.map_err(|e| misfit(self.path(), &e.to_string()))
    }

    /// The passage of a row.
    pub(super) fn passage(&self, i: usize) -> PassageId {
        self.store.passage_id(self.row(i))
    }

    /// The exact vector of a row.
    pub(super) fn vector(&self, i: usize) -> Result<Vec<f32>, RetrieveError> {
        self.log.vector(self.record(i))
    }

    pub(super) fn row(&self, i: usize) -> u32 {
        u32_at(&self.codes.file.bytes()[self.rows.clone()], 4 * i)
    }

    pub(super) fn record(&self, i: usize) -> u32 {
        u32_at(&self.codes.file.bytes()[self.records.clone()], 4 * i)
    }

    /// The best `k` passages by dot product with `query`, best first, ties by passage id.
    pub(crate) fn search(
        &self,
        query: &[f32],
        k: usize,
        allowed: Option<&Allowed>,
        cancel: &Cancel,
    ) -> Result<Vec<(PassageId, f32)>, RetrieveError> {
        let wanted = k.saturating_add(k / 4 + SPARE).min(self.codes.scales.len());
        let keep = |i: usize| allowed.is_none_or(|allowed| allowed.row(self.row(i)));
        let best = match self.elsewhere.get() {
            None => {
                let rows = self.codes()?;
                top_k_i8_where(rows, query, wanted, keep, cancel).map_err(|e| match e {
                    ScanError::Cancelled(cancelled) => RetrieveError::Cancelled(cancelled),
                    ScanError::Shape(e) => misfit(self.path(), &e.to_string()),
                })?
            }
            Some(device) => {
                let filter = allowed.map(|_| bits(self.codes.scales.len(), keep));
                device.search(&self.codes, query, wanted, filter.as_deref(), cancel)?
            }
        };
        let best = best.into_iter().flatten().map(|scored| scored.row as u32);
        self.exactly(best, query, k)
    }

    /// The best `k` of `rows` by their exact vectors, best first, ties by passage id.
    pub(super) fn exactly(
        &self,
        rows: impl Iterator<Item = u32>,
        query: &[f32],
        k: usize,
    ) -> Result<Vec<(PassageId, f32)>, RetrieveError> {
        let mut buffers = DotBuffers::default();
        let mut hits = Vec::with_capacity(rows.size_hint().0);
        for row in rows {
            let row = row as usize;
            let score = self.log.dot(self.record(row), query, &mut buffers)?;
            if !score.is_finite() {
                return Err(misfit(
                    self.log.path(),
                    "a vector has a value that is no number",
                ));
            }
            hits.push((self.store.passage_id(self.row(row)), score));
        }
        hits.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        // A graph that links to rows of equal text beside the first gives them twice.
        hits.dedup_by_key(|hit| hit.0);
        hits.truncate(k);
        Ok(hits)
    }
}

impl Elsewhere {
    fn search(
        &self,
        codes: &Arc<Codes>,
        query: &[f32],
        k: usize,
        filter: Option<&[u32]>,
        cancel: &Cancel,
    ) -> Result<Vec<Vec<Scored>>, RetrieveError> {
        let failed = |error: DeviceError| match error {
            DeviceError::Cancelled(cancelled) => RetrieveError::Cancelled(cancelled),
            other => RetrieveError::Engine {
                engine: "the GPU",
                reason: other.to_string(),
            },
        };
        let scan = match self.scan.get() {
            Some(known) => known.clone(),
            None => match self.scanner.place(codes.clone(), cancel) {
                // Cancelled half-way: the next search tries again.
                Err(error @ DeviceError::Cancelled(_)) => return Err(failed(error)),
                // Two searches may have placed them at once; both places hold the same.
                placed => self.scan.get_or_init(|| placed).clone(),
            },
        };
        scan.and_then(|scan| scan.top_k(query, k, filter, cancel))
            .map_err(failed)
    }
}

/// A bit for each of `n` rows, as devices read filters.
fn bits(n: usize, keep: impl Fn(usize) -> bool) -> Vec<u32> {
    let mut words = vec![0_u32; n.div_ceil(32)];
    for row in (0..n).filter(|&row| keep(row)) {
        words[row / 32] |= 1 << (row % 32);
    }
    words
}
