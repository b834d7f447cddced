//! Register tiles: R rows of activations by one panel of 16 outputs.
//!
//! Six rows by two vectors take twelve of the sixteen registers; two hold the panel's step and one
//! the broadcast activation. A step loads two vectors, broadcasts R values and multiplies 2R times.
//!
//! The tiles are never inlined: among a caller's live vectors the compiler keeps one of the sums in
//! memory, and the loop then waits for that store in each step (measured: 2.4 times slower).

use std::arch::x86_64::{
    __m256, __m256i, _mm256_add_epi32, _mm256_broadcast_ss, _mm256_fmadd_ps, _mm256_loadu_ps,
    _mm256_loadu_si256, _mm256_madd_epi16, _mm256_set1_epi32, _mm256_setzero_ps,
    _mm256_setzero_si256,
};

use crate::product::PANEL;

/// Rows of a full tile.
pub(super) const ROWS: usize = 6;

/// `x[r] . panel[j]` for the R rows of `k` values that begin `stride` apart in `x`.
#[target_feature(enable = "avx2,fma")]
#[inline(never)]
pub(super) fn tile_f32<const R: usize>(
    x: &[f32],
    stride: usize,
    k: usize,
    panel: &[f32],
) -> [[__m256; 2]; R] {
    assert!(x.len() >= (R - 1) * stride + k && panel.len() >= k * PANEL);
    let (x, panel) = (x.as_ptr(), panel.as_ptr());
    let mut sums = [[_mm256_setzero_ps(); 2]; R];
    for step in 0..k {
        // SAFETY: `step < k`, so the 16 values of the step are inside the panel, and each row's
        // value is inside `x`: both lengths are asserted above.
        unsafe {
            let w = [
                _mm256_loadu_ps(panel.add(step * PANEL)),
                _mm256_loadu_ps(panel.add(step * PANEL + 8)),
            ];
            for (r, sum) in sums.iter_mut().enumerate() {
                let a = _mm256_broadcast_ss(&*x.add(r * stride + step));
                sum[0] = _mm256_fmadd_ps(a, w[0], sum[0]);
                sum[1] = _mm256_fmadd_ps(a, w[1], sum[1]);
            }
        }
    }
    sums
}

/// `x[r] . panel[j]` for R rows of `pairs` pairs of codes that begin `stride` codes apart in `x`.
#[target_feature(enable = "avx2,fma")]
#[inline(never)]
pub(super) fn tile_i8<const R: usize>(
    x: &[i16],
    stride: usize,
    pairs: usize,
    panel: &[i16],
) -> [[__m256i; 2]; R] {
    assert!(x.len() >= (R - 1) * stride + 2 * pairs && panel.len() >= 2 * pairs * PANEL);
    let (x, panel) = (x.as_ptr(), panel.as_ptr());
    let mut sums = [[_mm256_setzero_si256(); 2]; R];
    for step in 0..pairs {
        // SAFETY: `step < pairs`, so the 32 codes of the step are inside the panel, and each row's
        // pair is inside `x`: both lengths are asserted above. No read needs alignment.
        unsafe {
            let w = [
                _mm256_loadu_si256(panel.add(step * 2 * PANEL).cast()),
                _mm256_loadu_si256(panel.add(step * 2 * PANEL + PANEL).cast()),
            ];
            for (r, sum) in sums.iter_mut().enumerate() {
                let pair = x.add(r * stride + 2 * step).cast::<i32>().read_unaligned();
                let a = _mm256_set1_epi32(pair);
                sum[0] = _mm256_add_epi32(sum[0], _mm256_madd_epi16(a, w[0]));
                sum[1] = _mm256_add_epi32(sum[1], _mm256_madd_epi16(a, w[1]));
            }
        }
    }
    sums
}
