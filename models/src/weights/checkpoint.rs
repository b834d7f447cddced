//! The published form of a BERT-type encoder: a folder with `config.json`, `vocab.txt` and
//! `model.safetensors`, all f32.

use std::fs;
use std::path::Path;

use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;

use super::family::{self, Family};
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

/// A linear layer: `weights` is `[bias.len(), inputs]`, row-major.
#[derive(Clone, Debug)]
pub(crate) struct DenseTensors {
    pub weights: Vec<f32>,
    pub bias: Vec<f32>,
}

/// A layer norm.
#[derive(Clone, Debug)]
pub(crate) struct NormTensors {
    pub gain: Vec<f32>,
    pub bias: Vec<f32>,
}

/// One transformer layer; query, key and value stacked into one.
#[derive(Clone, Debug)]
pub(crate) struct LayerTensors {
    pub qkv: DenseTensors,
    pub out: DenseTensors,
    pub out_norm: NormTensors,
    pub up: DenseTensors,
    pub down: DenseTensors,
    pub down_norm: NormTensors,
}

/// A whole model in f32.
#[derive(Clone, Debug)]
pub(crate) struct Checkpoint {
    pub dims: Dims,
    pub vocabulary: String,
    /// `[vocabulary, hidden]`.
    pub words: Vec<f32>,
    /// `[positions, hidden]`, the first token type's vector added.
    pub positions: Vec<f32>,
    /// `[types, hidden]`.
    pub types: Vec<f32>,
    pub embedding_norm: NormTensors,
    pub layers: Vec<LayerTensors>,
    /// What attention adds to the score of a key by its distance from the query, `[heads,
    /// 2 * positions - 1]`, the most distant before it first; for models with relative positions.
    pub distances: Option<Vec<f32>>,
    /// Hash of the weights' file, for fingerprints.
    pub checksum: u64,
}

/// Longest sequence of sentence-transformers' all-MiniLM-L6-v2 (its `sentence_bert_config.json`).
const MAX_POSITIONS: usize = 256;

/// Sizes, under the names of BERT or of DistilBERT.
#[derive(Deserialize)]
struct Config {
    #[serde(alias = "dim")]
    hidden_size: usize,
    #[serde(alias = "n_heads")]
    num_attention_heads: usize,
    #[serde(alias = "hidden_dim")]
    intermediate_size: usize,
    #[serde(alias = "n_layers")]
    num_hidden_layers: usize,
    max_position_embeddings: usize,
    vocab_size: usize,
    #[serde(default = "usual_eps")]
    layer_norm_eps: f32,
    #[serde(alias = "activation")]
    hidden_act: String,
}

/// DistilBERT's, whose configuration does not say.
fn usual_eps() -> f32 {
    1e-12
}

impl Checkpoint {
    /// Reads a folder of the MiniLM family.
    ///
    /// # Errors
    /// When a file is missing, or is not of a BERT-type encoder.
    pub(crate) fn read(folder: &Path) -> Result<Self, ModelError> {
        let path = folder.join("vocab.txt");
        let vocabulary = fs::read_to_string(&path).map_err(ModelError::io(&path))?;
        let (bert, first) = (&family::BERT, 0);
        let read = Self::read_with(folder, bert, first, MAX_POSITIONS, |_, _| Ok(()));
        read.map(|(model, ())| Self {
            vocabulary,
            ..model
        })
    }

    /// Reads a folder of a family and, with `head`, what its file holds beside the encoder, but no
    /// vocabulary. The first token stands at `first_position`; at most `max_positions` tokens of a
    /// text are kept.
    pub(super) fn read_with<H>(
        folder: &Path,
        family: &'static Family,
        first_position: usize,
        max_positions: usize,
        head: impl FnOnce(&Tensors<'_>, Dims) -> Result<H, ModelError>,
    ) -> Result<(Self, H), ModelError> {
        let config_path = folder.join("config.json");
        let what = config_path.display().to_string();
        let config = fs::read_to_string(&config_path).map_err(ModelError::io(&config_path))?;
        let config: Config = serde_json::from_str(&config)
            .map_err(|error| ModelError::format(&what, error.to_string()))?;
        if config.hidden_act != "gelu" {
            return Err(ModelError::format(
                &what,
                "only the activation `gelu` is known",
            ));
        }
        let dims = Dims {
            hidden: config.hidden_size,
            heads: config.num_attention_heads,
            inner: config.intermediate_size,
            layers: config.num_hidden_layers,
            positions: config
                .max_position_embeddings
                .saturating_sub(first_position)
                .min(max_positions),
            vocabulary: config.vocab_size,
            eps: config.layer_norm_eps,
        };
        let dims = dims.check(&what)?;

        let path = folder.join("model.safetensors");
        let bytes = fs::read(&path).map_err(ModelError::io(&path))?;
        let tensors = Tensors::new(&bytes, &path)?.of_family(family);
        let hidden = dims.hidden;
        let types = if family.has_types {
            tensors.read("embeddings.token_type_embeddings.weight", None, hidden)?
        } else {
            vec![0.0; hidden]
        };
        let mut positions = tensors.read("embeddings.position_embeddings.weight", None, hidden)?;
        positions.drain(..positions.len().min(first_position.saturating_mul(hidden)));
        if positions.len() < dims.positions * hidden {
            return Err(ModelError::format(
                &tensors.what,
                "it has too few positions",
            ));
        }
        positions.truncate(dims.positions * hidden);
        for row in positions.chunks_exact_mut(hidden) {
            row.iter_mut().zip(&types).for_each(|(x, y)| *x += y);
        }
        let rows = Some(dims.vocabulary);
        let words = tensors.read("embeddings.word_embeddings.weight", rows, hidden)?;
        let embedding_norm = tensors.norm("embeddings.LayerNorm", hidden)?;
        let layers = (0..dims.layers)
            .map(|i| tensors.layer(i, dims))
            .collect::<Result<_, _>>()?;
        let distances = family.distances.map(|name| tensors.distances(name, dims));
        let head = head(&tensors, dims)?;
        let checksum = xxhash_rust::xxh3::xxh3_64(&bytes);
        let model = Self {
            dims,
            vocabulary: String::new(),
            words,
            positions,
            types,
            embedding_norm,
            layers,
            distances: distances.transpose()?,
            checksum,
        };
        Ok((model, head))
    }
}

pub(super) struct Tensors<'a> {
    file: SafeTensors<'a>,
    what: String,
    family: &'static Family,
}

impl<'a> Tensors<'a> {
    /// The tensors in `bytes`, which were read from `path`.
    pub(super) fn new(bytes: &'a [u8], path: &Path) -> Result<Self, ModelError> {
        let what = path.display().to_string();
        let file = SafeTensors::deserialize(bytes)
            .map_err(|error| ModelError::format(&what, error.to_string()))?;
        Ok(Self {
            file,
            what,
            family: &family::BERT,
        })
    }

    /// The same under the names of `family`.
    pub(super) fn of_family(self, family: &'static Family) -> Self {
        Self { family, ..self }
    }
}

impl Tensors<'_> {
    /// The file they are in.
    pub(super) fn what(&self) -> &str {
        &self.what
    }

    /// The shape of the tensor `name`; `None` when there is none.
    pub(super) fn shape(&self, name: &str) -> Option<Vec<usize>> {
        Some(self.file.tensor(name).ok()?.shape().to_vec())
    }

    /// The matrix `name`, `[n, k]`, row-major.
    pub(super) fn matrix(&self, name: &str, n: usize, k: usize) -> Result<Vec<f32>, ModelError> {
        self.read(name, Some(n), k)
    }

    /// Rows of the matrix `name`; 0 when there is none.
    pub(super) fn rows(&self, name: &str) -> usize {
        let tensor = self.file.tensor(name);
        tensor.map_or(0, |tensor| tensor.shape().first().copied().unwrap_or(0))
    }

    /// The vector `name` of `n` values.
    pub(super) fn vector(&self, name: &str, n: usize) -> Result<Vec<f32>, ModelError> {
        self.read(name, Some(1), n)
    }

    /// A matrix of `columns` columns, or a vector where `rows` is 1; any number of rows if `None`.
    fn read(
        &self,
        name: &str,
        rows: Option<usize>,
        columns: usize,
    ) -> Result<Vec<f32>, ModelError> {
        // Some exports put the encoder under the name of its task.
        let tensor = self
            .file
            .tensor(name)
            .or_else(|_| self.file.tensor(&format!("{}.{name}", self.family.prefix)))
            .map_err(|error| ModelError::format(&self.what, error.to_string()))?;
        let shape = tensor.shape();
        let fits = match (shape, rows) {
            ([n], Some(1)) => *n == columns,
            ([_, k], None) => *k == columns,
            ([n, k], Some(rows)) => (*n, *k) == (rows, columns),
            _ => false,
        };
        let (pairs, _) = tensor.data().as_chunks::<2>();
        let (quads, _) = tensor.data().as_chunks::<4>();
        let values: Vec<f32> = match tensor.dtype() {
            Dtype::F32 if fits => quads.iter().map(|quad| f32::from_le_bytes(*quad)).collect(),
            // The upper half of an f32.
            Dtype::BF16 if fits => {
                let wide = |pair: &[u8; 2]| f32::from_le_bytes([0, 0, pair[0], pair[1]]);
                pairs.iter().map(wide).collect()
            }
            Dtype::F16 if fits => {
                let wide = |pair: &[u8; 2]| half::f16::from_le_bytes(*pair).to_f32();
                pairs.iter().map(wide).collect()
            }
            other => {
                let reason = format!("`{name}` is {other:?} of shape {shape:?}");
                return Err(ModelError::format(&self.what, reason));
            }
        };
        if values.iter().all(|value| value.is_finite()) {
            return Ok(values);
        }
        let reason = format!("`{name}` holds a value that is no number");
        Err(ModelError::format(&self.what, reason))
    }

    pub(super) fn dense(&self, name: &str, n: usize, k: usize) -> Result<DenseTensors, ModelError> {
        let weights = self.read(&format!("{name}.weight"), Some(n), k)?;
        let bias = self.read(&format!("{name}.bias"), Some(1), n)?;
        Ok(DenseTensors { weights, bias })
    }

    pub(super) fn norm(&self, name: &str, n: usize) -> Result<NormTensors, ModelError> {
        let gain = self.read(&format!("{name}.weight"), Some(1), n)?;
        let bias = self.read(&format!("{name}.bias"), Some(1), n)?;
        Ok(NormTensors { gain, bias })
    }

    /// The weights of buckets of distances, `[buckets, heads]`, spread over all distances.
    fn distances(&self, name: &str, dims: Dims) -> Result<Vec<f32>, ModelError> {
        let buckets = self.read(name, None, dims.heads)?;
        let n = buckets.len() / dims.heads;
        if n < 4 || !n.is_multiple_of(4) {
            let reason = format!("`{name}` has {n} buckets");
            return Err(ModelError::format(&self.what, reason));
        }
        let most = dims.positions as i64 - 1;
        let of_head = |head| (-most..=most).map(move |ahead| bucket(ahead, n) * dims.heads + head);
        let places = (0..dims.heads).flat_map(of_head);
        Ok(places.map(|place| buckets[place]).collect())
    }

    fn layer(&self, i: usize, dims: Dims) -> Result<LayerTensors, ModelError> {
        let names = &self.family.layer;
        let name = |part: &str| format!("{}.{i}.{part}", names.at);
        let (hidden, inner) = (dims.hidden, dims.inner);
        let mut qkv = DenseTensors {
            weights: Vec::new(),
            bias: Vec::new(),
        };
        for part in names.qkv {
            let one = self.dense(&name(part), hidden, hidden)?;
            qkv.weights.extend(one.weights);
            qkv.bias.extend(one.bias);
        }
        Ok(LayerTensors {
            qkv,
            out: self.dense(&name(names.out), hidden, hidden)?,
            out_norm: self.norm(&name(names.out_norm), hidden)?,
            up: self.dense(&name(names.up), inner, hidden)?,
            down: self.dense(&name(names.down), hidden, inner)?,
            down_norm: self.norm(&name(names.down_norm), hidden)?,
        })
    }
}

/// Distance at which buckets end.
const FAR: f64 = 128.0;

/// The bucket of a key that stands `ahead` of the query (Raffel et al., JMLR 2020, "T5", as MPNet has
/// it): half of the buckets for each side, half of these for one distance each, the others ever wider.
fn bucket(ahead: i64, buckets: usize) -> usize {
    let side = buckets / 2;
    let alone = side / 2;
    let distance = ahead.unsigned_abs() as usize;
    let within = if distance < alone {
        distance
    } else {
        let (alone, distance) = (alone as f64, distance as f64);
        let share = (distance / alone).ln() / (FAR / alone).ln();
        (alone + share * (side as f64 - alone)) as usize
    };
    within.min(side - 1) + if ahead > 0 { side } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_widen_with_distance_and_tell_the_sides_apart() {
        let of = |aheads: [i64; 6]| aheads.map(|ahead| bucket(ahead, 32));
        assert_eq!(of([0, -1, -7, -8, -11, -12]), [0, 1, 7, 8, 8, 9]);
        assert_eq!(of([-127, -128, -500, 1, 8, 500]), [15, 15, 15, 17, 24, 31]);
    }
}
