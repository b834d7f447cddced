//! Personalized PageRank against a dense solution.

use indago_core::Cancel;
use indago_kernels::pagerank::{Graph, Transitions, Walk, pagerank, push};
use indago_kernels::reference;
use proptest::prelude::*;

/// Edges as the three arrays of a graph.
fn arrays(n: usize, edges: &[(u32, u32, f32)]) -> (Vec<u32>, Vec<u32>, Vec<f32>) {
    let mut edges = edges.to_vec();
    edges.sort_by_key(|edge| edge.0);
    let mut starts = vec![0; n + 1];
    for edge in &edges {
        starts[edge.0 as usize + 1] += 1;
    }
    for i in 0..n {
        starts[i + 1] += starts[i];
    }
    let targets = edges.iter().map(|edge| edge.1).collect();
    (starts, targets, edges.iter().map(|edge| edge.2).collect())
}

fn both_ways(edges: &[(u32, u32, f32)]) -> Vec<(u32, u32, f32)> {
    let back = edges.iter().map(|&(a, b, w)| (b, a, w));
    edges.iter().copied().chain(back).collect()
}

#[test]
fn the_worked_example_comes_out() {
    // A, B, C, P1, P2, P3.
    let edges = both_ways(&[
        (3, 0, 1.0),
        (3, 1, 1.0),
        (4, 1, 1.0),
        (5, 2, 1.0),
        (0, 1, 2.0),
    ]);
    let (starts, targets, weights) = arrays(6, &edges);
    let graph = Graph::new(&starts, &targets, &weights).unwrap();
    let transitions = Transitions::of(graph);
    let run = |seeds: &[(u32, f32)]| {
        pagerank(&transitions, seeds, Walk::default(), &Cancel::new()).unwrap()
    };
    let close = |found: &[f32], expected: &[f32]| {
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
    };
    close(
        &run(&[(0, 1.0)]),
        &[0.593_857, 0.245_734, 0.0, 0.129_693, 0.030_717, 0.0],
    );
    close(
        &run(&[(0, 1.0), (3, 0.05), (4, 0.025)]),
        &[0.563_616, 0.246_051, 0.0, 0.147_948, 0.042_384, 0.0],
    );
    // Seeds that are none.
    assert_eq!(run(&[]), [0.0; 6]);
    assert_eq!(run(&[(9, 1.0), (1, f32::NAN), (2, -1.0)]), [0.0; 6]);
    let standing = Walk {
        continuing: 0.0,
        ..Walk::default()
    };
    let stayed = pagerank(&transitions, &[(2, 3.0)], standing, &Cancel::new()).unwrap();
    assert_eq!(stayed, [0.0, 0.0, 1.0, 0.0, 0.0, 0.0]);
}

#[test]
fn bad_graphs_are_refused_and_empty_ones_are_not() {
    assert!(Graph::new(&[0, 1], &[1], &[1.0]).is_err());
    assert!(Graph::new(&[0, 1], &[0], &[f32::NAN]).is_err());
    assert!(Graph::new(&[0, 1], &[0], &[-1.0]).is_err());
    assert!(Graph::new(&[0, 2, 1], &[0], &[1.0]).is_err());
    assert!(Graph::new(&[], &[], &[]).is_err());
    assert!(Graph::new(&[0, 1], &[0], &[]).is_err());
    let empty = Graph::new(&[0], &[], &[]).unwrap();
    assert!(empty.is_empty());
    let cancel = Cancel::new();
    let none = pagerank(
        &Transitions::of(empty),
        &[(0, 1.0)],
        Walk::default(),
        &cancel,
    );
    assert!(none.unwrap().is_empty());
    assert!(
        push(empty, &[(0, 1.0)], Walk::default(), &cancel)
            .unwrap()
            .is_empty()
    );
    cancel.cancel();
    assert!(pagerank(&Transitions::of(empty), &[], Walk::default(), &cancel).is_err());
}

proptest! {
    #[test]
    fn power_iteration_solves_the_equation(
        n in 1_usize..40,
        edges in prop::collection::vec((any::<u32>(), any::<u32>(), 0.0_f32..4.0), 0..150),
        seeds in prop::collection::vec((any::<u32>(), 0.01_f32..1.0), 1..6),
        continuing in 0.0_f32..0.9,
    ) {
        let node = |i: u32| i % n as u32;
        let edges: Vec<_> = edges.iter().map(|&(a, b, w)| (node(a), node(b), w)).collect();
        let seeds: Vec<_> = seeds.iter().map(|&(i, w)| (node(i), w)).collect();
        let (starts, targets, weights) = arrays(n, &edges);
        let graph = Graph::new(&starts, &targets, &weights).unwrap();
        let walk = Walk { continuing, rounds: 400, ..Walk::default() };
        let found = pagerank(&Transitions::of(graph), &seeds, walk, &Cancel::new()).unwrap();
        let sum: f64 = seeds.iter().map(|seed| f64::from(seed.1)).sum();
        let mut start = vec![0.0; n];
        for (node, weight) in seeds {
            start[node as usize] += f64::from(weight) / sum;
        }
        let expected = reference::pagerank(n, &edges, &start, f64::from(continuing));
        for (found, expected) in found.iter().zip(&expected) {
            prop_assert!((f64::from(*found) - expected).abs() < 1e-5, "{} {}", found, expected);
        }
        let mass: f32 = found.iter().sum();
        prop_assert!((mass - 1.0).abs() < 1e-4, "{}", mass);
    }

    #[test]
    fn pushing_leaves_no_more_than_it_says(
        n in 2_usize..60,
        edges in prop::collection::vec((any::<u32>(), any::<u32>(), 0.1_f32..4.0), 1..150),
        seed in any::<u32>(),
        tolerance in 1e-6_f32..1e-2,
    ) {
        let node = |i: u32| i % n as u32;
        let mut edges: Vec<_> = edges.iter().map(|&(a, b, w)| (node(a), node(b), w)).collect();
        // Every node has an edge, so that both solvers treat all nodes alike.
        edges.extend((0..n as u32).map(|i| (i, (i + 1) % n as u32, 0.5)));
        let edges = both_ways(&edges);
        let (starts, targets, weights) = arrays(n, &edges);
        let graph = Graph::new(&starts, &targets, &weights).unwrap();
        let walk = Walk { tolerance, ..Walk::default() };
        let found = push(graph, &[(node(seed), 2.0)], walk, &Cancel::new()).unwrap();
        let mut start = vec![0.0; n];
        start[node(seed) as usize] = 1.0;
        let exact = reference::pagerank(n, &edges, &start, 0.5);
        let mut near = vec![0.0; n];
        for (node, mass) in found {
            near[node as usize] = f64::from(mass);
        }
        for i in 0..n {
            let degree: f64 = edges.iter().filter(|e| e.0 as usize == i).map(|e| f64::from(e.2)).sum();
            let short = exact[i] - near[i];
            prop_assert!(short > -1e-6 && short <= f64::from(tolerance) * degree + 1e-6, "{}", short);
        }
    }
}
