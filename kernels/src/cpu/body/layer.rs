//! Normalisation, activation and quantisation of rows.

use super::MulAdd;
use super::math::{ROUNDER, erf, exp};
use crate::cpu::CodedRows;
use crate::quantize::scale_of_peak;

const LANES: usize = 8;

#[inline(always)]
fn sum_lanes(lanes: [f32; LANES]) -> f32 {
    let [a, b, c, d, e, f, g, h] = lanes;
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}

#[inline(always)]
fn gelu_one<M: MulAdd>(x: f32) -> f32 {
    let half = 0.5 * x;
    M::mul_add(half, erf::<M>(x * std::f32::consts::FRAC_1_SQRT_2), half)
}

#[inline(always)]
pub(in crate::cpu) fn gelu<M: MulAdd>(x: &mut [f32]) {
    for x in x {
        *x = gelu_one::<M>(*x);
    }
}

/// GELU of each row of `dim`, and the largest magnitude of the outcome.
#[inline(always)]
pub(in crate::cpu) fn gelu_peaks<M: MulAdd>(x: &mut [f32], dim: usize, peaks: &mut [f32]) {
    for (row, found) in x.chunks_exact_mut(dim).zip(peaks) {
        gelu::<M>(row);
        *found = peak(row);
    }
}

/// The larger; `a` when `b` is no number. One instruction, unlike `f32::max`.
#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if b > a { b } else { a }
}

/// The smaller; `a` when `b` is no number.
#[inline(always)]
fn smaller(a: f32, b: f32) -> f32 {
    if b < a { b } else { a }
}

#[inline(always)]
fn peak(row: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; LANES];
    let (chunks, tail) = row.as_chunks::<LANES>();
    for chunk in chunks {
        for i in 0..LANES {
            lanes[i] = larger(lanes[i], chunk[i].abs());
        }
    }
    let start = tail.iter().fold(0.0, |peak, x| larger(peak, x.abs()));
    lanes.into_iter().fold(start, larger)
}

/// 16-bit codes of rows of `dim`, each row padded with zeros to `stride` codes. `scales` holds the
/// rows' peaks when `peaks_known`, and their scales afterwards.
#[inline(always)]
pub(in crate::cpu) fn quantize_i16(
    x: &[f32],
    dim: usize,
    limit: f32,
    peaks_known: bool,
    stride: usize,
    codes: &mut [i16],
    scales: &mut [f32],
) {
    let rows = x
        .chunks_exact(dim)
        .zip(codes.chunks_exact_mut(stride))
        .zip(scales);
    for ((row, codes), scale) in rows {
        let peak = if peaks_known { *scale } else { peak(row) };
        let (step, inverse) = scale_of_peak(peak, limit);
        *scale = step;
        let (codes, padding) = codes.split_at_mut(dim);
        for (code, x) in codes.iter_mut().zip(row) {
            // The low 16 bits of the shifted sum are the rounded value in two's complement.
            *code = (x * inverse + ROUNDER).to_bits() as i16;
        }
        padding.fill(0);
    }
}

/// The least and the largest value of a row and 0.
#[inline(always)]
fn range(row: &[f32]) -> (f32, f32) {
    let (mut low, mut high) = ([0.0_f32; LANES], [0.0_f32; LANES]);
    let (chunks, tail) = row.as_chunks::<LANES>();
    for chunk in chunks {
        for i in 0..LANES {
            low[i] = smaller(low[i], chunk[i]);
            high[i] = larger(high[i], chunk[i]);
        }
    }
    for &x in tail {
        (low[0], high[0]) = (smaller(low[0], x), larger(high[0], x));
    }
    (
        low.into_iter().fold(0.0, smaller),
        high.into_iter().fold(0.0, larger),
    )
}

/// 8-bit codes of rows of `dim`.
#[inline(always)]
pub(in crate::cpu) fn quantize_u8(x: &[f32], dim: usize, rows: CodedRows<'_>) {
    let CodedRows {
        codes,
        scales,
        zeros,
        stride,
        levels,
    } = rows;
    let rows = x.chunks_exact(dim).zip(codes.chunks_exact_mut(stride));
    for ((row, codes), (scale, zero)) in rows.zip(scales.iter_mut().zip(zeros)) {
        (*scale, *zero) = quantize_row_u8(row, codes, levels);
    }
}

/// GELU of rows of `dim` in place, and the 8-bit codes of the outcome, a row at a time.
#[inline(always)]
pub(in crate::cpu) fn quantize_gelu_u8<M: MulAdd>(x: &mut [f32], dim: usize, rows: CodedRows<'_>) {
    let CodedRows {
        codes,
        scales,
        zeros,
        stride,
        levels,
    } = rows;
    let rows = x.chunks_exact_mut(dim).zip(codes.chunks_exact_mut(stride));
    for ((row, codes), (scale, zero)) in rows.zip(scales.iter_mut().zip(zeros)) {
        gelu::<M>(row);
        (*scale, *zero) = quantize_row_u8(row, codes, levels);
    }
}

/// Writes a row's codes and returns its scale and zero point.
#[inline(always)]
fn quantize_row_u8(row: &[f32], codes: &mut [u8], levels: u8) -> (f32, i32) {
    let (low, high) = range(row);
    let (scale, inverse) = scale_of_peak(high - low, f32::from(levels));
    let zero = low.abs().min(f32::MAX) * inverse + ROUNDER;
    let zero = (zero.to_bits().wrapping_sub(ROUNDER.to_bits()) as i32).clamp(0, i32::from(levels));
    // The sum's low bits hold the rounded value and the zero point.
    let shift = ROUNDER + zero as f32;
    for (code, x) in codes.iter_mut().zip(row) {
        let bits = (x * inverse + shift).to_bits();
        let value = bits.wrapping_sub(ROUNDER.to_bits()) as i32;
        *code = value.clamp(0, i32::from(levels)) as u8;
    }
    (scale, zero)
}

/// `row = softmax(scale * row)` without the division: returns the sum to divide by.
///
/// Three loops, each of one kind, because the compiler turns a map or a reduction into vectors but
/// not a mixture.
#[inline(always)]
pub(in crate::cpu) fn softmax<M: MulAdd>(row: &mut [f32], scale: f32) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let (chunks, tail) = row.as_chunks::<LANES>();
    for chunk in chunks {
        for i in 0..LANES {
            lanes[i] = larger(lanes[i], chunk[i]);
        }
    }
    let start = tail.iter().copied().fold(f32::NEG_INFINITY, larger);
    let shift = -lanes.into_iter().fold(start, larger) * scale;

    for x in row.iter_mut() {
        *x = exp::<M>(M::mul_add(*x, scale, shift));
    }

    let mut sums = [0.0_f32; LANES];
    let (chunks, tail) = row.as_chunks::<LANES>();
    for chunk in chunks {
        for i in 0..LANES {
            sums[i] += chunk[i];
        }
    }
    for (x, sum) in tail.iter().zip(&mut sums) {
        *sum += x;
    }
    sum_lanes(sums)
}

/// Each row of `x`: `(x + residual - mean) / sqrt(variance + eps) * gain + bias`.
#[inline(always)]
pub(in crate::cpu) fn add_layer_norm<M: MulAdd>(
    x: &mut [f32],
    residual: &[f32],
    gain: &[f32],
    bias: &[f32],
    eps: f32,
) {
    let dim = gain.len();
    for (row, residual) in x.chunks_exact_mut(dim).zip(residual.chunks_exact(dim)) {
        let mut sums = [0.0_f32; LANES];
        let (chunks, tail) = row.as_chunks_mut::<LANES>();
        let (residual_chunks, residual_tail) = residual.as_chunks::<LANES>();
        for (x, residual) in chunks.iter_mut().zip(residual_chunks) {
            for i in 0..LANES {
                x[i] += residual[i];
                sums[i] += x[i];
            }
        }
        for ((x, residual), sum) in tail.iter_mut().zip(residual_tail).zip(&mut sums) {
            *x += residual;
            *sum += *x;
        }
        let mean = sum_lanes(sums) / dim as f32;

        let mut squares = [0.0_f32; LANES];
        let (chunks, tail) = row.as_chunks::<LANES>();
        for x in chunks {
            for i in 0..LANES {
                let d = x[i] - mean;
                squares[i] = M::mul_add(d, d, squares[i]);
            }
        }
        for (x, square) in tail.iter().zip(&mut squares) {
            *square += (x - mean) * (x - mean);
        }
        let inverse = 1.0 / (sum_lanes(squares) / dim as f32 + eps).sqrt();
        for ((x, gain), bias) in row.iter_mut().zip(gain).zip(bias) {
            *x = M::mul_add((*x - mean) * inverse, *gain, *bias);
        }
    }
}

/// `out += scale * codes`
#[inline(always)]
pub(in crate::cpu) fn add_scaled_codes<M: MulAdd>(out: &mut [f32], codes: &[i8], scale: f32) {
    for (out, code) in out.iter_mut().zip(codes) {
        *out = M::mul_add(scale, f32::from(*code), *out);
    }
}
