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
    Logistic { slopes: [2.8769, 2.7610, 1.7637, 2.4265, 0.5323, -1.8095, 0.5078, 2.2096, 0.0000, 0.0000, 0.0000, 0.0000, 0.0000, 0.0000, 0.0000, 0.0000, 0.0000, 0.0000, 0.0000], intercept: -5.8737 },
    Logistic { slopes: [1.1140, 2.5131, 2.1545, 1.1369, 0.1386, -1.6645, 1.6301, 0.2559, 3.9507, -2.0115, 1.5871, 1.5264, 1.0569, -0.4857, -1.3015, -1.4762, 3.9266, 0.9929, 1.6878], intercept: -5.3689 },
    Logistic { slopes: [1.4574, 2.8281, 2.3969, 0.8005, 0.2213, -1.8436, 0.9914, 1.4178, 2.4511, -1.5931, 3.5566, 0.6487, 1.1183, -0.3859, -0.8291, -1.1652, 2.2984, 0.4594, 1.5261], intercept: -4.9818 },
];
