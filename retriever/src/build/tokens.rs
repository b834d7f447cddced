//! Filling in token vectors behind the lexical index.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use indago_core::ports::{Matrix, RetrieveError, Role, TokenEncoder};
use indago_core::{Cancel, IndexCoverage};
use indago_kernels::scan::ScanError;

use super::CorpusWriter;
use super::embed::embedded_text;
use crate::dense;
use crate::disk::bytes::f32_at;
use crate::disk::records::RecordLog;
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
    /// [`IndexError::Cancelled`] soon after `cancel` is set; what was encoded so far stays and is
    /// not encoded again, also when the program is killed.
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
        let pruned = self.pruned(&store, cancel)?;
        let left_out = self.coverage("").left_out;
        let mut rows: Vec<u32> = Vec::new();
        let mut keys: HashSet<[u8; 16]> = HashSet::new();
        for row in 0..store.n_passages() {
            let key = store.passage_row(row).embed_key;
            if !pruned.contains(&key) && keys.insert(key) {
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
            embedded: passages - left_out,
            left_out,
        };
        if missing.is_empty() && there.len() == carried.len() && old.is_some() {
            progress(whole);
            return Ok(Some(whole));
        }
        let mut made = Made::open(&self.dir, encoder)?;
        let (codec, trained) = match &old {
            Some(old) => (old.index.codec().clone(), old.trained),
            None => {
                let codec = train(&store, encoder, &rows, &mut made, cancel)?;
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
            let matrices = made.of(&store, encoder, batch, Kept::UntilPublished, cancel)?;
            let data: Vec<&[f32]> = matrices.iter().map(|m| m.data.as_slice()).collect();
            builder.push(&data, cancel).map_err(refused)?;
            keys.extend(batch.iter().map(|&row| key_of(row)));
            progress(IndexCoverage {
                passages,
                embedded: keys.len() as u64,
                left_out,
            });
            if published.elapsed() >= PUBLISH_EVERY {
                self.publish_tokens(encoder, &builder.clone().finish(), &keys, trained)?;
                made.batches.clear()?;
                published = Instant::now();
            }
        }
        self.publish_tokens(encoder, &builder.finish(), &keys, trained)?;
        made.remove(&self.dir, encoder);
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

/// How long what was encoded is kept.
#[derive(Clone, Copy)]
enum Kept {
    /// Until it is in a published index.
    UntilPublished,
    /// Until all is: centroids are made from it.
    UntilDone,
}

/// Token vectors that were made and are in no published index yet, so that a killed run loses the
/// batch it was in and no more.
struct Made {
    sample: RecordLog,
    batches: RecordLog,
}

impl Made {
    fn paths(dir: &Path, encoder: &dyn TokenEncoder) -> [PathBuf; 2] {
        let file = |extension| dir.join(dense::file_name(encoder.fingerprint(), 0, extension));
        [file("sample.pending"), file("tokens.pending")]
    }

    fn open(dir: &Path, encoder: &dyn TokenEncoder) -> Result<Self, IndexError> {
        let of = format!("tokens {} {}", encoder.fingerprint(), encoder.dim());
        let [sample, batches] = Self::paths(dir, encoder);
        Ok(Self {
            sample: RecordLog::open(&sample, &of)?,
            batches: RecordLog::open(&batches, &of)?,
        })
    }

    /// All is published: nothing is waited for.
    fn remove(self, dir: &Path, encoder: &dyn TokenEncoder) {
        let paths = Self::paths(dir, encoder);
        drop(self);
        for path in paths {
            // What stays behind is taken for what it is next time.
            let _ = std::fs::remove_file(path);
        }
    }

    /// The matrices of some passages: as they were made, or made now.
    fn of(
        &mut self,
        store: &Store,
        encoder: &dyn TokenEncoder,
        rows: &[u32],
        kept: Kept,
        cancel: &Cancel,
    ) -> Result<Vec<Matrix>, IndexError> {
        let dim = encoder.dim();
        let mut matrices: Vec<Option<Matrix>> = Vec::with_capacity(rows.len());
        let mut texts = Vec::new();
        for (i, &row) in rows.iter().enumerate() {
            let key = store.passage_row(row).embed_key;
            let known = match self.sample.get(&key)? {
                None => self.batches.get(&key)?,
                known => known,
            };
            let known = known.and_then(|bytes| matrix(&bytes, dim));
            if known.is_none() {
                texts.push((i, key, embedded_text(store, row)?.1));
            }
            matrices.push(known);
        }
        let text: Vec<&str> = texts.iter().map(|(.., text)| text.as_str()).collect();
        let fresh = if text.is_empty() {
            Vec::new()
        } else {
            encoded::encode_tokens(encoder, &text, Role::Passage, cancel)?
        };
        let log = match kept {
            Kept::UntilPublished => &mut self.batches,
            Kept::UntilDone => &mut self.sample,
        };
        for ((i, key, _), matrix) in texts.iter().zip(fresh) {
            let bytes: Vec<u8> = matrix.data.iter().flat_map(|x| x.to_le_bytes()).collect();
            log.append(*key, &bytes)?;
            matrices[*i] = Some(matrix);
        }
        log.sync()?;
        Ok(matrices
            .into_iter()
            .map(|matrix| matrix.unwrap_or_else(|| Matrix::zeros(0, dim)))
            .collect())
    }
}

/// A matrix from its values; `None` for bytes that are none, or no numbers.
fn matrix(bytes: &[u8], dim: usize) -> Option<Matrix> {
    let row = 4 * dim.max(1);
    let data: Vec<f32> = (0..bytes.len() / 4).map(|i| f32_at(bytes, 4 * i)).collect();
    let sound = bytes.len().is_multiple_of(row) && data.iter().all(|x| x.is_finite());
    sound.then(|| Matrix {
        rows: bytes.len() / row,
        dim,
        data,
    })
}

/// Makes centroids from the tokens of passages spread over all.
fn train(
    store: &Store,
    encoder: &dyn TokenEncoder,
    rows: &[u32],
    made: &mut Made,
    cancel: &Cancel,
) -> Result<Codec, IndexError> {
    let step = rows.len().div_ceil(SAMPLE).max(1);
    let chosen: Vec<u32> = rows.iter().copied().step_by(step).collect();
    let mut sample: Vec<f32> = Vec::new();
    for batch in chosen.chunks(BATCH) {
        for matrix in made.of(store, encoder, batch, Kept::UntilDone, cancel)? {
            sample.extend(&matrix.data);
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
