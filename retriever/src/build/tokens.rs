//! Filling in token vectors behind the lexical index.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use indago_core::ports::{Matrix, RetrieveError, Role, TokenEncoder};
use indago_core::{Cancel, IndexCoverage};
use indago_kernels::scan::ScanError;

use super::CorpusWriter;
use super::embed::embedded_text;
use crate::dense;
use crate::encoded;
use crate::error::{IndexError, corrupt};
use crate::manifest::TokenSet;
use crate::multivector::{Codec, Index, IndexBuilder, TokenFile, write};
use crate::store::Store;

/// Bits a value of a residual.
const BITS: usize = 4;
/// Passages whose tokens centroids are made from.
const SAMPLE: usize = 1024;
/// Texts given to the encoder at once.
const BATCH: usize = 64;
/// Growth since the centroids were made beyond which they are made anew, and all is encoded again.
const MAX_GROWTH: usize = 4;
/// How often what was made is published while more is made.
const PUBLISH_EVERY: Duration = Duration::from_mins(1);

impl CorpusWriter {
    /// Encodes the tokens of every passage that lacks them, where the corpus has token vectors of
    /// this encoder already or they are `wanted`. Passages of a text that was encoded before cost
    /// nothing. `progress` is told after each batch.
    ///
    /// # Errors
    /// [`IndexError::Cancelled`] soon after `cancel` is set; what was published so far stays.
    pub fn embed_tokens(
        &mut self,
        encoder: &dyn TokenEncoder,
        wanted: bool,
        mut progress: impl FnMut(IndexCoverage),
        cancel: &Cancel,
    ) -> Result<Option<IndexCoverage>, IndexError> {
        let Some(store) = self.current.as_ref().map(|current| current.store.clone()) else {
            return Ok(None);
        };
        let known = self.manifest.tokens_of(encoder.fingerprint()).cloned();
        if known.is_none() && !wanted {
            return Ok(None);
        }
        let passages = u64::from(store.n_passages());
        let mut rows: Vec<u32> = Vec::new();
        let mut keys: HashSet<[u8; 16]> = HashSet::new();
        for row in 0..store.n_passages() {
            if keys.insert(store.passage_row(row).embed_key) {
                rows.push(row);
            }
        }
        let old = known.as_ref().and_then(|set| {
            let read = TokenFile::open(&self.dir.join(&set.file));
            read.inspect_err(|error| tracing::warn!(%error, "token vectors are made again"))
                .ok()
        });
        let old = old.filter(|old| {
            let grown = rows.len() > MAX_GROWTH * (old.trained as usize).max(SAMPLE);
            !grown && old.index.codec().dim() == encoder.dim()
        });
        let there: HashMap<[u8; 16], u32> = match &old {
            Some(old) => old.keys.iter().copied().zip(0..).collect(),
            None => HashMap::new(),
        };
        let key_of = |row: u32| store.passage_row(row).embed_key;
        let (carried, missing): (Vec<u32>, Vec<u32>) = rows
            .iter()
            .partition(|&&row| there.contains_key(&key_of(row)));
        let whole = IndexCoverage {
            passages,
            embedded: passages,
        };
        if missing.is_empty() && there.len() == carried.len() && old.is_some() {
            progress(whole);
            return Ok(Some(whole));
        }
        let mut sampled: HashMap<u32, Matrix> = HashMap::new();
        let (codec, trained) = match &old {
            Some(old) => (old.index.codec().clone(), old.trained),
            None => {
                let codec = train(&store, encoder, &rows, &mut sampled, cancel)?;
                (codec, rows.len() as u32)
            }
        };
        let mut builder = IndexBuilder::new(codec);
        let mut keys: Vec<[u8; 16]> = Vec::with_capacity(rows.len());
        if let Some(old) = &old {
            for &row in &carried {
                if let Some(&passage) = there.get(&key_of(row)) {
                    builder.copy(&old.index, passage);
                    keys.push(key_of(row));
                }
            }
        }
        let mut published = Instant::now();
        for batch in missing.chunks(BATCH) {
            let mut texts = Vec::with_capacity(batch.len());
            for &row in batch.iter().filter(|row| !sampled.contains_key(row)) {
                texts.push((row, embedded_text(&store, row)?.1));
            }
            let text: Vec<&str> = texts.iter().map(|(_, text)| text.as_str()).collect();
            let matrices = encoded::encode_tokens(encoder, &text, Role::Passage, cancel)?;
            let rows = texts.iter().map(|(row, _)| *row);
            sampled.extend(rows.zip(matrices));
            let matrices: Vec<Matrix> =
                batch.iter().filter_map(|row| sampled.remove(row)).collect();
            let data: Vec<&[f32]> = matrices.iter().map(|m| m.data.as_slice()).collect();
            builder.push(&data, cancel).map_err(refused)?;
            keys.extend(batch.iter().map(|&row| key_of(row)));
            progress(IndexCoverage {
                passages,
                embedded: keys.len() as u64,
            });
            if published.elapsed() >= PUBLISH_EVERY {
                self.publish_tokens(encoder, &builder.clone().finish(), &keys, trained)?;
                published = Instant::now();
            }
        }
        self.publish_tokens(encoder, &builder.finish(), &keys, trained)?;
        progress(whole);
        Ok(Some(whole))
    }

    fn publish_tokens(
        &mut self,
        encoder: &dyn TokenEncoder,
        index: &Index,
        keys: &[[u8; 16]],
        trained: u32,
    ) -> Result<(), IndexError> {
        let mut manifest = self.manifest.clone();
        manifest.edition += 1;
        let file = dense::file_name(encoder.fingerprint(), manifest.edition, "tokens.bin");
        let path = self.dir.join(&file);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(|e| IndexError::write(parent, e))?;
        }
        write(&path, index, keys, trained)?;
        manifest
            .tokens
            .retain(|other| other.fingerprint != encoder.fingerprint());
        manifest.tokens.push(TokenSet {
            fingerprint: encoder.fingerprint().to_owned(),
            passages: keys.len() as u64,
            tokens: index.n_tokens() as u64,
            file,
        });
        self.publish(manifest)?;
        self.remove_leftovers();
        Ok(())
    }
}

/// Makes centroids from the tokens of passages spread over all; keeps what was encoded for it.
fn train(
    store: &Store,
    encoder: &dyn TokenEncoder,
    rows: &[u32],
    sampled: &mut HashMap<u32, Matrix>,
    cancel: &Cancel,
) -> Result<Codec, IndexError> {
    let step = rows.len().div_ceil(SAMPLE).max(1);
    let chosen: Vec<u32> = rows.iter().copied().step_by(step).collect();
    let mut sample: Vec<f32> = Vec::new();
    for batch in chosen.chunks(BATCH) {
        let mut texts = Vec::with_capacity(batch.len());
        for &row in batch {
            texts.push(embedded_text(store, row)?.1);
        }
        let text: Vec<&str> = texts.iter().map(String::as_str).collect();
        let matrices = encoded::encode_tokens(encoder, &text, Role::Passage, cancel)?;
        for (&row, matrix) in batch.iter().zip(matrices) {
            sample.extend(&matrix.data);
            sampled.insert(row, matrix);
        }
    }
    let dim = encoder.dim();
    let tokens = sample.len() / dim.max(1);
    let expected = tokens * rows.len() / chosen.len().max(1);
    Codec::train(&sample, dim, BITS, expected, cancel).map_err(refused)
}

/// An encoder whose matrices do not fit, or a cancelled call.
fn refused(error: ScanError) -> IndexError {
    match error {
        ScanError::Cancelled(cancelled) => cancelled.into(),
        ScanError::Shape(e) => {
            let error: RetrieveError = corrupt("token vectors".as_ref(), e.to_string());
            error.into()
        }
    }
}
