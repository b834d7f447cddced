//! Rows in device memory.

use std::borrow::Cow;

use super::DeviceError;
use super::launch::{Launcher, upload};
use crate::quantize::push_row_bits;
use crate::{AnyRows, RowsBits, RowsF16, RowsF32, RowsI8, ShapeError};

/// What a row is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// 32-bit floats.
    F32,
    /// 16-bit floats; queries in 32 bits, or in 16 in batches of more than 16.
    F16,
    /// 8-bit codes with a scale a row; queries in 16-bit codes, as on the CPU.
    I8,
    /// Signs: one bit a dimension, set where the value is above 0.
    Binary,
}

impl Element {
    /// Of these rows.
    pub fn of(rows: &AnyRows<'_>) -> Self {
        match rows {
            AnyRows::F32(_) => Self::F32,
            AnyRows::F16(_) => Self::F16,
            AnyRows::I8(_) => Self::I8,
            AnyRows::Bits(_) => Self::Binary,
        }
    }

    /// Units (values, codes or words of 32 signs) in 16 bytes.
    pub(super) fn per_load(self) -> usize {
        match self {
            Self::F32 | Self::Binary => 4,
            Self::F16 => 8,
            Self::I8 => 16,
        }
    }

    /// Units of a row of `dim` values, padding included.
    pub(super) fn width(self, dim: usize) -> usize {
        let units = match self {
            Self::Binary => dim.div_ceil(32),
            _ => dim,
        };
        units.next_multiple_of(self.per_load())
    }

    /// Bytes of a row of `dim` values on the device, padding included: a multiple of 16.
    pub(super) fn row_bytes(self, dim: usize) -> usize {
        self.width(dim) * (16 / self.per_load())
    }

    /// Bytes that such a row takes on the device with its scale, where it has one.
    pub(super) fn bytes_of_row(self, dim: usize) -> usize {
        self.row_bytes(dim) + if self.has_scales() { 4 } else { 0 }
    }

    pub(super) fn has_scales(self) -> bool {
        self == Self::I8
    }

    pub(super) fn kernel(self, queries: usize) -> &'static str {
        match (self, queries) {
            (Self::F32, 1) => "scan_f32_1",
            (Self::F32, _) => "scan_f32_4",
            (Self::F16, 1) => "scan_f16_1",
            (Self::F16, _) => "scan_f16_4",
            (Self::I8, 1) => "scan_i8_1",
            (Self::I8, _) => "scan_i8_4",
            (Self::Binary, 1) => "scan_binary_1",
            (Self::Binary, _) => "scan_binary_4",
        }
    }
}

/// Rows in device memory.
#[derive(Debug)]
pub struct Rows<M> {
    pub(super) element: Element,
    pub(super) len: usize,
    pub(super) dim: usize,
    pub(super) data: M,
    /// One scale a row, for 8-bit codes.
    pub(super) scales: Option<M>,
}

impl<M> Rows<M> {
    /// Copies rows to the device.
    ///
    /// # Errors
    /// When the device has not the memory, or there are 2^32 rows or more.
    pub fn of<L: Launcher<Memory = M>>(device: &L, rows: AnyRows<'_>) -> Result<Self, DeviceError> {
        check_len(rows.len())?;
        let (element, dim) = (Element::of(&rows), rows.dim());
        let padded = pad(rows.bytes(), rows.row_bytes(), element.row_bytes(dim));
        Ok(Self {
            element,
            len: rows.len(),
            dim,
            data: upload(device, &padded)?,
            scales: rows.scales().map(|s| upload(device, s)).transpose()?,
        })
    }

    /// Copies 32-bit rows to the device.
    ///
    /// # Errors
    /// As [`Rows::of`].
    pub fn f32<L: Launcher<Memory = M>>(
        device: &L,
        rows: RowsF32<'_>,
    ) -> Result<Self, DeviceError> {
        Self::of(device, AnyRows::F32(rows))
    }

    /// Rounds rows to 16 bits and copies them to the device.
    ///
    /// # Errors
    /// As [`Rows::of`].
    pub fn f16<L: Launcher<Memory = M>>(
        device: &L,
        rows: RowsF32<'_>,
    ) -> Result<Self, DeviceError> {
        let halves = to_halves(rows.data());
        Self::of(device, AnyRows::F16(RowsF16::new(&halves, rows.dim())?))
    }

    /// Copies rows of 8-bit codes to the device.
    ///
    /// # Errors
    /// As [`Rows::of`].
    pub fn i8<L: Launcher<Memory = M>>(device: &L, rows: RowsI8<'_>) -> Result<Self, DeviceError> {
        Self::of(device, AnyRows::I8(rows))
    }

    /// Keeps the signs of rows and copies them to the device. The score of a row is the dot product
    /// of the signs: `dim - 2 * (signs that differ)`.
    ///
    /// # Errors
    /// As [`Rows::of`].
    pub fn binary<L: Launcher<Memory = M>>(
        device: &L,
        rows: RowsF32<'_>,
    ) -> Result<Self, DeviceError> {
        let mut words = Vec::new();
        for row in rows.data().chunks_exact(rows.dim()) {
            push_row_bits(row, &mut words);
        }
        Self::of(device, AnyRows::Bits(RowsBits::new(&words, rows.dim())?))
    }

    /// Room for up to `len` rows, which come later.
    pub(super) fn room<L: Launcher<Memory = M>>(
        device: &L,
        element: Element,
        len: usize,
        dim: usize,
    ) -> Result<Self, DeviceError> {
        check_len(len)?;
        let scales = element.has_scales().then(|| device.alloc(len * 4));
        Ok(Self {
            element,
            len,
            dim,
            data: device.alloc(len * element.row_bytes(dim))?,
            scales: scales.transpose()?,
        })
    }

    /// Bytes of a row without its scale.
    pub(super) fn row_bytes(&self) -> usize {
        self.element.row_bytes(self.dim)
    }

    /// Rows and scales in device memory.
    pub(super) fn memory(&self) -> (&M, Option<&M>) {
        (&self.data, self.scales.as_ref())
    }

    /// How many of the rows that there is room for are there.
    pub(super) fn set_len(&mut self, len: usize) {
        self.len = len;
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes of device memory that the rows take.
    pub fn bytes(&self) -> usize {
        self.len * self.element.bytes_of_row(self.dim)
    }
}

/// Rows are numbered in 32 bits.
pub(super) fn check_len(len: usize) -> Result<(), DeviceError> {
    if len < u32::MAX as usize {
        return Ok(());
    }
    Err(DeviceError::Shape(ShapeError {
        what: "rows (cut the index into shards)",
        found: len,
        expected: u32::MAX as usize - 1,
    }))
}

/// Rows of `dim` values as rows of `width`, filled up with zeros.
pub(super) fn pad<T: Copy + Default>(values: &[T], dim: usize, width: usize) -> Cow<'_, [T]> {
    if dim == width {
        return Cow::Borrowed(values);
    }
    let mut padded = Vec::with_capacity(values.len() / dim * width);
    for row in values.chunks_exact(dim) {
        padded.extend_from_slice(row);
        padded.resize(padded.len() + width - dim, T::default());
    }
    Cow::Owned(padded)
}

/// Rounded to the nearest 16-bit float, as bits.
pub(super) fn to_halves(values: &[f32]) -> Vec<u16> {
    values
        .iter()
        .map(|&x| half::f16::from_f32(x).to_bits())
        .collect()
}

/// One bit a value, set where it is above 0, as on the CPU; rows of whole 16-byte loads.
pub(super) fn signs(values: &[f32], dim: usize) -> Vec<u32> {
    let width = Element::Binary.width(dim);
    let mut words = Vec::with_capacity(values.len() / dim * width);
    for row in values.chunks_exact(dim) {
        let end = words.len() + width;
        words.extend(row.chunks(32).map(|values| {
            values
                .iter()
                .enumerate()
                .fold(0_u32, |word, (i, &x)| word | u32::from(x > 0.0) << i)
        }));
        words.resize(end, 0);
    }
    words
}
