//! Personalized PageRank for a batch of queries on the device.

use indago_core::Cancel;

use super::DeviceError;
use super::launch::{Arg, Launch, Launcher, blocks, download, upload};
use super::rows::check_len;
use crate::ShapeError;

/// A weighted graph by its incoming edges, in device memory.
#[derive(Debug)]
pub struct Graph<M> {
    starts: M,
    sources: M,
    weights: M,
    dangling: M,
    n: usize,
}

impl<M> Graph<M> {
    /// Copies a graph of `n` nodes to the device, given by its edges `(from, to, weight)`; the
    /// weights out of a node are scaled to add up to 1. Weights must be positive and finite.
    ///
    /// # Errors
    /// An edge that leaves the graph, a weight that is not positive, or a device without the memory.
    pub fn new<L: Launcher<Memory = M>>(
        device: &L,
        n: usize,
        edges: &[(u32, u32, f32)],
    ) -> Result<Self, DeviceError> {
        check_len(n)?;
        check_edges(n, edges)?;
        let mut out = vec![0.0_f64; n];
        let mut starts = vec![0_u64; n + 1];
        for &(from, to, weight) in edges {
            out[from as usize] += f64::from(weight);
            starts[to as usize + 1] += 1;
        }
        for v in 0..n {
            starts[v + 1] += starts[v];
        }
        let mut next = starts.clone();
        let mut sources = vec![0_u32; edges.len()];
        let mut weights = vec![0.0_f32; edges.len()];
        for &(from, to, weight) in edges {
            let place = &mut next[to as usize];
            sources[*place as usize] = from;
            weights[*place as usize] = (f64::from(weight) / out[from as usize]) as f32;
            *place += 1;
        }
        let dangling: Vec<u8> = out.iter().map(|&sum| u8::from(sum == 0.0)).collect();
        Ok(Self {
            starts: upload(device, &starts)?,
            sources: upload(device, &sources)?,
            weights: upload(device, &weights)?,
            dangling: upload(device, &dangling)?,
            n,
        })
    }

    /// Ranks after `steps` steps of power iteration for each of the `queries` seed distributions.
    /// Rank on nodes without a way out goes back to the seeds.
    ///
    /// | argument  | shape          | layout                            |
    /// |-----------|----------------|-----------------------------------|
    /// | `seeds`   | `[n, queries]` | row-major; columns add up to 1    |
    /// | result    | `[n, queries]` | row-major; columns add up to 1    |
    ///
    /// # Errors
    /// Shapes that do not fit, a device that failed, or cancelled.
    pub fn page_rank<L: Launcher<Memory = M>>(
        &self,
        device: &L,
        seeds: &[f32],
        queries: usize,
        damping: f32,
        steps: u32,
        cancel: &Cancel,
    ) -> Result<Vec<f32>, DeviceError> {
        ShapeError::check("seeds", seeds.len(), self.n * queries)?;
        if seeds.is_empty() {
            return Ok(Vec::new());
        }
        let seed = upload(device, seeds)?;
        let lost = device.alloc(queries * 4)?;
        let mut rank = upload(device, seeds)?;
        let mut next = device.alloc(seeds.len() * 4)?;
        let (n, q) = (self.n as u32, queries as u32);
        for _ in 0..steps {
            cancel.check()?;
            let sum = Launch {
                kernel: "pagerank_lost",
                grid: [q, 1],
                block: 256,
                shared: 0,
            };
            let step = Launch {
                kernel: "pagerank_step",
                grid: [blocks(device, self.n, 8), 1],
                block: 256,
                shared: 0,
            };
            // SAFETY: the arguments are those of the two kernels: the graph as checked when made,
            // and `[n, queries]` values in `seed`, `rank` and `next`.
            unsafe {
                device.launch(
                    sum,
                    &[
                        Arg::Memory(&self.dangling),
                        Arg::Memory(&rank),
                        Arg::Memory(&lost),
                        Arg::U32(n),
                        Arg::U32(q),
                    ],
                )?;
                device.launch(
                    step,
                    &[
                        Arg::Memory(&self.starts),
                        Arg::Memory(&self.sources),
                        Arg::Memory(&self.weights),
                        Arg::Memory(&seed),
                        Arg::Memory(&lost),
                        Arg::Memory(&rank),
                        Arg::Memory(&next),
                        Arg::U32(n),
                        Arg::U32(q),
                        Arg::F32(damping),
                    ],
                )?;
            }
            std::mem::swap(&mut rank, &mut next);
        }
        download(device, &rank, seeds.len())
    }
}

/// Refuses edges that leave a graph of `n` nodes, and weights that are not positive and finite.
pub(crate) fn check_edges(n: usize, edges: &[(u32, u32, f32)]) -> Result<(), ShapeError> {
    for (i, &(from, to, weight)) in edges.iter().enumerate() {
        let wrong = if from as usize >= n || to as usize >= n {
            ("node of an edge (below)", from.max(to) as usize)
        } else if !(weight > 0.0 && weight.is_finite()) {
            ("edge whose weight is not positive", i)
        } else {
            continue;
        };
        return Err(ShapeError {
            what: wrong.0,
            found: wrong.1,
            expected: n,
        });
    }
    Ok(())
}
