//! Lloyd's k-means here or on a device.

use indago_core::Cancel;
use rayon::prelude::*;

use crate::cuda::{self, DeviceError, KMeans};
use crate::{Device, RowsF32, dot_f32};

impl Device {
    /// Moves `centroids` (`[c, dim]`, row-major) to the means of the rows nearest to them, `rounds`
    /// times; the same result in every run on one device. A centroid that no row is nearest to stays,
    /// and a row goes to the lower of two centroids. (Lloyd 1982.) Here and on a GPU sums differ in
    /// their last bits, and with them rows that lie between two centroids.
    ///
    /// # Errors
    /// Shapes that do not fit, a row with a value that is not finite, a device that failed, or
    /// cancelled.
    pub fn k_means(
        &self,
        rows: RowsF32<'_>,
        centroids: &[f32],
        rounds: u32,
        cancel: &Cancel,
    ) -> Result<KMeans, DeviceError> {
        match self {
            Self::Cpu(_) => here(rows, centroids, rounds, cancel),
            Self::Cuda(gpu) => cuda::k_means(gpu, rows, centroids, rounds, cancel),
        }
    }
}

fn here(
    rows: RowsF32<'_>,
    centroids: &[f32],
    rounds: u32,
    cancel: &Cancel,
) -> Result<KMeans, DeviceError> {
    let dim = rows.dim();
    let n_centroids = RowsF32::new(centroids, dim)?.len();
    cuda::check_finite(rows)?;
    let mut centroids = centroids.to_vec();
    if n_centroids == 0 {
        let nearest = vec![0; rows.len()];
        return Ok(KMeans { centroids, nearest });
    }
    for _ in 0..rounds {
        cancel.check()?;
        let nearest = assign(rows, &centroids);
        let mut sums = vec![0.0_f64; centroids.len()];
        let mut members = vec![0_u32; n_centroids];
        for (row, &cell) in rows.data().chunks_exact(dim).zip(&nearest) {
            let cell = cell as usize;
            members[cell] += 1;
            for (sum, &x) in sums[cell * dim..][..dim].iter_mut().zip(row) {
                *sum += f64::from(x);
            }
        }
        let cells = centroids.chunks_exact_mut(dim).zip(sums.chunks_exact(dim));
        for ((centroid, sums), &n) in cells.zip(&members).filter(|&(_, &n)| n > 0) {
            for (x, sum) in centroid.iter_mut().zip(sums) {
                *x = (sum / f64::from(n)) as f32;
            }
        }
    }
    let nearest = assign(rows, &centroids);
    Ok(KMeans { centroids, nearest })
}

/// The centroid with the greatest dot product less half its squared length, which is the nearest.
fn assign(rows: RowsF32<'_>, centroids: &[f32]) -> Vec<u32> {
    let dim = rows.dim();
    let half_norms: Vec<f32> = centroids
        .chunks_exact(dim)
        .map(|centroid| 0.5 * dot_f32(centroid, centroid))
        .collect();
    rows.data()
        .par_chunks_exact(dim)
        .map(|row| {
            let mut best = (0, f32::NEG_INFINITY);
            let cells = centroids.chunks_exact(dim).zip(&half_norms);
            for (cell, (centroid, half_norm)) in (0..).zip(cells) {
                let score = dot_f32(row, centroid) - half_norm;
                if score > best.1 {
                    best = (cell, score);
                }
            }
            best.0
        })
        .collect()
}
