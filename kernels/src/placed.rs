//! One way to search rows, wherever they are.

use indago_core::Cancel;

use crate::cuda::{DeviceError, Gpu, Launcher, Rows};
use crate::quantize::push_row_bits;
use crate::scan::{ScanError, Scored, top_k_bits, top_k_f16, top_k_f32_where, top_k_i8_where};
use crate::{Device, RowsBits, RowsF16, RowsF32, RowsI8, ShapeError};

/// Rows of any kind that can be searched.
#[derive(Clone, Copy, Debug)]
pub enum AnyRows<'a> {
    /// 32-bit floats.
    F32(RowsF32<'a>),
    /// 16-bit floats.
    F16(RowsF16<'a>),
    /// 8-bit codes with a scale a row.
    I8(RowsI8<'a>),
    /// Signs ([`push_row_bits`]); queries are given as floats and their signs are taken.
    Bits(RowsBits<'a>),
}

impl AnyRows<'_> {
    /// Number of rows.
    pub fn len(&self) -> usize {
        match self {
            Self::F32(rows) => rows.len(),
            Self::F16(rows) => rows.len(),
            Self::I8(rows) => rows.len(),
            Self::Bits(rows) => rows.len(),
        }
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Values of a row.
    pub fn dim(&self) -> usize {
        match self {
            Self::F32(rows) => rows.dim(),
            Self::F16(rows) => rows.dim(),
            Self::I8(rows) => rows.dim(),
            Self::Bits(rows) => rows.dim(),
        }
    }
}

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
        let there = match rows {
            AnyRows::F32(rows) => Rows::f32(&device, rows),
            AnyRows::F16(rows) => Rows::halves(&device, rows),
            AnyRows::I8(rows) => Rows::i8(&device, rows),
            AnyRows::Bits(rows) => Rows::bits(&device, rows),
        }?;
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
        let keep = |row: usize| {
            filter.is_none_or(|words| {
                words
                    .get(row / 32)
                    .is_some_and(|word| word >> (row % 32) & 1 == 1)
            })
        };
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
        found.map_err(|error| match error {
            ScanError::Shape(error) => DeviceError::Shape(error),
            ScanError::Cancelled(cancelled) => DeviceError::Cancelled(cancelled),
        })
    }
}
