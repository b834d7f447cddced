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
pub(crate) const EVIDENCE: Logistic<52> =
    Logistic { slopes: [1.0914, 1.3889, 0.1033, 2.8899, -0.2912, 1.5454, 0.5033, 1.6668, 1.9876, 0.5617, 0.6212, -0.6338, 1.7286, 0.2317, -0.1169, -0.0271, 1.9104, -0.4220, 0.4534, -0.3116, 0.6426, 1.6708, 0.0000, -0.0007, 0.9079, 0.5979, -0.8735, -1.1840, -0.1593, -0.5108, -0.7349, -0.7430, 0.6458, -0.0128, -0.1526, -0.1721, -0.1490, -0.2391, 0.2690, -0.0308, -2.3948, 0.0366, 0.3763, 5.1413, 2.6117, 3.3885, -0.1535, 1.5089, 0.1389, -0.1947, 0.1292, 0.5959], intercept: -8.7711 };

/// Whether the short answer is right.
#[rustfmt::skip]
pub(crate) const ANSWER: Logistic<52> =
    Logistic { slopes: [-0.0093, 0.2256, 0.0602, 1.2240, 0.1145, -0.0917, 0.1587, 0.0586, 2.9154, -0.2352, -0.2646, 2.0621, 0.9563, 0.2137, 0.4094, -0.9057, 0.1402, 0.0365, 0.9750, -0.4376, 0.3890, 1.2680, 0.0000, 0.2393, 0.4726, 1.4737, 1.3290, -0.1126, -0.0085, 1.1392, 0.4294, 0.3005, -0.0191, 0.0565, -0.3829, -0.2941, -0.1703, -0.5981, -0.2526, 0.3729, -0.1259, -0.2201, -0.0873, 0.2232, -3.7687, 0.1289, 1.6753, 1.6188, -0.1696, 0.1371, 0.4947, 0.3362], intercept: -4.7211 };

/// Below these probabilities "not found" is said: of questions in general, of those that name
/// their sources, and of plain ones.
pub(crate) const ABSTAIN_BELOW: [f64; 3] = [0.3120, 0.2306, 0.3];

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
