//! Lloyd's k-means on the device, for the cells of an inverted file and for codebooks.

use indago_core::Cancel;

use super::DeviceError;
use super::launch::{Arg, Launch, Launcher, blocks, download, upload};
use super::rows::check_len;
use crate::{RowsF32, ShapeError};

/// What came of a clustering.
#[derive(Clone, Debug, PartialEq)]
pub struct KMeans {
    /// `[centroids, dim]`, row-major.
    pub centroids: Vec<f32>,
    /// The nearest centroid of each row, by the centroids above.
    pub nearest: Vec<u32>,
}

/// Moves `centroids` (`[c, dim]`, row-major) to the means of the rows nearest to them, `rounds`
/// times; the same result in every run. A centroid that no row is nearest to stays. (Lloyd 1982.)
///
/// Does `2 * n * c * dim` operations a round.
///
/// # Errors
/// Shapes that do not fit, a row with a value that is not finite, a device that failed, or cancelled.
pub fn k_means<L: Launcher>(
    device: &L,
    rows: RowsF32<'_>,
    centroids: &[f32],
    rounds: u32,
    cancel: &Cancel,
) -> Result<KMeans, DeviceError> {
    let (n, dim) = (rows.len(), rows.dim());
    let n_centroids = RowsF32::new(centroids, dim)?.len();
    check_len(n)?;
    check_len(n_centroids)?;
    check_finite(rows)?;
    if n == 0 || n_centroids == 0 {
        return Ok(KMeans {
            centroids: centroids.to_vec(),
            nearest: vec![0; n],
        });
    }
    let half_norms: Vec<f32> = centroids
        .chunks_exact(dim)
        .map(|row| 0.5 * row.iter().map(|x| x * x).sum::<f32>())
        .collect();
    let data = upload(device, rows.data())?;
    let means = upload(device, centroids)?;
    let half_norms = upload(device, &half_norms)?;
    let nearest = device.alloc(n * 4)?;
    let scores = device.alloc(n * 4)?;
    let assign = || {
        let launch = Launch {
            kernel: "kmeans_assign",
            grid: [blocks(device, n, 8), 1],
            block: 256,
            shared: 0,
        };
        // SAFETY: the arguments are those of `kmeans_assign`: `n` rows and `n_centroids` centroids of
        // `dim` values, half a squared length for each, and room for `n` results.
        unsafe {
            device.launch(
                launch,
                &[
                    Arg::Memory(&data),
                    Arg::Memory(&means),
                    Arg::Memory(&half_norms),
                    Arg::U32(n as u32),
                    Arg::U32(n_centroids as u32),
                    Arg::U32(dim as u32),
                    Arg::Memory(&nearest),
                    Arg::Memory(&scores),
                ],
            )
        }
    };
    for _ in 0..rounds {
        cancel.check()?;
        assign()?;
        let (members, starts) = by_cell(&download(device, &nearest, n)?, n_centroids);
        let members = upload(device, &members)?;
        let starts = upload(device, &starts)?;
        let launch = Launch {
            kernel: "kmeans_update",
            grid: [n_centroids as u32, 1],
            block: 256,
            shared: 0,
        };
        // SAFETY: the arguments are those of `kmeans_update`: every row once among the members, in
        // `n_centroids` ranges.
        unsafe {
            device.launch(
                launch,
                &[
                    Arg::Memory(&data),
                    Arg::Memory(&members),
                    Arg::Memory(&starts),
                    Arg::U32(dim as u32),
                    Arg::Memory(&means),
                    Arg::Memory(&half_norms),
                ],
            )?;
        }
    }
    assign()?;
    Ok(KMeans {
        centroids: download(device, &means, centroids.len())?,
        nearest: download(device, &nearest, n)?,
    })
}

/// Refuses rows with a value that is not finite: one of them would make a centroid no number, and with
/// it all rows another's.
pub(crate) fn check_finite(rows: RowsF32<'_>) -> Result<(), ShapeError> {
    match rows.data().iter().position(|x| !x.is_finite()) {
        None => Ok(()),
        Some(at) => Err(ShapeError {
            what: "row with a value that is no number",
            found: at / rows.dim(),
            expected: rows.len(),
        }),
    }
}

/// Rows in the order of their cells, and where each cell starts.
fn by_cell(nearest: &[u32], n_cells: usize) -> (Vec<u32>, Vec<u64>) {
    let mut starts = vec![0_u64; n_cells + 1];
    for &cell in nearest {
        starts[cell as usize + 1] += 1;
    }
    for cell in 0..n_cells {
        starts[cell + 1] += starts[cell];
    }
    let mut next = starts.clone();
    let mut members = vec![0; nearest.len()];
    for (row, &cell) in (0..).zip(nearest) {
        let place = &mut next[cell as usize];
        members[*place as usize] = row;
        *place += 1;
    }
    (members, starts)
}
