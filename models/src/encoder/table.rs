//! The static encoder: a text's vector is the mean of its word pieces' vectors.

use std::borrow::Cow;
use std::path::Path;

use indago_core::Cancel;
use indago_core::ports::{EncodeError, Encoder, Matrix, PairScorer, Role};
use indago_kernels::quantize::codes_of_bytes;
use indago_kernels::{add_scaled_codes, l2_normalize};
use rayon::prelude::*;

use super::minilm::{EMBEDDED as MINILM, cosines};
use crate::ModelError;
use crate::build::vocabulary_hash;
use crate::tokenizer::{Vocabulary, WordPiece};
use crate::weights::container::Container;

/// The table that is part of the program. Its README says where it comes from.
pub(crate) static EMBEDDED: &[u8] = include_bytes!("../../weights/static-minilm.int8");

/// Bumped when the same text would give another vector.
const VERSION: u32 = 1;

/// Longest text read, in word pieces; means over more say little.
const MAX_TOKENS: usize = 512;

/// Texts encoded between two looks at `cancel`.
const CHUNK: usize = 64;

/// A table of word-piece vectors distilled from a sentence encoder: hundreds of times faster, blind
/// to word order, and best on sentences.
///
/// For scoring sentences, near-duplicates and links between similar names. As a retriever by itself
/// it is worse than BM25, and in plain rank fusion it lowers quality.
pub struct StaticEncoder {
    name: String,
    fingerprint: String,
    tokenizer: WordPiece,
    /// Word piece of the table's first row; those before it are special.
    first: u32,
    codes: Cow<'static, [u8]>,
    scales: Vec<f32>,
    width: usize,
}

impl StaticEncoder {
    /// The table that is part of the program.
    ///
    /// # Errors
    /// When the program's own copy is damaged.
    pub fn embedded() -> Result<Self, EncodeError> {
        let name = "static-minilm/int8";
        Container::read("all-MiniLM-L6-v2/int8", MINILM)
            .and_then(|model| WordPiece::new(Vocabulary::new(model.text("vocabulary")?)?))
            .and_then(|tokenizer| Self::new(name, Container::read(name, EMBEDDED)?, tokenizer))
            .map_err(|error| error.of_model(name))
    }

    /// A table written by [`crate::distill`], with the tokenizer of its teacher.
    ///
    /// # Errors
    /// When the file cannot be read, is no such table, or belongs to other word pieces.
    pub fn open(path: &Path, tokenizer: WordPiece) -> Result<Self, EncodeError> {
        let name = path.display().to_string();
        std::fs::read(path)
            .map_err(ModelError::io(path))
            .and_then(|bytes| Self::new(&name, Container::read(&name, bytes)?, tokenizer))
            .map_err(|error| error.of_model(&name))
    }

    fn new(name: &str, file: Container, tokenizer: WordPiece) -> Result<Self, ModelError> {
        let [first, width] = file.numbers::<2>("dims")?;
        let [low, high] = file.numbers::<2>("vocabulary")?;
        if u64::from(low) | u64::from(high) << 32 != vocabulary_hash(&tokenizer) {
            return Err(ModelError::format(
                file.what(),
                "it belongs to other word pieces",
            ));
        }
        let rows = tokenizer.vocabulary().len().checked_sub(first as usize);
        let (Some(rows), 1..=4096) = (rows, width) else {
            return Err(ModelError::format(file.what(), "odd sizes"));
        };
        let width = width as usize;
        file.exact("codes", rows * width)?;
        Ok(Self {
            name: name.to_owned(),
            fingerprint: format!("{name}@{:016x}/{VERSION}", file.checksum()),
            tokenizer,
            first,
            codes: file.shared_bytes("codes")?,
            scales: file.floats("scales", rows)?,
            width,
        })
    }

    /// Mean of the pieces' vectors, scaled to length 1; leaves out unknown words.
    fn encode_one(&self, text: &str, out: &mut [f32]) {
        let codes = codes_of_bytes(&self.codes);
        for id in self.tokenizer.tokens(text, MAX_TOKENS) {
            if let Some(row) = id.checked_sub(self.first) {
                let row = row as usize;
                let codes = &codes[row * self.width..(row + 1) * self.width];
                add_scaled_codes(out, codes, self.scales[row]);
            }
        }
        l2_normalize(out);
    }
}

impl Encoder for StaticEncoder {
    fn name(&self) -> &str {
        &self.name
    }

    fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    fn dim(&self) -> usize {
        self.width
    }

    /// Queries and passages are encoded alike; texts are cut at 512 word pieces.
    fn encode(&self, texts: &[&str], _role: Role, cancel: &Cancel) -> Result<Matrix, EncodeError> {
        let mut out = Matrix::zeros(texts.len(), self.width);
        texts
            .par_chunks(CHUNK)
            .zip(out.data.par_chunks_mut(CHUNK * self.width))
            .try_for_each(|(texts, rows)| {
                cancel.check()?;
                for (text, row) in texts.iter().zip(rows.chunks_exact_mut(self.width)) {
                    self.encode_one(text, row);
                }
                Ok::<(), EncodeError>(())
            })?;
        Ok(out)
    }
}

impl PairScorer for StaticEncoder {
    fn name(&self) -> &str {
        &self.name
    }

    /// Cosine similarity, -1 to 1.
    fn score(&self, query: &str, texts: &[&str], cancel: &Cancel) -> Result<Vec<f32>, EncodeError> {
        cosines(self, query, texts, cancel)
    }
}

impl std::fmt::Debug for StaticEncoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StaticEncoder[{}]", self.fingerprint)
    }
}
