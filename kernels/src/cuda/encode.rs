//! A transformer encoder's forward pass that stays on the device: token ids in, one vector or one
//! score a sequence out.

use indago_core::Cancel;

use super::DeviceError;
use super::launch::{Arg, Launch, Launcher, download, upload};
use super::scan::to_halves;
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

/// A text, or two that are read together.
#[derive(Clone, Copy, Debug)]
pub struct Sequence<'a> {
    /// Token ids, special tokens included.
    pub ids: &'a [u32],
    /// Where the second text begins: tokens from here on are of type 1.
    pub second: usize,
}

impl<'a> From<&'a [u32]> for Sequence<'a> {
    fn from(ids: &'a [u32]) -> Self {
        let second = ids.len();
        Self { ids, second }
    }
}

/// How the vectors of a sequence's tokens become one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pooling {
    /// Their mean.
    #[default]
    Mean,
    /// The first one.
    First,
    /// The greatest value in each place.
    Max,
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

/// An encoder in device memory. (BERT: Devlin et al. 2019; mean pooling: Reimers & Gurevych 2019.)
#[derive(Debug)]
pub struct GpuEncoder<M> {
    shape: EncoderShape,
    weights: EncoderWeights<M>,
    vocabulary: usize,
    positions: usize,
}

impl<M> GpuEncoder<M> {
    /// Copies weights to the device: matrices in 16-bit floats, biases and norms in 32.
    ///
    /// # Errors
    /// Shapes that do not fit, or a device without the memory.
    pub fn new<L: Launcher<Memory = M>>(
        device: &L,
        shape: EncoderShape,
        weights: &EncoderWeights<Vec<f32>>,
    ) -> Result<Self, DeviceError> {
        let EncoderShape {
            hidden,
            heads,
            inner,
            ..
        } = shape;
        let odd = hidden == 0
            || heads == 0
            || shape.types == 0
            || !hidden.is_multiple_of(8)
            || !inner.is_multiple_of(8)
            || hidden > 1024
            || !hidden.is_multiple_of(heads);
        if odd {
            return Err(DeviceError::Shape(ShapeError {
                what: "hidden (multiple of 8 and of the heads, at most 1024)",
                found: hidden,
                expected: 1024,
            }));
        }
        let check = |what, found: &[f32], expected| ShapeError::check(what, found.len(), expected);
        let halves = |what, values: &[f32], expected| {
            check(what, values, expected)?;
            upload(device, &to_halves(values))
        };
        let floats = |what, values: &[f32], expected| {
            check(what, values, expected)?;
            upload(device, values)
        };
        let linear = |layer: &Linear<Vec<f32>>, outputs: usize, inputs: usize| {
            Ok::<_, DeviceError>(Linear {
                weights: halves("weights", &layer.weights, outputs * inputs)?,
                bias: floats("bias", &layer.bias, outputs)?,
            })
        };
        let norm = |norm: &Norm<Vec<f32>>| {
            Ok::<_, DeviceError>(Norm {
                gain: floats("gain", &norm.gain, hidden)?,
                bias: floats("bias", &norm.bias, hidden)?,
            })
        };
        let layers = weights
            .layers
            .iter()
            .map(|layer| {
                Ok(EncoderLayer {
                    qkv: linear(&layer.qkv, 3 * hidden, hidden)?,
                    out: linear(&layer.out, hidden, hidden)?,
                    out_norm: norm(&layer.out_norm)?,
                    up: linear(&layer.up, inner, hidden)?,
                    down: linear(&layer.down, hidden, inner)?,
                    down_norm: norm(&layer.down_norm)?,
                })
            })
            .collect::<Result<Vec<_>, DeviceError>>()?;
        let vocabulary = weights.words.len() / hidden;
        let positions = weights.positions.len() / hidden / shape.types;
        Ok(Self {
            shape,
            weights: EncoderWeights {
                words: halves("words", &weights.words, vocabulary * hidden)?,
                positions: halves(
                    "positions",
                    &weights.positions,
                    shape.types * positions * hidden,
                )?,
                norm: norm(&weights.norm)?,
                layers,
            },
            vocabulary,
            positions,
        })
    }

    /// Copies a head for [`GpuEncoder::score`] to the device.
    ///
    /// # Errors
    /// Shapes that do not fit, or a device without the memory.
    pub fn head<L: Launcher<Memory = M>>(
        &self,
        device: &L,
        head: &ScoreHead<Vec<f32>>,
    ) -> Result<ScoreHead<M>, DeviceError> {
        let hidden = self.shape.hidden;
        let layer = |layer: &Linear<Vec<f32>>, outputs: usize| {
            ShapeError::check("weights", layer.weights.len(), outputs * hidden)?;
            ShapeError::check("bias", layer.bias.len(), outputs)?;
            Ok::<_, DeviceError>(Linear {
                weights: upload(device, &to_halves(&layer.weights))?,
                bias: upload(device, &layer.bias)?,
            })
        };
        Ok(ScoreHead {
            pooler: head
                .pooler
                .as_ref()
                .map(|pooler| layer(pooler, hidden))
                .transpose()?,
            classifier: layer(&head.classifier, 1)?,
        })
    }

    /// The last layer's token vectors, pooled and scaled to length 1: `[sequences, hidden]`,
    /// row-major; zeros for a sequence without tokens. (Reimers & Gurevych 2019, section 3.)
    ///
    /// Sequences hold token ids, special tokens included. Two matrices of `[tokens, 3 * hidden]` and
    /// `[tokens, inner]` halves are the largest memory it needs: see [`in_batches`].
    ///
    /// # Errors
    /// An id outside the vocabulary, a sequence longer than the positions or than shared memory
    /// holds, a device without the memory, or one that failed.
    pub fn encode<L: Launcher<Memory = M>>(
        &self,
        device: &L,
        sequences: &[Sequence<'_>],
        pooling: Pooling,
    ) -> Result<Vec<f32>, DeviceError> {
        let hidden = self.shape.hidden;
        let Some(States { state, starts, .. }) = self.states(device, sequences)? else {
            return Ok(vec![0.0; sequences.len() * hidden]);
        };
        let pooled = device.alloc(sequences.len() * hidden * 4)?;
        let launch = Launch {
            kernel: "pool_rows",
            grid: [sequences.len() as u32, 1],
            block: 256,
            shared: hidden as u32 * 4,
        };
        // SAFETY: the arguments are those of `pool_rows`.
        unsafe {
            device.launch(
                launch,
                &[
                    Arg::Memory(&state),
                    Arg::Memory(&starts),
                    Arg::U32(hidden as u32),
                    Arg::U32(match pooling {
                        Pooling::Mean => 0,
                        Pooling::First => 1,
                        Pooling::Max => 2,
                    }),
                    Arg::Memory(&pooled),
                ],
            )?;
        }
        download(device, &pooled, sequences.len() * hidden)
    }

    /// A score for each sequence from the last layer's first token: what a cross-encoder gives for
    /// a query and a text. (Nogueira & Cho 2019, section 3.)
    ///
    /// # Errors
    /// As [`GpuEncoder::encode`].
    pub fn score<L: Launcher<Memory = M>>(
        &self,
        device: &L,
        head: &ScoreHead<M>,
        sequences: &[Sequence<'_>],
    ) -> Result<Vec<f32>, DeviceError> {
        let (n, hidden) = (sequences.len(), self.shape.hidden);
        let Some(States {
            state,
            starts,
            narrow,
        }) = self.states(device, sequences)?
        else {
            return Ok(vec![0.0; n]);
        };
        let first = device.alloc(n * hidden * 2)?;
        let launch = Launch {
            kernel: "first_rows",
            grid: [n as u32, 1],
            block: 256,
            shared: 0,
        };
        // SAFETY: the arguments are those of `first_rows`; there is a row for every sequence.
        unsafe {
            device.launch(
                launch,
                &[
                    Arg::Memory(&state),
                    Arg::Memory(&starts),
                    Arg::U32(hidden as u32),
                    Arg::Memory(&first),
                ],
            )?;
        }
        drop((state, starts, narrow));
        let read = match &head.pooler {
            Some(pooler) => {
                let pooled = device.alloc(n * hidden * 2)?;
                let shape = [n, hidden, hidden];
                linear(device, pooler, &first, &pooled, shape, Activation::Tanh)?;
                pooled
            }
            None => first,
        };
        let scores = device.alloc(n * 4)?;
        let launch = Launch {
            kernel: "score_rows",
            grid: [(n as u32).div_ceil(8), 1],
            block: 256,
            shared: 0,
        };
        // SAFETY: the arguments are those of `score_rows`: `n` rows and as many scores; the head's
        // shapes were checked when it was copied.
        unsafe {
            device.launch(
                launch,
                &[
                    Arg::Memory(&read),
                    Arg::Memory(&head.classifier.weights),
                    Arg::Memory(&head.classifier.bias),
                    Arg::U32(n as u32),
                    Arg::U32(hidden as u32),
                    Arg::Memory(&scores),
                ],
            )?;
        }
        download(device, &scores, n)
    }

    /// The last layer's token vectors; nothing where there are no tokens.
    fn states<L: Launcher<Memory = M>>(
        &self,
        device: &L,
        sequences: &[Sequence<'_>],
    ) -> Result<Option<States<M>>, DeviceError> {
        let EncoderShape {
            hidden,
            heads,
            inner,
            ..
        } = self.shape;
        let head_dim = hidden / heads;
        let longest = sequences.iter().map(|s| s.ids.len()).max().unwrap_or(0);
        let warps = 8;
        let attention_shared = 4 * longest * (head_dim + 2) + 4 * warps * (longest + head_dim);
        if longest > self.positions || attention_shared > device.shared_limit() as usize {
            return Err(DeviceError::Shape(ShapeError {
                what: "tokens of a sequence (at most)",
                found: longest,
                expected: self.positions,
            }));
        }
        let mut ids = Vec::new();
        let mut places = Vec::new();
        let mut starts = vec![0_u32];
        for Sequence { ids: own, second } in sequences {
            if let Some(&id) = own.iter().find(|&&id| id as usize >= self.vocabulary) {
                return Err(DeviceError::Shape(ShapeError {
                    what: "token id (below)",
                    found: id as usize,
                    expected: self.vocabulary,
                }));
            }
            ids.extend_from_slice(own);
            // Positions of type 1 stand behind those of type 0.
            let of_type_1 = if self.shape.types > 1 {
                self.positions as u32
            } else {
                0
            };
            places.extend((0..own.len()).map(|i| {
                let kind = if i < *second { 0 } else { of_type_1 };
                i as u32 + kind
            }));
            starts.push(ids.len() as u32);
        }
        let rows = ids.len();
        if rows == 0 {
            return Ok(None);
        }
        let ids = upload(device, &ids)?;
        let places = upload(device, &places)?;
        let starts = upload(device, &starts)?;
        let state = device.alloc(rows * hidden * 2)?;
        let wide = device.alloc(rows * (3 * hidden).max(inner) * 2)?;
        let narrow = device.alloc(rows * hidden * 2)?;
        let by_row = |kernel| Launch {
            kernel,
            grid: [(rows as u32).div_ceil(8), 1],
            block: 256,
            shared: 0,
        };
        let weights = &self.weights;
        let eps = self.shape.eps;
        // SAFETY: the arguments are those of `embed_norm`: ids below the vocabulary and places below
        // the positions, checked above.
        unsafe {
            device.launch(
                by_row("embed_norm"),
                &[
                    Arg::Memory(&ids),
                    Arg::Memory(&places),
                    Arg::Memory(&weights.words),
                    Arg::Memory(&weights.positions),
                    Arg::U32(rows as u32),
                    Arg::U32(hidden as u32),
                    Arg::Memory(&weights.norm.gain),
                    Arg::Memory(&weights.norm.bias),
                    Arg::F32(eps),
                    Arg::Memory(&state),
                ],
            )?;
        }
        for layer in &weights.layers {
            linear(
                device,
                &layer.qkv,
                &state,
                &wide,
                [rows, 3 * hidden, hidden],
                Activation::None,
            )?;
            let launch = Launch {
                kernel: "attention_short",
                grid: [sequences.len() as u32, heads as u32],
                block: 256,
                shared: attention_shared as u32,
            };
            // SAFETY: the arguments are those of `attention_short`: `wide` holds `[rows, 3, heads,
            // head_dim]`, and shared memory fits the longest sequence.
            unsafe {
                device.launch(
                    launch,
                    &[
                        Arg::Memory(&wide),
                        Arg::Memory(&starts),
                        Arg::U32(heads as u32),
                        Arg::U32(head_dim as u32),
                        Arg::U32(longest as u32),
                        Arg::F32(1.0 / (head_dim as f32).sqrt()),
                        Arg::Memory(&narrow),
                    ],
                )?;
            }
            // The product reads `narrow` and the norm adds `narrow`, so the output goes by `wide`,
            // whose queries, keys and values are spent.
            linear(
                device,
                &layer.out,
                &narrow,
                &wide,
                [rows, hidden, hidden],
                Activation::None,
            )?;
            add_norm(device, &wide, &state, rows, hidden, &layer.out_norm, eps)?;
            linear(
                device,
                &layer.up,
                &state,
                &wide,
                [rows, inner, hidden],
                Activation::Gelu,
            )?;
            linear(
                device,
                &layer.down,
                &wide,
                &narrow,
                [rows, hidden, inner],
                Activation::None,
            )?;
            add_norm(device, &narrow, &state, rows, hidden, &layer.down_norm, eps)?;
        }
        Ok(Some(States {
            state,
            starts,
            narrow,
        }))
    }
}

/// What a pass leaves on the device.
struct States<M> {
    /// `[tokens, hidden]`, 16 bits.
    state: M,
    starts: M,
    /// Work space that is free again.
    narrow: M,
}

/// Runs `run` over sequences, at most `tokens` at a time; where the device has not the memory
/// for a batch, over half as many from there on. Checks `cancel` between batches.
///
/// # Errors
/// What `run` says; [`DeviceError::OutOfMemory`] when one sequence alone is too much.
pub fn in_batches(
    sequences: &[Sequence<'_>],
    tokens: usize,
    cancel: &Cancel,
    mut run: impl FnMut(&[Sequence<'_>]) -> Result<Vec<f32>, DeviceError>,
) -> Result<Vec<f32>, DeviceError> {
    let mut out = Vec::new();
    let mut most = tokens.max(1);
    let mut rest = sequences;
    while !rest.is_empty() {
        cancel.check()?;
        let mut sum = 0;
        let n = rest.iter().take_while(|sequence| {
            sum += sequence.ids.len();
            sum <= most
        });
        let n = n.count().max(1);
        match run(&rest[..n]) {
            Ok(values) => {
                out.extend(values);
                rest = &rest[n..];
            }
            Err(DeviceError::OutOfMemory { .. }) if n > 1 => {
                let held: usize = rest[..n].iter().map(|s| s.ids.len()).sum();
                most = (held / 2).max(1);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(out)
}

/// What a linear layer applies to its output.
#[derive(Clone, Copy)]
enum Activation {
    None = 0,
    Gelu = 1,
    Tanh = 2,
}

/// `state = norm(state + added)`, row by row.
fn add_norm<L: Launcher>(
    device: &L,
    added: &L::Memory,
    state: &L::Memory,
    rows: usize,
    hidden: usize,
    norm: &Norm<L::Memory>,
    eps: f32,
) -> Result<(), DeviceError> {
    let launch = Launch {
        kernel: "add_norm",
        grid: [(rows as u32).div_ceil(8), 1],
        block: 256,
        shared: 0,
    };
    // SAFETY: the arguments are those of `add_norm`; both buffers hold at least `[rows, hidden]`.
    unsafe {
        device.launch(
            launch,
            &[
                Arg::Memory(state),
                Arg::Memory(added),
                Arg::U32(rows as u32),
                Arg::U32(hidden as u32),
                Arg::Memory(&norm.gain),
                Arg::Memory(&norm.bias),
                Arg::F32(eps),
            ],
        )
    }
}

/// `out[m, n] = act(x[m, k] weights[n, k]^T + bias)`.
fn linear<L: Launcher>(
    device: &L,
    layer: &Linear<L::Memory>,
    x: &L::Memory,
    out: &L::Memory,
    [m, n, k]: [usize; 3],
    activation: Activation,
) -> Result<(), DeviceError> {
    let launch = Launch {
        kernel: "linear_f16",
        grid: [(n as u32).div_ceil(128), (m as u32).div_ceil(64)],
        block: 256,
        shared: 0,
    };
    // SAFETY: the arguments are those of `linear_f16`, with the shapes checked when the weights were
    // copied; k is a multiple of 8.
    unsafe {
        device.launch(
            launch,
            &[
                Arg::Memory(x),
                Arg::Memory(&layer.weights),
                Arg::Memory(&layer.bias),
                Arg::U32(m as u32),
                Arg::U32(n as u32),
                Arg::U32(k as u32),
                Arg::U32(activation as u32),
                Arg::Memory(out),
            ],
        )
    }
}
