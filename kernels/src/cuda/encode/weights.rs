//! What an encoder is made of: sizes, weights here and on a device.

use super::super::DeviceError;
use super::super::float16::Float16;
use super::super::launch::{Launcher, upload};
use crate::ShapeError;

/// Sizes of an encoder.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EncoderShape {
    /// Length of a token's vector: a multiple of 8, at most 1024.
    pub hidden: usize,
    /// Attention heads; `hidden / heads` is the length of each.
    pub heads: usize,
    /// Length of the inner vector of the feed-forward part: a multiple of 8.
    pub inner: usize,
    /// Token types, at least 1: how often the positions are repeated.
    pub types: usize,
    /// Added to the variance in layer norms.
    pub eps: f32,
}

/// What turns the first token's vector into a score: `tanh` of a linear layer where there is one
/// (BERT's pooler), then one output.
#[derive(Clone, Debug)]
pub struct ScoreHead<V> {
    /// `[hidden, hidden]`.
    pub pooler: Option<Linear<V>>,
    /// `[1, hidden]`.
    pub classifier: Linear<V>,
}

/// A linear layer: `weights` `[outputs, inputs]`, row-major, and `bias` `[outputs]`.
#[derive(Clone, Debug)]
pub struct Linear<V> {
    /// Weights.
    pub weights: V,
    /// Bias.
    pub bias: V,
}

/// A layer norm: `gain` and `bias` of `hidden` values each.
#[derive(Clone, Debug)]
pub struct Norm<V> {
    /// Gain.
    pub gain: V,
    /// Bias.
    pub bias: V,
}

/// One layer.
#[derive(Clone, Debug)]
pub struct EncoderLayer<V> {
    /// Queries, keys and values: `[3 * hidden, hidden]`.
    pub qkv: Linear<V>,
    /// Output of the attention: `[hidden, hidden]`.
    pub out: Linear<V>,
    /// Norm behind the attention.
    pub out_norm: Norm<V>,
    /// `[inner, hidden]`.
    pub up: Linear<V>,
    /// `[hidden, inner]`.
    pub down: Linear<V>,
    /// Norm behind the feed-forward part.
    pub down_norm: Norm<V>,
}

/// All weights of an encoder: `V` is a vector of 32-bit floats on the host, memory on the device.
#[derive(Clone, Debug)]
pub struct EncoderWeights<V> {
    /// Word vectors `[vocabulary, hidden]`.
    pub words: V,
    /// For each token type the position vectors with that type's vector added:
    /// `[types * positions, hidden]`.
    pub positions: V,
    /// Norm behind the embedding.
    pub norm: Norm<V>,
    /// The layers, first to last.
    pub layers: Vec<EncoderLayer<V>>,
}

impl EncoderShape {
    pub(super) fn check(&self) -> Result<(), ShapeError> {
        let fits = self.hidden > 0
            && self.heads > 0
            && self.types > 0
            && self.hidden.is_multiple_of(8)
            && self.inner.is_multiple_of(8)
            && self.hidden <= 1024
            && self.hidden.is_multiple_of(self.heads);
        if fits {
            return Ok(());
        }
        Err(ShapeError {
            what: "hidden (multiple of 8 and of the heads, at most 1024)",
            found: self.hidden,
            expected: 1024,
        })
    }
}

/// Copies pieces of an encoder to a device, shapes checked.
pub(super) struct Uploader<'a, L> {
    pub(super) device: &'a L,
    pub(super) format: Float16,
}

impl<L: Launcher> Uploader<'_, L> {
    /// In 16 bits.
    pub(super) fn halves(
        &self,
        what: &'static str,
        values: &[f32],
        expected: usize,
    ) -> Result<L::Memory, DeviceError> {
        ShapeError::check(what, values.len(), expected)?;
        upload(self.device, &self.format.bits(values))
    }

    /// In 32 bits.
    pub(super) fn floats(
        &self,
        what: &'static str,
        values: &[f32],
        expected: usize,
    ) -> Result<L::Memory, DeviceError> {
        ShapeError::check(what, values.len(), expected)?;
        upload(self.device, values)
    }

    pub(super) fn linear(
        &self,
        layer: &Linear<Vec<f32>>,
        outputs: usize,
        inputs: usize,
    ) -> Result<Linear<L::Memory>, DeviceError> {
        Ok(Linear {
            weights: self.halves("weights", &layer.weights, outputs * inputs)?,
            bias: self.halves("bias", &layer.bias, outputs)?,
        })
    }

    fn norm(&self, norm: &Norm<Vec<f32>>, hidden: usize) -> Result<Norm<L::Memory>, DeviceError> {
        Ok(Norm {
            gain: self.floats("gain", &norm.gain, hidden)?,
            bias: self.floats("bias", &norm.bias, hidden)?,
        })
    }

    pub(super) fn encoder(
        &self,
        shape: EncoderShape,
        weights: &EncoderWeights<Vec<f32>>,
        vocabulary: usize,
        positions: usize,
    ) -> Result<EncoderWeights<L::Memory>, DeviceError> {
        let EncoderShape { hidden, inner, .. } = shape;
        let layers = weights.layers.iter().map(|layer| {
            Ok(EncoderLayer {
                qkv: self.linear(&layer.qkv, 3 * hidden, hidden)?,
                out: self.linear(&layer.out, hidden, hidden)?,
                out_norm: self.norm(&layer.out_norm, hidden)?,
                up: self.linear(&layer.up, inner, hidden)?,
                down: self.linear(&layer.down, hidden, inner)?,
                down_norm: self.norm(&layer.down_norm, hidden)?,
            })
        });
        let places = shape.types * positions * hidden;
        Ok(EncoderWeights {
            words: self.halves("words", &weights.words, vocabulary * hidden)?,
            positions: self.halves("positions", &weights.positions, places)?,
            norm: self.norm(&weights.norm, hidden)?,
            layers: layers.collect::<Result<_, DeviceError>>()?,
        })
    }
}
