//! A BERT-type encoder's weights, packed for the kernels.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use indago_kernels::cuda::{self as device, EncoderLayer, EncoderShape, EncoderWeights};
use indago_kernels::product::{PackedF32, PackedI8, QuantizedRows, linear_f32, linear_i8};
use indago_kernels::quantize::{Quantized, codes_of_bytes};
use indago_kernels::w8a8::{PackedW8, RowsU8, linear_w8a8};
use indago_kernels::{Heads, RowsF32, ShapeError, gelu};
use rayon::prelude::*;

use super::relative::{Distances, scale_queries};
use super::rotary::Turns;
use crate::ModelError;
use crate::weights::container::Container;
use crate::weights::{Checkpoint, DenseTensors, Dims, Gate, NormTensors, Precision, RotaryLayer};

/// Everything the forward pass reads.
#[derive(Debug)]
pub(super) struct Network {
    pub dims: Dims,
    pub words: Words,
    /// `[positions, hidden]`, or one row for all.
    pub positions: Vec<f32>,
    pub embedding_norm: Norm,
    pub layers: Vec<Layer>,
    /// See [`Checkpoint::keeps_sums`].
    pub keeps_sums: bool,
    /// See [`Checkpoint::gate`].
    pub gate: Option<Gate>,
    /// What a key's distance adds to its score, [`Checkpoint::distances`].
    pub distances: Option<Vec<f32>>,
    /// The bucket of each distance, [`crate::weights::Relative::buckets`], for layers with
    /// [`Layer::distances`].
    pub buckets: Vec<u16>,
}

#[derive(Debug)]
pub(super) struct Layer {
    pub qkv: Linear,
    /// Turns of queries and keys, for models with rotary positions.
    pub turns: Option<Arc<Turns>>,
    /// What distances add by what stands at their ends.
    pub distances: Option<Distances>,
    /// Most tokens to each side that a token attends to.
    pub reach: usize,
    pub out: Linear,
    pub out_norm: Norm,
    pub up: Linear,
    pub down: Linear,
    pub down_norm: Norm,
}

/// Gain and bias of a layer norm.
#[derive(Debug)]
pub(super) struct Norm {
    pub gain: Vec<f32>,
    pub bias: Vec<f32>,
}

/// Word vectors, `[word pieces, hidden]`.
pub(super) enum Words {
    F32(Vec<f32>),
    I8 {
        codes: Cow<'static, [u8]>,
        scales: Vec<f32>,
    },
}

impl Words {
    /// Rounds vectors of `dim` values to 8 bits with a scale each.
    fn coded(rows: Vec<f32>, dim: usize) -> Result<Self, ModelError> {
        let rows = RowsF32::new(&rows, dim).map_err(unfit("word vectors"))?;
        let Quantized { codes, scales, .. } = Quantized::of(rows);
        let codes = codes.into_iter().map(i8::cast_unsigned).collect();
        Ok(Self::I8 { codes, scales })
    }

    /// Writes the vector of piece `id`.
    pub(super) fn copy(&self, id: u32, out: &mut [f32]) {
        let (id, dim) = (id as usize, out.len());
        match self {
            Self::F32(rows) => out.copy_from_slice(&rows[id * dim..(id + 1) * dim]),
            Self::I8 { codes, scales } => {
                for (out, code) in out.iter_mut().zip(&codes[id * dim..(id + 1) * dim]) {
                    *out = scales[id] * f32::from(code.cast_signed());
                }
            }
        }
    }
}

impl std::fmt::Debug for Words {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::F32(rows) => write!(f, "Words[{} f32]", rows.len()),
            Self::I8 { codes, .. } => write!(f, "Words[{} i8]", codes.len()),
        }
    }
}

/// How finely a network of int8 weights sees its activations: a choice of each model, measured
/// before it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Activations {
    /// 16 bits: only the weights' rounding shows.
    Bits16,
    /// 8 bits, so many levels for each kind of layer: about 1.5 times as fast.
    Bits8(Levels),
}

/// Largest code of the activations that enter each kind of linear layer, see
/// [`indago_kernels::w8a8`]: more levels leave the weights less room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Levels {
    pub qkv: u8,
    pub out: u8,
    pub up: u8,
    pub down: u8,
}

impl Levels {
    /// Those at which the vectors of the embedded model and of `all-mpnet-base-v2` were nearest to
    /// those of the published weights, see `docs/decisions/0039-eight-bit-activations.md`.
    pub(super) const USUAL: Self = Self {
        qkv: 255,
        out: 255,
        up: 255,
        down: 191,
    };
}

/// A linear layer in one of the precisions.
#[derive(Debug)]
pub(super) enum Linear {
    F32 { weights: PackedF32, bias: Vec<f32> },
    I8 { weights: PackedI8, bias: Vec<f32> },
    W8A8 { weights: PackedW8, bias: Vec<f32> },
}

/// Reused memory for the codes of activations.
#[derive(Debug, Default)]
pub(super) struct Codes {
    wide: QuantizedRows,
    bytes: RowsU8,
}

impl Linear {
    /// Number of outputs.
    pub(super) fn outputs(&self) -> usize {
        match self {
            Self::F32 { bias, .. } | Self::I8 { bias, .. } | Self::W8A8 { bias, .. } => bias.len(),
        }
    }

    /// `out = layer(x)`; `codes` is reused memory.
    pub(super) fn apply(&self, x: &[f32], codes: &mut Codes, out: &mut [f32]) {
        match self {
            Self::F32 { weights, bias } => linear_f32(x, weights, bias, out),
            Self::I8 { weights, bias } => {
                codes.wide.fill(x, weights.inputs());
                linear_i8(&codes.wide, weights, bias, out);
            }
            Self::W8A8 { weights, bias } => {
                codes.bytes.fill(x, weights.inputs(), weights.levels());
                linear_w8a8(&codes.bytes, weights, bias, out);
            }
        }
    }

    /// `out = layer(gelu(x))`; overwrites `x`.
    pub(super) fn apply_to_gelu(&self, x: &mut [f32], codes: &mut Codes, out: &mut [f32]) {
        match self {
            Self::F32 { weights, bias } => {
                gelu(x);
                linear_f32(x, weights, bias, out);
            }
            Self::I8 { weights, bias } => {
                codes.wide.fill_gelu(x, weights.inputs());
                linear_i8(&codes.wide, weights, bias, out);
            }
            Self::W8A8 { weights, bias } => {
                codes.bytes.fill_gelu(x, weights.inputs(), weights.levels());
                linear_w8a8(&codes.bytes, weights, bias, out);
            }
        }
    }
}

impl Network {
    /// How a token's values are shared among heads.
    pub(super) fn heads(&self) -> Heads {
        self.dims.heads()
    }

    /// Packs a checkpoint.
    pub(super) fn from_checkpoint(
        mut model: Checkpoint,
        precision: Precision,
    ) -> Result<Self, ModelError> {
        let words = std::mem::take(&mut model.words);
        // Before the layers are read, so that what is rounded goes before they come.
        let words = match precision {
            Precision::F32 => Words::F32(words),
            Precision::Int8 => Words::coded(words, model.dims.hidden)?,
        };
        let norm = |norm: NormTensors| Norm {
            gain: norm.gain,
            bias: norm.bias,
        };
        let turns = turns(model.rotary.as_deref(), model.dims.positions);
        let levels = (precision == Precision::Int8).then_some(Levels::USUAL);
        let layer = |i: usize| {
            let mut layer = model.layer(i)?;
            let distances = model.relative.as_ref().map(|relative| {
                scale_queries(&mut layer.qkv);
                Distances::new(relative, &layer.qkv, model.dims.heads())
            });
            let (turns, reach) = turns.get(i).cloned().unzip();
            Ok(Layer {
                qkv: pack(layer.qkv, levels.map(|levels| levels.qkv))?,
                turns,
                distances: distances.transpose()?,
                reach: reach.unwrap_or(usize::MAX),
                out: pack(layer.out, levels.map(|levels| levels.out))?,
                out_norm: norm(layer.out_norm),
                up: pack(layer.up, levels.map(|levels| levels.up))?,
                down: pack(layer.down, levels.map(|levels| levels.down))?,
                down_norm: norm(layer.down_norm),
            })
        };
        let layers = (0..model.dims.layers)
            .into_par_iter()
            .map(layer)
            .collect::<Result<_, ModelError>>()?;
        Ok(Self {
            dims: model.dims,
            words,
            positions: model.positions,
            embedding_norm: norm(model.embedding_norm),
            layers,
            keeps_sums: model.keeps_sums,
            gate: model.gate,
            distances: model.distances,
            buckets: model
                .relative
                .map(|relative| relative.buckets)
                .unwrap_or_default(),
        })
    }

    /// Unpacks a file that [`crate::quantize`] wrote.
    pub(super) fn from_container(
        file: &Container,
        dims: Dims,
        activations: Activations,
    ) -> Result<Self, ModelError> {
        Self::from_containers(file, file, dims, activations)
    }

    /// Unpacks the layers of `file` behind the word vectors and positions of `shared`.
    pub(super) fn from_containers(
        file: &Container,
        shared: &Container,
        dims: Dims,
        activations: Activations,
    ) -> Result<Self, ModelError> {
        let (hidden, inner) = (dims.hidden, dims.inner);
        let levels = match activations {
            Activations::Bits16 => None,
            Activations::Bits8(levels) => Some(levels),
        };
        shared.exact("words.codes", dims.vocabulary * hidden)?;
        let words = Words::I8 {
            codes: shared.shared_bytes("words.codes")?,
            scales: shared.floats("words.scales", dims.vocabulary)?,
        };
        let layer = |i: usize| -> Result<Layer, ModelError> {
            let dense =
                |part: &str, n, k, levels| read_dense(file, &format!("{i}.{part}"), n, k, levels);
            Ok(Layer {
                qkv: dense("qkv", 3 * hidden, hidden, levels.map(|levels| levels.qkv))?,
                turns: None,
                distances: None,
                reach: usize::MAX,
                out: dense("out", hidden, hidden, levels.map(|levels| levels.out))?,
                out_norm: read_norm(file, &format!("{i}.out_norm"), hidden)?,
                up: dense("up", inner, hidden, levels.map(|levels| levels.up))?,
                down: dense("down", hidden, inner, levels.map(|levels| levels.down))?,
                down_norm: read_norm(file, &format!("{i}.down_norm"), hidden)?,
            })
        };
        Ok(Self {
            dims,
            words,
            positions: shared.floats("positions", dims.positions * hidden)?,
            embedding_norm: read_norm(file, "norm", hidden)?,
            layers: (0..dims.layers)
                .into_par_iter()
                .map(layer)
                .collect::<Result<_, _>>()?,
            keeps_sums: false,
            gate: None,
            distances: None,
            buckets: Vec::new(),
        })
    }
}

/// Turns and reach of each layer; layers that turn alike share a table.
fn turns(layers: Option<&[RotaryLayer]>, positions: usize) -> Vec<(Arc<Turns>, usize)> {
    let mut tables: HashMap<Vec<u32>, Arc<Turns>> = HashMap::new();
    let table = |layer: &RotaryLayer| {
        let key = layer.frequencies.iter().map(|f| f.to_bits()).collect();
        let new = || Arc::new(Turns::new(&layer.frequencies, positions));
        (
            Arc::clone(tables.entry(key).or_insert_with(new)),
            layer.reach,
        )
    };
    layers.unwrap_or_default().iter().map(table).collect()
}

/// The weights in a file that [`crate::quantize`] wrote as 32-bit floats, for a device.
pub(super) fn device_weights(
    file: &Container,
    dims: Dims,
) -> Result<(EncoderShape, EncoderWeights<Vec<f32>>), ModelError> {
    let (hidden, inner) = (dims.hidden, dims.inner);
    let floats = |name: &str, n: usize, k: usize| -> Result<Vec<f32>, ModelError> {
        let codes = codes_of_bytes(file.exact(&format!("{name}.codes"), n * k)?);
        let scales = file.floats(&format!("{name}.scales"), n)?;
        let rows = codes.chunks_exact(k).zip(scales);
        Ok(rows
            .flat_map(|(row, scale)| row.iter().map(move |&code| scale * f32::from(code)))
            .collect())
    };
    let dense = |name: String, n, k| {
        Ok::<_, ModelError>(device::Linear {
            weights: floats(&name, n, k)?,
            bias: file.floats(&format!("{name}.bias"), n)?,
        })
    };
    let norm = |name: String| {
        read_norm(file, &name, hidden).map(|norm| device::Norm {
            gain: norm.gain,
            bias: norm.bias,
        })
    };
    let layer = |i: usize| {
        Ok(EncoderLayer {
            qkv: dense(format!("{i}.qkv"), 3 * hidden, hidden)?,
            out: dense(format!("{i}.out"), hidden, hidden)?,
            out_norm: norm(format!("{i}.out_norm"))?,
            up: dense(format!("{i}.up"), inner, hidden)?,
            down: dense(format!("{i}.down"), hidden, inner)?,
            down_norm: norm(format!("{i}.down_norm"))?,
        })
    };
    let shape = EncoderShape {
        hidden,
        heads: dims.heads,
        inner,
        types: 1,
        eps: dims.eps,
    };
    let weights = EncoderWeights {
        words: floats("words", dims.vocabulary, hidden)?,
        positions: file.floats("positions", dims.positions * hidden)?,
        norm: norm("norm".to_owned())?,
        layers: (0..dims.layers)
            .map(layer)
            .collect::<Result<_, ModelError>>()?,
    };
    Ok((shape, weights))
}

/// The sizes in a file that [`crate::quantize`] wrote.
pub(super) fn read_dims(file: &Container) -> Result<Dims, ModelError> {
    let [hidden, heads, inner, layers, positions, vocabulary] =
        file.numbers::<6>("dims")?.map(|number| number as usize);
    let eps = file.floats("eps", 1)?[0];
    Dims {
        hidden,
        heads,
        inner,
        layers,
        positions,
        vocabulary,
        eps,
    }
    .check(file.what())
}

fn read_norm(file: &Container, name: &str, n: usize) -> Result<Norm, ModelError> {
    let gain = file.floats(&format!("{name}.gain"), n)?;
    let bias = file.floats(&format!("{name}.bias"), n)?;
    Ok(Norm { gain, bias })
}

/// `levels`: those of 8-bit activations, or none for 16-bit ones.
fn read_dense(
    file: &Container,
    name: &str,
    n: usize,
    k: usize,
    levels: Option<u8>,
) -> Result<Linear, ModelError> {
    let codes = codes_of_bytes(file.exact(&format!("{name}.codes"), n * k)?);
    let scales = file.floats(&format!("{name}.scales"), n)?;
    let bias = file.floats(&format!("{name}.bias"), n)?;
    Ok(match levels {
        None => Linear::I8 {
            weights: PackedI8::pack(codes, &scales, k).map_err(unfit(name))?,
            bias,
        },
        Some(levels) => Linear::W8A8 {
            weights: PackedW8::pack(codes, &scales, k, levels).map_err(unfit(name))?,
            bias,
        },
    })
}

/// `levels`: those of 8-bit activations, or none for f32.
fn pack(dense: DenseTensors, levels: Option<u8>) -> Result<Linear, ModelError> {
    let DenseTensors { weights, bias } = dense;
    let k = weights.len() / bias.len().max(1);
    let unfit = unfit("a linear layer");
    Ok(match levels {
        None => Linear::F32 {
            weights: PackedF32::pack(&weights, k).map_err(unfit)?,
            bias,
        },
        Some(levels) => Linear::W8A8 {
            weights: PackedW8::round(&weights, k, levels).map_err(unfit)?,
            bias,
        },
    })
}

fn unfit(name: &str) -> impl FnOnce(ShapeError) -> ModelError {
    let name = name.to_owned();
    move |error| ModelError::format(name, error.to_string())
}
