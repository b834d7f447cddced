//! Late interaction as a second stage: each token of the query is answered by the token of a text
//! whose vector has the largest dot product with its own, and these are added up (Khattab and
//! Zaharia, SIGIR 2020, "ColBERT", sections 3.3 and 3.5).
//!
//! Texts are encoded for each query anew: nothing has to be indexed.

use std::sync::Arc;

use indago_core::Cancel;
use indago_core::ports::{EncodeError, Encoder, Matrix, PairScorer, Role, TokenEncoder};
use indago_kernels::RowsF32;
use indago_kernels::maxsim::{Ragged, maxsim_f32};
use indago_kernels::scan::ScanError;

use crate::encoded;

/// Texts encoded at once.
const BATCH: usize = 64;

/// A scorer of pairs by the vectors of their tokens.
pub struct MaxSim {
    encoder: Arc<dyn Encoder>,
    name: String,
}

impl MaxSim {
    /// Scores by the token vectors of `encoder`.
    ///
    /// # Errors
    /// [`EncodeError::Model`] when it gives none.
    pub fn new(encoder: Arc<dyn Encoder>) -> Result<Self, EncodeError> {
        let this = Self {
            name: format!("maxsim@{}", encoder.name()),
            encoder,
        };
        this.tokens()?;
        Ok(this)
    }

    fn tokens(&self) -> Result<&dyn TokenEncoder, EncodeError> {
        self.encoder.tokens().ok_or_else(|| {
            let reason = "it gives no vectors of tokens, which `maxsim` compares";
            self.unfit(reason.to_owned())
        })
    }

    fn unfit(&self, reason: String) -> EncodeError {
        EncodeError::Model {
            model: self.encoder.name().to_owned(),
            reason,
        }
    }
}

impl std::fmt::Debug for MaxSim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MaxSim({})", self.encoder.name())
    }
}

impl PairScorer for MaxSim {
    fn name(&self) -> &str {
        &self.name
    }

    /// The sum over the query's `n` tokens, `-n` to `n`; `-n - 1` for a text without tokens. Checks
    /// `cancel` between batches of texts.
    fn score(&self, query: &str, texts: &[&str], cancel: &Cancel) -> Result<Vec<f32>, EncodeError> {
        let encoder = self.tokens()?;
        let query = encoded::encode_tokens(encoder, &[query], Role::Query, cancel)?;
        let query = query.into_iter().next();
        let query = query.unwrap_or_else(|| Matrix::zeros(0, encoder.dim()));
        let least = -(query.rows as f32) - 1.0;
        let mut scores = Vec::with_capacity(texts.len());
        for batch in texts.chunks(BATCH) {
            cancel.check()?;
            let matrices = encoded::encode_tokens(encoder, batch, Role::Passage, cancel)?;
            let found = maxsim(&query, &matrices, cancel).map_err(|error| match error {
                ScanError::Cancelled(cancelled) => cancelled.into(),
                ScanError::Shape(error) => self.unfit(error.to_string()),
            })?;
            let found = found.into_iter().zip(&matrices);
            scores.extend(found.map(|(s, m)| if m.rows == 0 { least } else { s }));
        }
        Ok(scores)
    }
}

/// The score of each matrix, in order.
fn maxsim(query: &Matrix, matrices: &[Matrix], cancel: &Cancel) -> Result<Vec<f32>, ScanError> {
    let mut bounds = vec![0];
    let mut data = Vec::new();
    for matrix in matrices {
        data.extend_from_slice(&matrix.data);
        bounds.push(bounds[bounds.len() - 1] + matrix.rows as u32);
    }
    let tokens = RowsF32::new(&data, query.dim)?;
    let texts: Vec<u32> = (0..matrices.len() as u32).collect();
    let bounds = Ragged::new(&bounds, tokens.len())?;
    maxsim_f32(&query.data, tokens, bounds, &texts, cancel)
}
