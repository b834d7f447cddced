//! MiniLM on a GPU.

use std::sync::Arc;

use indago_core::Cancel;
use indago_core::ports::{EncodeError, Encoder, Matrix, PairScorer, Role};
use indago_kernels::cuda::{
    Arithmetic, GpuEncoder, Kept, Launcher, Owner, Pooling, Sequence, in_batches,
};
use indago_kernels::dot_f32;

use super::MiniLm;
use super::device_bert::failed;
use super::minilm::cosines;

/// Tokens that go through the device at once: 256 texts of 128, about 200 MB of activations. Less
/// where the device has not the memory.
pub(super) const TOKENS: usize = 32_768;

/// What a device is tried on before it is trusted.
pub(super) const PROBE: [&str; 3] = [
    "lighthouse",
    "The lighthouse on the northern cape was built in 1888 by the engineer Ida Holm.",
    "Bread needs flour, water, salt and yeast; the rest is time.",
];

/// Least cosine between a vector from the device and the CPU's. Activations of 11 bits through six
/// layers stay above 0.9999 (through the host shim); int8 weights themselves are at 0.995 to those
/// they stand for.
pub(super) const ALIKE: f32 = 0.9995;

/// The same where the CPU rounds activations to 8 bits and the device does not: such vectors are
/// at 0.996 and more to unrounded ones.
const ROUNDED_ALIKE: f32 = 0.99;

/// The encoder of a [`MiniLm`] on a device: the same weights in 16-bit floats, tokenised on the CPU.
///
/// Its vectors differ from the CPU's by less than would matter to a search, so that it shares the
/// fingerprint: an index made on a GPU is searched on a laptop and the other way round. Opening
/// checks that on a few texts. (Where the CPU computes with 8-bit activations the device is the more
/// exact of the two.)
pub struct DeviceMiniLm<L: Launcher + 'static> {
    model: Arc<MiniLm>,
    encoder: Kept<L, GpuEncoder<L::Memory>>,
    device: String,
}

impl<L: Launcher + 'static> DeviceMiniLm<L> {
    /// Copies the weights to the device and compares its vectors with the CPU's.
    ///
    /// # Errors
    /// [`EncodeError::Model`] when the device has not the memory, failed, or computes other vectors.
    pub fn new(model: Arc<MiniLm>, owner: &Owner<L>, cancel: &Cancel) -> Result<Self, EncodeError> {
        let (shape, weights) = model
            .device_weights()
            .map_err(|error| error.of_model(Encoder::name(&*model)))?;
        let encoder = owner
            .keep(cancel, move |device| {
                GpuEncoder::new(device, shape, &weights, Arithmetic::default())
            })
            .map_err(|error| failed(Encoder::name(&*model), error))?;
        let this = Self {
            model,
            encoder,
            device: owner.name().to_owned(),
        };
        let here = this.model.encode(&PROBE, Role::Passage, cancel)?;
        let there = this.encode(&PROBE, Role::Passage, cancel)?;
        let least = if this.model.rounds_activations() {
            ROUNDED_ALIKE
        } else {
            ALIKE
        };
        vectors_alike(Encoder::name(&this), &this.device, &here, &there, least)?;
        Ok(this)
    }

    /// Which format and what product the device computes with, and why, in words.
    ///
    /// # Errors
    /// When the device was lost.
    pub fn describe(&self, cancel: &Cancel) -> Result<String, EncodeError> {
        self.encoder
            .with(cancel, |_, encoder| Ok(encoder.describe()))
            .map_err(|error| failed(Encoder::name(self), error))
    }
}

/// Refuses a device whose vectors are not those of the CPU: at a cosine below `least`.
pub(super) fn vectors_alike(
    model: &str,
    device: &str,
    here: &Matrix,
    there: &Matrix,
    least: f32,
) -> Result<(), EncodeError> {
    for i in 0..here.rows {
        let cosine = dot_f32(here.row(i), there.row(i));
        // A cosine that is no number is not alike either.
        if cosine.is_nan() || cosine < least {
            let what = format!("vectors (cosine {cosine:.4})");
            return Err(other_numbers(model, device, &what));
        }
    }
    Ok(())
}

pub(super) fn other_numbers(model: &str, device: &str, what: &str) -> EncodeError {
    EncodeError::Model {
        model: model.to_owned(),
        reason: format!("{device} computes other {what} than the CPU: choose `--device cpu`"),
    }
}

impl<L: Launcher + 'static> Encoder for DeviceMiniLm<L> {
    fn name(&self) -> &str {
        Encoder::name(&*self.model)
    }

    fn fingerprint(&self) -> &str {
        self.model.fingerprint()
    }

    fn dim(&self) -> usize {
        self.model.dim()
    }

    fn strangers(&self) -> Option<f32> {
        self.model.strangers()
    }

    /// Vectors of tokens are made on the CPU.
    fn tokens(&self) -> Option<&dyn indago_core::ports::TokenEncoder> {
        self.model.tokens()
    }

    /// As on the CPU; checks `cancel` between batches of 32,768 tokens.
    fn encode(&self, texts: &[&str], _role: Role, cancel: &Cancel) -> Result<Matrix, EncodeError> {
        let ids = self.model.sequences(texts, cancel)?;
        let (rows, inner) = (texts.len(), cancel.clone());
        let data = self
            .encoder
            .with(cancel, move |device, encoder| {
                let sequences: Vec<Sequence<'_>> =
                    ids.iter().map(|ids| ids.as_slice().into()).collect();
                in_batches(&sequences, TOKENS, &inner, |batch| {
                    encoder.encode(device, batch, Pooling::Mean)
                })
            })
            .map_err(|error| failed(Encoder::name(self), error))?;
        Ok(Matrix {
            rows,
            dim: self.dim(),
            data,
        })
    }
}

impl<L: Launcher + 'static> PairScorer for DeviceMiniLm<L> {
    fn name(&self) -> &str {
        Encoder::name(self)
    }

    /// Cosine similarity, -1 to 1.
    fn score(&self, query: &str, texts: &[&str], cancel: &Cancel) -> Result<Vec<f32>, EncodeError> {
        cosines(self, query, texts, cancel)
    }
}

impl<L: Launcher + 'static> std::fmt::Debug for DeviceMiniLm<L> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "DeviceMiniLm[{} on {}]",
            self.model.fingerprint(),
            self.device
        )
    }
}
