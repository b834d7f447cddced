//! Scans of sparse rows here or on a device.

use indago_core::Cancel;

use super::kept_by;
use crate::cuda::{DeviceError, Gpu, Launcher, SparseRows};
use crate::scan::{Best, Scored};
use crate::{Device, ShapeError};

/// Sparse rows: row r has the entries `starts[r] .. starts[r + 1]` of `terms` and `weights`, every term
/// below `vocabulary`.
#[derive(Clone, Copy, Debug)]
pub struct SparseView<'a> {
    starts: &'a [u64],
    terms: &'a [u32],
    weights: &'a [f32],
    vocabulary: usize,
}

impl<'a> SparseView<'a> {
    /// Views entries as rows.
    ///
    /// # Errors
    /// Starts that do not ascend from 0 to the number of entries, a term beyond the vocabulary.
    pub fn new(
        starts: &'a [u64],
        terms: &'a [u32],
        weights: &'a [f32],
        vocabulary: usize,
    ) -> Result<Self, ShapeError> {
        ShapeError::check("weights", weights.len(), terms.len())?;
        let last = starts.last().copied().unwrap_or(u64::MAX);
        if !starts.is_sorted() || starts.first() != Some(&0) || last != terms.len() as u64 {
            return Err(ShapeError {
                what: "starts (from 0 to the number of entries, never falling)",
                found: last as usize,
                expected: terms.len(),
            });
        }
        if let Some(&term) = terms.iter().find(|&&term| term as usize >= vocabulary) {
            return Err(ShapeError {
                what: "term (below)",
                found: term as usize,
                expected: vocabulary,
            });
        }
        Ok(Self {
            starts,
            terms,
            weights,
            vocabulary,
        })
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn score(&self, row: usize, query: &[f32]) -> f32 {
        let entries = self.starts[row] as usize..self.starts[row + 1] as usize;
        let terms = self.terms[entries.clone()].iter();
        let pairs = terms.zip(&self.weights[entries]);
        pairs
            .map(|(&term, weight)| query[term as usize] * weight)
            .sum()
    }
}

/// Sparse rows where they are searched: here, or in the memory of a device (weights in 16-bit floats).
#[derive(Debug)]
pub enum PlacedSparse<'a, L: Launcher = Gpu> {
    /// Here, where they were.
    Here(SparseView<'a>),
    /// On that device.
    There(L, SparseRows<L::Memory>),
}

impl Device {
    /// Brings sparse rows to where they are searched.
    ///
    /// # Errors
    /// When the device has not the memory, failed, or there are 2^32 rows or more.
    pub fn place_sparse<'a>(&self, rows: SparseView<'a>) -> Result<PlacedSparse<'a>, DeviceError> {
        match self {
            Self::Cpu(_) => Ok(PlacedSparse::Here(rows)),
            Self::Cuda(gpu) => PlacedSparse::on(gpu.clone(), rows),
        }
    }
}

impl<'a, L: Launcher> PlacedSparse<'a, L> {
    /// Copies rows to `device`.
    ///
    /// # Errors
    /// As [`Device::place_sparse`].
    pub fn on(device: L, rows: SparseView<'a>) -> Result<Self, DeviceError> {
        let there = SparseRows::new(
            &device,
            rows.starts,
            rows.terms,
            rows.weights,
            rows.vocabulary,
        )?;
        Ok(Self::There(device, there))
    }

    /// The best `k` rows by dot product with `query` (`[vocabulary]`), best first, ties by the lower
    /// row; rows whose score is 0 are not found. Row r may be found if bit `r % 32` of word `r / 32`
    /// of the filter is set. Reads every row once; on a device weights have 11 bits of mantissa.
    ///
    /// # Errors
    /// Shapes that do not fit, more results than a device keeps ([`crate::cuda::MAX_K`]), a device
    /// that failed, or cancelled.
    pub fn top_k(
        &self,
        query: &[f32],
        k: usize,
        filter: Option<&[u32]>,
        cancel: &Cancel,
    ) -> Result<Vec<Scored>, DeviceError> {
        let rows = match self {
            Self::There(device, rows) => return rows.top_k(device, query, k, filter, cancel),
            Self::Here(rows) => rows,
        };
        ShapeError::check("query", query.len(), rows.vocabulary)?;
        if let Some(filter) = filter {
            ShapeError::check("filter", filter.len(), rows.len().div_ceil(32))?;
        }
        let mut best = Best::new(k);
        for first in (0..rows.len()).step_by(4096) {
            cancel.check()?;
            let end = rows.len().min(first + 4096);
            let scores: Vec<f32> = (first..end).map(|row| rows.score(row, query)).collect();
            let keep = |row: usize| scores[row - first] != 0.0 && kept_by(filter, row);
            best.offer_all(first, &scores, &keep);
        }
        cancel.check()?;
        Ok(if k == 0 {
            Vec::new()
        } else {
            best.into_sorted()
        })
    }
}
