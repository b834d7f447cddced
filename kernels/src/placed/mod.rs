//! One way to use a kernel, wherever a [`Device`] is: what it works on is brought there once, and
//! the same call gives the same results here and there.

mod graph;
mod k_means;
mod sparse;
mod tokens;

pub use graph::PlacedGraph;
pub use sparse::{PlacedSparse, SparseView};
pub use tokens::PlacedTokens;

use indago_core::Cancel;

use crate::cuda::{DeviceError, Gpu, Launcher, Rows};
use crate::quantize::push_row_bits;
use crate::scan::{ScanError, Scored, top_k_bits, top_k_f16, top_k_f32_where, top_k_i8_where};
use crate::{AnyRows, Device, RowsBits, RowsF32, ShapeError};

/// Rows where they are searched: here, or in the memory of a device.
#[derive(Debug)]
pub enum Placed<'a, L: Launcher = Gpu> {
    /// Here, where they were.
    Here(AnyRows<'a>),
    /// On that device.
    There(L, Rows<L::Memory>),
}

impl Device {
    /// Brings rows to where they are searched.
    ///
    /// # Errors
    /// When the device has not the memory, failed, or there are 2^32 rows or more.
    pub fn place<'a>(&self, rows: AnyRows<'a>) -> Result<Placed<'a>, DeviceError> {
        match self {
            Self::Cpu(_) => Ok(Placed::Here(rows)),
            Self::Cuda(gpu) => Placed::on(gpu.clone(), rows),
        }
    }
}

impl<'a, L: Launcher> Placed<'a, L> {
    /// Copies rows to `device`.
    ///
    /// # Errors
    /// As [`Device::place`].
    pub fn on(device: L, rows: AnyRows<'a>) -> Result<Self, DeviceError> {
        let there = Rows::of(&device, rows)?;
        Ok(Self::There(device, there))
    }

    /// For each query (`[q, dim]` floats) the best `k` rows, best first, ties by the lower row. Row r
    /// may be found if bit `r % 32` of word `r / 32` of the filter is set.
    ///
    /// Integer rows have the same scores here and there. Sums of floats differ in their last bits,
    /// and 16-bit rows round queries to 16 bits on a device when there are more than 16 of them.
    ///
    /// # Errors
    /// Shapes that do not fit, more results than a device keeps ([`crate::cuda::MAX_K`]), a device
    /// that failed, or cancelled.
    pub fn top_k(
        &self,
        queries: &[f32],
        k: usize,
        filter: Option<&[u32]>,
        cancel: &Cancel,
    ) -> Result<Vec<Vec<Scored>>, DeviceError> {
        let rows = match self {
            Self::There(device, rows) => return rows.top_k(device, queries, k, filter, cancel),
            Self::Here(rows) => rows,
        };
        if let Some(filter) = filter {
            ShapeError::check("filter", filter.len(), rows.len().div_ceil(32))?;
        }
        let keep = |row: usize| kept_by(filter, row);
        let found = match *rows {
            AnyRows::F32(rows) => top_k_f32_where(rows, queries, k, keep, cancel),
            AnyRows::F16(rows) => top_k_f16(rows, queries, k, keep, cancel),
            AnyRows::I8(rows) => top_k_i8_where(rows, queries, k, keep, cancel),
            AnyRows::Bits(rows) => {
                RowsF32::new(queries, rows.dim())?;
                let mut words = Vec::new();
                for query in queries.chunks_exact(rows.dim()) {
                    push_row_bits(query, &mut words);
                }
                let queries = RowsBits::new(&words, rows.dim())?;
                top_k_bits(rows, queries, k, keep, cancel)
            }
        };
        Ok(found?)
    }
}

/// Whether a filter of a bit a row, where there is one, has this row's bit set.
fn kept_by(filter: Option<&[u32]>, row: usize) -> bool {
    filter.is_none_or(|words| {
        let word = words.get(row / 32);
        word.is_some_and(|word| word >> (row % 32) & 1 == 1)
    })
}

impl From<ScanError> for DeviceError {
    fn from(error: ScanError) -> Self {
        match error {
            ScanError::Shape(error) => Self::Shape(error),
            ScanError::Cancelled(cancelled) => Self::Cancelled(cancelled),
        }
    }
}
