//! Approximate search over a graph of near neighbours.
//!
//! Each row links to near rows in different directions, and a search walks from row to row towards
//! the query with a *beam* of the best rows seen so far (Jayaram Subramanya et al. 2019, "DiskANN",
//! algorithms 1 to 3). Rows come in by batches that do not see each other, each at most a fiftieth
//! of what is there (Manohar et al. 2024, "ParlayANN", section 3), so that all cores work and the
//! graph is the same every time. Rows go by linking their neighbours to each other (Singh et al.
//! 2021, "FreshDiskANN", algorithm 4). Distance is `1 - dot` of 8-bit codes; rows have length 1.
//!
//! One layer with many entries takes the place of HNSW's upper layers: a search begins with the
//! best of up to 256 sampled rows.

mod build;
mod walk;

use indago_kernels::gather::QueryCodes;
use indago_kernels::{RowsI8, ShapeError};

pub use build::{Params, build, update};
pub use walk::Walker;

/// Stands where a row has fewer links than it may.
pub(crate) const NONE: u32 = u32::MAX;

/// Rows that a search may begin with.
const MAX_ENTRIES: usize = 256;

/// The links of each row.
pub trait Adjacency {
    /// Replaces `out` by the rows that `row` links to.
    fn links(&self, row: u32, out: &mut Vec<u32>);
}

/// A graph over the rows of a matrix, in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graph {
    /// Most links of a row.
    pub degree: usize,
    /// `[rows, degree]`: rows linked to, the rest `u32::MAX`. A row without links is not part of the
    /// graph unless it is an entry.
    pub links: Vec<u32>,
    /// Rows that searches begin with.
    pub entries: Vec<u32>,
}

impl Adjacency for Graph {
    fn links(&self, row: u32, out: &mut Vec<u32>) {
        let start = row as usize * self.degree;
        let links = self.links.get(start..start + self.degree).unwrap_or(&[]);
        out.clear();
        out.extend(links.iter().take_while(|&&link| link != NONE));
    }
}

/// The same graph as little-endian bytes, for instance of a mapped file.
#[derive(Clone, Copy, Debug)]
pub struct LinkBytes<'a> {
    /// Most links of a row.
    pub degree: usize,
    /// `4 * rows * degree` bytes.
    pub bytes: &'a [u8],
}

impl Adjacency for LinkBytes<'_> {
    fn links(&self, row: u32, out: &mut Vec<u32>) {
        let start = 4 * row as usize * self.degree;
        let bytes = self.bytes.get(start..start + 4 * self.degree);
        let links = bytes.unwrap_or(&[]).as_chunks::<4>().0;
        out.clear();
        out.extend(
            links
                .iter()
                .map(|&link| u32::from_le_bytes(link))
                .take_while(|&link| link != NONE),
        );
    }
}

/// A row and its dot product with the query.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Near {
    /// Which row.
    pub row: u32,
    /// Its dot product with the query.
    pub score: f32,
}

impl Near {
    /// Best first, ties by row.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "what sorting calls")]
    fn order(&self, other: &Self) -> std::cmp::Ordering {
        other
            .score
            .total_cmp(&self.score)
            .then(self.row.cmp(&other.row))
    }
}

/// The best rows that a walk with `beam` rows in view finds, best first, at most `beam`.
///
/// # Errors
/// When the query's length is not that of the rows, or a link leads nowhere.
pub fn search(
    rows: RowsI8<'_>,
    graph: &impl Adjacency,
    entries: &[u32],
    query: &[f32],
    beam: usize,
    walker: &mut Walker,
) -> Result<Vec<Near>, ShapeError> {
    walker.walk(rows, graph, entries, &QueryCodes::of(query), beam)?;
    Ok(walker.found().collect())
}
