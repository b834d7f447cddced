//! The dense scan against sorting all scores.

use indago_core::Cancel;
use indago_kernels::quantize::{Quantized, push_row_bits};
use indago_kernels::scan::{
    ScanError, rescore, top_k_bits, top_k_f16, top_k_f32, top_k_f32_where, top_k_i8,
};
use indago_kernels::{RowsBits, RowsF16, RowsF32, dot_f32, dot_i8, reference};
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

#[expect(clippy::unwrap_used, reason = "a test helper")]
fn check_small(n: usize, dim: usize, n_queries: usize, k: usize, seed: u64) {
    let data = values(n * dim, seed);
    let queries = values(n_queries * dim, !seed);
    let keep = |row: usize| row % 3 != 1;
    let kept = |mut scores: Vec<f32>| {
        let mut all = reference::top_k(&scores, n);
        all.retain(|hit| keep(hit.row));
        all.truncate(k);
        scores.clear();
        all
    };

    let halves: Vec<half::f16> = data.iter().map(|x| half::f16::from_f32(*x)).collect();
    let bits: Vec<u16> = halves.iter().map(|half| half.to_bits()).collect();
    let wide: Vec<f32> = halves.iter().map(|half| half.to_f32()).collect();
    let rows = RowsF16::new(&bits, dim).unwrap();
    let hits = top_k_f16(rows, &queries, k, keep, &Cancel::new()).unwrap();
    for (query, hits) in queries.chunks_exact(dim).zip(&hits) {
        let scores = wide.chunks_exact(dim).map(|row| dot_f32(row, query));
        assert_eq!(hits, &kept(scores.collect()), "{n} x {dim}");
    }

    let code = |data: &[f32]| {
        let mut words = Vec::new();
        data.chunks_exact(dim)
            .for_each(|row| push_row_bits(row, &mut words));
        words
    };
    let (codes, query_codes) = (code(&data), code(&queries));
    let rows = RowsBits::new(&codes, dim).unwrap();
    assert_eq!(rows.len(), n);
    let query_rows = RowsBits::new(&query_codes, dim).unwrap();
    let hits = top_k_bits(rows, query_rows, k, keep, &Cancel::new()).unwrap();
    let sign = |x: &f32| if *x > 0.0 { 1.0 } else { -1.0 };
    for (query, hits) in queries.chunks_exact(dim).zip(&hits) {
        let agree = |row: &[f32]| row.iter().zip(query).map(|(a, b)| sign(a) * sign(b)).sum();
        let scores: Vec<f32> = data.chunks_exact(dim).map(agree).collect();
        assert_eq!(hits, &kept(scores), "{n} x {dim} bits");
        // Everything scored again is the exact scan.
        let all = top_k_bits(rows, query_rows, n, keep, &Cancel::new()).unwrap();
        let again = rescore(all.into_iter().next().unwrap(), k, |row| {
            dot_f32(&data[row * dim..(row + 1) * dim], &queries[..dim])
        });
        let exact = top_k_f32_where(
            RowsF32::new(&data, dim).unwrap(),
            &queries[..dim],
            k,
            keep,
            &Cancel::new(),
        );
        assert_eq!(again, exact.unwrap()[0]);
    }
}

#[test]
fn halves_and_bits_equal_sorting_everything_on_awkward_sizes() {
    for (n, dim) in [
        (0, 1),
        (1, 1),
        (7, 8),
        (13, 64),
        (255, 65),
        (300, 127),
        (601, 31),
    ] {
        for n_queries in [0, 1, 5] {
            for k in [0, 1, 10, n + 3] {
                check_small(n, dim, n_queries, k, (n * 31 + k) as u64);
            }
        }
    }
}
