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
    Logistic { slopes: [0.0504, 2.0617, -0.4684, 2.6794, 0.0341, 1.4643, 0.5259, 2.0974, 1.5672, 0.5176, 1.1631, -0.2365, 0.6699, 0.1348, -0.1477, 1.0333, 1.7487, 0.1853, 0.4880, -0.5613, 0.7895, 1.9034, 2.1584, 0.0195, 0.3841, 0.7764, -1.1749, -1.5135, -0.2961, -0.4926, -0.8410, -0.5561, 0.7246, -0.0436, -0.2040, 0.0537, -0.4149, 1.1619, -0.2916, 0.1750, -2.2804, -0.2378, 1.6805, 6.6224, 0.1902, 3.0844, 1.0306, 1.0157], intercept: -8.2852 };

/// Whether the short answer is right.
#[rustfmt::skip]
pub(crate) const ANSWER: Logistic<48> =
    Logistic { slopes: [0.0622, 0.2474, 0.0800, 1.1784, -0.2884, -0.2109, 0.6581, -0.1343, 2.6293, 0.4309, -0.8215, 1.6820, 0.9666, 0.1371, 0.2924, 0.5721, -0.1709, -0.1608, 0.4754, -0.4297, 0.4833, 1.3117, 0.0000, -0.3153, 0.7733, 1.0652, 0.3241, 0.1078, 0.1755, 1.2182, 0.1836, -0.1130, 0.5452, -0.4133, 0.0407, -0.1692, -0.5279, -0.7812, -0.1941, 1.0737, -0.8482, -0.0200, -0.0575, 0.5582, -4.8631, 0.0955, 1.2698, 2.5650], intercept: -4.9296 };

/// Below these probabilities "not found" is said: of questions in general, of those that name
/// their sources, and of plain ones.
pub(crate) const ABSTAIN_BELOW: [f64; 3] = [0.2594, 0.2289, 0.3];

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
    [0.9410, -0.3131, 2.1945, 1.0686, -0.2105, -0.4849, -0.4322, 0.3473, 0.1776, 0.6362, 0.4019, -1.4821, -0.8003, -0.7215, -0.4384, 0.7790, 0.6119, 0.3973, 3.4709, -0.7382, -0.1168, 1.9546, 1.8437, -0.0020, 1.3122, 0.6462, 1.0030, 0.4491, -0.4834, 2.3844, 0.9910, -3.8645, -0.3532, 3.2180, -0.3538, -0.2285, -0.1742, -0.3573, -0.3530, -1.0628, -0.8872, -1.2703, -0.4113, -4.0173, -3.4569, -0.0625, -1.4840, 0.2144, -1.1486, 0.9707, -0.3963, 1.6002, -0.1647, 0.3110, 0.1762, 0.3906, -0.1112, 0.9213, -0.2031, 1.1290, -0.2117, 0.1433, 0.4998, -0.2384, 0.5933, 0.3752, 0.7382, 3.7524, -0.3972, 2.2748, 2.3985, 0.0261, -0.3556, 0.9597, 0.1373, -0.5360];
