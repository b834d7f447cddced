//! all-MiniLM-L6-v2: the encoder that ships with indago.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use indago_core::Cancel;
use indago_core::ports::{
    EncodeError, Encoder, Matrix, PairScorer, Role, TokenCounter, TokenEncoder,
};
use indago_kernels::cuda::{EncoderShape, EncoderWeights};
use indago_kernels::dot_f32;
use rayon::prelude::*;

use super::batch::{for_each, groups};
use super::forward::{Workspaces, forward, forward_tokens};
use super::network::{Activations, Levels, Network, device_weights, read_dims};
use crate::ModelError;
use crate::tokenizer::{Vocabulary, WordPiece};
use crate::weights::container::Container;
use crate::weights::{Checkpoint, Dims, Precision};

/// The int8 model file that is part of the program. Its README says where it comes from.
pub(crate) static EMBEDDED: &[u8] = include_bytes!("../../weights/all-minilm-l6-v2.int8");

/// Activations of the embedded model.
const EMBEDDED_ACTIVATIONS: Activations = Activations::Bits8(Levels::USUAL);

/// [`Encoder::strangers`] of the embedded model, over the pairs that `indago-retriever` measures others
/// with: a test of the program compares them.
const EMBEDDED_STRANGERS: f32 = 0.0276;

/// Bumped when the arithmetic changes enough to show in vectors; part of the fingerprint.
fn forward_version(activations: Activations) -> u32 {
    match activations {
        Activations::Bits16 => 1,
        Activations::Bits8(_) => 2,
    }
}

/// Texts that are tokenised between two looks at `cancel`.
const TOKENIZE_CHUNK: usize = 64;

/// A sentence encoder of the MiniLM family: mean of the last layer's vectors, scaled to length 1.
///
/// Texts are cut at 256 tokens, two of them special, as the published model does. Opening reads
/// the vocabulary; weights are unpacked at the first encoding. The vector of a text does not depend
/// on what else is encoded with it. Work is spread over the rayon pool.
pub struct MiniLm {
    name: String,
    fingerprint: String,
    tokenizer: WordPiece,
    dims: Dims,
    source: Source,
    strangers: Option<f32>,
    network: OnceLock<Network>,
    idle: Workspaces,
}

enum Source {
    /// Unpacked on demand.
    Container(Container, Activations),
    /// Unpacked already.
    Checkpoint,
}

impl MiniLm {
    /// The int8 model that is part of the program.
    ///
    /// # Errors
    /// When the program's own copy is damaged.
    pub fn embedded() -> Result<Self, EncodeError> {
        let name = "all-MiniLM-L6-v2/int8";
        Container::read(name, EMBEDDED)
            .and_then(|file| Self::from_container(name, file, EMBEDDED_ACTIVATIONS))
            .map(|model| Self {
                strangers: Some(EMBEDDED_STRANGERS),
                ..model
            })
            .map_err(|error| error.of_model(name))
    }

    /// A model file written by [`crate::quantize`], whose activations take 16 bits since no model but
    /// the embedded one has been measured with 8; or a folder with the published f32 weights
    /// (`config.json`, `vocab.txt`, `model.safetensors`).
    ///
    /// # Errors
    /// When the path cannot be read or holds no such model.
    pub fn open(path: &Path) -> Result<Self, EncodeError> {
        let stem = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        let stem = stem.unwrap_or_else(|| path.display().to_string());
        let model = if path.is_dir() {
            Checkpoint::read(path)
                .and_then(|model| Self::from_checkpoint(&format!("{stem}/f32"), model))
        } else {
            fs::read(path)
                .map_err(ModelError::io(path))
                .and_then(|bytes| Container::read(path.display().to_string(), bytes))
                .and_then(|file| Self::from_container(&stem, file, Activations::Bits16))
        };
        model.map_err(|error| error.of_model(&path.display().to_string()))
    }

    fn from_container(
        name: &str,
        file: Container,
        activations: Activations,
    ) -> Result<Self, ModelError> {
        let dims = read_dims(&file)?;
        let vocabulary = Vocabulary::new(file.text("vocabulary")?)?;
        let checksum = file.checksum();
        let source = Source::Container(file, activations);
        Self::new(name, checksum, vocabulary, dims, source)
    }

    pub(crate) fn from_checkpoint(name: &str, model: Checkpoint) -> Result<Self, ModelError> {
        let vocabulary = Vocabulary::new(model.vocabulary.clone())?;
        let this = Self::new(
            name,
            model.checksum,
            vocabulary,
            model.dims,
            Source::Checkpoint,
        )?;
        let network = Network::from_checkpoint(model, Precision::F32)?;
        this.network.get_or_init(|| network);
        Ok(this)
    }

    fn new(
        name: &str,
        checksum: u64,
        vocabulary: Vocabulary,
        dims: Dims,
        source: Source,
    ) -> Result<Self, ModelError> {
        if vocabulary.len() != dims.vocabulary {
            let reason = format!(
                "{} pieces for {} vectors",
                vocabulary.len(),
                dims.vocabulary
            );
            return Err(ModelError::format("vocabulary", reason));
        }
        let version = match source {
            Source::Container(_, activations) => forward_version(activations),
            Source::Checkpoint => forward_version(Activations::Bits16),
        };
        Ok(Self {
            name: name.to_owned(),
            fingerprint: format!("{name}@{checksum:016x}/{version}"),
            tokenizer: WordPiece::new(vocabulary)?,
            dims,
            source,
            strangers: None,
            network: OnceLock::new(),
            idle: Workspaces::default(),
        })
    }

    /// Its tokenizer.
    pub fn tokenizer(&self) -> &WordPiece {
        &self.tokenizer
    }

    /// Longest text it reads, in tokens without the special ones; the rest is cut off.
    pub fn max_tokens(&self) -> usize {
        self.dims.positions - 2
    }

    /// Vectors of token sequences that carry their special tokens already.
    ///
    /// An empty sequence gives a row of zeros.
    pub(crate) fn encode_ids(
        &self,
        sequences: &[Vec<u32>],
        cancel: &Cancel,
    ) -> Result<Matrix, EncodeError> {
        let network = self.network()?;
        let lengths: Vec<usize> = sequences.iter().map(Vec::len).collect();
        let groups = groups(&lengths);
        let width = self.dims.hidden;
        let encode_group = |group: &[usize], threads: usize| -> Result<Vec<f32>, EncodeError> {
            cancel.check()?;
            let ids: Vec<&[u32]> = group.iter().map(|&i| sequences[i].as_slice()).collect();
            let mut rows = vec![0.0; group.len() * width];
            let mut workspace = self.idle.take();
            forward(network, &ids, threads, &mut workspace, &mut rows);
            self.idle.give_back(workspace);
            Ok(rows)
        };
        let encoded = for_each(&groups, &lengths, encode_group)?;
        let mut out = Matrix::zeros(sequences.len(), width);
        for (group, rows) in groups.iter().zip(&encoded) {
            for (&i, row) in group.iter().zip(rows.chunks_exact(width)) {
                out.data[i * width..(i + 1) * width].copy_from_slice(row);
            }
        }
        Ok(out)
    }

    /// Whether its vectors carry the rounding of 8-bit activations.
    pub(super) fn rounds_activations(&self) -> bool {
        matches!(self.source, Source::Container(_, Activations::Bits8(_)))
    }

    /// Its weights in 32 bits, for a device.
    pub(super) fn device_weights(
        &self,
    ) -> Result<(EncoderShape, EncoderWeights<Vec<f32>>), ModelError> {
        match &self.source {
            Source::Container(file, _) => device_weights(file, self.dims),
            Source::Checkpoint => Err(ModelError::format(
                &self.name,
                "a device takes model files: quantise the folder first (`indago models quantize`)",
            )),
        }
    }

    fn network(&self) -> Result<&Network, EncodeError> {
        if let Some(network) = self.network.get() {
            return Ok(network);
        }
        let network = match &self.source {
            Source::Container(file, activations) => {
                Network::from_container(file, self.dims, *activations)
            }
            Source::Checkpoint => Err(ModelError::format(&self.name, "its weights are gone")),
        };
        let network = network.map_err(|error| error.of_model(&self.name))?;
        // Two threads may have unpacked at once; both results are the same.
        Ok(self.network.get_or_init(|| network))
    }

    /// Token ids of texts, on all cores.
    pub(super) fn sequences(
        &self,
        texts: &[&str],
        cancel: &Cancel,
    ) -> Result<Vec<Vec<u32>>, EncodeError> {
        let sequences: Vec<Vec<Vec<u32>>> = texts
            .par_chunks(TOKENIZE_CHUNK)
            .map(|texts| {
                cancel.check()?;
                Ok(texts.iter().map(|text| self.sequence(text)).collect())
            })
            .collect::<Result<_, EncodeError>>()?;
        Ok(sequences.concat())
    }

    /// Token ids with special tokens; empty for a text without tokens.
    fn sequence(&self, text: &str) -> Vec<u32> {
        let pieces = self.tokenizer.tokens(text, self.max_tokens());
        if pieces.is_empty() {
            return Vec::new();
        }
        let mut ids = Vec::with_capacity(pieces.len() + 2);
        ids.push(self.tokenizer.begin());
        ids.extend(pieces);
        ids.push(self.tokenizer.end());
        ids
    }
}

impl Encoder for MiniLm {
    fn name(&self) -> &str {
        &self.name
    }

    fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    fn strangers(&self) -> Option<f32> {
        self.strangers
    }

    fn dim(&self) -> usize {
        self.dims.hidden
    }

    /// Queries and passages are encoded alike. Checks `cancel` about every 50 ms of a core's work.
    fn encode(&self, texts: &[&str], _role: Role, cancel: &Cancel) -> Result<Matrix, EncodeError> {
        self.encode_ids(&self.sequences(texts, cancel)?, cancel)
    }

    fn tokens(&self) -> Option<&dyn TokenEncoder> {
        Some(self)
    }
}

/// The last layer's vectors of the word pieces, special tokens left out. The model was trained for
/// their mean, not for each of them.
impl TokenEncoder for MiniLm {
    fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    fn dim(&self) -> usize {
        self.dims.hidden
    }

    fn encode_tokens(
        &self,
        texts: &[&str],
        _role: Role,
        cancel: &Cancel,
    ) -> Result<Vec<Matrix>, EncodeError> {
        let network = self.network()?;
        let sequences: Vec<Vec<u32>> = texts.iter().map(|text| self.sequence(text)).collect();
        let lengths: Vec<usize> = sequences.iter().map(Vec::len).collect();
        let dim = self.dims.hidden;
        let encode_group =
            |group: &[usize], threads: usize| -> Result<Vec<Vec<f32>>, EncodeError> {
                cancel.check()?;
                let ids: Vec<&[u32]> = group.iter().map(|&i| sequences[i].as_slice()).collect();
                let mut workspace = self.idle.take();
                let rows = forward_tokens(network, &ids, threads, &mut workspace);
                self.idle.give_back(workspace);
                Ok(rows)
            };
        let groups = groups(&lengths);
        let encoded = for_each(&groups, &lengths, encode_group)?;
        let mut out = vec![Matrix::zeros(0, dim); texts.len()];
        for (&i, data) in groups.iter().flatten().zip(encoded.into_iter().flatten()) {
            let rows = data.len() / dim;
            out[i] = Matrix { rows, dim, data };
        }
        Ok(out)
    }
}

impl TokenCounter for MiniLm {
    fn name(&self) -> &str {
        &self.name
    }

    fn count(&self, text: &str) -> usize {
        self.tokenizer.count(text)
    }
}

impl PairScorer for MiniLm {
    fn name(&self) -> &str {
        &self.name
    }

    /// Cosine similarity, -1 to 1.
    fn score(&self, query: &str, texts: &[&str], cancel: &Cancel) -> Result<Vec<f32>, EncodeError> {
        cosines(self, query, texts, cancel)
    }
}

/// Dot product of the query's vector with that of each text.
pub(super) fn cosines(
    encoder: &dyn Encoder,
    query: &str,
    texts: &[&str],
    cancel: &Cancel,
) -> Result<Vec<f32>, EncodeError> {
    let query = encoder.encode(&[query], Role::Query, cancel)?;
    let vectors = encoder.encode(texts, Role::Passage, cancel)?;
    Ok((0..vectors.rows)
        .map(|i| dot_f32(query.row(0), vectors.row(i)))
        .collect())
}

impl std::fmt::Debug for MiniLm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MiniLm[{}]", self.fingerprint)
    }
}
