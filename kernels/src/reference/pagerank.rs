//! Twin of personalized PageRank.

/// Solves `x = a * W D^-1 x + (1 - a) * v` by many rounds over a dense matrix, in f64;
/// `edges` are `(source, target, weight)`, seeds sum to 1. Nodes without edges give their mass to
/// the seeds. Twin of [`crate::pagerank::pagerank`].
pub fn pagerank(n: usize, edges: &[(u32, u32, f32)], seeds: &[f64], a: f64) -> Vec<f64> {
    let mut dense = vec![0.0; n * n];
    let mut degree = vec![0.0; n];
    for &(source, target, weight) in edges {
        dense[target as usize * n + source as usize] += f64::from(weight);
        degree[source as usize] += f64::from(weight);
    }
    let mut x = seeds.to_vec();
    for _ in 0..2000 {
        let lost: f64 = (0..n).filter(|&i| degree[i] == 0.0).map(|i| x[i]).sum();
        let go = |i: usize| -> f64 {
            let sources = (0..n).filter(|&j| degree[j] > 0.0);
            sources.map(|j| dense[i * n + j] * x[j] / degree[j]).sum()
        };
        x = (0..n)
            .map(|i| a * go(i) + (1.0 - a + a * lost) * seeds[i])
            .collect();
    }
    x
}
