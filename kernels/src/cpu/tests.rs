//! Every kernel, on every set of instructions this CPU has, against its twin in `reference`.
//!
//! A set that the CPU lacks is not run and not claimed: the first test prints which ones ran.

mod attention;

use proptest::prelude::*;

use self::attention::{check_attention, check_attention_by_content};
use super::*;
use crate::quantize::push_row_i8;
use crate::reference;

const EPSILON: f64 = f32::EPSILON as f64;

/// Deterministic values in -1..1.
fn values(n: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    (0..n)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f32 / (1 << 23) as f32 - 1.0
        })
        .collect()
}

fn close(found: &[f32], expected: &[f64], bound: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (&found, &expected)) in found.iter().zip(expected).enumerate() {
        let error = (f64::from(found) - expected).abs();
        assert!(
            error <= bound,
            "{what}[{i}]: {found} for {expected}, off by {error} > {bound}"
        );
    }
}

#[test]
fn kernels_run_on_these_sets_of_instructions() {
    for isa in [Isa::Portable, Isa::Avx2, Isa::Avx512] {
        println!(
            "{}: {}",
            isa.name(),
            if isa.is_available() { "run" } else { "skipped" }
        );
    }
}

fn check_linear_i8(m: usize, n: usize, k: usize, seed: u64) {
    let x = values(m * k, seed);
    let bias = values(n, !seed);
    let (mut codes, mut scales) = (Vec::new(), Vec::new());
    for row in values(n * k, seed ^ 0xff).chunks_exact(k) {
        scales.push(push_row_i8(row, &mut codes));
    }
    let packed = PackedI8::pack(&codes, &scales, k).unwrap();
    let mut rows = QuantizedRows::default();
    rows.fill(&x, k);
    for (i, (&code, row)) in rows
        .codes()
        .chunks(k.next_multiple_of(2))
        .zip(x.chunks(k))
        .flat_map(|(c, x)| c.iter().zip(x))
        .enumerate()
    {
        let step = rows.scales()[i / k];
        let error = (f32::from(code) * step - row).abs();
        assert!(error <= step * 0.51, "code {i}: {code} for {row}");
    }
    let expected = reference::linear_i8(&rows, &codes, &scales, &bias);
    let mut outputs = Vec::new();
    for &isa in Isa::available() {
        let mut out = vec![f32::NAN; m * n];
        linear_i8(isa, &rows, &packed, &bias, &mut out);
        // The integer part is exact; its conversion, the scales' product and the sum each round.
        close(
            &out,
            &expected,
            4.0 * EPSILON * (k as f64 + 1.0),
            isa.name(),
        );
        outputs.push(out);
    }
}

#[test]
fn int8_products_agree_on_awkward_shapes() {
    for (m, n, k) in [
        (0, 5, 4),
        (1, 1, 1),
        (1, 16, 2),
        (5, 17, 7),
        (6, 15, 8),
        (7, 33, 31),
    ] {
        check_linear_i8(m, n, k, 3);
    }
    check_linear_i8(13, 48, 384, 4);
    check_linear_i8(8, 20, 1536, 5);
}

#[test]
fn int8_products_do_not_overflow_at_the_extremes() {
    for k in [384, 1536, 65_536] {
        let codes = vec![-128_i8; k];
        let packed = PackedI8::pack(&codes, &[1.0], k).unwrap();
        let mut rows = QuantizedRows::default();
        rows.fill(&vec![-3.0; k], k);
        for &isa in Isa::available() {
            let mut out = [0.0];
            linear_i8(isa, &rows, &packed, &[0.0], &mut out);
            let expected = 384.0 * k as f32;
            assert!(
                (out[0] / expected - 1.0).abs() < 1e-5,
                "{} {k}: {}",
                isa.name(),
                out[0]
            );
        }
    }
}

/// Rows of integers that the codes hold exactly: each has a 0 and spans `levels`.
fn whole_rows(m: usize, k: usize, levels: u8, seed: u64) -> Vec<f32> {
    let mut x = values(m * k, seed);
    for (r, row) in x.chunks_exact_mut(k).enumerate() {
        let low = -(((r * 37) % (usize::from(levels) + 1)) as f32);
        for x in row.iter_mut() {
            *x = (low + x.midpoint(1.0) * f32::from(levels)).round();
        }
        row[k - 1] = low + f32::from(levels);
        row[0] = low;
    }
    x
}

fn check_linear_w8a8(m: usize, n: usize, k: usize, levels: u8, seed: u64) {
    let codes: Vec<i8> = values(n * k, seed ^ 0xff)
        .iter()
        .map(|x| (x * 128.0).floor() as i8)
        .collect();
    let scales: Vec<f32> = (0..n).map(|j| 0.01 + j as f32 * 1e-3).collect();
    let packed = PackedW8::pack(&codes, &scales, k, levels).unwrap();
    let codes = packed.codes();
    let (whole, bias) = (whole_rows(m, k.max(2), levels, seed), values(n, !seed));
    let real = values(m * k, seed);
    let whole = &whole[..m * k];
    let mut outputs: Vec<Vec<f32>> = Vec::new();
    for &isa in Isa::available() {
        let (mut rows, mut plain) = (RowsU8::default(), RowsU8::default());
        for x in [whole, &real] {
            rows.fill_on(isa, x, k, levels);
            plain.fill_on(Isa::Portable, x, k, levels);
            assert_eq!(rows.scales(), plain.scales());
            assert_eq!(rows.zeros(), plain.zeros());
            let coded = rows.codes().chunks(rows.stride());
            for (r, (codes, x)) in coded.zip(x.chunks(k)).enumerate() {
                assert_eq!(codes[..k], plain.codes()[r * plain.stride()..][..k]);
                for (&code, x) in codes.iter().zip(x) {
                    assert!(code <= levels);
                    let value = (i32::from(code) - rows.zeros()[r]) as f32 * rows.scales()[r];
                    let step = rows.scales()[r];
                    assert!((value - x).abs() <= step * 0.51, "{code} for {x}");
                }
            }
            let mut out = vec![f32::NAN; m * n];
            linear_w8a8(isa, &rows, &packed, &bias, &mut out);
            let expected = reference::linear_w8a8(&rows, &codes, packed.scales(), &bias);
            let bound = 4.0 * EPSILON * 128.0 * (k as f64 + 1.0) * f64::from(levels);
            close(&out, &expected, bound, isa.name());

            // Without bias nothing but the scale rounds: the same bits everywhere.
            linear_w8a8(isa, &rows, &packed, &vec![0.0; n], &mut out);
            outputs.push(out);
        }
        // With scales of 1 the outcome is the integer itself.
        if k > 1 {
            rows.fill_on(isa, whole, k, levels);
            let mut unit = packed.clone();
            unit.set_scales(1.0);
            let mut out = vec![f32::NAN; m * n];
            linear_w8a8(isa, &rows, &unit, &vec![0.0; n], &mut out);
            let expected = reference::linear_w8a8(&rows, &codes, &vec![1.0; n], &vec![0.0; n]);
            for (out, expected) in out.iter().zip(expected) {
                assert_eq!(*out, expected as f32, "{}", isa.name());
            }
        }
    }
    for pair in outputs.chunks_exact(2) {
        assert_eq!(pair, &outputs[..2]);
    }
}

#[test]
fn products_of_bytes_agree_on_awkward_shapes() {
    for (m, n, k) in [
        (0, 5, 4),
        (1, 1, 1),
        (1, 16, 2),
        (2, 17, 7),
        (3, 15, 8),
        (4, 33, 31),
        (5, 16, 9),
    ] {
        for levels in [1, 127, 200, 255] {
            check_linear_w8a8(m, n, k, levels, 3);
        }
    }
    check_linear_w8a8(13, 48, 384, 255, 4);
    check_linear_w8a8(8, 20, 1536, 127, 5);
}

#[test]
fn products_of_bytes_do_not_saturate_at_the_extremes() {
    // The largest sums that a group of four may have, of either sign, under all-largest codes.
    for (levels, four) in [(255_u8, [127_i8, 1, 0, 0]), (127, [127, 127, 4, 0])] {
        for sign in [1_i8, -1] {
            for k in [8, 383, 1536, 65_536] {
                let codes: Vec<i8> = (0..k)
                    .map(|i| sign * four[i % 2 + 2 * (i / 4 % 2)])
                    .collect();
                let packed = PackedW8::pack(&codes, &[1.0], k, levels).unwrap();
                assert_eq!(packed.codes(), codes);
                let x = vec![f32::from(levels); k];
                for &isa in Isa::available() {
                    let mut rows = RowsU8::default();
                    rows.fill_on(isa, &x, k, levels);
                    assert_eq!(rows.zeros(), [0]);
                    let mut out = [0.0];
                    linear_w8a8(isa, &rows, &packed, &[0.0], &mut out);
                    let sum: i64 = codes.iter().map(|&code| i64::from(code)).sum();
                    let expected = (sum * i64::from(levels)) as f32;
                    assert_eq!(out[0], expected, "{} {k}", isa.name());

                    // All codes 0, with the zero point at the other end.
                    rows.fill_on(isa, &vec![-f32::from(levels); k], k, levels);
                    assert_eq!(rows.zeros(), [i32::from(levels)]);
                    linear_w8a8(isa, &rows, &packed, &[0.0], &mut out);
                    assert_eq!(out[0], -expected, "{} {k}", isa.name());
                }
            }
        }
    }
}

#[test]
fn rows_without_a_range_have_scale_0() {
    for x in [
        [0.0; 3],
        [f32::INFINITY, 1.0, 2.0],
        [f32::NEG_INFINITY, f32::NAN, 0.0],
    ] {
        for &isa in Isa::available() {
            let mut rows = RowsU8::default();
            rows.fill_on(isa, &x, 3, 255);
            assert_eq!((rows.scales(), rows.zeros()), (&[0.0][..], &[0][..]));
        }
    }
}

fn check_linear_f32(m: usize, n: usize, k: usize, seed: u64) {
    let (x, w, bias) = (
        values(m * k, seed),
        values(n * k, seed + 1),
        values(n, seed + 2),
    );
    let packed = PackedF32::pack(&w, k).unwrap();
    let expected = reference::linear_f32(&x, &w, k, &bias);
    for &isa in Isa::available() {
        let mut out = vec![f32::NAN; m * n];
        linear_f32(isa, &x, &packed, &bias, &mut out);
        close(
            &out,
            &expected,
            (k as f64 + 1.0) * k as f64 * EPSILON,
            isa.name(),
        );
    }
}

#[test]
fn f32_products_agree_on_awkward_shapes() {
    for (m, n, k) in [
        (0, 5, 4),
        (1, 1, 1),
        (5, 17, 7),
        (6, 16, 8),
        (7, 33, 31),
        (13, 48, 384),
    ] {
        check_linear_f32(m, n, k, 9);
    }
}

#[test]
fn gelu_is_within_its_stated_error_everywhere() {
    let x: Vec<f32> = (-120_000..=120_000).map(|i| i as f32 / 10_000.0).collect();
    for &isa in Isa::available() {
        let mut y = x.clone();
        gelu(isa, &mut y);
        for (&x, &y) in x.iter().zip(&y) {
            let error = (f64::from(y) - reference::gelu(x)).abs();
            assert!(
                error <= 4e-7 * f64::from(x.abs().max(1.0)),
                "{}: gelu({x}) = {y}",
                isa.name()
            );
        }
    }
}

#[test]
fn the_reference_erf_matches_published_values() {
    // Abramowitz and Stegun, table 7.1.
    for (x, y) in [
        (0.0, 0.0),
        (0.5, 0.520_499_877_8),
        (1.0, 0.842_700_792_9),
        (2.0, 0.995_322_265_0),
    ] {
        assert!((reference::erf(x) - y).abs() < 1e-10, "erf({x})");
        assert!((reference::erf(-x) + y).abs() < 1e-10, "erf(-{x})");
    }
    assert!((reference::erf(2.999_999_9) - reference::erf(3.000_000_1)).abs() < 1e-10);
}

#[test]
fn every_16_bit_float_is_widened_as_its_twin_says() {
    for bits in 0..=u16::MAX {
        let expected = reference::f32_of_f16(bits);
        for &isa in Isa::available() {
            let mut out = [0.0];
            scores_f16(isa, &[bits], &[1.0], 1, &mut out);
            let same = out[0] == expected || (out[0].is_nan() && expected.is_nan());
            assert!(same, "{} {bits:#x}: {} for {expected}", isa.name(), out[0]);
        }
    }
}

proptest! {
    #[test]
    fn halves_score_as_their_widened_rows(n in 0_usize..20, q in 0_usize..6, dim in 1_usize..70, seed in any::<u64>()) {
        let bits: Vec<u16> = values(n * dim, seed).iter().map(|x| half::f16::from_f32(*x).to_bits()).collect();
        let wide: Vec<f32> = bits.iter().map(|b| reference::f32_of_f16(*b)).collect();
        let queries = values(q * dim, !seed);
        for &isa in Isa::available() {
            let (mut found, mut expected) = (vec![f32::NAN; n * q], vec![f32::NAN; n * q]);
            scores_f16(isa, &bits, &queries, dim, &mut found);
            scores_f32(isa, &wide, &queries, dim, &mut expected);
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn scores_of_rows_agree(n in 0_usize..20, q in 0_usize..6, dim in 1_usize..70, seed in any::<u64>()) {
        let (rows, queries) = (values(n * dim, seed), values(q * dim, seed ^ 1));
        let mut expected = Vec::new();
        for query in queries.chunks_exact(dim) {
            expected.extend(rows.chunks_exact(dim).map(|row| reference::dot_f32(row, query)));
        }
        let codes: Vec<i8> = rows.iter().map(|x| (x * 127.0) as i8).collect();
        let wide: Vec<i16> = queries.iter().map(|x| (x * 2000.0) as i16).collect();
        let pairs = |a: &[i8], b: &[i16]| -> i32 {
            a.iter().zip(b).map(|(a, b)| i32::from(*a) * i32::from(*b)).sum()
        };
        let mut exact = Vec::new();
        for query in wide.chunks_exact(dim) {
            exact.extend(codes.chunks_exact(dim).map(|row| pairs(row, query)));
        }
        let at: Vec<u32> = (0..n as u32).rev().collect();
        for &isa in Isa::available() {
            let mut found = vec![0.0; n * q];
            scores_f32(isa, &rows, &queries, dim, &mut found);
            close(&found, &expected, 1e-5, isa.name());
            let mut found = vec![0; n * q];
            scores_i8(isa, &codes, &wide, dim, &mut found);
            prop_assert_eq!(&found, &exact, "{}", isa.name());
            if q > 0 {
                let mut found = vec![0; n];
                scores_i8_at(isa, &codes, &wide[..dim], &at, &mut found);
                found.reverse();
                prop_assert_eq!(&found, &exact[..n], "{}", isa.name());
            }
            if n > 1 {
                let (a, b) = (&codes[..dim], &codes[dim..2 * dim]);
                prop_assert_eq!(i64::from(dot_i8(isa, a, b)), reference::dot_i8(a, b), "{}", isa.name());
            }
        }
    }

    #[test]
    fn distances_of_codes_agree(n in 0_usize..20, q in 0_usize..4, words in 1_usize..8, seed in any::<u64>()) {
        let code = |len: usize, seed: u64| -> Vec<u64> {
            values(len, seed).iter().map(|x| u64::from(x.to_bits()).wrapping_mul(0x9E37_79B9_7F4A_7C15)).collect()
        };
        let (rows, queries) = (code(n * words, seed), code(q * words, !seed));
        for &isa in Isa::available() {
            let mut found = vec![u32::MAX; n * q];
            hamming(isa, &rows, &queries, words, &mut found);
            for (j, query) in queries.chunks_exact(words).enumerate() {
                for (i, row) in rows.chunks_exact(words).enumerate() {
                    prop_assert_eq!(found[j * n + i], reference::hamming(row, query));
                }
            }
        }
    }

    #[test]
    fn softmax_weights_are_positive_and_agree(n in 1_usize..70, seed in any::<u64>(), spread in 0.1_f32..60.0) {
        let row: Vec<f32> = values(n, seed).iter().map(|x| x * spread).collect();
        let expected = reference::softmax(&row, 0.5);
        for &isa in Isa::available() {
            let mut weights = row.clone();
            let sum = softmax(isa, &mut weights, 0.5);
            for (&found, &expected) in weights.iter().zip(&expected) {
                let found = f64::from(found / sum);
                // The exponent is rounded once at the size of the spread.
                let bound = 1e-6 + f64::from(spread) * EPSILON;
                prop_assert!(found > 0.0 && (found - expected).abs() <= bound * expected.max(1e-9));
            }
        }
    }

    #[test]
    fn layer_norms_agree(m in 0_usize..4, dim in 1_usize..70, seed in any::<u64>()) {
        let (x, residual) = (values(m * dim, seed), values(m * dim, seed ^ 1));
        let (gain, bias) = (values(dim, seed ^ 2), values(dim, seed ^ 3));
        for &isa in Isa::available() {
            let mut y = x.clone();
            add_layer_norm(isa, &mut y, &residual, &gain, &bias, 1e-5);
            for (i, y) in y.chunks_exact(dim).enumerate() {
                let at = i * dim..(i + 1) * dim;
                let expected =
                    reference::add_layer_norm(&x[at.clone()], &residual[at], &gain, &bias, 1e-5);
                // Rounding of the mean (1e-7) may be lifted by 1 / sqrt(eps), about 300.
                close(y, &expected, 2e-4, isa.name());
            }
        }
    }

    #[test]
    fn gelu_peaks_are_those_of_gelu(m in 0_usize..4, dim in 1_usize..40, seed in any::<u64>()) {
        for &isa in Isa::available() {
            let mut fused = values(m * dim, seed);
            let mut plain = fused.clone();
            let mut peaks = vec![0.0; m];
            gelu_peaks(isa, &mut fused, dim, &mut peaks);
            gelu(isa, &mut plain);
            prop_assert_eq!(&fused, &plain);
            for (row, peak) in plain.chunks_exact(dim).zip(peaks) {
                prop_assert_eq!(row.iter().fold(0.0_f32, |p, x| p.max(x.abs())), peak);
            }
        }
    }

    #[test]
    fn linear_layers_agree(m in 0_usize..9, n in 1_usize..40, k in 1_usize..50, seed in 0_u64..1 << 40) {
        check_linear_i8(m, n, k, seed);
        check_linear_f32(m, n, k, seed);
    }

    #[test]
    fn products_of_bytes_agree(m in 0_usize..8, n in 1_usize..40, k in 1_usize..50, levels in 1_u8..=255, seed in 0_u64..1 << 40) {
        check_linear_w8a8(m, n, k, levels, seed);
    }

    #[test]
    fn gelu_is_coded_as_its_outcome(m in 0_usize..4, dim in 1_usize..40, seed in any::<u64>()) {
        for &isa in Isa::available() {
            let mut fused = values(m * dim, seed);
            let mut plain = fused.clone();
            gelu(isa, &mut plain);
            let mut expected = RowsU8::default();
            expected.fill_on(isa, &plain, dim, 255);
            let mut found = RowsU8::default();
            found.fill_gelu_on(isa, &mut fused, dim, 255);
            prop_assert_eq!(fused, plain);
            prop_assert_eq!(found.codes(), expected.codes());
            prop_assert_eq!(found.scales(), expected.scales());
            prop_assert_eq!(found.zeros(), expected.zeros());
        }
    }

    #[test]
    fn attention_agrees(len in 0_usize..40, count in 1_usize..4, dim in 1_usize..40, seed in any::<u64>()) {
        check_attention(len, Heads { count, dim }, seed);
        check_attention_by_content(len.max(1), Heads { count, dim }, seed);
    }

    #[test]
    fn sums_of_table_rows_agree(n in 0_usize..70, seed in any::<u64>(), scale in -2.0_f32..2.0) {
        let base = values(n, seed);
        let codes: Vec<i8> = values(n, !seed).iter().map(|x| (x * 128.0) as i8).collect();
        let expected = reference::add_scaled_codes(&base, &codes, scale);
        for &isa in Isa::available() {
            let mut out = base.clone();
            add_scaled_codes(isa, &mut out, &codes, scale);
            // Two roundings of values up to 256.
            close(&out, &expected, 2.0 * 256.0 * EPSILON, isa.name());
        }
    }

    #[test]
    fn pooling_and_normalising_agree(m in 0_usize..5, dim in 1_usize..40, seed in any::<u64>()) {
        let x = values(m * dim, seed);
        let mut mean = vec![f32::NAN; dim];
        crate::mean_rows(&x, &mut mean);
        close(&mean, &reference::mean_rows(&x, dim), 8.0 * EPSILON, "mean");
        let expected = reference::l2_normalize(&mean);
        crate::l2_normalize(&mut mean);
        close(&mean, &expected, 32.0 * EPSILON, "length 1");
    }
}
