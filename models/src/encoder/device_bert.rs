//! Models from folders on a GPU: sentence encoders and cross-encoders of the BERT family.

use std::path::Path;
use std::sync::Arc;

use indago_core::Cancel;
use indago_core::ports::{EncodeError, Encoder, Matrix, PairScorer, Role};
use indago_kernels::cuda::{
    Arithmetic, DeviceError, EncoderLayer, EncoderShape, EncoderWeights, Float16, GpuEncoder, Kept,
    Launcher, Linear, Norm, Owner, Pooling as DevicePooling, Products, ScoreHead,
    Sequence as DeviceSequence, in_batches,
};

use super::bert::Sequence;
use super::device::{ALIKE, PROBE, TOKENS, other_numbers, vectors_alike};
use super::minilm::cosines;
use super::{CrossEncoder, SentenceEncoder};
use crate::ModelError;
use crate::weights::{Activation, Checkpoint, DenseTensors, Folder, Head, NormTensors, Pooling};

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
                let (shape, weights) = device_weights(&read.model)?;
                Ok((SentenceEncoder::of(folder, read)?, shape, weights))
            })
            .map_err(|error| error.of_model(&folder.display().to_string()))?;
        let (model, weights) = (Arc::new(model), Arc::new(weights));
        let here = model.encode(&PROBE, Role::Passage, cancel)?;
        in_either_format(|arithmetic| {
            let weights = Arc::clone(&weights);
            let encoder = owner
                .keep(cancel, move |device| {
                    GpuEncoder::new(device, shape, &weights, arithmetic)
                })
                .map_err(|error| failed(Encoder::name(&*model), error))?;
            let this = Self {
                model: Arc::clone(&model),
                encoder,
                device: owner.name().to_owned(),
            };
            let there = this.encode(&PROBE, Role::Passage, cancel)?;
            let alike = vectors_alike(Encoder::name(&this), &this.device, &here, &there, ALIKE);
            Ok((this, alike))
        })
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
    model: Arc<CrossEncoder>,
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
        let (model, pieces) = (Arc::new(model), Arc::new((weights, head)));
        let here = model.score(PROBE[0], &PROBE, cancel)?;
        in_either_format(|arithmetic| {
            let pieces = Arc::clone(&pieces);
            let scorer = owner
                .keep(cancel, move |device| {
                    let encoder = GpuEncoder::new(device, shape, &pieces.0, arithmetic)?;
                    let head = encoder.head(device, &pieces.1)?;
                    Ok((encoder, head))
                })
                .map_err(|error| failed(PairScorer::name(&*model), error))?;
            let this = Self {
                model: Arc::clone(&model),
                scorer,
                device: owner.name().to_owned(),
            };
            let there = this.score(PROBE[0], &PROBE, cancel)?;
            let alike = this.scores_alike(&here, &there);
            Ok((this, alike))
        })
    }

    /// As [`DeviceSentenceEncoder::describe`].
    ///
    /// # Errors
    /// When the device was lost.
    pub fn describe(&self, cancel: &Cancel) -> Result<String, EncodeError> {
        self.scorer
            .with(cancel, |_, (encoder, _)| Ok(encoder.describe()))
            .map_err(|error| failed(self.name(), error))
    }

    fn scores_alike(&self, here: &[f32], there: &[f32]) -> Result<(), EncodeError> {
        for (here, there) in here.iter().zip(there) {
            let apart = (here - there).abs() / (1.0 + here.abs());
            // A difference that is no number is not small either.
            if apart.is_nan() || apart > SCORES_ALIKE {
                let what = format!("scores ({there:.3} for {here:.3})");
                return Err(other_numbers(self.name(), &self.device, &what));
            }
        }
        Ok(())
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
        let (shape, weights) = device_weights(&read.model)?;
        let head = match &read.head {
            Head::Classifier {
                of: Pooling::Cls,
                pooler,
                activation: Activation::Tanh,
                norm: None,
                classifier,
            } => ScoreHead {
                pooler: Some(linear(pooler.clone())),
                classifier: linear(classifier.clone()),
            },
            Head::Classifier { activation, .. } => {
                let reason = format!("{activation:?} in its head is computed on the CPU only");
                return Err(ModelError::format(folder.display().to_string(), reason));
            }
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
        PairScorer::name(&*self.model)
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

/// Opens in f16, and in bf16 where what f16 computes is not what the CPU does: its range is that of
/// 32-bit floats. When neither will do, the error is f16's.
fn in_either_format<T>(
    open: impl Fn(Arithmetic) -> Result<(T, Result<(), EncodeError>), EncodeError>,
) -> Result<T, EncodeError> {
    let products = Products::default();
    let [f16, bf16] = [Float16::F16, Float16::Bf16].map(|format| Arithmetic { format, products });
    let (first, alike) = open(f16)?;
    let Err(error) = alike else {
        return Ok(first);
    };
    // Gives its memory back before the other one takes some.
    drop(first);
    let (second, alike) = open(bf16)?;
    alike.map_or(Err(error), |()| Ok(second))
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

fn linear(layer: DenseTensors) -> Linear<Vec<f32>> {
    let DenseTensors { weights, bias } = layer;
    Linear { weights, bias }
}

/// A checkpoint's weights as a device takes them: for each token type the positions with that type's
/// vector added.
fn device_weights(
    model: &Checkpoint,
) -> Result<(EncoderShape, EncoderWeights<Vec<f32>>), ModelError> {
    if model.distances.is_some()
        || model.relative.is_some()
        || model.rotary.is_some()
        || model.gate.is_some()
    {
        let reason =
            "distances in attention, rotary positions and gated layers are computed on the CPU \
                      only; open it as a `SentenceEncoder` or `CrossEncoder`"
                .to_owned();
        return Err(ModelError::format("the model", reason));
    }
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
    let layer = |i: usize| {
        let layer = model.layer(i)?;
        Ok::<_, ModelError>(EncoderLayer {
            qkv: linear(layer.qkv),
            out: linear(layer.out),
            out_norm: norm(&layer.out_norm),
            up: linear(layer.up),
            down: linear(layer.down),
            down_norm: norm(&layer.down_norm),
        })
    };
    let weights = EncoderWeights {
        words: model.words.clone(),
        positions,
        norm: norm(&model.embedding_norm),
        layers: (0..dims.layers).map(layer).collect::<Result<_, _>>()?,
    };
    Ok((shape, weights))
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
