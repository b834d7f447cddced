//! Gated layers (Shazeer 2020, "GLU variants improve transformer"): one half of the wide layer's
//! values, through an activation, times the other half.

use indago_kernels::gelu;

use crate::weights::Activation;

/// Applies `activation` to every value.
pub(super) fn activate(activation: Activation, x: &mut [f32]) {
    match activation {
        Activation::Gelu => gelu(x),
        Activation::Tanh => x.iter_mut().for_each(|x| *x = x.tanh()),
        Activation::Relu => x.iter_mut().for_each(|x| *x = x.max(0.0)),
        Activation::Silu => x.iter_mut().for_each(|x| *x /= 1.0 + (-*x).exp()),
    }
}

/// Makes rows of `width` values, at the front of `x`, of rows of twice as many: the activated first
/// half times the second.
pub(super) fn gated(activation: Activation, width: usize, x: &mut [f32]) -> &mut [f32] {
    for row in x.chunks_exact_mut(2 * width) {
        let (gate, values) = row.split_at_mut(width);
        activate(activation, gate);
        gate.iter_mut().zip(values).for_each(|(x, y)| *x *= *y);
    }
    let rows = x.len() / (2 * width);
    for row in 1..rows {
        x.copy_within(2 * row * width..(2 * row + 1) * width, row * width);
    }
    &mut x[..rows * width]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gated_rows_move_together() {
        let mut x = [
            -1.0, 2.0, 3.0, 4.0, 5.0, -6.0, 7.0, 8.0, 0.5, 1.5, -1.0, 2.0,
        ];
        let gated = gated(Activation::Relu, 2, &mut x);
        assert_eq!(gated, [0.0, 8.0, 35.0, 0.0, -0.5, 3.0]);
    }

    #[test]
    fn silu_is_x_times_its_sigmoid() {
        let mut x = [0.0, 1.0, -1.0, 90.0, -90.0];
        activate(Activation::Silu, &mut x);
        let want = [0.0, 0.731_058_6, -0.268_941_4, 90.0, 0.0];
        for (got, want) in x.iter().zip(want) {
            assert!((got - want).abs() < 1e-6, "{got} {want}");
        }
    }
}
