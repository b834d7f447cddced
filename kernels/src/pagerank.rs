//! Personalized PageRank: where a walk that keeps returning to its seeds spends its time.
//!
//! `x = a * W D^-1 x + (1 - a) * v` with `v` the seeds' distribution, `W` the symmetric or directed
//! weights and `D` the weighted out-degree of each node (Haveliwala 2002; Jeh and Widom 2003). A
//! node without edges gives its mass back to the seeds. Two solvers: [`pagerank`] by power
//! iteration over the whole graph, and [`push`], which touches only what is near the seeds
//! (Andersen, Chung and Lang 2006, "Local graph partitioning using PageRank vectors", section 3).

use std::collections::VecDeque;

use indago_core::{Cancel, Cancelled};

use crate::ShapeError;

/// A weighted directed graph by source: node `u` has the edges `starts[u]..starts[u + 1]`.
///
/// An undirected graph holds each edge in both directions.
#[derive(Clone, Copy, Debug)]
pub struct Graph<'a> {
    starts: &'a [u32],
    targets: &'a [u32],
    weights: &'a [f32],
}

/// A graph that was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    /// Lengths do not fit.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// An edge leads out of the graph.
    #[error("edge {edge} leads to node {target} of a graph with {nodes}")]
    Target {
        /// Position of the edge.
        edge: usize,
        /// Where it leads.
        target: u32,
        /// Number of nodes.
        nodes: usize,
    },
    /// A weight is negative or no finite number.
    #[error("the weight of edge {edge} is not a finite number from 0 up")]
    Weight {
        /// Position of the edge.
        edge: usize,
    },
}

impl<'a> Graph<'a> {
    /// Views the three arrays as a graph of `starts.len() - 1` nodes. Reads them through once.
    ///
    /// # Errors
    /// When the starts do not ascend from 0 to the number of edges, an edge leads nowhere, or a
    /// weight is negative or not finite.
    pub fn new(
        starts: &'a [u32],
        targets: &'a [u32],
        weights: &'a [f32],
    ) -> Result<Self, GraphError> {
        ShapeError::check("weights of edges", weights.len(), targets.len())?;
        let last = starts.last().map_or(usize::MAX, |&last| last as usize);
        ShapeError::check("starts of edges", last, targets.len())?;
        if starts.first() != Some(&0) || !starts.is_sorted() {
            return Err(GraphError::Shape(ShapeError {
                what: "ascending starts of edges from",
                found: starts.first().map_or(0, |&first| first as usize),
                expected: 0,
            }));
        }
        let nodes = starts.len() - 1;
        if let Some(edge) = targets.iter().position(|&target| target as usize >= nodes) {
            let target = targets[edge];
            return Err(GraphError::Target {
                edge,
                target,
                nodes,
            });
        }
        let bad = |weight: &f32| !(weight.is_finite() && *weight >= 0.0);
        if let Some(edge) = weights.iter().position(bad) {
            return Err(GraphError::Weight { edge });
        }
        Ok(Self {
            starts,
            targets,
            weights,
        })
    }

    /// Number of nodes.
    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// Whether there are no nodes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn edges(&self, node: usize) -> impl Iterator<Item = (usize, f32)> + '_ {
        let edges = self.starts[node] as usize..self.starts[node + 1] as usize;
        let targets = self.targets[edges.clone()].iter();
        targets
            .map(|&target| target as usize)
            .zip(self.weights[edges].iter().copied())
    }

    /// Sum of the weights that leave a node.
    fn degree(&self, node: usize) -> f32 {
        self.edges(node).map(|(_, weight)| weight).sum()
    }
}

/// How a walk is followed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Walk {
    /// Probability of going on along an edge instead of back to the seeds, from 0 to below 1.
    /// `HippoRAG` uses 0.5.
    pub continuing: f32,
    /// [`pagerank`] stops when all nodes together change by less, [`push`] when no node holds more
    /// than this times its degree undistributed.
    pub tolerance: f32,
    /// Most rounds of [`pagerank`]; the error shrinks by `continuing` in each.
    pub rounds: usize,
}

impl Default for Walk {
    fn default() -> Self {
        Self {
            continuing: 0.5,
            tolerance: 1e-7,
            rounds: 30,
        }
    }
}

/// The seeds' distribution over `n` nodes: weights that are positive numbers, of nodes that exist,
/// scaled to sum 1. Empty when nothing is left.
fn distribution(n: usize, seeds: &[(u32, f32)]) -> Vec<(u32, f32)> {
    let valid =
        |(node, weight): &(u32, f32)| (*node as usize) < n && weight.is_finite() && *weight > 0.0;
    let mut seeds: Vec<(u32, f32)> = seeds.iter().copied().filter(valid).collect();
    let sum: f64 = seeds.iter().map(|(_, weight)| f64::from(*weight)).sum();
    for (_, weight) in &mut seeds {
        *weight = (f64::from(*weight) / sum) as f32;
    }
    seeds
}

/// A graph made ready for walks: its edges turned round, each with the share of its source's mass
/// that it carries. Make it once, walk it often.
#[derive(Clone, Debug)]
pub struct Transitions {
    starts: Vec<u32>,
    sources: Vec<u32>,
    shares: Vec<f32>,
    /// Nodes whose mass goes back to the seeds.
    dangling: Vec<u32>,
}

impl Transitions {
    /// Turns `graph` round. Takes 8 bytes an edge.
    pub fn of(graph: Graph<'_>) -> Self {
        let n = graph.len();
        let mut starts = vec![0_u32; n + 1];
        let mut dangling = Vec::new();
        for node in 0..n {
            if graph.degree(node) > 0.0 {
                for (target, _) in graph.edges(node) {
                    starts[target + 1] += 1;
                }
            } else {
                dangling.push(node as u32);
            }
        }
        for i in 0..n {
            starts[i + 1] += starts[i];
        }
        let mut next = starts.clone();
        let n_edges = starts[n] as usize;
        let (mut sources, mut shares) = (vec![0; n_edges], vec![0.0; n_edges]);
        for node in 0..n {
            let degree = graph.degree(node);
            if degree > 0.0 {
                for (target, weight) in graph.edges(node) {
                    let at = next[target] as usize;
                    sources[at] = node as u32;
                    shares[at] = weight / degree;
                    next[target] += 1;
                }
            }
        }
        Self {
            starts,
            sources,
            shares,
            dangling,
        }
    }

    /// Number of nodes.
    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// Whether there are no nodes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The mass of every node by power iteration, in pull form: each node gathers from its sources, so
/// the result does not depend on any order of updates. All zeros when there is no valid seed.
///
/// A round moves 12 bytes an edge and is bound by the gather. Twin:
/// [`crate::reference::pagerank`].
///
/// # Errors
/// When cancelled.
pub fn pagerank(
    graph: &Transitions,
    seeds: &[(u32, f32)],
    walk: Walk,
    cancel: &Cancel,
) -> Result<Vec<f32>, Cancelled> {
    let n = graph.len();
    let mut start = vec![0.0_f32; n];
    for (node, weight) in distribution(n, seeds) {
        start[node as usize] += weight;
    }
    let mut mass = start.clone();
    let mut next = vec![0.0_f32; n];
    for _ in 0..walk.rounds {
        cancel.check()?;
        let lost: f32 = graph.dangling.iter().map(|&node| mass[node as usize]).sum();
        let back = 1.0 - walk.continuing + walk.continuing * lost;
        let mut change = 0.0_f64;
        for (node, next) in next.iter_mut().enumerate() {
            let edges = graph.starts[node] as usize..graph.starts[node + 1] as usize;
            let sources = graph.sources[edges.clone()].iter();
            let shares = &graph.shares[edges];
            let gathered: f32 = sources
                .zip(shares)
                .map(|(&source, share)| mass[source as usize] * share)
                .sum();
            *next = walk.continuing * gathered + back * start[node];
            change += f64::from((*next - mass[node]).abs());
        }
        std::mem::swap(&mut mass, &mut next);
        if change < f64::from(walk.tolerance) {
            break;
        }
    }
    Ok(mass)
}

/// The mass of the nodes near the seeds, as (node, mass) by ascending node; nodes that got none are
/// left out.
///
/// Works on `graph` as it is, in time proportional to `1 / ((1 - continuing) * tolerance)` whatever
/// the graph's size. What it leaves undistributed is at most `tolerance` times a node's degree, so
/// on a graph with symmetric weights a node's mass is below the exact one by at most that. Mass
/// that reaches a node without edges stays there, unlike in [`pagerank`].
///
/// # Errors
/// When cancelled.
pub fn push(
    graph: Graph<'_>,
    seeds: &[(u32, f32)],
    walk: Walk,
    cancel: &Cancel,
) -> Result<Vec<(u32, f32)>, Cancelled> {
    let mut mass = vec![0.0_f32; graph.len()];
    let mut waiting = vec![0.0_f32; graph.len()];
    let mut queued = vec![false; graph.len()];
    // Negative where it has not been asked for yet.
    let mut degrees = vec![-1.0_f32; graph.len()];
    let mut degree_of = |node: usize| {
        if degrees[node] < 0.0 {
            degrees[node] = graph.degree(node);
        }
        degrees[node]
    };
    let mut queue = VecDeque::new();
    let mut touched = Vec::new();
    let bar = |degree: f32| walk.tolerance.max(f32::MIN_POSITIVE) * degree;
    for (node, weight) in distribution(graph.len(), seeds) {
        waiting[node as usize] += weight;
        if !queued[node as usize] {
            queued[node as usize] = true;
            queue.push_back(node as usize);
        }
    }
    let mut steps = 0_u32;
    while let Some(node) = queue.pop_front() {
        steps = steps.wrapping_add(1);
        if steps.is_multiple_of(4096) {
            cancel.check()?;
        }
        queued[node] = false;
        let degree = degree_of(node);
        let held = waiting[node];
        if held <= bar(degree) {
            continue;
        }
        waiting[node] = 0.0;
        if mass[node] == 0.0 {
            touched.push(node as u32);
        }
        if degree <= 0.0 {
            mass[node] += held;
            continue;
        }
        mass[node] += (1.0 - walk.continuing) * held;
        let share = walk.continuing * held / degree;
        for (target, weight) in graph.edges(node) {
            waiting[target] += share * weight;
            if !queued[target] && waiting[target] > bar(degree_of(target)) {
                queued[target] = true;
                queue.push_back(target);
            }
        }
    }
    touched.sort_unstable();
    Ok(touched
        .into_iter()
        .map(|node| (node, mass[node as usize]))
        .collect())
}
