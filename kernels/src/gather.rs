//! Scores of rows that stand anywhere in a matrix: what a walk over a graph of neighbours asks for.

use crate::quantize::push_row_i16;
use crate::{Isa, RowsI8, ShapeError, cpu};

/// A query as 16-bit codes: value = `scale * code`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QueryCodes {
    codes: Vec<i16>,
    scale: f32,
}

impl QueryCodes {
    /// Quantises `query`; see [`crate::quantize`].
    pub fn of(query: &[f32]) -> Self {
        let mut codes = Vec::with_capacity(query.len());
        let scale = push_row_i16(query, &mut codes);
        Self { codes, scale }
    }

    /// Row `row` of a matrix as the query: no rounding at all.
    ///
    /// # Errors
    /// When there is no such row.
    pub fn set_row(&mut self, rows: RowsI8<'_>, row: usize) -> Result<(), ShapeError> {
        let (dim, n) = (rows.dim(), rows.len());
        let found = row.checked_mul(dim).zip((row + 1).checked_mul(dim));
        let codes = found.and_then(|(start, end)| rows.codes().get(start..end));
        let codes = codes.ok_or(ShapeError {
            what: "row",
            found: row,
            expected: n,
        })?;
        self.codes.clear();
        self.codes.extend(codes.iter().map(|&code| i16::from(code)));
        self.scale = rows.scales()[row];
        Ok(())
    }
}

/// `out[i]` becomes the dot product of `rows[at[i]]` with the query.
///
/// | argument | shape         | type | layout    |
/// |----------|---------------|------|-----------|
/// | `rows`   | `[n, dim]`    | int8 | row-major |
/// | `query`  | `[dim]`       | i16  |           |
/// | `at`     | `[m]`         | u32  |           |
/// | `out`    | `[m]`         | f32  |           |
///
/// Moves `m * dim` bytes from places that caches do not foresee: rows are asked for four ahead.
/// `sums` is room for the whole products and keeps its memory. A score equals that of
/// [`crate::scan::top_k_i8`] bit for bit. Twin: [`crate::reference::scores_i8_at`].
///
/// # Errors
/// When lengths do not fit or a row is beyond the last.
pub fn scores_i8_at(
    rows: RowsI8<'_>,
    query: &QueryCodes,
    at: &[u32],
    sums: &mut Vec<i32>,
    out: &mut [f32],
) -> Result<(), ShapeError> {
    scores_i8_at_isa(Isa::active(), rows, query, at, sums, out)
}

pub(crate) fn scores_i8_at_isa(
    isa: Isa,
    rows: RowsI8<'_>,
    query: &QueryCodes,
    at: &[u32],
    sums: &mut Vec<i32>,
    out: &mut [f32],
) -> Result<(), ShapeError> {
    ShapeError::check("query", query.codes.len(), rows.dim())?;
    ShapeError::check("scores", out.len(), at.len())?;
    if let Some(&beyond) = at.iter().find(|&&row| row as usize >= rows.len()) {
        return Err(ShapeError {
            what: "row",
            found: beyond as usize,
            expected: rows.len(),
        });
    }
    sums.clear();
    sums.resize(at.len(), 0);
    cpu::scores_i8_at(isa, rows.codes(), &query.codes, at, sums);
    for ((out, &sum), &row) in out.iter_mut().zip(sums.iter()).zip(at) {
        *out = sum as f32 * (rows.scales()[row as usize] * query.scale);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::quantize::Quantized;
    use crate::{RowsF32, reference};

    proptest! {
        #[test]
        fn every_path_gives_what_the_twin_gives(
            dim in 1usize..70,
            n in 1usize..20,
            seed in any::<u64>(),
            picks in prop::collection::vec(any::<prop::sample::Index>(), 0..30),
        ) {
            let mut state = seed | 1;
            let mut next = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 40) as f32 / (1_u32 << 23) as f32 - 1.0
            };
            let data: Vec<f32> = (0..n * dim).map(|_| next()).collect();
            let query: Vec<f32> = (0..dim).map(|_| next()).collect();
            let codes = Quantized::of(RowsF32::new(&data, dim).unwrap());
            let rows = codes.rows().unwrap();
            let at: Vec<u32> = picks.iter().map(|pick| pick.index(n) as u32).collect();
            let expected = reference::scores_i8_at(rows, &query, &at);
            let query = QueryCodes::of(&query);
            for &isa in Isa::available() {
                let (mut sums, mut found) = (Vec::new(), vec![0.0; at.len()]);
                scores_i8_at_isa(isa, rows, &query, &at, &mut sums, &mut found).unwrap();
                prop_assert_eq!(&found, &expected, "{}", isa.name());
            }
            let mut itself = QueryCodes::default();
            itself.set_row(rows, n - 1).unwrap();
            prop_assert!(itself.set_row(rows, n).is_err());
            let mut found = [0.0];
            scores_i8_at(rows, &itself, &[0], &mut Vec::new(), &mut found).unwrap();
            let dot: i32 = rows.codes()[..dim].iter().zip(&rows.codes()[(n - 1) * dim..])
                .map(|(&a, &b)| i32::from(a) * i32::from(b)).sum();
            prop_assert_eq!(found[0], dot as f32 * (rows.scales()[0] * rows.scales()[n - 1]));
        }
    }

    #[test]
    fn rows_beyond_the_last_are_refused() {
        let rows = RowsI8::new(&[1, 2, 3, 4], &[1.0, 1.0], 2).unwrap();
        let query = QueryCodes::of(&[1.0, 0.0]);
        let error = scores_i8_at(rows, &query, &[2], &mut Vec::new(), &mut [0.0]).unwrap_err();
        assert_eq!(error.to_string(), "row: length 2, expected 2");
        assert!(
            scores_i8_at(rows, &QueryCodes::of(&[1.0]), &[], &mut Vec::new(), &mut []).is_err()
        );
    }
}
