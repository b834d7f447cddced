//! Personalized PageRank here or on a device.

use indago_core::Cancel;

use crate::cuda::{self, DeviceError, Gpu, Launcher};
use crate::pagerank::{Graph, GraphError, Transitions, Walk, pagerank};
use crate::{Device, ShapeError};

/// A weighted graph where it is walked: here, or in the memory of a device.
#[derive(Debug)]
pub enum PlacedGraph<L: Launcher = Gpu> {
    /// Here.
    Here(Transitions),
    /// On that device.
    There(L, cuda::Graph<L::Memory>),
}

impl Device {
    /// Brings a graph of `n` nodes to where it is walked, given by its edges `(from, to, weight)`; the
    /// weights out of a node are scaled to add up to 1.
    ///
    /// # Errors
    /// An edge that leaves the graph, a weight that is not positive, a device that has not the memory
    /// or failed.
    pub fn place_graph(
        &self,
        n: usize,
        edges: &[(u32, u32, f32)],
    ) -> Result<PlacedGraph, DeviceError> {
        match self {
            Self::Cpu(_) => PlacedGraph::here(n, edges),
            Self::Cuda(gpu) => PlacedGraph::on(gpu.clone(), n, edges),
        }
    }
}

impl<L: Launcher> PlacedGraph<L> {
    /// Keeps it here.
    ///
    /// # Errors
    /// As [`Device::place_graph`].
    pub fn here(n: usize, edges: &[(u32, u32, f32)]) -> Result<Self, DeviceError> {
        let mut edges = edges.to_vec();
        cuda::check_edges(n, &edges)?;
        edges.sort_by_key(|&(from, ..)| from);
        let mut starts = vec![0_u32; n + 1];
        for &(from, ..) in &edges {
            starts[from as usize + 1] += 1;
        }
        for node in 0..n {
            starts[node + 1] += starts[node];
        }
        let targets: Vec<u32> = edges.iter().map(|&(_, to, _)| to).collect();
        let weights: Vec<f32> = edges.iter().map(|&(.., weight)| weight).collect();
        let graph = Graph::new(&starts, &targets, &weights).map_err(|error| match error {
            GraphError::Shape(shape) => shape,
            // Checked above.
            _ => ShapeError {
                what: "edges",
                found: edges.len(),
                expected: n,
            },
        })?;
        Ok(Self::Here(Transitions::of(graph)))
    }

    /// Copies it to `device`.
    ///
    /// # Errors
    /// As [`Device::place_graph`].
    pub fn on(device: L, n: usize, edges: &[(u32, u32, f32)]) -> Result<Self, DeviceError> {
        let there = cuda::Graph::new(&device, n, edges)?;
        Ok(Self::There(device, there))
    }

    /// Ranks after `steps` steps of power iteration for each of the `queries` seed distributions
    /// (columns of `seeds`, `[n, queries]`, row-major, which add up to 1), in the same layout. Rank on
    /// nodes without a way out goes back to the seeds.
    ///
    /// # Errors
    /// Shapes that do not fit, a device that failed, or cancelled.
    pub fn page_rank(
        &self,
        seeds: &[f32],
        queries: usize,
        damping: f32,
        steps: u32,
        cancel: &Cancel,
    ) -> Result<Vec<f32>, DeviceError> {
        let graph = match self {
            Self::There(device, graph) => {
                return graph.page_rank(device, seeds, queries, damping, steps, cancel);
            }
            Self::Here(graph) => graph,
        };
        ShapeError::check("seeds", seeds.len(), graph.len() * queries)?;
        let walk = Walk {
            continuing: damping,
            // All steps, as on a device.
            tolerance: 0.0,
            rounds: steps as usize,
        };
        let mut ranks = vec![0.0; seeds.len()];
        for query in 0..queries {
            let column = seeds.iter().skip(query).step_by(queries);
            let own: Vec<(u32, f32)> = (0..).zip(column.copied()).collect();
            let found = pagerank(graph, &own, walk, cancel)?;
            for (rank, found) in ranks.iter_mut().skip(query).step_by(queries).zip(found) {
                *rank = found;
            }
        }
        Ok(ranks)
    }
}
