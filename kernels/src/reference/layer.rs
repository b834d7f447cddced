//! Twins of the element-wise pieces, in f64.

/// The error function in f64: Maclaurin series below 3, continued fraction of its complement above
/// (Abramowitz and Stegun 7.1.5 and 7.1.14). Absolute error below 1e-13.
pub fn erf(x: f64) -> f64 {
    let a = x.abs();
    let value = if a < 3.0 {
        let (mut term, mut sum) = (a, a);
        for n in 1..200 {
            term *= -a * a / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        sum * std::f64::consts::FRAC_2_SQRT_PI
    } else {
        let tail = (1..=200)
            .rev()
            .fold(a, |tail, n| a + f64::from(n) / 2.0 / tail);
        1.0 - (-a * a).exp() / (tail * std::f64::consts::PI.sqrt())
    };
    value.copysign(x)
}

/// Twin of [`crate::gelu`].
pub fn gelu(x: f32) -> f64 {
    let x = f64::from(x);
    0.5 * x * (1.0 + erf(x / std::f64::consts::SQRT_2))
}

/// Twin of [`crate::softmax_rows`], for one row.
pub fn softmax(row: &[f32], scale: f32) -> Vec<f64> {
    let scaled: Vec<f64> = row
        .iter()
        .map(|&x| f64::from(x) * f64::from(scale))
        .collect();
    let max = scaled.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = scaled.iter().map(|x| (x - max).exp()).collect();
    let sum: f64 = weights.iter().sum();
    weights.iter().map(|w| w / sum).collect()
}

/// Twin of [`crate::add_layer_norm`], for one row.
pub fn add_layer_norm(
    x: &[f32],
    residual: &[f32],
    gain: &[f32],
    bias: &[f32],
    eps: f32,
) -> Vec<f64> {
    let sum: Vec<f64> = x
        .iter()
        .zip(residual)
        .map(|(&x, &r)| f64::from(x + r))
        .collect();
    let n = sum.len() as f64;
    let mean = sum.iter().sum::<f64>() / n;
    let variance = sum.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n;
    let inverse = 1.0 / (variance + f64::from(eps)).sqrt();
    sum.iter()
        .zip(gain.iter().zip(bias))
        .map(|(x, (&g, &b))| (x - mean) * inverse * f64::from(g) + f64::from(b))
        .collect()
}

/// Twin of [`crate::mean_rows`].
pub fn mean_rows(x: &[f32], dim: usize) -> Vec<f64> {
    let n = (x.len() / dim).max(1) as f64;
    (0..dim)
        .map(|j| {
            x.iter()
                .skip(j)
                .step_by(dim)
                .map(|&x| f64::from(x))
                .sum::<f64>()
                / n
        })
        .collect()
}

/// Twin of [`crate::l2_normalize`].
pub fn l2_normalize(x: &[f32]) -> Vec<f64> {
    let norm = x
        .iter()
        .map(|&x| f64::from(x) * f64::from(x))
        .sum::<f64>()
        .sqrt();
    x.iter()
        .map(|&x| if norm > 0.0 { f64::from(x) / norm } else { 0.0 })
        .collect()
}

/// Twin of [`crate::add_scaled_codes`].
pub fn add_scaled_codes(out: &[f32], codes: &[i8], scale: f32) -> Vec<f64> {
    out.iter()
        .zip(codes)
        .map(|(&x, &c)| f64::from(x) + f64::from(scale) * f64::from(c))
        .collect()
}
