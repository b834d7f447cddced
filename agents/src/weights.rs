//! Coefficients fitted by `agents/calibration/fit.py` on the development halves.

use crate::judge::{FEATURES, Features};

/// A logistic regression.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Logistic<const N: usize> {
    /// One coefficient a feature.
    pub(crate) slopes: [f64; N],
    /// The constant term.
    pub(crate) intercept: f64,
}

impl<const N: usize> Logistic<N> {
    /// The probability for `values`.
    pub(crate) fn probability(&self, values: &[f64; N]) -> f64 {
        let sum: f64 = self.slopes.iter().zip(values).map(|(a, x)| a * x).sum();
        1.0 / (1.0 + (-(sum + self.intercept)).exp())
    }
}

/// The coefficients of round `round`, from 0; later rounds share the last.
pub(crate) fn passage(round: usize) -> &'static Logistic<{ FEATURES.len() }> {
    const _: fn(&Features) = |_| {};
    &PASSAGE[round.min(PASSAGE.len() - 1)]
}

/// Per round.
#[rustfmt::skip]
const PASSAGE: [Logistic<19>; 3] = [
    Logistic { slopes: [2.7104, 2.1062, 2.4256, 2.5198, 0.5465, -1.4976, 0.5264, 2.6491, 0.0000, 0.0000, 0.0000, 0.0000, 0.0000, 0.0000, 0.0000, 0.0000, 0.0000, 0.0000, 0.0000], intercept: -5.6029 },
    Logistic { slopes: [1.3414, 1.6479, 3.2677, 0.9727, 0.1304, -1.8714, 0.9877, 0.9034, 5.0080, -1.5254, 2.1829, 0.4193, 1.4195, -0.1709, -1.4652, -2.7044, 4.1650, 1.1244, 1.9933], intercept: -4.9628 },
    Logistic { slopes: [1.7454, 2.3213, 3.7466, 0.6519, 0.1922, -1.9710, 1.2984, 2.0681, 4.0654, -1.6089, 3.4056, 0.1408, 1.6370, -0.0933, -1.1580, -1.7463, 1.7909, 0.5093, 1.9614], intercept: -4.7886 },
];
