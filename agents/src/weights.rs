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
    Logistic { slopes: [1.4271, 1.2885, -0.5820, 3.8191, 0.7418, 1.8636, 1.0953, 3.8196, 6.0689, 1.5253, -0.1640, 5.3222], intercept: -12.1211 };

/// Below this probability "not found" is said.
pub(crate) const ABSTAIN_BELOW: f64 = 0.2389;

/// Per round.
#[rustfmt::skip]
const PASSAGE: [Logistic<19>; 3] = [
    Logistic { slopes: [2.6988, 2.0653, 2.4293, 2.4983, 0.5536, -1.4775, 0.6827, 2.4705, 0.0000, 0.0000, 0.0000, 0.0000, 0.0000, 0.0000, 0.0000, 0.0000, 0.0000, 0.0000, 0.0000], intercept: -5.5539 },
    Logistic { slopes: [1.3282, 1.6607, 3.3018, 0.9947, 0.1352, -1.9376, 1.2280, 0.6012, 5.1707, -1.5985, 3.4752, 0.2381, 1.4092, -0.2368, -1.5202, -2.7666, 4.2255, 1.0359, 1.9987], intercept: -4.9494 },
    Logistic { slopes: [1.8052, 2.4955, 3.8055, 0.6241, 0.1995, -2.0801, 1.5050, 1.9192, 4.2450, -1.5901, 3.8909, 0.3938, 1.6500, -0.1670, -1.2359, -1.9023, 1.7041, 0.4357, 1.9522], intercept: -4.7964 },
];
