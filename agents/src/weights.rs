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
pub(crate) const EVIDENCE: Logistic<51> =
    Logistic { slopes: [1.1170, 1.4684, 0.0487, 2.9291, -0.2893, 1.5795, 0.5242, 1.5348, 1.8961, 0.3874, 0.5728, -0.6465, 1.2595, 0.1280, 0.0010, -0.3189, 1.8234, -0.2349, 0.3097, -0.2913, 0.4064, 1.7528, 0.0000, 0.0193, 0.9510, 0.5373, -0.6388, -1.3707, -0.1898, -0.8150, -0.7120, -0.7421, 0.8727, -0.0089, -0.3368, -0.2393, -0.0656, 0.4247, 0.1181, -0.0479, -2.3559, 0.0064, 0.3637, 4.9555, 2.7054, 3.5067, 0.0114, 2.0572, 0.4034, -0.1035, 0.4833], intercept: -8.1311 };

/// Whether the short answer is right.
#[rustfmt::skip]
pub(crate) const ANSWER: Logistic<51> =
    Logistic { slopes: [-0.2817, 0.3055, 0.1068, 1.5300, 0.0676, -0.3396, 0.2779, 0.2044, 2.8514, 0.7144, -0.2289, 2.2908, 0.7753, 0.4736, 0.2854, -0.7699, 0.2981, 0.2038, 1.1207, -0.3277, 0.2834, 1.3594, 0.0000, 0.0127, 0.3053, 1.5524, 1.0117, -0.1016, 0.0597, 0.4918, 0.4180, 0.3015, -0.1157, -0.0176, 0.0220, -0.2053, -0.1812, -0.8602, -0.2921, 0.5188, 0.1007, -0.2373, -0.1060, 0.3259, -3.1319, -0.5182, 1.1832, 1.0592, 0.2513, 0.2168, 0.4318], intercept: -5.8606 };

/// Below these probabilities "not found" is said: of questions in general, of those that name
/// their sources, and of plain ones.
pub(crate) const ABSTAIN_BELOW: [f64; 3] = [0.2479, 0.2428, 0.3];

/// Per round.
#[rustfmt::skip]
const PASSAGE: [Logistic<20>; 3] = [
    Logistic { slopes: [0.8327, 2.1393, 1.8082, -0.7371, -0.0864, 0.0938, 1.4383, 1.1482, 0.0000, 0.0000, 0.0000, 0.0000, 0.0000, 0.0000, 0.0000, 0.0000, 0.0000, 0.0000, 0.0000, 1.6430], intercept: -0.3430 },
    Logistic { slopes: [0.8362, 1.0402, 1.9181, -0.3293, 0.0752, -1.1665, 1.5482, 0.4777, 2.7134, -1.0246, 3.0721, -1.0746, -0.2672, -0.0662, -1.0832, -0.8860, 3.9604, 1.0903, 1.8516, 0.5312], intercept: -2.6906 },
    Logistic { slopes: [0.8135, 1.1965, 2.4547, -0.5164, 0.0213, -0.3561, 1.6029, 1.1071, 2.2453, -1.1532, 1.8486, -0.4627, -0.1454, 0.0064, -0.6292, -0.5707, 2.6652, 0.5137, 1.5004, 0.6013], intercept: -2.5576 },
];

/// Coefficients of a span's features, fitted by `agents/calibration/fit_spans.py`.
#[rustfmt::skip]
pub(crate) const SPAN: [f64; 82] =
    [1.0595, -0.5756, -0.6554, 1.4081, -0.3399, -0.5454, 0.4701, 0.2842, 0.5395, 0.8480, 0.0750, -1.1317, -0.8318, -0.7152, -2.9572, 0.8670, -0.5896, -0.6981, 1.4412, -0.4687, 0.1543, 1.8616, 1.1096, -0.0936, 0.8535, 0.4018, 0.4433, 0.5640, -0.4921, 2.5735, 0.9674, -2.8268, -0.1935, 2.1120, 0.2142, 0.3731, 0.2235, -0.4774, -0.2860, -0.2270, -0.1709, -0.7883, -0.5813, -3.4598, -2.3266, -0.5970, -0.9739, -0.8740, -0.4351, -0.9509, 0.1414, -0.1733, -0.3281, -0.0702, -0.5426, -0.1431, 0.1557, 0.1931, 0.0360, 0.5082, -0.5671, 0.1719, -0.2193, 0.8152, 0.4448, 0.1544, 0.2067, 2.8745, -0.4494, 1.9924, -0.2045, 0.3988, 0.1147, 0.5920, -0.1211, -1.3416, 0.9727, -0.2758, 1.1878, 0.6957, -0.1769, -1.0344];
