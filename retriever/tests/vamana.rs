//! Walks over a graph of neighbours against the exact scan.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use indago_core::Cancel;
use indago_kernels::RowsF32;
use indago_kernels::quantize::Quantized;
use indago_kernels::scan::top_k_i8;
use proptest::prelude::*;

use indago_retriever::vamana::{
    Adjacency as _, Graph, LinkBytes, Near, Params, Walker, build, search, update,
};

/// `n` rows of length 1 around a few centres.
fn clustered(n: usize, dim: usize, seed: u64) -> (Vec<f32>, Quantized) {
    let mut state = seed | 1;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 40) as f32 / (1_u32 << 23) as f32 - 1.0
    };
    let centres: Vec<f32> = (0..9 * dim).map(|_| next()).collect();
    let mut data = Vec::new();
    for i in 0..n {
        let row: Vec<f32> = centres[i % 9 * dim..][..dim]
            .iter()
            .map(|c| c + next())
            .collect();
        let length = row.iter().map(|x| x * x).sum::<f32>().sqrt().max(1e-9);
        data.extend(row.iter().map(|x| x / length));
    }
    let codes = Quantized::of(RowsF32::new(&data, dim).unwrap());
    (data, codes)
}

const SMALL: Params = Params {
    degree: 16,
    beam: 40,
    alpha: 1.2,
};

/// Part of the exact ten that a walk finds, looking for `queries` of `data`'s rows.
fn recall(data: &[f32], codes: &Quantized, graph: &Graph, members: &[u32], beam: usize) -> f64 {
    let rows = codes.rows().unwrap();
    let mut walker = Walker::default();
    let (mut hits, mut of) = (0, 0);
    for &member in members.iter().step_by(7) {
        let query = &data[member as usize * codes.dim..][..codes.dim];
        let all = top_k_i8(rows, query, rows.len(), &Cancel::new()).unwrap();
        let mut exact = all.concat();
        exact.retain(|scored| members.contains(&(scored.row as u32)));
        exact.truncate(10);
        let found = search(rows, graph, &graph.entries, query, beam, &mut walker).unwrap();
        let in_order = |a: &Near, b: &Near| (b.score, a.row) < (a.score, b.row);
        assert!(found.is_sorted_by(in_order), "best first, each once");
        assert!(found.iter().all(|near| members.contains(&near.row)));
        let found = &found[..found.len().min(10)];
        let worst = exact.last().map_or(0.0, |scored| scored.score);
        hits += found.iter().filter(|near| near.score >= worst).count();
        of += exact.len();
    }
    hits as f64 / of as f64
}

#[test]
fn walks_find_what_a_scan_finds() {
    let (data, codes) = clustered(1500, 24, 5);
    let members: Vec<u32> = (0..1500).collect();
    let rows = codes.rows().unwrap();
    let graph = build(rows, &members, SMALL, &Cancel::new()).unwrap();
    assert!(recall(&data, &codes, &graph, &members, 64) > 0.97);
    // With every row in view only rows that no path leads to can be missed.
    assert!(recall(&data, &codes, &graph, &members, 1500) > 0.999);
    let again = build(rows, &members, SMALL, &Cancel::new()).unwrap();
    assert_eq!(graph, again, "the same graph every time");
    let bytes: Vec<u8> = graph.links.iter().flat_map(|l| l.to_le_bytes()).collect();
    let mapped = LinkBytes {
        degree: graph.degree,
        bytes: &bytes,
    };
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for row in 0..1500 {
        graph.links(row, &mut a);
        mapped.links(row, &mut b);
        assert_eq!(a, b);
        assert!(!a.contains(&row) && a.len() <= SMALL.degree);
    }
}

#[test]
fn rows_come_and_go() {
    let (data, codes) = clustered(1400, 24, 11);
    let first: Vec<u32> = (0..1000).collect();
    let rows = codes.rows().unwrap();
    let old = build(rows, &first, SMALL, &Cancel::new()).unwrap();
    // Rows keep their numbers here; every third of the old ones goes.
    let members: Vec<u32> = (0..1400).filter(|r| *r >= 1000 || r % 3 != 0).collect();
    let now: Vec<Option<u32>> = (0..1000).map(|r| (r % 3 != 0).then_some(r)).collect();
    let graph = update(rows, &members, &old, &now, SMALL, &Cancel::new()).unwrap();
    assert!(recall(&data, &codes, &graph, &members, 64) > 0.96);
    let nothing: Vec<Option<u32>> = vec![None; 1000];
    let fresh = update(rows, &members, &old, &nothing, SMALL, &Cancel::new()).unwrap();
    assert!(recall(&data, &codes, &fresh, &members, 64) > 0.96);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn small_graphs_are_whole(n in 0usize..40, seed in any::<u64>(), same in any::<bool>()) {
        let (mut data, mut codes) = clustered(n.max(1), 8, seed);
        if same {
            // Equal rows, which no direction tells apart.
            let row = data[..8].to_vec();
            data = row.repeat(n.max(1));
            codes = Quantized::of(RowsF32::new(&data, 8).unwrap());
        }
        let members: Vec<u32> = (0..n as u32).collect();
        let rows = codes.rows().unwrap();
        let graph = build(rows, &members, SMALL, &Cancel::new()).unwrap();
        let mut walker = Walker::default();
        let found = search(rows, &graph, &graph.entries, &data[..8], 50, &mut walker).unwrap();
        prop_assert!(found.len() <= n && (n == 0) == found.is_empty());
        if !same {
            prop_assert!(found.len() == n);
        }
        prop_assert!(search(rows, &graph, &graph.entries, &data[..8], 0, &mut walker).unwrap().is_empty());
    }
}

#[test]
fn links_that_lead_nowhere_and_wrong_members_are_refused() {
    let (data, codes) = clustered(20, 8, 3);
    let rows = codes.rows().unwrap();
    assert!(build(rows, &[20], SMALL, &Cancel::new()).is_err());
    let graph = Graph {
        degree: 4,
        links: vec![99; 80],
        entries: vec![0],
    };
    let mut walker = Walker::default();
    assert!(search(rows, &graph, &[0], &data[..8], 5, &mut walker).is_err());
    // The memory of a failed walk serves the next one.
    let graph = build(rows, &[0, 1, 2], SMALL, &Cancel::new()).unwrap();
    let found = search(rows, &graph, &graph.entries, &data[..8], 5, &mut walker).unwrap();
    assert_eq!(found.len(), 3);
    assert!(search(rows, &graph, &graph.entries, &data[..7], 5, &mut walker).is_err());
}
