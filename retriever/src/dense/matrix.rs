//! The matrix of 8-bit codes that a search scans.
//!
//! ```text
//! codes    one byte per value, row-major
//! scales   f32 per row: value = scale * code
//! rows     u32 per row: the passage's row in the document store, ascending
//! records  u32 per row: its exact vector's place in the log
//! ```

use std::path::Path;
use std::sync::Arc;

use indago_core::ports::RetrieveError;
use indago_core::{Cancel, PassageId};
use indago_kernels::RowsI8;
use indago_kernels::quantize::push_row_i8;
use indago_kernels::scan::{ScanError, top_k_i8_where};

use super::log::{LogReader, VectorLog};
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
const SPARE: usize = 48;

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
    file: SealedFile,
    codes: std::ops::Range<usize>,
    rows: std::ops::Range<usize>,
    records: std::ops::Range<usize>,
    scales: Vec<f32>,
    dim: usize,
    log: LogReader,
    store: Arc<Store>,
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
        let vectors = Self {
            codes: file.span("codes")?,
            rows: file.span("rows")?,
            records: file.span("records")?,
            dim: set.dim as usize,
            log: LogReader::open(&dir.join(&set.log), &set.fingerprint, set.dim)?,
            scales,
            file,
            store,
        };
        let n = vectors.scales.len();
        let fits = vectors.codes.len() == n * vectors.dim
            && vectors.rows.len() == 4 * n
            && vectors.records.len() == 4 * n
            && n as u64 == set.embedded;
        if fits {
            Ok(vectors)
        } else {
            Err(misfit(&path, "table lengths do not agree"))
        }
    }

    fn row(&self, i: usize) -> u32 {
        u32_at(&self.file.bytes()[self.rows.clone()], 4 * i)
    }

    fn record(&self, i: usize) -> u32 {
        u32_at(&self.file.bytes()[self.records.clone()], 4 * i)
    }

    /// The best `k` passages by dot product with `query`, best first, ties by passage id.
    pub(crate) fn search(
        &self,
        query: &[f32],
        k: usize,
        allowed: Option<&Allowed>,
        cancel: &Cancel,
    ) -> Result<Vec<(PassageId, f32)>, RetrieveError> {
        let codes: &[i8] = bytemuck::cast_slice(&self.file.bytes()[self.codes.clone()]);
        let shape = |e: &dyn std::fmt::Display| misfit(self.file.path(), &e.to_string());
        let rows = RowsI8::new(codes, &self.scales, self.dim).map_err(|e| shape(&e))?;
        let wanted = k.saturating_add(k / 4 + SPARE).min(self.scales.len());
        let keep = |i: usize| allowed.is_none_or(|allowed| allowed.row(self.row(i)));
        let best = top_k_i8_where(rows, query, wanted, keep, cancel).map_err(|e| match e {
            ScanError::Cancelled(cancelled) => RetrieveError::Cancelled(cancelled),
            ScanError::Shape(e) => shape(&e),
        })?;
        let mut buffer = Vec::with_capacity(self.dim);
        let mut hits = Vec::with_capacity(wanted);
        for scored in best.into_iter().flatten() {
            let score = self.log.dot(self.record(scored.row), query, &mut buffer)?;
            hits.push((self.store.passage_id(self.row(scored.row)), score));
        }
        hits.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        hits.truncate(k);
        Ok(hits)
    }
}
