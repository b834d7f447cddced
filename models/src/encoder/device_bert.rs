//! Models from folders on a GPU: sentence encoders and cross-encoders of the BERT family.

use std::path::Path;
use std::sync::Arc;

use indago_core::Cancel;
use indago_core::ports::{EncodeError, Encoder, Matrix, PairScorer, Role};
use indago_kernels::cuda::{
    DeviceError, EncoderLayer, EncoderShape, EncoderWeights, GpuEncoder, Kept, Launcher, Linear,
    Norm, Owner, Pooling as DevicePooling, ScoreHead, Sequence as DeviceSequence, in_batches,
};

use super::bert::Sequence;
use super::device::{PROBE, TOKENS, other_numbers, vectors_alike};
use super::minilm::cosines;
use super::{CrossEncoder, SentenceEncoder};
use crate::ModelError;
use crate::weights::{Checkpoint, DenseTensors, Folder, Head, NormTensors, Pooling};

/// Most that a score from the device may differ from the CPU's, as a part of its size and 1. Sixteen-bit
/// activations (11 bits) through a dozen layers are an order below; a value that overflowed them is
/// far above, and then the model needs the CPU.
const SCORES_ALIKE: f32 = 0.05;

/// A [`SentenceEncoder`] on a device: its weights in 16-bit floats, tokenised on the CPU.
///
/// Shares the fingerprint of the CPU's, as [`super::DeviceMiniLm`] does and under the same check.
pub struct DeviceSentenceEncoder<L: Launcher + 'static> {
    model: Arc<SentenceEncoder>,
    encoder: Kept<L, GpuEncoder<L::Memory>>,
    device: String,
}

impl<L: Launcher + 'static> DeviceSentenceEncoder<L> {
    /// The model in `folder` ([`SentenceEncoder::open`]) on a device, compared with the CPU's on a few
    /// texts.
    ///
    /// # Errors
    /// As [`SentenceEncoder::open`]; [`EncodeError::Model`] when the device has not the memory, failed,
    /// or computes other vectors.
    pub fn open(folder: &Path, owner: &Owner<L>, cancel: &Cancel) -> Result<Self, EncodeError> {
        let (model, shape, weights) = Folder::read(folder)
            .and_then(|read| {
                let (shape, weights) = device_weights(&read.model);
                Ok((SentenceEncoder::of(folder, read)?, shape, weights))
            })
            .map_err(|error| error.of_model(&folder.display().to_string()))?;
        let encoder = owner
            .keep(cancel, move |device| {
                GpuEncoder::new(device, shape, &weights)
            })
            .map_err(|error| failed(Encoder::name(&model), error))?;
        let this = Self {
            model: Arc::new(model),
            encoder,
            device: owner.name().to_owned(),
        };
        let here = this.model.encode(&PROBE, Role::Passage, cancel)?;
        let there = this.encode(&PROBE, Role::Passage, cancel)?;
        vectors_alike(Encoder::name(&this), &this.device, &here, &there)?;
        Ok(this)
    }
}

impl<L: Launcher + 'static> Encoder for DeviceSentenceEncoder<L> {
    fn name(&self) -> &str {
        Encoder::name(&*self.model)
    }

    fn fingerprint(&self) -> &str {
        self.model.fingerprint()
    }

    fn dim(&self) -> usize {
        self.model.dim()
    }

    /// Vectors of tokens are made on the CPU.
    fn tokens(&self) -> Option<&dyn indago_core::ports::TokenEncoder> {
        self.model.tokens()
    }

    /// As on the CPU; checks `cancel` between batches of 32,768 tokens.
    fn encode(&self, texts: &[&str], role: Role, cancel: &Cancel) -> Result<Matrix, EncodeError> {
        let mut sequences = self.model.sequences(texts, role);
        for (sequence, text) in sequences.iter_mut().zip(texts) {
            // No tokens: a vector of zeros, as on the CPU.
            if text.trim().is_empty() {
                sequence.ids.clear();
            }
        }
        let pooling = match self.model.pooling() {
            Pooling::Mean => DevicePooling::Mean,
            Pooling::Cls => DevicePooling::First,
            Pooling::Max => DevicePooling::Max,
        };
        let inner = cancel.clone();
        let data = self
            .encoder
            .with(cancel, move |device, encoder| {
                in_batches(&views(&sequences), TOKENS, &inner, |batch| {
                    encoder.encode(device, batch, pooling)
                })
            })
            .map_err(|error| failed(Encoder::name(self), error))?;
        Ok(Matrix {
            rows: texts.len(),
            dim: self.dim(),
            data,
        })
    }
}

impl<L: Launcher + 'static> PairScorer for DeviceSentenceEncoder<L> {
    fn name(&self) -> &str {
        Encoder::name(self)
    }

    /// Cosine similarity, -1 to 1.
    fn score(&self, query: &str, texts: &[&str], cancel: &Cancel) -> Result<Vec<f32>, EncodeError> {
        cosines(self, query, texts, cancel)
    }
}

impl<L: Launcher + 'static> std::fmt::Debug for DeviceSentenceEncoder<L> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} on {}", self.model, self.device)
    }
}

/// What a cross-encoder keeps on its device.
type Scorer<M> = (GpuEncoder<M>, ScoreHead<M>);

/// A [`CrossEncoder`] on a device: pairs of token ids go there, scores come back.
pub struct DeviceCrossEncoder<L: Launcher + 'static> {
    model: CrossEncoder,
    scorer: Kept<L, Scorer<L::Memory>>,
    device: String,
}

impl<L: Launcher + 'static> DeviceCrossEncoder<L> {
    /// The model in `folder` ([`CrossEncoder::open`]) on a device, compared with the CPU's on a few
    /// pairs.
    ///
    /// # Errors
    /// As [`CrossEncoder::open`]; [`EncodeError::Model`] when the device has not the memory, failed,
    /// or computes other scores.
    pub fn open(folder: &Path, owner: &Owner<L>, cancel: &Cancel) -> Result<Self, EncodeError> {
        let (model, shape, weights, head) =
            Self::read(folder).map_err(|error| error.of_model(&folder.display().to_string()))?;
        let scorer = owner
            .keep(cancel, move |device| {
                let encoder = GpuEncoder::new(device, shape, &weights)?;
                let head = encoder.head(device, &head)?;
                Ok((encoder, head))
            })
            .map_err(|error| failed(PairScorer::name(&model), error))?;
        let this = Self {
            model,
            scorer,
            device: owner.name().to_owned(),
        };
        let here = this.model.score(PROBE[0], &PROBE, cancel)?;
        let there = this.score(PROBE[0], &PROBE, cancel)?;
        for (here, there) in here.iter().zip(&there) {
            let apart = (here - there).abs() / (1.0 + here.abs());
            // A difference that is no number is not small either.
            if apart.is_nan() || apart > SCORES_ALIKE {
                let what = format!("scores ({there:.3} for {here:.3})");
                return Err(other_numbers(this.name(), &this.device, &what));
            }
        }
        Ok(this)
    }

    #[expect(clippy::type_complexity, reason = "read once, taken apart at once")]
    fn read(
        folder: &Path,
    ) -> Result<
        (
            CrossEncoder,
            EncoderShape,
            EncoderWeights<Vec<f32>>,
            ScoreHead<Vec<f32>>,
        ),
        ModelError,
    > {
        let read = Folder::read(folder)?;
        let (shape, weights) = device_weights(&read.model);
        let head = match &read.head {
            Head::Classifier { pooler, classifier } => ScoreHead {
                pooler: Some(linear(pooler)),
                classifier: linear(classifier),
            },
            // Refused by name below.
            _ => ScoreHead {
                pooler: None,
                classifier: Linear {
                    weights: Vec::new(),
                    bias: Vec::new(),
                },
            },
        };
        Ok((CrossEncoder::of(folder, read)?, shape, weights, head))
    }
}

impl<L: Launcher + 'static> PairScorer for DeviceCrossEncoder<L> {
    fn name(&self) -> &str {
        PairScorer::name(&self.model)
    }

    /// As on the CPU; checks `cancel` between batches of 32,768 tokens.
    fn score(&self, query: &str, texts: &[&str], cancel: &Cancel) -> Result<Vec<f32>, EncodeError> {
        let pairs = self.model.pairs(query, texts);
        let inner = cancel.clone();
        self.scorer
            .with(cancel, move |device, (encoder, head)| {
                in_batches(&views(&pairs), TOKENS, &inner, |batch| {
                    encoder.score(device, head, batch)
                })
            })
            .map_err(|error| failed(self.name(), error))
    }
}

impl<L: Launcher + 'static> std::fmt::Debug for DeviceCrossEncoder<L> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} on {}", self.model, self.device)
    }
}

fn views(sequences: &[Sequence]) -> Vec<DeviceSequence<'_>> {
    sequences
        .iter()
        .map(|sequence| DeviceSequence {
            ids: &sequence.ids,
            second: sequence.second,
        })
        .collect()
}

fn linear(layer: &DenseTensors) -> Linear<Vec<f32>> {
    Linear {
        weights: layer.weights.clone(),
        bias: layer.bias.clone(),
    }
}

/// A checkpoint's weights as a device takes them: for each token type the positions with that type's
/// vector added.
fn device_weights(model: &Checkpoint) -> (EncoderShape, EncoderWeights<Vec<f32>>) {
    let dims = model.dims;
    let norm = |norm: &NormTensors| Norm {
        gain: norm.gain.clone(),
        bias: norm.bias.clone(),
    };
    let mut types = model.types.chunks_exact(dims.hidden);
    let mut positions = model.positions.clone();
    let two = match (types.next(), types.next()) {
        (Some(first), Some(second)) => {
            for row in model.positions.chunks_exact(dims.hidden) {
                let moved = row.iter().zip(first.iter().zip(second));
                positions.extend(moved.map(|(x, (first, second))| x - first + second));
            }
            true
        }
        _ => false,
    };
    let shape = EncoderShape {
        hidden: dims.hidden,
        heads: dims.heads,
        inner: dims.inner,
        types: if two { 2 } else { 1 },
        eps: dims.eps,
    };
    let layers = model.layers.iter().map(|layer| EncoderLayer {
        qkv: linear(&layer.qkv),
        out: linear(&layer.out),
        out_norm: norm(&layer.out_norm),
        up: linear(&layer.up),
        down: linear(&layer.down),
        down_norm: norm(&layer.down_norm),
    });
    let weights = EncoderWeights {
        words: model.words.clone(),
        positions,
        norm: norm(&model.embedding_norm),
        layers: layers.collect(),
    };
    (shape, weights)
}

pub(super) fn failed(model: &str, error: DeviceError) -> EncodeError {
    match error {
        DeviceError::Cancelled(cancelled) => EncodeError::Cancelled(cancelled),
        other => EncodeError::Model {
            model: model.to_owned(),
            reason: other.to_string(),
        },
    }
}
