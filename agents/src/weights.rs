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
    Logistic { slopes: [1.0219, 1.4052, 0.0444, 2.9082, -0.3337, 1.6023, 0.4528, 1.6346, 1.8734, 0.4872, 0.5356, -0.5080, 1.2858, 0.0883, 0.1034, -0.1696, 1.9494, -0.1084, 0.5119, -0.2169, 0.6087, 1.7051, 0.0000, -0.0733, 1.0594, 0.5623, -0.7733, -0.9774, -0.2214, -0.7935, -0.7415, -0.6928, 0.6769, 0.1412, -0.4847, -0.4347, -0.0230, 0.1216, 0.1765, -0.2097, -2.5089, 0.0467, 0.4195, 5.3594, 2.5888, 3.1773, 0.2343, 0.8974, 0.1492, 0.1166, 0.4834], intercept: -8.4532 };

/// Whether the short answer is right.
#[rustfmt::skip]
pub(crate) const ANSWER: Logistic<51> =
    Logistic { slopes: [-0.2888, 0.1868, 0.1723, 1.3406, 0.1336, -0.2361, 0.0123, -0.1268, 2.9733, 0.7042, -0.2559, 2.5760, 0.7813, 0.3074, 0.3719, -0.8688, 0.0435, -0.0570, 1.0963, -0.4670, 0.3918, 1.3975, 0.0000, 0.0506, 0.2193, 1.3641, 1.0166, -0.3076, 0.0433, 0.8131, 0.4579, 0.1142, 0.1888, -0.0158, -0.2750, -0.0898, -0.1854, -0.6041, -0.2300, 0.3756, -0.2411, -0.1504, 0.0033, 0.3401, -3.2652, -0.2287, 0.6976, 1.3187, 0.3131, 0.0762, 0.6449], intercept: -4.9535 };

/// Below these probabilities "not found" is said: of questions in general, of those that name
/// their sources, and of plain ones.
pub(crate) const ABSTAIN_BELOW: [f64; 3] = [0.2859, 0.2176, 0.3];

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
    [1.0508, -0.5562, 0.8211, 1.3784, -0.1622, -0.7481, -1.2292, 0.2647, 0.4010, 0.7381, 0.2753, -1.2794, -0.4492, -0.4888, -2.1333, 1.0198, -2.1092, -1.6860, 2.2140, -0.5625, 0.1884, 0.6655, 1.1878, -0.0352, 1.4085, 0.1240, 0.5096, 0.1903, -0.4764, 2.5553, 0.7846, -3.3519, -0.0985, 2.4003, 0.1787, 0.2721, 0.0318, -0.5153, -0.2723, -0.2156, 0.1328, -0.6330, -1.0258, -3.3525, -2.1532, -0.9859, -0.9313, -0.0345, -0.9200, -0.3124, -0.2364, 0.3426, -0.4776, -0.2019, -0.5174, -0.1645, -0.2692, 0.3177, -0.0906, 0.6726, -0.4566, 0.1494, 0.0123, 0.5825, 0.4113, 0.1393, 0.0959, 3.1450, -0.7043, 3.1851, -0.1465, -0.2072, 0.1211, 0.8337, -0.0771, -1.1142, 0.8822, 0.2296, 0.4709, 0.6420, 0.1379, -0.8159];
