//! Products of 8-bit activations with 8-bit weights: the linear layer at the rate of
//! `vpmaddubsw`, exact in its integers.
//!
//! `vpmaddubsw` multiplies 32 unsigned by 32 signed bytes at once and adds neighbours into 16
//! bits, where full codes overflow and saturate. The usual ways out cost a bit of the activations
//! or of the weights everywhere. Here the bound is kept where it binds: an unsigned activation of
//! at most `levels` can push a sum no further than `levels` times the sum of the positive weights,
//! or of the negative ones. Both are limited for each **group** of weights that meet in one 16-bit
//! lane ([`GROUP`]), once, when the weights are packed ([`PackedW8`]): `levels * sum <= 32,767`.
//! Most rows of trained weights fit or nearly fit as they are; the others get a coarser scale, and
//! single groups are drawn in where that costs less. With the bound two products are added in 16
//! bits before they are widened, which is the rate that counts on CPUs without VNNI: 3 multiply
//! instructions for 64 products instead of 4. With VNNI `vpdpbusd` gives the same integers.
//!
//! Activations ([`RowsU8`]) take `0..=levels` with a scale and a zero point per row.

use crate::product::{MAX_INPUTS, PANEL, check_inputs};
use crate::quantize::{MAX_CODE, nearest, scale_for};
use crate::{Isa, ShapeError, cpu};

/// Inputs that an output takes in one step: the bytes of a 32-bit lane.
pub(crate) const STEP: usize = 4;

/// Steps whose products are added in 16 bits.
pub(crate) const DEPTH: usize = 2;

/// Weights of an output that meet in one 16-bit lane: two of each of two consecutive steps.
pub const GROUP: usize = 2 * DEPTH;

/// Codes are filled up with zeros to a multiple of this.
const BLOCK: usize = STEP * DEPTH;

/// How much coarser than given a row's scale can become, in steps of 4%.
const COARSEST: f32 = 4.0;

/// 8-bit weights of a linear layer with `k` inputs and `n` outputs for activations of at most
/// `levels`.
///
/// Layout: `[n / 16][k / 4][16][4]` codes, `n` rounded up to 16 and `k` to 8, filled with zeros, so
/// one step of a panel is four inputs of 16 outputs. Takes `n * k` bytes.
#[derive(Clone)]
pub struct PackedW8 {
    panels: Vec<i8>,
    scales: Vec<f32>,
    sums: Vec<i32>,
    levels: u8,
    n: usize,
    k: usize,
}

impl PackedW8 {
    /// Packs `codes` (`[n, k]`, row-major: one row per output), scaled by `scales` (`[n]`).
    ///
    /// Rows that `levels` would let overflow are rounded again, see the module's text: their scale
    /// and codes are then others than given ([`PackedW8::codes`], [`PackedW8::scales`]).
    ///
    /// # Errors
    /// When there is no scale, `k` is 0 or above [`MAX_INPUTS`], `levels` is 0, or `codes` has
    /// another length than `n * k`.
    pub fn pack(codes: &[i8], scales: &[f32], k: usize, levels: u8) -> Result<Self, ShapeError> {
        check_inputs(scales.len(), k)?;
        ShapeError::check("weights", codes.len(), scales.len() * k)?;
        let value = |&code: &i8| f32::from(code);
        let rows = codes.chunks_exact(k).zip(scales);
        Self::fitted(
            rows.map(|(row, &scale)| (row.iter().map(value), scale)),
            k,
            levels,
        )
    }

    /// Rounds `weights` (`[n, k]`, row-major) to codes with a scale for each row. Nearer to them than
    /// [`PackedW8::pack`] of codes that were rounded before: rows that `levels` would let overflow
    /// are rounded once.
    ///
    /// # Errors
    /// As [`PackedW8::pack`], and when `k` does not divide the number of weights.
    pub fn round(weights: &[f32], k: usize, levels: u8) -> Result<Self, ShapeError> {
        let n = weights.len() / k.max(1);
        check_inputs(n, k)?;
        ShapeError::check("weights", weights.len(), n * k)?;
        let rows = weights.chunks_exact(k).map(|row| {
            let (scale, inverse) = scale_for(row, f32::from(MAX_CODE));
            (row.iter().map(move |x| x * inverse), scale)
        });
        Self::fitted(rows, k, levels)
    }

    /// Packs rows of `k` values each, in units of their scale and of at most 128.
    fn fitted<V: Iterator<Item = f32>>(
        rows: impl ExactSizeIterator<Item = (V, f32)>,
        k: usize,
        levels: u8,
    ) -> Result<Self, ShapeError> {
        if levels == 0 {
            return Err(ShapeError {
                what: "levels",
                found: 0,
                expected: 1,
            });
        }
        let n = rows.len();
        let panel_len = k.next_multiple_of(BLOCK) * PANEL;
        let mut this = Self {
            panels: vec![0; n.div_ceil(PANEL) * panel_len],
            scales: Vec::with_capacity(n),
            sums: Vec::with_capacity(n),
            levels,
            n,
            k,
        };
        let mut fit = Fit::new(k, i32::from(i16::MAX) / i32::from(levels));
        for (i, (values, scale)) in rows.enumerate() {
            this.scales.push(scale * fit.row(values));
            let sum = fit.codes.iter().map(|&code| i32::from(code)).sum();
            this.sums.push(sum);
            let panel = &mut this.panels[i / PANEL * panel_len..][..panel_len];
            let (steps, _) = panel.as_chunks_mut::<{ STEP * PANEL }>();
            let (fours, _) = fit.codes.as_chunks::<STEP>();
            let at = STEP * (i % PANEL);
            for (step, four) in steps.iter_mut().zip(fours) {
                step[at..at + STEP].copy_from_slice(four);
            }
        }
        Ok(this)
    }

    /// Number of outputs.
    pub fn outputs(&self) -> usize {
        self.n
    }

    /// Number of inputs.
    pub fn inputs(&self) -> usize {
        self.k
    }

    /// Largest code of activations.
    pub fn levels(&self) -> u8 {
        self.levels
    }

    /// One scale per output.
    pub fn scales(&self) -> &[f32] {
        &self.scales
    }

    /// The codes that are multiplied, `[n, k]`, row-major.
    pub fn codes(&self) -> Vec<i8> {
        let panel_len = self.stride() * PANEL;
        let mut codes = Vec::with_capacity(self.n * self.k);
        for j in 0..self.n {
            let panel = &self.panels[j / PANEL * panel_len..][..panel_len];
            let (steps, _) = panel.as_chunks::<{ STEP * PANEL }>();
            let at = STEP * (j % PANEL);
            let row = steps.iter().flat_map(|step| &step[at..at + STEP]);
            codes.extend(row.take(self.k));
        }
        codes
    }

    pub(crate) fn panels(&self) -> &[i8] {
        &self.panels
    }

    /// Sum of each output's codes: what a zero point of 1 adds to its products.
    pub(crate) fn sums(&self) -> &[i32] {
        &self.sums
    }

    #[cfg(test)]
    pub(crate) fn set_scales(&mut self, scale: f32) {
        self.scales.fill(scale);
    }

    /// Codes of an output with those that fill up.
    fn stride(&self) -> usize {
        self.k.next_multiple_of(BLOCK)
    }
}

impl std::fmt::Debug for PackedW8 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (n, k, levels) = (self.n, self.k, self.levels);
        write!(f, "PackedW8[{n}, {k}] for 0..={levels}")
    }
}

/// The sums of positive and of negated negative codes of the two groups in eight neighbouring codes.
fn group_sums(block: [i8; BLOCK]) -> [[i32; 2]; 2] {
    let [a, b, c, d, e, f, g, h] = block.map(i32::from);
    let positive = |a: i32, b: i32, c: i32, d: i32| a.max(0) + b.max(0) + c.max(0) + d.max(0);
    let (first, second) = (positive(a, b, e, f), positive(c, d, g, h));
    [
        [first, first - (a + b + e + f)],
        [second, second - (c + d + g + h)],
    ]
}

/// Draws the codes of one row in until no group's sum is above `limit`.
struct Fit {
    limit: i32,
    /// The row in units of its scale.
    values: Vec<f32>,
    /// The row's codes, filled up with zeros.
    codes: Vec<i8>,
    /// The sums above the limit and how many codes make each of them.
    above: Vec<(f32, f32)>,
}

impl Fit {
    fn new(k: usize, limit: i32) -> Self {
        Self {
            limit,
            values: Vec::with_capacity(k),
            codes: vec![0; k.next_multiple_of(BLOCK)],
            above: Vec::new(),
        }
    }

    /// Leaves what to multiply in `codes` and returns by what the row's scale grows.
    fn row(&mut self, values: impl Iterator<Item = f32>) -> f32 {
        self.values.clear();
        self.values.extend(values);
        self.above.clear();
        self.round_all(1.0);
        let (blocks, _) = self.codes.as_chunks::<BLOCK>();
        for block in blocks {
            let sums = group_sums(*block);
            for (lane, sums) in sums.iter().enumerate() {
                for (&sum, sign) in sums.iter().zip([1, -1]) {
                    if sum > self.limit {
                        let count = members(*block, lane, sign).count();
                        self.above.push((sum as f32, count as f32));
                    }
                }
            }
        }
        if self.above.is_empty() {
            return 1.0;
        }
        let factor = least_error(&self.above, self.limit as f32, self.values.len() as f32);
        self.round_all(1.0 / factor);
        let (blocks, _) = self.codes.as_chunks_mut::<BLOCK>();
        for block in blocks {
            let sums = group_sums(*block);
            if sums.iter().flatten().any(|&sum| sum > self.limit) {
                draw_in(block, sums, self.limit);
            }
        }
        factor
    }

    /// Makes the codes of the values times `by`.
    fn round_all(&mut self, by: f32) {
        for (code, value) in self.codes.iter_mut().zip(&self.values) {
            *code = nearest(value * by) as i8;
        }
    }
}

/// The factor by which to grow the scale of a row of `k` codes, so that rounding the row again and
/// drawing in what is still above the limit lose least together: an even error of half a step at
/// most, and the nearest point of the ball that bounds a group's sum.
fn least_error(above: &[(f32, f32)], limit: f32, k: f32) -> f32 {
    let drawn_in = |factor: f32| -> f32 {
        let excess = |&(sum, count): &(f32, f32)| (sum - limit * factor).max(0.0).powi(2) / count;
        above.iter().map(excess).sum()
    };
    let (mut best, mut least) = (1.0, drawn_in(1.0));
    let mut factor = 1.04;
    while factor <= COARSEST {
        let error = k / 12.0 * factor * factor + drawn_in(factor);
        if error < least {
            (best, least) = (factor, error);
        }
        factor *= 1.04;
    }
    best
}

/// The places in a block of the codes of a group that have the given sign.
fn members(block: [i8; BLOCK], lane: usize, sign: i8) -> impl Iterator<Item = usize> + use<> {
    let of_group = move |i: &usize| i % STEP / 2 == lane;
    (0..BLOCK)
        .filter(of_group)
        .filter(move |&i| block[i].signum() == sign)
}

/// Takes 1 from every code that pulls a group above the limit, until none is: the nearest point
/// of the ball that the sums bound, up to rounding.
fn draw_in(block: &mut [i8; BLOCK], mut sums: [[i32; 2]; 2], limit: i32) {
    for (lane, sums) in sums.iter_mut().enumerate() {
        for (sum, sign) in sums.iter_mut().zip([1, -1]) {
            while *sum > limit {
                for i in members(*block, lane, sign) {
                    block[i] -= sign;
                    *sum -= 1;
                }
            }
        }
    }
}

/// Rows of activations as codes `0..=levels`, a scale and a zero point each:
/// `x = scale * (code - zero)`. A buffer: refill it, it keeps its memory.
///
/// The range is that of the row's values and 0, which has a code of its own. The error of a value
/// is at most about half a scale (51 hundredths of it). Infinite values make the row's scale 0.
#[derive(Clone, Debug, Default)]
pub struct RowsU8 {
    codes: Vec<u8>,
    scales: Vec<f32>,
    zeros: Vec<i32>,
    dim: usize,
    levels: u8,
}

impl RowsU8 {
    /// Replaces the content by the rows of `x`, `dim` values each. Reads `4 * m * dim` bytes twice,
    /// writes a quarter as many.
    ///
    /// # Panics
    /// When `dim` is 0 or does not divide the length of `x`, or `levels` is 0.
    pub fn fill(&mut self, x: &[f32], dim: usize, levels: u8) {
        self.fill_on(Isa::active(), x, dim, levels);
    }

    /// [`crate::gelu`] of `x` in place, then [`RowsU8::fill`] of the outcome, row by row.
    ///
    /// # Panics
    /// As [`RowsU8::fill`].
    pub fn fill_gelu(&mut self, x: &mut [f32], dim: usize, levels: u8) {
        self.fill_gelu_on(Isa::active(), x, dim, levels);
    }

    /// [`RowsU8::fill_gelu`] with the given instructions.
    pub(crate) fn fill_gelu_on(&mut self, isa: Isa, x: &mut [f32], dim: usize, levels: u8) {
        let rows = self.resized(x.len(), dim, levels);
        cpu::quantize_gelu_u8(isa, x, dim, rows);
    }

    /// [`RowsU8::fill`] with the given instructions.
    pub(crate) fn fill_on(&mut self, isa: Isa, x: &[f32], dim: usize, levels: u8) {
        let rows = self.resized(x.len(), dim, levels);
        cpu::quantize_u8(isa, x, dim, rows);
    }

    fn resized(&mut self, len: usize, dim: usize, levels: u8) -> cpu::CodedRows<'_> {
        assert!(
            dim > 0 && len.is_multiple_of(dim),
            "{len} values are no rows of {dim}"
        );
        assert!(levels > 0, "no levels");
        (self.dim, self.levels) = (dim, levels);
        let stride = self.stride();
        self.scales.resize(len / dim, 0.0);
        self.zeros.resize(len / dim, 0);
        self.codes.resize(len / dim * stride, 0);
        cpu::CodedRows {
            codes: &mut self.codes,
            scales: &mut self.scales,
            zeros: &mut self.zeros,
            stride,
            levels,
        }
    }

    /// Room for `rows` of [`RowsU8::stride`] codes, all with one scale and zero point.
    pub(crate) fn coded(
        &mut self,
        rows: usize,
        dim: usize,
        levels: u8,
        scale: f32,
        zero: i32,
    ) -> &mut [u8] {
        let room = self.resized(rows * dim, dim, levels);
        room.scales.fill(scale);
        room.zeros.fill(zero);
        room.codes
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

    /// Largest code.
    pub fn levels(&self) -> u8 {
        self.levels
    }

    /// Codes per row: the dim rounded up to a multiple of 8.
    pub fn stride(&self) -> usize {
        self.dim.next_multiple_of(BLOCK)
    }

    /// All codes, [`RowsU8::stride`] a row; what fills a row up means nothing.
    pub fn codes(&self) -> &[u8] {
        &self.codes
    }

    /// One scale per row.
    pub fn scales(&self) -> &[f32] {
        &self.scales
    }

    /// The code of 0, one per row.
    pub fn zeros(&self) -> &[i32] {
        &self.zeros
    }
}

/// `out[r][j] = scale_x[r] * scale_w[j] * ((x[r] - zero[r]) . w[j]) + bias[j]`
///
/// | argument | shape    | type     | layout                         |
/// |----------|----------|----------|--------------------------------|
/// | `x`      | `[m, k]` | u8 codes | row-major, scale, zero per row |
/// | `w`      | `[n, k]` | i8 codes | panels, scale per output       |
/// | `bias`   | `[n]`    | f32      | contiguous                     |
/// | `out`    | `[m, n]` | f32      | row-major, overwritten         |
///
/// Does `2 * m * n * k` integer operations; reads the weights (`n * k` bytes) once and `x` once for
/// each panel, so keep `m * k` within the second cache. Exact in the integer part on every set of
/// instructions, then two f32 roundings (three without fused multiply-add). Twin:
/// [`crate::reference::linear_w8a8`].
///
/// # Panics
/// When the shapes do not fit or `x` has more levels than `w` was packed for.
pub fn linear_w8a8(x: &RowsU8, w: &PackedW8, bias: &[f32], out: &mut [f32]) {
    assert_eq!(x.dim(), w.k, "inputs");
    assert!(x.levels <= w.levels, "levels");
    assert_eq!(bias.len(), w.n, "bias");
    assert_eq!(out.len(), x.len() * w.n, "out");
    cpu::linear_w8a8(Isa::active(), x, w, bias, out);
}

const _: () = assert!(
    MAX_INPUTS as u64 * 255 * 128 <= i32::MAX as u64 + 1,
    "sums stay inside 32 bits"
);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::RowsF32;
    use crate::quantize::Quantized;

    fn worst_sum(w: &PackedW8) -> i32 {
        let codes = w.codes();
        let rows = codes.chunks_exact(w.inputs());
        rows.flat_map(|row| {
            row.chunks(BLOCK).flat_map(|block| {
                let mut padded = [0; BLOCK];
                padded[..block.len()].copy_from_slice(block);
                group_sums(padded).concat()
            })
        })
        .max()
        .unwrap_or(0)
    }

    /// The square of the distance of each row to what was given.
    fn errors(packed: &PackedW8, given: &[f32]) -> Vec<f32> {
        let codes = packed.codes();
        let rows = codes.chunks(packed.inputs()).zip(packed.scales());
        let of_row = |((codes, scale), given): ((&[i8], &f32), &[f32])| -> f32 {
            let pairs = codes.iter().zip(given);
            pairs
                .map(|(&code, x)| (x - scale * f32::from(code)).powi(2))
                .sum()
        };
        rows.zip(given.chunks(packed.inputs()))
            .map(of_row)
            .collect()
    }

    fn rounded_twice(weights: &[f32], k: usize, levels: u8) -> PackedW8 {
        let codes = Quantized::of(RowsF32::new(weights, k).unwrap());
        PackedW8::pack(&codes.codes, &codes.scales, k, levels).unwrap()
    }

    #[test]
    fn weights_that_are_rounded_once_stay_nearer() {
        // Sums of four, so that most are small, as trained weights are.
        let mut state = 7_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 24) as f32 - 0.5
        };
        let weights: Vec<f32> = (0..64 * 384)
            .map(|_| next() + next() + next() + next())
            .collect();
        let total = |packed: PackedW8| errors(&packed, &weights).iter().sum::<f32>();
        let once = total(PackedW8::round(&weights, 384, 255).unwrap());
        let twice = total(rounded_twice(&weights, 384, 255));
        assert!(once < 0.9 * twice, "{once} {twice}");
    }

    #[test]
    fn weights_that_fit_stay_as_they_are() {
        // Two groups of four: positive sums 100 and 27, negative ones 28 and 128.
        let codes = [50, -28, 27, 0, 50, -100, 0, 0];
        let packed = PackedW8::pack(&codes, &[0.5], 8, 255).unwrap();
        assert_eq!(
            (packed.codes(), packed.scales()),
            (codes.to_vec(), &[0.5][..])
        );
    }

    #[test]
    fn a_lone_large_group_is_drawn_in_and_a_row_of_large_codes_gets_a_coarser_scale() {
        // 127 + 5 = 132 > 32,767 / 255 = 128 in one group; the others have sums of 120.
        let mut codes: Vec<i8> = (0..512)
            .map(|i| if i % 2 == 0 { 60 } else { -60 })
            .collect();
        (codes[0], codes[1], codes[4], codes[5]) = (127, 5, 0, 0);
        let packed = PackedW8::pack(&codes, &[1.0], 512, 255).unwrap();
        assert_eq!(packed.scales(), [1.0]);
        (codes[0], codes[1]) = (125, 3);
        assert_eq!(packed.codes(), codes);

        let codes = vec![127_i8; 512];
        let packed = PackedW8::pack(&codes, &[1.0], 512, 255).unwrap();
        assert!(
            (3.8..=4.0).contains(&packed.scales()[0]),
            "{:?}",
            packed.scales()
        );
        assert_eq!(worst_sum(&packed), 128);
    }

    #[test]
    fn shapes_that_do_not_fit_are_errors() {
        assert!(PackedW8::pack(&[], &[], 4, 127).is_err());
        assert!(PackedW8::pack(&[1, 2], &[1.0], 0, 127).is_err());
        assert!(PackedW8::pack(&[1, 2, 3], &[1.0], 2, 127).is_err());
        assert!(PackedW8::pack(&[1, 2], &[1.0], 2, 0).is_err());
    }

    proptest! {
        #[test]
        fn no_group_of_any_weights_can_leave_16_bits(
            codes in prop::collection::vec(any::<i8>(), 1..90),
            k in 1_usize..30,
            levels in 1_u8..=255,
        ) {
            let n = codes.len().div_ceil(k);
            let codes: Vec<i8> = codes.iter().copied().cycle().take(n * k).collect();
            let packed = PackedW8::pack(&codes, &vec![1.0; n], k, levels).unwrap();
            prop_assert!(i32::from(levels) * worst_sum(&packed) <= i32::from(i16::MAX));
            // Never worse than leaving everything out.
            let given: Vec<f32> = codes.iter().copied().map(f32::from).collect();
            for (given, error) in given.chunks(k).zip(errors(&packed, &given)) {
                prop_assert!(error <= given.iter().map(|x| x * x).sum());
            }
        }

        #[test]
        fn weights_are_rounded_within_the_bound(
            weights in prop::collection::vec(-2.0_f32..2.0, 1..400),
            k in 1_usize..70,
            levels in 1_u8..=255,
        ) {
            let n = weights.len().div_ceil(k);
            let weights: Vec<f32> = weights.iter().copied().cycle().take(n * k).collect();
            let once = PackedW8::round(&weights, k, levels).unwrap();
            prop_assert!(i32::from(levels) * worst_sum(&once) <= i32::from(i16::MAX));
            if i32::from(levels) * 4 * 127 <= i32::from(i16::MAX) {
                // No row can be above the bound, so none is rounded again.
                prop_assert_eq!(once.codes(), rounded_twice(&weights, k, levels).codes());
            }
        }
    }
}
