//! Coefficients fitted by `agents/calibration/fit.py` on the development halves.

use crate::judge::FEATURES;

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
    &PASSAGE[round.min(PASSAGE.len() - 1)]
}

/// Whether the evidence answers the question.
#[rustfmt::skip]
pub(crate) const EVIDENCE: Logistic<12> =
    Logistic { slopes: [1.1472, 1.8601, -0.9057, 2.9798, 0.2417, 1.9405, 0.9910, 3.9992, 5.9391, 1.2394, -0.0013, 4.7660], intercept: -11.0515 };

/// Below this probability "not found" is said.
pub(crate) const ABSTAIN_BELOW: f64 = 0.2397;

/// Per round.
#[rustfmt::skip]
const PASSAGE: [Logistic<19>; 3] = [
    Logistic { slopes: [2.7240, 2.0890, 2.3407, 2.5638, 0.5582, -1.4562, 0.8475, 2.3311, 0.0000, 0.0000, 0.0000, 0.0000, 0.0000, 0.0000, 0.0000, 0.0000, 0.0000, 0.0000, 0.0000], intercept: -5.6439 },
    Logistic { slopes: [1.4232, 1.7393, 3.1161, 1.0151, 0.1242, -2.0342, 1.6852, 0.5111, 4.9273, -1.2737, 4.8541, -0.1935, 1.0733, -0.1648, -2.0202, -2.4941, 4.4470, 0.9453, 1.8764], intercept: -5.0924 },
    Logistic { slopes: [1.8674, 2.4142, 3.5930, 0.6633, 0.1791, -2.0864, 1.8229, 1.8174, 3.9984, -1.3709, 3.6142, 0.1521, 1.1146, 0.0310, -1.6982, -1.4320, 2.1617, 0.2409, 1.7357], intercept: -4.9007 },
];

/// Coefficients of a span's features, fitted by `agents/calibration/fit_spans.py`.
#[rustfmt::skip]
pub(crate) const SPAN: [f64; 76] =
    [0.8919, -0.2013, 1.6393, 0.5316, 0.2410, -0.5362, 1.3750, 0.3025, 0.4117, 0.6763, 0.4634, -1.0893, -1.0380, -0.8391, -3.9202, 4.3595, 2.4857, 2.4442, 2.3729, -0.5784, -0.1126, 4.2449, 1.9269, 0.2248, 0.8906, 0.6895, 0.8229, 0.2380, -0.8224, 2.3414, 0.2461, -4.1796, -0.9086, 4.9645, -0.5047, -0.1426, 0.2361, -0.4934, -0.8061, -1.5799, -2.0351, -1.8134, 0.2498, -4.1368, -3.3933, 0.6673, -0.5866, 0.1121, -0.9576, 1.0044, -0.2765, 1.6028, -0.3034, 0.3615, 0.3273, 0.6665, 0.2429, 0.9744, -0.2421, 1.0346, -0.3825, 0.1592, 0.5734, 0.0350, 1.0117, 0.3323, 0.9085, 3.5478, 0.0476, 2.4190, 2.2139, -0.2998, -0.5020, 0.4915, 0.4426, -1.2031];
