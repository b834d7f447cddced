//! Branch-free exp and erf in f32.

use super::MulAdd;

/// Adding it to a float of magnitude below 2^22 leaves the nearest integer in the low bits.
pub(super) const ROUNDER: f32 = 12_582_912.0; // 1.5 * 2^23

/// `e^x` for `x <= 0`; values below -87 count as -87, whose result is below 2e-38.
///
/// Range reduction to `|r| <= ln(2) / 2` in two steps (Cody and Waite), then the polynomial of
/// degree 6 of the Cephes library. Relative error below 2e-7.
#[inline(always)]
pub(super) fn exp<M: MulAdd>(x: f32) -> f32 {
    let x = if x > -87.0 { x } else { -87.0 };
    let shifted = M::mul_add(x, std::f32::consts::LOG2_E, ROUNDER);
    let n = shifted - ROUNDER;
    let r = M::mul_add(n, -0.693_359_4, x);
    let r = M::mul_add(n, 2.121_944_4e-4, r);
    let mut p = 1.987_569_1e-4;
    p = M::mul_add(p, r, 1.398_199_9e-3);
    p = M::mul_add(p, r, 8.333_452e-3);
    p = M::mul_add(p, r, 4.166_579_6e-2);
    p = M::mul_add(p, r, 1.666_666_5e-1);
    p = M::mul_add(p, r, 0.5);
    let y = M::mul_add(p * r, r, r) + 1.0;
    // Multiplies by 2^n: adds n to the exponent.
    f32::from_bits(y.to_bits().wrapping_add(shifted.to_bits() << 23))
}

/// The error function: an odd rational approximation of degrees 13 and 8 on [-3.83, 3.83], beyond
/// which erf is 1 within half a unit in the last place (coefficients as in Eigen's and XLA's f32
/// erf). Absolute error below 4e-7.
#[inline(always)]
pub(super) fn erf<M: MulAdd>(x: f32) -> f32 {
    const BOUND: f32 = 3.832_507;
    let x = if x < BOUND { x } else { BOUND };
    let x = if x > -BOUND { x } else { -BOUND };
    let s = x * x;
    let mut p = -2.726_142_3e-10;
    p = M::mul_add(p, s, 2.770_681_4e-8);
    p = M::mul_add(p, s, -2.101_024e-6);
    p = M::mul_add(p, s, -5.692_506_4e-5);
    p = M::mul_add(p, s, -7.349_906_3e-4);
    p = M::mul_add(p, s, -2.954_6e-3);
    p = M::mul_add(p, s, -1.609_603_3e-2);
    let mut q = -1.456_607_2e-5;
    q = M::mul_add(q, s, -2.133_740_6e-4);
    q = M::mul_add(q, s, -1.682_827e-3);
    q = M::mul_add(q, s, -7.373_329_2e-3);
    q = M::mul_add(q, s, -1.426_473_9e-2);
    x * p / q
}
