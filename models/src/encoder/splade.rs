//! SPLADE-type sparse encoders: weights over the vocabulary, `max` over the tokens of
//! `ln(1 + relu(logit))` (Formal, Piwowarski and Clinchant, SIGIR 2021; the pooling of "v2", 2021).

use std::path::Path;

use indago_core::Cancel;
use indago_core::ports::{EncodeError, Role, SparseEncoder, SparseVector};
use indago_kernels::{add_layer_norm, gelu};
use xxhash_rust::xxh3::xxh3_64;

use super::bert::{Bert, HeadLayer};
use crate::ModelError;
use crate::weights::{DenseTensors, Folder, Head, NormTensors};

/// Bumped when the arithmetic changes enough to show in weights; part of the fingerprint.
const FORWARD_VERSION: u32 = 1;
/// Tokens whose logits are in memory at once: 30,522 each.
const BLOCK: usize = 32;

/// A sparse encoder (`BertForMaskedLM` and its likes), in f32, from a folder.
///
/// With an `idf.json` in the folder (weights by word piece) queries need no network: each of their
/// pieces gets its weight from there ("inference-free", Geng et al. 2024). Without one they are
/// encoded like passages.
#[derive(Debug)]
pub struct Splade {
    body: Bert,
    transform: HeadLayer,
    norm: NormTensors,
    words: HeadLayer,
    /// Weight of each piece in a query.
    idf: Option<Vec<f32>>,
    fingerprint: String,
}

impl Splade {
    /// The model in `folder`: `config.json`, `tokenizer.json` or `vocab.txt`, `model.safetensors`.
    ///
    /// # Errors
    /// When a file is missing or of a kind that is not known.
    pub fn open(folder: &Path) -> Result<Self, EncodeError> {
        Self::read(folder).map_err(|error| error.of_model(&folder.display().to_string()))
    }

    fn read(folder: &Path) -> Result<Self, ModelError> {
        let Folder {
            model,
            tokenizer,
            head,
            idf,
            precision,
            ..
        } = Folder::read(folder)?;
        let Head::Vocabulary {
            transform,
            norm,
            bias,
        } = head
        else {
            let reason = "it is no sparse encoder (`BertForMaskedLM` and the like)";
            return Err(ModelError::format(folder.display().to_string(), reason));
        };
        // The last layer's weights are the word vectors.
        let words = DenseTensors {
            weights: model.words.clone(),
            bias,
        };
        let body = Bert::new(folder, model, tokenizer, precision)?;
        let idf = idf.map(|weights| {
            let mut table = vec![0.0; body.dims.vocabulary];
            for (piece, weight) in weights {
                let id = body.tokenizer.id(&piece);
                if let Some(slot) = id.and_then(|id| table.get_mut(id as usize)) {
                    *slot = if weight.is_finite() {
                        weight.max(0.0)
                    } else {
                        0.0
                    };
                }
            }
            table
        });
        let queries = xxh3_64(format!("{idf:?}").as_bytes()) as u32;
        let (name, weights) = (&body.name, body.checksum);
        Ok(Self {
            fingerprint: format!("{name}@{weights:016x}-{queries:08x}/{FORWARD_VERSION}"),
            body,
            transform: HeadLayer::new(transform)?,
            norm,
            words: HeadLayer::new(words)?,
            idf,
        })
    }

    /// Each piece of a query once, with its weight.
    fn by_table(&self, text: &str, table: &[f32]) -> SparseVector {
        let tokens = self
            .body
            .tokenizer
            .tokens(text, self.body.dims.positions - 2);
        let weight = |id: u32| Some((id, *table.get(id as usize)?));
        let mut vector: SparseVector = tokens.into_iter().filter_map(weight).collect();
        vector.retain(|(_, weight)| *weight > 0.0);
        vector.sort_unstable_by_key(|(id, _)| *id);
        vector.dedup_by_key(|(id, _)| *id);
        vector
    }

    fn pool(&self, tokens: &[f32], out: &mut [f32]) {
        let width = self.body.dims.hidden;
        let nothing = vec![0.0; width];
        out.fill(0.0);
        for block in tokens.chunks(BLOCK * width) {
            let mut states = self.transform.apply(block);
            gelu(&mut states);
            for row in states.chunks_exact_mut(width) {
                let NormTensors { gain, bias } = &self.norm;
                add_layer_norm(row, &nothing, gain, bias, self.body.dims.eps);
            }
            for logits in self.words.apply(&states).chunks_exact(out.len()) {
                out.iter_mut().zip(logits).for_each(|(x, y)| *x = x.max(*y));
            }
        }
        // Both functions rise, so that they may follow the maximum.
        for x in out {
            *x = x.ln_1p();
        }
    }
}

impl SparseEncoder for Splade {
    fn name(&self) -> &str {
        &self.body.name
    }

    fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    fn vocabulary(&self) -> usize {
        self.body.dims.vocabulary
    }

    fn encode(
        &self,
        texts: &[&str],
        role: Role,
        cancel: &Cancel,
    ) -> Result<Vec<SparseVector>, EncodeError> {
        if let (Role::Query, Some(table)) = (role, &self.idf) {
            return Ok(texts
                .iter()
                .map(|text| self.by_table(text, table))
                .collect());
        }
        let sequences: Vec<_> = texts.iter().map(|text| self.body.single(text)).collect();
        let width = self.body.dims.vocabulary;
        let mut vectors = Vec::with_capacity(texts.len());
        // Few at once, because a row is as wide as the vocabulary.
        for (texts, sequences) in texts.chunks(BLOCK).zip(sequences.chunks(BLOCK)) {
            let pool = |tokens: &[f32], out: &mut [f32]| self.pool(tokens, out);
            let rows = self.body.map(sequences, width, pool, cancel)?;
            for (row, text) in rows.chunks_exact(width).zip(texts) {
                let weights = row.iter().enumerate().filter(|(_, weight)| **weight > 0.0);
                let vector = weights.map(|(id, weight)| (id as u32, *weight)).collect();
                vectors.push(if text.trim().is_empty() {
                    Vec::new()
                } else {
                    vector
                });
            }
        }
        Ok(vectors)
    }
}
