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
    weights: [10.199, 0.749, -1.386, 7.629, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    bias: -9.824,
};

/// After.
pub(crate) const AFTER: Logistic = Logistic {
    weights: [
        1.870, 0.325, 1.377, -2.090, 6.176, 3.265, 3.249, 1.733, -2.841, 9.530,
    ],
    bias: -5.977,
};
