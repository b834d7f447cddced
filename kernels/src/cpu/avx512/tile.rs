//! Register tiles of floats: R rows of activations by one or two panels of 16 outputs.

use std::arch::x86_64::{
    __m512, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_set1_ps, _mm512_setzero_ps,
};

use crate::product::PANEL;

/// Rows of a full tile: with two panels 24 of the 32 registers hold sums, and a step's twelve
/// broadcasts keep the load ports about half as busy as its 24 products keep the arithmetic.
pub(super) const ROWS: usize = 12;

/// Runs `$body` for tiles of `$rows`, full ones first, with `$row` as the first row of the tile and
/// `$R` as how many it has.
macro_rules! for_row_tiles {
    (@tile $n:expr, $row:ident, $R:ident, $body:block) => {{
        const $R: usize = $n;
        $body
        $row += $R;
    }};
    ($rows:expr, $row:ident, $R:ident => $body:block) => {{
        use super::tile::{ROWS, for_row_tiles};
        let std::ops::Range { start: mut $row, end } = $rows;
        while $row < end {
            match end - $row {
                rest if rest >= ROWS => for_row_tiles!(@tile ROWS, $row, $R, $body),
                rest if rest >= 8 => for_row_tiles!(@tile 8, $row, $R, $body),
                rest if rest >= 4 => for_row_tiles!(@tile 4, $row, $R, $body),
                rest if rest >= 2 => for_row_tiles!(@tile 2, $row, $R, $body),
                _ => for_row_tiles!(@tile 1, $row, $R, $body),
            }
        }
    }};
}
pub(super) use for_row_tiles;

/// `x[r] . panel[j]` for R rows of `k` values, `stride` apart in `x`, and P panels, one behind the
/// other.
///
/// Each sum adds its products in the order of the inputs, as the AVX2 tile does, so both give the
/// same bits.
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512vl,avx512vnni")]
#[inline(never)]
pub(super) fn tile_f32<const R: usize, const P: usize>(
    x: &[f32],
    stride: usize,
    k: usize,
    panels: &[f32],
) -> [[__m512; P]; R] {
    assert!(x.len() >= (R - 1) * stride + k && panels.len() >= P * k * PANEL);
    let (x, panels) = (x.as_ptr(), panels.as_ptr());
    let mut sums = [[_mm512_setzero_ps(); P]; R];
    for step in 0..k {
        let mut w = [_mm512_setzero_ps(); P];
        // SAFETY: `step < k`, so the 16 values of the step are inside each panel, and each row's
        // value is inside `x`: both lengths are asserted above. No read needs alignment.
        unsafe {
            for (p, w) in w.iter_mut().enumerate() {
                *w = _mm512_loadu_ps(panels.add((p * k + step) * PANEL));
            }
            for (r, sums) in sums.iter_mut().enumerate() {
                let a = _mm512_set1_ps(*x.add(r * stride + step));
                for (sum, w) in sums.iter_mut().zip(w) {
                    *sum = _mm512_fmadd_ps(a, w, *sum);
                }
            }
        }
    }
    sums
}
