//! Principal components by Jacobi rotations: small, dense, symmetric matrices only.

/// The principal components of some rows.
#[derive(Clone, Debug)]
pub(super) struct Components {
    /// Mean row.
    pub mean: Vec<f64>,
    /// Unit vectors, `[kept, dim]` row-major, largest variance first.
    pub axes: Vec<f64>,
    /// Length of a row.
    pub dim: usize,
}

impl Components {
    /// The `keep` components of largest variance of `rows` (`[n, dim]`, row-major).
    ///
    /// Each axis points to where its largest entry is positive, so that the same rows give the same
    /// components. Takes `n * dim^2` operations for the covariance and about `20 * dim^3` for the
    /// axes: 15 s for 30,000 rows of 384 on one core.
    pub(super) fn of(rows: &[f32], dim: usize, keep: usize) -> Self {
        let n = (rows.len() / dim).max(1) as f64;
        let mut mean = vec![0.0; dim];
        for row in rows.chunks_exact(dim) {
            mean.iter_mut()
                .zip(row)
                .for_each(|(mean, &x)| *mean += f64::from(x) / n);
        }
        let (variances, vectors) = eigenvectors(covariance(rows, &mean), dim);
        let mut order: Vec<usize> = (0..dim).collect();
        order.sort_by(|&a, &b| variances[b].total_cmp(&variances[a]).then(a.cmp(&b)));
        let mut axes = Vec::with_capacity(keep * dim);
        for &i in order.iter().take(keep) {
            let axis: Vec<f64> = (0..dim).map(|j| vectors[j * dim + i]).collect();
            let largest = axis
                .iter()
                .copied()
                .fold(0.0, |a: f64, b| if b.abs() > a.abs() { b } else { a });
            axes.extend(axis.iter().map(|x| x * largest.signum()));
        }
        Self { mean, axes, dim }
    }

    /// Coordinates of a row along the components.
    pub(super) fn project(&self, row: &[f32]) -> Vec<f32> {
        let centred: Vec<f64> = row
            .iter()
            .zip(&self.mean)
            .map(|(&x, mean)| f64::from(x) - mean)
            .collect();
        self.axes
            .chunks_exact(self.dim)
            .map(|axis| axis.iter().zip(&centred).map(|(a, x)| a * x).sum::<f64>() as f32)
            .collect()
    }
}

/// `[dim, dim]`, row-major, symmetric.
fn covariance(rows: &[f32], mean: &[f64]) -> Vec<f64> {
    let dim = mean.len();
    let mut sums = vec![0.0; dim * dim];
    let mut centred = vec![0.0; dim];
    for row in rows.chunks_exact(dim) {
        for ((centred, &x), mean) in centred.iter_mut().zip(row).zip(mean) {
            *centred = f64::from(x) - mean;
        }
        for (i, &x) in centred.iter().enumerate() {
            let line = &mut sums[i * dim + i..(i + 1) * dim];
            line.iter_mut()
                .zip(&centred[i..])
                .for_each(|(sum, y)| *sum += x * y);
        }
    }
    let n = (rows.len() / dim).max(2) as f64 - 1.0;
    for i in 0..dim {
        for j in i..dim {
            sums[i * dim + j] /= n;
            sums[j * dim + i] = sums[i * dim + j];
        }
    }
    sums
}

/// Eigenvalues and eigenvectors (in columns) of a symmetric matrix, by cyclic Jacobi rotations
/// (Golub and Van Loan, section 8.5), until what is off the diagonal is below 1e-12 of what is on
/// it or 30 sweeps are done; 8 usually suffice.
fn eigenvectors(mut a: Vec<f64>, dim: usize) -> (Vec<f64>, Vec<f64>) {
    let mut vectors = vec![0.0; dim * dim];
    for i in 0..dim {
        vectors[i * dim + i] = 1.0;
    }
    for _sweep in 0..30 {
        let on: f64 = (0..dim).map(|i| a[i * dim + i].powi(2)).sum();
        let all: f64 = a.iter().map(|x| x * x).sum();
        if all - on <= 1e-24 * all {
            break;
        }
        for p in 0..dim {
            for q in p + 1..dim {
                rotate(&mut a, &mut vectors, dim, p, q);
            }
        }
    }
    ((0..dim).map(|i| a[i * dim + i]).collect(), vectors)
}

/// Makes `a[p][q]` zero.
fn rotate(a: &mut [f64], vectors: &mut [f64], dim: usize, p: usize, q: usize) {
    let off = a[p * dim + q];
    if off == 0.0 {
        return;
    }
    let theta = (a[q * dim + q] - a[p * dim + p]) / (2.0 * off);
    let t = theta.signum() / (theta.abs() + theta.hypot(1.0));
    let t = if theta == 0.0 { 1.0 } else { t };
    let c = 1.0 / t.hypot(1.0);
    let s = t * c;
    for k in 0..dim {
        let (x, y) = (a[k * dim + p], a[k * dim + q]);
        a[k * dim + p] = c * x - s * y;
        a[k * dim + q] = s * x + c * y;
        let (x, y) = (vectors[k * dim + p], vectors[k * dim + q]);
        vectors[k * dim + p] = c * x - s * y;
        vectors[k * dim + q] = s * x + c * y;
    }
    for k in 0..dim {
        let (x, y) = (a[p * dim + k], a[q * dim + k]);
        a[p * dim + k] = c * x - s * y;
        a[q * dim + k] = s * x + c * y;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn projected_rows_are_centred_and_uncorrelated(
            dim in 1_usize..7,
            values in proptest::collection::vec(-1.0_f32..1.0, 60..120),
        ) {
            let rows = &values[..values.len() / dim * dim];
            let components = Components::of(rows, dim, dim);
            let projected: Vec<f32> =
                rows.chunks_exact(dim).flat_map(|row| components.project(row)).collect();
            let mut mean = vec![0.0; dim];
            for row in projected.chunks_exact(dim) {
                mean.iter_mut().zip(row).for_each(|(mean, &x)| *mean += f64::from(x));
            }
            // f32 coordinates: 1e-5 is a hundred roundings of values up to 3.
            prop_assert!(mean.iter().all(|mean| mean.abs() / 10.0 < 1e-5));
            let spread = covariance(&projected, &vec![0.0; dim]);
            for i in 0..dim {
                for j in 0..i {
                    prop_assert!(spread[i * dim + j].abs() < 1e-5, "{spread:?}");
                    prop_assert!(spread[j * dim + j] >= spread[i * dim + i] - 1e-5);
                }
            }
        }
    }

    #[test]
    fn a_line_is_found() {
        let rows = [0.0, 0.0, 1.0, 2.0, 2.0, 4.0, -1.0, -2.0];
        let axis = Components::of(&rows, 2, 1).axes;
        assert!((axis[0] - 0.2_f64.sqrt()).abs() < 1e-7 && (axis[1] - 0.8_f64.sqrt()).abs() < 1e-7);
    }
}
