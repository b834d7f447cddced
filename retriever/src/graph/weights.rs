//! Weights of the features, written by `retriever/training/fit.py`. Fitted on questions made from
//! text and on questions about single paragraphs, never on evaluation questions.

use super::evidence::{FEATURES, Features};
use super::left_out::LeftOut;
use super::trees;

/// How probable it is that a passage is relevant, from what is known before links are followed.
pub(crate) fn before_links(values: &Features) -> f32 {
    sigmoid(BEFORE.sum(values))
}

/// The same from everything: a linear part, and trees for what it cannot say ([`trees`]).
pub(crate) fn after_links(values: &Features, left_out: &LeftOut) -> f32 {
    let beyond = left_out.keeps_trees().then(|| trees::sum(values));
    sigmoid(AFTER.sum(values) + beyond.unwrap_or(0.0))
}

/// Between 0 and 1, both excluded up to rounding.
fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// Logarithm of the odds, for the first `N` features.
struct Linear<const N: usize> {
    weights: [f32; N],
    bias: f32,
}

impl<const N: usize> Linear<N> {
    fn sum(&self, values: &Features) -> f32 {
        let pairs = self.weights.iter().zip(values);
        self.bias + pairs.map(|(w, x)| w * x).sum::<f32>()
    }
}

/// Features that are known before any link is.
pub(super) const UNLINKED: usize = 4;

const BEFORE: Linear<UNLINKED> = Linear {
    weights: [10.199, 0.749, -1.386, 7.629],
    bias: -9.824,
};

const AFTER: Linear<{ FEATURES.len() }> = Linear {
    weights: [
        2.043, 0.328, 0.921, -0.942, 5.661, 2.880, 3.509, 2.041, -2.938, 8.824, 1.217, 3.335,
        -1.179, 0.0, 0.0,
    ],
    bias: -6.002,
};
