//! MaxSim, PageRank and k-means against plain loops.

use indago_core::Cancel;
use indago_kernels::RowsF32;
use indago_kernels::cuda::{Graph, TokenRows, k_means};
use proptest::prelude::*;

use super::anywhere::Host;

fn quarter(x: i8) -> f32 {
    f32::from(x) * 0.25
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn max_sim_equals_its_definition(
        dim in prop::sample::select(vec![1_usize, 7, 32]),
        lengths in prop::collection::vec(prop::sample::select(vec![0_usize, 1, 5, 32, 33, 70]), 0..5),
        n_query in prop::sample::select(vec![0_usize, 1, 17, 64]),
        codes in prop::collection::vec(-4_i8..=4, 64 * 32 + 280 * 32),
        odd in prop::option::of(0_usize..280 * 32),
        order in 0_u32..4,
    ) {
        let host = Host { order, blocks: 2 };
        let total: usize = lengths.iter().sum();
        let mut tokens: Vec<f32> = codes[..total * dim].iter().map(|&x| quarter(x)).collect();
        // What is no number is the best match of nothing.
        if let Some(value) = odd.and_then(|odd| tokens.get_mut(odd)) {
            *value = f32::NAN;
        }
        let query: Vec<f32> = codes[codes.len() - n_query * dim..].iter().map(|&x| quarter(x)).collect();
        let mut starts = vec![0];
        for len in &lengths {
            starts.push(starts[starts.len() - 1] + len);
        }
        let rows = TokenRows::new(&host, RowsF32::new(&tokens, dim).unwrap(), &starts).unwrap();
        let texts: Vec<usize> = (0..lengths.len()).rev().collect();
        let found = rows.score(&host, &query, &texts).unwrap();
        let expected: Vec<f32> = texts.iter().map(|&text| {
            let own = &tokens[starts[text] * dim..starts[text + 1] * dim];
            if own.is_empty() {
                return f32::NEG_INFINITY;
            }
            query.chunks_exact(dim).map(|q| {
                own.chunks_exact(dim)
                    .map(|t| q.iter().zip(t).map(|(a, b)| a * b).sum::<f32>())
                    .fold(f32::NEG_INFINITY, f32::max)
            }).sum()
        }).collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn page_rank_equals_power_iteration(
        n in prop::sample::select(vec![0_usize, 1, 2, 13, 40, 257]),
        edges in prop::collection::vec((0_u32..257, 0_u32..257, 1_u8..9), 0..120),
        queries in prop::sample::select(vec![1_usize, 3, 33]),
        order in 0_u32..4,
    ) {
        let host = Host { order, blocks: 2 };
        let edges: Vec<(u32, u32, f32)> = edges.into_iter()
            .filter(|_| n > 0)
            .map(|(from, to, weight)| (from % n as u32, to % n as u32, f32::from(weight)))
            .collect();
        let mut seeds = vec![0.0_f32; n * queries];
        (0..queries.min(n * queries)).for_each(|q| seeds[(q % n) * queries + q] = 1.0);
        let found = Graph::new(&host, n, &edges).unwrap()
            .page_rank(&host, &seeds, queries, 0.85, 12, &Cancel::new()).unwrap();

        let mut out = vec![0.0_f64; n];
        for &(from, _, w) in &edges {
            out[from as usize] += f64::from(w);
        }
        for q in 0..queries {
            let seed: Vec<f64> = (0..n).map(|v| f64::from(seeds[v * queries + q])).collect();
            let mut rank = seed.clone();
            for _ in 0..12 {
                let lost: f64 = (0..n).filter(|&v| out[v] == 0.0).map(|v| rank[v]).sum();
                let mut next: Vec<f64> = seed.iter().map(|s| (0.15 + 0.85 * lost) * s).collect();
                for &(from, to, w) in &edges {
                    next[to as usize] +=
                        0.85 * rank[from as usize] * f64::from(w) / out[from as usize];
                }
                rank = next;
            }
            for v in 0..n {
                let (a, b) = (f64::from(found[v * queries + q]), rank[v]);
                prop_assert!((a - b).abs() < 1e-5, "node {}: {} and {}", v, a, b);
            }
        }
    }

    #[test]
    fn k_means_equals_lloyds_rounds(
        n in prop::sample::select(vec![0_usize, 1, 50, 257]),
        dim in prop::sample::select(vec![1_usize, 5, 33]),
        codes in prop::collection::vec(-4_i8..=4, 257 * 33),
        order in 0_u32..4,
    ) {
        let host = Host { order, blocks: 2 };
        let rows: Vec<f32> = codes[..n * dim].iter().map(|&x| quarter(x)).collect();
        let start: Vec<f32> = codes[codes.len() - 4 * dim..].iter().map(|&x| quarter(x)).collect();
        let found =
            k_means(&host, RowsF32::new(&rows, dim).unwrap(), &start, 3, &Cancel::new()).unwrap();

        // The result of the rounds is checked by its own property, since ties by rounding may fall
        // either way: every row is nearest to its centroid, within rounding.
        for (row, &cell) in rows.chunks_exact(dim).zip(&found.nearest) {
            let distance = |c: usize| -> f64 {
                found.centroids[c * dim..(c + 1) * dim].iter().zip(row)
                    .map(|(a, b)| f64::from(a - b).powi(2)).sum()
            };
            let least = (0..4).map(distance).fold(f64::INFINITY, f64::min);
            prop_assert!(distance(cell as usize) <= least + 1e-4);
        }
        // Three rounds of the same algorithm in 64 bits end no worse.
        let inertia = |centroids: &[f64]| -> f64 {
            rows.chunks_exact(dim).map(|row| {
                centroids.chunks_exact(dim).map(|c| {
                    c.iter().zip(row).map(|(a, &b)| (a - f64::from(b)).powi(2)).sum::<f64>()
                }).fold(f64::INFINITY, f64::min)
            }).sum()
        };
        let ours: Vec<f64> = found.centroids.iter().map(|&x| f64::from(x)).collect();
        let first: Vec<f64> = start.iter().map(|&x| f64::from(x)).collect();
        prop_assert!(inertia(&ours) <= inertia(&first) + 1e-3);
    }
}

#[test]
fn one_round_of_k_means_moves_to_the_means() {
    let host = Host {
        order: 2,
        blocks: 2,
    };
    let rows = [0.0, 0.0, 0.0, 2.0, 10.0, 0.0, 10.0, 4.0];
    let found = k_means(
        &host,
        RowsF32::new(&rows, 2).unwrap(),
        &[1.0, 1.0, 9.0, 1.0, 100.0, 100.0],
        1,
        &Cancel::new(),
    )
    .unwrap();
    assert_eq!(found.centroids, [0.0, 1.0, 10.0, 2.0, 100.0, 100.0]);
    assert_eq!(found.nearest, [0, 0, 1, 1]);
}

#[test]
fn rows_that_are_no_numbers_are_refused_by_k_means() {
    let host = Host {
        order: 1,
        blocks: 2,
    };
    let rows = [0.0, 1.0, f32::NAN, 4.0];
    let rows = RowsF32::new(&rows, 2).unwrap();
    let error = k_means(&host, rows, &[1.0, 4.0], 1, &Cancel::new()).unwrap_err();
    assert!(error.to_string().contains("no number"), "{error}");
}

#[test]
fn graphs_and_token_rows_that_do_not_fit_are_refused() {
    let host = Host {
        order: 0,
        blocks: 1,
    };
    assert!(Graph::new(&host, 2, &[(0, 2, 1.0)]).is_err());
    assert!(Graph::new(&host, 2, &[(0, 1, f32::NAN)]).is_err());
    let tokens = [1.0, 2.0];
    let rows = RowsF32::new(&tokens, 1).unwrap();
    assert!(TokenRows::new(&host, rows, &[0, 3]).is_err());
    assert!(TokenRows::new(&host, rows, &[0, 2, 1, 2]).is_err());
    let rows = TokenRows::new(&host, rows, &[0, 2]).unwrap();
    assert!(rows.score(&host, &[1.0], &[1]).is_err());
}
