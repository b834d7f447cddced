//! MaxSim, PageRank and k-means against plain loops.

use indago_core::Cancel;
use indago_kernels::cuda::{DeviceError, Graph, TokenRows, k_means};
use indago_kernels::{
    Device, DeviceChoice, PlacedGraph, PlacedSparse, PlacedTokens, RowsF32, SparseView, pick,
};
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    /// One call each, wherever the tokens, rows and graphs are.
    #[test]
    fn what_is_placed_here_and_there_gives_the_same(
        dim in prop::sample::select(vec![1_usize, 7, 32]),
        lengths in prop::collection::vec(prop::sample::select(vec![0_usize, 1, 5, 33]), 0..5),
        // More than a device takes at once, too.
        n_query in prop::sample::select(vec![0_usize, 1, 64, 130]),
        k in prop::sample::select(vec![0_usize, 1, 3, 100]),
        codes in prop::collection::vec(-4_i8..=4, 135 * 32 + 130 * 32),
        without in 0_usize..3,
        order in 0_u32..4,
    ) {
        let host = || Host { order, blocks: 2 };
        let cancel = Cancel::new();
        let total: usize = lengths.iter().sum();
        let values: Vec<f32> = codes.iter().map(|&x| quarter(x)).collect();
        let (tokens, query) =
            (&values[..total * dim], &values[values.len() - n_query * dim..]);
        let mut bounds = vec![0_u32];
        for len in &lengths {
            bounds.push(bounds[bounds.len() - 1] + *len as u32);
        }
        let texts: Vec<u32> = (0..lengths.len() as u32).rev().collect();
        let rows = RowsF32::new(tokens, dim).unwrap();
        let here = PlacedTokens::<Host>::here(rows, &bounds).unwrap();
        let there = PlacedTokens::on(host(), rows, &bounds).unwrap();
        prop_assert_eq!(
            here.score(query, &texts, &cancel).unwrap(),
            there.score(query, &texts, &cancel).unwrap()
        );
        let absent = [lengths.len() as u32];
        prop_assert_eq!(
            here.score(query, &absent, &cancel).unwrap_err(),
            there.score(query, &absent, &cancel).unwrap_err()
        );

        // The same tokens as sparse rows.
        let (mut starts, mut terms, mut weights) = (vec![0_u64], Vec::new(), Vec::new());
        for row in tokens.chunks_exact(dim) {
            for (term, &weight) in row.iter().enumerate().filter(|&(_, &x)| x > 0.0) {
                terms.push(term as u32);
                weights.push(weight);
            }
            starts.push(terms.len() as u64);
        }
        let mut filter = vec![0_u32; total.div_ceil(32)];
        (0..total).filter(|row| without == 0 || row % without != 0)
            .for_each(|row| filter[row / 32] |= 1 << (row % 32));
        let sparse = SparseView::new(&starts, &terms, &weights, dim).unwrap();
        let here: PlacedSparse<'_> = PlacedSparse::Here(sparse);
        let there = PlacedSparse::on(host(), sparse).unwrap();
        let dense = &values[values.len() - dim..];
        prop_assert_eq!(
            here.top_k(dense, k, Some(&filter), &cancel).unwrap(),
            there.top_k(dense, k, Some(&filter), &cancel).unwrap()
        );

        // And as the edges of a graph.
        let n = lengths.len() * 3 + 1;
        let edge = |(i, &x): (usize, &i8)| {
            let from = (i * 7 + x.unsigned_abs() as usize) % n;
            (from as u32, (i % n) as u32, f32::from(x.unsigned_abs() + 1))
        };
        let edges: Vec<_> = codes.iter().take(total).enumerate().map(edge).collect();
        let mut seeds = vec![0.0; n * 2];
        (seeds[0], seeds[(n - 1) * 2 + 1]) = (1.0, 1.0);
        let here = PlacedGraph::<Host>::here(n, &edges).unwrap();
        let there = PlacedGraph::on(host(), n, &edges).unwrap();
        let ranks = |graph: &PlacedGraph<Host>| {
            graph.page_rank(&seeds, 2, 0.85, 12, &cancel).unwrap()
        };
        for (here, there) in ranks(&here).into_iter().zip(ranks(&there)) {
            prop_assert!((here - there).abs() < 1e-6, "{here} {there}");
        }
        let beyond = [(0, n as u32, 1.0)];
        prop_assert_eq!(
            PlacedGraph::<Host>::here(n, &beyond).err(),
            PlacedGraph::on(host(), n, &beyond).err()
        );

        cancel.cancel();
        let cancelled = there.page_rank(&seeds, 2, 0.85, 12, &cancel);
        prop_assert!(matches!(cancelled, Err(DeviceError::Cancelled(_))));
        let cancelled = here.page_rank(&seeds, 2, 0.85, 12, &cancel);
        prop_assert!(matches!(cancelled, Err(DeviceError::Cancelled(_))));
    }
}

#[test]
fn k_means_here_and_there_moves_to_the_same_means() {
    // Three groups that lie apart, so that rounding decides nothing.
    let rows: Vec<f32> = (0..90)
        .flat_map(|i| [(i % 3) as f32 * 100.0 + (i % 7) as f32, (i % 5) as f32])
        .collect();
    let rows = RowsF32::new(&rows, 2).unwrap();
    let start = [0.0, 0.0, 90.0, 0.0, 220.0, 0.0, 9000.0, 0.0];
    let cancel = Cancel::new();
    let cpu = pick(DeviceChoice::Cpu).unwrap().device;
    assert!(matches!(cpu, Device::Cpu(_)));
    let host = Host {
        order: 3,
        blocks: 2,
    };
    let here = cpu.k_means(rows, &start, 3, &cancel).unwrap();
    let there = k_means(&host, rows, &start, 3, &cancel).unwrap();
    assert_eq!(here.nearest, there.nearest);
    for (here, there) in here.centroids.iter().zip(&there.centroids) {
        assert!((here - there).abs() < 1e-4, "{here} {there}");
    }
    let odd = [f32::NAN, 1.0];
    let odd = RowsF32::new(&odd, 2).unwrap();
    assert_eq!(
        cpu.k_means(odd, &start, 1, &cancel).unwrap_err(),
        k_means(&host, odd, &start, 1, &cancel).unwrap_err()
    );
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
