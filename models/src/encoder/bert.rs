//! A BERT-type model from a folder: the body that sentence encoders, cross-encoders and sparse
//! encoders share.

use std::path::Path;

use indago_core::Cancel;
use indago_core::ports::EncodeError;
use indago_kernels::product::{PackedF32, linear_f32};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::batch::{for_each, groups};
use super::forward::{Second, Workspaces, states};
use super::network::Network;
use crate::ModelError;
use crate::tokenizer::Tokenizer;
use crate::weights::{Checkpoint, DenseTensors, Dims, Precision};

/// Bumped when the arithmetic in 8 bits changes enough to show in vectors.
const INT8: &[u8] = b"int8/1";

/// Token ids with their special tokens.
#[derive(Debug)]
pub(super) struct Sequence {
    pub ids: Vec<u32>,
    /// Where the second text begins.
    pub second: usize,
    /// Number of leading tokens that are attended to; those behind them attend and are not seen.
    pub seen: usize,
}

impl Sequence {
    /// One text, all of whose tokens see each other.
    pub(super) fn of_one(ids: Vec<u32>) -> Self {
        let (second, seen) = (ids.len(), ids.len());
        Self { ids, second, seen }
    }
}

pub(super) struct Bert {
    pub name: String,
    pub tokenizer: Tokenizer,
    pub dims: Dims,
    /// Of the weights, and of how they are rounded.
    pub checksum: u64,
    network: Network,
    /// What tokens of a second text get beside the first text's type.
    second: Vec<f32>,
    idle: Workspaces,
}

impl Bert {
    pub(super) fn new(
        folder: &Path,
        model: Checkpoint,
        tokenizer: Tokenizer,
        precision: Precision,
    ) -> Result<Self, ModelError> {
        let name = folder
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        let name = name.unwrap_or_else(|| folder.display().to_string());
        let dims = model.dims;
        // Some models have more rows than pieces, to make the number of rows even.
        if tokenizer.ids() > dims.vocabulary {
            let (pieces, rows) = (tokenizer.ids(), dims.vocabulary);
            let reason = format!("{pieces} pieces for {rows} vectors");
            return Err(ModelError::format("vocabulary", reason));
        }
        let mut types = model.types.chunks_exact(dims.hidden);
        let second = match (types.next(), types.next()) {
            (Some(first), Some(second)) => second.iter().zip(first).map(|(b, a)| b - a).collect(),
            _ => vec![0.0; dims.hidden],
        };
        Ok(Self {
            name,
            tokenizer,
            dims,
            checksum: match precision {
                Precision::F32 => model.checksum,
                Precision::Int8 => xxh3_64_with_seed(INT8, model.checksum),
            },
            second,
            network: Network::from_checkpoint(model, precision)?,
            idle: Workspaces::default(),
        })
    }

    /// A text between its special tokens, cut at the model's longest.
    pub(super) fn single(&self, text: &str) -> Sequence {
        let mut ids = vec![self.tokenizer.begin()];
        ids.extend(self.tokenizer.tokens(text, self.dims.positions - 2));
        ids.push(self.tokenizer.end());
        Sequence::of_one(ids)
    }

    /// Runs the network over `sequences` and lets `each` make `width` values of the vectors of a
    /// sequence's tokens. One row for each sequence, in order.
    pub(super) fn map(
        &self,
        sequences: &[Sequence],
        width: usize,
        each: impl Fn(&[f32], &mut [f32]) + Sync,
        cancel: &Cancel,
    ) -> Result<Vec<f32>, EncodeError> {
        let hidden = self.dims.hidden;
        let lengths: Vec<usize> = sequences.iter().map(|s| s.ids.len()).collect();
        let groups = groups(&lengths);
        let run = |group: &[usize], threads: usize| -> Result<Vec<f32>, EncodeError> {
            cancel.check()?;
            let ids: Vec<&[u32]> = group.iter().map(|&i| sequences[i].ids.as_slice()).collect();
            let starts: Vec<usize> = group.iter().map(|&i| sequences[i].second).collect();
            let seen: Vec<usize> = group.iter().map(|&i| sequences[i].seen).collect();
            let second = Second {
                starts: &starts,
                vector: &self.second,
                seen: &seen,
            };
            let mut workspace = self.idle.take();
            let mut rest = states(&self.network, &ids, Some(second), threads, &mut workspace);
            let mut rows = vec![0.0; group.len() * width];
            for (ids, out) in ids.iter().zip(rows.chunks_exact_mut(width)) {
                let (tokens, others) = rest.split_at(ids.len() * hidden);
                each(tokens, out);
                rest = others;
            }
            self.idle.give_back(workspace);
            Ok(rows)
        };
        let made = for_each(&groups, &lengths, run)?;
        let mut out = vec![0.0; sequences.len() * width];
        for (group, rows) in groups.iter().zip(&made) {
            for (&i, row) in group.iter().zip(rows.chunks_exact(width)) {
                out[i * width..(i + 1) * width].copy_from_slice(row);
            }
        }
        Ok(out)
    }
}

impl std::fmt::Debug for Bert {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bert[{} {:016x}]", self.name, self.checksum)
    }
}

/// A linear layer of a head, in f32.
#[derive(Debug)]
pub(super) struct HeadLayer {
    weights: PackedF32,
    bias: Vec<f32>,
}

impl HeadLayer {
    pub(super) fn new(dense: DenseTensors) -> Result<Self, ModelError> {
        let inputs = dense.weights.len() / dense.bias.len().max(1);
        let weights = PackedF32::pack(&dense.weights, inputs)
            .map_err(|error| ModelError::format("a linear layer", error.to_string()))?;
        Ok(Self {
            weights,
            bias: dense.bias,
        })
    }

    /// The layer's values for each row of `x`.
    pub(super) fn apply(&self, x: &[f32]) -> Vec<f32> {
        let rows = x.len() / self.weights.inputs().max(1);
        let mut out = vec![0.0; rows * self.bias.len()];
        linear_f32(x, &self.weights, &self.bias, &mut out);
        out
    }
}
