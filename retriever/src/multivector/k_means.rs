//! Clusters of unit vectors, by the dense scan.

use indago_core::Cancel;
use indago_kernels::scan::{ScanError, top_k_f32};
use indago_kernels::{RowsF32, l2_normalize};

/// Rows that look for their centroid together.
const BATCH: usize = 256;

/// The row of `centroids` with the largest dot product for each of `rows`, ties to the first.
///
/// # Errors
/// When cancelled, or lengths do not fit.
pub fn nearest(
    centroids: &[f32],
    rows: &[f32],
    dim: usize,
    cancel: &Cancel,
) -> Result<Vec<u32>, ScanError> {
    let centroids = RowsF32::new(centroids, dim)?;
    let mut out = Vec::with_capacity(rows.len() / dim.max(1));
    for batch in rows.chunks(BATCH * dim) {
        let best = top_k_f32(centroids, batch, 1, cancel)?;
        out.extend(best.iter().map(|b| b.first().map_or(0, |s| s.row as u32)));
    }
    Ok(out)
}

/// `n` unit vectors such that `rows` (of length 1) are near one of them: Lloyd's rounds with dot
/// products (spherical k-means; Dhillon and Modha 2001), from rows spread evenly over the input. The
/// same result every time. A centroid that no row is nearest to stays.
///
/// Does `2 * rows * n * dim` operations a round.
///
/// # Errors
/// When cancelled, or lengths do not fit.
pub fn k_means(
    rows: &[f32],
    dim: usize,
    n: usize,
    rounds: usize,
    cancel: &Cancel,
) -> Result<Vec<f32>, ScanError> {
    let count = RowsF32::new(rows, dim)?.len();
    let n = n.min(count);
    let mut centroids = Vec::with_capacity(n * dim);
    for i in 0..n {
        let at = i * count / n;
        centroids.extend_from_slice(&rows[at * dim..(at + 1) * dim]);
    }
    for _ in 0..rounds {
        let assigned = nearest(&centroids, rows, dim, cancel)?;
        let mut sums = vec![0.0_f32; n * dim];
        let mut counts = vec![0_u32; n];
        for (&centroid, row) in assigned.iter().zip(rows.chunks_exact(dim)) {
            let centroid = centroid as usize;
            counts[centroid] += 1;
            for (sum, x) in sums[centroid * dim..][..dim].iter_mut().zip(row) {
                *sum += x;
            }
        }
        for (i, (sum, &count)) in sums.chunks_exact_mut(dim).zip(&counts).enumerate() {
            if count > 0 {
                l2_normalize(sum);
                centroids[i * dim..][..dim].copy_from_slice(sum);
            }
        }
    }
    Ok(centroids)
}
