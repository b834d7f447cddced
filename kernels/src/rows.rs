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
}
