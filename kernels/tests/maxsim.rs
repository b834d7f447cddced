//! Late interaction against its twin.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use indago_core::Cancel;
use indago_kernels::maxsim::{Ragged, maxsim_f32, maxsim_i8};
use indago_kernels::quantize::Quantized;
use indago_kernels::{RowsF32, reference};
use proptest::prelude::*;

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

fn check(lengths: &[usize], n_query: usize, dim: usize, seed: u64) {
    let mut bounds = vec![0_u32];
    for length in lengths {
        bounds.push(bounds[bounds.len() - 1] + *length as u32);
    }
    let rows = bounds[lengths.len()] as usize;
    let (tokens, query) = (values(rows * dim, seed), values(n_query * dim, !seed));
    let ragged = Ragged::new(&bounds, rows).unwrap();
    assert_eq!(ragged.len(), lengths.len());
    // In another order, one twice.
    let mut documents: Vec<u32> = (0..lengths.len() as u32).rev().collect();
    documents.extend(documents.first().copied());
    let matrix = RowsF32::new(&tokens, dim).unwrap();
    let found = maxsim_f32(&query, matrix, ragged, &documents, &Cancel::new()).unwrap();
    let codes = Quantized::of(matrix);
    let coarse = codes.rows().unwrap();
    let coarse = maxsim_i8(&query, coarse, ragged, &documents, &Cancel::new()).unwrap();
    assert_eq!(
        (found.len(), coarse.len()),
        (documents.len(), documents.len())
    );
    for ((&document, found), coarse) in documents.iter().zip(found).zip(coarse) {
        let at =
            bounds[document as usize] as usize * dim..bounds[document as usize + 1] as usize * dim;
        let expected = reference::maxsim(&query, &tokens[at], dim);
        if expected.is_infinite() {
            assert_eq!((found, coarse), (f32::NEG_INFINITY, f32::NEG_INFINITY));
            continue;
        }
        let mass = dim as f64 * n_query as f64;
        let bound = mass * (dim as f64 / 8.0 + 8.0) * f64::from(f32::EPSILON);
        assert!(
            (f64::from(found) - expected).abs() <= bound,
            "{found} {expected}"
        );
        // Half a step of codes up to 127 for values up to 1, times the query's mass.
        assert!((f64::from(coarse) - expected).abs() <= mass * (0.5 / 127.0 + 2e-4) + 1e-6);
    }
}

#[test]
fn awkward_shapes_agree() {
    check(&[], 3, 4, 1);
    check(&[0], 3, 4, 2);
    check(&[1, 0, 63, 64, 65, 130], 1, 1, 3);
    check(&[5, 200, 17], 32, 128, 4);
    check(&[3, 3], 0, 8, 5);
    check(&vec![80; 150], 32, 64, 6);
}

#[test]
fn one_token_is_a_sum_of_dots_and_more_tokens_never_lower_a_score() {
    let (tokens, query) = (values(20 * 16, 7), values(4 * 16, 8));
    let mut before = f32::NEG_INFINITY;
    for n in 1..=20_u32 {
        let bounds = [0, n];
        let rows = RowsF32::new(&tokens[..n as usize * 16], 16).unwrap();
        let ragged = Ragged::new(&bounds, n as usize).unwrap();
        let score = maxsim_f32(&query, rows, ragged, &[0], &Cancel::new()).unwrap()[0];
        if n == 1 {
            let dots = query
                .chunks(16)
                .map(|q| indago_kernels::dot_f32(q, &tokens[..16]));
            assert_eq!(score, dots.sum::<f32>());
        }
        assert!(score >= before);
        before = score;
    }
}

#[test]
fn what_is_no_number_and_what_does_not_exist_scores_nothing() {
    let tokens = [f32::NAN, 2.0, f32::NAN];
    let rows = RowsF32::new(&tokens, 1).unwrap();
    let ragged = Ragged::new(&[0, 2, 3], 3).unwrap();
    let scores = maxsim_f32(&[1.0], rows, ragged, &[0, 1, 9], &Cancel::new()).unwrap();
    assert_eq!(scores, [2.0, f32::NEG_INFINITY, f32::NEG_INFINITY]);
    assert!(Ragged::new(&[0, 3, 2], 2).is_err());
    assert!(Ragged::new(&[1, 3], 3).is_err());
    assert!(Ragged::new(&[], 0).is_err());
    assert!(Ragged::new(&[0, 2], 3).is_err());
    let cancel = Cancel::new();
    cancel.cancel();
    assert!(maxsim_f32(&[1.0], rows, ragged, &[0], &cancel).is_err());
    assert!(
        maxsim_f32(
            &[1.0; 3],
            RowsF32::new(&[0.0; 4], 2).unwrap(),
            ragged,
            &[0],
            &Cancel::new()
        )
        .is_err()
    );
}

proptest! {
    #[test]
    fn ragged_matrices_agree(
        lengths in prop::collection::vec(0_usize..150, 0..12),
        n_query in 0_usize..40,
        dim in 1_usize..40,
        seed in any::<u64>(),
    ) {
        check(&lengths, n_query, dim, seed);
    }
}
