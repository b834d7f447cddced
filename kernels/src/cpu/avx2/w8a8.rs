//! The product of 8-bit activations: three rows by one panel of sixteen outputs.
//!
//! Six sums of 32 bits, the four vectors of weights of two steps, the ones that widen, two broadcast
//! activations and two sums of 16 bits: fifteen of the sixteen registers.

use std::arch::asm;
use std::arch::x86_64::{
    __m256i, _mm256_add_epi16, _mm256_add_epi32, _mm256_cvtepi32_ps, _mm256_fmadd_ps,
    _mm256_loadu_si256, _mm256_madd_epi16, _mm256_maddubs_epi16, _mm256_mul_ps, _mm256_mullo_epi32,
    _mm256_set1_epi16, _mm256_set1_epi32, _mm256_set1_ps, _mm256_setzero_si256, _mm256_sub_epi32,
};
use std::ops::Range;

use super::load_f32;
use super::product::{pad, store};
use crate::product::PANEL;
use crate::w8a8::{DEPTH, PackedW8, RowsU8, STEP};

/// Rows of a full tile.
const ROWS: usize = 3;

/// A panel of weights with what its outputs need.
struct Panel<'a> {
    weights: &'a [i8],
    /// Sums of the outputs' codes.
    totals: [__m256i; 2],
    scales: [f32; PANEL],
    bias: [f32; PANEL],
    /// Its outputs, at most 16.
    columns: Range<usize>,
    /// Outputs of the whole layer: the length of a row of `out`.
    n: usize,
}

#[target_feature(enable = "avx2,fma")]
pub(crate) fn linear_w8a8(x: &RowsU8, w: &PackedW8, bias: &[f32], out: &mut [f32]) {
    let n = w.outputs();
    for (p, weights) in w.panels().chunks_exact(x.stride() * PANEL).enumerate() {
        let columns = p * PANEL..(p * PANEL + PANEL).min(n);
        let mut totals = [0; PANEL];
        totals[..columns.len()].copy_from_slice(&w.sums()[columns.clone()]);
        // SAFETY: sixteen values of 32 bits are two vectors; the loads need no alignment.
        let totals = unsafe {
            [
                _mm256_loadu_si256(totals.as_ptr().cast()),
                _mm256_loadu_si256(totals.as_ptr().add(8).cast()),
            ]
        };
        let panel = Panel {
            weights,
            totals,
            scales: pad(&w.scales()[columns.clone()]),
            bias: pad(&bias[columns.clone()]),
            columns,
            n,
        };
        let mut row = 0;
        while row < x.len() {
            let out = &mut out[row * n..];
            match x.len() - row {
                1 => rows::<1>(x, row, &panel, out),
                2 => rows::<2>(x, row, &panel, out),
                _ => rows::<ROWS>(x, row, &panel, out),
            }
            row += ROWS;
        }
    }
}

#[target_feature(enable = "avx2,fma")]
#[inline]
fn rows<const R: usize>(x: &RowsU8, row: usize, panel: &Panel<'_>, out: &mut [f32]) {
    let stride = x.stride();
    let sums = tile::<R>(&x.codes()[row * stride..], stride, panel.weights);
    let (scales, _) = panel.scales.as_chunks::<8>();
    let (bias, _) = panel.bias.as_chunks::<8>();
    for r in 0..R {
        let scale = _mm256_set1_ps(x.scales()[row + r]);
        let zero = _mm256_set1_epi32(x.zeros()[row + r]);
        let mut y = [scale; 2];
        for half in 0..2 {
            let step = _mm256_mul_ps(scale, load_f32(&scales[half]));
            let shift = _mm256_mullo_epi32(zero, panel.totals[half]);
            let sum = _mm256_cvtepi32_ps(_mm256_sub_epi32(sums[r][half], shift));
            y[half] = _mm256_fmadd_ps(sum, step, load_f32(&bias[half]));
        }
        store(
            y,
            &mut out[r * panel.n + panel.columns.start..r * panel.n + panel.columns.end],
        );
    }
}

/// `x[r] . panel[j]` for R rows of `stride` codes. That no 16-bit sum overflows or saturates is what
/// the weights were packed for.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn tile<const R: usize>(x: &[u8], stride: usize, panel: &[i8]) -> [[__m256i; 2]; R] {
    assert!(stride.is_multiple_of(STEP * DEPTH));
    assert!(x.len() >= R * stride && panel.len() >= stride * PANEL);
    let mut sums = [[_mm256_setzero_si256(); 2]; R];
    match sums.as_mut_slice() {
        // SAFETY: there are three rows, and the lengths are those asserted.
        [a, b, c] => unsafe { tile_of_three(x, stride, panel, [a, b, c]) },
        sums => few_rows(x, stride, panel, sums),
    }
    sums
}

/// What eight inputs of a row, at `$x`, add to its sums `$low` and `$high`.
macro_rules! row {
    ($x:literal, $low:literal, $high:literal) => {
        concat!(
            "vpbroadcastd {a}, dword ptr [",
            $x,
            "]\n",
            "vpbroadcastd {b}, dword ptr [",
            $x,
            " + 4]\n",
            "vpmaddubsw {c}, {a}, {w0}\n",
            "vpmaddubsw {d}, {b}, {w2}\n",
            "vpmaddubsw {a}, {a}, {w1}\n",
            "vpmaddubsw {b}, {b}, {w3}\n",
            "vpaddw {c}, {c}, {d}\n",
            "vpaddw {a}, {a}, {b}\n",
            "vpmaddwd {c}, {c}, {ones}\n",
            "vpmaddwd {a}, {a}, {ones}\n",
            "vpaddd {",
            $low,
            "}, {",
            $low,
            "}, {c}\n",
            "vpaddd {",
            $high,
            "}, {",
            $high,
            "}, {a}\n",
        )
    };
}

/// The full tile. In assembly because the compiler, however the loop is written, broadcasts the ones
/// anew in each step or keeps a sum in memory (5% of the product).
///
/// # Safety
/// `x` holds three rows of `stride` codes, `panel` as many steps; `stride` is a multiple of eight.
#[target_feature(enable = "avx2,fma")]
#[inline]
unsafe fn tile_of_three(x: &[u8], stride: usize, panel: &[i8], sums: [&mut [__m256i; 2]; 3]) {
    const { assert!(DEPTH == 2, "the assembly adds two steps in 16 bits") };
    if stride == 0 {
        return;
    }
    let [[s0, s1], [s2, s3], [s4, s5]] = sums;
    // SAFETY: each turn reads 128 codes of the panel and eight of each row; there are `stride / 8`
    // turns, and the caller vouches for the lengths. Nothing is written to memory.
    unsafe {
        asm!(
            "2:",
            "vmovdqu {w0}, ymmword ptr [{p}]",
            "vmovdqu {w1}, ymmword ptr [{p} + 32]",
            "vmovdqu {w2}, ymmword ptr [{p} + 64]",
            "vmovdqu {w3}, ymmword ptr [{p} + 96]",
            row!("{x}", "s0", "s1"),
            row!("{x} + {stride}", "s2", "s3"),
            row!("{x} + 2*{stride}", "s4", "s5"),
            "add {p}, 128",
            "add {x}, 8",
            "dec {turns}",
            "jnz 2b",
            p = inout(reg) panel.as_ptr() => _,
            x = inout(reg) x.as_ptr() => _,
            turns = inout(reg) stride / (STEP * DEPTH) => _,
            stride = in(reg) stride,
            ones = in(ymm_reg) _mm256_set1_epi16(1),
            s0 = inout(ymm_reg) *s0,
            s1 = inout(ymm_reg) *s1,
            s2 = inout(ymm_reg) *s2,
            s3 = inout(ymm_reg) *s3,
            s4 = inout(ymm_reg) *s4,
            s5 = inout(ymm_reg) *s5,
            w0 = out(ymm_reg) _,
            w1 = out(ymm_reg) _,
            w2 = out(ymm_reg) _,
            w3 = out(ymm_reg) _,
            a = out(ymm_reg) _,
            b = out(ymm_reg) _,
            c = out(ymm_reg) _,
            d = out(ymm_reg) _,
            options(readonly, nostack),
        );
    }
}

/// The rows that are left behind the last full tile, one at a time.
#[target_feature(enable = "avx2,fma")]
fn few_rows(x: &[u8], stride: usize, panel: &[i8], sums: &mut [[__m256i; 2]]) {
    let ones = _mm256_set1_epi16(1);
    assert!(panel.len() >= stride * PANEL);
    for (x, sums) in x.chunks_exact(stride).zip(sums) {
        let (blocks, _) = x.as_chunks::<{ STEP * DEPTH }>();
        for (i, block) in blocks.iter().enumerate() {
            let mut short = [_mm256_setzero_si256(); 2];
            let (fours, _) = block.as_chunks::<STEP>();
            for (step, four) in fours.iter().enumerate() {
                let a = _mm256_set1_epi32(i32::from_le_bytes(*four));
                for (half, short) in short.iter_mut().enumerate() {
                    let at = ((i * DEPTH + step) * 2 + half) * (STEP * PANEL / 2);
                    // SAFETY: `at + 32` is at most 16 times the codes up to this step, which the
                    // assertion covers; the load needs no alignment.
                    let w = unsafe { _mm256_loadu_si256(panel.as_ptr().add(at).cast()) };
                    *short = _mm256_add_epi16(*short, _mm256_maddubs_epi16(a, w));
                }
            }
            for (sum, short) in sums.iter_mut().zip(short) {
                *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(short, ones));
            }
        }
    }
}
