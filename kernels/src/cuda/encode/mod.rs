//! A transformer encoder's forward pass that stays on the device: token ids in, one vector or one
//! score a sequence out.

mod linear;
mod sequences;
mod weights;

use linear::{Activation, Way};
pub use linear::{Arithmetic, Products};
pub use sequences::{Pooling, Sequence, in_batches};
use weights::Uploader;
pub use weights::{EncoderLayer, EncoderShape, EncoderWeights, Linear, Norm, ScoreHead};

use super::DeviceError;
use super::float16::Float16;
use super::launch::{Arg, Launch, Launcher, download, upload};
use crate::ShapeError;

/// An encoder in device memory. (BERT: Devlin et al. 2019; mean pooling: Reimers & Gurevych 2019.)
#[derive(Debug)]
pub struct GpuEncoder<M> {
    shape: EncoderShape,
    weights: EncoderWeights<M>,
    vocabulary: usize,
    positions: usize,
    format: Float16,
    way: Way,
}

impl<M> GpuEncoder<M> {
    /// Copies weights to the device: matrices and their biases in 16-bit floats, norms in 32.
    ///
    /// # Errors
    /// Shapes that do not fit, or a device without the memory.
    pub fn new<L: Launcher<Memory = M>>(
        device: &L,
        shape: EncoderShape,
        weights: &EncoderWeights<Vec<f32>>,
        arithmetic: Arithmetic,
    ) -> Result<Self, DeviceError> {
        shape.check()?;
        let vocabulary = weights.words.len() / shape.hidden;
        let positions = weights.positions.len() / shape.hidden / shape.types;
        let uploader = Uploader {
            device,
            format: arithmetic.format,
        };
        Ok(Self {
            shape,
            weights: uploader.encoder(shape, weights, vocabulary, positions)?,
            vocabulary,
            positions,
            format: arithmetic.format,
            way: Way::choose(device, arithmetic),
        })
    }

    /// Which format and what product it computes with, and why, in words.
    pub fn describe(&self) -> String {
        self.way.describe()
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
        let uploader = Uploader {
            device,
            format: self.format,
        };
        let pooler = head.pooler.as_ref();
        let classifier = &head.classifier;
        Ok(ScoreHead {
            pooler: pooler
                .map(|pooler| uploader.linear(pooler, hidden, hidden))
                .transpose()?,
            classifier: Linear {
                weights: uploader.halves("weights", &classifier.weights, hidden)?,
                bias: uploader.floats("bias", &classifier.bias, 1)?,
            },
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
            kernel: self.format.kernels().pool_rows,
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
            kernel: self.format.kernels().first_rows,
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
                self.way
                    .linear(device, pooler, &first, &pooled, shape, Activation::Tanh)?;
                pooled
            }
            None => first,
        };
        let scores = device.alloc(n * 4)?;
        let launch = Launch {
            kernel: self.format.kernels().score_rows,
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
        // SAFETY: the arguments are those of `embed_norm`: ids below the vocabulary and places below
        // the positions, checked above.
        unsafe {
            device.launch(
                by_row(self.format.kernels().embed_norm),
                &[
                    Arg::Memory(&ids),
                    Arg::Memory(&places),
                    Arg::Memory(&weights.words),
                    Arg::Memory(&weights.positions),
                    Arg::U32(rows as u32),
                    Arg::U32(hidden as u32),
                    Arg::Memory(&weights.norm.gain),
                    Arg::Memory(&weights.norm.bias),
                    Arg::F32(self.shape.eps),
                    Arg::Memory(&state),
                ],
            )?;
        }
        for layer in &weights.layers {
            self.way.linear(
                device,
                &layer.qkv,
                &state,
                &wide,
                [rows, 3 * hidden, hidden],
                Activation::None,
            )?;
            let launch = Launch {
                kernel: self.format.kernels().attention_short,
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
            self.way.linear(
                device,
                &layer.out,
                &narrow,
                &wide,
                [rows, hidden, hidden],
                Activation::None,
            )?;
            self.add_norm(device, &wide, &state, rows, &layer.out_norm)?;
            self.way.linear(
                device,
                &layer.up,
                &state,
                &wide,
                [rows, inner, hidden],
                Activation::Gelu,
            )?;
            self.way.linear(
                device,
                &layer.down,
                &wide,
                &narrow,
                [rows, hidden, inner],
                Activation::None,
            )?;
            self.add_norm(device, &narrow, &state, rows, &layer.down_norm)?;
        }
        Ok(Some(States {
            state,
            starts,
            narrow,
        }))
    }

    /// `state = norm(state + added)`, row by row.
    fn add_norm<L: Launcher<Memory = M>>(
        &self,
        device: &L,
        added: &M,
        state: &M,
        rows: usize,
        norm: &Norm<M>,
    ) -> Result<(), DeviceError> {
        let launch = Launch {
            kernel: self.format.kernels().add_norm,
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
                    Arg::U32(self.shape.hidden as u32),
                    Arg::Memory(&norm.gain),
                    Arg::Memory(&norm.bias),
                    Arg::F32(self.shape.eps),
                ],
            )
        }
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
