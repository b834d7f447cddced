//! From text to vectors, and from text to token counts.

use crate::{Cancel, Cancelled};

/// What a text is to the encoder; some models mark the two differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Something to look for.
    Query,
    /// Something to be found.
    Passage,
}

/// Row vectors: `rows * dim` values, row-major.
#[derive(Clone, PartialEq)]
pub struct Matrix {
    /// Number of rows.
    pub rows: usize,
    /// Length of each row.
    pub dim: usize,
    /// `rows * dim` values, row-major.
    pub data: Vec<f32>,
}

impl Matrix {
    /// A matrix of zeros.
    pub fn zeros(rows: usize, dim: usize) -> Self {
        Self {
            rows,
            dim,
            data: vec![0.0; rows * dim],
        }
    }

    /// Row `i`.
    ///
    /// # Panics
    /// When `i >= rows`.
    pub fn row(&self, i: usize) -> &[f32] {
        &self.data[i * self.dim..(i + 1) * self.dim]
    }
}

impl std::fmt::Debug for Matrix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Matrix[{}, {}]", self.rows, self.dim)
    }
}

/// Encoding failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The model's files are unusable.
    #[error("model `{model}` cannot be used: {reason}")]
    Model {
        /// Which model.
        model: String,
        /// What is wrong, in words.
        reason: String,
    },
    /// Cancelled.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// Turns texts into vectors whose dot product is their similarity.
pub trait Encoder: Send + Sync {
    /// Name for people, such as `all-MiniLM-L6-v2/int8`.
    fn name(&self) -> &str;

    /// Changes whenever the same text could give another vector: keys every cache of vectors.
    fn fingerprint(&self) -> &str;

    /// Length of the vectors; 0 for a model that has vectors of tokens alone.
    fn dim(&self) -> usize;

    /// Vectors of `texts`, shape `[texts.len(), dim]`, each row of length 1 (or all zeros for a
    /// text without tokens). Checks `cancel` between batches. An error where `dim` is 0.
    fn encode(&self, texts: &[&str], role: Role, cancel: &Cancel) -> Result<Matrix, EncodeError>;

    /// The same model's vectors of single tokens, where it can give them.
    fn tokens(&self) -> Option<&dyn TokenEncoder> {
        None
    }

    /// Mean cosine of a question and a passage that have nothing to do with each other, where that is
    /// known; else whoever has to know measures it.
    fn strangers(&self) -> Option<f32> {
        None
    }

    /// The encoder of whose vectors these are the first [`Self::dim`] values, scaled to length 1
    /// again. Whoever has its vector of a text can cut this one's from it instead of encoding.
    fn truncation_of(&self) -> Option<&dyn Encoder> {
        None
    }
}

/// Turns texts into one vector a token, for late interaction: a query's token is answered by the
/// token of a passage whose vector has the largest dot product with its own.
pub trait TokenEncoder: Send + Sync {
    /// Changes whenever the same text could give other vectors.
    fn fingerprint(&self) -> &str;

    /// Length of the vectors.
    fn dim(&self) -> usize;

    /// A matrix a text, `[tokens, dim]`, each row of length 1; no rows for a text without tokens.
    /// Checks `cancel` between batches.
    fn encode_tokens(
        &self,
        texts: &[&str],
        role: Role,
        cancel: &Cancel,
    ) -> Result<Vec<Matrix>, EncodeError>;
}

/// Terms with their weights, all above zero, by ascending term.
pub type SparseVector = Vec<(u32, f32)>;

/// Turns texts into sparse vectors whose dot product is their similarity.
pub trait SparseEncoder: Send + Sync {
    /// Name for people.
    fn name(&self) -> &str;

    /// Changes whenever the same text could give another vector.
    fn fingerprint(&self) -> &str;

    /// One more than the largest term.
    fn vocabulary(&self) -> usize;

    /// A vector for each of `texts`; empty for a text without words. Checks `cancel` between
    /// batches.
    fn encode(
        &self,
        texts: &[&str],
        role: Role,
        cancel: &Cancel,
    ) -> Result<Vec<SparseVector>, EncodeError>;
}

/// Counts tokens under a named model.
pub trait TokenCounter: Send + Sync {
    /// Whose tokens: the model's name, or how the estimate is made.
    fn name(&self) -> &str;

    /// Tokens in `text`, without special tokens.
    fn count(&self, text: &str) -> usize;
}
