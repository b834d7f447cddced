//! Sentence encoders of BERT's families (E5, BGE, GTE and the like), from a folder.

use std::path::Path;

use indago_core::Cancel;
use indago_core::ports::{
    EncodeError, Encoder, Matrix, PairScorer, Role, TokenCounter, TokenEncoder,
};
use indago_kernels::{l2_normalize, mean_rows};
use xxhash_rust::xxh3::xxh3_64;

use super::bert::{Bert, Sequence};
use super::minilm::cosines;
use super::token_rows::token_rows;
use crate::ModelError;
use crate::weights::{Folder, Head, Pooling, Prefixes};

/// Bumped when the arithmetic changes enough to show in vectors; part of the fingerprint.
const FORWARD_VERSION: u32 = 1;

/// A sentence encoder as sentence-transformers publishes it: word pieces, the prefix that the model
/// was trained with, BERT, one of three poolings, length 1.
///
/// Queries and passages differ in their prefix. Vectors of a text do not depend on what else is
/// encoded with it.
#[derive(Debug)]
pub struct SentenceEncoder {
    body: Bert,
    pooling: Pooling,
    prefixes: Prefixes,
    fingerprint: String,
}

impl SentenceEncoder {
    /// The model in `folder`: `config.json`, `tokenizer.json` or `vocab.txt`, `model.safetensors`;
    /// pooling from `1_Pooling/config.json` (mean without it), prefixes from `indago.json` or
    /// `config_sentence_transformers.json`.
    ///
    /// # Errors
    /// When a file is missing or of a kind that is not known.
    pub fn open(folder: &Path) -> Result<Self, EncodeError> {
        Self::read(folder).map_err(|error| error.of_model(&folder.display().to_string()))
    }

    fn read(folder: &Path) -> Result<Self, ModelError> {
        Self::of(folder, Folder::read(folder)?)
    }

    /// The model that was read from `folder`.
    pub(super) fn of(folder: &Path, read: Folder) -> Result<Self, ModelError> {
        let Folder {
            model,
            tokenizer,
            head,
            pooling,
            prefixes,
            precision,
            ..
        } = read;
        if let Head::Projection(..) = head {
            let reason = "it makes vectors of tokens, none of whole texts";
            return Err(ModelError::format(folder.display().to_string(), reason));
        }
        let body = Bert::new(folder, model, tokenizer, precision)?;
        let settings = format!("{pooling:?} {prefixes:?} {}", body.dims.positions);
        let (name, weights) = (&body.name, body.checksum);
        let fingerprint = format!(
            "{name}@{weights:016x}-{:08x}/{FORWARD_VERSION}",
            xxh3_64(settings.as_bytes()) as u32
        );
        Ok(Self {
            body,
            pooling,
            prefixes,
            fingerprint,
        })
    }
}

impl SentenceEncoder {
    pub(super) fn pooling(&self) -> Pooling {
        self.pooling
    }

    fn prefix(&self, role: Role) -> &str {
        match role {
            Role::Query => &self.prefixes.query,
            Role::Passage => &self.prefixes.passage,
        }
    }

    /// Token ids of texts with the prefix of their role.
    pub(super) fn sequences(&self, texts: &[&str], role: Role) -> Vec<Sequence> {
        let prefix = self.prefix(role);
        texts
            .iter()
            .map(|text| self.body.single(&format!("{prefix}{text}")))
            .collect()
    }
}

impl Encoder for SentenceEncoder {
    fn name(&self) -> &str {
        &self.body.name
    }

    fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    fn dim(&self) -> usize {
        self.body.dims.hidden
    }

    fn encode(&self, texts: &[&str], role: Role, cancel: &Cancel) -> Result<Matrix, EncodeError> {
        let width = self.body.dims.hidden;
        let sequences = self.sequences(texts, role);
        let pool = |tokens: &[f32], out: &mut [f32]| {
            match self.pooling {
                Pooling::Mean => mean_rows(tokens, out),
                Pooling::Cls => out.copy_from_slice(&tokens[..width]),
                Pooling::Max => {
                    out.copy_from_slice(&tokens[..width]);
                    for row in tokens.chunks_exact(width) {
                        out.iter_mut().zip(row).for_each(|(x, y)| *x = x.max(*y));
                    }
                }
            }
            l2_normalize(out);
        };
        let mut data = self.body.map(&sequences, width, pool, cancel)?;
        for (row, text) in data.chunks_exact_mut(width).zip(texts) {
            if text.trim().is_empty() {
                row.fill(0.0);
            }
        }
        Ok(Matrix {
            rows: texts.len(),
            dim: width,
            data,
        })
    }

    fn tokens(&self) -> Option<&dyn TokenEncoder> {
        Some(self)
    }
}

/// The last layer's vectors of a text's word pieces. Special tokens and the prefix are read with
/// the text and have no vectors. The model was trained for one vector a text, not for these.
impl TokenEncoder for SentenceEncoder {
    fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    fn dim(&self) -> usize {
        self.body.dims.hidden
    }

    fn encode_tokens(
        &self,
        texts: &[&str],
        role: Role,
        cancel: &Cancel,
    ) -> Result<Vec<Matrix>, EncodeError> {
        let sequences = self.sequences(texts, role);
        // A gap behind the prefix is part of the text's first piece in some vocabularies.
        let first = 1 + self.body.tokenizer.count(self.prefix(role).trim_end());
        let keeps =
            |text: usize, token: usize| (first..sequences[text].ids.len() - 1).contains(&token);
        let whole = |states: &[f32], out: &mut [f32]| out.copy_from_slice(states);
        let width = self.body.dims.hidden;
        token_rows(&self.body, &sequences, width, whole, keeps, cancel)
    }
}

impl TokenCounter for SentenceEncoder {
    fn name(&self) -> &str {
        &self.body.name
    }

    fn count(&self, text: &str) -> usize {
        self.body.tokenizer.count(text)
    }
}

impl PairScorer for SentenceEncoder {
    fn name(&self) -> &str {
        &self.body.name
    }

    /// Cosine similarity, -1 to 1.
    fn score(&self, query: &str, texts: &[&str], cancel: &Cancel) -> Result<Vec<f32>, EncodeError> {
        cosines(self, query, texts, cancel)
    }
}
