//! Coefficients fitted by the programs of `agents/calibration` on the development halves.

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
pub(crate) const EVIDENCE: Logistic<48> =
    Logistic { slopes: [0.9941, 1.4335, -0.2417, 2.8716, -0.1212, 1.5628, 0.5033, 2.0206, 1.6864, 0.4155, 0.3269, -0.4570, 1.0261, 0.1485, 0.0103, 0.5666, 1.7168, -0.0621, 0.6309, -0.4932, 0.9788, 1.8605, 1.1220, -0.0485, 1.0915, 0.7357, -1.1210, -1.3484, -0.1749, -0.4231, -0.7587, -0.6985, 0.5125, -0.1285, -0.1582, -0.1921, -0.2177, 1.0497, 0.0460, -0.3043, -2.1070, 0.0289, 0.5158, 5.8983, 2.1856, 4.1513, -0.6638, 1.1937], intercept: -8.8369 };

/// Whether the short answer is right.
#[rustfmt::skip]
pub(crate) const ANSWER: Logistic<48> =
    Logistic { slopes: [0.0344, 0.0221, 0.6199, 1.8197, -0.0219, -0.2666, 0.4262, 0.0931, 2.7177, 0.0809, -0.6946, 2.2480, 0.8644, 0.2727, 0.2600, -0.4610, 0.2858, -0.0087, 0.9051, -0.2233, 0.2070, 1.6575, 0.0000, -0.2534, 0.2062, 1.4123, 0.7445, -0.0389, 0.1669, 1.2309, -0.0992, 0.2814, 0.3931, -0.2407, -0.0296, -0.1349, -0.3196, -0.4432, -0.3558, 0.8298, -0.1554, -0.2034, -0.1751, -0.1314, -4.0194, 0.5676, 1.0858, 2.0586], intercept: -5.3201 };

/// Below these probabilities "not found" is said: of questions in general, of those that name
/// their sources, and of plain ones.
pub(crate) const ABSTAIN_BELOW: [f64; 3] = [0.2940, 0.2056, 0.3];

/// Per round.
#[rustfmt::skip]
const PASSAGE: [Logistic<20>; 3] = [
    Logistic { slopes: [0.8327, 2.1393, 1.8082, -0.7371, -0.0864, 0.0938, 1.4383, 1.1482, 0.0000, 0.0000, 0.0000, 0.0000, 0.0000, 0.0000, 0.0000, 0.0000, 0.0000, 0.0000, 0.0000, 1.6430], intercept: -0.3430 },
    Logistic { slopes: [0.8362, 1.0402, 1.9181, -0.3293, 0.0752, -1.1665, 1.5482, 0.4777, 2.7134, -1.0246, 3.0721, -1.0746, -0.2672, -0.0662, -1.0832, -0.8860, 3.9604, 1.0903, 1.8516, 0.5312], intercept: -2.6906 },
    Logistic { slopes: [0.8135, 1.1965, 2.4547, -0.5164, 0.0213, -0.3561, 1.6029, 1.1071, 2.2453, -1.1532, 1.8486, -0.4627, -0.1454, 0.0064, -0.6292, -0.5707, 2.6652, 0.5137, 1.5004, 0.6013], intercept: -2.5576 },
];

/// Coefficients of a span's features, fitted by `agents/calibration/fit_spans.py`.
#[rustfmt::skip]
pub(crate) const SPAN: [f64; 76] =
    [0.9410, -0.3131, 2.1945, 1.0686, -0.2105, -0.4849, -0.4322, 0.3473, 0.1776, 0.6362, 0.4019, -1.4821, -0.8003, -0.7215, -0.4384, 0.7790, 0.6119, 0.3973, 3.4709, -0.7382, -0.1168, 1.9546, 1.8437, -0.0020, 1.3122, 0.6462, 1.0030, 0.4491, -0.4834, 2.3844, 0.9910, -3.8645, -0.3532, 3.2180, -0.3538, -0.2285, -0.1742, -0.3573, -0.3530, -1.0628, -0.8872, -1.2703, -0.4113, -4.0173, -3.4569, -0.0625, -1.4840, 0.2144, -1.1486, 0.9707, -0.3963, 1.6002, -0.1647, 0.3110, 0.1762, 0.3906, -0.1112, 0.9213, -0.2031, 1.1290, -0.2117, 0.1433, 0.4998, -0.2384, 0.5933, 0.3752, 0.7382, 3.7524, -0.3972, 2.2748, 2.3985, 0.0261, -0.3556, 0.9597, 0.1373, -0.5360];
