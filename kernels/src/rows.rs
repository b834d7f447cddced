//! Borrowed row-major matrices whose shape has been checked.

/// The lengths of the arguments do not fit each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}: length {found}, expected {expected}")]
pub struct ShapeError {
    /// Which argument.
    pub what: &'static str,
    /// Its length.
    pub found: usize,
    /// What its length should be, or be a multiple of.
    pub expected: usize,
}

impl ShapeError {
    /// `Ok` when `found == expected`.
    pub(crate) fn check(what: &'static str, found: usize, expected: usize) -> Result<(), Self> {
        if found == expected {
            Ok(())
        } else {
            Err(Self {
                what,
                found,
                expected,
            })
        }
    }
}

/// `n` rows of `dim` f32 values, row-major. Rows need no alignment.
#[derive(Clone, Copy)]
pub struct RowsF32<'a> {
    data: &'a [f32],
    dim: usize,
}

impl<'a> RowsF32<'a> {
    /// Views `data` as rows of `dim` values.
    ///
    /// # Errors
    /// When `dim` is 0 or does not divide the length of `data`.
    pub fn new(data: &'a [f32], dim: usize) -> Result<Self, ShapeError> {
        check_dim(data.len(), dim)?;
        Ok(Self { data, dim })
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.data.len() / self.dim
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// Length of a row.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// All values, row-major.
    pub fn data(&self) -> &'a [f32] {
        self.data
    }
}

impl std::fmt::Debug for RowsF32<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RowsF32[{}, {}]", self.len(), self.dim)
    }
}

/// `n` rows of `dim` signed 8-bit codes, row-major, each with a scale: value = `scale * code`.
#[derive(Clone, Copy)]
pub struct RowsI8<'a> {
    codes: &'a [i8],
    scales: &'a [f32],
    dim: usize,
}

impl<'a> RowsI8<'a> {
    /// Longest row that keeps every integer sum below 2^31: see [`crate::quantize`].
    pub const MAX_DIM: usize = 65_536;

    /// Views `codes` as rows of `dim` codes, row `i` scaled by `scales[i]`.
    ///
    /// # Errors
    /// When `dim` is 0, above [`RowsI8::MAX_DIM`] or does not divide the length of `codes`, or
    /// when there is not one scale per row.
    pub fn new(codes: &'a [i8], scales: &'a [f32], dim: usize) -> Result<Self, ShapeError> {
        check_dim(codes.len(), dim)?;
        if dim > Self::MAX_DIM {
            return Err(ShapeError {
                what: "dim",
                found: dim,
                expected: Self::MAX_DIM,
            });
        }
        ShapeError::check("scales", scales.len(), codes.len() / dim)?;
        Ok(Self { codes, scales, dim })
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.scales.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.scales.is_empty()
    }

    /// Length of a row.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// All codes, row-major.
    pub fn codes(&self) -> &'a [i8] {
        self.codes
    }

    /// One scale per row.
    pub fn scales(&self) -> &'a [f32] {
        self.scales
    }
}

impl std::fmt::Debug for RowsI8<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RowsI8[{}, {}]", self.len(), self.dim)
    }
}

/// `n` rows of `dim` 16-bit floats (IEEE 754 binary16, as their bits), row-major.
#[derive(Clone, Copy)]
pub struct RowsF16<'a> {
    bits: &'a [u16],
    dim: usize,
}

impl<'a> RowsF16<'a> {
    /// Views `bits` as rows of `dim` values.
    ///
    /// # Errors
    /// When `dim` is 0 or does not divide the length of `bits`.
    pub fn new(bits: &'a [u16], dim: usize) -> Result<Self, ShapeError> {
        check_dim(bits.len(), dim)?;
        Ok(Self { bits, dim })
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.bits.len() / self.dim
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.bits.is_empty()
    }

    /// Length of a row.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// All values' bits, row-major.
    pub fn bits(&self) -> &'a [u16] {
        self.bits
    }
}

impl std::fmt::Debug for RowsF16<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RowsF16[{}, {}]", self.len(), self.dim)
    }
}

/// `n` binary codes of `dim` bits, each in whole words: bit `i` of a code is bit `i % 64` of its
/// word `i / 64`, bits beyond `dim` are 0.
#[derive(Clone, Copy)]
pub struct RowsBits<'a> {
    words: &'a [u64],
    dim: usize,
}

impl<'a> RowsBits<'a> {
    /// Views `words` as codes of `dim` bits.
    ///
    /// # Errors
    /// When `dim` is 0 or the words are not whole codes.
    pub fn new(words: &'a [u64], dim: usize) -> Result<Self, ShapeError> {
        check_dim(words.len(), dim.div_ceil(64))?;
        Ok(Self { words, dim })
    }

    /// Number of codes.
    pub fn len(&self) -> usize {
        self.words.len() / self.words_per_row()
    }

    /// Whether there are no codes.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Bits of a code.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Words of a code.
    pub fn words_per_row(&self) -> usize {
        self.dim.div_ceil(64)
    }

    /// All words.
    pub fn words(&self) -> &'a [u64] {
        self.words
    }
}

impl std::fmt::Debug for RowsBits<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RowsBits[{}, {}]", self.len(), self.dim)
    }
}

/// Rows of any kind that can be searched.
#[derive(Clone, Copy, Debug)]
pub enum AnyRows<'a> {
    /// 32-bit floats.
    F32(RowsF32<'a>),
    /// 16-bit floats.
    F16(RowsF16<'a>),
    /// 8-bit codes with a scale a row.
    I8(RowsI8<'a>),
    /// Signs ([`push_row_bits`](crate::quantize::push_row_bits)); queries are given as floats and their signs are taken.
    Bits(RowsBits<'a>),
}

impl<'a> AnyRows<'a> {
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

    /// Rows `first` to `end`, exclusive.
    ///
    /// # Errors
    /// When that range is not inside.
    pub fn part(&self, first: usize, end: usize) -> Result<Self, ShapeError> {
        fn cut<T>(
            values: &[T],
            first: usize,
            end: usize,
            width: usize,
        ) -> Result<&[T], ShapeError> {
            let outside = ShapeError {
                what: "end of the rows",
                found: end,
                expected: values.len() / width.max(1),
            };
            values.get(first * width..end * width).ok_or(outside)
        }
        let dim = self.dim();
        Ok(match self {
            Self::F32(rows) => Self::F32(RowsF32::new(cut(rows.data, first, end, dim)?, dim)?),
            Self::F16(rows) => Self::F16(RowsF16::new(cut(rows.bits, first, end, dim)?, dim)?),
            Self::I8(rows) => Self::I8(RowsI8::new(
                cut(rows.codes, first, end, dim)?,
                cut(rows.scales, first, end, 1)?,
                dim,
            )?),
            Self::Bits(rows) => {
                let words = cut(rows.words, first, end, rows.words_per_row())?;
                Self::Bits(RowsBits::new(words, dim)?)
            }
        })
    }

    /// All rows as they lie in memory. A device reads 64-bit words as pairs of 32 bits, the low one
    /// first, which is what they are on the little-endian machines that have one.
    pub(crate) fn bytes(&self) -> &'a [u8] {
        match self {
            Self::F32(rows) => bytemuck::cast_slice(rows.data),
            Self::F16(rows) => bytemuck::cast_slice(rows.bits),
            Self::I8(rows) => bytemuck::cast_slice(rows.codes),
            Self::Bits(rows) => bytemuck::cast_slice(rows.words),
        }
    }

    /// Bytes of a row.
    pub(crate) fn row_bytes(&self) -> usize {
        match self {
            Self::F32(rows) => rows.dim * 4,
            Self::F16(rows) => rows.dim * 2,
            Self::I8(rows) => rows.dim,
            Self::Bits(rows) => rows.words_per_row() * 8,
        }
    }

    /// One scale a row, for 8-bit codes.
    pub(crate) fn scales(&self) -> Option<&'a [f32]> {
        match self {
            Self::I8(rows) => Some(rows.scales),
            _ => None,
        }
    }
}

fn check_dim(len: usize, dim: usize) -> Result<(), ShapeError> {
    if dim == 0 || !len.is_multiple_of(dim) {
        return Err(ShapeError {
            what: "rows",
            found: len,
            expected: dim,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ragged_matrix_is_refused_by_name() {
        let error = RowsF32::new(&[0.0; 7], 3).unwrap_err();
        assert_eq!(error.to_string(), "rows: length 7, expected 3");
        assert!(RowsF32::new(&[], 0).is_err());
        assert!(RowsI8::new(&[0; 6], &[1.0], 3).is_err());
        assert_eq!(
            RowsI8::new(&[0; 6], &[1.0; 2], 3).map(|rows| rows.len()),
            Ok(2)
        );
    }

    #[test]
    fn parts_are_cut_by_rows_of_every_kind() {
        let words = [1_u64, 2, 3, 4, 5, 6];
        let halves = [1_u16, 2, 3, 4, 5, 6];
        let (codes, scales) = ([1_i8, 2, 3, 4, 5, 6], [0.1_f32, 0.2, 0.3]);
        for rows in [
            AnyRows::F32(RowsF32::new(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 2).unwrap()),
            AnyRows::F16(RowsF16::new(&halves, 2).unwrap()),
            AnyRows::I8(RowsI8::new(&codes, &scales, 2).unwrap()),
            // Two words of 64 signs.
            AnyRows::Bits(RowsBits::new(&words, 100).unwrap()),
        ] {
            let part = rows.part(1, 3).unwrap();
            assert_eq!((part.len(), part.dim()), (2, rows.dim()));
            assert_eq!(part.bytes(), &rows.bytes()[rows.row_bytes()..]);
            assert_eq!(part.scales(), rows.scales().map(|scales| &scales[1..]));
            assert!(rows.part(3, 3).unwrap().is_empty());
            assert!(rows.part(1, 4).is_err());
        }
    }
}
