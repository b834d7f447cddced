//! The published form of a BERT-type encoder: a folder with `config.json`, `vocab.txt` and
//! `model.safetensors`, all f32.

use std::fs;
use std::path::Path;

use indago_kernels::Heads;

use super::config::Config;
use super::family::{self, Family, Gate, Types};
use super::relative::{self, Relative};
use super::rotary::{self, RotaryLayer};
use super::tensors::{DenseTensors, NormTensors, Tensors};
use crate::ModelError;

/// Sizes of a model. Every product of two of them fits 32 bits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Dims {
    /// Width of a token's vector.
    pub hidden: usize,
    /// Attention heads; divides `hidden`.
    pub heads: usize,
    /// Width of the feed-forward layer.
    pub inner: usize,
    /// Number of layers.
    pub layers: usize,
    /// Longest sequence kept, special tokens included.
    pub positions: usize,
    /// Number of word pieces.
    pub vocabulary: usize,
    /// Added to the variance in layer norms.
    pub eps: f32,
}

impl Dims {
    /// How a token's values are shared among heads.
    pub(crate) fn heads(self) -> Heads {
        Heads {
            count: self.heads,
            dim: self.hidden / self.heads,
        }
    }

    /// The dims, if they are such as a real model could have.
    pub(crate) fn check(self, what: &str) -> Result<Self, ModelError> {
        let within = |value: usize, most: usize| (1..=most).contains(&value);
        let sound = within(self.hidden, 8192)
            && within(self.heads, self.hidden)
            && self.hidden.is_multiple_of(self.heads)
            && within(self.inner, 32_768)
            && within(self.layers, 200)
            && (3..=8192).contains(&self.positions)
            && within(self.vocabulary, 1 << 18)
            && self.eps.is_finite()
            && self.eps >= 0.0;
        if sound {
            Ok(self)
        } else {
            Err(ModelError::format(what, format!("odd sizes: {self:?}")))
        }
    }
}

/// One transformer layer; query, key and value stacked into one.
#[derive(Clone, Debug)]
pub(crate) struct LayerTensors {
    pub qkv: DenseTensors,
    pub out: DenseTensors,
    /// The norm of what enters `up`.
    pub out_norm: NormTensors,
    /// `inner` values, or with [`Checkpoint::gate`] twice as many, the gate's half first.
    pub up: DenseTensors,
    pub down: DenseTensors,
    /// The norm of what enters the next layer, or leaves the last.
    pub down_norm: NormTensors,
}

/// A model in f32, with its layers still in its file ([`Checkpoint::layer`]): they are most of it, and
/// are needed one at a time.
#[derive(Debug)]
pub(crate) struct Checkpoint {
    pub dims: Dims,
    pub vocabulary: String,
    /// `[vocabulary, hidden]`.
    pub words: Vec<f32>,
    /// `[positions, hidden]`, the first token type's vector added; with [`Self::rotary`] or
    /// [`Self::relative`] one row, that vector.
    pub positions: Vec<f32>,
    /// `[types, hidden]`.
    pub types: Vec<f32>,
    pub embedding_norm: NormTensors,
    /// Whether sums stay as they are and only what the layers' parts see of them is normed; else a sum
    /// is what its norm makes of it.
    pub keeps_sums: bool,
    /// Where the wide layer's values are one half times the other.
    pub gate: Option<Gate>,
    /// What attention adds to the score of a key by its distance from the query, `[heads,
    /// 2 * positions - 1]`, the most distant before it first; for models with relative positions.
    pub distances: Option<Vec<f32>>,
    /// What distances mean by what stands at their ends, for models that have no other positions.
    pub relative: Option<Relative>,
    /// Positions of each layer, for models that turn queries and keys.
    pub rotary: Option<Vec<RotaryLayer>>,
    /// Hash of the weights' file, for fingerprints.
    pub checksum: u64,
    tensors: Tensors,
}

/// Longest sequence of sentence-transformers' all-MiniLM-L6-v2 (its `sentence_bert_config.json`).
const MAX_POSITIONS: usize = 256;

/// What published models call the head that finds answers.
const READER_HEAD: &str = "qa_outputs";

impl Dims {
    /// The sizes in a configuration of `family`, under the names of any.
    fn of(config: &Config, first_position: usize, max_positions: usize) -> Result<Self, String> {
        let known = config.need::<usize>(&["max_position_embeddings", "n_positions"])?;
        // Rotary positions go on behind those of the training, where they mean nothing.
        let trained = config.get::<usize>(&["max_trained_positions"])?;
        let positions = known
            .saturating_sub(first_position)
            .min(trained.unwrap_or(usize::MAX))
            .min(max_positions);
        let eps = ["layer_norm_eps", "norm_eps", "layer_norm_epsilon"];
        Ok(Self {
            hidden: config.need(&["hidden_size", "dim", "n_embd"])?,
            heads: config.need(&["num_attention_heads", "n_heads", "n_head"])?,
            inner: config.need(&["intermediate_size", "hidden_dim", "n_inner"])?,
            layers: config.need(&["num_hidden_layers", "n_layers", "n_layer"])?,
            positions,
            vocabulary: config.need(&["vocab_size"])?,
            // DistilBERT's configuration does not say.
            eps: config.get(&eps)?.unwrap_or(1e-12),
        })
    }
}

impl Checkpoint {
    /// Reads a folder of the MiniLM family.
    ///
    /// # Errors
    /// When a file is missing, or is not of a BERT-type encoder.
    pub(crate) fn read(folder: &Path) -> Result<Self, ModelError> {
        let path = folder.join("vocab.txt");
        let vocabulary = fs::read_to_string(&path).map_err(ModelError::io(&path))?;
        let config = Config::read(folder)?;
        let bert = &family::BERT;
        let read = Self::read_with(folder, &config, bert, MAX_POSITIONS, |_, _| Ok(()));
        read.map(|(model, ())| Self {
            vocabulary,
            ..model
        })
    }

    /// Reads a folder with a model that was trained to find answers in passages
    /// (`BertForQuestionAnswering`), and its head: `[2, hidden]`, starts and ends.
    ///
    /// # Errors
    /// As [`Self::read`], or when it has no such head.
    pub(crate) fn read_reader(folder: &Path) -> Result<(Self, DenseTensors), ModelError> {
        let config = Config::read(folder)?;
        let head = |tensors: &Tensors, dims: Dims| tensors.dense(READER_HEAD, 2, dims.hidden);
        Self::read_with(folder, &config, &family::BERT, MAX_POSITIONS, head)
    }

    /// Whether the folder holds what [`Self::read_reader`] reads.
    ///
    /// # Errors
    /// When its weights cannot be opened.
    pub(crate) fn is_reader(folder: &Path) -> Result<bool, ModelError> {
        let tensors = Tensors::open(&folder.join("model.safetensors"))?;
        Ok(tensors.has(&format!("{READER_HEAD}.weight")))
    }

    /// Reads a folder of a family and, with `head`, what its file holds beside the encoder, but no
    /// vocabulary. At most `max_positions` tokens of a text are kept.
    pub(super) fn read_with<H>(
        folder: &Path,
        config: &Config,
        family: &'static Family,
        max_positions: usize,
        head: impl FnOnce(&Tensors, Dims) -> Result<H, ModelError>,
    ) -> Result<(Self, H), ModelError> {
        let what = folder.join("config.json").display().to_string();
        let unfit = |reason: String| ModelError::format(&what, reason);
        let activation = config.need::<String>(&[
            "hidden_act",
            "activation",
            "hidden_activation",
            "activation_function",
        ]);
        let activation = activation.map_err(unfit)?;
        if !family.activations.contains(&activation.as_str()) {
            let known = family.activations.join("` and `");
            return Err(unfit(format!("only the activation `{known}` is known")));
        }
        let first_position = family.first_position(config).map_err(unfit)?;
        let dims = Dims::of(config, first_position, max_positions).map_err(unfit)?;
        let dims = dims.check(&what)?;
        let head_dim = dims.hidden / dims.heads;
        if config
            .get::<usize>(&["head_dim"])
            .map_err(unfit)?
            .is_some_and(|dim| dim != head_dim)
        {
            return Err(unfit(
                "only heads that share a token's values are known".to_owned(),
            ));
        }
        let rotary = family
            .rotary
            .map(|family| rotary::read(config, family, dims.layers, head_dim))
            .transpose()
            .map_err(unfit)?;

        let path = folder.join("model.safetensors");
        let tensors = Tensors::open(&path)?.of_family(family);
        let hidden = dims.hidden;
        let types_name = "embeddings.token_type_embeddings.weight";
        let types = match family.embeddings.types {
            Types::Stored => tensors.rows_of(types_name, hidden)?,
            Types::IfStored if tensors.has(types_name) => tensors.rows_of(types_name, hidden)?,
            Types::IfStored | Types::None => vec![0.0; hidden],
        };
        let relative = if family.is_disentangled {
            let settings = relative::Settings::of(config).map_err(unfit)?;
            Some(settings.read(&tensors, dims)?)
        } else {
            None
        };
        let mut positions = match (&rotary, &relative) {
            (None, None) => learned_positions(&tensors, dims, first_position)?,
            _ => vec![0.0; hidden],
        };
        for row in positions.chunks_exact_mut(hidden) {
            row.iter_mut().zip(&types).for_each(|(x, y)| *x += y);
        }
        let words = format!("{}.weight", family.embeddings.words);
        let words = tensors.matrix(&words, dims.vocabulary, hidden)?;
        let embedding_norm = tensors.norm(family.embeddings.norm, hidden)?;
        let distances = family.distances.map(|name| tensors.distances(name, dims));
        let head = head(&tensors, dims)?;
        let checksum = tensors.checksum()?;
        let model = Self {
            dims,
            vocabulary: String::new(),
            words,
            positions,
            types,
            embedding_norm,
            keeps_sums: family.last_norm.is_some(),
            gate: family.gate,
            distances: distances.transpose()?,
            relative,
            rotary,
            checksum,
            tensors,
        };
        Ok((model, head))
    }

    /// The layer of number `i`, from 0; from any thread.
    ///
    /// # Errors
    /// When the file lacks a part of it, or cannot be read.
    pub(crate) fn layer(&self, i: usize) -> Result<LayerTensors, ModelError> {
        self.tensors.layer(i, self.dims)
    }
}

/// The vectors that are added to words by their place, `[positions, hidden]`.
fn learned_positions(
    tensors: &Tensors,
    dims: Dims,
    first_position: usize,
) -> Result<Vec<f32>, ModelError> {
    let hidden = dims.hidden;
    let mut positions = tensors.rows_of("embeddings.position_embeddings.weight", hidden)?;
    positions.drain(..positions.len().min(first_position.saturating_mul(hidden)));
    if positions.len() < dims.positions * hidden {
        return Err(ModelError::format(
            tensors.what(),
            "it has too few positions",
        ));
    }
    positions.truncate(dims.positions * hidden);
    Ok(positions)
}
