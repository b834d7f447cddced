//! Weights of the features, written by `retriever/training/fit.py`. Fitted on questions made from
//! text and on questions about single paragraphs, never on evaluation questions.

use super::evidence::Features;

/// Logistic regression.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Logistic {
    pub(crate) weights: Features,
    pub(crate) bias: f32,
}

impl Logistic {
    /// Between 0 and 1, both excluded up to rounding.
    pub(crate) fn probability(&self, values: &Features) -> f32 {
        let pairs = self.weights.iter().zip(values);
        let sum: f32 = self.bias + pairs.map(|(w, x)| w * x).sum::<f32>();
        1.0 / (1.0 + (-sum).exp())
    }
}

/// Before links are followed.
pub(crate) const BEFORE: Logistic = Logistic {
    weights: [
        10.199, 0.749, -1.386, 7.629, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0,
    ],
    bias: -9.824,
};

/// After.
pub(crate) const AFTER: Logistic = Logistic {
    weights: [
        1.497, 0.365, 1.301, -1.003, 5.763, 3.983, 2.986, 2.180, -2.468, 8.196, 0.827, 4.690,
        -1.035,
    ],
    bias: -5.510,
};
