//! The dense scan against sorting all scores.

use indago_core::Cancel;
use indago_kernels::quantize::Quantized;
use indago_kernels::scan::{ScanError, top_k_f32, top_k_f32_where, top_k_i8};
use indago_kernels::{RowsF32, dot_f32, dot_i8, reference};
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

fn check(n: usize, dim: usize, n_queries: usize, k: usize, seed: u64) {
    let data = values(n * dim, seed);
    let queries = values(n_queries * dim, !seed);
    let rows = RowsF32::new(&data, dim).expect("shapes fit");
    let hits = top_k_f32(rows, &queries, k, &Cancel::new()).expect("shapes fit");
    assert_eq!(hits.len(), n_queries);
    for (query, hits) in queries.chunks_exact(dim).zip(&hits) {
        let scores: Vec<f32> = data
            .chunks_exact(dim)
            .map(|row| dot_f32(row, query))
            .collect();
        assert_eq!(
            hits,
            &reference::top_k(&scores, k),
            "{n} x {dim}, {n_queries}, {k}"
        );
    }

    let codes = Quantized::of(rows);
    let hits = top_k_i8(
        codes.rows().expect("shapes fit"),
        &queries,
        k,
        &Cancel::new(),
    )
    .expect("shapes fit");
    for (query, hits) in queries.chunks_exact(dim).zip(&hits) {
        assert_eq!(hits.len(), k.min(n));
        let mass: f64 = query.iter().map(|x| f64::from(x.abs())).sum();
        for hit in hits {
            let row = &data[hit.row * dim..(hit.row + 1) * dim];
            let exact = reference::dot_f32(row, query);
            // Half a step of the row's codes, and a step of the query's (1/32767 or coarser).
            let bound = f64::from(codes.scales[hit.row]) / 2.0 * mass + 2e-4 * dim as f64 + 1e-6;
            assert!(
                (f64::from(hit.score) - exact).abs() <= bound,
                "{hit:?} {exact} {bound}"
            );
        }
        assert!(hits.is_sorted_by(|a, b| (b.score, a.row) <= (a.score, b.row)));
    }
}

#[test]
fn the_best_k_equal_sorting_everything_on_awkward_sizes() {
    for (n, dim) in [
        (0, 1),
        (1, 1),
        (7, 8),
        (13, 9),
        (255, 31),
        (257, 17),
        (600, 384),
    ] {
        for n_queries in [0, 1, 3, 4, 5] {
            for k in [0, 1, 10, n, n + 3] {
                check(n, dim, n_queries, k, (n * 31 + k) as u64);
            }
        }
    }
}

#[test]
fn many_parts_give_what_one_gives() {
    check(20_011, 64, 2, 25, 5);
}

#[test]
fn equal_scores_come_back_in_row_order_and_filters_hold() {
    let data = vec![1.0; 5000 * 8];
    let rows = RowsF32::new(&data, 8).unwrap();
    let hits = top_k_f32(rows, &[1.0; 8], 3, &Cancel::new()).unwrap();
    assert_eq!(
        hits[0].iter().map(|hit| hit.row).collect::<Vec<_>>(),
        [0, 1, 2]
    );
    let only = top_k_f32_where(rows, &[1.0; 8], 3, |row| row == 4321, &Cancel::new()).unwrap();
    assert_eq!(
        only[0].iter().map(|hit| hit.row).collect::<Vec<_>>(),
        [4321]
    );
}

#[test]
fn a_score_that_is_no_number_comes_last() {
    let data = [f32::NAN, 1.0, -1.0];
    let hits = top_k_f32(RowsF32::new(&data, 1).unwrap(), &[1.0], 3, &Cancel::new()).unwrap();
    assert_eq!(
        hits[0].iter().map(|hit| hit.row).collect::<Vec<_>>(),
        [1, 2, 0]
    );
    assert_eq!(hits[0][2].score, f32::NEG_INFINITY);
}

#[test]
fn queries_of_another_length_and_cancelled_scans_are_errors() {
    let data = [0.0; 8];
    let rows = RowsF32::new(&data, 4).unwrap();
    assert!(matches!(
        top_k_f32(rows, &[0.0; 6], 1, &Cancel::new()),
        Err(ScanError::Shape(_))
    ));
    let cancel = Cancel::new();
    cancel.cancel();
    assert!(matches!(
        top_k_f32(rows, &[0.0; 4], 1, &cancel),
        Err(ScanError::Cancelled(_))
    ));
}

proptest! {
    #[test]
    fn dots_agree_with_their_twins(n in 0_usize..200, seed in any::<u64>()) {
        let (a, b) = (values(n, seed), values(n, !seed));
        let exact = reference::dot_f32(&a, &b);
        let mass: f64 = a.iter().zip(&b).map(|(a, b)| f64::from((a * b).abs())).sum();
        let bound = mass * (n as f64 / 8.0 + 4.0) * f64::from(f32::EPSILON);
        prop_assert!((f64::from(dot_f32(&a, &b)) - exact).abs() <= bound);

        let codes = |x: &[f32]| x.iter().map(|x| (x * 128.0) as i8).collect::<Vec<_>>();
        let (a, b) = (codes(&a), codes(&b));
        prop_assert_eq!(i64::from(dot_i8(&a, &b)), reference::dot_i8(&a, &b));
    }
}
