//! Coefficients fitted by the programs of `agents/calibration` on the development halves.

use indago_core::boosted;

use crate::judge::Features;
use crate::passage_trees::TREES;

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

/// How probable it is that the answer needs a passage with these `values` in round `round`, from 0:
/// later rounds share the coefficients of the last. Once links were followed, trees add what the
/// linear part cannot say ([`boosted`]).
pub(crate) fn passage(round: usize, values: &Features) -> f64 {
    let Logistic { slopes, intercept } = &PASSAGE[round.min(PASSAGE.len() - 1)];
    let linear: f64 = slopes.iter().zip(values).map(|(a, x)| a * x).sum();
    let trees = match round {
        0 => 0.0,
        _ => f64::from(boosted::sum(TREES, values)),
    };
    1.0 / (1.0 + (-(linear + intercept + trees)).exp())
}

/// Whether the evidence answers the question.
#[rustfmt::skip]
pub(crate) const EVIDENCE: Logistic<48> =
    Logistic { slopes: [1.1861, 2.5579, -0.7928, 2.4616, -0.0132, 1.1942, 0.2142, 2.3067, 1.4408, 0.2860, 1.7852, -1.1062, 0.6025, 0.1566, -0.3764, 0.2123, 1.6345, -0.0239, 0.7810, 0.0921, 0.0770, 2.3336, 1.8396, 0.5072, 0.0395, 0.6133, -1.2475, -1.6676, -0.3980, -1.0311, -1.0685, -0.5675, 1.2336, -0.2294, -0.1483, 0.3300, -0.5038, 1.3288, -0.4066, -0.2132, -1.4493, 0.2606, 1.3402, 7.5352, 3.3552, 2.6526, 0.6953, 0.6741], intercept: -8.2194 };

/// Whether the short answer is right.
#[rustfmt::skip]
pub(crate) const ANSWER: Logistic<48> =
    Logistic { slopes: [-0.2835, 0.3311, 0.9594, 1.0285, -0.1530, -0.1694, 0.2305, 0.1065, 2.6591, 0.5359, -0.6244, 2.1330, 0.9865, 0.0939, 0.2585, 0.4729, 0.4269, 0.0727, 0.7698, -0.1929, 0.6413, 1.5255, 0.0000, -0.3408, 0.4680, 1.0920, 0.4308, 0.1315, 0.2507, 1.3725, -0.1934, -0.1942, 0.2226, -0.5238, -0.0038, 0.0124, -0.3175, -0.7203, -0.1340, 0.6765, -0.6244, -0.2247, 0.0032, -0.0697, -4.1941, 0.9210, 0.4418, 2.1398], intercept: -5.3832 };

/// Below these probabilities "not found" is said: of questions in general, of those that name
/// their sources, and of plain ones.
pub(crate) const ABSTAIN_BELOW: [f64; 3] = [0.1753, 0.2999, 0.3];

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
